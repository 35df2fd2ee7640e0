"""Results: accuracy against cost, against trials, against epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    MaxNLocator,
    NullLocator,
)

from nas_lab.history import History, Trial, pareto, price
from nas_lab.plots.colors import COLORS, INK, color, label, style
from nas_lab.plots.figures import TEXT, chart
from nas_lab.plots.words import unit_of

Trials: TypeAlias = History | Sequence[Trial]

_COSTS = {
    "cost": "seconds of evaluation",
    "macs": "multiply-adds for an image",
    "params": "parameters",
}
_ACCURACY = "validation accuracy"
_BEST = "#BD4400"


# ---- accuracy against cost -------------------------------------------------------------------


def cost_accuracy(trials: Trials, ax: Axes | None = None, cost: str = "macs") -> Axes:
    """Draw accuracy against cost: a point for each trial, and the Pareto front as a step line.

    Args:
        trials: a ``History`` or a list of ``Trial``.
        ax: where to draw; None makes a new figure.
        cost: the name of a metric of each evaluation, or ``"cost"`` for its seconds.

    Trials that failed (their score is NaN) are counted in the legend.

    Raises:
        ValueError: a trial has no such metric, or none has a score.
    """
    trials = trials.trials if isinstance(trials, History) else list(trials)
    points = [(price(t, cost), t.result.score) for t in trials]
    good = [p for p in points if not math.isnan(p[1])]
    if not good:
        raise ValueError("there is no trial with a score to draw")
    ax = chart(ax, "What does accuracy cost?", _COSTS.get(cost, cost), _ACCURACY)
    failed = len(points) - len(good)
    name = f"{len(good)} networks" + (f" ({failed} failed)" if failed else "")
    x, y = zip(*good, strict=True)
    ax.scatter(x, y, s=28, color=COLORS["nor_conv_1x1"], alpha=0.75, label=name)
    front = [(price(t, cost), t.result.score) for t in pareto(trials, cost)]
    _draw_front(ax, front, dearest=max(x))
    unit, word = unit_of(max(x))
    named = f"{word} {_COSTS.get(cost, cost)}".strip()
    _draw_best(ax, front[-1], unit, named.split(" for ")[0])
    _cost_axis(ax, x, unit, named)
    _accuracy_axis(ax)
    _room_below(ax, 0.28)
    _legend(ax, "lower right")
    return ax


def _draw_front(ax: Axes, front: Sequence[tuple[float, float]], dearest: float) -> None:
    x, y = zip(*front, strict=True)
    ax.plot(
        [*x, dearest],
        [*y, y[-1]],
        drawstyle="steps-post",
        color=INK,
        linewidth=1.4,
        label="Pareto front: best for its cost",
    )


def _draw_best(ax: Axes, best: tuple[float, float], unit: float, named: str) -> None:
    spent, score = best
    ax.plot(
        spent,
        score,
        "*",
        color=_BEST,
        markersize=15,
        markeredgecolor="white",
        zorder=5,
        label=f"best: {score:.1%}, {spent / unit:.3g} {named}",
    )


def _cost_axis(ax: Axes, prices: Sequence[float], unit: float, named: str) -> None:
    """An axis in the unit of the largest cost, log where costs differ much and are above zero."""
    low, high = min(prices), max(prices)
    log = low > 0 and high >= 8 * low
    ax.set_xlabel(f"{named} (log scale)" if log else named)
    if log:
        ax.set_xscale("log")
    if log and high < 30 * low:
        ax.xaxis.set_major_locator(FixedLocator(_round_numbers(low, high)))
        ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda spent, _: f"{spent / unit:g}"))


def _round_numbers(low: float, high: float) -> list[float]:
    """Round numbers from ``low`` to ``high``, closer where these are close."""
    decades = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8), [1 + k / 10 for k in range(90)]):
        found = [step * 10.0**decade for decade in decades for step in steps]
        inside = [number for number in found if low <= number <= high]
        if len(inside) >= 2:
            return inside
    return [low, high]


def _accuracy_axis(ax: Axes) -> None:
    ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g}%"))
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))


def _room_below(ax: Axes, share: float) -> None:
    """Leave a share of the axes free below the points, for the legend."""
    low, high = ax.get_ylim()
    ax.set_ylim(low - (high - low) * share / (1 - share), high)


def _legend(ax: Axes, place: Any, lines: Sequence[Line2D] | None = None) -> None:
    """A legend beside the lines, in their order or in the order given."""
    handles: Any = ax.get_legend_handles_labels()[0] if lines is None else list(lines)
    look: dict[str, Any] = {"framealpha": 0.9, "edgecolor": "none", "labelcolor": INK}
    look |= {"handles": handles, "fontsize": TEXT - 1, "handlelength": 2.8}
    ax.legend(loc=place, **look)


# ---- accuracy against trials -----------------------------------------------------------------


def incumbent(curves: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Draw the best score so far against the number of trials, a line for each search.

    Args:
        curves: from a label, such as the name of a strategy, to a ``History``, a list of
            ``Trial``, an array of scores [trials], or several seeds: a list of histories, or an
            array [seeds, trials].
        ax: where to draw; None makes a new figure.

    One search with one seed shows its single trials as dots. Several seeds are drawn as their
    mean, in a band that holds the true mean with 95 % confidence (Student's t).
    """
    alone = len(curves) == 1
    question = (
        "How good is the best network so far?" if alone else "Which search is better, and when?"
    )
    ax = chart(ax, question, "trials", _ACCURACY)
    ends = {}
    for place, (name, given) in enumerate(curves.items()):
        best = np.fmax.accumulate(_scores(given), axis=1)
        mean = best.mean(axis=0)
        trials = np.arange(1, len(mean) + 1)
        if alone and len(best) == 1:
            scores = _scores(given)[0]
            ax.plot(trials, scores, "o", color=color(name, place), alpha=0.35, markersize=5)
        seeds = f" (mean of {len(best)} seeds)" if len(best) > 1 else ""
        (line,) = ax.plot(
            *_to_the_end(trials, mean),
            color=color(name, place),
            label=label(name) + seeds,
            **style(name, place),
            drawstyle="steps-post",
        )
        if len(best) > 1:
            half = _half_interval(best)
            ends_at, low = _to_the_end(trials, mean - half)
            ax.fill_between(
                ends_at,
                low,
                _to_the_end(trials, mean + half)[1],
                step="post",
                alpha=0.2,
                linewidth=0,
                color=color(name, place),
            )
        ends[line] = mean[-1]
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    _accuracy_axis(ax)
    if alone:
        _room_below(ax, 0.12)
    _legend(ax, "lower right", sorted(ends, key=lambda line: -ends[line]))
    return ax


def _to_the_end(trials: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A step line whose last step is drawn half a trial on, so that it has a width."""
    return np.append(trials, trials[-1] + 0.5), np.append(values, values[-1])


def _scores(given: Any) -> np.ndarray:
    """Scores [seeds, trials] of one search, in the order of its trials."""
    if isinstance(given, History):
        given = given.trials
    if len(given) == 0:
        raise ValueError("there is no trial to draw: a history or a list of trials is empty")
    if isinstance(given[0], Trial):
        given = [trial.result.score for trial in given]
    elif isinstance(given[0], History | list | tuple):
        given = [_scores(one)[0] for one in given]
    return np.atleast_2d(np.asarray(given, dtype=float))


def _half_interval(curves: np.ndarray) -> np.ndarray:
    """Half of the 95 % confidence interval of the mean over seeds, for each trial."""
    from scipy.stats import t

    seeds = len(curves)
    error = curves.std(axis=0, ddof=1) / math.sqrt(seeds)
    return t.ppf(0.975, seeds - 1) * error


# ---- accuracy against epochs -----------------------------------------------------------------
