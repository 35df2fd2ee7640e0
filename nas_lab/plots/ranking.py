"""How estimates rank architectures beside the truth, and what searches found, as dots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from scipy.stats import rankdata

from nas_lab.plots import theme
from nas_lab.plots.theme import TEXT, chart, color, label, legend, line_look, percent, ring, write

if TYPE_CHECKING:
    from nas_lab.explain import RankCorrelation

_KINDS = {
    "best, and chosen": (theme.GREEN, "o"),
    "best, but missed": (theme.RED, "^"),
    "chosen, not best": (theme.ORANGE, "v"),
    "neither": (theme.PALE, "o"),
}


class RankScatter:
    """Ranks of n architectures by an estimate against true ranks, on axes that are kept.
    Rank 1 is the best, right and at the top. Colour and shape tell apart what both put into their
    first share ``top``, and what only one of them does."""

    def __init__(self, ax: Axes, n: int, top: float = 0.1) -> None:
        self.k = max(1, round(top * n))
        ax.plot([n, 1], [n, 1], color=theme.MUTED, lw=1, zorder=1)
        self._marks = {
            kind: ax.plot([], [], mark, color=hue, ms=5 if n <= 500 else 2.5, alpha=0.85)[0]
            for kind, (hue, mark) in reversed(_KINDS.items())
        }
        for line in (ax.axvline, ax.axhline):
            line(self.k + 0.5, color=theme.MUTED, ls=":", lw=1)
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
    estimate: np.ndarray, truth: np.ndarray, *, title: str, counted: bool = True
) -> Axes:
    """Draw ranks by an estimate against true ranks, of scores [n] each; see ``RankScatter``.
    Where a reader is to guess how many are right, the legend need not have them ``counted``."""
    ax = chart(None, title, "rank by the estimate (1 is best)", "true rank", height=4.2)
    scatter = RankScatter(ax, len(estimate))
    scatter.update(np.asarray(estimate), np.asarray(truth))
    lines, title = scatter.moving[::-1], f"the first {scatter.k}"
    if not counted:
        for kind, line in zip(_KINDS, lines, strict=True):
            line.set_label(kind)
    theme.legend_beside(ax, handles=lines, title=title, title_fontsize=TEXT - 1)
    return ax


def rank_errors(errors: Mapping[str, Mapping[str, float]]) -> Axes:
    """Draw by how many ranks an estimate misjudges architectures, by what they have in a place.
    Of each operation in each place it is the mean of the estimated rank less the true rank: above
    zero are those that are put too far back."""
    ax = chart(None, "Who is misjudged?", "", "estimated rank less true rank", height=3.4)
    names = list(dict.fromkeys(name for group in errors.values() for name in group))
    width = 0.8 / len(names)
    for place, name in enumerate(names):
        heights = {i: group[name] for i, group in enumerate(errors.values()) if name in group}
        x, y = np.array(list(heights.items())).T
        x = x + (place - (len(names) - 1) / 2) * width
        ax.bar(x, y, 0.9 * width, color=color(name, place), label=label(name))
    ax.axhline(0, color=theme.INK, lw=1)
    ax.set_xticks(range(len(errors)), list(errors))
    ax.grid(axis="x", visible=False)
    theme.legend_beside(ax)
    return ax


class CostOfRanking:
    """Rank correlation against the share of a whole training's cost, a line for each row [R, C]."""

    def __init__(self, ax: Axes, cost: np.ndarray, tau: np.ndarray, names: Sequence[str]) -> None:
        self._cost, self._tau = cost, tau
        for place, name in enumerate(names):
            look = line_look("", place) | {"linewidth": 1.6}
            ax.plot(cost[place], tau[place], marker="o", ms=4.5, label=name, **look)
        self._ring = ring(ax)
        ax.set_xscale("log")
        theme.fixed_ticks(ax.xaxis, [0.03, 0.1, 0.3, 1.0], "{:.0%}".format)
        ax.margins(y=0.12)
        legend(ax, loc="upper left", frameon=True, framealpha=0.9)
        self.moving = [self._ring]

    def point_at(self, row: int, column: int) -> None:
        """Put the ring around one fidelity."""
        self._ring.set_data([self._cost[row, column]], [self._tau[row, column]])


