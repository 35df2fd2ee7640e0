"""Chains: layers in a row, with arcs where one reads a layer further back."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import networkx
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path

from nas_lab.plots.colors import label
from nas_lab.plots.figures import box, canvas
from nas_lab.plots.paths import rounded
from nas_lab.spaces.base import Arch, Skeleton, Space
from nas_lab.spaces.chains import path_graph

_BOX = (0.8, 0.46)
_PITCH = 0.93
_PER_ROW = 10
_ARC = "#4A4A4A"


@dataclass(frozen=True)
class _Grid:
    """Where boxes stand: their centres, row after row, and the arcs in each row."""

    per_row: int
    rows: tuple[float, ...]

    def at(self, i: int) -> tuple[float, float]:
        return (i % self.per_row * _PITCH, self.rows[i // self.per_row])

    def row(self, i: int) -> int:
        return i // self.per_row


def chain(space: Space, arch: Arch, ax: Axes | None = None) -> Axes:
    """Draw an architecture of layers in a row, wrapped where there are more than ten.

    Arcs above the boxes lead from a layer to one that reads it further on; arcs below lead to the
    output.

    Args:
        space: ``spaces.conv_chain()``, ``mlp()``, ``rnn()`` or ``mobile()``.
        arch: the architecture.
        ax: where to draw; None makes a new figure.
    """
    return _draw_layers(space.graph(arch), ax)


def skeleton(around: Skeleton, ax: Axes | None = None) -> Axes:
    """Draw the fixed network around a cell of NAS-Bench-201; the searched cells stand out.

    A box says what it does and the channels and size of what it gives.

    Args:
        around: the skeleton.
        ax: where to draw; None makes a new figure.
    """
    channels, size = around.channels, -(-around.resolution // around.stem_stride)
    layers = [("stem", "conv", channels, size)]
    for stage in range(around.stages):
        if stage:
            channels, size = 2 * channels, -(-size // 2)
            layers.append(("reduce", "conv", channels, size))
        times = f" x{around.cells}" if around.cells > 1 else ""
        layers.append((f"cell{times}", "searched", channels, size))
    named = [(f"{name} {c}x{s}x{s}", operation) for name, operation, c, s in layers]
    named.append((f"dense {around.classes}", "linear"))
    image = f"image {around.in_channels}x{around.resolution}x{around.resolution}"
    return _draw_layers(path_graph("skeleton", named, start=image), ax)


def _draw_layers(graph: networkx.DiGraph, ax: Axes | None) -> Axes:
    place = {node: i for i, node in enumerate(graph)}
    edges = sorted((place[a], place[b]) for a, b in graph.edges)
    last = len(place) - 1
    grid, bottom, top = _grid(len(place), edges, last)
    right = (grid.per_row - 1) * _PITCH + _BOX[0] / 2 + 0.05
    ax, scale = canvas(ax, (-_BOX[0] / 2 - 0.05, bottom, right, top))
    for node, i in place.items():
        text = "\n".join(_lines(graph.nodes[node]["label"]))
        box(ax, grid.at(i), _BOX, text, graph.nodes[node]["operation"], scale)
    for edge in edges:
        _connect(ax, grid, edge, edges, last, scale)
    return ax


def _lines(text: str) -> list[str]:
    """The label of a box in lines that fit it."""
    lines = textwrap.wrap(label(text), width=9, break_long_words=False)
    return [line.rstrip(",") for line in lines]


def _grid(boxes: int, edges: Sequence[tuple[int, int]], last: int) -> tuple[_Grid, float, float]:
    """Rows with room for their arcs; also the lowest and the highest point of the drawing."""
    count = math.ceil(boxes / _PER_ROW)
    per_row = math.ceil(boxes / count)
    rows, y = [], 0.0
    for row in range(count):
        inside = [e for e in edges if e[0] // per_row == row == e[1] // per_row]
        above = max((_rise(b - a) for a, b in inside if _side(a, b, last) > 0), default=0.0)
        below = max((_rise(b - a) for a, b in inside if _side(a, b, last) < 0), default=0.0)
        y -= above + _BOX[1] / 2
        rows.append(y)
        y -= _BOX[1] / 2 + below + 0.05 + 0.4 * (row < count - 1)
    return _Grid(per_row, tuple(rows)), y, 0.05


def _side(a: int, b: int, last: int) -> int:
    """1 for an arc above the boxes, -1 below, 0 for neighbours."""
    if b - a == 1:
        return 0
    return -1 if b == last else 1


def _rise(span: int) -> float:
    return 0.14 + 0.16 * (span - 1) if span > 1 else 0.0


def _connect(
    ax: Axes,
    grid: _Grid,
    edge: tuple[int, int],
    edges: Sequence[tuple[int, int]],
    last: int,
    scale: float,
) -> None:
    a, b = edge
    side = _side(a, b, last)
    if grid.row(a) != grid.row(b):
        path = _between_rows(grid, a, b)
    elif side == 0:
        (x, y), (x_end, _) = grid.at(a), grid.at(b)
        path = Path([(x + _BOX[0] / 2, y), (x_end - _BOX[0] / 2, y)])
    else:
        path = _arc(grid, edge, edges, side, last)
    _draw(ax, path, scale)


def _between_rows(grid: _Grid, a: int, b: int) -> Path:
    """Down from one row to a later one: along the gap to the next box, in an S to any other."""
    (x, y), (x_end, y_end) = grid.at(a), grid.at(b)
    start, end = y - _BOX[1] / 2, y_end + _BOX[1] / 2
    if b - a == 1:
        gap = start - 0.15
        return rounded([(x, start), (x, gap), (x_end, gap), (x_end, end)], 0.12)
    x, x_end = x + 0.12, x_end + 0.12
    bend = (start - end) * 0.5
    control = [(x, start - bend), (x_end, end + bend)]
    return Path([(x, start), *control, (x_end, end)], [Path.MOVETO] + [Path.CURVE4] * 3)


def _arc(
    grid: _Grid, edge: tuple[int, int], edges: Sequence[tuple[int, int]], side: int, last: int
) -> Path:
    """An arc over the boxes between; longer ones are higher and start and end further inside."""
    a, b = edge
    (x, y), (x_end, _) = grid.at(a), grid.at(b)
    same = [e for e in edges if _side(*e, last) == side and grid.row(e[0]) == grid.row(e[1])]
    leaving = sorted(target for source, target in same if source == a)
    arriving = sorted((source for source, target in same if target == b), reverse=True)
    x += _port(leaving.index(b), len(leaving), right=True)
    x_end += _port(arriving.index(a), len(arriving), right=False)
    y += side * _BOX[1] / 2
    control = y + side * _rise(b - a) * 4 / 3
    inward = 0.25 * (x_end - x) * min(1.0, 2 / (b - a))
    points = [(x, y), (x + inward, control), (x_end - inward, control), (x_end, y)]
    return Path(points, [Path.MOVETO] + [Path.CURVE4] * 3)


def _port(place: int, count: int, right: bool) -> float:
    """Where on a box an arc is tied, from its middle: leaving at the right, arriving left."""
    step = min(0.09, 0.32 / max(count, 1))
    return (0.34 - step * place) if right else (-0.34 + step * place)


def _draw(ax: Axes, path: Path, scale: float) -> None:
    drawn: dict[str, Any] = {"color": _ARC, "linewidth": 1.1 * scale}
    ax.add_artist(
        FancyArrowPatch(
            path=path,
            arrowstyle="-|>,head_length=0.4,head_width=0.2",
            mutation_scale=10 * scale,
            zorder=2,
            **drawn,
        )
    )
