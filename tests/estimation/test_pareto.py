"""Accuracy against cost on a device: by hand, by brute force, and against scikit-learn."""

import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.linear_model import LinearRegression

from nas_lab import devices
from nas_lab.estimation import LookupTable, OnDevice
from nas_lab.estimation.pareto import best_within, hypervolume, pareto_front, weighted_loss
from nas_lab.history import Evaluation, Trial, pareto
from nas_lab.spaces import mlp, nasbench201
from tests.spaces.families import FAMILIES, SKELETON

SPACE = nasbench201()
POINTS = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=12)


def columns(points):
    scores, costs = np.array(points, dtype=float).reshape(-1, 2).T
    return scores, costs


# ---- objectives, budgets and fronts ------------------------------------------------------------


def test_the_lectures_objective_at_latencies_whose_logarithm_is_known():
    assert weighted_loss(0.5, math.e**2 * 1e-6, beta=3) == pytest.approx(0.5 * 2**3)
    assert weighted_loss(0.5, math.e**2 * 1e-3, beta=3, unit=1e-3) == pytest.approx(4.0)
    assert weighted_loss(0.5, 0.1, beta=0) == 0.5
    both = weighted_loss(np.array([0.5, 1.0]), np.array([math.e, math.e**3]) * 1e-6, beta=-1)
    assert both == pytest.approx([0.5, 1 / 3])


@given(points=POINTS)
def test_the_front_is_what_brute_force_finds_and_that_of_a_history(points):
    front = pareto_front(*columns(points))
    kept = {
        (score, cost)
        for score, cost in points
        if not any(s >= score and c <= cost and (s, c) != (score, cost) for s, c in points)
    }
    assert [points[i] for i in front] == sorted(kept, key=lambda point: point[1])
    trials = [Trial(i, (0,), Evaluation(s, c)) for i, (s, c) in enumerate(points)]
    assert [trial.id for trial in pareto(trials)] == front.tolist()


@given(points=POINTS, worst_score=st.integers(0, 9), worst_cost=st.integers(1, 9))
def test_hypervolume_counts_the_squares_that_are_covered(points, worst_score, worst_cost):
    """Points are whole numbers, so the area is a number of unit squares."""
    area = hypervolume(*columns(points), worst_score=worst_score, worst_cost=worst_cost)
    squares = (
        (x, y) for s, c in points for x in range(c, worst_cost) for y in range(worst_score, s)
    )
    assert area == len(set(squares))


@given(points=POINTS.filter(bool), budget=st.integers(1, 9))
def test_the_best_within_a_budget(points, budget):
    scores, costs = columns(points)
    affordable = [(-s, c) for s, c in points if c <= budget]
    if affordable:
        i = best_within(scores, costs, budget)
        assert (-scores[i], costs[i]) == min(affordable)
    else:
        with pytest.raises(ValueError, match=f"of {budget}: the cheapest needs {min(costs):g}"):
            best_within(scores, costs, budget)


def test_failed_trials_take_no_part():
    scores, costs = [math.nan, 0.5, 0.4, math.nan], [1.0, 2.0, 1.5, 9.0]
    assert pareto_front(scores, costs).tolist() == [2, 1]
    assert best_within(scores, costs, 5.0) == 1
    with pytest.raises(ValueError, match=r"the cheapest needs 1\.5"):
        best_within(scores, costs, 1.2)
    with pytest.raises(ValueError, match="none has a score"):
        best_within([math.nan], [1.0], 5.0)


@pytest.mark.parametrize("wrong", [0.0, -1e-3, math.inf, math.nan])
def test_impossible_costs_are_explained(wrong):
    for call in (
        lambda: weighted_loss(0.5, wrong, beta=1),
        lambda: best_within([0.5, 0.5], [1.0, wrong], 2.0),
        lambda: best_within([0.5], [1.0], wrong),
        lambda: pareto_front([0.5, 0.5], [1.0, wrong]),
        lambda: hypervolume([0.5], [wrong], worst_score=0, worst_cost=1),
    ):
        with pytest.raises(ValueError, match="must be positive and finite"):
            call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: weighted_loss(0.5, 1e-4, 1, unit=1e-3), "choose a unit below 0.0001"),
        (lambda: weighted_loss(0.5, 1e-3, 1, unit=1e-3), "not longer than the unit"),
        (lambda: weighted_loss(0.5, 1e-3, 1, unit=0), "unit must be"),
        (lambda: weighted_loss(0.5, 1e-3, math.nan), "beta must be"),
        (lambda: weighted_loss(-0.5, 1e-3, 1), "loss is not negative"),
        (lambda: pareto_front([1.0, 2.0], [1.0]), "in pairs"),
        (lambda: hypervolume([1.0], [1.0], worst_score=math.nan, worst_cost=1), "finite"),
    ],
)
def test_bad_arguments_are_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- look-up tables ----------------------------------------------------------------------------


