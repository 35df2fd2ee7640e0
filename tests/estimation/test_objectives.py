"""Trade-offs, against values worked by hand and against brute force."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_lab.estimation.pareto import (
    best_within,
    hypervolume,
    pareto_front,
    weighted_loss,
)
from nas_lab.history import Evaluation, Trial, pareto

POINTS = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=12)


def columns(points):
    scores, costs = np.array(points, dtype=float).reshape(-1, 2).T
    return scores, costs


def test_the_lectures_objective_at_latencies_whose_logarithm_is_known():
    assert weighted_loss(0.5, math.e**2 * 1e-6, beta=3) == pytest.approx(0.5 * 2**3)
    assert weighted_loss(0.5, math.e**2 * 1e-3, beta=3, unit=1e-3) == pytest.approx(4.0)
    assert weighted_loss(0.5, 0.1, beta=0) == 0.5
    both = weighted_loss(np.array([0.5, 1.0]), np.array([math.e, math.e**3]) * 1e-6, beta=-1)
    assert both == pytest.approx([0.5, 1 / 3])


@given(
    loss=st.floats(0.01, 5),
    latency=st.floats(1e-5, 1),
    factor=st.floats(1.01, 10),
    beta=st.floats(0.1, 4),
)
def test_slower_and_worse_both_cost(loss, latency, factor, beta):
    here = weighted_loss(loss, latency, beta)
    assert weighted_loss(loss, latency * factor, beta) > here
    assert weighted_loss(loss * factor, latency, beta) > here


@given(points=POINTS)
def test_the_front_is_what_brute_force_finds(points):
    scores, costs = columns(points)
    front = pareto_front(scores, costs)

    def beaten(i):
        return any(
            scores[j] >= scores[i] and costs[j] <= costs[i] and points[j] != points[i]
            for j in range(len(points))
        )

    kept = {points[i] for i in range(len(points)) if not beaten(i)}
    assert [points[i] for i in front] == sorted(kept, key=lambda point: point[1])


@given(points=POINTS)
def test_the_front_is_that_of_a_history(points):
    scores, costs = columns(points)
    trials = [Trial(i, (0,), Evaluation(s, c)) for i, (s, c) in enumerate(points)]
    assert [trial.id for trial in pareto(trials)] == pareto_front(scores, costs).tolist()


@given(points=POINTS, worst_score=st.integers(0, 9), worst_cost=st.integers(1, 9))
def test_hypervolume_counts_the_squares_that_are_covered(points, worst_score, worst_cost):
    """Points are whole numbers, so the area is a number of unit squares."""
    scores, costs = columns(points)
    area = hypervolume(scores, costs, worst_score=worst_score, worst_cost=worst_cost)
    covered = {
        (x, y)
        for score, cost in points
        for x in range(cost, worst_cost)
        for y in range(worst_score, score)
    }
    assert area == len(covered)


@given(points=POINTS.filter(bool), budget=st.integers(1, 9))
def test_the_best_within_a_budget(points, budget):
    scores, costs = columns(points)
    affordable = [(-s, c) for s, c in points if c <= budget]
    if affordable:
        i = best_within(scores, costs, budget)
        assert (-scores[i], costs[i]) == min(affordable)
    else:
        with pytest.raises(
            ValueError, match=f"budget of {budget}: the cheapest needs {min(costs):g}"
        ):
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
