"""The beginning of a curve, and what is made of it, on curves with a known end."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from nas_lab.estimation import CurveRegression, EarlyStopped, PowerLaw
from nas_lab.estimation.curves import power_law
from nas_lab.history import Evaluation
from nas_lab.strategies import RandomSearch, search
from tests.estimation.tables import ARCHS, SPACE, table_of

EPOCHS = 8
N = len(ARCHS)


def law(t, c, a, b):
    """pow3 of Domhan et al. (2015)."""
    return c - a * t ** -np.asarray(b, dtype=float)


@pytest.fixture(scope="module")
def curves():
    """Seed 0: power laws. Seed 1: their last value depends on the first two, for a third."""
    rng = np.random.default_rng(0)
    t = np.arange(1, EPOCHS + 1)
    c, a, b = rng.uniform(0.5, 0.9, N), rng.uniform(0.1, 0.4, N), rng.uniform(0.2, 3, N)
    laws = law(t, c[:, None], a[:, None], b[:, None])
    linear = rng.uniform(0, 1, (N, EPOCHS))
    linear[:, -1] = 0.1 + 0.3 * linear[:, 0] + 0.5 * linear[:, 1]
    linear[N // 3 :] = np.nan
    return np.stack([laws, linear])


SECONDS = np.random.default_rng(1).uniform(1, 9, (2, N))


@pytest.fixture(scope="module")
def table(curves):
    return table_of(curves, SECONDS)


MAKERS = [EarlyStopped, PowerLaw, lambda *args: CurveRegression(*args, ARCHS[:40])]
every_estimate = pytest.mark.parametrize(
    "make", MAKERS, ids=["early stopped", "power law", "regression"]
)


# ---- what all have in common -----------------------------------------------------------------


@every_estimate
@pytest.mark.parametrize("epochs", [3, EPOCHS])
def test_the_cost_is_the_share_of_the_epochs(table, make, epochs):
    result = make(table, epochs)(ARCHS[99], 0)
    assert isinstance(result, Evaluation)
    assert result.cost == pytest.approx(SECONDS[0, 99] * epochs / EPOCHS)
    assert result.metrics == {**table(ARCHS[99], 0).metrics, "epochs": epochs}


@every_estimate
def test_all_scores_are_the_single_ones_in_the_tables_order(table, make):
    """For any form of an architecture, in a search, and out of a pickle."""
    estimate = make(table, 4)
    arch = next(arch for arch in SPACE if SPACE.canonical(arch) != arch)
    forms = (arch, list(arch), SPACE.to_string(arch), SPACE.canonical(arch))
    assert len({estimate(form, 0).score for form in forms}) == 1
    copy = pickle.loads(pickle.dumps(estimate))
    for trial in search(RandomSearch(SPACE), estimate, 5):
        assert copy(trial.arch, 0) == trial.result
    for seed in (0, 1):
        scores = estimate.scores(seed)
        assert np.isnan(scores).tolist() == np.isnan(table.scores(seed)).tolist()
        for row in (0, 7, N // 3 - 1):
            assert scores[row] == pytest.approx(estimate(ARCHS[row], seed).score, abs=1e-9)


@every_estimate
def test_what_comes_later_is_not_looked_at(curves, make):
    """But by a regression in the curves that it learns from."""
    changed = curves.copy()
    changed[:, 40:, 4:] = 0.123
    one, other = (make(table_of(c), 4).scores() for c in (curves, changed))
    np.testing.assert_array_equal(one, other)


@every_estimate
def test_what_is_not_there_is_explained(table, make):
    estimate = make(table, 4)
    with pytest.raises(ValueError, match=r"trained with seeds \[0\], not with 1"):
        estimate(ARCHS[-1], 1)
    with pytest.raises(ValueError, match="there are seeds 0 to 1"):
        estimate.scores(2)
    with pytest.raises(ValueError, match="6 tokens"):
        estimate((1, 2), 0)
    with pytest.raises(ValueError, match="epochs=9, but the table's trainings have 8"):
        make(table, 9)
    if make is PowerLaw:
        with pytest.raises(ValueError, match="epochs of a power law must be at least 3, not 2"):
            make(table, 2)


# ---- early stopping --------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [1, 5, EPOCHS])
def test_early_stopping_gives_the_accuracy_of_that_epoch(table, curves, epochs):
    estimate = EarlyStopped(table, epochs)
    assert estimate(ARCHS[5], 0).score == pytest.approx(curves[0, 5, epochs - 1])
    np.testing.assert_array_equal(estimate.scores(1), table.scores(1, epochs - 1))


# ---- power law -------------------------------------------------------------------------------


@given(st.floats(0.3, 1), st.floats(0.01, 0.3), st.floats(0.1, 5), st.integers(3, 7))
@settings(deadline=None)
def test_a_power_law_is_continued_exactly(c, a, b, epochs):
    seen = law(np.arange(1, epochs + 1), c, a, b)
    assert power_law(seen[None], 12) == pytest.approx(law(12, c, a, b), abs=1e-6)


def test_a_noisy_curve_is_fitted_as_well_as_scipy_does():
    rng, t = np.random.default_rng(0), np.arange(1, 8)
    options = {"p0": (0.8, 0.3, 1), "bounds": ([0, 0, 0.01], [1, np.inf, 10]), "maxfev": 10_000}
    for _ in range(20):
        seen = law(t, 0.8, 0.4, rng.uniform(0.3, 2)) + 0.02 * rng.normal(size=7)
        found, _ = curve_fit(law, t, seen, **options)
        ours = np.array([power_law(seen[None], epoch)[0] for epoch in t])  # the fitted curve
        assert ((seen - ours) ** 2).sum() <= ((seen - law(t, *found)) ** 2).sum() + 1e-9


def test_curves_that_do_not_rise_go_on_at_their_mean():
    seen = np.array([[0.5, 0.5, 0.5, 0.5], [0.6, 0.5, 0.5, 0.4], [0.9, 0.8, 0.7, 0.6]])
    np.testing.assert_allclose(power_law(seen, 100), [0.5, 0.5, 0.75], atol=1e-9)


@given(st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=1, max_size=5))
def test_no_curve_ends_outside_of_what_an_accuracy_can_be(seen):
    ends = power_law(np.array(seen), 50)
    assert (ends <= 1 + 1e-9).all()
    assert (ends >= np.mean(seen, axis=1) - 1e-9).all()  # it does not fall


# ---- regression ------------------------------------------------------------------------------


def test_a_regression_finds_a_linear_end(table, curves):
    regression = CurveRegression(table, 3, ARCHS[:200], seed=1)
    others = slice(200, N // 3)
    np.testing.assert_allclose(regression.scores(1)[others], curves[1, others, -1], atol=1e-3)


def test_sizes_are_features(curves):
    """An end that depends on nothing but the multiply-adds is found all the same."""
    table = table_of(curves[:1])
    curves = np.full((1, N, EPOCHS), 0.5)
    curves[0, :, -1] = 0.1 * np.log1p(table.macs) - 0.2
    learnt = CurveRegression(table_of(curves), 2, ARCHS[:100]).scores()
    np.testing.assert_allclose(learnt, curves[0, :, -1], atol=1e-3)


def test_what_a_regression_cannot_learn_from_is_explained(table):
    with pytest.raises(ValueError, match="4 curves are too few to learn from: give 5"):
        CurveRegression(table, 2, ARCHS[:4])
    with pytest.raises(ValueError, match=r"trained with seeds \[0\], not with 1"):
        CurveRegression(table, 2, ARCHS[-9:], seed=1)
    with pytest.raises(ValueError, match="6 tokens"):
        CurveRegression(table, 2, [(1, 2)] * 6)
