"""The matrix ``w[D, K]``: a row for each decision, a column for each option."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from nas_lab.plots.colors import COLORS, HIGHLIGHT, INK, MUTED, label, text_on
from nas_lab.plots.figures import TEXT, canvas
from nas_lab.plots.words import decision_labels
from nas_lab.spaces.base import Space


def one_hot(
    space: Space,
    arch: Any,
    ax: Axes | None = None,
    highlight: int | None = None,
) -> Axes:
    """Draw ``w[D, K]``: how much of each option (column) each decision (row) takes.

    Args:
        space: where the decisions come from.
        arch: an architecture, or ``w`` itself: an array [D, K] with entries in [0, 1], such as
            the probabilities of a controller.
        ax: where to draw; None makes a new figure.
        highlight: the row to point at.

    Entries that stand for no option are left out. Where all decisions have the same options,
    these name the columns; elsewhere each entry bears its option.
    """
    w = np.asarray(arch, dtype=float)
    w = w if w.ndim == 2 else np.asarray(space.one_hot(arch), dtype=float)
    if w.shape != space.mask.shape:
        raise ValueError(f"w of {space.name} has shape {space.mask.shape}, this one {w.shape}")
    rows, columns = w.shape
    same = len({decision.options for decision in space.decisions}) == 1
    names = decision_labels(space)
    side = 0.085 * max(map(len, names)) + 0.12
    plain = same or np.isin(w, (0, 1)).all()  # else an entry holds option and value
    width, height = (0.82 if plain else 1.25), (0.26 if rows <= 30 else 0.2)
    box = (-side, -rows * height - 0.04, columns * width + 0.04, 0.3)
    ax, scale = canvas(ax, box)
    font = scale * (0.95 * TEXT if rows <= 30 else 0.8 * TEXT)
    _fill(ax, space, w, (width, height))
    for row, name in enumerate(names):
        y = -(row + 0.5) * height
        ax.text(-0.1, y, name, ha="right", va="center_baseline", fontsize=font, color=INK)
    zeros = space.mask & (w == 0) & same
    _write_zeros(ax, zeros, (width, height), font)
    for row, column in np.argwhere(space.mask & ~zeros):
        option, value = space.decisions[row].options[column], w[row, column]
        ax.text(
            (column + 0.5) * width,
            -(row + 0.5) * height,
            _text(option, value, same),
            ha="center",
            va="center_baseline",
            fontsize=font,
            color=MUTED if value == 0 else text_on(_tint(option, value)),
        )
    if highlight is not None:
        _frame(ax, -highlight * height, columns * width, height, scale)
    heads = space.decisions[0].options if same else [f"option {k}" for k in range(columns)]
    _heads(ax, heads, width, font)
    return ax


def _heads(ax: Axes, options: Sequence[Any], width: float, font: float) -> None:
    for column, option in enumerate(options):
        x = (column + 0.5) * width
        ax.text(
            x, 0.13, label(str(option)), ha="center", va="center_baseline", fontsize=font, color=INK
        )


def _fill(ax: Axes, space: Space, w: np.ndarray, size: tuple[float, float]) -> None:
    """A field for each entry, in the colour of its option, as strong as the value."""
    width, height = size
    entries = np.argwhere(space.mask)
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * (width, -height)
    fields = [corners + np.multiply(entry[::-1], (width, -height)) for entry in entries]
    tints = [_tint(space.decisions[row].options[k], w[row, k]) for row, k in entries]
    ax.add_artist(PolyCollection(fields, facecolors=tints, edgecolors="#C8C8C8", linewidths=0.8))


def _write_zeros(ax: Axes, where: np.ndarray, size: tuple[float, float], font: float) -> None:
    """The many zeros as one set of markers: a text each would take most of the time."""
    rows, columns = np.nonzero(where)
    ax.plot(
        (columns + 0.5) * size[0],
        -(rows + 0.5) * size[1],
        linestyle="none",
        marker="$0$",
        markersize=0.73 * font,
        markerfacecolor=MUTED,
        markeredgewidth=0,
    )


def _tint(option: Any, value: float) -> tuple[float, ...]:
    full = np.array(to_rgb(COLORS.get(str(option), COLORS["conv"])))
    return tuple(1 - np.clip(value, 0, 1) * (1 - full))


def _text(option: Any, value: float, same: bool) -> str:
    """The value of an entry, and its option where the column does not say it."""
    number = f"{value:.2f}" if 0 < value < 1 else f"{value:.0f}"
    if same:
        return number
    return str(option) if value in (0, 1) else f"{option}: {number}"


def _frame(ax: Axes, top: float, width: float, height: float, scale: float) -> None:
    for colour, line in ((INK, 4.5), (HIGHLIGHT, 2.8)):
        ax.add_artist(
            Rectangle(
                (0, top - height),
                width,
                height,
                fill=False,
                edgecolor=colour,
                linewidth=line * scale,
                zorder=6,
            )
        )
