"""The stop button in a long cell: the notebook goes on with what there is."""

import os
from queue import Empty

import nbformat
import pytest
from jupyter_client.manager import KernelManager

from tools.interrupts import problems, run, stopped
from tools.notebooks import ROOT, ThisPython

SET_UP = """
from torch.optim.optimizer import register_optimizer_step_post_hook

from nas_lab import spaces
from nas_lab.data import FashionMNIST
from nas_lab.estimation import TrainFromScratch
from nas_lab.history import History
from nas_lab.strategies import Darts, OneShot, RandomSearch, search
from nas_lab.training import Recipe

space, skeleton = spaces.nasbench201(), spaces.Skeleton(4, 1, 2, 2, 16, 1)
data = FashionMNIST(resolution=16, seed=0)


def say(optimizer, arguments, options):
    print("a step is done", flush=True)


register_optimizer_step_post_hook(say)
"""
# What runs long, what says that it is under way, and what a reader does after the interrupt.
LONG = {
    "search": (
        """
estimate = TrainFromScratch(space, skeleton, data, Recipe(epochs=1))
history = History(None, space)
for trial in search(RandomSearch(space), estimate, trials=10_000, history=history):
    print("a trial is done", flush=True)
""",
        "a trial is done",
        "assert len(history) >= 1; assert history.best.arch in space",
    ),
    "one-shot": (
        """
one_shot = OneShot(space, skeleton, data, seed=0)
one_shot.fit(seconds=600)
""",
        "a step is done",
        "assert 0 <= one_shot.estimator()((3, 0, 3, 1, 0, 1), 0).score <= 1",
    ),
    "darts": (
        """
darts = Darts(space, skeleton, data, seed=0)
darts.fit(steps=1_000_000)
""",
        "a step is done",
        "assert len(darts.alphas) >= 1; assert darts.arch() in space",
    ),
}


@pytest.fixture
def kernel(tmp_path):
    manager = KernelManager(kernel_spec_manager=ThisPython())
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    manager.start_kernel(cwd=str(tmp_path), env=environment)
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=120)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def wait_for(client, word, times=1):
    """Wait until the kernel has printed a word so many times."""
    while times > 0:
        message = client.get_iopub_msg(timeout=120)
        times -= message["content"].get("text", "").count(word)


def reply(client, seconds=120):
    return client.get_shell_msg(timeout=seconds)["content"]


def interrupt(manager, client):
    """Press stop, and again where the interrupt was lost in a callback; return what is answered."""
    for _ in range(4):
        manager.interrupt_kernel()
        try:
            return reply(client, seconds=30)
        except Empty:
            continue
    raise TimeoutError("the kernel goes on")


@pytest.mark.parametrize("name", LONG)
def test_an_interrupt_leaves_the_notebook_usable(kernel, name):
    manager, client = kernel
    long, sign, after = LONG[name]
    client.execute(SET_UP)
    assert reply(client)["status"] == "ok"
    # As after Run Selected Cells: what is sent right after an error is run, not aborted.
    client.execute(long, stop_on_error=False)
    wait_for(client, sign, times=3)
    assert interrupt(manager, client).get("ename") in ("KeyboardInterrupt", None)
    client.execute(after)
    done = reply(client)
    assert done["status"] == "ok", done.get("traceback")
    client.execute("2 + 2")
    assert reply(client)["status"] == "ok"


# The two with the most long cells; python -m tools.interrupts does it with all.
@pytest.mark.parametrize("name", ["04_one_shot", "09_automated_workflow"])
def test_a_notebook_goes_on_after_each_long_cell_was_stopped(name, monkeypatch, tmp_path):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = run(ROOT / "notebooks" / f"{name}.ipynb")
    assert len(stopped(notebook)) >= 3
    assert list(problems(notebook)) == []


def test_what_fails_after_an_interrupt_is_told(tmp_path):
    sources = (
        "from time import sleep; from tqdm.auto import tqdm; sleep(1.5); slept = True",
        "kept = []\nfor i in tqdm(range(1000)):\n    kept.append(i)\n    sleep(0.01)\nfinal = i",
        "assert slept and 0 < len(kept) < 1000",
        "final",
        "1 / 0",
    )
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "lesson.ipynb")
    notebook = run(tmp_path / "lesson.ipynb", seconds=1)
    ids = [cell.id for cell in notebook.cells]
    assert stopped(notebook) == [ids[1]]
    assert [problem.split(": ")[:2] for problem in problems(notebook)] == [
        [ids[3], "NameError"],
        [ids[4], "ZeroDivisionError"],
    ]
