"""How estimates rank architectures beside the truth, and what searches found, as dots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from scipy.stats import rankdata

from nas_lab.plots.theme import (
    BLUE,
    GREEN,
    HIGHLIGHT,
    INK,
    MUTED,
    ORANGE,
    PALE,
    RED,
    TEXT,
    chart,
    color,
    fixed_ticks,
    label,
    legend,
    legend_beside,
    percent,
    ring,
    style,
    write,
)

if TYPE_CHECKING:
    from nas_lab.explain import RankCorrelation

# ---- ranks -----------------------------------------------------------------------------------

_KINDS = {
    "best, and chosen": (GREEN, "o"),
    "best, but missed": (RED, "^"),
    "chosen, not best": (ORANGE, "v"),
    "neither": (PALE, "o"),
}


class RankScatter:
    """Ranks by an estimate against true ranks, on axes that are kept when the estimate changes.

    Rank 1 is the best and stands at the right and at the top. What both put into their first
    share ``top`` is told apart by colour and shape from what only one of them does.

    Args:
        ax: where to draw.
        n: how many architectures.
        top: share of the architectures that counts as the best.
    """

    def __init__(self, ax: Axes, n: int, top: float = 0.1) -> None:
        self.k = max(1, round(top * n))
        ax.plot([n, 1], [n, 1], color=MUTED, linewidth=1, zorder=1)
        size = 5 if n <= 500 else 2.5
        look: dict[str, Any] = {"markersize": size, "alpha": 0.85, "linestyle": "none"}
        self._marks = {
            kind: ax.plot([], [], mark, color=hue, **look)[0]
            for kind, (hue, mark) in reversed(_KINDS.items())
        }
        for line in (ax.axvline, ax.axhline):
            line(self.k + 0.5, color=MUTED, linestyle=":", linewidth=1)
        pad = 0.03 * n
        ticks = [1, *range(n // 4, n + 1, n // 4)] if n >= 8 else list(range(1, n + 1))
        ax.set(xlim=(n + pad, 1 - pad), ylim=(n + pad, 1 - pad), xticks=ticks, yticks=ticks)
        self.moving = list(self._marks.values())

    def update(self, estimate: np.ndarray, truth: np.ndarray) -> None:
        """Show the ranks of two arrays of scores, [n] each; higher scores are better."""
        x, y = rankdata(-estimate), rankdata(-truth)
        # As for ``explain.precision_at``: exactly k are chosen, and all that tie for k-th are best.
        chosen = rankdata(-estimate, "ordinal") <= self.k
        best = rankdata(-truth, "min") <= self.k
        kinds = [chosen & best, ~chosen & best, chosen & ~best, ~chosen & ~best]
        for kind, rows in zip(_KINDS, kinds, strict=True):
            self._marks[kind].set_data(x[rows], y[rows])
            self._marks[kind].set_label(f"{kind}: {rows.sum()}")


def rank_scatter(
    estimate: np.ndarray,
    truth: np.ndarray,
    *,
    title: str = "Does the estimate rank like the truth?",
) -> Axes:
    """Draw ranks by an estimate against true ranks; rank 1, the best, is right and at the top.

    The first tenth is marked by colour and shape.

    Args:
        estimate: scores of n architectures, [n].
        truth: their true scores, in the same order, [n].
        title: what the picture asks or finds.
    """
    ax = chart(None, title, "rank by the estimate (1 is best)", "true rank", height=4.2)
    scatter = RankScatter(ax, len(estimate))
    scatter.update(np.asarray(estimate), np.asarray(truth))
    lines, title = scatter.moving[::-1], f"the first {scatter.k}"
    legend_beside(ax, handles=lines, title=title, title_fontsize=TEXT - 1)
    return ax


def rank_errors(errors: Mapping[str, Mapping[str, float]]) -> Axes:
    """Draw by how many ranks an estimate misjudges architectures, by what they have in a place.

    Args:
        errors: for each place, such as an edge, the mean of the estimated rank less the true rank
            for each operation there. Above zero are those that are put too far back.
    """
    ax = chart(None, "Who is misjudged?", "", "estimated rank less true rank", height=3.4)
    names = list(dict.fromkeys(name for group in errors.values() for name in group))
    width = 0.8 / len(names)
    for place, name in enumerate(names):
        at = [i for i, group in enumerate(errors.values()) if name in group]
        heights = [group[name] for group in errors.values() if name in group]
        x = np.array(at) + (place - (len(names) - 1) / 2) * width
        ax.bar(x, heights, 0.9 * width, color=color(name, place), label=label(name))
    ax.axhline(0, color=INK, linewidth=1)
    ax.set_xticks(range(len(errors)), list(errors))
    ax.grid(axis="x", visible=False)
    legend_beside(ax)
    return ax


class CostOfRanking:
    """Rank correlation against cost for a grid of fidelities, with one of them pointed at.

    Args:
        ax: where to draw.
        cost: share of a whole training's cost, [rows, columns].
        tau: the correlation that it buys, [rows, columns].
        names: of the rows; each is a line, drawn from its first column to its last.
    """

    def __init__(self, ax: Axes, cost: np.ndarray, tau: np.ndarray, names: Sequence[str]) -> None:
        self.cost, self.tau = cost, tau
        for place, name in enumerate(names):
            look = style("", place) | {"color": color("", place), "linewidth": 1.6}
            ax.plot(cost[place], tau[place], marker="o", markersize=4.5, label=name, **look)
        self._ring = ring(ax)
        ax.set_xscale("log")
        fixed_ticks(ax.xaxis, [0.03, 0.1, 0.3, 1.0], "{:.0%}".format)
        ax.margins(y=0.12)
        legend(ax, loc="upper left", frameon=True, framealpha=0.9)
        self.moving = [self._ring]

    def point_at(self, row: int, column: int) -> None:
        """Put the ring around one fidelity."""
        self._ring.set_data([self.cost[row, column]], [self.tau[row, column]])


class RankingOverTime:
    """Rank correlation over the time of a training by several methods; one is pointed at.

    A line is the mean over seeds, its band reaches from the worst seed to the best.

    Args:
        ax: where to draw.
        curves: for each method its seconds [T] and its correlations [S, T], by name.
    """

    def __init__(self, ax: Axes, curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        self.curves = curves
        for place, (name, (seconds, tau)) in enumerate(curves.items()):
            look = style("", place) | {"linewidth": 1.8, "color": color("", place)}
            ax.plot(seconds, tau.mean(axis=0), label=name, **look)
            band: dict[str, Any] = {"color": look["color"], "alpha": 0.15, "linewidth": 0}
            ax.fill_between(seconds, tau.min(axis=0), tau.max(axis=0), **band)
        self._ring = ring(ax)
        ax.set_xscale("log")
        fixed_ticks(ax.xaxis, [1, 2, 5, 10, 20, 50, 100, 200], "{:g}".format)
        low, high = ax.get_ylim()
        rows = (len(curves) + 1) // 2
        ax.set_ylim(low - (high - low) * (0.06 + 0.08 * rows), high)  # room for the legend
        legend(ax, loc="lower right", ncols=2, frameon=True, framealpha=0.9)
        self.moving = [self._ring]

    def point_at(self, name: str, checkpoint: int) -> None:
        """Put the ring around one checkpoint of one method, at its first seed."""
        seconds, tau = self.curves[name]
        self._ring.set_data([seconds[checkpoint]], [tau[0, checkpoint]])


# ---- rows of dots ----------------------------------------------------------------------------


def correlations(
    found: Mapping[str, RankCorrelation],
    *,
    title: str = "Which estimate ranks best?",
    baseline: str | None = None,
) -> Axes:
    """Draw Kendall's tau with its interval for each estimate, the best at the top.

    Args:
        found: from the name of an estimate to what ``explain.rank_correlation`` says of it.
        title: what the picture asks or finds.
        baseline: the estimate to beat; a line and another colour mark it.
    """
    names = sorted(found, key=lambda name: found[name].tau)
    ax = chart(None, title, "Kendall's τ with the truth", "", height=1.1 + 0.31 * len(names))
    for row, name in enumerate(names):
        hue = RED if name == baseline else BLUE
        interval: dict[str, Any] = {"linewidth": 2.2, "solid_capstyle": "butt"}
        ax.plot(found[name].tau_interval, [row, row], color=hue, **interval)
        ax.plot(found[name].tau, row, "o", color=hue, markersize=6.5)
    if baseline is not None:
        ax.axvline(found[baseline].tau, color=RED, linestyle="--", linewidth=1)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(-0.6, len(names) - 0.4)
    return ax


def _runs(ax: Axes, row: int, values: np.ndarray, hue: str, low: float = 0.0) -> float:
    """A dot for each run and a bar for their median; arrowheads at ``low`` for what is below it.

    Dots are strewn upwards and downwards, so that equal ones are seen.

    Returns:
        The median.
    """
    strewn, kept = row + np.linspace(-0.25, 0.25, len(values)), values >= low
    size, alpha = (5.5, 0.55) if len(values) < 50 else (4, 0.4)
    look: dict[str, Any] = {"color": hue, "mew": 0, "markersize": size, "alpha": alpha}
    ax.plot(values[kept], strewn[kept], "o", clip_on=False, **look)
    if not kept.all():
        ax.plot(0 * values[~kept] + low, strewn[~kept], "<", clip_on=False, **look)
    median = max(low, float(np.median(values)))
    ax.plot([median] * 2, [row - 0.37, row + 0.37], color=hue, linewidth=2.6)
    return median


def spreads(
    found: Mapping[str, np.ndarray],
    *,
    title: str,
    baseline: str | None = None,
    reference: tuple[float, str] | None = None,
    low: float = 0.0,
) -> Axes:
    """Draw what methods found: a dot for each seed, a bar for their median, the best at the top.

    Args:
        found: from the name of a method to the test accuracy that each of its seeds reached.
        title: what the picture asks or finds.
        baseline: the method to beat; a line and another colour mark it.
        reference: an accuracy to compare with, and its name.
        low: what is below has no room, and is an arrowhead at the edge.
    """
    names = sorted(found, key=lambda name: np.median(found[name]))
    ax = chart(None, title, "test accuracy", "", height=1.25 + 0.31 * len(names))
    for row, name in enumerate(names):
        median = _runs(ax, row, found[name], RED if name == baseline else BLUE, low)
        if name == baseline:
            ax.axvline(median, color=RED, linestyle="--", linewidth=1)
    if reference is not None:
        share, text = reference
        ax.axvline(share, color=MUTED, linestyle=":", linewidth=1.4)
        clear = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        look = {"color": MUTED, "fontsize": TEXT - 1, "ha": "right", "va": "bottom"}
        write(ax, share, len(names) - 0.4, f"{text}  ", bbox=clear, **look)
    ax.set_yticks(range(len(names)), [label(name) for name in names])
    ax.set_ylim(-0.6, len(names) + (0.1 if reference else -0.4))
    if low:
        ax.set_xlim(left=low)
    percent(ax.xaxis)
    return ax


def bests(found: Mapping[str, np.ndarray], yours: float, best: float, ax: Axes) -> Axes:
    """Draw what searches found, a dot for each run, and where you are among them.

    Args:
        found: from the name of a strategy to the best score of each of its runs, [S].
        yours: your own best score, a line through all of them.
        best: the highest score that there is.
        ax: where to draw.

    A bar is the median of a strategy's runs.
    """
    chart(ax, "Where is your best among theirs?", "best validation accuracy found", "")
    for row, (name, scores) in enumerate(found.items()):
        _runs(ax, row, scores, color(name, row))
    ax.set_yticks(range(len(found)), [f"{label(n)}\n({len(s)} runs)" for n, s in found.items()])
    ax.set_ylim(len(found) - 0.5, -0.9)
    percent(ax.xaxis)
    ax.axvline(best, color=RED, linewidth=1.2)
    look: dict[str, Any] = {"color": RED, "fontsize": TEXT - 1, "va": "center", "rotation": 90}
    place = (best, len(found) / 2 - 0.7)
    ax.annotate("best of the table", place, (3, 0), textcoords="offset points", **look)
    ax.axvline(yours, color=INK, linewidth=2.2)
    box = {"boxstyle": "round,pad=0.25", "facecolor": HIGHLIGHT, "edgecolor": "none"}
    write(ax, yours, -0.66, f"you: {yours:.1%}", bbox=box)
    return ax
