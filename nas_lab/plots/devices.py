"""Networks on devices: accuracy against latency, and where the time goes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, NullLocator

from nas_lab.devices import Part
from nas_lab.plots.colors import INK, MUTED
from nas_lab.plots.figures import TEXT, chart

WAITING, COMPUTING, MOVING = "#B8B8B8", "#004C85", "#E48E00"
_CLOUD, _FRONT = "#A9B4BE", "#004C85"
_NODES = ("input", "1", "2", "output")


def duration(seconds: float) -> str:
    """Seconds to read: 132 µs, 1.32 ms, 2.1 s."""
    for unit, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= 0.9995 * unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds * 1e9:.3g} ns"


class FrontChart:
    """Accuracy against latency for many networks, their front, and one of them pointed at.

    Args:
        ax: where to draw.
        seconds: latencies, [N].
        accuracies: in [0, 1], [N].
        front: places of those that no other beats, quickest first.
        title: the question.
    """

    def __init__(
        self,
        ax: Axes,
        seconds: np.ndarray,
        accuracies: np.ndarray,
        front: np.ndarray,
        title: str = "Which network?",
    ) -> None:
        chart(ax, title, "latency (log scale)", "validation accuracy")
        self.seconds, self.accuracies = seconds, accuracies
        ax.plot(seconds, accuracies, ".", color=_CLOUD, markersize=2, rasterized=True)
        best: dict[str, Any] = {"color": _FRONT, "marker": "o", "markersize": 4.5, "linewidth": 1.6}
        ax.plot(seconds[front], accuracies[front], drawstyle="steps-post", **best, label="front")
        ring: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": INK, "mew": 2.2}
        (self._ring,) = ax.plot([], [], "o", markersize=14, zorder=5, **ring)
        ax.set_xscale("log")
        low, high = seconds.min() / 1.15, seconds.max() * 1.15
        ax.set_xlim(low, high)
        ax.xaxis.set_major_locator(FixedLocator(_ticks(low, high)))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(lambda s, _: duration(s))
        ax.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        floor = accuracies[front].min() - 0.05
        ax.set_ylim(floor, accuracies.max() + 0.02)
        _say_hidden(ax, int((accuracies < floor).sum()))

    @property
    def moving(self) -> list[Artist]:
        """The artists that ``point_at`` changes."""
        return [self._ring]

    def point_at(self, place: int) -> None:
        """Put the ring around one network."""
        self._ring.set_data([self.seconds[place]], [self.accuracies[place]])


def _say_hidden(ax: Axes, hidden: int) -> None:
    if hidden:
        look: dict[str, Any] = {"ha": "right", "fontsize": TEXT - 1, "color": MUTED}
        ax.text(0.99, 0.02, f"{hidden} more below", transform=ax.transAxes, **look)


class TimeBars:
    """A bar for each of the slowest parts of a network: its overhead, then its work.

    Args:
        ax: where to draw; its title, axes and ticks are set here.
        rows: how many parts to show at most.
        title: the question.
    """

    def __init__(self, ax: Axes, rows: int = 7, title: str = "Where does its time go?") -> None:
        places = list(range(rows))
        self._waiting = ax.barh(places, np.zeros(rows), height=0.6, color=WAITING, zorder=3)
        self._busy = ax.barh(places, np.zeros(rows), height=0.6, zorder=3)
        look: dict[str, Any] = {"va": "center", "fontsize": 0.95 * TEXT, "color": INK}
        self._names = [ax.text(-0.04, y, "", ha="right", **look) for y in places]
        self._numbers = [ax.text(0, y, "", ha="left", **look) for y in places]
        ax.set_xlim(-1.7, 1.6)
        ax.set_ylim(rows + 0.7, -0.6)
        ax.set_axis_off()
        ax.set_title(title, fontsize=TEXT + 1, color=INK, loc="left")
        meanings = {"overhead": WAITING, "arithmetic": COMPUTING, "memory": MOVING}
        ax.legend(
            handles=[Patch(color=hue, label=name) for name, hue in meanings.items()],
            loc="lower center",
            ncols=3,
            fontsize=TEXT - 1,
            labelcolor=INK,
            frameon=False,
            handlelength=1.2,
            borderaxespad=0,
        )

    @property
    def moving(self) -> list[Artist]:
        """The artists that ``update`` changes."""
        return [*self._waiting, *self._busy, *self._names, *self._numbers]

    def update(self, parts: Sequence[Part]) -> None:
        """Show the first parts of a list, longest first."""
        longest = parts[0].seconds
        rows = zip(self._waiting, self._busy, self._names, self._numbers, strict=True)
        for place, (waiting, busy, name, number) in enumerate(rows):
            part = parts[place] if place < len(parts) else None
            spent = part.seconds / longest if part else 0.0
            start = part.waiting / longest if part else 0.0
            waiting.set_width(start)
            busy.set_x(start)
            busy.set_width(spent - start)
            busy.set_facecolor(MOVING if part and part.memory_bound else COMPUTING)
            name.set_text(part_label(part) if part else "")
            number.set_x(spent + 0.04)
            number.set_text(duration(part.seconds) if part else "")


def part_label(part: Part) -> str:
    """What a picture calls a part: ``input → 1: conv 3×3``, with how often it is there."""
    first = part.kernels[0]
    kind = first.kernel.kind.replace("_", " ")
    size = first.op.settings.get("kernel_size")
    if size is not None:
        height, width = (size, size) if isinstance(size, int) else size
        kind = f"{kind} {height}×{width}"
    kind = {"add": "sum", "relu": "ReLU", "linear": "dense"}.get(kind, kind)
    times = f" (×{len(part.kernels)})" if len(part.kernels) > 1 else ""
    return f"{_where(part.name, first.kernel.kind)}{kind}{times}"


def _where(name: str, kind: str) -> str:
    edge = re.match(r"edge_(\d)(\d)\.", name)
    if edge and kind == "relu":  # read by all convolutions of its node
        return f"{_node(edge[1])}: "
    if edge:
        return f"{_node(edge[1])} → {_node(edge[2])}: "
    node = re.match(r"node_(\d)\.", name)
    if node:
        return f"{_node(node[1])}: "
    place = name.rpartition(".")[0].replace(".", " ").replace("_", " ")
    return f"{place}: " if place else ""


def _node(number: str) -> str:
    return _NODES[int(number)] if int(number) < len(_NODES) else number


def _ticks(low: float, high: float) -> list[float]:
    """Powers of ten, and where there are few their double and fivefold."""
    decades = [10.0**power for power in range(-9, 4)]
    found = [x for x in decades if low <= x <= high]
    if len(found) < 3:
        found = [m * x for x in decades for m in (1, 2, 5) if low <= m * x <= high]
    return found
