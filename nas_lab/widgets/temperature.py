"""Turn a mixture into a choice by a slider: the temperature of a softmax."""

from __future__ import annotations

from typing import Any

import ipywidgets
import numpy as np
from matplotlib.figure import Figure
from scipy.special import softmax
from scipy.stats import entropy

from nas_lab import plots
from nas_lab.spaces import Arch, Space, nasbench201
from nas_lab.widgets.base import MovingPicture, Number, State, View, row

TEMPERATURES = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class TemperatureState(State):
    """Parameters alpha, and w = softmax(alpha / tau), row by row.

    Args:
        alpha: parameters of the options, [D, K].
        tau: the temperature, at least 0.001.
        space: whose decisions the rows are; None is ``spaces.nasbench201()``.

    Raises:
        ValueError: alpha has another shape than the space's, or is not finite.
        traitlets.TraitError: a temperature that is too low or not finite.
    """

    tau = Number(1.0, 1e-3).tag(keep=True)
    details = ()

    def __init__(self, alpha: Any, tau: float = 1.0, *, space: Space | None = None) -> None:
        self.space = space or nasbench201()
        self.alpha = np.array(alpha, dtype=float)
        if self.alpha.shape != self.space.mask.shape or not np.isfinite(self.alpha).all():
            raise ValueError(f"alpha must be {self.space.mask.shape} finite numbers")
        super().__init__(tau=tau)

    @property
    def w(self) -> np.ndarray:
        """Weights [D, K]; options that do not exist have none."""
        return softmax(np.where(self.space.mask, self.alpha / self.tau, -np.inf), axis=1)

    @property
    def arch(self) -> Arch:
        """The largest of each row: the same at every temperature."""
        return tuple(np.where(self.space.mask, self.alpha, -np.inf).argmax(axis=1).tolist())

    @property
    def words(self) -> str:
        """How far the mixture is from a choice."""
        w, most = self.w, np.log(self.space.mask.sum(axis=1)).mean()
        return (
            f"tau = {self.tau:g}: the largest weight of a row is {w.max(axis=1).mean():.2f} on "
            f"average, the entropy {entropy(w, axis=1).mean():.2f} of {most:.2f} nats"
        )


class TemperatureSlider(View):
    """A slider for tau; the cell and the matrix w = softmax(alpha / tau).

    ``TemperatureSlider(alpha, **w.state)`` continues where ``w`` stands.
    """

    State = TemperatureState
    HINT = (
        "Lower the temperature: where does a mixture become a choice? Raise it: what is left of "
        "the differences? Which thing never changes? (By keyboard: Tab to the slider, then the "
        "arrow keys.)"
    )

    def build(self) -> list[ipywidgets.Widget]:
        """A slider above words, cell and matrix."""
        slider = self.choice("tau", TEMPERATURES, "temperature tau", width="420px")
        figure = Figure(figsize=(9.2, 3.5), facecolor="white")
        self._cell = plots.MixedCell(figure.add_axes((0, 0.1, 0.55, 0.85)), self.model.space)
        matrix = plots.chart(figure.add_axes((0.7, 0.15, 0.29, 0.83)), "", "", "")
        self._w = plots.PolicyMatrix(matrix, self.model.space)
        self._picture = MovingPicture(figure, self._cell, self._w, dpi=120)
        reset = self.reset_button("back to the first temperature")
        return [row(slider, reset), self._words, self._picture]

    def draw(self) -> None:
        """Draw the cell and the matrix."""
        self._cell.update(self.model.w)
        self._w.update(self.model.w, self.model.arch)
        self._picture.draw(f"The cell and the matrix w as mixtures. {self.model.words}")
