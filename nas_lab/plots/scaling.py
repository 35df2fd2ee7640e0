"""Scaled networks: drawn to scale as stages of boxes, what they cost, and how accurate they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgb

from nas_lab.plots import theme
from nas_lab.plots.theme import INK, TEXT, canvas, chart, fixed_ticks, legend, line_look, write
from nas_lab.scaling import Row

if TYPE_CHECKING:
    from nas_lab.estimation.scaling_grid import Choice, Direction

_OPERATORS = {"conv": "conv", "mbconv": "mobilenet"}
_SLANT = np.array((0.8, 0.6))  # where the third dimension points on the page
_GAP = 0.07  # inches between two stages
_LIGHTER, _DARKER = 0.55, 0.72
_BESIDE, _HIGHEST = 1.75, 5.0  # inches for the names beside networks, and for all networks together


def _sides(table: Sequence[Row], scale: Any = 1) -> np.ndarray:
    """Layers, pixels and channels of each stage, [3, S], by the scale in inches."""
    sizes = [(row.stage.layers, row.out_resolution, row.stage.channels) for row in table]
    return (np.array(sizes) * scale).T


def box_scale(table: Sequence[Row], length: float, height: float) -> np.ndarray:
    """Inches for a layer, a pixel and a channel, so that a network is about so long and high."""
    layers, pixels, channels = _sides(table)
    free = length - _GAP * (len(table) - 1)
    shares = (0.7 * free, 0.75 * height, 0.3 * free / _SLANT[0])
    return np.array(shares) / (layers.sum(), pixels.max(), channels.max())


def size_of(table: Sequence[Row], scale: np.ndarray) -> tuple[float, float]:
    """Inches that a network needs, from left to right and from bottom to top."""
    lengths, heights, depths = _sides(table, scale)
    right = lengths.cumsum() + _GAP * np.arange(len(table)) + _SLANT[0] * depths
    return float(right.max()), float((heights + _SLANT[1] * depths).max())


class StageBoxes:
    """A network as boxes on a line, on an axes in inches that is kept while the network changes.
    A box is a stage: as long as it has layers, as high as its images have pixels, and as far into
    the page as it has channels. A white line parts one layer from the next. The first box has its
    lower left corner at ``corner``, and ``name`` stands above it."""

    def __init__(self, ax: Axes, corner: tuple[float, float], name: str = "") -> None:
        self._corner = np.array(corner)
        self._name = ax.text(*corner, name, fontsize=TEXT, color=INK, va="bottom")
        self._faces = PolyCollection([], edgecolors=INK, linewidths=0.5, zorder=3)
        self._cuts = LineCollection([], colors="white", linewidths=0.6, zorder=4)
        ax.add_collection(self._faces, autolim=False)
        ax.add_collection(self._cuts, autolim=False)
        self.moving = [self._faces, self._cuts, self._name]

    def update(self, table: Sequence[Row], scale: np.ndarray) -> None:
        """Show the network of a stage table; ``scale`` as of ``box_scale``."""
        faces: list[np.ndarray] = []
        colors: list[Any] = []
        cuts: list[np.ndarray] = []
        at = self._corner
        for row, (x, y, z) in zip(table, _sides(table, scale).T, strict=True):
            length, height, slant = np.array((x, 0.0)), np.array((0.0, y)), z * _SLANT
            side, top = _face(at + length, slant, height), _face(at + height, length, slant)
            faces += [side, top, _face(at, length, height)]
            hue = np.array(to_rgb(theme.COLORS[_OPERATORS[row.stage.operator]]))
            colors += [tuple(hue * _DARKER), tuple(1 - _LIGHTER * (1 - hue)), tuple(hue)]
            starts = at + np.outer(np.arange(1, row.stage.layers), (scale[0], 0.0))
            cuts += [np.array((p, p + height, p + height + slant)) for p in starts]
            at = at + length + (_GAP, 0.0)
        self._faces.set(verts=faces, facecolor=colors)
        self._cuts.set_segments(cuts)
        self._name.set_y(max(corner[1] for corner in faces[1]) + 0.06)


def _face(corner: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.array((corner, corner + one, corner + one + other, corner + other))


def networks(tables: Mapping[str, Sequence[Row]]) -> Axes:
    """Draw networks to one scale, by their stage tables: keys are written beside them."""
    scale = box_scale(next(iter(tables.values())), 2.2, 0.6)
    sizes = np.array([size_of(table, scale) for table in tables.values()])
    gaps = np.array([_GAP * (len(table) - 1) for table in tables.values()])
    width = theme.WIDEST - 0.25
    by_width = (width - _BESIDE - gaps) / (sizes[:, 0] - gaps)  # gaps stay as they are
    factor = min(float(by_width.min()), _HIGHEST / float(sizes[:, 1].sum()))
    tops = np.maximum(0.6, factor * sizes[:, 1] + 0.18)
    y = height = float(tops.sum())
    ax, _ = canvas(None, (0.0, 0.0, width + 0.05, height + 0.3))
    for (name, table), top in zip(tables.items(), tops.tolist(), strict=True):
        y -= top
        first, *others = name.split("\n")
        ax.text(0.0, y + 0.47, first, fontweight="bold", fontsize=TEXT, va="top", color=INK)
        ax.text(0.0, y + 0.27, "\n".join(others), fontsize=TEXT - 1, va="top", color=INK)
        StageBoxes(ax, (_BESIDE, y + 0.05)).update(table, factor * scale)
    box_key(ax, (0.0, height + 0.12))
    return ax


def box_key(ax: Axes, corner: tuple[float, float]) -> None:
    """What the three sides of a box mean, and its colours."""
    said = "a stage:  length = layers, height = pixels, slant = channels "
    look: dict[str, Any] = {"fontsize": TEXT - 1, "va": "center"}
    text = ax.text(*corner, said, color=theme.MUTED, **look)
    for operator, name in _OPERATORS.items():
        square, hue = f" ■ {operator}", theme.COLORS[name]
        text = ax.annotate(square, (1, 0.5), xycoords=text, color=hue, **look)


_COSTS: dict[str, tuple[str, dict[str, Any]]] = {  # mark and line
    "multiply-adds": ("o", {"color": theme.BLUE, "ls": "-", "lw": 2.4}),
    "parameters": ("s", {"color": theme.ORANGE, "ls": (0, (5, 2)), "lw": 2.2}),
    "activations": ("D", {"color": theme.GREEN, "ls": (0, (6, 1.5, 1, 1.5)), "lw": 2.2}),
}
_POWERS = tuple(2**n for n in range(10))


class BudgetLines:
    """Multiply-adds, parameters and activations over the base network's, against 2^phi.
    The axes are logarithmic, up to a phi of ``most`` and to ``highest`` times the base network's
    cost. A grey line is 2^phi itself."""

    def __init__(self, ax: Axes, most: float, highest: float) -> None:
        ax.set_xscale("log", base=2)
        ax.set_yscale("log", base=2)
        for axis, end in ((ax.xaxis, 2.0**most), (ax.yaxis, highest)):
            fixed_ticks(axis, [p for p in _POWERS if p <= end], "{:g}×".format)
        ax.set(xlim=(0.85, 1.18 * 2.0**most), ylim=(0.75, highest))
        ax.plot([1, 2.0**most], [1, 2.0**most], color=theme.MUTED, lw=1.2, label="$2^φ$")
        self._lines = [ax.plot([], [], label=n, **look)[0] for n, (_, look) in _COSTS.items()]
        self._marks = [
            ax.plot([], [], mark, ms=9, color=look["color"], mec="white", mew=1.2)[0]
            for mark, look in _COSTS.values()
        ]
        legend(ax, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
        self.moving = [*self._lines, *self._marks]

    def update(self, phi: np.ndarray, times: np.ndarray) -> None:
        """Show costs over the base network's, [P, 3], at P values of phi."""
        for line, column in zip(self._lines, times.T, strict=True):
            line.set_data(2.0**phi, column)

    def point_at(self, phi: float, times: Sequence[float]) -> None:
        """Put the marks to one network: its phi, and its three costs over the base network's."""
        for mark, cost in zip(self._marks, times, strict=True):
            mark.set_data([2.0**phi], [cost])


