"""The matrix ``w[D, K]``: a row for each decision, a column for each option."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from nas_lab.plots.colors import COLORS, HIGHLIGHT, INK, MUTED, color, label, text_on
from nas_lab.plots.figures import TEXT, canvas
from nas_lab.spaces.base import Space
from nas_lab.spaces.cell_201 import EDGES_201, NasBench201
from nas_lab.spaces.cell_darts import EDGES_DARTS, Darts

_NODES_201 = ("input", "1", "2", "output")
_NODES_DARTS = ("k−2", "k−1", "0", "1", "2", "3")


def decision_labels(space: Space) -> list[str]:
    """What a picture calls each decision of a space: ``input → 1`` for an edge of a cell."""
    if isinstance(space, NasBench201):
        return [f"{_NODES_201[a]} → {_NODES_201[b]}" for a, b in EDGES_201]
    if isinstance(space, Darts):
        edges = [f"{_NODES_DARTS[a]} → {_NODES_DARTS[b]}" for a, b in EDGES_DARTS]
        return [f"{cell}: {edge}" for cell in ("normal", "reduce") for edge in edges]
    return [decision.name.replace("_", " ") for decision in space.decisions]


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
    width, height = 0.82, (0.26 if rows <= 30 else 0.2)
    box = (-side, -rows * height - 0.04, columns * width + 0.04, 0.3)
    ax, scale = canvas(ax, box)
    font = scale * (0.95 * TEXT if rows <= 30 else 0.8 * TEXT)
    for row, name in enumerate(names):
        y = -(row + 0.5) * height
        ax.text(-0.1, y, name, ha="right", va="center_baseline", fontsize=font, color=INK)
        for column in np.flatnonzero(space.mask[row]):
            option = space.decisions[row].options[column]
            corner = (column * width, y - height / 2)
            _entry(ax, corner, (width, height), w[row, column], option, same, font)
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


def _entry(
    ax: Axes,
    corner: tuple[float, float],
    size: tuple[float, float],
    value: float,
    option: Any,
    same: bool,
    font: float,
) -> None:
    """One entry: the colour of its option, as strong as the value, with the value or option."""
    full = np.array(to_rgb(color(str(option)) if str(option) in COLORS else COLORS["conv"]))
    fill = tuple(1 - np.clip(value, 0, 1) * (1 - full))
    ax.add_patch(Rectangle(corner, *size, facecolor=fill, edgecolor="#C8C8C8", linewidth=0.8))
    number = f"{value:.2f}" if 0 < value < 1 else f"{value:.0f}"
    text = number if same else _option(option, value, number)
    ink = MUTED if value == 0 else text_on(fill)
    ax.text(
        corner[0] + size[0] / 2,
        corner[1] + size[1] / 2,
        text,
        ha="center",
        va="center_baseline",
        fontsize=font,
        color=ink,
    )


def _option(option: Any, value: float, number: str) -> str:
    return str(option) if value in (0, 1) else f"{option}: {number}"


def _frame(ax: Axes, top: float, width: float, height: float, scale: float) -> None:
    for colour, line in ((INK, 4.5), (HIGHLIGHT, 2.8)):
        ax.add_patch(
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
