"""Divide a budget between brackets: many architectures briefly, or few to the end."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets
from matplotlib.figure import Figure

from nas_lab import plots
from nas_lab.widgets.budget_state import EPOCHS, ETAS, MOST, BudgetState
from nas_lab.widgets.view import MovingPicture, View, Words, button, row

_HINT = (
    "Each row is a bracket, each box a rung: how many architectures are trained up to which "
    "epoch. Move a slider, and look for what the top row risks and what the bottom row pays. "
    "(By keyboard: Tab to a slider, then the arrow keys.)"
)
_WIDE = {"width": "330px", "max_width": "100%"}


class BudgetDivider(View):
    """Sliders for the length of a training and for eta; what each bracket of Hyperband spends.

    ``w.state`` is a plain dict, and ``BudgetDivider(**w.state)`` continues there.

    Args:
        epochs: of a whole training.
        eta: one of so many architectures goes on to the next rung.
        bracket: the one that is lit up, counted from 0.
    """

    model: BudgetState

    def __init__(self, epochs: int = 27, eta: int = 3, bracket: int = 0) -> None:
        super().__init__()
        self.model = BudgetState(epochs, eta, bracket)
        self._make_controls()
        self._picture = self._make_picture()
        self._words, hint = Words(), Words()
        self._drawn: object = None
        hint.say(_HINT)
        reset = button("Reset", self.model.reset, "back to the first setting")
        controls = row(self._epochs, self._eta, self._bracket, reset)
        self.assemble(hint, controls, self._words, self._picture)

    def _make_controls(self) -> None:
        model = self.model
        self._epochs = ipywidgets.SelectionSlider(
            options=EPOCHS, value=model.epochs, description="epochs", layout=_WIDE
        )
        self._eta = ipywidgets.SelectionSlider(
            options=ETAS, value=model.eta, description="eta", layout=_WIDE
        )
        most = len(model.brackets)
        self._bracket = ipywidgets.IntSlider(
            model.pointed + 1, 1, most, description="bracket", layout=_WIDE
        )
        self._epochs.observe(lambda change: self._set("epochs", change["new"]), "value")
        self._eta.observe(lambda change: self._set("eta", change["new"]), "value")
        self._bracket.observe(self._point, "value")

    def _make_picture(self) -> MovingPicture:
        figure = Figure(figsize=(8.6, 3.9), facecolor="white")
        self._boxes = plots.BracketBoxes(figure.add_axes((0.09, 0.14, 0.9, 0.77)), MOST)
        return MovingPicture(figure, self._boxes.moving, dpi=120)

    def _set(self, name: str, value: Any) -> None:
        setattr(self.model, name, value)

    def _point(self, change: Any) -> None:
        if change["new"] != self.model.pointed + 1:  # not when the slider only got shorter
            self.model.bracket = change["new"] - 1

    def redraw(self) -> None:
        """Bring sliders, picture and words in line with the state."""
        model = self.model
        self._epochs.value, self._eta.value = model.epochs, model.eta
        self._bracket.max = len(model.brackets)
        self._bracket.value = model.pointed + 1
        shown = (model.epochs, model.eta, model.pointed)
        if shown == self._drawn:
            return
        self._drawn = shown
        self._boxes.update(model.brackets, model.pointed)
        self._picture.draw(f"What each bracket spends. {model.words} {model.bracket_words}")
        self._words.say(f"<b>{html.escape(model.words)}</b>", html.escape(model.bracket_words))
