"""Choose a device and how much latency counts, and watch the network move along the front."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import ipywidgets
import numpy as np
import traitlets

from nas_lab import devices, plots
from nas_lab.devices import DEVICES, Device, Profile
from nas_lab.estimation import Table
from nas_lab.estimation.pareto import pareto_front, weighted_loss
from nas_lab.plots import duration, part_label
from nas_lab.spaces import Arch
from nas_lab.widgets.base import MovingPicture, Number, Picture, State, View, pair, row

HIGHEST = 8.0
"""Largest beta: from there on every device in the catalogue gets its quickest network."""
STEP = 0.1


@dataclass(frozen=True, eq=False)
class Landscape:
    """All networks of a table on one device.

    Attributes:
        device: the device.
        seconds: latencies, [N].
        accuracies: validation accuracies, [N].
        front: places of those that no other beats in both, quickest first.
    """

    device: Device
    seconds: np.ndarray
    accuracies: np.ndarray
    front: np.ndarray

    @classmethod
    def of(cls, table: Table, device: Device) -> Landscape:
        """Count latencies of the networks that were trained."""
        seconds = devices.latencies(table.space, table.archs, table.skeleton, device)
        accuracies = table.scores(0)
        return cls(device, seconds, accuracies, pareto_front(accuracies, seconds))

    def chosen(self, beta: float) -> int:
        """Place on the front of the smallest ``error * log(latency)^beta``.

        No network that others beat in both can have a smaller one, so the front is enough.
        """
        error = 1 - self.accuracies[self.front]
        return int(np.argmin(weighted_loss(error, self.seconds[self.front], beta)))

    @cached_property
    def reachable(self) -> int:
        """How many points of the front some beta of the slider chooses."""
        betas = np.arange(0, HIGHEST + STEP / 2, STEP)
        return len({self.chosen(beta) for beta in betas.tolist()})


class EdgeState(State):
    """A device, and how much its latency counts.

    Args:
        device: name of a device.
        beta: of ``error * log(latency in µs)^beta``, from 0 to ``HIGHEST``.
        table: accuracies of all networks; None takes the table that comes with the kit.

    Raises:
        traitlets.TraitError: a beta out of its range.
        ValueError: an unknown device.
    """

    device = traitlets.Unicode().tag(keep=True)
    beta = Number(0.6, 0.0, HIGHEST).tag(keep=True)

    def __init__(
        self, device: str = "raspberry_pi_4", beta: float = 0.6, *, table: Table | None = None
    ) -> None:
        self.table = table or Table.load()
        self._landscape = lru_cache(maxsize=None)(
            lambda name: Landscape.of(self.table, DEVICES[name])
        )
        super().__init__(device=device, beta=beta)

    @traitlets.validate("device")
    def _check_device(self, proposal: traitlets.Bunch) -> str:
        return devices.find(proposal["value"]).name

    # ---- what follows ------------------------------------------------------------------------

    @property
    def landscape(self) -> Landscape:
        """All networks on the device; counted once for each device."""
        return self._landscape(self.device)

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
    def parts(self) -> list[Profile]:
        """Where its time goes, the longest first."""
        return devices.parts(self.profile.kernels)

    @property
    def words(self) -> str:
        """The choice and what it is worth, in a sentence."""
        profile, accuracy = self.profile, self.landscape.accuracies[self.place]
        return (
            f"beta = {self.beta:.1f} on {profile.name}: {accuracy:.1%} of the images "
            f"right, {duration(profile.seconds)} and {1e3 * profile.joules:.2g} mJ for one"
        )

    @property
    def details(self) -> list[str]:
        """Where it is on the front, what the front's ends are, and what takes longest."""
        known, first = self.landscape, self.parts[0]
        quickest, best = (
            f"{known.accuracies[end]:.1%} in {duration(known.seconds[end])}"
            for end in (known.front[0], known.front[-1])
        )
        share = first.seconds / self.profile.seconds
        return [
            f"point {known.chosen(self.beta) + 1} of {len(known.front)} on the front, which "
            f"reaches from {quickest} to {best}; the slider chooses {known.reachable} of its "
            "points",
            f"slowest: {part_label(first)}, {duration(first.seconds)} or {share:.0%}",
        ]


class EdgeDevices(View):
    """A menu of devices and a slider for beta; the chosen network, its cell and its time."""

    State = EdgeState
    HINT = (
        "Every point is a trained network; the line joins those that no other beats. Move beta, "
        "and look for points of the front that it jumps over. Then change the device, and look at "
        "what the time goes to. (By keyboard: Tab to the slider, then the arrow keys.)"
    )
    DRAWN = ("device", "place")

    def build(self) -> list[ipywidgets.Widget]:
        """Menu and slider above words, charts and cell."""
        controls = row(
            self.choice(
                "device", list(DEVICES), "device", _title, ipywidgets.Dropdown, width="430px"
            ),
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
        title = f"{known.device.title}: which network?"
        front = plots.FrontChart(left, known.seconds, known.accuracies, known.front, title)
        return figure, front, plots.TimeBars(right)

    def draw(self) -> None:
        """Draw the front, the bars and the chosen cell."""
        model = self.model
        figure, front, bars = self._chart(model.device)
        if figure is not self._picture.figure:
            self._picture.lay_out(figure, front, bars)
        front.point_at(model.place)
        bars.update(model.parts)
        self._picture.draw(f"Accuracy against latency, and the slowest operations. {model.words}")
        alt = f"Graph of the chosen cell. {model.words}"
        self._cell.draw(plots.architecture, model.table.space, model.arch, None, alt)


def _title(device: str) -> str:
    return f"{DEVICES[device].kind}: {DEVICES[device].title}"
