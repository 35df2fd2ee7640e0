"""NSGA-II: its sorting and its distances against brute force, its search against random search."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_lab.estimation.pareto import hypervolume
from nas_lab.history import Evaluation, Trial
from nas_lab.spaces import nasbench201
from nas_lab.strategies import NSGA2, RandomSearch, search
from nas_lab.strategies.baselines import crowding_distance, nondominated_ranks, survive

POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=25)
SPACE = nasbench201()


def dominates(a, b):
    return all(x <= y for x, y in zip(a, b, strict=True)) and a != b


@given(points=POINTS)
def test_ranks_are_those_of_peeling_front_after_front(points):
    left, rank, expected = list(enumerate(points)), 0, {}
    while left:
        front = [(i, p) for i, p in left if not any(dominates(q, p) for _, q in left)]
        expected |= {i: rank for i, _ in front}
        left, rank = [pair for pair in left if pair not in front], rank + 1
    found = nondominated_ranks(np.array(points, dtype=float))
    assert dict(enumerate(found.tolist())) == expected


def test_crowding_distances_worked_by_hand():
    """Extents are 10 and 20; the second point has neighbours 4 and 12 apart, the third 8 and 15."""
    points = np.array([(0.0, 20.0), (2.0, 15.0), (4.0, 8.0), (10.0, 0.0)])
    expected = [math.inf, 4 / 10 + 12 / 20, 8 / 10 + 15 / 20, math.inf]
    for order in ([0, 1, 2, 3], [2, 0, 3, 1]):
        found = crowding_distance(points[order])
        assert found == pytest.approx([expected[i] for i in order])
    assert crowding_distance(points[:1]).tolist() == [math.inf]
    assert crowding_distance(np.ones((3, 2))).max() == math.inf


@given(points=POINTS, n=st.integers(1, 25))
def test_none_lives_on_that_a_dead_one_dominates(points, n):
    alive = survive(np.array(points, dtype=float), n)
    assert len(set(alive)) == len(alive) == min(n, len(points))
    dead = set(range(len(points))) - set(alive)
    assert not any(dominates(points[d], points[a]) for d in dead for a in alive)


def test_of_a_front_that_fits_in_part_the_ends_live_on():
    points = np.array([(0.0, 9.0), (4.0, 4.1), (4.1, 4.0), (9.0, 0.0), (2.0, 7.0)])
    assert set(survive(points, 2)) == {0, 3}
    assert set(survive(points, 3)) == {0, 2, 3}  # 9.1/9 of room, against 8.9/9 and 5.1/9
    assert set(survive(points, 4)) == {0, 2, 3, 4}


def convolutions(arch, seed):
    """Score and cost grow with the work, and some operations are a better deal than others."""
    score = sum((0, 0.1, 0.5, 0.6, 0.3)[token] for token in arch) + 0.3 * (arch[3] == 1)
    return Evaluation(score, metrics={"latency": 1 + sum((0, 0, 1, 3, 2)[t] for t in arch)})


def test_it_covers_more_than_random_search():
    def covered(strategy):
        found = [trial.result for trial in search(strategy, convolutions, 240, batch=20)]
        costs = [result.metrics["latency"] for result in found]
        return hypervolume([r.score for r in found], costs, worst_score=0, worst_cost=20)

    for seed in range(4):
        evolved = covered(NSGA2(SPACE, seed=seed, population=20))
        assert evolved > covered(RandomSearch(SPACE, seed=seed))


def test_children_mix_their_parents_with_one_mutation():
    strategy = NSGA2(SPACE, seed=3, population=4)
    first = strategy.ask(4)
    strategy.tell([Trial(i, arch, convolutions(arch, 0)) for i, arch in enumerate(first)])
    tokens = [set(column) for column in zip(*first, strict=True)]
    for child in strategy.ask(30):
        assert sum(token not in known for token, known in zip(child, tokens, strict=True)) <= 1


@pytest.mark.parametrize("sizes", [[6, 6, 6], [1] * 18, [4, 9, 5]])
def test_a_generation_ends_when_it_is_full_however_trials_come(sizes):
    strategy = NSGA2(SPACE, seed=1, population=6)
    for n in sizes:
        strategy.tell([Trial(0, arch, convolutions(arch, 0)) for arch in strategy.ask(n)])
    assert len(strategy._alive) == 6
    assert not strategy._children


def test_bad_arguments_are_explained():
    strategy = NSGA2(SPACE, cost="energy")
    with pytest.raises(ValueError, match="no metric 'energy'"):
        strategy.tell([Trial(0, (0,) * 6, convolutions((0,) * 6, 0))])
