"""Curves show the values they are given, and limits stay while they change."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from nas_lab import plots, spaces
from tests.plots.readable import history, line, said, texts, weights

CELL = spaces.nasbench201()
NAMES = ("RandomSearch", "RegularizedEvolution", "Reinforce")

# ---- weights of operations -------------------------------------------------------------------


@pytest.mark.parametrize("space", [CELL, spaces.darts()], ids=["cell", "darts"])
def test_every_edge_has_a_chart_and_every_operation_a_line(space):
    w = weights(space, 9)
    charts = plots.alphas(space, w, title="?").axes
    assert [ax.get_title(loc="left") for ax in charts] == space.labels
    for edge, ax in enumerate(charts):
        for k, option in enumerate(space.decisions[0].options):
            points = np.stack([np.arange(1, 10), w[:, edge, k]], axis=1)
            np.testing.assert_array_equal(ax.lines[k].get_xydata(), points)
            assert ax.lines[k].get_color() == plots.COLORS[option]


def test_a_film_of_lines_keeps_its_limits_and_moves_its_cursor():
    axes = [Figure().add_subplot() for _ in range(6)]
    lines = plots.AlphaLines(axes, CELL, steps=100, high=0.5)
    lines.update(weights(CELL, 40), 17)
    assert [(ax.get_xlim(), ax.get_ylim()) for ax in axes] == [((0, 100), (0, 0.5))] * 6
    assert all(list(ax.lines[-1].get_xdata()) == [17, 17] for ax in axes)
    lines.update(weights(CELL, 40))
    assert not any(ax.lines[-1].get_visible() for ax in axes)


def test_what_has_no_lines_is_refused():
    for shape in ((0, 6, 5), (6, 5), (3, 5, 6)):
        with pytest.raises(ValueError, match=r"\[T, 6, 5\]"):
            plots.alphas(CELL, np.ones(shape), title="?")
    with pytest.raises(ValueError, match="different options"):
        plots.alphas(spaces.mlp(), np.ones((2, *spaces.mlp().mask.shape)), title="?")


@pytest.mark.parametrize("steps", [0, 1, 2, 240, 241, 5000])
def test_long_lines_are_thinned_and_keep_their_ends(steps, ax):
    plots.AlphaLines([ax], CELL, steps=steps).update(np.zeros((steps, 6, 5)))
    places = ax.lines[0].get_xdata().tolist()
    assert len(set(places)) == min(steps, 240)
    assert places == list(range(1, steps + 1)) or (places[0], places[-1]) == (1, steps)


# ---- accuracies ------------------------------------------------------------------------------


def test_the_true_line_is_at_the_accuracy_and_below_its_range_at_the_floor(ax):
    truth = plots.TruthLine(ax, 10, best=0.9, low=0.5)
    truth.update(np.array([0.1, 0.6, math.nan, 0.8]), 4)
    shown, below, note, cursor, dot = truth.moving
    assert shown.get_xydata().tolist() == [[1, 0.5], [2, 0.6], [3, 0.5], [4, 0.8]]
    assert dot.get_xydata().tolist() == [[4, 0.8]]
    assert below.get_xydata().tolist() == [[1, 0.5]]
    assert (note.get_text(), note.get_visible()) == ("▼ below 50%", True)
    assert list(cursor.get_xdata()) == [4, 4]
    truth.update(np.array([]), 0)
    assert [part.get_visible() for part in (cursor, note)] == [False, False]
    assert len(dot.get_xdata()) == 0
    assert ax.get_xlim() == (0, 10)


SCORES = st.lists(st.floats(0, 1) | st.just(math.nan), max_size=20)


@settings(max_examples=30, deadline=None)
@given(SCORES, SCORES)
def test_lines_of_a_race_are_the_best_so_far_and_dots_the_trials(ours, theirs):
    ax = Figure().add_subplot()
    lines = plots.RaceLines(ax, NAMES, 20, best=0.9, low=0.5)
    limits = ax.get_xlim(), ax.get_ylim()
    lines.update({"Reinforce": ours, "RandomSearch": theirs})
    for name, scores in zip(NAMES, (theirs, [], ours), strict=True):
        x, y = lines._lines[name].get_data()
        best = history(scores).incumbent()
        np.testing.assert_array_equal(y, [*best, *best[-1:]])
        assert list(x[:-1]) == list(range(1, len(scores) + 1))
        np.testing.assert_array_equal(lines._dots[name].get_ydata(), scores)
        assert lines._lines[name].get_color() == plots.COLORS[name]
    assert (ax.get_xlim(), ax.get_ylim()) == limits
    assert limits[0] == (0, 20)
    assert texts(ax) == ["best of the table: 90.0%"]
    named = ["random search", "regularized evolution", "REINFORCE"]
    assert said(ax.get_legend().get_texts()) == named


def test_an_incumbent_curve_is_that_of_the_history():
    kept = history([0.5, 0.4, math.nan, 0.7, 0.6])
    ax = plots.incumbent({"RandomSearch": kept, "array": np.array([0.5, 0.4, 0.7])})
    expected = [*kept.incumbent(), kept.incumbent()[-1]]  # the last step is drawn half a trial on
    assert line(ax, "random search").get_ydata().tolist() == expected
    assert line(ax, "array").get_ydata().tolist() == [0.5, 0.5, 0.7, 0.7]
    assert line(ax, "random search").get_color() == plots.COLORS["RandomSearch"]
    assert all(one.get_marker() != "o" for one in ax.lines)
    assert len(ax.collections) == 0
    with pytest.raises(ValueError, match="empty"):
        plots.incumbent({"mine": []})


def test_several_seeds_are_drawn_as_mean_and_interval():
    scores = np.random.default_rng(0).random((30, 20))
    ax = plots.incumbent({"RandomSearch": scores})
    best = np.maximum.accumulate(scores, axis=1)
    drawn = line(ax, "random search (mean of 30 seeds)")
    np.testing.assert_allclose(drawn.get_ydata()[:-1], best.mean(0))
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    half = 2.045 * best.std(0, ddof=1) / np.sqrt(30)  # Student's t of 29 degrees of freedom
    assert heights.max() == pytest.approx((best.mean(0) + half).max(), rel=1e-3)
    assert heights.min() == pytest.approx((best.mean(0) - half).min(), rel=1e-3)


def test_medians_are_thick_and_each_seed_is_a_thin_line():
    names = {"title": "?", "xlabel": "steps", "ylabel": "accuracy"}
    values = np.array([[0.1, 0.4, 0.2], [0.3, 0.2, 0.8]])
    ax = plots.medians([1, 2, 3], {"a": values}, reference=(0.5, "half"), low=0.05, **names)
    median, *seeds = ax.lines[:3]
    np.testing.assert_allclose(median.get_ydata(), [0.2, 0.3, 0.5])
    np.testing.assert_array_equal([seed.get_ydata() for seed in seeds], values)
    assert max(seed.get_linewidth() for seed in seeds) < median.get_linewidth()
    assert ax.get_ylim()[0] == 0.05
