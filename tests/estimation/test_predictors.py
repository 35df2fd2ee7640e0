"""Predictors learn what can be learnt, and know what they do not know."""

import pickle

import numpy as np
import pytest
import torch

from nas_lab.estimation import ForestPredictor, NeuralPredictor, RidgePredictor
from nas_lab.spaces import darts, mobile, nasbench201
from nas_lab.strategies import RandomSearch, search
from tests.spaces.families import FAMILIES

SPACE = mobile()
CELLS = nasbench201()
KINDS = [lambda s: RidgePredictor(s, degree=1), RidgePredictor, ForestPredictor, NeuralPredictor]
NAMES = ["ridge of degree 1", "ridge of degree 2", "forest", "neural"]
every_predictor = pytest.mark.parametrize("make", KINDS, ids=NAMES)


def sample(n, seed=0, space=SPACE):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(n)]


class Landscape:
    """A score with known main effects and interactions of the first decision, plus noise."""

    def __init__(self, interactions, noise, seed=0):
        rng = np.random.default_rng(seed)
        depth, width = SPACE.mask.shape
        self.main = rng.normal(size=(depth, width)) * 0.05
        self.pairs = rng.normal(size=(width, depth, width)) * 0.05 * interactions
        self.noise, self.rng = noise, rng

    def true(self, archs):
        at = np.arange(len(SPACE.decisions))
        return np.array(
            [0.5 + (self.main[at, a] + self.pairs[a[0], at, a]).sum() for a in map(list, archs)]
        )

    def trained(self, archs):
        return self.true(archs) + self.noise * self.rng.normal(size=len(archs))


def rmse(a, b):
    return np.sqrt(np.mean((a - b) ** 2))


def test_a_ridge_finds_main_effects_and_interactions():
    """Each degree fits what it has weights for, and nothing beyond."""
    archs, others = sample(600, 1), sample(200, 2)
    additive, paired = Landscape(0, 0.0), Landscape(1, 0.0)
    for degree, landscape, good in ((1, additive, True), (1, paired, False), (2, paired, True)):
        ridge = RidgePredictor(SPACE, degree=degree).fit(archs, landscape.true(archs))
        truth = landscape.true(others)
        mean, _ = ridge.predict(others)
        assert (rmse(mean, truth) < 0.05 * truth.std()) == good


@every_predictor
def test_more_architectures_give_a_better_prediction(make):
    landscape, others = Landscape(0.5, 0.01), sample(300, 2)
    truth = landscape.true(others)
    errors = []
    for n in (10, 60, 400):
        archs = sample(n, 1)
        mean, _ = make(SPACE).fit(archs, landscape.trained(archs)).predict(others)
        errors.append(rmse(mean, truth))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.75 * truth.std()  # the mean of all would have an error of 1 std


@every_predictor
@pytest.mark.parametrize("n", [30, 200])
def test_the_standard_deviation_covers_the_scores_of_trainings(make, n):
    """Of a normal error, 95 % lie within 1.96 standard deviations. Over four landscapes."""
    inside = []
    for seed in range(4):
        landscape = Landscape(0.3, 0.05, seed)
        archs, others = sample(n, seed), sample(200, 100 + seed)
        mean, std = make(SPACE).fit(archs, landscape.trained(archs)).predict(others)
        inside.append(np.abs(landscape.trained(others) - mean) < 1.96 * std)
    assert 0.85 < np.mean(inside) < 0.995


@every_predictor
def test_what_is_fitted_once_gives_the_same_in_every_form(make):
    """As rows, as estimates of a search, from lists and arrays, fitted anew, and pickled."""
    archs = sample(30, space=CELLS)
    scores = np.array([sum(arch) / 24 for arch in archs])
    before = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    predictor = make(CELLS).fit(archs, scores)
    mean, std = predictor.predict(archs)
    assert mean.shape == std.shape == (30,)
    assert [part.shape for part in predictor.predict([])] == [(0,), (0,)]
    for trial in search(RandomSearch(CELLS), predictor, 4):
        (score,), (spread,) = predictor.predict([CELLS.canonical(trial.arch)])
        assert trial.result.score == pytest.approx(score, abs=1e-6)
        assert trial.result.metrics["std"] == pytest.approx(spread, rel=1e-4)
        assert 0 < trial.result.cost < 60
    again = make(CELLS).fit(archs[:9], scores[:9] * 0).fit(np.array(archs), scores.tolist())
    np.testing.assert_array_equal(again.predict(np.array(archs)), (mean, std))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(predictor)).predict(archs), (mean, std))
    after = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    assert before == after


@every_predictor
def test_equal_scores_are_predicted_as_they_are(make):
    mean, std = make(SPACE).fit(sample(10), np.full(10, 0.7)).predict(sample(50, 1))
    np.testing.assert_allclose(mean, 0.7, atol=1e-6)
    assert (std < 0.01).all()


@every_predictor
@pytest.mark.parametrize("space", FAMILIES.values(), ids=FAMILIES.keys())
def test_every_space_has_features(make, space):
    if make is RidgePredictor and space in (FAMILIES["darts"], FAMILIES["conv_chain"]):
        make = KINDS[0]  # pairs are many there
    archs = sample(12, space=space)
    mean, std = make(space).fit(archs, np.linspace(0, 1, 12)).predict(sample(5, 1, space))
    assert np.isfinite(mean).all()
    assert (std >= 0).all()
    assert np.isfinite(std).all()


def test_what_it_cannot_learn_from_is_explained():
    predictor = RidgePredictor(SPACE)
    for archs, scores, words in (
        ([], [], "0 architectures are too few to learn from: give 5"),
        (sample(6), [1, 2, 3, 4, 5], r"6 architectures need as many scores, not \[5\]"),
        (sample(6), [1, 2, np.nan, np.inf, 5, 6], r"2 of 6 scores are not finite.*keep = np.isfin"),
        ([(0, 1)] * 6, range(6), "has 15 tokens"),
    ):
        with pytest.raises(ValueError, match=words):
            predictor.fit(archs, scores)
    for call in (lambda: predictor.predict(sample(3)), lambda: predictor(sample(1)[0], 0)):
        with pytest.raises(RuntimeError, match="has learnt nothing yet: call fit first"):
            call()
    with pytest.raises(TypeError, match="space is a nas_lab Space"):
        ForestPredictor("mobile")


def test_pairs_of_many_options_are_refused():
    with pytest.raises(ValueError, match=r"25,200 features for darts.*choose a smaller degree"):
        RidgePredictor(darts())
