"""Charts of costs, times, budgets and workers show the numbers that they are given."""

import math
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_lab import plots, spaces
from nas_lab.strategies import Hyperband
from nas_lab.widgets.budget import EPOCHS, ETAS, MOST, BudgetState
from nas_lab.workflow.cluster import Interval
from tests.plots.readable import history, line, said, texts

# ---- accuracy against cost -------------------------------------------------------------------


POINTS = st.lists(st.tuples(st.floats(0, 1), st.integers(1, 50)), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None)
@given(POINTS)
def test_the_step_line_is_the_pareto_front(points):
    kept = history([score for score, _ in points], [1e5 * cost for _, cost in points])
    drawn = line(plots.cost_accuracy(kept), "Pareto")
    front = [(t.result.metrics["macs"], t.result.score) for t in kept.pareto("macs")]
    end = (max(1e5 * cost for _, cost in points), front[-1][1])
    assert [tuple(point) for point in drawn.get_xydata()] == [*front, end]
    assert drawn.get_drawstyle() == "steps-post"
    plt.close("all")


@pytest.mark.parametrize(
    ("costs", "label", "best", "tick"),
    [
        ([4e5, 2e6], "million multiply-adds for an image", "0.4 million", "2"),
        ([4e5, 2e7], "million multiply-adds for an image (log scale)", "0.4 million", "20"),
        ([3e4, 5e4], "thousand multiply-adds for an image", "30 thousand", "50"),
        ([1, 7], "multiply-adds for an image", "1", "7"),
        ([1, 9], "multiply-adds for an image (log scale)", "1", "9"),
        ([0, 10], "multiply-adds for an image", "0", "10"),
    ],
)
def test_axis_and_legend_have_one_unit_and_a_log_axis_says_so(costs, label, best, tick):
    ax = plots.cost_accuracy(history([0.6, 0.5], costs))
    assert ax.get_xlabel() == label
    assert ax.get_xscale() == ("log" if "log" in label else "linear")
    star = line(ax, "best")
    assert star.get_label() == f"best: 60.0%, {best} multiply-adds"
    assert star.get_xydata().tolist() == [[costs[0], 0.6]]
    assert ax.xaxis.get_major_formatter()(costs[1], None) == tick


def test_failed_trials_of_a_list_are_counted_and_not_drawn():
    ax = plots.cost_accuracy(history([0.5, math.nan, 0.6]).trials)
    assert ax.collections[0].get_offsets().tolist() == [[1e6, 0.5], [3e6, 0.6]]
    assert ax.collections[0].get_label() == "2 networks (1 failed)"


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(ValueError, match="no metric 'macs'; it has: cost, watts"):
        plots.cost_accuracy(history([0.5], metric="watts"))
    for scores in ([math.nan], []):
        with pytest.raises(ValueError, match="no trial with a score"):
            plots.cost_accuracy(history(scores))
    assert plt.get_fignums() == []


# ---- fronts and bars -------------------------------------------------------------------------


def test_a_front_is_drawn_in_its_order_and_what_is_below_is_counted(ax):
    seconds = np.array([1e-3, 2e-3, 5e-3, 1e-2])
    accuracies = np.array([0.7, 0.3, 0.8, 0.75])
    front = plots.FrontChart(ax, seconds, accuracies, np.array([0, 2]), "Which?")
    front.point_at(2)
    assert line(ax, "front").get_xydata().tolist() == [[1e-3, 0.7], [5e-3, 0.8]]
    assert front.moving[0].get_xydata().tolist() == [[5e-3, 0.8]]
    assert texts(ax) == ["1 more below"]
    shown = [ax.xaxis.get_major_formatter()(tick, None) for tick in ax.get_xticks()]
    assert shown == ["1 ms", "2 ms", "5 ms", "10 ms"]


