"""A cell between choices: every edge a ribbon of its operations, each as wide as its weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, FancyArrowPatch, Patch

from nas_lab.plots.colors import COLORS, INK, MUTED, color, label, text_on
from nas_lab.plots.figures import TEXT, box, canvas
from nas_lab.spaces.base import Arch, Space
from nas_lab.spaces.cells import CELLS_DARTS, EDGES_201, EDGES_DARTS, Darts, NasBench201

_POINTS = 32
_HALF_BOX, _RADIUS = (0.36, 0.19), 0.19
_PALE = 0.72
"""How much of its colour an edge loses that the derived architecture leaves out."""


@dataclass(frozen=True)
class Layout:
    """Where nodes and edges of a cell are, in inches.

    Attributes:
        labels: of the nodes, from left to right; those in ``ends`` are boxes, others circles.
        x: places of the nodes on a line.
        ends: nodes that are boxes.
        rises: how far the middle of an edge is above the line, in the order of the decisions.
        ribbon: width of an edge whose weights add up to one.
        named: whether there is room for the name of the strongest operation on every edge.
        box: what the drawing covers (left, bottom, right, top).
    """

    labels: tuple[str, ...]
    x: tuple[float, ...]
    ends: tuple[int, ...]
    rises: Mapping[tuple[int, int], float]
    ribbon: float
    named: bool
    box: tuple[float, float, float, float]


_LAYOUT_201 = Layout(
    labels=("input", "1", "2", "output"),
    x=(0.0, 1.86, 3.52, 5.38),
    ends=(0, 3),
    rises=dict(zip(EDGES_201, (0.0, 0.62, 0.0, 1.2, -0.62, 0.0), strict=True)),
    ribbon=0.24,
    named=True,
    box=(-0.44, -0.9, 5.82, 1.42),
)
_LAYOUT_DARTS = Layout(
    labels=("k−2", "k−1", "0", "1", "2", "3"),
    x=(0.0, 1.1, 2.2, 3.3, 4.4, 5.5),
    ends=(0, 1),
    rises={
        (a, b): (0.0 if b == a + 1 else (0.3 if a == 0 else -0.3) * (b - a - 0.35))
        for a, b in EDGES_DARTS
    },
    ribbon=0.17,
    named=False,
    box=(-0.44, -1.22, 5.76, 1.5),
)


class MixedCell:
    """A cell with weights ``w`` on axes that are kept while they change.

    Each edge is a ribbon with a stripe for each operation, in its colour and as wide as its
    weight. 'none' gives nothing, so it has no stripe: the edge gets thinner. Where there is room,
    a label names the strongest option of the edge. Edges that the derived architecture leaves out
    are pale.

    Args:
        ax: where to draw.
        space: ``spaces.nasbench201()`` or ``spaces.darts()``.
        cell: ``"normal"`` or ``"reduce"`` for ``spaces.darts()``.

    Raises:
        TypeError: a space without cells.
        ValueError: no cell of that name.
    """

    def __init__(self, ax: Axes, space: Space, cell: str = "normal") -> None:
        self.layout, self._rows = _layout(space, cell)
        decision = space.decisions[0]
        self.operations = tuple(str(option) for option in decision.options)
        self._shape = space.mask.shape
        ax, scale = canvas(ax, self.layout.box)
        self._scale = scale
        curves = [_curve(self.layout, edge) for edge in self.layout.rises]
        self._curves = np.array(curves)  # [E, P, 2]
        self._normals = np.array([_normals(curve) for curve in curves])
        self._full = np.array([to_rgb(color(op)) for op in self.operations])
        self._ribbons = PolyCollection([], zorder=2, linewidths=0)
        ax.add_collection(self._ribbons)
        self._above = [*self._heads(ax), *self._nodes(ax)]
        self._names = [self._name(ax, edge) for edge in range(len(curves))]

    @property
    def moving(self) -> list[Artist]:
        """The artists that ``update`` changes, and those in front of them."""
        return [self._ribbons, *self._above, *(self._names if self.layout.named else ())]

    def update(self, w: np.ndarray, arch: Arch | None = None) -> None:
        """Show weights [D, K]; edges with 'none' in ``arch`` are pale, None leaves none out.

        Raises:
            ValueError: ``w`` has another shape.
        """
        weights = np.clip(np.asarray(w, dtype=float), 0, None)
        if weights.shape != self._shape:
            raise ValueError(f"w has shape {weights.shape}; the space's is {self._shape}")
        shown = weights[self._rows]
        kept = np.ones(len(shown), bool) if arch is None else np.array(arch)[self._rows] != 0
        self._ribbons.set_verts(list(self._stripes(shown)))
        self._ribbons.set(facecolor=self._tints(kept))
        for name, row, keep in zip(self._names, shown, kept, strict=True):
            best = int(row.argmax())
            fill = self._full[best] if keep or arch is None else _paler(self._full[best])
            name.set_visible(self.layout.named and row.max() > row.min())
            name.set_text(f"{label(self.operations[best])} {row[best]:.2f}")
            name.set_color(text_on(fill))
            name.get_bbox_patch().set_facecolor(fill)

    def _stripes(self, w: np.ndarray) -> np.ndarray:
        """Corners of the stripes [E * K, 2P, 2]: side by side, in the middle of their edge."""
        widths = w * self.layout.ribbon
        widths[:, [op == "none" for op in self.operations]] = 0
        upper = np.cumsum(widths, axis=1) - widths.sum(axis=1, keepdims=True) / 2
        sides = [
            self._curves[:, None] + offset[:, :, None, None] * self._normals[:, None]
            for offset in (upper - widths, upper)
        ]
        outline = np.concatenate([sides[0], sides[1][:, :, ::-1]], axis=2)
        return outline.reshape(-1, 2 * _POINTS, 2)

    def _tints(self, kept: np.ndarray) -> np.ndarray:
        tints = np.broadcast_to(self._full, (len(kept), *self._full.shape)).copy()
        tints[~kept] = _paler(tints[~kept])
        return tints.reshape(-1, 3)

    def _heads(self, ax: Axes) -> list[Artist]:
        """Dotted lines, and the arrowheads at their ends."""
        look: dict[str, Any] = {"linestyle": ":", "linewidth": 1.3 * self._scale, "zorder": 1}
        for curve in self._curves:
            ax.plot(*curve.T, color=COLORS["none"], **look)
        return [_head(ax, curve, self._scale) for curve in self._curves]

    def _nodes(self, ax: Axes) -> list[Artist]:
        layout, scale = self.layout, self._scale
        artists: list[Artist] = []
        for node, (x, text) in enumerate(zip(layout.x, layout.labels, strict=True)):
            if node in layout.ends:
                size = (2 * _HALF_BOX[0], 2 * _HALF_BOX[1])
                kind = "output" if text == "output" else "image"
                artists += [box(ax, (x, 0), size, text, kind, scale), ax.texts[-1]]
                continue
            look = {"facecolor": "white", "edgecolor": INK, "linewidth": 1.2 * scale}
            artists.append(ax.add_artist(Circle((x, 0), _RADIUS, zorder=4, **look)))
            at: dict[str, Any] = {"ha": "center", "va": "center_baseline", "zorder": 5}
            artists.append(ax.text(x, 0, text, fontsize=TEXT * scale, color=INK, **at))
        return artists

    def _name(self, ax: Axes, edge: int) -> Any:
        look = {"boxstyle": "round,pad=0.25,rounding_size=0.5", "edgecolor": "white"}
        x, y = self._curves[edge, _POINTS // 2 - 1].tolist()
        return ax.text(
            x,
            y,
            "",
            ha="center",
            va="center_baseline",
            fontsize=0.9 * TEXT * self._scale,
            zorder=6,
            bbox=look,
        )


def mixed_cell(
    space: Space,
    w: np.ndarray,
    ax: Axes | None = None,
    *,
    arch: Arch | None = None,
    cell: str = "normal",
    title: str = "",
) -> Axes:
    """Draw a cell whose edges are mixtures, each operation as wide as its weight.

    Args:
        space: ``spaces.nasbench201()`` or ``spaces.darts()``.
        w: weights [D, K], such as softmax(alpha).
        ax: where to draw; None makes a new figure.
        arch: what is derived from w; edges that it leaves out are pale.
        cell: ``"normal"`` or ``"reduce"`` for ``spaces.darts()``.
        title: what the picture asks or finds.

    Raises:
        TypeError: a space without cells.
        ValueError: no cell of that name, or w has another shape.
    """
    if ax is None:
        ax, _ = canvas(None, _layout(space, cell)[0].box)
    mixed = MixedCell(ax, space, cell)
    mixed.update(w, arch)
    ax.set_title(title, fontsize=TEXT + 1, color=INK, loc="left")
    operation_key(ax, space)
    return ax


def operation_key(ax: Axes, space: Space) -> None:
    """A legend below the axes: the colour of each operation that gives something."""
    names = [str(op) for op in space.decisions[0].options if op != "none"]
    ax.legend(
        handles=[Patch(facecolor=color(name), label=label(name)) for name in names],
        loc="upper center",
        bbox_to_anchor=(0.5, 0.02),
        ncols=len(names),
        fontsize=TEXT - 1,
        labelcolor=INK,
        frameon=False,
        handlelength=1.2,
        columnspacing=1.0,
        handletextpad=0.5,
    )


def _layout(space: Space, cell: str) -> tuple[Layout, slice]:
    """The layout, and which rows of w are drawn."""
    if isinstance(space, NasBench201):
        return _LAYOUT_201, slice(None)
    if not isinstance(space, Darts):
        raise TypeError(f"{space.name} has no cell to draw as a mixture")
    if cell not in CELLS_DARTS:
        raise ValueError(f"cell={cell!r}: there are {', '.join(CELLS_DARTS)}")
    half, first = len(EDGES_DARTS), CELLS_DARTS.index(cell)
    return _LAYOUT_DARTS, slice(first * half, (first + 1) * half)


def _curve(layout: Layout, edge: tuple[int, int]) -> np.ndarray:
    """Points [P, 2] of a quadratic Bezier curve, evenly apart, from rim to rim."""
    start, end = (layout.x[node] for node in edge)
    corner = (start + end) / 2, 2 * layout.rises[edge]
    t = np.linspace(0, 1, 401)[:, None]
    curve = (1 - t) ** 2 * (start, 0) + 2 * t * (1 - t) * corner + t**2 * (end, 0)
    inside = partial(_inside, layout, curve)
    curve = curve[~inside(edge[0], 0.0) & ~inside(edge[1], 0.06)]
    length = np.r_[0, np.cumsum(np.hypot(*np.diff(curve, axis=0).T))]
    even = np.linspace(0, length[-1], _POINTS)
    return np.stack([np.interp(even, length, axis) for axis in curve.T], axis=1)


def _inside(layout: Layout, points: np.ndarray, node: int, margin: float) -> np.ndarray:
    """Which points are covered by a node, with a margin around it."""
    x, y = (points - (layout.x[node], 0)).T
    if node in layout.ends:
        return (abs(x) < _HALF_BOX[0] + margin) & (abs(y) < _HALF_BOX[1] + margin)
    return np.hypot(x, y) < _RADIUS + margin


def _normals(curve: np.ndarray) -> np.ndarray:
    """Unit vectors [P, 2] at right angles to a curve, to its left."""
    dx, dy = np.gradient(curve, axis=0).T
    return np.stack([-dy, dx], axis=1) / np.hypot(dx, dy)[:, None]


def _head(ax: Axes, curve: np.ndarray, scale: float) -> Artist:
    """An arrowhead at the end of a curve."""
    along = (curve[-1] - curve[-3]) / np.hypot(*(curve[-1] - curve[-3]))
    head = FancyArrowPatch(
        tuple(curve[-1] - 0.05 * along),
        tuple(curve[-1] + 0.06 * along),
        arrowstyle="-|>,head_length=0.42,head_width=0.24",
        mutation_scale=13 * scale,
        color=MUTED,
        linewidth=0,
        shrinkA=0,
        shrinkB=0,
        zorder=3,
    )
    return ax.add_artist(head)


def _paler(tint: Sequence[float] | np.ndarray) -> np.ndarray:
    return 1 - (1 - _PALE) * (1 - np.asarray(tint))
