"""Make a network deeper, wider and its images larger by sliders, and watch what it costs."""

from __future__ import annotations

import html
import math
from functools import partial
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.figure import Figure

from nas_lab import plots
from nas_lab.scaling import ALPHA, BETA, GAMMA, Row
from nas_lab.widgets.scaling_state import BASES, MOST, PHIS, STEP, WAYS, ScalingState
from nas_lab.widgets.view import MovingPicture, View, Words, button, row

_HINT = (
    "Move φ, and look at the marks: does the cost follow 2^φ? Then scale one dimension alone, and "
    "close the lock before you move another. (By keyboard: Tab, arrow keys, Space.)"
)
_SAID = {
    "alpha": "α depth",
    "beta": "β width",
    "gamma": "γ resolution",
    "phi": "φ steps",
}
_NAMES = {"small": "small network", "B0": "EfficientNet-B0"}
_OWN = "your own"
_ROOM = (5.0, 1.85)
"""Inches for the scaled network."""
_BASE_ROOM = (2.9, 0.95)
"""Inches of the base network before anything shrinks."""
_SHRINK = tuple(0.8**step for step in range(12))


class CompoundScaling(View):
    """Sliders for alpha, beta, gamma and phi; the network drawn to scale, and its cost.

    ``w.state`` is a plain dict, and ``CompoundScaling(**w.state)`` continues there. The lock keeps
    alpha beta^2 gamma^2 = 2: when one slider moves, the two others give way to the nearest point.

    Args:
        base: the network that is scaled: "small" or "B0".
        alpha, beta, gamma: how many times deeper, wider and larger for one step of phi.
        phi: how many steps, from 0 to 3.
        locked: whether the constraint is kept.

    Raises:
        traitlets.TraitError: a number is out of its range, or there is no such base network.
    """

    model: ScalingState

    def __init__(
        self,
        base: str = "small",
        alpha: float = ALPHA,
        beta: float = BETA,
        gamma: float = GAMMA,
        phi: float = 1.0,
        locked: bool = False,
    ) -> None:
        super().__init__()
        self.model = ScalingState(base, alpha, beta, gamma, phi, locked)
        self._make_controls()
        self._picture = self._make_picture()
        self._drawn: object = None
        self._words, hint = Words(), Words()
        hint.say(_HINT)
        reset = button("Reset", self.model.reset, "back to the first setting")
        self.assemble(
            hint,
            row(self._base, self._way, self._lock, reset),
            row(self._sliders["alpha"], self._sliders["beta"]),
            row(self._sliders["gamma"], self._sliders["phi"]),
            self._words,
            self._picture,
        )

    # ---- controls ----------------------------------------------------------------------------

    def _make_controls(self) -> None:
        self._base = _menu("base", [(_NAMES[name], name) for name in BASES], "225px")
        self._base.observe(self._choose_base, "value")
        self._way = _menu("scale", [_OWN, *WAYS], "215px")
        self._way.observe(self._choose_way, "value")
        self._lock = ipywidgets.Checkbox(False, description="keep α β² γ² = 2", indent=False)
        self._lock.layout.width = "auto"
        self._lock.layout.margin = "2px 16px"
        self._lock.observe(self._tick_lock, "value")
        self._sliders = {name: _slider(name) for name in _SAID}
        for name, slider in self._sliders.items():
            slider.observe(partial(self._slide, name), "value")

    def _choose_base(self, change: Any) -> None:
        self.model.base = change["new"]

    def _choose_way(self, change: Any) -> None:
        if change["new"] not in (_OWN, self.model.way):
            self.model.choose(change["new"])
        self._way.value = self.model.way or _OWN

    def _tick_lock(self, change: Any) -> None:
        if change["new"] != self.model.locked:
            self.model.lock(change["new"])

    def _slide(self, name: str, change: Any) -> None:
        if not math.isclose(change["new"], self._at(name), abs_tol=1e-6):
            self.model.move(name, change["new"])

    def _show(self, name: str, slider: ipywidgets.FloatSlider) -> None:
        """Put a slider to the state; one that is there stays alone, for a hand may be on it."""
        if not math.isclose(slider.value, self._at(name), abs_tol=1e-6):
            slider.value = self._at(name)

    def _at(self, name: str) -> float:
        """Where a slider stands: on the step nearest to the state, or at the end.

        A browser would put it there by itself, and hand the kernel that for a reader's move.
        """
        value, step, most = getattr(self.model, name), STEP[name], MOST[name]
        return most if value > most - 1e-6 else round(round(value / step) * step, 6)

    # ---- what is seen ------------------------------------------------------------------------

    def _make_picture(self) -> MovingPicture:
        figure = Figure(figsize=(9.2, 4.0))
        left = figure.add_axes((0.0, 0.02, 0.58, 0.96))
        right = figure.add_axes((0.655, 0.14, 0.335, 0.77))
        left.set_axis_off()
        left.set_xlim(0, 0.58 * 9.2)
        left.set_ylim(0, 0.96 * 4.0)
        plots.box_key(left, (0.05, 3.7))
        plots.chart(right, "Does the cost follow $2^φ$?", "$2^φ$", "times the base network's cost")
        self._before = plots.StageBoxes(left, (0.1, 2.3), "before")
        self._boxes = plots.StageBoxes(left, (0.1, 0.05), "scaled")
        self._costs = plots.BudgetLines(right, MOST["phi"])
        moving = [*self._before.moving, *self._boxes.moving, *self._costs.moving]
        return MovingPicture(figure, moving)

    def redraw(self) -> None:
        """Bring controls, picture and words in line with the state."""
        model = self.model
        self._base.value, self._way.value = model.base, model.way or _OWN
        self._lock.value = model.locked
        for name, slider in self._sliders.items():
            self._show(name, slider)
        said = (model.constraint_words, model.size_words, model.cost_words)
        first = f"<b>{html.escape(said[0])}</b> {html.escape(model.message)}"
        self._words.say(first, *map(html.escape, said[1:]))
        now = (model.base, model.coefficients, model.phi)
        if self._drawn == now:
            return
        self._drawn = now
        before, after = model.network.rows, model.rows
        scale = _scale(before, after)
        self._before.update(before, scale)
        self._boxes.update(after, scale)
        self._costs.update(PHIS, model.curve)
        self._costs.point_at(model.phi, model.times)
        self._picture.draw(f"The network before and after, to one scale. {'. '.join(said)}.")


def _scale(before: tuple[Row, ...], after: tuple[Row, ...]) -> plots.Scale:
    """One scale for both networks, smaller step by step until both have room."""
    scale = plots.Scale.for_network(before, *_BASE_ROOM)
    steps = (scale.times(factor) for factor in _SHRINK)
    return next(s for s in steps if np.all(np.array(plots.size_of(after, s)) <= _ROOM))


def _menu(text: str, options: list[Any], width: str) -> ipywidgets.Dropdown:
    return ipywidgets.Dropdown(
        options=options,
        description=text,
        style={"description_width": "initial"},
        layout={"width": width, "max_width": "100%"},
    )


def _slider(name: str) -> ipywidgets.FloatSlider:
    least = 0.0 if name == "phi" else 1.0
    return ipywidgets.FloatSlider(
        least,
        min=least,
        max=MOST[name],
        step=STEP[name],
        description=_SAID[name],
        readout_format=".1f" if name == "phi" else ".2f",
        style={"description_width": "96px"},
        layout={"width": "350px", "max_width": "100%"},
    )