class RankingOverTime:
    """Rank correlation over the time of a training by several methods; one is pointed at.
    A method has seconds [T] and correlations [S, T]. A line is the mean over seeds, its band
    reaches from the worst seed to the best."""

    def __init__(self, ax: Axes, curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        self._curves = curves
        for place, (name, (seconds, tau)) in enumerate(curves.items()):
            look = line_look("", place) | {"linewidth": 1.8}
            ax.plot(seconds, tau.mean(axis=0), label=name, **look)
            band: dict[str, Any] = {"color": look["color"], "alpha": 0.15, "linewidth": 0}
            ax.fill_between(seconds, tau.min(axis=0), tau.max(axis=0), **band)
        self._ring = ring(ax)
        ax.set_xscale("log")
        theme.fixed_ticks(ax.xaxis, [1, 2, 5, 10, 20, 50, 100, 200], "{:g}".format)
        low, high = ax.get_ylim()
        rows = (len(curves) + 1) // 2
        ax.set_ylim(low - (high - low) * (0.06 + 0.08 * rows), high)  # room for the legend
        legend(ax, loc="lower right", ncols=2, frameon=True, framealpha=0.9)
        self.moving = [self._ring]

    def point_at(self, name: str, checkpoint: int) -> None:
        """Put the ring around one checkpoint of one method, at its first seed."""
        seconds, tau = self._curves[name]
        self._ring.set_data([seconds[checkpoint]], [tau[0, checkpoint]])


def correlations(
    found: Mapping[str, RankCorrelation], *, title: str, baseline: str | None = None
) -> Axes:
    """Draw Kendall's tau with its interval for each estimate, the best at the top.
    A line and another colour mark the ``baseline``, the estimate to beat."""
    names = sorted(found, key=lambda name: found[name].tau)
    ax = chart(None, title, "Kendall's τ with the truth", "", height=1.1 + 0.31 * len(names))
    for row, name in enumerate(names):
        hue = theme.RED if name == baseline else theme.BLUE
        ax.plot(found[name].tau_interval, [row, row], color=hue, lw=2.2, solid_capstyle="butt")
        ax.plot(found[name].tau, row, "o", color=hue, ms=6.5)
    if baseline is not None:
        ax.axvline(found[baseline].tau, color=theme.RED, ls="--", lw=1)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(-0.6, len(names) - 0.4)
    return ax


def _runs(ax: Axes, row: int, values: np.ndarray, hue: str, low: float = 0.0) -> float:
    """A dot for each run, an arrowhead for what is below ``low``, and a bar for the median."""
    strewn = row + np.linspace(-0.25, 0.25, len(values))  # so that equal ones are seen
    kept = values >= low
    size, alpha = (5.5, 0.55) if len(values) < 50 else (4, 0.4)
    look: dict[str, Any] = {"color": hue, "mew": 0, "ms": size, "alpha": alpha, "clip_on": False}
    ax.plot(values[kept], strewn[kept], "o", **look)
    if not kept.all():
        ax.plot(0 * values[~kept] + low, strewn[~kept], "<", **look)
    median = max(low, float(np.median(values)))
    ax.plot([median] * 2, [row - 0.37, row + 0.37], color=hue, lw=2.6)
    return median


def spreads(
    found: Mapping[str, np.ndarray],
    *,
    title: str,
    baseline: str | None = None,
    reference: tuple[float, str] | None = None,
    low: float = 0.0,
) -> Axes:
    """Draw the test accuracies that methods found: a dot for each seed, a bar for their median.
    The best method is at the top. A line and another colour mark the ``baseline``, the method to
    beat; ``reference`` is an accuracy to compare with, and its name. What is below ``low`` is an
    arrowhead at the edge."""
    names = sorted(found, key=lambda name: np.median(found[name]))
    ax = chart(None, title, "test accuracy", "", height=1.25 + 0.31 * len(names))
    for row, name in enumerate(names):
        hue = theme.RED if name == baseline else theme.BLUE
        median = _runs(ax, row, found[name], hue, low)
        if name == baseline:
            ax.axvline(median, color=theme.RED, ls="--", lw=1)
    if reference is not None:
        share, text = reference
        ax.axvline(share, color=theme.MUTED, ls=":", lw=1.4)
        clear = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        look = {"color": theme.MUTED, "fontsize": TEXT - 1, "ha": "right", "va": "bottom"}
        write(ax, share, len(names) - 0.4, f"{text}  ", bbox=clear, **look)
    ax.set_yticks(range(len(names)), [label(name) for name in names])
    ax.set_ylim(-0.6, len(names) + (0.1 if reference else -0.4))
    if low:
        ax.set_xlim(left=low)
    percent(ax.xaxis)
    return ax


def bests(found: Mapping[str, np.ndarray], yours: float, best: float, ax: Axes) -> Axes:
    """Draw the best score of each run of each strategy, their medians, and your own best."""
    chart(ax, "Where is your best among theirs?", "best validation accuracy found", "")
    for row, (name, scores) in enumerate(found.items()):
        _runs(ax, row, scores, color(name, row))
    ax.set_yticks(range(len(found)), [f"{label(n)}\n({len(s)} runs)" for n, s in found.items()])
    ax.set_ylim(len(found) - 0.5, -0.9)
    percent(ax.xaxis)
    ax.axvline(best, color=theme.RED, lw=1.2)
    look: dict[str, Any] = {
        "color": theme.RED,
        "fontsize": TEXT - 1,
        "va": "center",
        "rotation": 90,
    }
    place = (best, len(found) / 2 - 0.7)
    ax.annotate("best of the table", place, (3, 0), textcoords="offset points", **look)
    ax.axvline(yours, color=theme.INK, lw=2.2)
    write(ax, yours, -0.66, f"you: {yours:.1%}", bbox=theme.TAG)
    return ax
