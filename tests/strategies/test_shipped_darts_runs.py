"""The searches that come with the kit: whole, small, and run as their builder runs them."""

import json

import numpy as np
import pytest

from nas_lab import checks
from nas_lab.estimation import Table
from nas_lab.spaces import nasbench201
from nas_lab.strategies import DartsRuns
from nas_lab.strategies.building_darts import METHODS, default_plan, recipe_of

PLAN, SPACE = default_plan(), nasbench201()


@pytest.fixture(scope="module")
def runs():
    return DartsRuns.load()


def test_it_is_small_and_made_by_this_recipe(runs):
    assert checks.dataset("darts_runs.npz").stat().st_size < 400_000
    recipe = json.loads(json.dumps(recipe_of(PLAN, METHODS)))
    assert recipe.items() <= dict(runs.about).items()
    for images in runs.images:
        for name in runs.names:
            assert (runs.seconds(name, images) > 0).all()
            assert all(tuple(arch) in SPACE for arch in runs.chosen(name, images).tolist())


@pytest.mark.parametrize("name", ["first order", "second order", "joint", "Gumbel"])
def test_weights_are_shares_that_move_slowly(runs, name):
    w = runs.w(name)
    assert w.shape == (len(PLAN.seeds), len(PLAN.kept), 6, 5)
    np.testing.assert_allclose(w.sum(axis=3), 1, atol=5e-3)
    # A step of Adam moves a parameter by little more than its rate.
    assert np.abs(np.diff(np.log(np.fmax(w, 0.02)), axis=1)).max() < 1.0


def test_run_again_a_search_begins_the_same_way(runs):
    """Another machine adds in another order; after a few steps that is still unseen."""
    darts = METHODS[0].darts(PLAN, PLAN.data[1], 0)
    for step in darts.train(steps=PLAN.steps):
        if step.number == PLAN.kept[1]:
            break
    np.testing.assert_allclose(step.w, runs.w("first order", 1_000)[0, 1], atol=0.02)


def test_few_images_cost_accuracy(runs):
    """The collapse: what notebook 05 shows."""
    table = Table.load()
    scores = table.scores()
    many, few = (
        np.median([scores[table.row(tuple(a))] for a in runs.chosen("first order", n).tolist()])
        for n in runs.images
    )
    assert many > np.quantile(scores, 0.9)
    assert few < many - 0.02
