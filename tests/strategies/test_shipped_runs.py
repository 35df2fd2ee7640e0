"""The runs of supernets that come with the kit: whole, small, trained as their builder trains."""

import numpy as np
import pytest
from scipy import stats

from nas_lab import checks
from nas_lab.estimation import Table
from nas_lab.strategies import OneShotRuns
from nas_lab.strategies.building_one_shot import METHODS, default_plan, recipe_of
from nas_lab.widgets import Rankings

PLAN = default_plan()


@pytest.fixture(scope="module")
def runs():
    return OneShotRuns.load()


def test_it_is_small_and_made_by_this_recipe(runs):
    assert checks.dataset("one_shot_runs.npz").stat().st_size < 300_000
    assert recipe_of(PLAN, tuple(METHODS)).items() <= dict(runs.about).items()
    assert [tuple(arch) for arch in runs.archs.tolist()] == list(PLAN.archs)
    for name in METHODS:
        scores, seconds = runs.scores(name), runs.seconds(name)
        assert scores.shape == (len(PLAN.seeds), len(PLAN.steps), len(PLAN.archs))
        assert ((scores >= 0) & (scores <= 1)).all()
        assert (np.diff(seconds, axis=1) > 0).all()


def test_trained_again_a_run_comes_out_within_the_noise(runs):
    """Another machine adds in another order, so it may differ as much as another seed does."""
    one_shot = METHODS["uniform"].one_shot(PLAN, 0)
    for step in one_shot.train(steps=PLAN.steps[-1]):
        if step.number == PLAN.steps[0]:
            break
    again = np.array([one_shot.estimator()(arch, 0).score for arch in PLAN.archs[:20]])
    stored = runs.scores("uniform")[:, 0, :20]
    noise = np.sqrt(np.mean((stored[0] - stored[1]) ** 2))
    assert np.sqrt(np.mean((again - stored[0]) ** 2)) < 1.5 * noise
    assert stats.kendalltau(again, stored[0])[0] > 0.5


def test_they_rank_and_what_spoils_the_ranking_does(runs):
    methods = Rankings.of(Table.load(), runs).methods
    last = {name: methods[name].tau[:, -1] for name in runs.names}
    assert last["uniform"].mean() > 0.6
    assert methods["uniform"].tau[:, 0].mean() < last["uniform"].mean()
    assert last["learnt scales"].max() < last["uniform"].min()
    assert last["averaged statistics"].max() < last["uniform"].min()
