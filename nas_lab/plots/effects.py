"""What decisions do to a score: alone, in pairs, and when one of them is swapped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from nas_lab.plots.colors import INK, MUTED, label, text_on
from nas_lab.plots.figures import TEXT, new_axes
from nas_lab.plots.words import decision_labels
from nas_lab.spaces.base import Space

WORSE, BETTER = "#BD4400", "#277AB3"
_SIGNED = LinearSegmentedColormap.from_list("worse-better", [WORSE, "#FFFFFF", BETTER])
_SHARE = LinearSegmentedColormap.from_list("share", ["#FFFFFF", "#004C85"])


def effects(space: Space, values: np.ndarray, title: str, ax: Axes | None = None) -> Axes:
    """Draw what each option (column) of each decision (row) changes, in points.

    Args:
        space: whose decisions all have the same options.
        values: [D, K], shares such as accuracies; a hundredth is a point.
        title: the finding.
        ax: where to draw; None makes a new figure.
    """
    columns = [label(str(option)) for option in space.decisions[0].options]
    points = 100 * np.asarray(values)
    limit = float(np.abs(points).max()) or 1.0
    return _grid(ax, title, decision_labels(space), columns, points, (-limit, limit), "{:+.1f}")


def shares(space: Space, values: np.ndarray, title: str, ax: Axes | None = None) -> Axes:
    """Draw shares of the variance: of a decision alone on the diagonal, of pairs beside it.

    Args:
        space: of D decisions.
        values: [D, D]; what is above the diagonal is left out.
        title: the finding.
        ax: where to draw; None makes a new figure.
    """
    percent = np.where(np.tri(len(values), dtype=bool), 100 * np.asarray(values), np.nan)
    names = decision_labels(space)
    limits = (0.0, float(np.nanmax(percent)) or 1.0)
    return _grid(ax, title, names, names, percent, limits, "{:.1f}%", tilt=True)


def _grid(
    ax: Axes | None,
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: np.ndarray,
    limits: tuple[float, float],
    form: str,
    *,
    tilt: bool = False,
) -> Axes:
    """A field with a number for each entry that is no NaN."""
    height = 0.36 * len(rows) + (1.5 if tilt else 0.9)
    ax = new_axes(1.7 + 0.92 * len(columns), height) if ax is None else ax
    colours = _SIGNED if limits[0] < 0 else _SHARE
    image = ax.imshow(values, cmap=colours, vmin=limits[0], vmax=limits[1], aspect="auto")
    for row, column in np.argwhere(~np.isnan(values)):
        value = values[row, column]
        ink = text_on(image.cmap(image.norm(value)))
        look: dict[str, Any] = {
            "ha": "center",
            "va": "center",
            "fontsize": 0.95 * TEXT,
            "color": ink,
        }
        ax.text(column, row, form.format(value).replace("-", "−"), **look)
    ax.set_xticks(range(len(columns)), columns, fontsize=0.95 * TEXT, color=INK)
    ax.set_yticks(range(len(rows)), rows, fontsize=0.95 * TEXT, color=INK)
    if tilt:
        ax.tick_params(axis="x", rotation=30)
        for tick in ax.get_xticklabels():
            tick.set_horizontalalignment("right")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(title, fontsize=TEXT + 1, color=INK, loc="left")
    return ax


class PartBars:
    """Bars for the parts of a change, the whole below them; ``update`` moves them.

    The longest bar fills its side, so lengths compare within a picture; every bar bears its value.

    Args:
        ax: where to draw; its title, axes and ticks are set here.
        parts: what the parts are called; the last one is the whole.
        title: the question.

    Attributes:
        moving: the artists that ``update`` changes.
    """

    def __init__(self, ax: Axes, parts: Sequence[str], title: str) -> None:
        places = np.arange(len(parts))
        self._bars = ax.barh(places, np.zeros(len(parts)), height=0.62, zorder=3)
        look: dict[str, Any] = {"va": "center", "fontsize": 0.95 * TEXT, "color": INK, "zorder": 4}
        self._numbers = [ax.text(0, place, "", **look) for place in range(len(parts))]
        ax.axvline(0, color=MUTED, linewidth=1)
        ax.axhline(len(parts) - 1.5, color="#C8C8C8", linewidth=0.8)
        ax.set_yticks(places, parts, fontsize=0.95 * TEXT, color=INK)
        ax.set_ylim(len(parts) - 0.5, -0.5)
        ax.set_xlim(-1.55, 1.55)
        ax.set_xticks([])
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        ax.set_title(title, fontsize=TEXT + 1, color=INK, loc="left")

    @property
    def moving(self) -> list[Artist]:
        """Bars and their numbers."""
        return [*self._bars, *self._numbers]

    def update(self, values: Sequence[float]) -> None:
        """Show parts and whole, shares such as accuracies; a hundredth is a point."""
        longest = max(map(abs, values)) or 1.0
        for bar, number, value in zip(self._bars, self._numbers, values, strict=True):
            length = value / longest
            bar.set_width(length)
            bar.set_facecolor(BETTER if value > 0 else WORSE)
            number.set_text(f"{100 * value:+.1f}".replace("-", "−") if value else "")
            number.set_x(length + (0.04 if value >= 0 else -0.04))
            number.set_horizontalalignment("left" if value >= 0 else "right")
