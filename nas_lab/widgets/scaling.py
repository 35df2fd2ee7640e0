"""Make a network deeper, wider and its images larger by sliders, and watch what it costs."""

from __future__ import annotations

import html
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any

import ipywidgets
import numpy as np
import traitlets
from matplotlib.figure import Figure

from nas_lab import plots
from nas_lab.estimation.scaling_grid import BASE, Base
from nas_lab.plots import quantity
from nas_lab.scaling import (
    ALPHA,
    B0,
    B0_RESOLUTION,
    BETA,
    GAMMA,
    TOTAL,
    Coefficients,
    Row,
    compound,
    product,
    project,
    residual,
    table,
)
from nas_lab.widgets.base import Html, MovingPicture, Number, State, View, row

MOST = {"alpha": TOTAL, "beta": TOTAL**0.5, "gamma": TOTAL**0.5, "phi": 3.0}
"""Where the sliders end: a coefficient that is on the constraint alone, and 2^phi = 8."""
UP = "; scaling up makes nothing smaller"
LETTERS = {"alpha": "α", "beta": "β", "gamma": "γ"}
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


BASES: Mapping[str, tuple[Base, int]] = {
    "small": (BASE, 1),
    "B0": (Base(B0, B0_RESOLUTION, in_channels=3, classes=1000), 8),
}
"""Networks to scale, and what their channels are a multiple of: that of the scaling study, and
EfficientNet-B0."""


@lru_cache(maxsize=256)
def scaled(base: str, phi: float, coefficients: Coefficients) -> tuple[int, tuple[Row, ...]]:
    """Side of the images and stage table of a scaled network (equation 3)."""
    network, divisor = BASES[base]
    stages, side = compound(network.stages, network.resolution, phi, *coefficients, divisor=divisor)
    return side, table(stages, side, **network.sizes)


def costs(rows: tuple[Row, ...]) -> np.ndarray:
    """Multiply-adds, parameters and activations of a network."""
    counted = [(row.budget.macs, row.budget.params, row.budget.activations) for row in rows]
    return np.sum(counted, axis=0)


