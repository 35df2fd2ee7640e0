"""The cell of NAS-Bench-201: nodes are feature maps, edges are operations."""

from __future__ import annotations

from collections.abc import Sequence
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
    for node, x in enumerate(_X):
        _node(ax, x, graph.nodes[node]["label"], scale)
    for edge in _RISE:
        operation = graph.edges[edge]["operation"] if edge in graph.edges else "none"
        _edge(ax, edge, operation, scale, edge == pointed)
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
    width, height = _BOX[2] - _BOX[0], _BOX[3] - _BOX[1]
    each = height + _TITLE
    figure = plt.figure(figsize=(width, len(archs) * each), facecolor="white")
    for i, (arch, title) in enumerate(zip(archs, titles, strict=True)):
        bottom = (len(archs) - 1 - i) / len(archs)
        ax = figure.add_axes((0, bottom, 1, height / each / len(archs)))
        cell(space, arch, ax)
        ax.text(_BOX[0], _BOX[3] + 0.05, title, fontsize=TEXT + 0.5, color=INK, fontweight="bold")
    return figure


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


def _edge(ax: Axes, edge: tuple[int, int], operation: str, scale: float, pointed: bool) -> None:
    path = _curve(edge)
    if pointed:
        halo: dict[str, Any] = {"edgecolor": HIGHLIGHT, "linewidth": 11 * scale}
        ax.add_artist(PathPatch(path, fill=False, capstyle="round", zorder=1, **halo))
    ax.add_artist(_arrow(path, operation, scale))
    if operation != "none" or pointed:
        _pill(ax, (_middle(edge), _RISE[edge]), operation, scale, pointed)


def _curve(edge: tuple[int, int]) -> Path:
    """A quadratic Bezier curve from the rim of one node to the rim of another."""
    (start, end), rise = (_X[node] for node in edge), _RISE[edge]
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


def _middle(edge: tuple[int, int]) -> float:
    """Where the name of an operation stands; on a straight edge, clear of boxes and arrowhead."""
    start, end = (_X[node] for node in edge)
    wider = {(0, 1): 0.075, (2, 3): -0.075}.get(edge, 0.0)
    return (start + end) / 2 + wider - (0.05 if _RISE[edge] == 0 else 0)


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
