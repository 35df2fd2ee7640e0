"""Curves over steps, trials and seeds: weights of operations, accuracies, and the best so far."""

from __future__ import annotations

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
from nas_lab.plots.theme import (
    INK,
    MUTED,
    RED,
    TEXT,
    WIDEST,
    chart,
    color,
    decision_labels,
    label,
    legend,
    legend_beside,
    percent,
    style,
    whole_numbers,
    write,
)
from nas_lab.spaces.base import Space

# ---- weights of operations -------------------------------------------------------------------

_MOST = 240
"""Points of a line: more are not seen."""
_THIN = 0.72
"""Lines of small multiples are thinner than elsewhere by this factor."""


class AlphaLines:
    """The weights of each edge over the steps, on axes that are kept while they change.

    Args:
        axes: one for each edge that is shown.
        space: whose decisions are the edges, from the first one on; all have the same options.
        steps: how many the axes have room for.
        low, high: ends of the vertical axis.
    """

    def __init__(
        self, axes: Sequence[Axes], space: Space, *, steps: int, low: float = 0.0, high: float = 1.0
    ) -> None:
        self._lines: list[list[Line2D]] = []
        for ax, name in zip(axes, decision_labels(space), strict=False):
            chart(ax, "", "", "")
            ax.set_title(name, fontsize=TEXT - 0.5, color=INK, loc="left", pad=3)
            ax.tick_params(labelsize=TEXT - 1.5, length=2.5, pad=2)
            ax.set_xlim(0, max(1, steps))
            ax.set_ylim(low, high)
            whole_numbers(ax.xaxis, 3)
            ax.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
            self._lines.append([])
            for place, option in enumerate(map(str, space.decisions[0].options)):
                look = style(option, place) | {"color": color(option, place)}
                look["linewidth"] *= _THIN
                name = label(option).replace("_", " ")
                self._lines[-1] += ax.plot([], [], label=name, **look)
        self._cursors = [ax.axvline(0, color=INK, linewidth=1.0) for ax in axes]
        lines = [line for edge in self._lines for line in reversed(edge)]
        self.moving: list[Artist] = [*lines, *self._cursors]

    @property
    def handles(self) -> list[Line2D]:
        """A line for each operation, for a legend."""
        return self._lines[0]

    def update(self, w: np.ndarray, at: int | None = None) -> None:
        """Show weights [T, D, K] after steps 1 to T, and a cursor at step ``at``."""
        shown = _thinned(len(w))
        for edge, lines in enumerate(self._lines):
            for option, line in enumerate(lines):
                line.set_data(shown + 1, w[shown, edge, option])
        for cursor in self._cursors:
            cursor.set_visible(bool(at))
            cursor.set_xdata([at or 0] * 2)


def alphas(
    space: Space,
    w: np.ndarray,
    *,
    title: str = "Which operation wins on each edge?",
    ylabel: str = "w = softmax(α)",
) -> Figure:
    """Draw weights over time: a small chart for each edge, a line for each operation.

    Args:
        space: its decisions are the edges, and all have the same options.
        w: after each step, [T, D, K]: softmax(alpha), or alpha itself.
        title: what the picture asks or finds.
        ylabel: what the values are.

    Raises:
        ValueError: w is not [T, D, K] of this space with at least one step, or its decisions have
            different options.
    """
    w = np.asarray(w, dtype=float)
    if w.ndim != 3 or w.shape[1:] != space.mask.shape or not len(w):
        shape = ", ".join(map(str, space.mask.shape))
        raise ValueError(f"w has shape {w.shape}; [T, {shape}] with T >= 1 was expected")
    if len({decision.options for decision in space.decisions}) > 1:
        raise ValueError(f"the decisions of {space.name} have different options: no common legend")
    edges = w.shape[1]
    columns = 2 if edges == 4 else 3 if edges <= 12 else 4
    rows = math.ceil(edges / columns)
    figure = plt.figure(figsize=(WIDEST, 0.95 + 1.3 * rows), layout="constrained")
    figure.set_facecolor("white")
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
    look: dict[str, Any] = {"fontsize": TEXT - 1, "labelcolor": INK, "frameon": False}
    figure.legend(handles=drawn.handles, loc="outside right center", **look)
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


# ---- accuracies ------------------------------------------------------------------------------


def _reach(ax: Axes, end: int, best: float, low: float, room: float) -> None:
    """Axes for accuracies over steps or trials, with the best of the table as a line to reach."""
    ax.set_xlim(0, max(1, end))
    ax.set_ylim(low, best + room * (best - low))
    whole_numbers(ax.xaxis, 6)
    percent(ax.yaxis)
    ax.axhline(best, color=RED, linewidth=1.2)
    said, place = f"best of the table: {best:.1%}", {"ha": "right", "va": "bottom"}
    write(ax, max(1, end), best, said, color=RED, fontsize=TEXT - 1, **place)