def draw(space, n, seed=0):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(n)]


def cells(device, n=200, seed=0):
    """Cells, and what they take on a device."""
    archs = draw(SPACE, n, seed)
    return archs, devices.latencies(SPACE, archs, SKELETON, device)


@pytest.mark.parametrize("name", ["nasbench201", "mlp", "rnn", "mobile", "plain_chain"])
def test_a_sum_is_found_again(name):
    space, rng = FAMILIES[name], np.random.default_rng(0)
    true = np.where(space.mask, rng.random(space.mask.shape), np.inf)
    archs = draw(space, 300)
    seconds = np.array([2.0 + true[space.one_hot(arch) == 1].sum() for arch in archs])
    table = LookupTable.fit(space, archs, seconds)
    assert table.latencies(archs) == pytest.approx(seconds)
    added = np.where(space.mask, true - true.min(axis=1, keepdims=True), 0)
    assert table.seconds == pytest.approx(added)
    assert table.expected(space.one_hot(archs[0])) == pytest.approx(table(archs[0]))


@pytest.mark.parametrize("device", ["v100", "raspberry_pi_4", "edge_tpu"])
def test_predictions_are_those_of_scikit_learn_and_rank_as_the_roofline_does(device):
    (archs, seconds), (others, counted) = cells(device, 300), cells(device, 300, seed=1)
    one_hot, asked = (
        np.array([[1.0, *SPACE.one_hot(arch).ravel()] for arch in some]) for some in (archs, others)
    )
    reference = LinearRegression(fit_intercept=False, positive=True)
    reference.fit(one_hot / seconds[:, None], np.ones(len(archs)))
    found = LookupTable.fit(SPACE, archs, seconds).latencies(others)
    assert found == pytest.approx(reference.predict(asked), rel=1e-4)
    assert stats.spearmanr(found, counted).statistic > 0.85


def test_the_gradient_of_the_expectation_is_the_table():
    table = LookupTable.fit(SPACE, *cells("v100"))
    w = torch.full(SPACE.mask.shape, 0.2, dtype=torch.float64, requires_grad=True)
    seconds = table.expected(w)
    assert float(seconds.detach()) == pytest.approx(table.base + 0.2 * table.seconds.sum())
    (gradient,) = torch.autograd.grad(seconds, w)
    assert gradient.numpy() == pytest.approx(table.seconds)


def test_a_floor_is_kept():
    archs, seconds = cells("raspberry_pi_4")
    table = LookupTable.fit(SPACE, archs, seconds, floor=seconds.min())
    assert table.base >= seconds.min() > LookupTable.fit(SPACE, archs, seconds).base
    with pytest.raises(ValueError, match="floor must be"):
        LookupTable.fit(SPACE, archs, seconds, floor=-1)


LITTLE = mlp(layers=(1, 2), hidden=(4, 8))
EVERY = list(LITTLE)


@pytest.mark.parametrize(
    ("archs", "seconds", "message"),
    [
        (EVERY, np.zeros(len(EVERY)), "latency must be positive"),
        (EVERY, np.ones(3), r"architectures have latencies of shape \(3,\)"),
        (EVERY[:2], np.ones(2), "the first is layers=2: give more architectures"),
        ([], [], "the first is layers=1"),
    ],
)
def test_what_no_table_can_be_fitted_to_is_explained(archs, seconds, message):
    with pytest.raises(ValueError, match=message):
        LookupTable.fit(LITTLE, archs, seconds)


# ---- estimates that know their device ----------------------------------------------------------


def share_of_ones(arch, seed):
    return Evaluation(arch.count(1) / 6, 3.0, {"seed": seed})


def test_it_says_what_the_device_says():
    arch, where = (3, 2, 1, 0, 4, 3), (SPACE, SKELETON, "raspberry_pi_4")
    found, score = OnDevice(share_of_ones, *where)(arch, 7), share_of_ones(arch, 7).score
    seconds = devices.latency(SPACE, arch, *where[1:])
    costs = {"latency": seconds, "energy": devices.energy(SPACE, arch, *where[1:])}
    assert found == Evaluation(score, 3.0, {"seed": 7, "accuracy": score, **costs})
    assert pickle.loads(pickle.dumps(OnDevice(share_of_ones, *where)))(arch, 7) == found
    traded = OnDevice(share_of_ones, *where, lambda score, latency: score / latency)(arch, 7)
    assert traded.score == score / seconds
    with pytest.raises(ValueError, match="no device is called"):
        OnDevice(share_of_ones, SPACE, SKELETON, "toaster")
