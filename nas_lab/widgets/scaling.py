"""Make a network deeper, wider and its images larger by sliders, and watch what it costs."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

import ipywidgets
import numpy as np
import traitlets
from matplotlib.figure import Figure

from nas_lab import plots
from nas_lab.estimation.scaling_grid import BASE
from nas_lab.plots import quantity
from nas_lab.scaling import (
    ALPHA,
    B0,
    B0_RESOLUTION,
    BETA,
    GAMMA,
    TOTAL,
    Budget,
    Coefficients,
    Row,
    Stage,
    compound,
    product,
    project,
    residual,
    table,
)
from nas_lab.widgets.base import Html, MovingPicture, State, View, Words, checkbox, row

MOST = {"alpha": TOTAL, "beta": TOTAL**0.5, "gamma": TOTAL**0.5, "phi": 3.0}
"""Where the sliders end: a coefficient that is on the constraint alone, and 2^phi = 8."""
STEP = {"alpha": 0.01, "beta": 0.01, "gamma": 0.01, "phi": 0.1}
OWN = "your own"
PHIS = np.linspace(0.0, MOST["phi"], 31)
METHODS: Mapping[str, Coefficients] = {
    "the paper's": Coefficients(ALPHA, BETA, GAMMA),
    "deeper only": Coefficients(MOST["alpha"], 1.0, 1.0),
    "wider only": Coefficients(1.0, MOST["beta"], 1.0),
    "larger images only": Coefficients(1.0, 1.0, MOST["gamma"]),
    "a third each": Coefficients(TOTAL ** (1 / 3), TOTAL ** (1 / 6), TOTAL ** (1 / 6)),
}
"""Coefficients that a reader can choose at once."""


@dataclass(frozen=True)
class Scalable:
    """A base network with all that counting needs.

    Attributes:
        stages: its stages.
        resolution: side of its images.
        in_channels, classes: what it reads and puts out.
        divisor: what scaled channels are a multiple of.
    """

    stages: tuple[Stage, ...]
    resolution: int
    in_channels: int = 3
    classes: int = 1000
    divisor: int = 8

    def scaled(self, phi: float, coefficients: Coefficients) -> tuple[int, tuple[Row, ...]]:
        """Side of the images and stage table at phi (equation 3)."""
        stages, side = compound(
            self.stages, self.resolution, phi, *coefficients, divisor=self.divisor
        )
        return side, table(stages, side, in_channels=self.in_channels, classes=self.classes)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The stage table of the network itself."""
        return self.scaled(0.0, Coefficients(1.0, 1.0, 1.0))[1]


BASES: Mapping[str, Scalable] = {
    "small": Scalable(BASE.stages, BASE.resolution, BASE.in_channels, BASE.classes, divisor=1),
    "B0": Scalable(B0, B0_RESOLUTION),
}
"""Networks to scale: that of the scaling study, and EfficientNet-B0."""


def total(rows: tuple[Row, ...]) -> Budget:
    """What a whole network costs."""
    return sum((row.budget for row in rows), Budget())


def as_times(cost: Budget, base: Budget) -> tuple[float, float, float]:
    """Multiply-adds, parameters and activations, over those of the base network."""
    return (
        cost.macs / base.macs,
        cost.params / base.params,
        cost.activations / base.activations,
    )


@lru_cache(maxsize=64)
def curve(base: str, coefficients: Coefficients) -> np.ndarray:
    """Costs over the base network's at every phi of ``PHIS``, [P, 3]."""
    network = BASES[base]
    costs = [total(network.scaled(float(phi), coefficients)[1]) for phi in PHIS]
    return np.array([as_times(cost, costs[0]) for cost in costs])


def checked(name: str, value: float) -> float:
    """A coefficient or phi that is in its range; raise TraitError for one that is not."""
    least = 0 if name == "phi" else 1
    if not least <= value <= MOST[name] + 1e-9:
        why = "0 is the base network" if name == "phi" else "scaling up makes nothing smaller"
        raise traitlets.TraitError(f"{name}={value:g}: give {least} to {MOST[name]:.4g}; {why}")
    return value


