"""Turn a mixture into a choice by a slider: the temperature of a softmax."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets
from matplotlib.figure import Figure

from nas_lab import plots
from nas_lab.spaces import Space
from nas_lab.widgets.temperature_state import TEMPERATURES, TemperatureState
from nas_lab.widgets.view import MovingPicture, View, Words, button, row

_HINT = (
    "Lower the temperature: where does a mixture become a choice? Raise it: what is left of the "
    "differences? Which thing never changes? (By keyboard: Tab to the slider, then the arrow keys.)"
)


class TemperatureSlider(View):
    """A slider for tau; the cell and the matrix w = softmax(alpha / tau).

    ``w.state`` is a plain dict, and ``TemperatureSlider(alpha, **w.state)`` continues there.

    Args:
        alpha: parameters of the operations of ``spaces.nasbench201()``, [6, 5].
        tau: the temperature, above 0.
        space: ``spaces.nasbench201()``, or another with the same drawing.

    Raises:
        ValueError: alpha has another shape than the space's, or is not finite.
        traitlets.TraitError: a temperature that is not positive.
    """

    model: TemperatureState

    def __init__(self, alpha: Any, tau: float = 1.0, *, space: Space | None = None) -> None:
        super().__init__()
        self.model = TemperatureState(alpha, tau, space=space)
        self._tau = ipywidgets.SelectionSlider(
            options=_options({*TEMPERATURES, self.model.tau}),
            value=self.model.tau,
            description="temperature tau",
            style={"description_width": "initial"},
            layout={"width": "420px", "max_width": "100%"},
        )
        self._tau.observe(self._set, "value")
        self._picture = self._make_picture()
        self._drawn: object = None
        self._words, hint = Words(), Words()
        hint.say(_HINT)
        reset = button("Reset", self.model.reset, "back to the first temperature")
        self.assemble(hint, row(self._tau, reset), self._words, self._picture)

    def _set(self, change: Any) -> None:
        self.model.tau = change["new"]

    def _show(self, tau: float) -> None:
        """Put the slider to a temperature, which it may not have offered so far."""
        offered = {value for _, value in self._tau.options}
        if tau not in offered:
            self._tau.unobserve(self._set, "value")  # new options move it to the first of them
            self._tau.options = _options({*offered, tau})
            self._tau.value = tau
            self._tau.observe(self._set, "value")
        self._tau.value = tau

    def _make_picture(self) -> MovingPicture:
        figure = Figure(figsize=(9.2, 3.5), facecolor="white")
        self._cell = plots.MixedCell(figure.add_axes((0, 0.1, 0.55, 0.85)), self.model.space)
        matrix = figure.add_axes((0.7, 0.15, 0.29, 0.83))
        plots.chart(matrix, "", "", "")
        self._w = plots.PolicyMatrix(matrix, self.model.space)
        return MovingPicture(figure, [*self._cell.moving, *self._w.moving], dpi=120)

    def redraw(self) -> None:
        """Bring slider, picture and words in line with the state."""
        model = self.model
        self._show(model.tau)
        if self._drawn != model.tau:
            self._drawn = model.tau
            self._cell.update(model.w)
            self._w.update(model.w, model.arch)
            self._words.say(f"<b>{html.escape(model.words)}</b>")
            self._picture.draw(f"The cell and the matrix w as mixtures. {model.words}")


def _options(temperatures: set[float]) -> list[tuple[str, float]]:
    return [(f"{tau:g}", tau) for tau in sorted(temperatures)]
