"""Move baseline, batch and entropy by sliders, and watch where steps of REINFORCE point."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import ipywidgets
from matplotlib.figure import Figure

from nas_lab import plots
from nas_lab.estimation import Table
from nas_lab.widgets.gradient_state import DRAWN, MOST, GradientState
from nas_lab.widgets.view import MovingPicture, View, Words, button, row

_HINT = (
    "Bars are the directions of 500 steps from the same policy, each with another batch. Which "
    "slider turns more steps uphill, and which of them costs trainings? Then let the policy learn "
    "on: with entropy weight 0, and with 0.01. (By keyboard: Tab, arrow keys.)"
)
_LOOK: dict[str, Any] = {
    "layout": {"width": "310px", "max_width": "100%"},
    "style": {"description_width": "108px"},
}
_BATCHES = (1, 2, 4, 8, 16, 32, 64)
_WEIGHTS = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1)
_MEAN = "put the baseline to the mean reward, which a moving average finds"


class GradientSliders(View):
    """Sliders for baseline, batch, entropy weight and how much is learnt; the steps' directions.

    ``w.state`` is a plain dict, and ``GradientSliders(**w.state)`` continues there.

    Args:
        table: what evaluates; None takes the one that comes with the kit.
        baseline, batch, entropy, learnt, draw: see ``GradientState``.
    """

    model: GradientState

    def __init__(
        self,
        table: Table | None = None,
        *,
        baseline: float = 0.0,
        batch: int = 4,
        entropy: float = 0.0,
        learnt: int = 20,
        draw: int = 0,
    ) -> None:
        super().__init__()
        self.model = GradientState(
            table, baseline=baseline, batch=batch, entropy=entropy, learnt=learnt, draw=draw
        )
        self._make_controls()
        self._picture = self._make_picture()
        self._drawn: object = None
        self._words, hint = Words(), Words()
        hint.say(_HINT)
        self.assemble(
            hint,
            row(self._sliders["baseline"], self._sliders["batch"], self._buttons[0]),
            row(self._sliders["learnt"], self._sliders["entropy"], *self._buttons[1:]),
            self._words,
            self._picture,
        )

    def _make_controls(self) -> None:
        model = self.model
        self._sliders: dict[str, Any] = {
            "baseline": ipywidgets.FloatSlider(
                model.baseline, min=0, max=1.5, step=0.01, description="baseline b", **_LOOK
            ),
            "batch": _choice("batch m", _BATCHES, model.batch),
            "learnt": ipywidgets.IntSlider(
                model.learnt, 0, MOST, 10, description="steps learnt", **_LOOK
            ),
            "entropy": _choice("entropy weight", _WEIGHTS, model.entropy),
        }
        for name, slider in self._sliders.items():
            slider.observe(lambda change, name=name: setattr(model, name, change["new"]), "value")
        self._buttons = (
            button("Mean reward", model.take_mean, _MEAN),
            button("Draw again", model.draw_again, "other batches, same setting"),
            button("Reset", model.reset, "back to the first setting"),
        )

    def _make_picture(self) -> MovingPicture:
        figure = Figure(figsize=(9.2, 3.7), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
        title = "Where does one step point?"
        plots.chart(left, title, "cosine with the exact gradient", f"share of {DRAWN} steps")
        plots.chart(right, "The policy w that takes the step", "", "")
        self._bars = plots.CosineBars(left)
        self._w = plots.PolicyMatrix(right, self.model.space)
        return MovingPicture(figure, [*self._bars.moving, *self._w.moving], dpi=120)

    def redraw(self) -> None:
        """Bring sliders, picture and words in line with the state."""
        model = self.model
        for name, slider in self._sliders.items():
            slider.value = getattr(model, name)
        if self._drawn == model.as_dict():
            return
        self._drawn = model.as_dict()
        self._bars.update(model.estimates.cosines)
        self._w.update(model.estimates.w)
        self._words.say(
            f"<b>{html.escape(model.words)}</b>",
            html.escape(model.need_words),
            html.escape(model.policy_words),
        )
        self._picture.draw(f"Directions of {DRAWN} steps, and the policy w. {model.words}.")


def _choice(text: str, values: Sequence[float], now: float) -> ipywidgets.SelectionSlider:
    options = [(f"{v:g}", v) for v in sorted({*values, now})]
    return ipywidgets.SelectionSlider(options=options, value=now, description=text, **_LOOK)
