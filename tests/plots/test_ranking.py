"""Pictures of rankings and of runs show the numbers they are given, in place and colour."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import to_hex

from nas_lab import plots
from tests.plots.readable import said, texts

NAMES = ("RandomSearch", "RegularizedEvolution", "Reinforce")


def test_errors_stand_in_the_colours_of_their_operations():
    errors = {"first": {"none": 3.0, "nor_conv_3x3": -2.0}, "second": {"nor_conv_3x3": 5.0}}
    ax = plots.rank_errors(errors)
    none, conv = plots.color("none"), plots.color("nor_conv_3x3")
    bars = [(b.get_height(), to_hex(b.get_facecolor()).upper()) for b in ax.patches]
    assert bars == [(3.0, none), (-2.0, conv), (5.0, conv)]
    assert [bar.get_center()[0] for bar in ax.patches] == pytest.approx([-0.2, 0.2, 1.2])
    assert said(ax.get_xticklabels()) == ["first", "second"]


def test_a_ranking_over_time_shows_mean_band_and_the_checkpoint(ax):
    seconds, tau = np.array([1.0, 10.0]), np.array([[0.1, 0.5], [0.3, 0.7]])
    curves = plots.RankingOverTime(ax, {"a": (seconds, tau), "b": (seconds, tau - 0.4)})
    assert np.allclose(ax.lines[0].get_ydata(), [0.2, 0.6])
    band = ax.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == pytest.approx((0.1, 0.7))
    curves.point_at("b", 1)
    assert [point[0] for point in curves.moving[0].get_data()] == pytest.approx([10, 0.1])


def test_the_cost_of_a_ranking_is_pointed_at(ax):
    cost, tau = np.array([[0.1, 0.5], [0.2, 1.0]]), np.array([[0.3, 0.4], [0.5, 0.8]])
    drawn = plots.CostOfRanking(ax, cost, tau, ["few", "many"])
    drawn.point_at(1, 0)
    assert drawn.moving[0].get_xydata().tolist() == [[0.2, 0.5]]
    for line, *points in zip(ax.lines, cost, tau, strict=False):
        np.testing.assert_array_equal(line.get_data(), points)


def test_ties_at_the_border_choose_exactly_k_and_all_of_them_are_the_best(ax):
    tied = np.array([4.0, 3.0, 3.0, 3.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    clear = np.arange(10.0, 0, -1)
    scatter = plots.RankScatter(ax, 10, top=0.2)
    for estimate, truth, counts in ((tied, clear, (2, 0, 0, 8)), (clear, tied, (2, 2, 0, 6))):
        scatter.update(estimate, truth)
        kinds = ("best, and chosen", "best, but missed", "chosen, not best", "neither")
        named = {line.get_label() for line in scatter.moving}
        assert named == {f"{kind}: {n}" for kind, n in zip(kinds, counts, strict=True)}


def test_correlations_are_sorted_with_their_intervals():
    taus = {"good": (0.8, (0.7, 0.9)), "base": (0.5, (0.45, 0.6))}
    found = {n: SimpleNamespace(tau=tau, tau_interval=ends) for n, (tau, ends) in taus.items()}
    ax = plots.correlations(found, title="?", baseline="base")
    assert said(ax.get_yticklabels()) == ["base", "good"]
    intervals, dots, (line,) = ax.lines[0:4:2], ax.lines[1:4:2], ax.lines[4:]
    assert [tuple(each.get_xdata()) for each in intervals] == [(0.45, 0.6), (0.7, 0.9)]
    assert [each.get_xdata()[0] for each in dots] == [0.5, 0.8]
    assert line.get_xdata()[0] == 0.5
    assert dots[0].get_color() == line.get_color() != dots[1].get_color()


# ---- runs ------------------------------------------------------------------------------------


def test_what_methods_find_is_a_dot_a_seed_and_a_bar_for_the_median():
    found = {"Darts": np.array([0.7, 0.75, 0.9]), "new": np.array([0.5, 0.5, 0.5])}
    ax = plots.spreads(found, title="?", baseline="new", reference=(0.6, "median"))
    assert said(ax.get_yticklabels()) == ["new", "DARTS"]  # best on top
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [sorted(line.get_xdata()) for line in dots] == [[0.5] * 3, [0.7, 0.75, 0.9]]
    assert len(set(dots[0].get_ydata())) == 3  # equal ones are seen
    bars = [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_linewidth() > 2]
    assert [line.get_xdata()[0] for line in bars] == [0.5, 0.75]
    assert len({line.get_color() for line in bars}) == 2
    assert [text.strip() for text in texts(ax)] == ["median"]


def test_what_is_too_low_is_an_arrowhead_at_the_edge():
    ax = plots.spreads({"new": np.array([0.1, 0.8, 0.1, 0.7])}, title="?", low=0.6)
    marks = {line.get_marker(): sorted(line.get_xdata()) for line in ax.lines}
    assert marks["<"] == [0.6, 0.6]
    assert marks["o"] == [0.7, 0.8]
    assert ax.get_xlim()[0] == 0.6


def test_bests_are_dots_with_their_median(ax):
    found = {name: 0.7 + np.arange(9 - i) / 90 for i, name in enumerate(NAMES)}
    plots.bests(found, 0.77, 0.85, ax)
    for row, (name, scores) in enumerate(found.items()):
        dots, median = ax.lines[2 * row : 2 * row + 2]
        assert dots.get_xdata().tolist() == scores.tolist()
        assert (np.abs(dots.get_ydata() - row) < 0.4).all()
        assert list(median.get_xdata()) == [np.median(scores)] * 2
        assert dots.get_color() == plots.COLORS[name]
    named = ["random search\n(9 runs)", "regularized evolution\n(8 runs)", "REINFORCE\n(7 runs)"]
    assert said(ax.get_yticklabels()) == named
    assert "you: 77.0%" in texts(ax)
    assert [line.get_xdata()[0] for line in ax.lines[6:]] == [0.85, 0.77]
