"""The cell of NAS-Bench-201: nodes are feature maps, edges are operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, PathPatch
from matplotlib.path import Path

from nas_lab.plots.colors import HIGHLIGHT, INK, color, label, style, text_on
from nas_lab.plots.figures import TEXT, box, canvas
from nas_lab.spaces.base import Arch, Space

_HALF_BOX, _RADIUS = (0.34, 0.18), 0.19
_X = (0.0, 1.78, 3.36, 5.14)
# How far the middle of an edge is above the row of nodes, in inches: no two edges cross.
_RISE = {(0, 1): 0.0, (1, 2): 0.0, (2, 3): 0.0, (0, 2): 0.52, (1, 3): -0.52, (0, 3): 1.02}
_BOX = (-0.42, -0.73, 5.56, 1.2)
_TITLE = 0.28


def cell(
    space: Space,
    arch: Arch,
    ax: Axes | None = None,
    highlight: int | None = None,
) -> Axes:
    """Draw a cell of NAS-Bench-201: its four nodes in a row, an arc for each edge.

    Args:
        space: ``spaces.nasbench201()``.
        arch: the architecture.
        ax: where to draw; None makes a new figure.
        highlight: the edge to point at, by its place in ``arch``.

    An edge whose operation is 'none' gives nothing; it is a faint dotted line.
    """
    graph = space.graph(arch)
    pointed = None if highlight is None else tuple(_RISE)[_order(highlight)]
    ax, scale = canvas(ax, _BOX)
    _draw(ax, graph, _RISE, scale, pointed)
    return ax


def cells(space: Space, archs: Sequence[Arch], titles: Sequence[str]) -> Figure:
    """Draw several cells of NAS-Bench-201, one below the other, each under its title.

    Args:
        space: ``spaces.nasbench201()``.
        archs: the architectures.
        titles: a title for each.

    Raises:
        ValueError: there is no cell, or not a title for each.
    """
    if not archs or len(archs) != len(titles):
        raise ValueError(f"{len(archs)} cells and {len(titles)} titles: give a title for each cell")
    graphs = [space.graph(arch) for arch in archs]
    boxes = [_low_box(graph) for graph in graphs]
    width, total = _BOX[2] - _BOX[0], sum(top - bottom + _TITLE for _, bottom, _, top in boxes)
    figure = plt.figure(figsize=(width, total), facecolor="white")
    y = total
    for graph, around, title in zip(graphs, boxes, titles, strict=True):
        height = around[3] - around[1]
        y -= height + _TITLE
        ax = figure.add_axes((0, y / total, 1, height / total))
        canvas(ax, around)
        _draw(ax, graph, _low_rise(graph))
        look: dict[str, Any] = {"fontsize": TEXT + 0.5, "color": INK, "fontweight": "bold"}
        ax.text(_BOX[0] + 0.07, around[3] + 0.05, title, **look)
    return figure


def _low_rise(graph: Any) -> dict[tuple[int, int], float]:
    """As ``_RISE``, as low as the names of the operations that are there allow."""
    inner, outer = (0, 2) in graph.edges, (0, 3) in graph.edges
    low = {(0, 2): 0.46 if inner else 0.32, (1, 3): -0.46 if (1, 3) in graph.edges else -0.38}
    return _RISE | low | {(0, 3): low[0, 2] + (0.38 if outer else 0.3 if inner else 0.24)}


def _low_box(graph: Any) -> tuple[float, float, float, float]:
    """What a cell with low arcs covers: half a name, or half a line, beyond its outer arcs."""
    rise = _low_rise(graph)
    up, down = (0.16 if edge in graph.edges else 0.04 for edge in ((0, 3), (1, 3)))
    return (_BOX[0], rise[1, 3] - down, _BOX[2], rise[0, 3] + up)


def _draw(
    ax: Axes,
    graph: Any,
    rises: Mapping[tuple[int, int], float],
    scale: float = 1.0,
    pointed: tuple[int, int] | None = None,
) -> None:
    for node, x in enumerate(_X):
        _node(ax, x, graph.nodes[node]["label"], scale)
    for edge, rise in rises.items():
        operation = graph.edges[edge]["operation"] if edge in graph.edges else "none"
        _edge(ax, edge, rise, operation, scale, edge == pointed)


def _order(place: int) -> int:
    """Place in ``_RISE`` of the edge that is at ``place`` in an architecture."""
    return list(_RISE).index([(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)][place])


def _node(ax: Axes, x: float, text: str, scale: float) -> None:
    if text in ("input", "output"):
        kind = "image" if text == "input" else "output"
        box(ax, (x, 0), (2 * _HALF_BOX[0], 2 * _HALF_BOX[1]), text, kind, scale)
        return
    look = {"facecolor": "white", "edgecolor": INK, "linewidth": 1.2 * scale, "zorder": 4}
    ax.add_artist(Circle((x, 0), _RADIUS, **look))
    ax.text(
        x, 0, text, ha="center", va="center_baseline", fontsize=TEXT * scale, color=INK, zorder=5
    )


def _edge(
    ax: Axes, edge: tuple[int, int], rise: float, operation: str, scale: float, pointed: bool
) -> None:
    path = _curve(edge, rise)
    if pointed:
        halo: dict[str, Any] = {"edgecolor": HIGHLIGHT, "linewidth": 11 * scale}
        ax.add_artist(PathPatch(path, fill=False, capstyle="round", zorder=1, **halo))
    ax.add_artist(_arrow(path, operation, scale))
    if operation != "none" or pointed:
        _pill(ax, (_middle(edge, rise), rise), operation, scale, pointed)


def _curve(edge: tuple[int, int], rise: float) -> Path:
    """A quadratic Bezier curve from the rim of one node to the rim of another."""
    start, end = (_X[node] for node in edge)
    points = np.array([(start, 0), ((start + end) / 2, 2 * rise), (end, 0)])
    t = np.linspace(0, 1, 201)[:, None]
    curve = (1 - t) ** 2 * points[0] + 2 * t * (1 - t) * points[1] + t**2 * points[2]
    free = ~_inside(curve, edge[0], 0.0) & ~_inside(curve, edge[1], 0.025)
    first, last = t[free][[0, -1], 0]
    return Path(_part(points, first, last), [Path.MOVETO, Path.CURVE3, Path.CURVE3])


def _inside(points: np.ndarray, node: int, margin: float) -> np.ndarray:
    """Which points are covered by a node: a box for input and output, else a circle."""
    x, y = (points - (_X[node], 0)).T
    if node in (0, 3):
        return (abs(x) < _HALF_BOX[0] + margin) & (abs(y) < _HALF_BOX[1] + margin)
    return np.hypot(x, y) < _RADIUS + margin


def _part(points: np.ndarray, first: float, last: float) -> np.ndarray:
    """Control points of the part of a quadratic Bezier curve between two parameters."""

    def blossom(s: float, t: float) -> np.ndarray:
        a, b = (1 - s) * points[:-1] + s * points[1:]
        return (1 - t) * a + t * b

    return np.array([blossom(first, first), blossom(first, last), blossom(last, last)])


def _middle(edge: tuple[int, int], rise: float) -> float:
    """Where the name of an operation stands; on a straight edge, clear of boxes and arrowhead."""
    start, end = (_X[node] for node in edge)
    wider = {(0, 1): 0.075, (2, 3): -0.075}.get(edge, 0.0)
    return (start + end) / 2 + wider - (0.05 if rise == 0 else 0)


def _arrow(path: Path, operation: str, scale: float) -> FancyArrowPatch:
    drawn = style(operation)
    drawn["linewidth"] *= scale
    head = "-" if operation == "none" else "-|>,head_length=0.5,head_width=0.28"
    return FancyArrowPatch(
        path=path,
        arrowstyle=head,
        mutation_scale=13 * scale,
        color=color(operation),
        joinstyle="miter",
        zorder=2,
        **drawn,
    )


def _pill(
    ax: Axes, at: tuple[float, float], operation: str, scale: float, pointed: bool = False
) -> None:
    """The name of an operation on its colour, in the middle of its edge."""
    fill = color(operation)
    ax.text(
        *at,
        label(operation),
        ha="center",
        va="center_baseline",
        fontsize=0.95 * TEXT * scale,
        color=text_on(fill),
        zorder=6,
        bbox={
            "boxstyle": "round,pad=0.28,rounding_size=0.5",
            "facecolor": fill,
            "edgecolor": INK if pointed else "white",
            "linewidth": (2.4 if pointed else 1.2) * scale,
        },
    )
