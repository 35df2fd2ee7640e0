"""What holds for every strategy, and what each promises."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_lab.history import Evaluation, Trial
from nas_lab.spaces import darts, mlp, nasbench201
from nas_lab.strategies import RegularizedEvolution, SeededStrategy
from tests.spaces.families import FAMILIES
from tests.strategies.makers import STRATEGIES

every_strategy = pytest.mark.parametrize("make", STRATEGIES.values(), ids=STRATEGIES.keys())


def run(strategy, batches, score):
    """Ask and tell with scores that depend on the architecture."""
    archs = []
    for n in batches:
        asked = strategy.ask(n)
        told = enumerate(asked, len(archs))
        strategy.tell([Trial(i, arch, Evaluation(score(arch))) for i, arch in told])
        archs += asked
    return archs


@every_strategy
@pytest.mark.parametrize("space", FAMILIES.values(), ids=FAMILIES.keys())
@given(seed=st.integers(0, 2**31), batches=st.lists(st.integers(1, 5), min_size=1, max_size=6))
@settings(max_examples=3, deadline=None)
def test_a_seed_repeats_exactly_and_stays_in_the_space(make, space, seed, batches):
    before, torch_before = np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    one, same = (run(make(space, seed=seed), batches, sum) for _ in range(2))
    assert one == same
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert all(arch in space for arch in one)
    assert len(batches) <= len(one) <= sum(batches)


@every_strategy
def test_another_seed_is_another_run(make):
    runs = {tuple(run(make(nasbench201(), seed=seed), [3] * 5, sum)) for seed in range(20)}
    assert len(runs) == 20


@every_strategy
def test_a_smaller_batch_begins_like_a_larger_one(make):
    assert make(darts(), seed=2).ask(2) == make(darts(), seed=2).ask(5)[:2]


@every_strategy
def test_bad_arguments_are_explained(make):
    with pytest.raises(TypeError, match="space is a nas_lab Space"):
        make("nasbench201", seed=0)
    with pytest.raises(ValueError, match="seed must be at least 0"):
        make(mlp(), seed=-1)
    with pytest.raises(ValueError, match="n must be at least 1"):
        make(mlp(), seed=0).ask(0)


@given(seed=st.integers(0, 2**70), asks=st.integers(0, 5))
def test_the_nth_ask_draws_from_the_seed_and_its_number(seed, asks):
    strategy = SeededStrategy(mlp(), seed=seed)
    draws = [strategy.next_rng().integers(2**60, size=3).tolist() for _ in range(asks + 1)]
    assert draws[-1] == np.random.default_rng([seed, asks]).integers(2**60, size=3).tolist()


@every_strategy
def test_failed_trials_do_not_stop_a_search(make):
    """Every score is NaN for a while, then most are: what is proposed stays in the space."""
    scores = itertools.chain([math.nan] * 12, itertools.cycle([math.nan, 0.1, math.nan, math.nan]))
    asked = run(make(nasbench201(), seed=1), [3] * 20, lambda arch: next(scores))
    assert len(asked) >= 20
    assert all(arch in nasbench201() for arch in asked)


@every_strategy
def test_trials_that_are_never_told_are_not_missed(make):
    strategy, space = make(nasbench201(), seed=1), nasbench201()
    for i in range(30):
        asked = strategy.ask(4)
        assert asked
        assert all(arch in space for arch in asked)
        told = enumerate(asked[: i % 3])
        strategy.tell([Trial(id, arch, Evaluation(sum(arch))) for id, arch in told])


def test_evolution_keeps_the_youngest_and_mutates_the_best_of_the_sample():
    """Algorithm 1 of Real et al. 2019: children are one mutation away from a living parent."""
    space = nasbench201()
    strategy = RegularizedEvolution(space, seed=3, population=6, sample=200)  # all take part
    alive: list[Trial] = []
    for id in range(60):
        (arch,) = strategy.ask(1)
        if id >= 6:
            best = max(alive, key=lambda trial: np.nan_to_num(trial.result.score, nan=-99))
            assert arch in space.neighbors(best.arch)
        score = (id, -id, math.nan)[id % 3]  # the old are not the worst, and some fail
        trial = Trial(id, arch, Evaluation(score))
        strategy.tell([trial])
        alive = [*alive, trial][-6:]
