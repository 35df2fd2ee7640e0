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
from nas_lab.strategies import Distinct, Fair, Sandwich, Uniform

SKELETON = Skeleton(channels=4, cells=1, stages=2, resolution=9, in_channels=1)
LITTLE = spaces.mobile(1, depths=(1, 2, 3), kernels=(3,), widths=(1.0,))
SMALL = {
    "nasbench201": spaces.nasbench201(),
    "conv_chain": spaces.conv_chain(
        3, True, heights=(1, 3), widths=(3,), strides=(1, 2), filters=(3, 4)
    ),
    "conv_chain without skips": spaces.conv_chain(
        2, False, heights=(1, 3), widths=(3, 5), strides=(1, 2), filters=(3, 4)
    ),
    "plain_chain": spaces.plain_chain(
        (1, 2, 3), heights=(1, 3), widths=(3,), strides=(1, 2), filters=(3, 8)
    ),
    "mlp": spaces.mlp((1, 2, 3), (4, 8, 16)),
    "rnn": spaces.rnn(),
    "mobile": spaces.mobile(2, depths=(1, 2), widths=(0.5, 1.5)),
}
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


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_extremes_are_the_largest_and_the_smallest_of_all(name, channels):
    space, skeleton = SMALL[name], Skeleton(**vars(SKELETON) | {"in_channels": channels})
    macs = [space.cost(arch, skeleton).macs for arch in space]
    found = [space.cost(arch, skeleton).macs for arch in Sandwich(space, skeleton).extremes]
    assert found == [max(macs), min(macs)]


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, count=st.integers(0, 4))
def test_a_sandwich_has_random_ones_between_the_extremes(seed, count):
    draw = Sandwich(LITTLE, SKELETON, random=count)
    archs = draw(np.random.default_rng(seed))
    assert tuple(archs[:2]) == draw.extremes
    assert len(archs) == 2 + count
    assert all(arch in LITTLE for arch in archs)


def test_what_lies_between_is_uniform():
    rng, draw = np.random.default_rng(0), Sandwich(LITTLE, SKELETON)
    seen = Counter(arch for _ in range(3000) for arch in draw(rng)[2:])
    assert stats.chisquare([seen[arch] for arch in LITTLE]).pvalue > 0.01


@pytest.mark.parametrize("sampler", [Uniform, Distinct, Fair, Sandwich])
def test_a_step_depends_on_its_generator_alone(sampler):
    one, other = (sampler(LITTLE, SKELETON) for _ in range(2))
    one(np.random.default_rng(5))
    drawn = [draw(np.random.default_rng(7)) for draw in (one, other, one)]
    assert drawn[0] == drawn[1] == drawn[2]


def test_a_bad_number_is_refused():
    with pytest.raises(ValueError, match="random must be at least 0"):
        Sandwich(LITTLE, SKELETON, random=-1)
