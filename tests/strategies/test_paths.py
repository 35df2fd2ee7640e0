"""What the samplers draw, counted and enumerated."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nas_lab import spaces
from nas_lab.spaces import Skeleton
from nas_lab.spaces.base import Decision, Space
from nas_lab.strategies import Distinct, Fair, Uniform

SKELETON = Skeleton(channels=4, cells=1, stages=2, resolution=9, in_channels=1)
LITTLE = spaces.mobile(1)
SEEDS = st.integers(0, 10_000)


@st.composite
def any_space(draw):
    counts = draw(st.lists(st.integers(1, 6), min_size=1, max_size=6))
    return Space("any", tuple(Decision(f"d{i}", tuple(range(k))) for i, k in enumerate(counts)))


@settings(max_examples=60, deadline=None)
@given(space=any_space(), seed=SEEDS)
def test_fair_gives_each_option_equally_often_in_every_step(space, seed):
    archs = Fair(space, SKELETON)(np.random.default_rng(seed))
    counts = [len(decision.options) for decision in space.decisions]
    assert len(archs) == math.lcm(*counts)
    assert all(arch in space for arch in archs)
    for decision, options in enumerate(counts):
        seen = Counter(arch[decision] for arch in archs)
        assert seen == dict.fromkeys(range(options), len(archs) // options)


@pytest.mark.parametrize("sampler", [Uniform, Fair])
def test_every_architecture_is_as_likely_as_any_other(sampler):
    """The first of a step; a chi-squared test over all 12 architectures."""
    rng, draw = np.random.default_rng(0), sampler(LITTLE, SKELETON)
    seen = Counter(draw(rng)[0] for _ in range(6000))
    assert set(seen) == set(LITTLE)
    assert stats.chisquare(list(seen.values())).pvalue > 0.01


@pytest.mark.parametrize("space", [LITTLE, spaces.mlp((1, 2), (4, 8, 16))], ids=["little", "mlp"])
def test_every_network_is_as_likely_as_any_other(space):
    """However many spellings it has; a chi-squared test over all canonical forms."""
    rng, draw = np.random.default_rng(0), Distinct(space, SKELETON)
    networks = {space.canonical(arch) for arch in space}
    seen = Counter(arch for _ in range(3000) for arch in draw(rng))
    assert set(seen) == networks
    assert stats.chisquare(list(seen.values())).pvalue > 0.01


def test_fair_deals_out_each_decision_by_itself():
    """Pairs of options of two decisions, over many steps, are all as likely."""
    rng, draw = np.random.default_rng(0), Fair(spaces.nasbench201(), SKELETON)
    pairs = Counter((arch[0], arch[3]) for _ in range(2000) for arch in draw(rng))
    expected = dict.fromkeys(itertools.product(range(5), repeat=2), 400)
    assert set(pairs) == set(expected)
    assert max(abs(pairs[pair] - 400) for pair in expected) < 100


def test_fair_refuses_a_space_with_excluded_combinations():
    with pytest.raises(ValueError, match="darts excludes combinations"):
        Fair(spaces.darts(), SKELETON)


@pytest.mark.parametrize("sampler", [Uniform, Distinct, Fair])
def test_a_step_depends_on_its_generator_alone(sampler):
    one, other = (sampler(LITTLE, SKELETON) for _ in range(2))
    one(np.random.default_rng(5))
    drawn = [draw(np.random.default_rng(7)) for draw in (one, other, one)]
    assert drawn[0] == drawn[1] == drawn[2]
