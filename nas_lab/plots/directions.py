"""Where estimates of a gradient point: their cosines with the true one, as bars."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.ticker import PercentFormatter

from nas_lab.plots.colors import HIGHLIGHT, INK, color
from nas_lab.plots.figures import TEXT

_DOWN, _UP = "#BD4400", color("Reinforce")
_BARS = 40
_HIGHEST = 0.42
"""Share of the steps that has room; a higher bar is cut."""


class CosineBars:
    """How many steps point how far uphill: bars over the cosine with the gradient, from -1 to 1.

    Args:
        ax: where to draw; its limits stay as they are made here.
    """

    def __init__(self, ax: Axes) -> None:
        self._edges = np.linspace(-1, 1, _BARS + 1)
        colours = [_DOWN if left < -1e-9 else _UP for left in self._edges[:-1]]
        self._bars = PolyCollection([], facecolors=colours, edgecolors="white", linewidths=0.5)
        ax.add_collection(self._bars)
        self._mean = ax.plot([], [], color=INK, linewidth=2.2)[0]
        box = {"boxstyle": "round,pad=0.25", "facecolor": HIGHLIGHT, "edgecolor": "none"}
        centre: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": TEXT}
        self._said = ax.text(0, 0.955 * _HIGHEST, "", bbox=box, color=INK, **centre)
        ax.axvline(0, color=INK, linewidth=1)
        ax.set_xlim(-1, 1)
        ax.set_xticks([-1, -0.5, 0, 0.5, 1])
        ax.set_ylim(0, _HIGHEST)
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        side: dict[str, Any] = {"fontsize": TEXT, "va": "center"}
        ax.text(-0.97, 0.83 * _HIGHEST, "← downhill", color=_DOWN, ha="left", **side)
        ax.text(0.97, 0.83 * _HIGHEST, "uphill →", color=_UP, ha="right", **side)

    @property
    def moving(self) -> list[Artist]:
        """The artists that ``update`` changes."""
        return [self._bars, self._mean, self._said]

    def update(self, cosines: np.ndarray) -> None:
        """Show the cosines of some steps, [n]."""
        counts, _ = np.histogram(cosines, self._edges)
        shares = np.minimum(counts / len(cosines), _HIGHEST)
        pairs = zip(self._edges[:-1], self._edges[1:], shares, strict=True)
        self._bars.set_verts([[(a, 0), (b, 0), (b, s), (a, s)] for a, b, s in pairs])
        mean = float(np.mean(cosines))
        self._mean.set_data([mean, mean], [0, 0.9 * _HIGHEST])
        self._said.set_text(f"mean {mean:.2f}")
        self._said.set_x(np.clip(mean, -0.82, 0.82))
