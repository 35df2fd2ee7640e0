"""Look-up tables: exact where latency is a sum, close where it is not, and differentiable."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.linear_model import LinearRegression

from nas_lab import devices
from nas_lab.estimation import LookupTable
from nas_lab.spaces import Skeleton, mlp, nasbench201
from tests.spaces.families import FAMILIES

SKELETON = Skeleton(channels=4, cells=2, stages=2, resolution=8, in_channels=1)


def draw(space, n, seed=0):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(n)]


@pytest.mark.parametrize("name", ["nasbench201", "mlp", "rnn", "mobile", "plain_chain"])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=5, deadline=None)
def test_a_sum_is_found_again(name, seed):
    space, rng = FAMILIES[name], np.random.default_rng(seed)
    true = np.where(space.mask, rng.random(space.mask.shape), 0)
    archs = draw(space, 300, seed)
    seconds = np.array([2.0 + (space.one_hot(arch) * true).sum() for arch in archs])
    table = LookupTable.fit(space, archs, seconds)
    assert table.latencies(archs) == pytest.approx(seconds)
    assert table.seconds == pytest.approx(
        np.where(
            space.mask,
            true - np.where(space.mask, true, np.inf).min(axis=1, keepdims=True),
            0,
        )
    )
    assert table.expected(space.one_hot(archs[0])) == pytest.approx(table(archs[0]))


def test_predictions_are_those_of_scikit_learn():
    space = nasbench201()
    archs = draw(space, 200)
    seconds = devices.latencies(space, archs, SKELETON, "raspberry_pi_4")
    table = LookupTable.fit(space, archs, seconds)
    others = draw(space, 50, seed=1)

    def columns(archs):
        return np.array([[1.0, *space.one_hot(arch).ravel()] for arch in archs])

    reference = LinearRegression(fit_intercept=False, positive=True)
    reference.fit(columns(archs) / seconds[:, None], np.ones(len(archs)))
    expected = reference.predict(columns(others))
    assert table.latencies(others) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("device", ["v100", "raspberry_pi_4", "edge_tpu"])
def test_it_ranks_other_networks_as_the_roofline_does(device):
    space = nasbench201()
    archs, others = draw(space, 300), draw(space, 300, seed=1)
    table = LookupTable.fit(space, archs, devices.latencies(space, archs, SKELETON, device))
    counted = devices.latencies(space, others, SKELETON, device)
    assert stats.spearmanr(table.latencies(others), counted).statistic > 0.85


def test_the_gradient_of_the_expectation_is_the_table():
    space = nasbench201()
    archs = draw(space, 100)
    table = LookupTable.fit(space, archs, devices.latencies(space, archs, SKELETON, "v100"))
    w = torch.full(space.mask.shape, 0.2, dtype=torch.float64, requires_grad=True)
    seconds = table.expected(w)
    assert float(seconds.detach()) == pytest.approx(table.base + 0.2 * table.seconds.sum())
    (gradient,) = torch.autograd.grad(seconds, w)
    assert gradient.numpy() == pytest.approx(table.seconds)


def test_a_floor_is_kept():
    space = nasbench201()
    archs = draw(space, 200)
    seconds = devices.latencies(space, archs, SKELETON, "raspberry_pi_4")
    table = LookupTable.fit(space, archs, seconds, floor=seconds.min())
    assert table.base >= seconds.min() > LookupTable.fit(space, archs, seconds).base
    with pytest.raises(ValueError, match="floor must be"):
        LookupTable.fit(space, archs, seconds, floor=-1)


def test_bad_arguments_are_explained():
    space = mlp(layers=(1, 2), hidden=(4, 8))
    archs = list(space)
    with pytest.raises(ValueError, match="latency must be positive"):
        LookupTable.fit(space, archs, np.zeros(len(archs)))
    with pytest.raises(ValueError, match=r"architectures have latencies of shape \(3,\)"):
        LookupTable.fit(space, archs, np.ones(3))
    with pytest.raises(ValueError, match="the first is layers=2: give more architectures"):
        LookupTable.fit(space, archs[:2], np.ones(2))
    with pytest.raises(ValueError, match="the first is layers=1"):
        LookupTable.fit(space, [], [])
    with pytest.raises(ValueError, match="tokens"):
        LookupTable.fit(space, archs, np.ones(len(archs)))((0,))