class ScalingState(State):
    """A network that is scaled, and what that costs.

    Args:
        base: "small" or "B0".
        alpha, beta, gamma: how many times deeper, wider and larger for one step of phi; from 1 to
            what is on the constraint alone: 2, and the root of 2.
        phi: how many steps, from 0 to 3.
        locked: keep alpha beta^2 gamma^2 = 2.

    Raises:
        traitlets.TraitError: a number is out of its range, or there is no such base network.
    """

    base = traitlets.Enum(list(BASES)).tag(keep=True)
    alpha = traitlets.Float().tag(keep=True)
    beta = traitlets.Float().tag(keep=True)
    gamma = traitlets.Float().tag(keep=True)
    phi = traitlets.Float().tag(keep=True)
    locked = traitlets.Bool().tag(keep=True)

    def __init__(
        self,
        base: str = "small",
        alpha: float = ALPHA,
        beta: float = BETA,
        gamma: float = GAMMA,
        phi: float = 1.0,
        locked: bool = False,
    ) -> None:
        given = {"base": base, "alpha": alpha, "beta": beta, "gamma": gamma, "phi": phi}
        super().__init__(**given, locked=False)
        self.lock(locked)
        self._first = {name: getattr(self, name) for name in self._first}

    @traitlets.validate("alpha", "beta", "gamma", "phi")
    def _check(self, proposal: traitlets.Bunch) -> float:
        return checked(proposal["trait"].name, proposal["value"])

    # ---- what a reader does ------------------------------------------------------------------

    def move(self, name: str, value: float) -> None:
        """Set a coefficient or phi. The lock lets the other coefficients give way.

        Raises:
            traitlets.TraitError: the number is out of its range.
        """
        checked(name, value)
        with self.hold_trait_notifications():
            setattr(self, name, value)
            if self.locked and name != "phi":
                before = self.coefficients
                self._set(project(*before, keep=name))  # type: ignore[arg-type]
                self.message = self._gave_way(name, before)
            else:
                self.message = ""

    def lock(self, locked: bool) -> None:
        """Close or open the lock; closing it moves to the nearest point of the constraint."""
        with self.hold_trait_notifications():
            before, self.locked, self.message = self.coefficients, locked, ""
            if locked:
                self._set(project(*before))
                self.message = self._gave_way(None, before)

    def choose(self, method: str) -> None:
        """Take the coefficients of a method. One off the constraint opens the lock."""
        with self.hold_trait_notifications():
            self._set(METHODS[method])
            opened = self.locked and abs(self.residual) > 1e-6
            self.locked = self.locked and not opened
            self.message = "(the lock is open: these are off the constraint)" if opened else ""

    def _set(self, coefficients: Coefficients) -> None:
        for name, value in coefficients._asdict().items():
            setattr(self, name, min(value, MOST[name]))

    def _gave_way(self, kept: str | None, before: Coefficients) -> str:
        now = self.coefficients._asdict()
        moved = [
            f"{_LETTERS[name]} = {value:.4g}"
            for name, value in now.items()
            if name != kept and abs(value - getattr(before, name)) > 5e-4
        ]
        return f"(to keep it: {', '.join(moved)})" if moved else ""

    # ---- what follows from the setting -------------------------------------------------------

    @property
    def coefficients(self) -> Coefficients:
        """alpha, beta and gamma."""
        return Coefficients(self.alpha, self.beta, self.gamma)

    @property
    def method(self) -> str:
        """The name of these coefficients in ``METHODS``; ``your own`` where they have none."""
        known = METHODS.items()
        near = (n for n, c in known if np.allclose(c, self.coefficients, atol=1e-6, rtol=0))
        return next(near, OWN)

    @property
    def residual(self) -> float:
        """alpha beta^2 gamma^2 - 2."""
        return residual(*self.coefficients)

    @property
    def network(self) -> Scalable:
        """The base network."""
        return BASES[self.base]

    @property
    def rows(self) -> tuple[Row, ...]:
        """The stage table of the scaled network."""
        return self._scaled[1]

    @property
    def times(self) -> tuple[float, float, float]:
        """Multiply-adds, parameters and activations over those of the base network."""
        return as_times(total(self.rows), total(self.network.rows))

    @property
    def curve(self) -> np.ndarray:
        """The same at every phi of ``PHIS``, [P, 3]."""
        return curve(self.base, self.coefficients)

    @property
    def _scaled(self) -> tuple[int, tuple[Row, ...]]:
        return self.network.scaled(self.phi, self.coefficients)

    @property
    def constraint_words(self) -> str:
        """The constraint with its numbers, and what is left to 2."""
        a, b, c = self.coefficients
        return (
            f"α β² γ² = {a:.4g} · {b:.4g}² · {c:.4g}² = {product(a, b, c):.2f}, "
            f"residual {_signed(self.residual)}"
        )

    @property
    def size_words(self) -> str:
        """Layers, channels and pixels, before and after."""
        side, rows = self._scaled
        base = self.network.rows
        layers, widest = zip(*map(_depth_and_width, (base, rows)), strict=True)
        return (
            f"depth {layers[0]} → {layers[1]} layers, "
            f"widest block {widest[0]} → {widest[1]} channels, "
            f"images {self.network.resolution} → {side} pixels"
        )

    @property
    def cost_words(self) -> str:
        """What it costs, beside 2^phi."""
        macs, params, activations = self.times
        return (
            f"φ = {self.phi:.1f}, 2^φ = {2**self.phi:.2f}: {macs:.2f} times the multiply-adds "
            f"({quantity(total(self.rows).macs)}), {params:.2f} the parameters, "
            f"{activations:.2f} the activations"
        )


