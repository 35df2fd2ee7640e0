"""Measured latencies: their statistics worked by hand, their order against the amount of work."""

import numpy as np
import pytest
import torch

from nas_lab.estimation.latency import WARM_UP, Measurement, in_turns, measure_archs
from nas_lab.spaces import Skeleton, nasbench201


def test_statistics_of_known_runs():
    """Quartiles of 1 to 9 are 3 and 7; the fence is at 7 + 1.5 * 4 = 13."""
    runs = (*(float(i) for i in range(1, 8)), 13.0, 13.5)
    found = Measurement(runs, busy=tuple(0.5 * run for run in runs))
    assert found.busy_seconds == 2.5
    assert found.spread == pytest.approx(4 / 5)
    assert found.outliers == 1
    assert found.interference == pytest.approx(0.5)


class Stopped:
    """Counts its calls, and is interrupted in the n-th."""

    def __init__(self, n=None):
        self.calls, self.n = 0, n

    def __call__(self):
        if self.calls == self.n:
            raise KeyboardInterrupt
        self.calls += 1


def test_each_action_warms_up_and_is_run_as_often_as_asked():
    actions = [Stopped(), Stopped()]
    found = in_turns(actions, runs=4)
    assert [len(m.runs) for m in found] == [4, 4] == [len(m.busy) for m in found]
    assert [action.calls for action in actions] == [WARM_UP + 4] * 2


def test_an_interrupt_keeps_the_rounds_that_were_timed():
    with pytest.warns(RuntimeWarning, match="timed 5 of 20 times"):
        found = in_turns([Stopped(), Stopped(WARM_UP + 5)], runs=20)
    assert len(found[0].runs) in (5, 6)
    assert len(found[1].runs) == 5


@pytest.mark.parametrize("n", [0, 1, WARM_UP + 2])
def test_an_interrupt_before_the_third_round_is_one(n):
    with pytest.raises(KeyboardInterrupt):
        in_turns([Stopped(), Stopped(n)], runs=20)


def test_a_hundred_times_the_work_is_found_to_take_longer():
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    space = nasbench201()
    skeleton = Skeleton(channels=32, cells=2, stages=1, resolution=32)
    few, many = measure_archs(space, [(0, 0, 0, 1, 0, 0), (3,) * 6], skeleton, runs=5)
    assert np.median(many.busy) > np.median(few.busy)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    with pytest.raises(ValueError, match="runs must be at least 3"):
        measure_archs(space, [(3,) * 6], skeleton, runs=2)
