"""A budget and who spends it: the brackets of Hyperband, workers at work, hours of a project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from nas_lab.plots.colors import HIGHLIGHT, INK, MUTED, text_on
from nas_lab.plots.figures import TEXT, chart

if TYPE_CHECKING:
    from nas_lab.strategies.halving import Rung
    from nas_lab.workflow.cluster import Stay

_DEPTHS = ("#BFDCEF", "#86BBDD", "#4C97C6", "#277AB3", "#0B5C97", "#003A63", "#001F38")
_TURNS = ("#277AB3", "#E48E00", "#009F72", "#BD4400", "#691D6A", "#6B6B6B")
_MACHINE, _HUMAN = "#277AB3", "#E48E00"


def brackets(
    brackets: Sequence[Sequence[Rung]],
    ax: Axes | None = None,
    *,
    title: str = "How Hyperband divides a budget",
    pointed: int | None = None,
) -> Axes:
    """Draw what each rung of each bracket spends; a row is a bracket, the boldest at the top.

    A box says how many architectures are trained up to which epoch, and is as long as the epochs
    that this costs. Darker boxes are trained longer.

    Args:
        brackets: their rungs, as ``Hyperband.brackets``.
        ax: where to draw; None makes a new figure.
        title: what the picture asks or finds.
        pointed: a bracket to light up.
    """
    ax = chart(
        ax, title, "epochs of training, over all architectures", "", 1.3 + 0.5 * len(brackets)
    )
    spent = [[rung.cost for rung in rungs] for rungs in brackets]
    longest = max(map(sum, spent))
    steps = sorted({rung.epochs for rungs in brackets for rung in rungs})
    for row, (rungs, costs) in enumerate(zip(brackets, spent, strict=True)):
        if row == pointed:
            ax.axhspan(row - 0.5, row + 0.5, color=HIGHLIGHT, alpha=0.55, linewidth=0)
        left = 0
        for rung, cost in zip(rungs, costs, strict=True):
            hue = _DEPTHS[steps.index(rung.epochs) * (len(_DEPTHS) - 1) // max(1, len(steps) - 1)]
            ax.barh(row, cost, left=left, height=0.72, color=hue, edgecolor="white")
            text = f"{rung.archs} to {rung.epochs}"
            look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": TEXT - 1.5}
            if cost > longest * 0.0135 * len(text):
                ax.text(left + cost / 2, row, text, color=text_on(hue), **look)
            left += cost
    names = [f"{rungs[0].archs} start" for rungs in brackets]
    ax.set_yticks(range(len(brackets)), names)
    ax.set_ylim(len(brackets) - 0.45, -0.55)
    ax.set_xlim(0, longest * 1.02)
    ax.grid(visible=False, axis="y")
    return ax


def workers(
    stays: Sequence[Stay],
    ax: Axes | None = None,
    *,
    batch: int,
    title: str = "Which worker ran which trial when",
    lost: float | None = None,
) -> Axes:
    """Draw trials as boxes in the row of their worker; a batch has a colour of its own.

    Args:
        stays: trials on workers, as of ``nas_lab.workflow.timeline``.
        ax: where to draw; None makes a new figure.
        batch: trials that were asked for together.
        title: what the picture asks or finds.
        lost: the second in which a worker was killed.
    """
    rows = 1 + max(stay.worker for stay in stays)
    ax = chart(ax, title, "seconds since the first trial began", "", 1.2 + 0.55 * rows)
    end = max(stay.ended for stay in stays)
    for stay in stays:
        hue = _TURNS[stay.trial // batch % len(_TURNS)]
        span = [(stay.began, stay.ended - stay.began)]
        ax.broken_barh(
            span, (stay.worker - 0.36, 0.72), color=hue, edgecolor="white", linewidth=0.8
        )
        if stay.ended - stay.began > 0.03 * end:
            middle = (stay.began + stay.ended) / 2
            look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": TEXT - 2}
            ax.text(middle, stay.worker, str(stay.trial), color=text_on(hue), **look)
    if lost is not None:
        ax.axvline(lost, color=INK, linewidth=1.8, linestyle="--")
        beside: dict[str, Any] = {"xytext": (4, 0), "textcoords": "offset points"}
        ax.annotate("killed", (lost, rows - 0.43), fontsize=TEXT - 1, color=INK, **beside)
    ax.set_yticks(range(rows), [f"worker {row + 1}" for row in range(rows)])
    ax.set_ylim(rows - 0.4, -0.6)
    ax.set_xlim(0, end * 1.01)
    ax.grid(visible=False, axis="y")
    return ax


def minutes(
    machine: Mapping[str, float],
    human: Mapping[str, float],
    ax: Axes | None = None,
    *,
    title: str = "Who spends the time?",
) -> Axes:
    """Draw minutes by step on a logarithmic axis: a dot for the machine, a square for a human.

    Args:
        machine, human: minutes by the name of a step, above 0; a step may be in one or in both.
        ax: where to draw; None makes a new figure.
        title: what the picture asks or finds.
    """
    steps = list(dict.fromkeys([*human, *machine]))
    ax = chart(ax, title, "minutes (log scale)", "", 1.4 + 0.33 * len(steps))
    for row, step in enumerate(steps):
        both = [spent[step] for spent in (machine, human) if step in spent]
        if len(both) == 2:
            ax.plot(both, [row, row], color=MUTED, linewidth=1, zorder=1)
    for name, spent, hue, mark in (
        ("machine, measured here", machine, _MACHINE, "o"),
        ("human, an estimate", human, _HUMAN, "s"),
    ):
        rows = [steps.index(step) for step in spent]
        ax.plot(list(spent.values()), rows, mark, color=hue, markersize=8, label=name, zorder=2)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.set_yticks(range(len(steps)), steps)
    ax.set_ylim(len(steps) - 0.5, -0.5)
    ax.legend(fontsize=TEXT - 1, labelcolor=INK, framealpha=0.9, loc="best")
    return ax