_CORNERS = np.array(((0.0, 0.0), (1.0, 0.0), (0.5, 0.75**0.5)))
"""Where in a triangle all is spent on depth, on width, on resolution."""
_LINES = ("depth", "width", "resolution")


def accuracy_surface(
    found: Sequence[Choice], ax: Axes, *, title: str, marked: Mapping[str, Direction], span: float
) -> Axes:
    """Draw the accuracy of networks of one budget over a triangle of directions.
    A corner scales one dimension, a side two of them, and the inside all three. Each disc is a
    trained network with its mean validation accuracy in percent; the best has a thick edge.
    ``marked`` directions have a yellow disc, or a diamond if no network was trained there. From the
    darkest colour, of the best network, to the lightest it is a ``span`` of accuracy."""
    places = np.array([choice.direction for choice in found]) @ _CORNERS
    means = np.array([choice.mean for choice in found])
    best = float(np.nanmax(means))
    low = best - max(span, 1e-4)
    sound = ~np.isnan(means)
    levels = np.linspace(low, best, 13).tolist()
    x, y = places[sound].T
    ax.tricontourf(x, y, means[sound].clip(low, best), levels, cmap="Blues")
    for choice, (x, y) in zip(found, places, strict=True):
        edge, width = (INK, 2.6) if choice.mean == best else (theme.MUTED, 0.8)
        fill = theme.HIGHLIGHT if choice.direction in marked.values() else "white"
        disc = {"boxstyle": "circle,pad=0.18", "fc": fill, "ec": edge, "lw": width}
        text = "–" if math.isnan(choice.mean) else f"{100 * choice.mean:.1f}"
        write(ax, x, y, text, fontsize=TEXT - 1.5, va="center", bbox=disc, zorder=3)
    for name, direction in marked.items():
        trained = direction in {choice.direction for choice in found}
        look: dict[str, Any] = {"color": theme.HIGHLIGHT, "mec": INK, "ms": 9, "label": name}
        mark, order = ("o", 2.5) if trained else ("D", 4)
        ax.plot(*direction @ _CORNERS, mark, zorder=order, **look)
    for (x, y), name, up in zip(_CORNERS, _LINES, (-0.14, -0.14, 0.11), strict=True):
        write(ax, x, y + up, name, va="center")
    ax.set_title(title, fontsize=TEXT + 1, color=INK)
    ax.set(xlim=(-0.16, 1.16), ylim=(-0.24, 1.05), aspect="equal")
    ax.set_axis_off()
    return ax


def scaling_paths(paths: Mapping[str, Sequence[Choice]], *, title: str) -> Axes:
    """Draw test accuracy against multiply-adds: a line for each direction, a dot a training."""
    ax = chart(None, title, "times the base network's multiply-adds", "test accuracy")
    for place, (name, choices) in enumerate(paths.items()):
        macs = np.array([choice.macs_ratio for choice in choices])
        scores = np.array([choice.test_scores for choice in choices])
        look = line_look("", place)
        ax.plot(macs, scores.mean(axis=1), label=name, **look)
        aside = macs * 1.02 ** (place - (len(paths) - 1) / 2)  # dots of all lines are seen
        ax.plot(aside, scores, "o", color=look["color"], alpha=0.55, ms=5, mew=0)
    ax.set_xscale("log", base=2)
    fixed_ticks(ax.xaxis, _POWERS, "{:g}×".format)
    theme.percent(ax.yaxis)
    legend(ax, frameon=True, framealpha=0.9, handlelength=3)
    return ax
