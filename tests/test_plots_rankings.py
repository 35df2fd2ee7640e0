"""Pictures of rankings show the numbers they are given, each in its place and colour."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from nas_lab import plots


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_errors_stand_in_the_colours_of_their_operations():
    errors = {"first": {"none": 3.0, "nor_conv_3x3": -2.0}, "second": {"nor_conv_3x3": 5.0}}
    ax = plots.rank_errors(errors)
    bars = [
        (p.get_x() + p.get_width() / 2, p.get_height(), to_hex(p.get_facecolor()))
        for p in ax.patches
    ]
    groups = [(round(x), height, hue.upper()) for x, height, hue in bars]
    none, conv = plots.color("none"), plots.color("nor_conv_3x3")
    assert sorted(groups) == sorted([(0, 3.0, none), (0, -2.0, conv), (1, 5.0, conv)])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["first", "second"]
    assert len({round(x, 3) for x, _, _ in bars}) == 3  # side by side


def test_a_ranking_over_time_shows_mean_band_and_the_look():
    seconds, tau = np.array([1.0, 10.0]), np.array([[0.1, 0.5], [0.3, 0.7]])
    ax = plots.chart(None, "", "", "")
    curves = plots.RankingOverTime(ax, {"a": (seconds, tau), "b": (seconds, tau - 0.4)})
    assert np.allclose(ax.lines[0].get_ydata(), [0.2, 0.6])
    band = ax.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == pytest.approx((0.1, 0.7))
    curves.point_at("b", 1)
    assert [point[0] for point in curves.moving[0].get_data()] == pytest.approx([10, 0.1])
    low, high = ax.get_ylim()
    assert low < -0.3
    assert high > 0.7


def test_ties_at_the_border_choose_exactly_k_and_all_of_them_are_the_best():
    tied = np.array([4.0, 3.0, 3.0, 3.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    clear = np.arange(10.0, 0, -1)
    for estimate, truth, counts in ((tied, clear, (2, 0, 0, 8)), (clear, tied, (2, 2, 0, 6))):
        ax = plots.rank_scatter(estimate, truth, top=0.2)
        said = [text.get_text() for text in ax.get_legend().get_texts()]
        kinds = ("best, and chosen", "best, but missed", "chosen, not best", "neither")
        assert said == [f"{kind}: {n}" for kind, n in zip(kinds, counts, strict=True)]
