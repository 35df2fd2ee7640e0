"""Curves over steps, trials and seeds: weights of operations, accuracies, and the best so far."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from scipy.stats import t as student_t

from nas_lab.history import History
from nas_lab.plots import theme
from nas_lab.plots.theme import INK, TEXT, chart, color, label, legend, line_look, percent, write
from nas_lab.spaces.base import Space

_MOST = 240  # points of a line: more are not seen
_THIN = 0.72  # lines of small multiples are thinner than elsewhere by this factor


class AlphaLines:
    """The weights of each edge over the steps, on axes that are kept while they change.
    The first decisions of the space are the edges, each on axes of its own. There is room for so
    many ``steps``, and for weights from ``low`` to ``high``."""

    def __init__(
        self, axes: Sequence[Axes], space: Space, *, steps: int, low: float = 0.0, high: float = 1.0
    ) -> None:
        self._lines: list[list[Line2D]] = []
        for ax, name in zip(axes, space.labels, strict=False):
            chart(ax, "", "", "")
            ax.set_title(name, fontsize=TEXT - 0.5, color=INK, loc="left", pad=3)
            ax.tick_params(labelsize=TEXT - 1.5, length=2.5, pad=2)
            ax.set(xlim=(0, max(1, steps)), ylim=(low, high))
            theme.whole_numbers(ax.xaxis, 3)
            ax.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
            lines: list[Line2D] = []
            for place, option in enumerate(map(str, space.decisions[0].options)):
                look = line_look(option, place)
                look["linewidth"] *= _THIN
                lines += ax.plot([], [], label=label(option).replace("_", " "), **look)
            self._lines.append(lines)
        self.handles = self._lines[0]  # for a legend
        self._cursors = [ax.axvline(0, color=INK, lw=1.0) for ax in axes]
        behind = [line for edge in self._lines for line in reversed(edge)]
        self.moving: list[Artist] = [*behind, *self._cursors]

    def update(self, w: np.ndarray, at: int | None = None) -> None:
        """Show weights [T, D, K] after steps 1 to T, and a cursor at step ``at``."""
        shown = _thinned(len(w))
        for edge, lines in enumerate(self._lines):
            for option, line in enumerate(lines):
                line.set_data(shown + 1, w[shown, edge, option])
        for cursor in self._cursors:
            cursor.set(visible=bool(at), xdata=[at or 0] * 2)


def alphas(space: Space, w: np.ndarray, *, title: str, ylabel: str = "w = softmax(α)") -> Figure:
    """Draw weights over time: a small chart for each edge, a line for each operation.
    ``w`` [T, D, K] is softmax(alpha) after each step, or alpha itself, as ``ylabel`` says."""
    w = np.asarray(w, dtype=float)
    if w.ndim != 3 or w.shape[1:] != space.mask.shape or not len(w):
        shape = ", ".join(map(str, space.mask.shape))
        raise ValueError(f"w has shape {w.shape}; [T, {shape}] with T >= 1 was expected")
    if len({decision.options for decision in space.decisions}) > 1:
        raise ValueError(f"the decisions of {space.name} have different options: no common legend")
    edges = w.shape[1]
    columns = 2 if edges == 4 else 3 if edges <= 12 else 4
    rows = math.ceil(edges / columns)
    size = (theme.WIDEST, 0.95 + 1.3 * rows)
    figure = plt.figure(figsize=size, layout="constrained", facecolor="white")
    shared = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    axes = list(shared.flat)[:edges]
    for spare in shared.flat[edges:]:
        spare.remove()
    for last in axes[-columns:]:
        last.tick_params(labelbottom=True)
    low, high = weight_limits(w)
    drawn = AlphaLines(axes, space, steps=len(w), low=low, high=high)
    drawn.update(w)
    figure.suptitle(title, fontsize=TEXT + 1, color=INK, x=0.01, ha="left")
    figure.supxlabel("steps of the search", fontsize=TEXT, color=INK)
    figure.supylabel(ylabel, fontsize=TEXT, color=INK)
    legend(figure, handles=drawn.handles, loc="outside right center")
    return figure


def weight_limits(w: np.ndarray) -> tuple[float, float]:
    """Ends of an axis for values: from 0 when they are weights, with a round upper end."""
    low, high = float(np.nanmin(w)), float(np.nanmax(w))
    if low >= 0 and high <= 1:
        return 0.0, next(top for top in (0.3, 0.5, 1.0) if high <= 0.97 * top or top == 1.0)
    pad = 0.06 * max(high - low, 1e-3)
    return low - pad, high + pad


def _thinned(steps: int) -> np.ndarray:
    """Places of at most ``_MOST`` of so many steps, the first and the last among them."""
    return np.unique(np.linspace(0, max(0, steps - 1), min(steps, _MOST)).round().astype(int))


def _reach(ax: Axes, end: int, best: float, low: float, room: float) -> None:
    """Axes for accuracies over steps or trials, with the best of the table as a line to reach."""
    end = max(1, end)
    ax.set(xlim=(0, end), ylim=(low, best + room * (best - low)))
    theme.whole_numbers(ax.xaxis, 6)
    percent(ax.yaxis)
    ax.axhline(best, color=theme.RED, lw=1.2)
    look = {"color": theme.RED, "fontsize": TEXT - 1, "ha": "right", "va": "bottom"}
    write(ax, end, best, f"best of the table: {best:.1%}", **look)


def _half_on(trials: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A step line whose last step is drawn half a trial on, so that it has a width."""
    return np.append(trials, trials[-1:] + 0.5), np.append(values, values[-1:])


