"""How an estimate ranks architectures, beside the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator
from scipy.stats import rankdata

from nas_lab.plots.colors import INK, MUTED, color, label, style
from nas_lab.plots.figures import TEXT, chart

if TYPE_CHECKING:
    from nas_lab.explain import RankCorrelation

HIT, MISSED, FALSE, REST = "#009F72", "#BD4400", "#E48E00", "#A9B4BE"
ESTIMATE = "#004C85"
_KINDS = {
    "best, and chosen": (HIT, "o"),
    "best, but missed": (MISSED, "^"),
    "chosen, not best": (FALSE, "v"),
    "neither": (REST, "o"),
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
        self.ax, self.n, self.k = ax, n, max(1, round(top * n))
        ax.plot([n, 1], [n, 1], color=MUTED, linewidth=1, zorder=1)
        size = 5 if n <= 500 else 2.5
        look: dict[str, Any] = {"markersize": size, "alpha": 0.85, "linestyle": "none"}
        self._marks = {
            kind: ax.plot([], [], mark, color=hue, **look)[0]
            for kind, (hue, mark) in reversed(_KINDS.items())
        }
        edge = self.k + 0.5
        ax.axvline(edge, color=MUTED, linestyle=":", linewidth=1)
        ax.axhline(edge, color=MUTED, linestyle=":", linewidth=1)
        pad = 0.03 * n
        ax.set_xlim(n + pad, 1 - pad)
        ax.set_ylim(n + pad, 1 - pad)
        ticks = [1, *range(n // 4, n + 1, n // 4)] if n >= 8 else list(range(1, n + 1))
        ax.set_xticks(ticks)
        ax.set_yticks(ticks)

    @property
    def moving(self) -> list[Line2D]:
        """The artists that ``update`` changes."""
        return list(self._marks.values())

    def update(self, estimate: np.ndarray, truth: np.ndarray) -> None:
        """Show the ranks of two arrays of scores, [n] each; higher scores are better."""
        x, y = ranks(estimate), ranks(truth)
        # As for ``explain.precision_at``: exactly k are chosen, and all that tie for k-th are best.
        chosen = ranks(estimate, "ordinal") <= self.k
        best = ranks(truth, "min") <= self.k
        kinds = [chosen & best, ~chosen & best, chosen & ~best, ~chosen & ~best]
        for kind, rows in zip(_KINDS, kinds, strict=True):
            self._marks[kind].set_data(x[rows], y[rows])
            self._marks[kind].set_label(f"{kind}: {rows.sum()}")


def ranks(scores: np.ndarray, ties: str = "average") -> np.ndarray:
    """Rank 1 for the highest score; ``ties`` is the method of ``scipy.stats.rankdata``."""
    return rankdata(-np.asarray(scores, dtype=float), method=ties)


def rank_scatter(
    estimate: np.ndarray,
    truth: np.ndarray,
    ax: Axes | None = None,
    *,
    title: str = "Does the estimate rank like the truth?",
    top: float = 0.1,
) -> Axes:
    """Draw ranks by an estimate against true ranks; rank 1, the best, is right and at the top.

    Args:
        estimate: scores of n architectures, [n].
        truth: their true scores, in the same order, [n].
        ax: where to draw; None makes a new figure.
        title: what the picture asks or finds.
        top: share of the architectures that counts as the best, marked by colour and shape.
    """
    ax = chart(ax, title, "rank by the estimate (1 is best)", "true rank", height=4.2)
    scatter = RankScatter(ax, len(estimate), top)
    scatter.update(estimate, truth)
    lines = ax.get_legend_handles_labels()[0][::-1]
    ax.legend(
        handles=lines,
        title=f"the first {scatter.k}",
        fontsize=TEXT - 1,
        title_fontsize=TEXT - 1,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        frameon=False,
        labelcolor=INK,
    )
    return ax


def rank_errors(
    errors: Mapping[str, Mapping[str, float]],
    ax: Axes | None = None,
    *,
    title: str = "Who is misjudged?",
) -> Axes:
    """Draw by how many ranks an estimate misjudges architectures, by what they have in a place.

    Args:
        errors: for each place, such as an edge, the mean of the estimated rank less the true rank
            for each operation there. Above zero are those that are put too far back.
        ax: where to draw; None makes a new figure.
        title: what the picture asks or finds.
    """
    ax = chart(ax, title, "", "estimated rank less true rank", height=3.4)
    names = list(dict.fromkeys(name for group in errors.values() for name in group))
    width = 0.8 / len(names)
    for place, name in enumerate(names):
        at = [i for i, group in enumerate(errors.values()) if name in group]
        heights = [group[name] for group in errors.values() if name in group]
        shift = (place - (len(names) - 1) / 2) * width
        hue = color(name, place)
        ax.bar([i + shift for i in at], heights, 0.9 * width, color=hue, label=label(name))
    ax.axhline(0, color=INK, linewidth=1)
    ax.set_xticks(range(len(errors)), list(errors))
    ax.grid(axis="x", visible=False)
    ax.legend(
        fontsize=TEXT - 1, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, labelcolor=INK
    )
    return ax


_MEASURES = {
    "tau": "Kendall's τ with the truth",
    "rho": "Spearman's ρ with the truth",
    "precision": "precision at the top",
}


def correlations(
    found: Mapping[str, RankCorrelation],
    ax: Axes | None = None,
    *,
    title: str = "Which estimate ranks best?",
    what: Literal["tau", "rho", "precision"] = "tau",
    baseline: str | None = None,
) -> Axes:
    """Draw a rank correlation with its interval for each estimate, the best at the top.

    Args:
        found: from the name of an estimate to what ``explain.rank_correlation`` says of it.
        ax: where to draw; None makes a new figure.
        title: what the picture asks or finds.
        what: the measure to draw.
        baseline: the estimate to beat; a line and another colour mark it.
    """
    names = sorted(found, key=lambda name: getattr(found[name], what))
    height = 1.1 + 0.31 * len(names)
    ax = chart(ax, title, _MEASURES[what], "", height=height)
    for place, name in enumerate(names):
        value, (low, high) = getattr(found[name], what), getattr(found[name], f"{what}_interval")
        hue = MISSED if name == baseline else ESTIMATE
        ax.plot([low, high], [place, place], color=hue, linewidth=2.2, solid_capstyle="butt")
        ax.plot(value, place, "o", color=hue, markersize=6.5)
    if baseline is not None:
        ax.axvline(getattr(found[baseline], what), color=MISSED, linestyle="--", linewidth=1)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(-0.6, len(names) - 0.4)
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
            ax.plot(
                cost[place],
                tau[place],
                marker="o",
                markersize=4.5,
                color=color("", place),
                **style("", place) | {"linewidth": 1.6},
                label=name,
            )
        (self._ring,) = ax.plot(
            [], [], "o", markersize=13, markerfacecolor="none", markeredgecolor=INK, mew=2
        )
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(FixedLocator([0.03, 0.1, 0.3, 1.0]))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        ax.margins(y=0.12)
        ax.legend(fontsize=TEXT - 1, loc="upper left", labelcolor=INK, framealpha=0.9)

    @property
    def moving(self) -> list[Line2D]:
        """The artists that ``point_at`` changes."""
        return [self._ring]

    def point_at(self, row: int, column: int) -> None:
        """Put the ring around one fidelity."""
        self._ring.set_data([self.cost[row, column]], [self.tau[row, column]])


class RankingOverTime:
    """Rank correlation over the time of a training, for several ways; one of them pointed at.

    A line is the mean over seeds, its band reaches from the worst seed to the best.

    Args:
        ax: where to draw.
        curves: for each way its seconds [T] and its correlations [S, T], by name.
    """

    def __init__(self, ax: Axes, curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        self.curves = curves
        for place, (name, (seconds, tau)) in enumerate(curves.items()):
            hue = color("", place)
            look = style("", place) | {"linewidth": 1.8}
            ax.plot(seconds, tau.mean(axis=0), color=hue, label=name, **look)
            ax.fill_between(
                seconds, tau.min(axis=0), tau.max(axis=0), color=hue, alpha=0.15, linewidth=0
            )
        (self._ring,) = ax.plot(
            [], [], "o", markersize=13, markerfacecolor="none", markeredgecolor=INK, mew=2
        )
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(FixedLocator([1, 2, 5, 10, 20, 50, 100, 200]))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(lambda seconds, _: f"{seconds:g}")
        low, high = ax.get_ylim()
        rows = (len(curves) + 1) // 2
        ax.set_ylim(low - (high - low) * (0.06 + 0.08 * rows), high)  # room for the legend
        ax.legend(fontsize=TEXT - 1, loc="lower right", ncols=2, labelcolor=INK, framealpha=0.9)

    @property
    def moving(self) -> list[Line2D]:
        """The artists that ``point_at`` changes."""
        return [self._ring]

    def point_at(self, name: str, look: int) -> None:
        """Put the ring around one look of one way, at its first seed."""
        seconds, tau = self.curves[name]
        self._ring.set_data([seconds[look]], [tau[0, look]])
