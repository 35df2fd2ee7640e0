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
register_optimizer_step_post_hook(lambda *_: print("a step is done", flush=True))
estimate = TrainFromScratch(space, skeleton, data, Recipe(epochs=1))
history = History(None, space)
one_shot = OneShot(space, skeleton, data, seed=0)
darts = Darts(space, skeleton, data, seed=0)
"""
# What runs long, and what a reader does after the interrupt.
LONG = {
    "for trial in search(RandomSearch(space), estimate, trials=10_000, history=history):\n"
    "    print('a trial is done', flush=True)": (
        "assert len(history) >= 1; assert history.best.arch in space"
    ),
    "one_shot.fit(seconds=600)": (
        "assert 0 <= one_shot.estimator()((3, 0, 3, 1, 0, 1), 0).score <= 1"
    ),
    "darts.fit(steps=1_000_000)": "assert len(darts.alphas) >= 1; assert darts.arch() in space",
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


def interrupt(manager, client):
    """Press stop, and again where the interrupt was lost in a callback; return what is answered."""
    for _ in range(4):
        manager.interrupt_kernel()
        try:
            return client.get_shell_msg(timeout=30)["content"]
        except Empty:
            continue
    raise TimeoutError("the kernel goes on")


def test_an_interrupt_leaves_the_notebook_usable(kernel):
    manager, client = kernel

    def well(source):
        done = client.execute(source, reply=True, timeout=120)["content"]
        assert done["status"] == "ok", "\n".join(done.get("traceback", []))

    well(SET_UP)
    for long, after in LONG.items():
        # As after Run Selected Cells: what is sent right after an error is run, not aborted.
        cell = client.execute(long, stop_on_error=False)
        sign, times = ("a trial is done", 1) if "trial" in long else ("a step is done", 3)
        said = ""
        while said.count(sign) < times:
            message = client.get_iopub_msg(timeout=120)
            if message["parent_header"].get("msg_id") == cell:  # not what the last one said
                said += message["content"].get("text", "")
        assert interrupt(manager, client).get("ename") in ("KeyboardInterrupt", None)
        well(after)
        well("2 + 2")


# One of those with the most long cells; python -m tools.interrupts does it with all.
def test_a_notebook_goes_on_after_each_long_cell_was_stopped(monkeypatch, tmp_path):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = run(ROOT / "notebooks" / "04_one_shot.ipynb", seconds=1)
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
