"""Searches that race: the best so far trial by trial, the policy as ``w``, and bests of ten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nas_lab.plots.colors import HIGHLIGHT, INK, color, label, style, text_on
from nas_lab.plots.figures import TEXT, chart
from nas_lab.plots.words import decision_labels
from nas_lab.spaces.base import Arch, Space

_BEST = "#BD4400"
_NUMBERED = 0.05
"""Least probability that is written into its field."""


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
        ax.set_xlim(0, trials)
        ax.set_ylim(low, best + 0.1 * (best - low))
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g}%"))
        ax.axhline(best, color=_BEST, linewidth=1.2)
        said, look = f"best of the table: {best:.1%}", {"color": _BEST, "fontsize": TEXT - 1}
        ax.text(trials, best, said, ha="right", va="bottom", **look)  # type: ignore[arg-type]
        self._dots = {name: _dots(ax, name) for name in names}
        self._lines = {name: _line(ax, name) for name in names}
        ax.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, -0.16),
            ncols=len(names) if len(names) < 4 else 2,
            fontsize=TEXT - 1,
            labelcolor=INK,
            frameon=False,
            handlelength=2.4,
            columnspacing=1.2,
        )

    @property
    def moving(self) -> list[Artist]:
        """The artists that ``update`` changes: dots, then lines, the first search in front."""
        return [*self._dots.values(), *reversed(self._lines.values())]

    def update(self, scores: Mapping[str, Sequence[float]]) -> None:
        """Show the scores of each search, in the order of its trials; NaN where one failed."""
        for name, line in self._lines.items():
            found = np.asarray(scores.get(name, ()), dtype=float)
            trials = np.arange(1, len(found) + 1)
            self._dots[name].set_data(trials, found)
            best = np.fmax.accumulate(found)
            line.set_data(np.append(trials, trials[-1:] + 0.5), np.append(best, best[-1:]))


def _dots(ax: Axes, name: str) -> Line2D:
    look = {"linestyle": "none", "marker": "o", "markersize": 3.5, "markeredgewidth": 0}
    return ax.plot([], [], color=color(name), alpha=0.35, **look)[0]  # type: ignore[arg-type]


def _line(ax: Axes, name: str) -> Line2D:
    look = style(name) | {"drawstyle": "steps-post", "label": label(name)}
    return ax.plot([], [], color=color(name), **look)[0]


class PolicyMatrix:
    """``w[D, K]`` on axes that are kept while it changes: the more likely, the fuller the colour.

    Args:
        ax: where to draw.
        space: whose decisions are the rows. All of them have the same options, the columns.
    """

    def __init__(self, ax: Axes, space: Space) -> None:
        rows, columns = space.mask.shape
        options = [str(option) for option in space.decisions[0].options]
        self._full = np.array([to_rgb(color(option)) for option in options])
        corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
        places = [(column, row) for row in range(rows) for column in range(columns)]
        self._fields = PolyCollection(
            [corners + place for place in places], edgecolors="#C8C8C8", linewidths=0.8
        )
        ax.add_collection(self._fields)
        centre: dict[str, Any] = {"ha": "center", "va": "center_baseline", "fontsize": TEXT}
        self._numbers = [ax.text(x + 0.5, y + 0.5, "", **centre) for x, y in places]
        ring: dict[str, Any] = {"markersize": 29, "markerfacecolor": "none"}
        self._rings = [
            ax.plot([], [], "o", markeredgecolor=colour, markeredgewidth=width, **ring)[0]
            for colour, width in ((INK, 4.2), (HIGHLIGHT, 2.4))  # to be seen on any field
        ]
        ax.set_xlim(0, columns)
        ax.set_ylim(rows, 0)
        heads = [label(option).replace(" ", "\n") for option in options]
        ax.set_xticks(np.arange(columns) + 0.5, heads)
        ax.set_yticks(np.arange(rows) + 0.5, decision_labels(space))
        ax.tick_params(length=0)
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)

    @property
    def moving(self) -> list[Artist]:
        """The artists that ``update`` changes."""
        return [self._fields, *self._rings, *self._numbers]

    def update(self, w: np.ndarray | None, arch: Arch | None = None) -> None:
        """Show probabilities [D, K], and a ring around each token of ``arch``; None shows none."""
        shown = np.zeros((len(self._numbers) // len(self._full), len(self._full)))
        shown = shown if w is None else np.asarray(w, dtype=float)
        tints = (1 - shown[:, :, None] * (1 - self._full)).reshape(-1, 3)
        self._fields.set_facecolor(tints)
        for number, value, tint in zip(self._numbers, shown.ravel(), tints, strict=True):
            number.set_text(f"{value:.2f}" if value >= _NUMBERED else "")
            number.set_color(text_on(tint))
        tokens = np.asarray(() if arch is None else arch)
        for ring in self._rings:
            ring.set_data(tokens + 0.5, np.arange(len(tokens)) + 0.5)


def bests(
    found: Mapping[str, np.ndarray], yours: float, best: float, ax: Axes | None = None
) -> Axes:
    """Draw what searches found, a dot for each run, and where you are among them.

    Args:
        found: from the name of a strategy to the best score of each of its runs, [S].
        yours: your own best score, a line through all of them.
        best: the highest score that there is.
        ax: where to draw; None makes a new figure.

    A longer mark is the median of a strategy's runs. Dots are strewn upwards and downwards at
    random, so that equal ones are seen.
    """
    title = "Where is your best among theirs?"
    ax = chart(ax, title, "best validation accuracy found", "", height=1.4 + 0.6 * len(found))
    rng = np.random.default_rng(0)
    for row, (name, scores) in enumerate(found.items()):
        strewn = row + rng.uniform(-0.28, 0.28, len(scores))
        ax.plot(scores, strewn, "o", color=color(name, row), alpha=0.4, markersize=4, mew=0)
        middle = float(np.median(scores))
        ax.plot([middle] * 2, [row - 0.38, row + 0.38], color=color(name, row), linewidth=2.5)
    ax.set_yticks(range(len(found)), [f"{label(n)}\n({len(s)} runs)" for n, s in found.items()])
    ax.set_ylim(len(found) - 0.5, -0.9)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g}%"))
    ax.axvline(best, color=_BEST, linewidth=1.2)
    beside: dict[str, Any] = {"xytext": (3, 0), "textcoords": "offset points", "rotation": 90}
    look: dict[str, Any] = {"color": _BEST, "fontsize": TEXT - 1, "va": "center"}
    ax.annotate("best of the table", (best, len(found) / 2 - 0.7), **beside, **look)
    ax.axvline(yours, color=INK, linewidth=2.2)
    box = {"boxstyle": "round,pad=0.25", "facecolor": HIGHLIGHT, "edgecolor": "none"}
    ax.text(yours, -0.66, f"you: {yours:.1%}", ha="center", va="center", fontsize=TEXT, bbox=box)
    return ax
