"""Measured latencies: their statistics worked by hand, their order against the amount of work."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from nas_lab.estimation.latency import Measurement, measure, measure_all, measure_archs
from nas_lab.spaces import Skeleton, nasbench201


def test_statistics_of_known_runs():
    """Quartiles of 1 to 9 are 3 and 7; the fence is at 7 + 1.5 * 4 = 13."""
    runs = (*(float(i) for i in range(1, 8)), 13.0, 13.5)
    found = Measurement(runs, busy=tuple(0.5 * run for run in runs))
    assert found.seconds == 5.0
    assert found.busy_seconds == 2.5
    assert found.quartiles == (3.0, 7.0)
    assert found.spread == pytest.approx(4 / 5)
    assert found.outliers == 1
    assert found.interference == pytest.approx(0.5)


@given(runs=st.lists(st.floats(1e-6, 1), min_size=3, max_size=30))
def test_statistics_agree_with_scipy(runs):
    found = Measurement(tuple(runs), tuple(runs))
    assert found.spread * found.seconds == pytest.approx(stats.iqr(runs), abs=1e-12)
    assert found.interference == pytest.approx(0, abs=1e-9)


class Counted(nn.Module):
    """Counts its calls, and in which mode they came."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def forward(self, x):
        self.calls.append((self.training, torch.is_grad_enabled(), tuple(x.shape)))
        return x


def test_each_network_warms_up_and_is_run_as_often_as_asked():
    networks = [Counted(), Counted().eval()]
    found = measure_all(networks, (2, 3, 3), runs=4, warm_up=2)
    assert [len(m.runs) for m in found] == [4, 4] == [len(m.busy) for m in found]
    for net in networks:
        assert net.calls == [(False, False, (1, 2, 3, 3))] * 6
    assert [net.training for net in networks] == [True, False]


def test_modes_come_back_after_an_error():
    net = nn.Sequential(nn.Linear(3, 2))
    with pytest.raises(RuntimeError):
        measure(net, (1, 4, 4))
    assert net.training


class Stopped(Counted):
    """Is interrupted in its n-th call."""

    def __init__(self, n):
        super().__init__()
        self.n = n

    def forward(self, x):
        if len(self.calls) == self.n:
            raise KeyboardInterrupt
        return super().forward(x)


def test_an_interrupt_keeps_the_rounds_that_were_timed():
    networks = [Counted(), Stopped(2 + 5)]
    with pytest.warns(RuntimeWarning, match="timed 5 of 20 times"):
        found = measure_all(networks, (1, 2, 2), runs=20, warm_up=2)
    assert len(found[0].runs) in (5, 6)
    assert len(found[1].runs) == 5
    assert networks[0].training


@pytest.mark.parametrize("n", [0, 1, 2 + 2])
def test_an_interrupt_before_the_third_round_is_one(n):
    net = Stopped(n)
    with pytest.raises(KeyboardInterrupt):
        measure_all([Counted(), net], (1, 2, 2), runs=20, warm_up=2)
    assert net.training


def test_global_generators_and_threads_are_left_alone():
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    measure(nn.Identity(), (1, 2, 2), runs=3, warm_up=0)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_a_hundred_times_the_work_is_found_to_take_longer():
    space = nasbench201()
    skeleton = Skeleton(channels=32, cells=2, stages=1, resolution=32)
    few, many = measure_archs(space, [(0, 0, 0, 1, 0, 0), (3,) * 6], skeleton, runs=5)
    assert np.median(many.busy) > np.median(few.busy)


@pytest.mark.parametrize(
    ("options", "message"), [({"runs": 2}, "runs must be at least 3"), ({"warm_up": -1}, "warm_up")]
)
def test_bad_arguments_are_explained(options, message):
    with pytest.raises(ValueError, match=message):
        measure(nn.Identity(), (1, 2, 2), **options)