class TruthLine:
    """The true accuracy of the architecture of every step, with a cursor, up to ``best``.
    What is below ``low`` has triangles on the floor, and words that say so."""

    def __init__(self, ax: Axes, steps: int, best: float, low: float) -> None:
        _reach(ax, steps, best, low, 0.16)
        ax.yaxis.set_major_locator(MaxNLocator(4))
        self._low = low
        self._line = ax.plot([], [], color="#8A3F78", lw=1.8, drawstyle="steps-pre")[0]
        self._below = ax.plot([], [], "v", color=theme.RED, ms=4.5, clip_on=False)[0]
        look: dict[str, Any] = {"color": theme.RED, "fontsize": TEXT - 1, "ha": "right"}
        place = {"transform": ax.transAxes, "va": "bottom"}
        self._said = write(ax, 1, 1.03, f"▼ below {low:.0%}", **look, **place)
        self._cursor = ax.axvline(0, color=INK, lw=1.0)
        self._dot = ax.plot([], [], "o", color=INK, ms=5.5, clip_on=False)[0]
        self.moving = [self._line, self._below, self._said, self._cursor, self._dot]

    def update(self, accuracies: np.ndarray, at: int = 0) -> None:
        """Show true accuracies [T] after steps 1 to T, and a cursor at step ``at``."""
        shown = np.fmax(accuracies, self._low)
        steps = np.arange(1, len(shown) + 1)
        self._line.set_data(steps, shown)
        low = shown > np.asarray(accuracies, dtype=float)
        self._below.set_data(steps[low], shown[low])
        self._said.set_visible(low.any())
        there = 1 <= at <= len(shown)
        self._cursor.set(visible=there, xdata=[at, at])
        self._dot.set_data([at] * there, shown[at - 1 : at] if there else [])


class RaceLines:
    """Best score so far by trials, a line for each search, and a dot for each single trial."""

    def __init__(
        self, ax: Axes, names: Sequence[str], trials: int, best: float, low: float
    ) -> None:
        _reach(ax, trials, best, low, 0.1)
        dots: dict[str, Any] = {"ms": 3.5, "mew": 0, "alpha": 0.35}
        self._dots = {n: ax.plot([], [], "o", color=color(n), **dots)[0] for n in names}
        step: dict[str, Any] = {"drawstyle": "steps-post"}
        self._lines = {n: ax.plot([], [], label=label(n), **line_look(n), **step)[0] for n in names}
        columns = len(names) if len(names) < 4 else 2
        place: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16)}
        legend(ax, ncols=columns, handlelength=2.4, columnspacing=1.2, **place)
        self.moving = [*self._dots.values(), *reversed(self._lines.values())]

    def update(self, scores: Mapping[str, Sequence[float]]) -> None:
        """Show the scores of each search, in the order of its trials; NaN where one failed."""
        for name, line in self._lines.items():
            found = np.asarray(scores.get(name, ()), dtype=float)
            trials = np.arange(1, len(found) + 1)
            self._dots[name].set_data(trials, found)
            line.set_data(_half_on(trials, np.fmax.accumulate(found)))


