"""The joint space is a space: tokens of a cell, then tokens of how to train it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_lab.spaces import Skeleton, darts, mlp, nasbench201
from nas_lab.strategies import RandomSearch, RegularizedEvolution, Reinforce, search
from nas_lab.workflow import JointSpace, Settings
from tests import estimates

CELLS = nasbench201()
JOINT = JointSpace.of(CELLS)
SMALL = JointSpace.of(mlp(layers=(1,), hidden=(4, 8)))
SKELETON = Skeleton(channels=4, cells=1, stages=1, resolution=8, in_channels=1)
seeds = st.integers(0, 2**32)


def test_it_holds_every_pair_once():
    every = list(SMALL)
    assert len(every) == len(set(every)) == SMALL.size == 2 * 5 * 3 * 3 * 4
    assert {arch[:-4] for arch in every} == {(0, 0), (0, 1)}


@given(seeds)
def test_samples_and_mutants_are_pairs(seed):
    rng = np.random.default_rng(seed)
    arch = JOINT.sample(rng)
    assert arch in JOINT
    assert JOINT.encode(JOINT.decode(arch)) == JOINT.from_string(JOINT.to_string(arch)) == arch
    other = JOINT.mutate(arch, rng)
    assert sum(a != b for a, b in zip(arch, other, strict=True)) == 1
    assert len(JOINT.neighbors(arch)) == 6 * 4 + 4 + 2 + 2 + 3


@given(seeds)
def test_the_network_is_that_of_the_cell(seed):
    arch = JOINT.sample(np.random.default_rng(seed))
    cell, _ = JOINT.parts(arch)
    assert cell == arch[:6]
    assert JOINT.cost(arch, SKELETON) == CELLS.cost(cell, SKELETON)
    assert JOINT.canonical(arch) == (*CELLS.canonical(cell), *arch[6:])
    assert set(JOINT.graph(arch).edges) == set(CELLS.graph(cell).edges)


def test_settings_are_what_the_tokens_say():
    assert JOINT.parts((3, 1, 2, 0, 0, 4, 2, 0, 1, 3)) == (
        (3, 1, 2, 0, 0, 4),
        Settings(0.1, 1e-5, "cosine", "shift+flip"),
    )


def test_samples_are_spread_evenly():
    rng = np.random.default_rng(0)
    drawn = np.array([JOINT.sample(rng) for _ in range(6000)])
    for column, decision in enumerate(JOINT.decisions):
        options = len(decision.options)
        shares = np.bincount(drawn[:, column], minlength=options) / len(drawn)
        assert shares == pytest.approx(1 / options, abs=0.03)


def test_excluded_combinations_stay_excluded_and_the_fingerprint_knows_the_options():
    joint = JointSpace.of(darts())
    arch = joint.sample(np.random.default_rng(0))
    assert joint.parts(arch)[0] in darts()
    assert all(other in joint for other in (arch, *joint.neighbors(arch)))
    assert JOINT.fingerprint == JointSpace.of(nasbench201()).fingerprint != SMALL.fingerprint


@pytest.mark.parametrize("make", [RandomSearch, RegularizedEvolution, Reinforce])
def test_strategies_search_it_like_any_other(make):
    runs = [list(search(make(JOINT, seed=s), estimates.by_tokens, 30)) for s in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]
    assert all(trial.arch in JOINT for trial in runs[0])