@lru_cache(maxsize=64)
def curve(base: str, coefficients: Coefficients) -> np.ndarray:
    """Costs over the base network's at every phi of ``PHIS``, [P, 3]."""
    counted = np.array([costs(scaled(base, phi, coefficients)[1]) for phi in PHIS.tolist()])
    return counted / counted[0]


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
    alpha = Number(ALPHA, 1.0, MOST["alpha"], UP).tag(keep=True)
    beta = Number(BETA, 1.0, MOST["beta"], UP).tag(keep=True)
    gamma = Number(GAMMA, 1.0, MOST["gamma"], UP).tag(keep=True)
    phi = Number(1.0, 0.0, MOST["phi"], "; 0 is the base network").tag(keep=True)
    locked = traitlets.Bool(False).tag(keep=True)

    def __init__(self, base: str = "small", *, locked: bool = False, **settings: Any) -> None:
        super().__init__(base=base, **settings)
        self.move("locked", locked)
        self._first = {name: getattr(self, name) for name in self._first}

    # ---- what a reader does ------------------------------------------------------------------

    def move(self, name: str, value: Any) -> None:
        """Set a trait. The lock lets coefficients give way, to the nearest on the constraint.

        Raises:
            traitlets.TraitError: the number is out of its range.
        """
        with self.hold_trait_notifications():
            setattr(self, name, value)
            before, self.message = self.coefficients, ""
            if self.locked and name in (*LETTERS, "locked"):
                kept: Any = name if name in LETTERS else None
                self._set(project(*before, keep=kept))
                self.message = self._gave_way(before)

    def choose(self, method: str) -> None:
        """Take the coefficients of a method. One off the constraint opens the lock."""
        if method == OWN:  # what coefficients are, not a choice
            return
        with self.hold_trait_notifications():
            self._set(METHODS[method])
            opened = self.locked and abs(residual(*self.coefficients)) > 1e-6
            self.locked = self.locked and not opened
            self.message = "(the lock is open: these are off the constraint)" if opened else ""

    def _set(self, coefficients: Coefficients) -> None:
        for name, value in coefficients._asdict().items():
            setattr(self, name, value)

    def _gave_way(self, before: Coefficients) -> str:
        moved = [
            f"{LETTERS[name]} = {value:.4g}"
            for name, value in self.coefficients._asdict().items()
            if abs(value - getattr(before, name)) > 5e-4
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
    def before(self) -> tuple[Row, ...]:
        """The stage table of the base network."""
        return scaled(self.base, 0.0, self.coefficients)[1]

    @property
    def rows(self) -> tuple[Row, ...]:
        """The stage table of the scaled network."""
        return scaled(self.base, self.phi, self.coefficients)[1]

    @property
    def times(self) -> np.ndarray:
        """Multiply-adds, parameters and activations over those of the base network."""
        return costs(self.rows) / costs(self.before)

    @property
    def curve(self) -> np.ndarray:
        """The same at every phi of ``PHIS``, [P, 3]."""
        return curve(self.base, self.coefficients)

    @property
    def words(self) -> str:
        """The constraint with its numbers, and what is left to 2."""
        (a, b, c), left = self.coefficients, f"{residual(*self.coefficients):+.2f}"
        left = left.replace("-", "−") if float(left) else "0"
        return f"α β² γ² = {a:.4g} · {b:.4g}² · {c:.4g}² = {product(a, b, c):.2f}, residual {left}"

    @property
    def details(self) -> list[str]:
        """Layers, channels and pixels before and after; what it costs, beside 2^phi."""
        layers, widest = zip(*map(_depth_and_width, (self.before, self.rows)), strict=True)
        macs, params, activations = self.times
        return [
            f"depth {layers[0]} → {layers[1]} layers, "
            f"widest block {widest[0]} → {widest[1]} channels, "
            f"images {self.before[0].resolution} → {self.rows[0].resolution} pixels",
            f"φ = {self.phi:.1f}, 2^φ = {2**self.phi:.2f}: {macs:.2f} times the multiply-adds "
            f"({quantity(costs(self.rows)[0])}), {params:.2f} the parameters, "
            f"{activations:.2f} the activations",
        ]


def _depth_and_width(rows: tuple[Row, ...]) -> tuple[int, int]:
    stages = [row.stage for row in rows]
    widest = max(stage.channels for stage in stages if stage.operator == "mbconv")
    return sum(stage.layers for stage in stages), widest


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
    DRAWN = ("base", "coefficients", "phi")

    def build(self) -> list[ipywidgets.Widget]:
        """Menus, lock and sliders above words, networks and costs."""
        model = self.model
        bases = {"small": "small network", "B0": "EfficientNet-B0"}.__getitem__
        methods, lock = (OWN, *METHODS), partial(model.move, "locked")
        controls = row(
            self.choice("base", list(BASES), "base", bases, ipywidgets.Dropdown, width="225px"),
            self.menu(methods, "scale", lambda: model.method, model.choose, width="215px"),
            self.checkbox("keep α β² γ² = 2", "2px 16px", lambda: model.locked, lock),
            self.reset_button("back to the first setting"),
        )
        look: dict[str, Any] = {"width": "350px", "label": "96px"}
        alpha, beta, gamma = (
            self.slider(name, 0.01, f"{letter} {what}", **look, readout_format=".2f")
            for (name, letter), what in zip(
                LETTERS.items(), ("depth", "width", "resolution"), strict=True
            )
        )
        phi = self.slider("phi", 0.1, "φ steps", **look, readout_format=".1f")
        self._picture = self._make_picture()
        self.shows(self.say, "message")
        return [controls, row(alpha, beta), row(gamma, phi), self._words, self._picture]

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

    def say(self) -> None:
        """Say the constraint, what gave way to keep it, and what follows."""
        model = self.model
        first = f"<b>{html.escape(model.words)}</b> {html.escape(model.message)}"
        self._words.say(Html(first), *model.details)

    def draw(self) -> None:
        """Draw both networks to one scale, and the marks on the lines."""
        model = self.model
        scale = _scale(model.before, model.rows)
        self._before.update(model.before, scale)
        self._boxes.update(model.rows, scale)
        self._costs.update(PHIS, model.curve)
        self._costs.point_at(model.phi, model.times)
        said = ". ".join((model.words, *model.details))
        self._picture.draw(f"The network before and after, to one scale. {said}.")


def _scale(before: tuple[Row, ...], after: tuple[Row, ...]) -> np.ndarray:
    """One scale for both networks, smaller step by step until both have room, in inches."""
    scale = plots.box_scale(before, 2.9, 0.95)
    steps = (0.8**step * scale for step in range(12))
    return next(s for s in steps if np.all(np.array(plots.size_of(after, s)) <= (5.0, 1.85)))