def _half_on(trials: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A step line whose last step is drawn half a trial on, so that it has a width."""
    return np.append(trials, trials[-1:] + 0.5), np.append(values, values[-1:])


class TruthLine:
    """The true accuracy of the architecture of every step, with a cursor, on axes that are kept.

    Args:
        ax: where to draw.
        steps: how many the axis has room for.
        best: the highest accuracy that there is, as a line to reach for.
        low: the lowest that is shown.
    """

    def __init__(self, ax: Axes, steps: int, best: float, low: float) -> None:
        _reach(ax, steps, best, low, 0.16)
        ax.yaxis.set_major_locator(MaxNLocator(4))
        self._low = low
        look: dict[str, Any] = {"color": "#8A3F78", "linewidth": 1.8, "drawstyle": "steps-pre"}
        self._line = ax.plot([], [], **look)[0]
        self._cursor = ax.axvline(0, color=INK, linewidth=1.0)
        self._dot = ax.plot([], [], "o", color=INK, markersize=5.5, clip_on=False)[0]
        self.moving = [self._line, self._cursor, self._dot]

    def update(self, accuracies: np.ndarray, at: int = 0) -> None:
        """Show true accuracies [T] after steps 1 to T, and a cursor at step ``at``."""
        shown = np.fmax(accuracies, self._low)
        self._line.set_data(np.arange(1, len(shown) + 1), shown)
        there = 1 <= at <= len(shown)
        self._cursor.set(visible=there, xdata=[at, at])
        self._dot.set_data([at] * there, shown[at - 1 : at] if there else [])


class RaceLines:
    """Best score so far by trials, a line for each search, and a dot for each single trial.

    Args:
        ax: where to draw; its limits stay as they are made here.
        names: of the searches; lines that stay empty are in the legend too.
        trials: how many the axis has room for.
        best: the highest score that there is, as a line to reach for.
        low: the lowest score that is shown.
    """

    def __init__(
        self, ax: Axes, names: Sequence[str], trials: int, best: float, low: float
    ) -> None:
        _reach(ax, trials, best, low, 0.1)
        dots: dict[str, Any] = {"marker": "o", "markersize": 3.5, "mew": 0, "linestyle": "none"}
        self._dots = {n: ax.plot([], [], color=color(n), alpha=0.35, **dots)[0] for n in names}
        step = {"drawstyle": "steps-post"}
        self._lines = {
            n: ax.plot([], [], color=color(n), label=label(n), **style(n) | step)[0] for n in names
        }
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

    Args:
        curves: from a label, such as the name of a strategy, to a ``History`` or to an array of
            scores, [trials] or [seeds, trials].
        ax: where to draw; None makes a new figure.

    One search with one seed shows its single trials as dots. Several seeds are drawn as their
    mean, in a band that holds the true mean with 95 % confidence (Student's t).
    """
    alone = len(curves) == 1
    question = (
        "How good is the best network so far?" if alone else "Which search is better, and when?"
    )
    ax = chart(ax, question, "trials", "validation accuracy")
    ends = {}
    for place, (name, given) in enumerate(curves.items()):
        scores, hue = _scores(given), color(name, place)
        best = np.fmax.accumulate(scores, axis=1)
        mean, seeds = best.mean(axis=0), len(best)
        trials = np.arange(1, len(mean) + 1)
        if alone and seeds == 1:
            ax.plot(trials, scores[0], "o", color=hue, alpha=0.35, markersize=5)
        said = label(name) + (f" (mean of {seeds} seeds)" if seeds > 1 else "")
        look = style(name, place) | {"color": hue, "drawstyle": "steps-post"}
        (line,) = ax.plot(*_half_on(trials, mean), label=said, **look)
        if seeds > 1:
            error = best.std(axis=0, ddof=1) / math.sqrt(seeds)
            half = student_t.ppf(0.975, seeds - 1) * error
            (x, low), (_, high) = _half_on(trials, mean - half), _half_on(trials, mean + half)
            ax.fill_between(x, low, high, step="post", alpha=0.2, linewidth=0, color=hue)
        ends[line] = mean[-1]
    whole_numbers(ax.xaxis, 9)
    accuracy_axis(ax, 0.12 if alone else 0.0)
    handles = sorted(ends, key=lambda line: -ends[line])
    framed_legend(ax, handles=handles)
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
    title: str,
    xlabel: str,
    ylabel: str,
    reference: tuple[float, str] | None = None,
    low: float | None = None,
) -> Axes:
    """Draw medians over seeds as thick lines, and single seeds as thin ones.

    Args:
        x: places of the values, [T].
        lines: from a name to shares in [0, 1], [S, T].
        title: what the picture asks or finds.
        xlabel, ylabel: what is on the axes.
        reference: a share to compare with, and its name.
        low: the lowest share that has room; None takes all.
    """
    ax = chart(None, title, xlabel, ylabel)
    for place, (name, values) in enumerate(lines.items()):
        hue = color(name, place)
        ax.plot(x, np.median(values, axis=0), color=hue, label=label(name), **style(name, place))
        ax.plot(x, values.T, color=hue, alpha=0.45, linewidth=0.8)
    if reference is not None:
        share, text = reference
        ax.axhline(share, color=MUTED, linestyle=":", linewidth=1.4, label=text)
    ax.set_ylim(bottom=low)
    percent(ax.yaxis)
    legend_beside(ax)
    return ax
