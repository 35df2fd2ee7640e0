"""A budget and who spends it: the brackets of Hyperband, workers at work, hours of a project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.ticker import FuncFormatter

from nas_lab.plots.colors import HIGHLIGHT, INK, MUTED, text_on
from nas_lab.plots.figures import TEXT, chart

if TYPE_CHECKING:
    from nas_lab.strategies.halving import Rung
    from nas_lab.workflow.cluster import Interval

_DEPTHS = ("#BFDCEF", "#86BBDD", "#4C97C6", "#277AB3", "#0B5C97", "#003A63", "#001F38")
_TURNS = ("#277AB3", "#E48E00", "#009F72", "#BD4400", "#691D6A", "#6B6B6B")
_MACHINE, _HUMAN = "#277AB3", "#E48E00"


class BracketBoxes:
    """What each rung of each bracket spends; a row is a bracket, the boldest at the top.

    A box says how many architectures are trained up to which epoch. It is as long as the epochs
    that this costs, counted in whole trainings, so the axis is the same for all of them. Darker
    boxes are trained longer.

    Args:
        ax: where to draw; its limits stay as they are made here.
        rows: the most brackets to show; one spends as many whole trainings at most.
        title: what the picture asks or finds.
    """

    def __init__(self, ax: Axes, rows: int, title: str = "How Hyperband divides a budget") -> None:
        chart(ax, title, "whole trainings", "")
        self._widest = 1.03 * rows
        self._light = PolyCollection([], facecolors=HIGHLIGHT, alpha=0.55)
        self._boxes = PolyCollection([], edgecolors="white")
        ax.add_collection(self._light)
        ax.add_collection(self._boxes)
        look: dict[str, Any] = {"va": "center", "fontsize": TEXT - 1.5}
        rungs = rows * (rows + 1) // 2
        self._texts = [ax.text(0, 0, "", ha="center", **look) for _ in range(rungs)]
        place = {"ha": "right", "color": INK, **look, "fontsize": TEXT}
        self._names = [ax.text(-0.06, row, "", **place) for row in range(rows)]
        ax.set_xlim(0, self._widest)
        ax.set_ylim(rows - 0.45, -0.55)
        ax.set_yticks([])
        ax.grid(visible=False, axis="y")

    @property
    def moving(self) -> list[Artist]:
        """The artists that ``update`` changes."""
        return [self._light, self._boxes, *self._texts, *self._names]

    def update(self, brackets: Sequence[Sequence[Rung]], pointed: int) -> None:
        """Show brackets, as of ``Hyperband.brackets``, and light one of them up."""
        whole = brackets[-1][-1].epochs
        steps = sorted({rung.epochs for rungs in brackets for rung in rungs})
        boxes, hues = [], []
        texts = iter(self._texts)
        for row, rungs in enumerate(brackets):
            ends = list(accumulate((rung.cost / whole for rung in rungs), initial=0.0))
            for rung, left, right in zip(rungs, ends, ends[1:], strict=False):
                hue = _DEPTHS[_share(steps.index(rung.epochs), steps)]
                boxes.append(_box(left, right, row, 0.36))
                hues.append(hue)
                text, label = next(texts), f"{rung.archs} to {rung.epochs}"
                fits = right - left > 0.0135 * self._widest * len(label)
                text.set(
                    text=label if fits else "", x=(left + right) / 2, y=row, color=text_on(hue)
                )
        for text in texts:
            text.set_text("")
        for row, name in enumerate(self._names):
            name.set_text(f"{brackets[row][0].archs} start" if row < len(brackets) else "")
        self._boxes.set(verts=boxes, facecolor=hues)
        self._light.set_verts([_box(0, self._widest, pointed, 0.5)])


def _share(step: int, steps: Sequence[int]) -> int:
    """The place of a step among the depths: the first is the lightest, the last the darkest."""
    return step * (len(_DEPTHS) - 1) // max(1, len(steps) - 1)


def _box(left: float, right: float, row: int, half: float) -> list[tuple[float, float]]:
    """Corners."""
    low, high = row - half, row + half
    return [(left, low), (right, low), (right, high), (left, high)]


def workers(
    intervals: Sequence[Interval],
    ax: Axes | None = None,
    *,
    batch: int,
    title: str = "Which worker ran which trial when",
    lost: float | None = None,
) -> Axes:
    """Draw trials as boxes in the row of their worker; a batch has a colour of its own.

    Args:
        intervals: trials on workers, as of ``nas_lab.workflow.timeline``.
        ax: where to draw; None makes a new figure.
        batch: trials that were asked for together.
        title: what the picture asks or finds.
        lost: the second in which a worker was killed.
    """
    rows = 1 + max(interval.worker for interval in intervals)
    ax = chart(ax, title, "seconds since the first trial began", "", 1.2 + 0.55 * rows)
    end = max(interval.ended for interval in intervals)
    for interval in intervals:
        hue = _TURNS[interval.trial // batch % len(_TURNS)]
        span = [(interval.began, interval.ended - interval.began)]
        ax.broken_barh(
            span, (interval.worker - 0.36, 0.72), color=hue, edgecolor="white", linewidth=0.8
        )
        if interval.ended - interval.began > 0.03 * end:
            middle = (interval.began + interval.ended) / 2
            look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": TEXT - 2}
            ax.text(middle, interval.worker, str(interval.trial), color=text_on(hue), **look)
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
