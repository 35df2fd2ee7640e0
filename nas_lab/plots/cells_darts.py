"""The cells of DARTS: wired like a circuit, so that no wire runs through a word."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch

from nas_lab.plots.colors import COLORS, INK, MUTED, STYLES, label
from nas_lab.plots.figures import TEXT, box, canvas
from nas_lab.plots.paths import rounded, towards
from nas_lab.spaces.base import Arch, Space

_INPUT_RIGHT = 0.84  # right side of the two boxes that a cell reads
_FIRST = 1.6  # left side of the first node's operations
_PITCH = 1.6  # from one node to the next
_PILL = (0.78, 0.27)
_STATE = 0.15  # radius of a node
_LEVEL = 0.24  # operations are so far above and below the row of nodes
_LANE = 0.085  # between parallel wires
_TITLES = {"normal": "normal cell", "reduce": "reduction cell"}


@dataclass(frozen=True)
class _Wire:
    """One edge of a DARTS cell: from a state, into the upper or the lower place at a node."""

    source: int
    node: int
    operation: str
    side: int  # 1 is above the row of nodes, -1 below

    @property
    def direct(self) -> bool:
        """Whether nothing stands between its two ends."""
        return self.node == 2 or self.source == self.node - 1


def darts(space: Space, arch: Arch, ax: Axes | None = None, cell: str | None = None) -> Axes:
    """Draw the cells of DARTS, the normal one above the reduction cell.

    Each node sums the two operations at its left; a wire leads from what an operation reads. The
    four nodes, one after the other, are the cell's output.

    Args:
        space: ``spaces.darts()``.
        arch: the architecture.
        ax: where to draw; None makes a new figure.
        cell: ``"normal"`` or ``"reduce"`` draws only that one.
    """
    graph = space.graph(arch)
    cells = [cell] if cell else list(dict.fromkeys(graph.nodes[n]["cell"] for n in graph))
    wires = {name: _wires(graph, name) for name in cells}
    heights = {name: [_height(wires[name], side) for side in (1, -1)] for name in cells}
    right = _FIRST + 4 * _PITCH + 0.72
    total = sum(up + down + 0.32 for up, down in heights.values())
    ax, scale = canvas(ax, (-0.05, -total, right, 0))
    top = 0.0
    for name in cells:
        up, down = heights[name]
        ax.text(0, top - 0.16, _TITLES[name], fontsize=TEXT * scale, color=INK, weight="bold")
        _draw_cell(ax, wires[name], top - 0.32 - up, down, scale)
        top -= up + down + 0.32
    return ax


def _wires(graph: Any, name: str) -> list[_Wire]:
    wires = []
    for node in range(2, 6):
        edges = sorted(s for _, s in graph.predecessors((name, node)))
        lower_first = edges[0] == 1  # the second input is below the first
        for source, side in zip(edges, (-1, 1) if lower_first else (1, -1), strict=True):
            operation = graph.edges[(name, source), (name, node)]["operation"]
            wires.append(_Wire(source, node, operation, side))
    first = [w for w in wires if w.node == 2]
    straight = [_Wire(w.source, 2, w.operation, 1 - 2 * w.source) for w in first]
    return straight + [w for w in wires if w.node > 2]


def _tracks(wires: Iterable[_Wire], side: int) -> dict[_Wire, int]:
    """A track for each wire that passes over nodes; short ones are nearer to the nodes."""
    passing = [w for w in wires if w.side == side and not w.direct]
    tracks: dict[_Wire, int] = {}
    for wire in sorted(passing, key=lambda w: (w.node - w.source, w.node)):
        taken = {t for other, t in tracks.items() if _overlap(wire, other)}
        tracks[wire] = next(t for t in itertools.count() if t not in taken)
    return tracks


def _overlap(a: _Wire, b: _Wire) -> bool:
    start, end = max(a.source, b.source, 1), min(a.node, b.node)
    return start <= end


def _height(wires: Sequence[_Wire], side: int) -> float:
    """Inches that a cell needs above or below its row of nodes."""
    tracks = len(set(_tracks(wires, side).values()))
    output = 0.16 if side < 0 else 0.0
    return max(0.72, _track_level(tracks) + output)


def _track_level(track: int) -> float:
    return 0.52 + 0.13 * track


def _draw_cell(ax: Axes, wires: Sequence[_Wire], y: float, down: float, scale: float) -> None:
    for state, text in enumerate(("cell k−2", "cell k−1")):
        at = (_INPUT_RIGHT / 2, y + 0.42 * (1 - 2 * state))
        box(ax, at, (_INPUT_RIGHT, 0.34), text, "image", scale)
    for node in range(2, 6):
        _draw_node(ax, node, y, scale)
    _draw_output(ax, y, down - 0.12, scale)
    for side in (1, -1):
        tracks = _tracks(wires, side)
        lanes = _lanes(wires)
        for wire in (w for w in wires if w.side == side):
            _draw_wire(ax, wire, tracks.get(wire), lanes[wire], y, scale)


def _lanes(wires: Sequence[_Wire]) -> dict[_Wire, int]:
    """Wires that leave the same place, numbered, so that they run beside each other."""
    seen: dict[Any, int] = {}
    lanes = {}
    for wire in sorted(wires, key=lambda w: (w.direct, -w.node)):
        place = "inputs" if wire.source < 2 else (wire.source, wire.side)
        lanes[wire] = 0 if wire.direct else seen.get(place, 0)
        seen[place] = lanes[wire] + 1
    return lanes


def _left(node: int) -> float:
    return _FIRST + _PITCH * (node - 2)


def _center(node: int) -> float:
    return _left(node) + 1.08


def _draw_node(ax: Axes, node: int, y: float, scale: float) -> None:
    circle = Circle(
        (_center(node), y),
        _STATE,
        facecolor="white",
        edgecolor=INK,
        linewidth=1.2 * scale,
        zorder=4,
    )
    ax.add_artist(circle)
    ax.text(
        _center(node),
        y,
        str(node - 2),
        ha="center",
        va="center_baseline",
        fontsize=0.95 * TEXT * scale,
        color=INK,
        zorder=5,
    )


def _draw_output(ax: Axes, y: float, bus: float, scale: float) -> None:
    x = _left(6)
    box(ax, (x + 0.33, y), (0.66, 0.36), "output", "output", scale)
    for node in range(2, 5):
        points = [(_center(node), y - _STATE), (_center(node), y - bus), (x + 0.33, y - bus)]
        _line(ax, points, "concat", scale, arrow=False)
    _line(ax, [(x + 0.2, y - bus), (x + 0.33, y - bus), (x + 0.33, y - 0.18)], "concat", scale)
    _line(ax, [(_center(5) + _STATE, y), (x, y)], "concat", scale)


def _draw_wire(ax: Axes, wire: _Wire, track: int | None, lane: int, y: float, scale: float) -> None:
    side, target = wire.side, y + wire.side * _LEVEL
    left, shift = _left(wire.node), _LANE * (lane + 1)
    if wire.source < 2:
        offset = 0.0 if wire.direct else side * (0.125 - 0.04 * (5 - wire.node))
        start = (_INPUT_RIGHT, y + 0.42 * (1 - 2 * wire.source) + offset)
        turn = _INPUT_RIGHT + shift
    else:
        start = (_center(wire.source) + shift, y + side * 0.1)
        turn = start[0]
    if track is None:
        start = start if wire.source < 2 else (_center(wire.source) + _STATE, y)
        middle = left - 0.2
        points = [start, (middle, start[1]), (middle, target), (left, target)]
    else:
        level = y + side * _track_level(track)
        points = [(turn, level), (left - 0.16, level), (left - 0.16, target), (left, target)]
        points = [start, *([(turn, start[1])] if wire.source < 2 else []), *points]
    _line(ax, points, wire.operation, scale)
    middle_of_pill = (left + _PILL[0] / 2, target)
    fill = COLORS[wire.operation]
    box(ax, middle_of_pill, _PILL, label(wire.operation), wire.operation, scale, edgecolor=fill)
    start = (left + _PILL[0], target)
    rim = towards((_center(wire.node), y), start, _STATE)
    _line(ax, [start, rim], wire.operation, scale, arrow=False)


def _line(
    ax: Axes, points: Sequence[tuple[float, float]], kind: str, scale: float, arrow: bool = True
) -> None:
    """A line through points, with round corners, in the style of an operation."""
    drawn = dict(STYLES.get(kind, {"linestyle": "-", "linewidth": 1.2}))
    drawn["linewidth"] *= 0.8 * scale
    ax.add_artist(
        FancyArrowPatch(
            path=rounded(points, 0.07),
            arrowstyle="-|>,head_length=0.45,head_width=0.25" if arrow else "-",
            mutation_scale=11 * scale,
            color=COLORS.get(kind, MUTED),
            joinstyle="miter",
            zorder=2,
            **drawn,
        )
    )
