"""DARTS for a device: latency in the loss, against values worked by hand and plain DARTS."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from nas_lab import devices
from nas_lab.data import FashionMNIST
from nas_lab.estimation import LookupTable
from nas_lab.spaces import Skeleton, mlp, nasbench201
from nas_lab.strategies import Darts, LatencyAwareDarts
from nas_lab.strategies.darts import SHORT
from nas_lab.strategies.darts.relaxations import Moment
from nas_lab.strategies.latency_aware import plus_latency, times_log_latency

SPACE = nasbench201()
SKELETON = Skeleton(channels=4, cells=1, stages=1, stem_stride=2, resolution=8, in_channels=1)
DATA = FashionMNIST(8, 32, images=400)
ARCHS = [SPACE.sample(np.random.default_rng(seed)) for seed in range(120)]
SECONDS = devices.latencies(SPACE, ARCHS, SKELETON, "raspberry_pi_4")
TABLE = LookupTable.fit(SPACE, ARCHS, SECONDS, floor=SECONDS.min())


def search(**options):
    options = {"table": TABLE, "schedule": SHORT} | options
    return LatencyAwareDarts(SPACE, SKELETON, DATA, **options)


def test_trades_worked_by_hand():
    loss, latency = torch.tensor(0.5), torch.tensor(math.e**3 * 1e-6)
    assert float(times_log_latency(loss, latency, beta=2)) == pytest.approx(0.5 * 9)
    assert float(times_log_latency(loss, latency, 1, unit=math.e * 1e-6)) == pytest.approx(1.0)
    assert float(plus_latency(loss, latency, weight=1e6)) == pytest.approx(0.5 + math.e**3)


def test_at_first_all_options_are_expected_alike():
    found = search()
    mean = TABLE.base + TABLE.seconds.mean(axis=1).sum()
    assert float(found.expected_latency().detach()) == pytest.approx(mean)
    assert float(found.expected_latency(Moment()).detach()) == pytest.approx(mean)


def test_the_loss_is_the_trade_of_cross_entropy_and_latency():
    found, plain = search(), Darts(SPACE, SKELETON, DATA, schedule=SHORT)
    batch = next(plain.train_batches)
    ratio = found.loss(batch, Moment()) / plain.loss(batch, Moment())
    expected = TABLE.base + TABLE.seconds.mean(axis=1).sum()
    assert float(ratio.detach()) == pytest.approx(math.log(expected / 1e-6), rel=1e-5)


def test_without_weight_it_is_darts():
    free = search(trade=partial(plus_latency, weight=0.0), seed=3).fit(steps=4)
    plain = Darts(SPACE, SKELETON, DATA, schedule=SHORT, seed=3).fit(steps=4)
    assert np.array_equal(free.alphas, plain.alphas)


def test_where_only_latency_counts_the_cheapest_options_win():
    found = search(trade=partial(plus_latency, weight=1e9)).fit(steps=30)
    assert TABLE(found.arch()) == pytest.approx(TABLE.base)
    before = TABLE.base + TABLE.seconds.mean(axis=1).sum()
    assert float(found.expected_latency().detach()) < before


def test_bad_arguments_are_explained():
    small = mlp(layers=(1,), hidden=(4, 8))
    other = LookupTable.fit(small, list(small), np.ones(2))
    with pytest.raises(ValueError, match="table is of mlp, the search of nasbench201"):
        search(table=other)
    with pytest.raises(ValueError, match="choose a shorter unit"):
        search(trade=partial(times_log_latency, beta=0.5, unit=1.0))
    without_floor = LookupTable(SPACE, 0.0, TABLE.seconds)
    with pytest.raises(ValueError, match="fit the table with a floor"):
        search(table=without_floor)
