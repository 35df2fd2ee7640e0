"""Charts of costs, times, parts and budgets: accuracy against cost, bars, and boxes in rows."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from nas_lab.devices import Profile
from nas_lab.history import History, Trial, pareto, price
from nas_lab.plots import theme
from nas_lab.plots.curves import accuracy_axis, framed_legend
from nas_lab.plots.matrix import BETTER, WORSE
from nas_lab.plots.theme import INK, TEXT, chart, duration, legend, log_ticks, text_on, write
from nas_lab.spaces.cells import NODES_201

if TYPE_CHECKING:
    from nas_lab.strategies.halving import Rung
    from nas_lab.workflow.cluster import Interval


def cost_accuracy(trials: History | Sequence[Trial], ax: Axes | None = None) -> Axes:
    """Draw accuracy against the metric ``macs``: a point for a trial, the Pareto front as steps."""
    trials = trials.trials if isinstance(trials, History) else list(trials)
    points = [(price(t, "macs"), t.result.score) for t in trials]
    good = [point for point in points if not math.isnan(point[1])]
    if not good:
        raise ValueError("there is no trial with a score to draw")
    ax = chart(ax, "What does accuracy cost?", "", "validation accuracy")
    failed = len(points) - len(good)
    name = f"{len(good)} networks" + (f" ({failed} failed)" if failed else "")
    macs, scores = zip(*good, strict=True)
    low, high = min(macs), max(macs)
    ax.scatter(macs, scores, s=28, color=theme.COLORS["nor_conv_1x1"], alpha=0.75, label=name)
    front = [(price(t, "macs"), t.result.score) for t in pareto(trials, "macs")]
    spent, score = front[-1]
    steps = zip(*front, (high, score), strict=True)  # on to the dearest
    ax.plot(*steps, ds="steps-post", color=INK, lw=1.4, label="Pareto front: best for its cost")
    unit, word = theme.unit_of(high)
    named = f"{word} multiply-adds".strip()
    said = f"best: {score:.1%}, {spent / unit:.3g} {named}"
    ax.plot(spent, score, "*", color=theme.RED, ms=15, mec="white", zorder=5, label=said)
    log = low > 0 and high >= 8 * low
    ax.set_xlabel(f"{named} for an image" + (" (log scale)" if log else ""))
    if log:
        ax.set_xscale("log")
        log_ticks(ax.xaxis, low, high, lambda spent: f"{spent / unit:g}")
    ax.xaxis.set_major_formatter(lambda spent, _: f"{spent / unit:g}")
    accuracy_axis(ax, 0.28)
    framed_legend(ax)
    return ax


class FrontChart:
    """Accuracy [N] against latency [N] with its ``front``, the places of those that none beats."""

    def __init__(
        self, ax: Axes, seconds: np.ndarray, accuracies: np.ndarray, front: np.ndarray, title: str
    ) -> None:
        chart(ax, title, "latency (log scale)", "validation accuracy")
        self._points = np.stack([seconds, accuracies], axis=1)
        ax.plot(seconds, accuracies, ".", color=theme.PALE, ms=2, rasterized=True)
        best: dict[str, Any] = {"marker": "o", "drawstyle": "steps-post", "label": "front"}
        ax.plot(seconds[front], accuracies[front], color=theme.BLUE, ms=4.5, lw=1.6, **best)
        self._ring = theme.ring(ax, 14)
        ax.set_xscale("log")
        low, high = seconds.min() / 1.15, seconds.max() * 1.15
        log_ticks(ax.xaxis, low, high, duration)
        ax.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        floor = accuracies[front].min() - 0.05
        ax.set(xlim=(low, high), ylim=(floor, accuracies.max() + 0.02))
        hidden = int((accuracies < floor).sum())
        place = {"transform": ax.transAxes, "ha": "right", "va": "bottom"}
        said = f"{hidden} more below" if hidden else ""
        write(ax, 0.99, 0.02, said, fontsize=TEXT - 1, color=theme.MUTED, **place)
        self.moving = [self._ring]

    def point_at(self, place: int) -> None:
        """Put the ring around one network."""
        self._ring.set_data(self._points[[place]].T)


class SpeedChart:
    """Accuracy [N] against latency, on axes that are kept while the device changes.
    Latency is over that of the quickest network, which the title says. ``inherited`` [N] are
    accuracies on shared weights, of which that of one network is shown."""

    def __init__(self, ax: Axes, accuracies: np.ndarray, inherited: np.ndarray | None) -> None:
        chart(ax, "", "times the quickest network's latency", "validation accuracy")
        self._accuracies, self._inherited = accuracies, inherited
        self._title = write(ax, 1, 1.06, "", ha="right", transform=ax.transAxes)
        look: dict[str, Any] = {
            "color": theme.BLUE,
            "ms": 4.5,
            "ds": "steps-post",
            "label": "front",
        }
        self._points = ax.plot([], [], "o", color=theme.PALE, ms=3, label="trained alone")[0]
        self._front = ax.plot([], [], "o-", **look)[0]
        self._ring, self._shared = theme.ring(ax, 14), ax.plot([], [], "D", mec=INK, ms=8)[0]
        shown = accuracies
        if inherited is not None:
            shown = np.append(accuracies, inherited)
            self._shared.set(color=theme.ORANGE, label="this one, on inherited weights")
        ax.set_xscale("log", base=2)
        theme.fixed_ticks(ax.xaxis, [1, 2, 4, 8, 16, 32], "{:g}×".format)
        low, high = shown.min(), shown.max()
        ax.set(xlim=(0.85, 40), ylim=(low - 0.3 * (high - low), high + 0.01))  # with a legend
        theme.percent(ax.yaxis)
        legend(ax, loc="lower right", borderaxespad=0.1, handletextpad=0.4)
        self.moving = [self._title, self._points, self._front, self._shared, self._ring]

    def update(self, seconds: np.ndarray, front: np.ndarray, place: int, device: str) -> None:
        """Show latencies [N] on a device, the places of its front, and a ring at one network."""
        times = seconds / seconds.min()
        self._points.set_data(times, self._accuracies)
        self._front.set_data(times[front], self._accuracies[front])
        self._title.set_text(f"{device}\n1× is {duration(seconds.min())}")
        self._ring.set_data(times[[place]], self._accuracies[[place]])
        if self._inherited is not None:
            self._shared.set_data(times[[place]], self._inherited[[place]])


_PARTS = 7
_WAITING, _COMPUTING, _MOVING = "#B8B8B8", theme.BLUE, theme.ORANGE


class TimeBars:
    """A bar for each of the slowest parts of a network: its overhead, then its work."""

    def __init__(self, ax: Axes) -> None:
        places, none = range(_PARTS), np.zeros(_PARTS)
        self._waiting = ax.barh(places, none, height=0.6, color=_WAITING, zorder=3)
        self._busy = ax.barh(places, none, height=0.6, zorder=3)
        self._names = [write(ax, -0.04, y, "", ha="right", fontsize=10) for y in places]
        self._numbers = [write(ax, 0, y, "", ha="left", fontsize=10) for y in places]
        ax.set(xlim=(-1.7, 1.6), ylim=(_PARTS + 0.7, -0.6))
        ax.set_axis_off()
        ax.set_title("Where does its time go?", fontsize=TEXT + 1, color=INK, loc="left")
        meanings = {"overhead": _WAITING, "arithmetic": _COMPUTING, "memory": _MOVING}
        patches = [Patch(color=hue, label=name) for name, hue in meanings.items()]
        legend(ax, handles=patches, loc="lower center", ncols=3, handlelength=1.2, borderaxespad=0)
        self.moving = [*self._waiting, *self._busy, *self._names, *self._numbers]

    def update(self, parts: Sequence[Profile]) -> None:
        """Show the first parts of a list, longest first."""
        rows = zip(self._waiting, self._busy, self._names, self._numbers, strict=True)
        for row, part in zip_longest(rows, parts[:_PARTS]):
            waiting, busy, name, number = row
            start, end, hue = 0.0, 0.0, _COMPUTING
            if part:
                start, end = part.overhead / parts[0].seconds, part.seconds / parts[0].seconds
                hue = _MOVING if part.memory_bound else _COMPUTING
            waiting.set_width(start)
            busy.set(x=start, width=end - start, facecolor=hue)
            name.set_text(part_label(part) if part else "")
            number.set(x=end + 0.04, text=duration(part.seconds) if part else "")


def part_label(part: Profile) -> str:
    """What a picture calls a part: ``input → 1: conv 3×3``, with how often it is there."""
    first = part.kernels[0]
    kind = first.kernel.kind.replace("_", " ")
    size = first.op.settings.get("kernel_size")
    if size is not None:
        height, width = (size, size) if isinstance(size, int) else size
        kind = f"{kind} {height}×{width}"
    kind = {"add": "sum", "relu": "ReLU", "linear": "dense"}.get(kind, kind)
    times = f" (×{len(part.kernels)})" if len(part.kernels) > 1 else ""
    place = part.name.rpartition(".")[0].replace(".", " ").replace("_", " ")
    found = re.match(r"(edge|node)_(\d)(\d?)\.", part.name)
    if found:
        nodes = [NODES_201[int(n)] if int(n) < 4 else n for n in found.groups()[1:] if n]
        # A ReLU is read by all convolutions of its node.
        place = nodes[0] if kind == "ReLU" else " → ".join(nodes)
    return f"{place}: {kind}{times}" if place else f"{kind}{times}"


class PartBars:
    """Bars for the parts of a change, and the whole as the last one, each with its value.
    The longest bar fills its side, so lengths compare within a picture."""

    def __init__(self, ax: Axes, parts: Sequence[str], title: str) -> None:
        places = range(len(parts))
        self._bars = ax.barh(places, np.zeros(len(parts)), height=0.62, zorder=3)
        self._numbers = [write(ax, 0, place, "", fontsize=10) for place in places]
        ax.axvline(0, color=theme.MUTED, lw=1)
        ax.axhline(len(parts) - 1.5, color="#C8C8C8", lw=0.8)
        ax.set_yticks(places, parts, fontsize=0.95 * TEXT, color=INK)
        ax.set(xlim=(-1.55, 1.55), ylim=(len(parts) - 0.5, -0.5), xticks=[])
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        ax.set_title(title, fontsize=TEXT + 1, color=INK, loc="left")
        self.moving = [*self._bars, *self._numbers]

    def update(self, values: Sequence[float]) -> None:
        """Show parts and whole, shares such as accuracies; a hundredth is a point."""
        longest = max(map(abs, values)) or 1.0
        for bar, number, value in zip(self._bars, self._numbers, values, strict=True):
            length = value / longest
            bar.set(width=length, facecolor=BETTER if value > 0 else WORSE)
            aside, ha = (0.04, "left") if value >= 0 else (-0.04, "right")
            said = f"{100 * value:+.1f}".replace("-", "−") if value else ""
            number.set(text=said, x=length + aside, ha=ha)


_STEPS = 40
_HIGHEST = 0.42  # share of the steps that has room; a higher bar is cut


class CosineBars:
    """How many steps point how far uphill: bars over the cosine with the gradient, from -1 to 1."""

    def __init__(self, ax: Axes) -> None:
        self._edges = np.linspace(-1, 1, _STEPS + 1)
        hues = [theme.RED if left < -1e-9 else theme.BLUE for left in self._edges[:-1]]
        self._bars = PolyCollection([], facecolors=hues, edgecolors="white", linewidths=0.5)
        ax.add_collection(self._bars)
        self._mean = ax.plot([], [], color=INK, lw=2.2)[0]
        self._said = write(ax, 0, 0.955 * _HIGHEST, "", bbox=theme.TAG)
        ax.axvline(0, color=INK, lw=1)
        ax.set(xlim=(-1, 1), xticks=[-1, -0.5, 0, 0.5, 1], ylim=(0, _HIGHEST))
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        write(ax, -0.97, 0.83 * _HIGHEST, "← downhill", color=theme.RED, ha="left")
        write(ax, 0.97, 0.83 * _HIGHEST, "uphill →", color=theme.BLUE, ha="right")
        self.moving = [self._bars, self._mean, self._said]

    def update(self, cosines: np.ndarray) -> None:
        """Show the cosines of some steps, [n]."""
        counts, _ = np.histogram(cosines, self._edges)
        shares = np.minimum(counts / len(cosines), _HIGHEST)
        sides = zip(self._edges[:-1], self._edges[1:], shares, strict=True)
        self._bars.set_verts([_box(left, right, 0, share) for left, right, share in sides])
        mean = float(np.mean(cosines))
        self._mean.set_data([mean, mean], [0, 0.9 * _HIGHEST])
        self._said.set(text=f"mean {mean:.2f}", x=np.clip(mean, -0.82, 0.82))


def _box(left: float, right: float, low: float, high: float) -> list[tuple[float, float]]:
    return [(left, low), (right, low), (right, high), (left, high)]


_DEPTHS = ("#BFDCEF", "#86BBDD", "#4C97C6", "#277AB3", "#0B5C97", "#003A63", "#001F38")
_TURNS = ("#277AB3", theme.ORANGE, theme.GREEN, theme.RED, "#691D6A", theme.MUTED)


class BracketBoxes:
    """What each rung of each bracket spends; a row is a bracket, the boldest at the top.
    A box says how many architectures are trained up to which epoch, and is as long as the epochs
    that this costs, in whole trainings. Darker boxes are trained longer. The axes have room for so
    many ``rows``, of as many whole trainings at most."""

    def __init__(self, ax: Axes, rows: int) -> None:
        chart(ax, "How Hyperband divides a budget", "whole trainings", "")
        self._widest = 1.03 * rows
        self._light = PolyCollection([], facecolors=theme.HIGHLIGHT, alpha=0.55)
        self._boxes = PolyCollection([], edgecolors="white")
        ax.add_collection(self._light)
        ax.add_collection(self._boxes)
        rungs = rows * (rows + 1) // 2
        self._texts = [write(ax, 0, 0, "", fontsize=TEXT - 1.5) for _ in range(rungs)]
        self._names = [write(ax, -0.06, row, "", ha="right") for row in range(rows)]
        ax.set(xlim=(0, self._widest), ylim=(rows - 0.45, -0.55), yticks=[])
        ax.grid(visible=False, axis="y")
        self.moving = [self._light, self._boxes, *self._texts, *self._names]

    def update(self, brackets: Sequence[Sequence[Rung]], pointed: int) -> None:
        """Show brackets, as of ``Hyperband.brackets``, and light one of them up."""
        whole = brackets[-1][-1].epochs
        steps = sorted({rung.epochs for rungs in brackets for rung in rungs})
        last = max(1, len(steps) - 1)
        boxes, hues = [], []
        for text in (*self._texts, *self._names):
            text.set_text("")
        texts = iter(self._texts)
        for row, (rungs, name) in enumerate(zip(brackets, self._names, strict=False)):
            name.set_text(f"{rungs[0].archs} start")
            right = 0.0
            for rung in rungs:
                left, right = right, right + rung.cost / whole
                boxes.append(_box(left, right, row - 0.36, row + 0.36))
                hues.append(_DEPTHS[steps.index(rung.epochs) * (len(_DEPTHS) - 1) // last])
                said = f"{rung.archs} to {rung.epochs}"
                fits = right - left > 0.0135 * self._widest * len(said)
                middle = {"x": (left + right) / 2, "y": row, "color": text_on(hues[-1])}
                next(texts).set(text=said if fits else "", **middle)
        self._boxes.set(verts=boxes, facecolor=hues)
        self._light.set_verts([_box(0, self._widest, pointed - 0.5, pointed + 0.5)])


def workers(
    intervals: Sequence[Interval], *, batch: int, title: str, lost: float | None = None
) -> Axes:
    """Draw trials as boxes in the row of their worker; a batch has a colour of its own.
    The intervals are those of ``nas_lab.workflow.timeline``, ``batch`` trials were asked for
    together, and ``lost`` is the second in which a worker was killed."""
    rows = 1 + max(interval.worker for interval in intervals)
    ax = chart(None, title, "seconds since the first trial began", "", 1.2 + 0.55 * rows)
    end = max(interval.ended for interval in intervals)
    for interval in intervals:
        hue = _TURNS[interval.trial // batch % len(_TURNS)]
        seconds, place = interval.ended - interval.began, (interval.worker - 0.36, 0.72)
        ax.broken_barh([(interval.began, seconds)], place, color=hue, edgecolor="white", lw=0.8)
        if seconds > 0.03 * end:
            look = {"fontsize": TEXT - 2, "color": text_on(hue)}
            middle = (interval.began + interval.ended) / 2
            write(ax, middle, interval.worker, str(interval.trial), **look)
    if lost is not None:
        ax.axvline(lost, color=INK, lw=1.8, ls="--")
        write(ax, lost, rows - 0.43, " killed", fontsize=TEXT - 1, ha="left", va="bottom")
    ax.set_yticks(range(rows), [f"worker {row + 1}" for row in range(rows)])
    ax.set(xlim=(0, end * 1.01), ylim=(rows - 0.4, -0.6))
    ax.grid(visible=False, axis="y")
    return ax