def incumbent(curves: Mapping[str, History | np.ndarray], ax: Axes | None = None) -> Axes:
    """Draw the best score so far against the number of trials, a line for each search.
    ``curves`` leads from a label, such as the name of a strategy, to a ``History`` or to scores
    [trials] or [seeds, trials]. One search with one seed shows its single trials as dots. Several
    seeds are drawn as their mean, in a band that holds the true mean with 95 % confidence
    (Student's t)."""
    alone = len(curves) == 1
    questions = ("Which search is better, and when?", "How good is the best network so far?")
    ax = chart(ax, questions[alone], "trials", "validation accuracy")
    ends = {}
    for place, (name, given) in enumerate(curves.items()):
        scores, look = _scores(given), line_look(name, place)
        best = np.fmax.accumulate(scores, axis=1)
        mean, seeds = best.mean(axis=0), len(best)
        trials = np.arange(1, len(mean) + 1)
        if alone and seeds == 1:
            ax.plot(trials, scores[0], "o", color=look["color"], alpha=0.35, ms=5)
        said = label(name) + (f" (mean of {seeds} seeds)" if seeds > 1 else "")
        (line,) = ax.plot(*_half_on(trials, mean), label=said, drawstyle="steps-post", **look)
        if seeds > 1:
            error = best.std(axis=0, ddof=1) / math.sqrt(seeds)
            half = student_t.ppf(0.975, seeds - 1) * error
            (x, low), (_, high) = _half_on(trials, mean - half), _half_on(trials, mean + half)
            ax.fill_between(x, low, high, step="post", alpha=0.2, lw=0, color=look["color"])
        ends[line] = mean[-1]
    theme.whole_numbers(ax.xaxis, 9)
    accuracy_axis(ax, 0.12 if alone else 0.0)
    framed_legend(ax, handles=sorted(ends, key=lambda line: -ends[line]))
    return ax


def accuracy_axis(ax: Axes, free: float) -> None:
    """Percentages, and a share of the axes free below the points, for the legend."""
    percent(ax.yaxis)
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    low, high = ax.get_ylim()
    ax.set_ylim(low - (high - low) * free / (1 - free), high)


def framed_legend(ax: Axes, **options: Any) -> None:
    """A legend in the lower right corner, above what lies below it."""
    look: dict[str, Any] = {"framealpha": 0.9, "edgecolor": "none", "handlelength": 2.8}
    legend(ax, loc="lower right", frameon=True, **look, **options)


def _scores(given: History | np.ndarray) -> np.ndarray:
    """Scores [seeds, trials] of one search, in the order of its trials."""
    if isinstance(given, History):
        given = np.array([trial.result.score for trial in given.trials])
    if np.size(given) == 0:
        raise ValueError("there is no trial to draw: a history or an array is empty")
    return np.atleast_2d(given)


def medians(
    x: Sequence[float],
    lines: Mapping[str, np.ndarray],
    *,
    reference: tuple[float, str] | None = None,
    low: float | None = None,
    **names: Any,
) -> Axes:
    """Draw medians over seeds as thick lines, and single seeds as thin ones.
    ``lines`` leads from a name to shares [S, T] at places ``x`` [T]; ``reference`` is a share to
    compare with, and its name; ``low`` the lowest with room. ``names`` are those of ``chart``."""
    ax = chart(None, **names)
    for place, (name, values) in enumerate(lines.items()):
        ax.plot(x, np.median(values, axis=0), label=label(name), **line_look(name, place))
        ax.plot(x, values.T, color=color(name, place), alpha=0.45, lw=0.8)
    if reference is not None:
        share, text = reference
        ax.axhline(share, color=theme.MUTED, ls=":", lw=1.4, label=text)
    ax.set_ylim(bottom=low)
    percent(ax.yaxis)
    theme.legend_beside(ax)
    return ax
