"""The loop: the same trials with any workers, after any interruption."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from nas_lab.history import History, HistoryWarning
from nas_lab.spaces import mlp, nasbench201
from nas_lab.strategies import RandomSearch, SuccessiveHalving, search
from tests import estimates
from tests.strategies.epochs import AtAnyEpoch
from tests.strategies.makers import STRATEGIES

SPACE = nasbench201()
ROOT = Path(__file__).parents[2]


def strategy(name):
    return STRATEGIES[name](SPACE, seed=5)


def drawing(estimate, trials, seed=1, **options):
    """The trials of random search."""
    return list(search(RandomSearch(SPACE, seed=seed), estimate, trials, **options))


by_tokens = AtAnyEpoch(estimates.by_tokens)
in_odd_order = AtAnyEpoch(estimates.in_odd_order)
slowly = AtAnyEpoch(estimates.slowly)
SPAWN = {"mp_context": get_context("spawn")}
every_strategy = pytest.mark.parametrize("name", STRATEGIES)


@every_strategy
def test_the_same_history_with_any_workers(name):
    alone = list(search(strategy(name), by_tokens, 40, batch=6))
    assert [t.id for t in alone] == list(range(40))
    with ThreadPoolExecutor(2) as threads:
        run = search(strategy(name), in_odd_order, 40, batch=6, executor=threads)
        assert list(run) == alone


@every_strategy
def test_stopping_early_and_resuming_changes_nothing(name, tmp_path):
    complete = list(search(strategy(name), by_tokens, 30, batch=4))
    for stop in (0, 1, 9, 29):
        path = tmp_path / f"{stop}.jsonl"
        run = search(strategy(name), by_tokens, 30, batch=4, history=History(path, SPACE))
        for trial in run:
            if trial.id == stop:
                break
        evaluated = []

        def counting(arch, seed, *, evaluated=evaluated, **fidelity):
            evaluated.append(arch)
            return by_tokens(arch, seed, **fidelity)

        again = search(strategy(name), counting, 30, batch=4, history=History(path, SPACE))
        assert list(again) == complete
        assert len(evaluated) == 30 - (stop + 1)


def test_killed_and_resumed(tmp_path):
    """SIGKILL in the middle, then the same call again: the same trials as without."""
    path = tmp_path / "run.jsonl"
    script = textwrap.dedent(f"""
        from nas_lab.history import History
        from nas_lab.strategies import search
        from tests.strategies.test_search import SPACE, slowly, strategy
        history = History({str(path)!r}, SPACE)
        for trial in search(strategy('halving'), slowly, 60, batch=5, history=history):
            pass
    """)
    worker = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    while not path.exists() or path.read_bytes().count(b"\n") < 12:
        assert worker.poll() is None, "ended before it was killed"
        time.sleep(0.01)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    path.write_bytes(path.read_bytes() + b'{"id":')  # the kill may also fall into a write
    with pytest.warns(HistoryWarning):
        history = History(path, SPACE)
    assert 11 <= len(history) < 60
    resumed = list(search(strategy("halving"), by_tokens, 60, batch=5, history=history))
    assert resumed == list(search(strategy("halving"), by_tokens, 60, batch=5))


def test_a_dead_worker_is_explained_and_no_finished_trial_is_lost(tmp_path):
    path, complete = tmp_path / "run.jsonl", drawing(estimates.by_tokens, 100, batch=2)
    first_death = next(trial.id for trial in complete if trial.arch[0] == 0)
    history = History(path, SPACE)
    with (
        ProcessPoolExecutor(1, **SPAWN) as pool,
        pytest.raises(RuntimeError, match=r"worker died.*search again with the same history"),
    ):
        drawing(estimates.dying, 100, batch=2, executor=pool, history=history)
    assert [t.id for t in History(path, SPACE).trials] == list(range(first_death))
    resumed = drawing(estimates.by_tokens, 100, batch=2, history=History(path, SPACE))
    assert resumed == complete


@pytest.mark.parametrize("workers", [0, 2])
def test_a_mistake_in_the_estimate_surfaces_and_finished_trials_stay(workers):
    history = History(None, SPACE)
    pool = ThreadPoolExecutor(workers) if workers else None
    with pytest.raises(ZeroDivisionError, match="a mistake in the estimate"):
        drawing(estimates.failing, 100, batch=4, executor=pool, history=history)
    assert len(history) > 0
    assert all(t.arch[0] != 0 for t in history.trials)


def test_an_interrupt_keeps_what_was_evaluated():
    history = History(None, SPACE)

    def interrupted(arch, seed):
        if len(history) == 3:
            raise KeyboardInterrupt
        return estimates.by_tokens(arch, seed)

    with pytest.raises(KeyboardInterrupt):
        drawing(interrupted, 10, batch=3, history=history)
    assert [t.id for t in history.trials] == [0, 1, 2]


def test_resuming_with_another_strategy_is_refused():
    history = History(None, SPACE)
    drawing(estimates.by_tokens, 5, history=history)
    with pytest.raises(ValueError, match="resume with the strategy, seed, batch"):
        drawing(estimates.by_tokens, 5, seed=2, history=history)


def test_the_seed_reaches_the_estimate():
    one, other = (
        [t.result for t in search(RandomSearch(SPACE), estimates.by_tokens, 5, seed=seed)]
        for seed in (0, 1)
    )
    assert one != other


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"batch": 0}, ValueError, "batch must be at least 1"),
        ({"estimate": 0.5}, TypeError, "not callable"),
        ({"history": History(None, mlp())}, ValueError, "history is one of mlp"),
        ({"strategy": SuccessiveHalving(SPACE)}, TypeError, "trains in steps.*epochs=.*paid="),
    ],
)
def test_bad_arguments_are_explained_at_the_call(change, error, message):
    arguments = {"strategy": RandomSearch(SPACE), "estimate": estimates.by_tokens, "trials": 5}
    with pytest.raises(error, match=message):
        search(**arguments | change)


def test_an_estimate_that_returns_a_bare_number_is_explained():
    with pytest.raises(TypeError, match="has to return an Evaluation, not float"):
        drawing(lambda arch, seed: 0.5, 1)
