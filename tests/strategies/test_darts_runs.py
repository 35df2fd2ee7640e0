"""Searches by gradient that are kept: built, resumed, read back."""

from functools import partial

import numpy as np
import pytest

from nas_lab.data import FashionMNIST
from nas_lab.spaces import Skeleton, nasbench201
from nas_lab.strategies import Darts, DartsRuns, OneShot
from nas_lab.strategies.building_darts import (
    METHODS,
    Gradient,
    Plan,
    Run,
    SinglePath,
    build,
    default_plan,
    names_of,
)
from nas_lab.strategies.darts import SHORT, Gumbel, Perturbation, TooManySkips

SPACE = nasbench201()
SKELETON = Skeleton(channels=2, cells=1, stages=1, stem_stride=2, resolution=8, in_channels=1)
DATA = tuple(FashionMNIST(8, 16, images=images) for images in (200, 80))
PLAN = Plan(6, 2, SKELETON, DATA, seeds=(0, 3), paths=4, candidates=3)
FIRST = Gradient(
    "first order",
    rules={"never": partial(TooManySkips, limit=7), "at once": lambda: lambda darts: True},
    selections={"perturbation": Perturbation(tune=0, images=20)},
)
SOME = (FIRST, Gradient("Gumbel", relaxation=Gumbel()), SinglePath())


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    build(PLAN, folder / "parts", folder / "tiny.npz", methods=SOME)
    return folder


def test_names_are_told_apart(built):
    runs = DartsRuns.load(built / "tiny.npz")
    assert runs.searches == ("first order", "Gumbel")
    assert runs.names == ("first order", "Gumbel", "never", "at once", "perturbation", "one-shot")
    assert (runs.images, runs.steps) == ((200, 80), (2, 4, 6))


@pytest.mark.parametrize(("images", "data"), [(None, DATA[0]), (80, DATA[1])])
@pytest.mark.parametrize(
    ("name", "relaxation"), [("first order", {}), ("Gumbel", {"relaxation": Gumbel()})]
)
def test_weights_are_those_of_a_search_by_hand(built, images, data, name, relaxation):
    runs = DartsRuns.load(built / "tiny.npz")
    for place, seed in enumerate(PLAN.seeds):
        darts = Darts(SPACE, SKELETON, data, seed=seed, schedule=SHORT, **relaxation).fit(steps=6)
        np.testing.assert_allclose(runs.w(name, images)[place], darts.w[[1, 3, 5]], atol=1e-3)
        assert tuple(runs.chosen(name, images)[place]) == darts.arch()


def test_rules_stop_where_they_say(built):
    runs = DartsRuns.load(built / "tiny.npz")
    np.testing.assert_array_equal(runs.chosen("never"), runs.chosen("first order"))
    for place, seed in enumerate(PLAN.seeds):
        darts = Darts(SPACE, SKELETON, DATA[0], seed=seed, schedule=SHORT).fit(steps=6)
        assert tuple(runs.chosen("at once")[place]) == darts.arch(0)
        perturbed = Perturbation(tune=0, images=20, seed=seed)(darts)
        assert tuple(runs.chosen("perturbation")[place]) == perturbed
    assert (runs.seconds("at once") < runs.seconds("first order")).all()
    assert (runs.seconds("perturbation") > runs.seconds("first order")).all()


def test_one_shot_chooses_the_best_of_its_candidates(built):
    runs = DartsRuns.load(built / "tiny.npz")
    for place, seed in enumerate(PLAN.seeds):
        estimate = OneShot(SPACE, SKELETON, DATA[0], seed=seed).fit(steps=4).estimator()
        rng = np.random.default_rng(seed)
        archs = [SPACE.canonical(SPACE.sample(rng)) for _ in range(3)]
        chosen = tuple(runs.chosen("one-shot")[place].tolist())
        assert chosen in archs
        assert estimate(chosen, seed).score == max(estimate(arch, seed).score for arch in archs)


def test_a_build_goes_on_where_it_stopped(built):
    kept = Run(FIRST, DATA[1], 3).path(built / "parts")
    missing = Run(SOME[1], DATA[0], 0).path(built / "parts")
    before, lost = kept.stat().st_mtime_ns, missing.read_bytes()
    missing.unlink()
    build(PLAN, built / "parts", built / "again.npz", methods=SOME)
    assert kept.stat().st_mtime_ns == before
    assert missing.is_file()
    assert lost
    whole, again = (DartsRuns.load(built / f"{name}.npz") for name in ("tiny", "again"))
    for name in whole.names:
        np.testing.assert_array_equal(whole.chosen(name), again.chosen(name))


def test_what_is_not_there_is_said(built):
    runs = DartsRuns.load(built / "tiny.npz")
    with pytest.raises(ValueError, match="choose from first order, Gumbel"):
        runs.w("one-shot")
    with pytest.raises(ValueError, match="no method is called 'best'"):
        runs.chosen("best")
    with pytest.raises(ValueError, match="searches had 200, 80"):
        runs.seconds("Gumbel", 100)


def test_the_plan_of_the_kit_can_be_sent_to_other_processes():
    import pickle

    plan = default_plan()
    for method in METHODS:
        again = pickle.loads(pickle.dumps(Run(method, plan.data[1], 0)))
        assert again.method.names == method.names
    searches, others = names_of(METHODS)
    assert len({*searches, *others}) == len(searches) + len(others) == 12
