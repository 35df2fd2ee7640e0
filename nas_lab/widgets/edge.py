"""Choose a device and how much latency counts, and watch the network move along the front."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets
from matplotlib.figure import Figure

from nas_lab import plots
from nas_lab.devices import DEVICES
from nas_lab.estimation import Table
from nas_lab.plots.devices import FrontChart, TimeBars
from nas_lab.widgets.edge_state import HIGHEST, STEP, EdgeState
from nas_lab.widgets.view import MovingPicture, Picture, View, Words, button, row

_HINT = (
    "Every point is a trained network; the line joins those that no other beats. Move beta, and "
    "look for points of the front that it jumps over. Then change the device, and look at what "
    "the time goes to. (By keyboard: Tab to the slider, then the arrow keys.)"
)
_WIDE = {"width": "300px", "max_width": "100%"}
_WIDER = {"width": "430px", "max_width": "100%"}


class EdgeDevices(View):
    """A menu of devices and a slider for beta; the chosen network, its cell and its time.

    ``w.state`` is a plain dict, and ``EdgeDevices(**w.state)`` continues there.

    Args:
        device: name of a device in ``devices.DEVICES``.
        beta: exponent of the lecture's ``error * log(latency)^beta``.
        table: accuracies of all networks; None takes the table that comes with the kit.
    """

    model: EdgeState

    def __init__(
        self, device: str = "raspberry_pi_4", beta: float = 0.6, *, table: Table | None = None
    ) -> None:
        super().__init__()
        self.model = EdgeState(device, beta, table=table)
        self._make_controls()
        self._figures: dict[str, tuple[Figure, FrontChart, TimeBars]] = {}
        self._front, self._bars = self._charts()[1:]
        self._picture = MovingPicture(self._charts()[0], self._moving)
        self._cell = Picture(5.6, 2.14)
        self._shown = self.model.device
        self._drawn: object = None
        self._words, hint = Words(), Words()
        hint.say(_HINT)
        reset = button("Reset", self.model.reset, "back to the first device and beta")
        controls = row(self._device, self._beta, reset)
        self.assemble(hint, controls, self._words, self._picture, self._cell)

    def _make_controls(self) -> None:
        model = self.model
        names = [(f"{d.kind}: {d.title}", d.name) for d in DEVICES.values()]
        self._device = ipywidgets.Dropdown(
            options=names, value=model.device, description="device", layout=_WIDER
        )
        self._beta = ipywidgets.FloatSlider(
            model.beta,
            min=0,
            max=HIGHEST,
            step=STEP,
            description="beta",
            readout_format=".1f",
            layout=_WIDE,
        )
        self._device.observe(lambda change: self._set("device", change), "value")
        self._beta.observe(lambda change: self._set("beta", change), "value")

    def _set(self, name: str, change: Any) -> None:
        setattr(self.model, name, change["new"])

    def _charts(self) -> tuple[Figure, FrontChart, TimeBars]:
        """Front and bars of the device, laid out when it is first chosen."""
        if self.model.device not in self._figures:
            known = self.model.landscape
            figure = Figure(figsize=(9.2, 3.7), layout="constrained")
            left, right = figure.subplots(1, 2, width_ratios=(1, 1))
            title = f"{known.device.title}: which network?"
            front = FrontChart(left, known.seconds, known.accuracies, known.front, title)
            self._figures[self.model.device] = (figure, front, TimeBars(right))
        return self._figures[self.model.device]

    @property
    def _moving(self) -> list[Any]:
        return [*self._front.moving, *self._bars.moving]

    def redraw(self) -> None:
        """Bring controls, pictures and words in line with the state."""
        model = self.model
        self._device.value, self._beta.value = model.device, model.beta
        self._words.say(
            f"<b>{html.escape(model.words)}</b>",
            html.escape(model.front_words),
            html.escape(model.slowest_words),
        )
        if self._drawn == (model.device, model.place):
            return
        self._drawn = (model.device, model.place)
        if self._shown != model.device:
            self._shown = model.device
            figure, self._front, self._bars = self._charts()
            self._picture.lay_out(figure, self._moving)
        self._front.point_at(model.place)
        self._bars.update(model.parts)
        self._picture.draw(f"Accuracy against latency, and the slowest operations. {model.words}")
        self._cell.draw(
            lambda ax: plots.cell(model.table.space, model.arch, ax),
            f"Graph of the chosen cell. {model.words}",
        )
