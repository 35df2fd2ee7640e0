"""The joint space is a space: tokens of a cell, then tokens of how to train it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_lab.spaces import darts, mlp, nasbench201
from nas_lab.strategies import RandomSearch, RegularizedEvolution, Reinforce, search
from nas_lab.workflow import JointSpace
from tests import estimates
from tests.workflow import made

JOINT, CELLS = made.SPACE, made.SPACE.inner
SMALL = JointSpace.of(mlp(layers=(1,), hidden=(4, 8)))


def test_it_holds_every_pair_once():
    every = list(SMALL)
    assert len(every) == len(set(every)) == SMALL.size == 2 * 5 * 3 * 3 * 4
    assert {arch[:-4] for arch in every} == {(0, 0), (0, 1)}


@given(st.integers(0, 2**32))
def test_samples_and_mutants_are_pairs_with_the_network_of_the_cell(seed):
    rng = np.random.default_rng(seed)
    arch = JOINT.sample(rng)
    assert JOINT.encode(JOINT.decode(arch)) == JOINT.from_string(JOINT.to_string(arch)) == arch
    other = JOINT.mutate(arch, rng)
    assert sum(a != b for a, b in zip(arch, other, strict=True)) == 1
    assert len(JOINT.neighbors(arch)) == 6 * 4 + 4 + 2 + 2 + 3
    cell, _ = JOINT.parts(arch)
    assert cell == arch[:6]
    assert JOINT.cost(arch, made.SKELETON) == CELLS.cost(cell, made.SKELETON)
    assert JOINT.canonical(arch) == (*CELLS.canonical(cell), *arch[6:])
    assert set(JOINT.graph(arch).edges) == set(CELLS.graph(cell).edges)


def test_settings_are_what_the_tokens_say():
    _, settings = JOINT.parts((3, 1, 2, 0, 0, 4, 2, 0, 1, 3))
    assert settings == (0.1, 1e-5, "cosine", "shift+flip")


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
