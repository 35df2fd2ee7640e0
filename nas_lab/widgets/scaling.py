"""Compound scaling by sliders: a network deeper, wider, with larger images, and what it costs."""

import html
import math
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any

import numpy as np
import traitlets
from matplotlib.figure import Figure

from nas_lab import plots, scaling
from nas_lab.estimation.scaling_grid import BASE, Base
from nas_lab.plots import quantity
from nas_lab.scaling import TOTAL, Coefficients, Row
from nas_lab.widgets.base import Html, MovingPicture, Number, Play, State, View, Widget, row

MOST = {"alpha": TOTAL, "beta": TOTAL**0.5, "gamma": TOTAL**0.5, "phi": 3.0}
"""Where the sliders end: a coefficient that is on the constraint alone, and 2^phi = 8."""
UP = "; scaling up makes nothing smaller"
LETTERS = {"alpha": "α", "beta": "β", "gamma": "γ"}
OWN = "your own"
HIGHEST = (16, 64, 256, 1024)  # times the base network's cost that the lines have room for
PHIS = np.linspace(0.0, MOST["phi"], 31)
METHODS: Mapping[str, Coefficients] = {
    "the paper's": Coefficients(scaling.ALPHA, scaling.BETA, scaling.GAMMA),
    "deeper only": Coefficients(MOST["alpha"], 1.0, 1.0),
    "wider only": Coefficients(1.0, MOST["beta"], 1.0),
    "larger images only": Coefficients(1.0, 1.0, MOST["gamma"]),
    "a third each": Coefficients(TOTAL ** (1 / 3), TOTAL ** (1 / 6), TOTAL ** (1 / 6)),
}
"""Coefficients that a reader can choose at once."""
QUARTERS = [(a / 4, b / 4, (4 - a - b) / 4) for a in range(5) for b in range(5 - a)]
SHARES = [Coefficients(TOTAL**a, TOTAL ** (b / 2), TOTAL ** (c / 2)) for a, b, c in QUARTERS]
"""Points on the constraint."""

BASES: Mapping[str, tuple[Base, int]] = {
    "small": (BASE, 1),
    "B0": (Base(scaling.B0, scaling.B0_RESOLUTION, in_channels=3, classes=1000), 8),
}
"""Networks to scale, and what their channels are a multiple of: that of the scaling study, and
EfficientNet-B0."""


@lru_cache(maxsize=256)
def scaled(base: str, phi: float, coefficients: Coefficients) -> tuple[Row, ...]:
    """The stage table of a scaled network (equation 3)."""
    network, divisor = BASES[base]
    start = network.stages, network.resolution
    stages, side = scaling.compound(*start, phi, *coefficients, divisor=divisor)
    return scaling.table(stages, side, **network.sizes)


def costs(rows: tuple[Row, ...]) -> np.ndarray:
    """Multiply-adds, parameters and activations of a network."""
    counted = [(row.budget.macs, row.budget.params, row.budget.activations) for row in rows]
    return np.sum(counted, axis=0)


