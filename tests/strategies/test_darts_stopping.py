"""Curvature against the whole Hessian; rules that stop a search."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from nas_lab.data import FashionMNIST
from nas_lab.spaces import DARTS_V2, Skeleton, darts, nasbench201
from nas_lab.strategies import Darts
from nas_lab.strategies.darts import (
    SHORT,
    RisingCurvature,
    TooManySkips,
    curvature,
    selection,
    top_eigenvalue,
)

SPACE = nasbench201()
SKELETON = Skeleton(channels=4, cells=1, stages=1, stem_stride=2, resolution=8, in_channels=1)
DATA = FashionMNIST(8, 32, images=400)


def search():
    return Darts(SPACE, SKELETON, DATA, schedule=SHORT)


# ---- curvature ---------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 4), columns=st.integers(2, 5))
def test_the_top_eigenvalue_is_that_of_the_whole_hessian(seed, rows, columns):
    rng = np.random.default_rng(seed)
    mixer = torch.from_numpy(rng.normal(size=(rows * columns, 6)))
    alpha = torch.from_numpy(rng.normal(size=(rows, columns))).requires_grad_()

    def loss(alpha):
        return ((alpha.softmax(dim=1).flatten() @ mixer).sin() * torch.arange(6)).sum()

    hessian = torch.autograd.functional.hessian(loss, alpha).reshape(alpha.numel(), -1).numpy()
    expected = np.linalg.eigvalsh((hessian + hessian.T) / 2)[-1]
    found = top_eigenvalue(partial(loss, alpha), alpha, tolerance=1e-6)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_the_curvature_of_a_search():
    found = search().fit(steps=5)
    found.net.double()
    val = found.halves()[1]
    images, labels = val.images[:32].double(), val.labels[:32]
    alpha = found.parameters["alpha"].detach().double()

    def loss(alpha):
        return functional.cross_entropy(found.net(images, alpha.softmax(dim=1)), labels)

    hessian = torch.autograd.functional.hessian(loss, alpha).reshape(30, 30).numpy()
    found.net.float()
    assert curvature(found) == pytest.approx(np.linalg.eigvalsh(hessian)[-1], rel=1e-2)


def test_measuring_changes_nothing():
    measured, other = search(), search()
    measured.fit(steps=4, until=RisingCurvature(every=1, window=9))
    other.fit(steps=4)
    assert np.array_equal(measured.alphas, other.alphas)


# ---- rules -------------------------------------------------------------------------------------


def pretended(space, archs):
    """A search that would have given these architectures."""
    return SimpleNamespace(
        space=space,
        log=[SimpleNamespace(number=i + 1) for i in range(len(archs))],
        arch=lambda step=-1: archs[step],
    )


SKIPS = {n: (1,) * n + (3,) * (6 - n) for n in range(7)}


def test_too_many_skips_for_long_enough():
    rule = TooManySkips(limit=2, steps=3)
    stops = {
        (2, 2): False,
        (2, 2, 2): True,
        (2, 3, 1): False,
        (2, 1, 2, 2): False,
        (0, 2, 4, 6): True,
        (1, 1, 1, 1): False,
    }
    for counts, expected in stops.items():
        assert rule(pretended(SPACE, [SKIPS[n] for n in counts])) == expected


def test_only_the_normal_cell_counts():
    arch = darts().decode(DARTS_V2)
    assert sum(op == "skip_connect" for op in arch.values()) == 5
    assert TooManySkips().skips(pretended(darts(), [DARTS_V2])) == 2


def test_a_search_ends_where_skips_win():
    found = search()
    with torch.no_grad():
        found.parameters["alpha"][:, 1] = 10.0
    found.fit(steps=10, until=TooManySkips(steps=4))
    assert len(found.log) == 4


def brute_force(values, window, ratio):
    """Number of values after which the rule stops, and the position to go back to."""
    for n in range(2 * window, len(values) + 1):
        now = sum(values[n - window : n]) / window
        before = sum(values[n - 2 * window : n - window]) / window
        if before < ratio * now:
            return n, n - 1 - window
    return None


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.floats(0.01, 1), min_size=1, max_size=30),
    window=st.integers(1, 4),
    ratio=st.floats(0.3, 0.9),
    every=st.integers(1, 3),
)
def test_rising_curvature_against_a_loop(values, window, ratio, every):
    rule, left = RisingCurvature(every, window, ratio), iter(values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selection, "curvature", lambda _: next(left))
        stopped = None
        for number in range(1, every * len(values) + 1):
            if rule(SimpleNamespace(log=[SimpleNamespace(number=number)])):
                stopped = number
                break
    expected = brute_force(values, window, ratio)
    if expected is None:
        assert stopped is None
        assert rule.keep == -1
        assert rule.values == values
    else:
        count, back = expected
        assert stopped == count * every
        assert rule.keep + 1 == (back + 1) * every == rule.steps[back]


def test_a_rule_serves_one_search():
    rule = RisingCurvature(every=2)
    search().fit(steps=2, until=rule)
    assert rule.steps == [2]
    with pytest.raises(ValueError, match="another search"):
        search().fit(steps=2, until=rule)


def test_bad_rules_are_refused():
    for make, message in (
        (partial(TooManySkips, limit=0), "limit"),
        (partial(TooManySkips, steps=0), "steps"),
        (partial(RisingCurvature, every=0), "every"),
        (partial(RisingCurvature, window=0), "window"),
        (partial(RisingCurvature, ratio=1.0), "ratio"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
