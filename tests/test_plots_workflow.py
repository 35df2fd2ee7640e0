"""Pictures of budgets and workers show the numbers that they are given."""

import matplotlib.pyplot as plt
import pytest

from nas_lab import plots, spaces
from nas_lab.strategies import Hyperband
from nas_lab.widgets.budget import EPOCHS, ETAS, MOST, BudgetState
from nas_lab.workflow.cluster import Interval


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_a_row_is_as_long_as_its_bracket_costs():
    boxes = plots.BracketBoxes(plt.figure().subplots(), rows=4)
    for epochs in (27, 9):  # what is left of the longer one is gone
        boxes.update(Hyperband(spaces.nasbench201(), epochs=epochs, eta=3).brackets, pointed=1)
    light, bars, *texts = boxes.moving
    ends = {}
    for path in bars.get_paths():
        box = path.get_extents()
        row = round((box.y0 + box.y1) / 2)
        ends[row] = max(ends.get(row, 0), box.x1)
    # 9 to 1, 3 to 3, 1 to 9: 9 + 6 + 6; 5 to 3, 1 to 9: 15 + 6; 3 to 9: 27; of 9 epochs.
    assert ends == pytest.approx({0: 21 / 9, 1: 21 / 9, 2: 3})
    assert round(light.get_paths()[0].get_extents().y0 + 0.5) == 1
    shown = {text.get_text() for text in texts}
    assert shown == {"9 to 1", "3 to 3", "1 to 9", "5 to 3", "3 to 9", "9 start", "5 start"} | {
        "3 start",
        "",
    }


def test_the_widget_has_room_for_all_brackets():
    rows = [len(BudgetState(epochs, eta).brackets) for epochs in EPOCHS for eta in ETAS]
    assert max(rows) == MOST


def test_trials_are_in_the_row_of_their_worker():
    intervals = [Interval(0, 0, 0.0, 1.0), Interval(1, 1, 0.0, 2.0), Interval(2, 0, 1.0, 2.5)]
    ax = plots.workers(intervals, batch=2, lost=1.5)
    boxes = [c.get_paths()[0].get_extents() for c in ax.collections]
    found = sorted((box.x0, box.x1, round((box.y0 + box.y1) / 2)) for box in boxes)
    assert found == [(0.0, 1.0, 0), (0.0, 2.0, 1), (1.0, 2.5, 0)]
    colours = [tuple(c.get_facecolor()[0]) for c in ax.collections]
    assert colours[0] == colours[1] != colours[2]
    assert {"0", "1", "2", "killed"} == {text.get_text() for text in ax.texts}


def test_minutes_are_at_their_steps():
    ax = plots.minutes({"search": 3.0}, {"ask": 60.0, "search": 5.0})
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["ask", "search"]
    points = {
        (float(x), float(y))
        for line in ax.lines
        if line.get_marker() in "os"
        for x, y in zip(*line.get_data(), strict=True)
    }
    assert points == {(3.0, 1.0), (60.0, 0.0), (5.0, 1.0)}
    assert ax.get_xscale() == "log"
