"""Choose a device and how much latency counts, and watch the network move along the front."""

from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
import traitlets

from nas_lab import devices, plots
from nas_lab.devices import DEVICES, Profile
from nas_lab.estimation import Table, TransformerGrid
from nas_lab.estimation.pareto import pareto_front, weighted_loss
from nas_lab.plots import duration, part_label
from nas_lab.spaces import Arch
from nas_lab.widgets.base import (
    MovingPicture,
    Number,
    Picture,
    Play,
    State,
    View,
    Widget,
    pair,
    row,
)

HIGHEST = 8.0  # largest beta: from there on every device in the catalogue gets its quickest network
STEP = 0.1


class Landscape:
    """All networks of a table on one device; the front are those that no other beats in both."""

    def __init__(self, table: Table | TransformerGrid, scores: np.ndarray, device: str) -> None:
        self.seconds = devices.latencies(table.SPACE, table.archs, table.skeleton, DEVICES[device])
        self.accuracies = scores
        self.front = pareto_front(self.accuracies, self.seconds)

    def chosen(self, beta: float) -> int:
        """Place on the front of the smallest ``error * log(latency)^beta`` of all networks."""
        error = 1 - self.accuracies[self.front]
        return int(np.argmin(weighted_loss(error, self.seconds[self.front], beta)))

    @cached_property
    def reachable(self) -> int:
        """How many points of the front some beta of the slider chooses."""
        return len({self.chosen(b) for b in np.arange(0, HIGHEST + STEP / 2, STEP).tolist()})


class OnDevice(State):
    """A state with a ``device``, by its name, and so with all networks of a table on it."""

    device = traitlets.Unicode("raspberry_pi_4").tag(keep=True)

    def __init__(self, table: Table | TransformerGrid, scores: np.ndarray, **kept: Any) -> None:
        self.table = table
        self._landscape = lru_cache(maxsize=None)(partial(Landscape, table, scores))
        super().__init__(**kept)

    @traitlets.validate("device")
    def _check_device(self, proposal: traitlets.Bunch) -> str:
        return devices.find(proposal["value"]).name

    @property
    def landscape(self) -> Landscape:
        """All networks on the device; counted once for each device."""
        return self._landscape(self.device)


class EdgeState(OnDevice):
    """A device, and how much its latency counts.

    Args:
        device: name of a device.
        beta: of ``error * log(latency in µs)^beta``, from 0 to ``HIGHEST``.
        table: accuracies of all networks; None takes the table that comes with the kit.
    """

    beta = Number(0.6, 0.0, HIGHEST).tag(keep=True)

    def __init__(
        self, device: str = "raspberry_pi_4", beta: float = 0.6, *, table: Table | None = None
    ) -> None:
        table = table or Table.load()
        super().__init__(table, table.scores(0), device=device, beta=beta)

    @property
    def place(self) -> int:
        """Place of the chosen network in the table."""
        return int(self.landscape.front[self.landscape.chosen(self.beta)])

    @property
    def arch(self) -> Arch:
        """The chosen network's cell."""
        return tuple(self.table.archs[self.place].tolist())

    @property
    def profile(self) -> Profile:
        """The chosen network on the device, kernel by kernel."""
        return devices.profile(self.table.space, self.arch, self.table.skeleton, self.device)

    @property
    def words(self) -> str:
        """The choice and what it is worth, in a sentence."""
        profile, accuracy = self.profile, self.landscape.accuracies[self.place]
        spent = f"{duration(profile.seconds)} and {1e3 * profile.joules:.2g} mJ for one"
        where = f"beta = {self.beta:.1f} on {profile.name}"
        return f"{where}: {accuracy:.1%} of the images right, {spent}"

    @property
    def details(self) -> list[str]:
        """Where it is on the front, what the front's ends are, the runtime, what takes longest."""
        known, profile = self.landscape, self.profile
        both = known.front[[0, -1]]
        ends = [f"{known.accuracies[i]:.1%} in {duration(known.seconds[i])}" for i in both]
        point = f"point {known.chosen(self.beta) + 1} of {len(known.front)} on the front"
        slider = f"the slider chooses {known.reachable} of its points"
        first = devices.parts(profile.kernels)[0]
        slowest = f"{duration(first.seconds)} or {first.seconds / profile.seconds:.0%}"
        return [
            f"{point}, which reaches from {ends[0]} to {ends[1]}; {slider}",
            f"runs by {DEVICES[self.device].runtime}; slowest: {part_label(first)}, {slowest}",
        ]


def device_menu(view: View) -> Widget:
    """A menu of all devices."""
    titles = {name: f"{device.kind}: {device.title}" for name, device in DEVICES.items()}
    look: dict[str, Any] = {"menu": True, "width": "430px"}
    return view.choice("device", list(titles), "device", titles.__getitem__, **look)


class EdgeDevices(View):
    """A menu of devices and a slider for beta; the chosen network, its cell and its time."""

    State = EdgeState
    HINT = (
        "Every point is a trained network; the line joins those that no other beats. Move beta, "
        "and look for points of the front that it jumps over. Then change the device, and look at "
        "what the time goes to. (By keyboard: Tab to the slider, then the arrow keys.)"
    )
    DRAWN = ("device", "place")
    PLAY = Play(
        "A network for a device",
        "The line joins the networks that no other beats in both accuracy and latency. Which of "
        "them does beta never choose, and what changes with the device?",
        "07_edge_devices.ipynb#4-Loss-and-latency-together",
        {"device": None, "beta": np.linspace(0, HIGHEST, 41).tolist()},
    )

    def _build(self) -> list[Widget]:
        controls = row(
            device_menu(self),
            self.slider("beta", STEP, "beta", width="300px", readout_format=".1f"),
            self.reset_button("back to the first device and beta"),
        )
        self._chart = lru_cache(maxsize=None)(self._make_chart)
        self._picture, self._cell = MovingPicture(*self._chart(self.model.device)), Picture()
        return [controls, self._words, self._picture, self._cell]

    def _make_chart(self, device: str) -> tuple[Any, ...]:
        """Figure, front and bars of the device, laid out when it is first chosen."""
        known = self.model.landscape
        figure, left, right = pair(9.2, 3.7, 1, 1)
        title = DEVICES[device].title
        front = plots.FrontChart(left, known.seconds, known.accuracies, known.front, title)
        return figure, front, plots.TimeBars(right)

    def _draw(self) -> None:
        model = self.model
        figure, front, bars = self._chart(model.device)
        if figure is not self._picture.figure:
            self._picture.lay_out(figure, front, bars)
        front.point_at(model.place)
        bars.update(devices.parts(model.profile.kernels))
        self._picture.draw(f"Accuracy against latency, and the slowest operations. {model.words}")
        alt = f"Graph of the chosen cell. {model.words}"
        self._cell.draw(plots.architecture, model.table.space, model.arch, None, alt)
