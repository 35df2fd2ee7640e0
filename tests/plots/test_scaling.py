"""Pictures of scaled networks are to scale, have room, and say what they are given."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from nas_lab import plots, scaling
from nas_lab.estimation.scaling_grid import BASE, Choice, Direction
from nas_lab.scaling import B0
from tests.plots.readable import assert_readable, said

UNIT = np.array((0.1, 0.01, 0.002))
DIRECTIONS = [Direction(a / 4, b / 4, (4 - a - b) / 4) for a in range(5) for b in range(5 - a)]
FACTORS = st.tuples(st.floats(1, 4), st.floats(1, 2), st.floats(1, 2))


def rows(base="small", depth=1.0, width=1.0, larger=1.0):
    if base == "B0":
        return scaling.table(*scaling.compound(B0, 224, 1, depth, width, larger))
    scaled = scaling.compound(BASE.stages, BASE.resolution, 1, depth, width, larger, divisor=1)
    return scaling.table(*scaled, **BASE.sizes)


def drawn(boxes):
    """Corners of the side, the top and the front of each box, and the lines between layers."""
    faces, cuts, _ = boxes.moving
    corners = [path.vertices[:4] for path in faces.get_paths()]
    return [corners[i : i + 3] for i in range(0, len(corners), 3)], cuts.get_segments()


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(["small", "B0"]), FACTORS)
def test_boxes_are_to_scale(base, factors):
    table = rows(base, *factors)
    boxes = plots.StageBoxes(Figure().add_subplot(), (1.0, 2.0))
    boxes.update(rows("B0", 4.0), UNIT)  # of a larger network nothing is left
    boxes.update(table, UNIT)
    found, cuts = drawn(boxes)
    assert len(found) == len(table)
    for (side, _, front), row in zip(found, table, strict=True):
        assert np.ptp(front[:, 0]) == pytest.approx(0.1 * row.stage.layers)
        assert np.ptp(front[:, 1]) == pytest.approx(0.01 * row.out_resolution)
        slant = math.dist(side[0], side[1])
        assert slant == pytest.approx(0.002 * row.stage.channels)
    assert len(cuts) == sum(row.stage.layers - 1 for row in table)
    everything = np.concatenate([face for box in found for face in box])
    assert everything.min(axis=0) == pytest.approx([1.0, 2.0])
    assert everything.max(axis=0) - (1, 2) == pytest.approx(plots.size_of(table, UNIT))


@settings(deadline=None, max_examples=15)
@given(st.lists(FACTORS, max_size=4), st.sampled_from(["small", "B0"]))
def test_networks_have_room_and_one_scale(all_factors, base):
    tables = {"base\nnothing scaled": rows(base)}
    tables |= {f"network {i}\nscaled": rows(base, *f) for i, f in enumerate(all_factors)}
    ax = plots.networks(tables)
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    scales = []
    for faces, table in zip(ax.collections[::2], tables.values(), strict=True):
        corners = np.concatenate([path.vertices for path in faces.get_paths()])
        assert (corners >= (left, low)).all()
        assert (corners <= (right + 1e-6, high)).all()
        scales.append(np.ptp(faces.get_paths()[2].vertices[:, 1]) / table[0].out_resolution)
    assert scales == pytest.approx([scales[0]] * len(tables))
    assert_readable(ax)


def test_lines_and_marks_of_costs(ax):
    lines = plots.BudgetLines(ax, most=3, highest=128)
    phi = np.array([0.0, 1.0, 3.0])
    times = np.array([[1, 1, 1], [2.5, 1.5, 2], [100, 4, 5]])
    lines.update(phi, times)
    lines.point_at(3, times[-1])
    macs, params, activations, *marks = lines.moving
    assert macs.get_xdata().tolist() == [1, 2, 8]
    assert [line.get_ydata().tolist() for line in (macs, params, activations)] == times.T.tolist()
    low, high = ax.get_ylim()
    assert all(low < mark.get_ydata()[0] < high for mark in marks)
    assert [mark.get_ydata()[0] for mark in marks] == [100, 4, 5]
    named = said(ax.get_legend().get_texts())
    assert named[1:] == ["multiply-adds", "parameters", "activations"]


def choices(means, doublings=1):
    return [
        Choice(i, direction, 2.0**doublings, np.full(3, m), np.array([m, m - 0.01, m]))
        for i, (direction, m) in enumerate(zip(DIRECTIONS, means, strict=True))
    ]


def surface(means, marked=None):
    ax = plt.figure(figsize=(3.3, 3.3), layout="constrained").add_subplot()
    span = np.nanmax(means) - np.nanmin(means)
    return plots.accuracy_surface(choices(means), ax, title="", marked=marked or {}, span=span)


def test_the_surface_has_every_network_and_marks_the_best_and_the_named():
    means = np.linspace(0.8, 0.87, len(DIRECTIONS))
    means[3] = np.nan
    named = {"found": DIRECTIONS[5], "between": Direction(0.3, 0.3, 0.4)}
    ax = surface(means, named)
    shown = ["–" if np.isnan(m) else f"{100 * m:.1f}" for m in means]
    assert said(ax.texts) == [*shown, "depth", "width", "resolution"]
    edges = [text.get_bbox_patch().get_linewidth() for text in ax.texts[:-3]]
    assert edges.index(max(edges)) == len(means) - 1
    fills = [text.get_bbox_patch().get_facecolor() for text in ax.texts[:-3]]
    yellow = plt.matplotlib.colors.to_rgba(plots.HIGHLIGHT)
    assert [i for i, fill in enumerate(fills) if fill == yellow] == [5]
    marks = {line.get_label(): line.get_marker() for line in ax.lines}
    assert marks == {"found": "o", "between": "D"}
    place = dict(zip(said(ax.texts), [text.get_position() for text in ax.texts], strict=True))
    for dimension, name in enumerate(("depth", "width", "resolution")):
        corner = ax.texts[[d.index(max(d)) if 1 in d else -1 for d in DIRECTIONS].index(dimension)]
        assert math.dist(corner.get_position(), place[name]) < 0.2
    assert_readable(ax)
    surface(np.full(len(DIRECTIONS), 0.85)).figure.draw_without_rendering()  # all alike


def test_paths_show_means_and_every_training():
    steps = [choices(np.full(len(DIRECTIONS), 0.8 + d / 100), d)[0] for d in range(4)]
    ax = plots.scaling_paths({"depth": steps}, title="?")
    scores = [step.test_scores for step in steps]
    line, *dots = ax.lines
    assert line.get_xdata().tolist() == [1, 2, 4, 8]
    assert line.get_ydata() == pytest.approx(0.8 + np.arange(4) / 100 - 0.01 / 3)
    found, every = (np.sort(np.ravel(y)) for y in ([d.get_ydata() for d in dots], scores))
    assert found == pytest.approx(every)