class ScalingState(State):
    """A network that is scaled, and what that costs.

    Args:
        base: "small" or "B0".
        alpha, beta, gamma: how many times deeper, wider and larger for one step of phi; from 1 to
            what is on the constraint alone: 2, and the root of 2.
        phi: how many steps, from 0 to 3.
        locked: keep alpha beta^2 gamma^2 = 2.
    """

    base = traitlets.Enum(list(BASES)).tag(keep=True)
    alpha = Number(scaling.ALPHA, 1.0, MOST["alpha"], UP).tag(keep=True)
    beta = Number(scaling.BETA, 1.0, MOST["beta"], UP).tag(keep=True)
    gamma = Number(scaling.GAMMA, 1.0, MOST["gamma"], UP).tag(keep=True)
    phi = Number(1.0, 0.0, MOST["phi"], "; 0 is the base network").tag(keep=True)
    locked = traitlets.Bool(False).tag(keep=True)

    def __init__(self, base: str = "small", *, locked: bool = False, **settings: Any) -> None:
        super().__init__(base=base, **settings)
        self.move("locked", locked)
        self._first = {name: getattr(self, name) for name in self._first}

    def move(self, name: str, value: Any) -> None:
        """Set a trait. The lock lets coefficients give way, to the nearest on the constraint."""
        with self.hold_trait_notifications():
            setattr(self, name, value)
            if name == "method":
                return
            before, self.message = self.coefficients, ""
            if not self.locked or name not in (*LETTERS, "locked"):
                return
            kept: Any = name if name in LETTERS else None
            self.update(**scaling.project(*before, keep=kept)._asdict())
            moved = [n for n, old in before._asdict().items() if abs(getattr(self, n) - old) > 5e-4]
            said = ", ".join(f"{LETTERS[n]} = {getattr(self, n):.4g}" for n in moved)
            self.message = f"(to keep it: {said})" if moved else ""

    @property
    def coefficients(self) -> Coefficients:
        """alpha, beta and gamma."""
        return Coefficients(self.alpha, self.beta, self.gamma)

    @property
    def method(self) -> str:
        """The name of these coefficients in ``METHODS``, or ``your own``; setting it takes others.
        Those off the constraint open the lock."""
        known = METHODS.items()
        near = (n for n, c in known if np.allclose(c, self.coefficients, atol=1e-6, rtol=0))
        return next(near, OWN)

    @method.setter
    def method(self, name: str) -> None:
        if name == OWN:  # what coefficients are, not a choice
            return
        self.update(**METHODS[name]._asdict())
        opened = self.locked and abs(scaling.residual(*self.coefficients)) > 1e-6
        self.locked = self.locked and not opened
        self.message = "(the lock is open: these are off the constraint)" if opened else ""

    @property
    def before(self) -> tuple[Row, ...]:
        """The stage table of the base network."""
        return scaled(self.base, 0.0, self.coefficients)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The stage table of the scaled network."""
        return scaled(self.base, self.phi, self.coefficients)

    @property
    def times(self) -> np.ndarray:
        """Multiply-adds, parameters and activations over those of the base network."""
        return costs(self.rows) / costs(self.before)

    @property
    def curve(self) -> np.ndarray:
        """The same at every phi of ``PHIS``, [P, 3]."""
        networks = (scaled(self.base, phi, self.coefficients) for phi in PHIS.tolist())
        counted = np.array([costs(rows) for rows in networks])
        return counted / counted[0]

    @property
    def words(self) -> str:
        """The constraint with its numbers, and what is left to 2."""
        a, b, c = self.coefficients
        left, reached = f"{scaling.residual(a, b, c):+.2f}", scaling.product(a, b, c)
        left = left.replace("-", "−") if float(left) else "0"
        return f"α β² γ² = {a:.4g} · {b:.4g}² · {c:.4g}² = {reached:.2f}, residual {left}"

    @property
    def details(self) -> list[str]:
        """Layers, channels and pixels before and after; what it costs, beside 2^phi."""
        pairs = zip(_shape(self.before), _shape(self.rows), strict=True)
        layers, channels, pixels = (f"{before} → {after}" for before, after in pairs)
        macs, params, activations = self.times
        times = f"{macs:.2f} times the multiply-adds ({quantity(costs(self.rows)[0])})"
        return [
            f"depth {layers} layers, widest block {channels} channels, images {pixels} pixels",
            f"φ = {self.phi:.1f}, 2^φ = {2**self.phi:.2f}: {times}, {params:.2f} the parameters, "
            f"{activations:.2f} the activations",
        ]


def _shape(rows: tuple[Row, ...]) -> tuple[int, int, int]:
    """Layers, channels of the widest block, and side of the images."""
    stages = [row.stage for row in rows]
    widest = max(stage.channels for stage in stages if stage.operator == "mbconv")
    return sum(stage.layers for stage in stages), widest, rows[0].resolution


class CompoundScaling(View):
    """Sliders for alpha, beta, gamma and phi; the network drawn to scale, and its cost.
    The lock keeps alpha beta^2 gamma^2 = 2: when one slider moves, the two others give way to the
    nearest point."""

    State = ScalingState
    HINT = (
        "Move φ, and look at the marks: does the cost follow 2^φ? Then scale one dimension alone, "
        "and close the lock before you move another. (By keyboard: Tab, arrow keys, Space.)"
    )
    DRAWN = ("base", "coefficients", "phi")
    PLAY = Play(
        "Deeper, wider, larger",
        "A network may have more layers, more channels and larger images. Which of the three is "
        "cheap in multiply-adds and dear in parameters? Does the cost follow 2^φ?",
        "06_efficientnet_scaling.ipynb#3-One-coefficient-for-all-three",
        {
            "base": None,
            tuple(LETTERS): list(dict.fromkeys([*METHODS.values(), *SHARES])),
            "phi": PHIS[::5].tolist(),
        },
    )

    def _build(self) -> list[Widget]:
        model = self.model
        bases = {"small": "small network", "B0": "EfficientNet-B0"}.__getitem__
        lock = partial(model.move, "locked")
        controls = row(
            self.choice("base", list(BASES), "base", bases, menu=True, width="225px"),
            self.choice("method", (OWN, *METHODS), "scale", str, menu=True, width="215px"),
            self.checkbox("keep α β² γ² = 2", "2px 16px", lambda: model.locked, lock),
            self.reset_button("back to the first setting"),
        )
        look: dict[str, Any] = {"width": "350px", "label": "96px"}
        names = zip(LETTERS.items(), ("depth", "width", "resolution"), strict=True)
        alpha, beta, gamma = (
            self.slider(name, 0.01, f"{letter} {what}", **look, readout_format=".2f")
            for (name, letter), what in names
        )
        phi = self.slider("phi", 0.1, "φ steps", **look, readout_format=".1f")
        self.shows(self._say, "message")
        self._chart = lru_cache(maxsize=None)(_make_chart)
        self._picture = MovingPicture(*self._chart(HIGHEST[0]))
        return [controls, row(alpha, beta), row(gamma, phi), self._words, self._picture]

    def _say(self) -> None:
        model = self.model
        first = f"<b>{html.escape(model.words)}</b> {html.escape(model.message)}"
        self._words.say(Html(first), *model.details)

    def _draw(self) -> None:
        model = self.model
        scale, curve = _scale(model.before, model.rows), model.curve
        figure, *drawings = self._chart(next(high for high in HIGHEST if curve.max() < 0.8 * high))
        if figure is not self._picture.figure:
            self._picture.lay_out(figure, *drawings)
        before, boxes, costs = self._drawn = drawings
        before.update(model.before, scale)
        boxes.update(model.rows, scale)
        costs.update(PHIS, curve)
        costs.point_at(model.phi, model.times)
        said = ". ".join((model.words, *model.details))
        self._picture.draw(f"The network before and after, to one scale. {said}.")


def _scale(before: tuple[Row, ...], after: tuple[Row, ...]) -> np.ndarray:
    """One scale for both networks, each side smaller step by step until both have room."""
    scale, room = plots.box_scale(before, 2.9, 0.95), plots.box_scale(after, 5.0, 1.85)
    steps = np.ceil(np.log(np.maximum(1, scale / room)) / math.log(1.1))
    return scale / 1.1**steps


def _make_chart(highest: float) -> tuple[Any, ...]:
    """Figure, both networks and the lines of costs, with room for so many times the base's."""
    figure = Figure(figsize=(9.2, 4.0))
    left = figure.add_axes((0.0, 0.02, 0.58, 0.96))
    right = figure.add_axes((0.655, 0.29, 0.335, 0.63))
    left.set_axis_off()
    left.set(xlim=(0, 0.58 * 9.2), ylim=(0, 0.96 * 4.0))
    plots.box_key(left, (0.05, 3.7))
    plots.chart(right, "Does the cost follow $2^φ$?", "$2^φ$", "times the base network's cost")
    before = plots.StageBoxes(left, (0.1, 2.3), "before")
    after = plots.StageBoxes(left, (0.1, 0.05), "scaled")
    return figure, before, after, plots.BudgetLines(right, MOST["phi"], highest)
