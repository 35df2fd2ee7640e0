"""What the player of alphas draws: one layout for the small cell, one for the two of DARTS."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from nas_lab import plots
from nas_lab.plots.figures import TEXT
from nas_lab.spaces.cell_201 import NasBench201
from nas_lab.spaces.cell_darts import CELLS_DARTS, Darts
from nas_lab.widgets.alphas_state import AlphaState

SHOWN = 0.9
"""Share of the table's architectures whose accuracies have room in the picture."""


class Film(Protocol):
    """A figure that shows any step of a run."""

    figure: Figure

    @property
    def moving(self) -> list[Artist]:
        """The artists that ``update`` changes."""
        ...

    def update(self, model: AlphaState, at: int) -> None:
        """Show a step."""
        ...


def film(model: AlphaState, steps: int, high: float) -> Film:
    """The layout for the model's space, with room for so many steps and weights up to ``high``.

    Raises:
        TypeError: a space without cells.
    """
    if isinstance(model.space, Darts):
        return TwoCells(model)
    if isinstance(model.space, NasBench201):
        return CellAndLines(model, steps, high)
    raise TypeError(f"the player shows cells, and {model.space.name} has none")


class CellAndLines:
    """The cell above the true accuracy, beside the lines of its six edges."""

    def __init__(self, model: AlphaState, steps: int, high: float) -> None:
        self.figure = Figure(figsize=(9.2, 4.75), facecolor="white")
        cell = self.figure.add_axes((0.0, 0.47, 0.56, 0.48))
        self._cell = plots.MixedCell(cell, model.space)
        truth = self.figure.add_axes((0.072, 0.115, 0.47, 0.275))
        plots.chart(truth, "What is the argmax truly worth?", "steps", "")
        best, low = _range(model.scores)
        self._truth = plots.TruthLine(truth, steps, best, low)
        grid = self.figure.add_gridspec(
            3, 2, left=0.615, right=0.985, top=0.9, bottom=0.2, hspace=0.5, wspace=0.12
        )
        axes = [self.figure.add_subplot(grid[divmod(i, 2)]) for i in range(6)]
        self._lines = plots.AlphaLines(axes, model.space, steps=steps, high=high)
        plots.share_axes(axes)
        look: dict[str, Any] = {"fontsize": TEXT + 1, "va": "top"}
        self.figure.text(0.015, 0.99, "The cell now", **look)
        self.figure.text(0.595, 0.99, "Weights of the operations by steps", **look)
        self.figure.legend(
            handles=self._lines.handles,
            loc="lower center",
            bbox_to_anchor=(0.79, 0.0),
            ncols=3,
            fontsize=TEXT - 1,
            frameon=False,
            columnspacing=1.2,
        )

    @property
    def moving(self) -> list[Artist]:
        """The artists that ``update`` changes."""
        return [*self._cell.moving, *self._lines.moving, *self._truth.moving]

    def update(self, model: AlphaState, at: int) -> None:
        """Show a step."""
        self._cell.update(model.weights(at))
        self._lines.update(model.w, at)
        self._truth.update(model.worths, at)


class TwoCells:
    """The normal cell and the reduction cell, one above the other."""

    def __init__(self, model: AlphaState) -> None:
        self.figure = Figure(figsize=(6.4, 5.9), facecolor="white")
        self._cells = []
        for place, name in enumerate(CELLS_DARTS):
            ax = self.figure.add_axes((0, 0.52 - 0.47 * place, 1, 0.43))
            title = {"normal": "Normal cell", "reduce": "Reduction cell"}[name]
            ax.set_title(title, fontsize=TEXT + 1, loc="left", x=0.02)
            self._cells.append(plots.MixedCell(ax, model.space, name))
        plots.operation_key(ax, model.space)

    @property
    def moving(self) -> list[Artist]:
        """The artists that ``update`` changes."""
        return [artist for cell in self._cells for artist in cell.moving]

    def update(self, model: AlphaState, at: int) -> None:
        """Show a step; edges that the derived architecture leaves out are pale."""
        for cell in self._cells:
            cell.update(model.weights(at), model.arch_at(at))


def _range(scores: np.ndarray) -> tuple[float, float]:
    """The best score, and the lowest that is shown."""
    return float(np.nanmax(scores)), float(np.nanquantile(scores, 1 - SHOWN))
