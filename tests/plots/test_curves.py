"""Curves show the values they are given, and limits stay while they change."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from nas_lab import plots, spaces
from nas_lab.history import Evaluation, History, Trial
from nas_lab.plots.curves import _thinned
from tests.plots.readable import texts

CELL = spaces.nasbench201()
NAMES = ("RandomSearch", "RegularizedEvolution", "Reinforce")
AXES = {"title": "?", "xlabel": "steps", "ylabel": "accuracy"}


def history(scores):
    kept = History(None, CELL)
    for i, score in enumerate(scores):
        kept.append(Trial(i, CELL.sample(np.random.default_rng(i)), Evaluation(score, 2.0, {})))
    return kept


def line(ax, label):
    return next(line for line in ax.lines if line.get_label().startswith(label))


def weights(space, steps):
    drawn = np.random.default_rng(0).exponential(size=(steps, *space.mask.shape))
    return drawn / drawn.sum(axis=-1, keepdims=True)


# ---- weights of operations -------------------------------------------------------------------


@pytest.mark.parametrize("space", [CELL, spaces.darts()], ids=["cell", "darts"])
def test_every_edge_has_a_chart_and_every_operation_a_line(space):
    w = weights(space, 9)
    charts = plots.alphas(space, w).axes
    assert [ax.get_title(loc="left") for ax in charts] == plots.decision_labels(space)
    for edge, ax in enumerate(charts):
        for k, option in enumerate(space.decisions[0].options):
            x, y = ax.lines[k].get_data()
            assert list(x) == list(range(1, 10))
            assert list(y) == list(w[:, edge, k])
            assert ax.lines[k].get_color() == plots.COLORS[option]


def test_a_film_of_lines_keeps_its_limits_and_moves_its_cursor():
    axes = [Figure().add_subplot() for _ in range(6)]
    lines = plots.AlphaLines(axes, CELL, steps=100, high=0.5)
    lines.update(weights(CELL, 40), 17)
    assert [(ax.get_xlim(), ax.get_ylim()) for ax in axes] == [((0, 100), (0, 0.5))] * 6
    assert all(list(ax.lines[-1].get_xdata()) == [17, 17] for ax in axes)
    lines.update(weights(CELL, 40))
    assert not any(ax.lines[-1].get_visible() for ax in axes)


def test_raw_alphas_have_an_axis_of_their_own():
    figure = plots.alphas(CELL, np.random.default_rng(0).normal(size=(5, 6, 5)), ylabel="α")
    low, high = figure.axes[0].get_ylim()
    assert low < -1
    assert high > 1


@pytest.mark.parametrize(
    ("space", "shape", "message"),
    [
        (CELL, (0, 6, 5), r"\[T, 6, 5\]"),
        (CELL, (6, 5), r"\[T, 6, 5\]"),
        (CELL, (3, 5, 6), r"\[T, 6, 5\]"),
        (spaces.mlp(), (2, *spaces.mlp().mask.shape), "different options"),
    ],
)
def test_what_has_no_lines_is_refused(space, shape, message):
    with pytest.raises(ValueError, match=message):
        plots.alphas(space, np.ones(shape))


@pytest.mark.parametrize(
    ("high", "top"), [(0.2, 0.3), (0.295, 0.5), (0.48, 0.5), (0.6, 1.0), (1.0, 1.0)]
)
def test_weights_have_a_round_upper_end(high, top):
    assert plots.weight_limits(np.array([0.1, high])) == (0, top)


@given(st.integers(0, 5000))
def test_long_lines_are_thinned_and_keep_their_ends(steps):
    places = _thinned(steps).tolist()
    assert len(places) == len(set(places)) == min(steps, 240)
    assert places == list(range(steps)) or (places[0], places[-1]) == (0, steps - 1)


# ---- accuracies ------------------------------------------------------------------------------


def test_the_true_line_is_at_the_accuracy_and_below_its_range_at_the_floor(ax):
    truth = plots.TruthLine(ax, 10, best=0.9, low=0.5)
    truth.update(np.array([0.1, 0.6, math.nan, 0.8]), 4)
    shown, cursor, dot = truth.moving
    assert shown.get_xydata().tolist() == [[1, 0.5], [2, 0.6], [3, 0.5], [4, 0.8]]
    assert dot.get_xydata().tolist() == [[4, 0.8]]
    assert list(cursor.get_xdata()) == [4, 4]
    truth.update(np.array([]), 0)
    assert not cursor.get_visible()
    assert len(dot.get_xdata()) == 0
    assert ax.get_xlim() == (0, 10)


SCORES = st.lists(st.floats(0, 1) | st.just(math.nan), max_size=20)


@given(SCORES, SCORES)
def test_lines_of_a_race_are_the_best_so_far_and_dots_the_trials(ours, theirs):
    lines = plots.RaceLines(Figure().add_subplot(), NAMES, 20, best=0.9, low=0.5)
    lines.update({"Reinforce": ours, "RandomSearch": theirs})
    for name, scores in {"Reinforce": ours, "RandomSearch": theirs}.items():
        x, y = lines._lines[name].get_data()
        clean = [-1 if math.isnan(score) else score for score in scores]
        best = [max(clean[: i + 1]) for i in range(len(clean))]
        best = [math.nan if value < 0 else value for value in best]
        np.testing.assert_array_equal(y, [*best, *best[-1:]])
        assert list(x[:-1]) == list(range(1, len(scores) + 1))
        np.testing.assert_array_equal(lines._dots[name].get_ydata(), scores)
    assert len(lines._lines["RegularizedEvolution"].get_xdata()) == 0


def test_limits_of_a_race_stay_and_the_best_of_all_is_named(ax):
    lines = plots.RaceLines(ax, NAMES, 300, best=0.8, low=0.6)
    limits = ax.get_xlim(), ax.get_ylim()
    lines.update({"Reinforce": [0.1, 0.99]})
    assert (ax.get_xlim(), ax.get_ylim()) == limits
    assert limits[0] == (0, 300)
    assert texts(ax) == ["best of the table: 80.0%"]
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["random search", "regularized evolution", "REINFORCE"]
    for name in NAMES:
        assert lines._lines[name].get_color() == plots.COLORS[name]
        assert lines._lines[name].get_linewidth() == plots.style(name)["linewidth"]


def test_an_incumbent_curve_is_that_of_the_history():
    kept = history([0.5, 0.4, math.nan, 0.7, 0.6])
    ax = plots.incumbent({"RandomSearch": kept, "array": np.array([0.5, 0.4, 0.7])})
    expected = [*kept.incumbent(), kept.incumbent()[-1]]  # the last step is drawn half a trial on
    assert line(ax, "random search").get_ydata().tolist() == expected
    assert line(ax, "array").get_ydata().tolist() == [0.5, 0.5, 0.7, 0.7]
    assert line(ax, "random search").get_color() == plots.COLORS["RandomSearch"]
    assert len(ax.collections) == 0


def test_single_trials_are_dots_behind_the_line_and_above_the_legend():
    kept = history([0.5, 0.4, math.nan, 0.7])
    ax = plots.incumbent({"mine": kept})
    (dots,) = (one for one in ax.lines if one.get_marker() == "o")
    np.testing.assert_array_equal(dots.get_ydata(), [0.5, 0.4, math.nan, 0.7])
    ax.figure.draw_without_rendering()
    assert ax.transData.transform((1, 0.4))[1] > ax.get_legend().get_window_extent().y1
    two = plots.incumbent({"mine": kept, "yours": kept})
    assert all(one.get_marker() != "o" for one in two.lines)


def test_several_seeds_are_drawn_as_mean_and_interval():
    scores = np.random.default_rng(0).random((30, 20))
    ax = plots.incumbent({"RandomSearch": scores})
    best = np.maximum.accumulate(scores, axis=1)
    drawn = line(ax, "random search (mean of 30 seeds)")
    np.testing.assert_allclose(drawn.get_ydata()[:-1], best.mean(0))
    (band,) = ax.collections
    heights = band.get_paths()[0].vertices[:, 1]
    half = 2.045 * best.std(0, ddof=1) / np.sqrt(30)  # Student's t of 29 degrees of freedom
    assert heights.max() == pytest.approx((best.mean(0) + half).max(), rel=1e-3)
    assert heights.min() == pytest.approx((best.mean(0) - half).min(), rel=1e-3)


def test_the_legend_is_in_the_order_of_the_lines():
    ax = plots.incumbent({"low": [0.1, 0.2], "high": [0.1, 0.9], "middle": [0.5, 0.5]})
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["high", "middle", "low"]


def test_an_empty_search_is_refused():
    with pytest.raises(ValueError, match="empty"):
        plots.incumbent({"mine": []})


def test_medians_are_thick_and_each_seed_is_a_thin_line():
    values = np.array([[0.1, 0.4, 0.2], [0.3, 0.2, 0.8]])
    ax = plots.medians([1, 2, 3], {"a": values}, reference=(0.5, "half"), low=0.05, **AXES)
    median, *seeds = ax.lines[:3]
    np.testing.assert_allclose(median.get_ydata(), [0.2, 0.3, 0.5])
    for seed, value in zip(seeds, values, strict=True):
        np.testing.assert_array_equal(seed.get_ydata(), value)
        assert seed.get_linewidth() < median.get_linewidth()
    assert ax.get_ylim()[0] == 0.05
