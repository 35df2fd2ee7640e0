"""Weights of all operations over time: lines for each edge, and what their argmax is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nas_lab.plots.colors import INK, color, label, style
from nas_lab.plots.figures import TEXT, WIDEST, chart
from nas_lab.plots.words import decision_labels
from nas_lab.spaces.base import Space
from nas_lab.spaces.cells import EDGES_DARTS, NODES_DARTS, Darts

_MOST = 240
"""Points of a line: more are not seen."""
_BEST = "#BD4400"
_THIN = 0.72
"""Lines of small multiples are thinner than elsewhere by this factor."""


class AlphaLines:
    """The weights of each edge over the steps, on axes that are kept while they change.

    Args:
        axes: one for each edge that is shown.
        space: whose decisions are the edges; all have the same options.
        rows: which decisions are shown, by their places; None takes the first ones.
        steps: how many the axes have room for.
        low, high: ends of the vertical axis.
    """

    def __init__(
        self,
        axes: Sequence[Axes],
        space: Space,
        rows: Sequence[int] | None = None,
        *,
        steps: int,
        low: float = 0.0,
        high: float = 1.0,
    ) -> None:
        self._rows = list(range(len(axes)) if rows is None else rows)
        names, options = decision_labels(space), list(map(str, space.decisions[0].options))
        self._lines = [[_line(ax, option, k) for k, option in enumerate(options)] for ax in axes]
        look: dict[str, Any] = {"color": INK, "linewidth": 1.0}
        self._cursors = [ax.axvline(0, **look) for ax in axes]
        for ax, row in zip(axes, self._rows, strict=True):
            _small_chart(ax, names[row].split(": ")[-1])
            ax.set_xlim(0, max(1, steps))
            ax.set_ylim(low, high)
            ax.xaxis.set_major_locator(MaxNLocator(3, integer=True, steps=[1, 2, 5, 10]))
            ax.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))

    @property
    def moving(self) -> list[Artist]:
        """The artists that ``update`` changes."""
        lines = [line for edge in self._lines for line in reversed(edge)]
        return [*lines, *self._cursors]

    @property
    def handles(self) -> list[Line2D]:
        """A line for each operation, for a legend."""
        return self._lines[0]

    def update(self, w: np.ndarray, at: int | None = None) -> None:
        """Show weights [T, D, K] after steps 1 to T, and a cursor at step ``at``."""
        w = np.asarray(w)
        shown = thinned(len(w))
        for row, lines in zip(self._rows, self._lines, strict=True):
            for option, line in enumerate(lines):
                line.set_data(shown + 1, w[shown, row, option])
        for cursor in self._cursors:
            cursor.set_visible(bool(at))
            cursor.set_xdata([at or 0] * 2)


class TruthLine:
    """What the architecture of every step is worth, with a cursor, on axes that are kept.

    Args:
        ax: where to draw.
        steps: how many the axis has room for.
        best: the highest worth that there is, as a line to reach for.
        low: the lowest that is shown.
    """

    def __init__(self, ax: Axes, steps: int, best: float, low: float) -> None:
        ax.set_xlim(0, max(1, steps))
        ax.set_ylim(low, best + 0.16 * (best - low))
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g}%"))
        ax.yaxis.set_major_locator(MaxNLocator(4))
        ax.axhline(best, color=_BEST, linewidth=1.2)
        look: dict[str, Any] = {"color": _BEST, "fontsize": TEXT - 1}
        said = f"best of the table: {best:.1%}"
        ax.text(max(1, steps), best, said, ha="right", va="bottom", **look)
        self._low = low
        drawn = style("Darts") | {"linestyle": "-", "linewidth": 1.8}
        self._line = ax.plot([], [], color="#8A3F78", drawstyle="steps-pre", **drawn)[0]
        self._cursor = ax.axvline(0, color=INK, linewidth=1.0)
        self._dot = ax.plot([], [], "o", color=INK, markersize=5.5, clip_on=False)[0]

    @property
    def moving(self) -> list[Line2D]:
        """The artists that ``update`` changes."""
        return [self._line, self._cursor, self._dot]

    def update(self, worth: np.ndarray, at: int | None = None) -> None:
        """Show the worth [T] after steps 1 to T, and a cursor at step ``at``."""
        worth = np.asarray(worth, dtype=float)
        steps = changes(worth)
        self._line.set_data(steps + 1, np.fmax(worth[steps], self._low))
        place = at if at is not None and 1 <= at <= len(worth) else None
        self._cursor.set_visible(place is not None)
        self._dot.set_visible(place is not None)
        if place is not None:
            self._cursor.set_xdata([place, place])
            self._dot.set_data([place], [max(self._low, worth[place - 1])])


def alphas(
    space: Space,
    w: np.ndarray,
    *,
    cell: str = "normal",
    title: str = "Which operation wins on each edge?",
    ylabel: str = "w = softmax(α)",
) -> Figure:
    """Draw weights over time: a small chart for each edge, a line for each operation.

    Args:
        space: its decisions are the edges, and all have the same options.
        w: after each step, [T, D, K]: softmax(alpha), or alpha itself.
        cell: of a space with two cells, the one to draw.
        title: what the picture asks or finds.
        ylabel: what the values are.

    Raises:
        ValueError: w is not [T, D, K] of this space with at least one step, its decisions have
            different options, or there is no such cell.
    """
    w = _checked(space, w)
    rows = _rows_of(space, cell)
    figure, shown, free = _grid(space, rows)
    low, high = weight_limits(w[:, rows])
    drawn = AlphaLines(shown, space, rows, steps=len(w), low=low, high=high)
    drawn.update(w)
    share_axes(shown)
    figure.suptitle(title, fontsize=TEXT + 1, color=INK, x=0.01, ha="left")
    figure.supxlabel("steps of the search", fontsize=TEXT, color=INK)
    figure.supylabel(ylabel, fontsize=TEXT, color=INK)
    look: dict[str, Any] = {"fontsize": TEXT - 1, "labelcolor": INK, "frameon": False}
    if free is None:
        figure.legend(handles=drawn.handles, loc="outside right center", **look)
    else:
        free.legend(handles=drawn.handles, loc="center", ncols=2, **look)
    return figure


def _grid(space: Space, rows: Sequence[int]) -> tuple[Figure, list[Axes], Axes | None]:
    """A figure with small axes, and a free place for the legend.

    In DARTS a row is a node, and a column is what the edge comes from.
    """
    triangle = isinstance(space, Darts)
    columns = 5 if triangle else 2 if len(rows) == 4 else 3
    lines = NODES_DARTS if triangle else math.ceil(len(rows) / columns)
    figure = plt.figure(figsize=(WIDEST, 0.95 + 1.3 * lines), layout="constrained")
    figure.set_facecolor("white")
    grid = figure.add_gridspec(lines, columns)
    if not triangle:
        axes = [figure.add_subplot(grid[divmod(i, columns)]) for i in range(len(rows))]
        return figure, axes, None
    axes = [figure.add_subplot(grid[node - 2, source]) for source, node in EDGES_DARTS]
    free = figure.add_subplot(grid[0, 2:])
    free.set_axis_off()
    return figure, axes, free


def share_axes(axes: Sequence[Axes]) -> None:
    """Numbers only at the left of a grid of small charts, and below its columns."""
    places: list[Any] = [ax.get_subplotspec() for ax in axes]
    last = {place.colspan.start: place.rowspan.start for place in places}
    for ax, place in zip(axes, places, strict=True):
        row, column = place.rowspan.start, place.colspan.start
        ax.tick_params(labelleft=column == 0, labelbottom=row == last[column])


def weight_limits(w: np.ndarray) -> tuple[float, float]:
    """Ends of an axis for values: from 0 when they are weights, with a round upper end."""
    low, high = float(np.nanmin(w)), float(np.nanmax(w))
    if low >= 0 and high <= 1:
        return 0.0, next(top for top in (0.3, 0.5, 1.0) if high <= 0.97 * top or top == 1.0)
    pad = 0.06 * max(high - low, 1e-3)
    return low - pad, high + pad


def thinned(steps: int) -> np.ndarray:
    """Places of at most ``_MOST`` of so many steps, the first and the last among them."""
    return np.unique(np.linspace(0, max(0, steps - 1), min(steps, _MOST)).round().astype(int))


def changes(values: np.ndarray) -> np.ndarray:
    """Places where a value differs from the one before or after it, and both ends."""
    if not len(values):
        return np.arange(0)
    differs = ~((values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1])))
    return np.flatnonzero(np.r_[True, differs] | np.r_[differs, True])


def _line(ax: Axes, option: str, place: int) -> Line2D:
    look = style(option, place)
    look["linewidth"] *= _THIN
    name = label(option).replace("_", " ")
    return ax.plot([], [], color=color(option, place), label=name, **look)[0]


def _small_chart(ax: Axes, title: str) -> None:
    chart(ax, "", "", "")
    ax.set_title(title, fontsize=TEXT - 0.5, color=INK, loc="left", pad=3)
    ax.tick_params(labelsize=TEXT - 1.5, length=2.5, pad=2)


def _rows_of(space: Space, cell: str) -> list[int]:
    names = decision_labels(space)
    cells = {name.split(": ")[0] for name in names if ": " in name}
    if not cells:
        return list(range(len(names)))
    if cell not in cells:
        raise ValueError(f"cell={cell!r}: there are {', '.join(sorted(cells))}")
    return [row for row, name in enumerate(names) if name.startswith(f"{cell}: ")]


def _checked(space: Space, w: Any) -> np.ndarray:
    w = np.asarray(w, dtype=float)
    if w.ndim != 3 or w.shape[1:] != space.mask.shape or not len(w):
        shape = ", ".join(map(str, space.mask.shape))
        raise ValueError(f"w has shape {w.shape}; [T, {shape}] with T >= 1 was expected")
    if len({decision.options for decision in space.decisions}) > 1:
        raise ValueError(f"the decisions of {space.name} have different options: no common legend")
    return w