_LETTERS = {"alpha": "α", "beta": "β", "gamma": "γ"}


def _depth_and_width(rows: tuple[Row, ...]) -> tuple[int, int]:
    stages = [row.stage for row in rows]
    widest = max(stage.channels for stage in stages if stage.operator == "mbconv")
    return sum(stage.layers for stage in stages), widest


def _signed(value: float) -> str:
    shown = f"{value:+.2f}"
    return "0" if float(shown) == 0 else shown.replace("-", "−")


class CompoundScaling(View):
    """Sliders for alpha, beta, gamma and phi; the network drawn to scale, and its cost.

    The lock keeps alpha beta^2 gamma^2 = 2: when one slider moves, the two others give way to the
    nearest point.
    """

    State = ScalingState
    HINT = (
        "Move φ, and look at the marks: does the cost follow 2^φ? Then scale one dimension alone, "
        "and close the lock before you move another. (By keyboard: Tab, arrow keys, Space.)"
    )

    def build(self) -> list[ipywidgets.Widget]:
        """Menus, lock and sliders above words, networks and costs."""
        model, menu = self.model, ipywidgets.Dropdown
        bases = {"small": "small network", "B0": "EfficientNet-B0"}
        methods = ipywidgets.Dropdown(
            options=[OWN, *METHODS], description="scale", style={"description_width": "initial"}
        )
        methods.layout.width = "215px"
        lock = checkbox("keep α β² γ² = 2", "2px 16px")
        controls = row(
            self.choice("base", list(BASES), "base", bases.__getitem__, menu, width="225px"),
            self.bind(methods, lambda: model.method, self._choose),
            self.bind(lock, lambda: model.locked, model.lock),
            self.reset_button("back to the first setting"),
        )
        alpha, beta, gamma = (
            self._coefficient(name, f"{_LETTERS[name]} {what}")
            for name, what in (("alpha", "depth"), ("beta", "width"), ("gamma", "resolution"))
        )
        phi = self._coefficient("phi", "φ steps")
        self._words, self._picture = Words(), self._make_picture()
        self.shows(self._say, "base", "coefficients", "phi", "message")
        self.shows(self._draw, "base", "coefficients", "phi")
        return [controls, row(alpha, beta), row(gamma, phi), self._words, self._picture]

    def _coefficient(self, name: str, text: str) -> ipywidgets.ValueWidget:
        least, digits = (0.0, ".1f") if name == "phi" else (1.0, ".2f")
        look: dict[str, Any] = {"width": "350px", "label": "96px", "readout_format": digits}
        move = partial(self.model.move, name)
        return self.slider(name, least, MOST[name], STEP[name], text, move, **look)

    def _choose(self, method: str) -> None:
        if method != OWN:
            self.model.choose(method)

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
        return MovingPicture(figure, self._before, self._boxes, self._costs)

    def _say(self) -> None:
        model = self.model
        first = f"<b>{html.escape(model.constraint_words)}</b> {html.escape(model.message)}"
        self._words.say(Html(first), model.size_words, model.cost_words)

    def _draw(self) -> None:
        model = self.model
        before, after = model.network.rows, model.rows
        scale = _scale(before, after)
        self._before.update(before, scale)
        self._boxes.update(after, scale)
        self._costs.update(PHIS, model.curve)
        self._costs.point_at(model.phi, model.times)
        said = ". ".join((model.constraint_words, model.size_words, model.cost_words))
        self._picture.draw(f"The network before and after, to one scale. {said}.")


def _scale(before: tuple[Row, ...], after: tuple[Row, ...]) -> plots.Scale:
    """One scale for both networks, smaller step by step until both have room, in inches."""
    scale = plots.Scale.for_network(before, 2.9, 0.95)
    steps = (scale.times(0.8**step) for step in range(12))
    return next(s for s in steps if np.all(np.array(plots.size_of(after, s)) <= (5.0, 1.85)))
