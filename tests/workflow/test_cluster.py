"""A cluster changes who evaluates, and when; not what."""

import heapq
import logging
import os
import signal

import pytest
from distributed import Client, LocalCluster
from hypothesis import given
from hypothesis import strategies as st

from nas_lab.estimation import Table
from nas_lab.history import Evaluation, Trial
from nas_lab.spaces import nasbench201
from nas_lab.strategies import RegularizedEvolution, search
from nas_lab.workflow import OnWorker, Plan, Recorded, Replay, busy, timeline
from tests import estimates

SPACE = nasbench201()


def run(estimate, trials, batch, executor=None):
    evolution = RegularizedEvolution(SPACE, seed=3, population=8, sample=3)
    return search(evolution, estimate, trials, batch=batch, executor=executor)


@pytest.fixture(scope="module")
def client():
    options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    options["silence_logs"] = logging.CRITICAL
    with LocalCluster(n_workers=2, **options) as cluster, Client(cluster) as opened:
        yield opened


@pytest.mark.parametrize("options", [{}, {"pure": False}])
def test_the_same_history_on_a_cluster_of_processes(client, options):
    there = run(estimates.in_odd_order, 40, 6, client.get_executor(**options))
    assert list(there) == list(run(estimates.by_tokens, 40, 6))


def test_the_record_is_read_by_workers_that_stay_free_of_torch(client):
    there = [trial.result for trial in run(OnWorker(Recorded()), 4, 1, client.get_executor())]
    assert [r.score for r in there] == [t.result.score for t in run(Table.load(), 4, 1)]
    assert not any(client.run(lambda: "torch" in __import__("sys").modules).values())


def test_a_killed_worker_costs_no_trial(client):
    """SIGKILL to one of this test's own workers, in the middle of a batch."""
    victim = next(iter(client.run(os.getpid).values()))
    done = []
    for trial in run(OnWorker(estimates.slowly), 60, 8, client.get_executor(pure=False)):
        done.append(trial)
        if trial.id == 20:
            os.kill(victim, signal.SIGKILL)
    expected = [(t.arch, t.result.score) for t in run(estimates.by_tokens, 60, 8)]
    assert [(t.arch, t.result.score) for t in done] == expected
    assert victim not in {t.result.metrics["process"] for t in done[40:]}


def noted(id, process, began, ended):
    metrics = {"process": process, "began": began, "ended": ended}
    return Trial(id, (0,) * 6, Evaluation(0.5, metrics=metrics))


def test_a_timeline_by_hand():
    trials = [noted(0, 70, 5.0, 6.0), noted(1, 50, 4.5, 7.0), noted(2, 70, 6.5, 8.5)]
    intervals = timeline(trials)
    assert intervals == [(1, 0, 0.0, 2.5), (0, 1, 0.5, 1.5), (2, 1, 2.0, 4.0)]
    assert busy(intervals, 2) == pytest.approx((2.5 + 1 + 2) / (2 * 4))
    assert timeline([]) == []
    with pytest.raises(ValueError, match="trial 3 does not say who made it"):
        timeline([*trials, Trial(3, (0,) * 6, Evaluation(0.5))])
    with pytest.raises(ValueError, match="no trials"):
        busy([], 2)


def test_a_replay_takes_a_share_of_the_seconds(monkeypatch):
    waited = []
    monkeypatch.setattr("nas_lab.workflow.cluster.time.sleep", waited.append)
    replay = Replay(estimates.by_tokens, speed=4.0)
    assert replay((1, 2, 3, 0, 0, 0), 0) == estimates.by_tokens((1, 2, 3, 0, 0, 0), 0)
    assert waited == [6.5 / 4]


def simulated(size, workers, trial, overhead):
    """Hand one task after the other to whoever is free first; the last end."""
    free, scheduler, ends = [0.0] * workers, 0.0, []
    for _ in range(size):
        scheduler = max(scheduler, heapq.heappop(free)) + overhead
        ends.append(scheduler + trial)
        heapq.heappush(free, ends[-1])
    return max(ends)


COUNTS = [st.integers(1, 40), st.integers(1, 12), st.integers(1, 50), st.integers(0, 20)]


@given(*COUNTS, st.integers(1, 50))
def test_the_plan_is_what_a_simulation_takes(trials, workers, trial, overhead, batch):
    sizes = [min(batch, trials - first) for first in range(0, trials, batch)]
    expected = sum(simulated(size, workers, trial, overhead) for size in sizes)
    assert Plan(trial, overhead).seconds(trials, workers, batch) == expected


def test_a_plan_by_hand():
    assert Plan(trial=10.0, overhead=0.01).seconds(1000, 1000, 1000) == pytest.approx(10 + 10)
    assert Plan(10.0, 0.0).speedup(100, 10, 100) == pytest.approx(10)


@pytest.mark.parametrize("wrong", [(Plan, 0.0, 0.0), (Plan, 1.0, -1.0), (Replay, None, 0.0)])
def test_times_that_cannot_be_are_refused(wrong):
    kind, *figures = wrong
    with pytest.raises(ValueError, match=r"must be|more than 0|above 0"):
        kind(*figures)