def test_latencies_are_over_the_quickest_and_inherited_accuracy_is_beside(ax):
    speed = plots.SpeedChart(ax, np.array([0.7, 0.8, 0.75]), np.array([0.5, 0.7, 0.6]))
    speed.update(np.array([2e-3, 4e-3, 1e-3]), np.array([2, 1]), 0, "Chip")
    points, front, ring, shared = (line.get_xydata().tolist() for line in ax.lines)
    assert points == [[2, 0.7], [4, 0.8], [1, 0.75]]
    assert (front, ring, shared) == ([[1, 0.75], [4, 0.8]], [[2, 0.7]], [[2, 0.5]])
    assert texts(ax) == ["Chip\n1× is 1 ms"]


def test_bars_of_parts_are_as_long_as_their_values(ax):
    bars = plots.PartBars(ax, ["up", "down", "none", "the sum"], "?")
    bars.update([0.02, -0.01, 0.0, 0.01])
    assert [bar.get_width() for bar in ax.patches] == [1, -0.5, 0, 0.5]
    assert texts(ax) == ["+2.0", "−1.0", "", "+1.0"]


def test_bars_of_times_begin_with_the_overhead(ax):
    op, conv = SimpleNamespace(settings={"kernel_size": 3}), SimpleNamespace(kind="conv")
    look = {"overhead": 1.0, "name": "stem.conv", "kernels": [SimpleNamespace(kernel=conv, op=op)]}
    parts = [SimpleNamespace(seconds=4.0 / n, memory_bound=n == 2, **look) for n in (1, 2)]
    plots.TimeBars(ax).update(parts)
    waiting, busy = ax.patches[:7], ax.patches[7:]
    assert [bar.get_width() for bar in waiting] == [0.25, 0.25, 0, 0, 0, 0, 0]
    assert [bar.get_x() for bar in busy[:2]] == [0.25, 0.25]
    assert [bar.get_width() for bar in busy] == [0.75, 0.25, 0, 0, 0, 0, 0]
    assert busy[0].get_facecolor() != busy[1].get_facecolor()
    assert texts(ax) == [*["stem: conv 3×3"] * 2, *[""] * 5, "4 s", "2 s", *[""] * 5]


# ---- budgets and workers ---------------------------------------------------------------------


def test_a_row_is_as_long_as_its_bracket_costs(ax):
    boxes = plots.BracketBoxes(ax, rows=4)
    for epochs in (27, 9):  # what is left of the longer one is gone
        boxes.update(Hyperband(spaces.nasbench201(), epochs=epochs, eta=3).brackets, pointed=1)
    light, bars, *named = boxes.moving
    ends = {}
    for box in (path.get_extents() for path in bars.get_paths()):
        ends.setdefault(round(box.y1), []).append(box.x1)
    # 9 to 1, 3 to 3, 1 to 9: 9 + 6 + 6; 5 to 3, 1 to 9: 15 + 6; 3 to 9: 27; of 9 epochs.
    assert [max(ends[row]) for row in range(3)] == pytest.approx([21 / 9, 21 / 9, 3])
    assert round(light.get_paths()[0].get_extents().y0 + 0.5) == 1
    rungs, starts = ["9 to 1", "3 to 3", "1 to 9", "5 to 3", "3 to 9"], [9, 5, 3]
    assert {*said(named)} == {"", *rungs, *(f"{archs} start" for archs in starts)}


def test_the_widget_has_room_for_all_brackets():
    rows = [len(BudgetState(epochs, eta).brackets) for epochs in EPOCHS for eta in ETAS]
    assert max(rows) == MOST


def test_trials_are_in_the_row_of_their_worker():
    intervals = [Interval(0, 0, 0.0, 1.0), Interval(1, 1, 0.0, 2.0), Interval(2, 0, 1.0, 2.5)]
    ax = plots.workers(intervals, batch=2, title="?", lost=1.5)
    boxes = [c.get_paths()[0].get_extents() for c in ax.collections]
    found = sorted((box.x0, box.x1, round((box.y0 + box.y1) / 2)) for box in boxes)
    assert found == [(0.0, 1.0, 0), (0.0, 2.0, 1), (1.0, 2.5, 0)]
    colours = [tuple(c.get_facecolor()[0]) for c in ax.collections]
    assert colours[0] == colours[1] != colours[2]
    assert {"0", "1", "2", "killed"} == {text.strip() for text in texts(ax)}
