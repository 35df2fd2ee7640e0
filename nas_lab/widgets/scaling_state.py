"""What the scaling widget knows: a base network, three coefficients, phi, and a lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import traitlets

from nas_lab.estimation.scaling_grid import BASE
from nas_lab.plots.words import quantity
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
from nas_lab.widgets.base import State

MOST = {"alpha": TOTAL, "beta": TOTAL**0.5, "gamma": TOTAL**0.5, "phi": 3.0}
"""Where the sliders end: a coefficient that is on the constraint alone, and 2^phi = 8."""
STEP = {"alpha": 0.01, "beta": 0.01, "gamma": 0.01, "phi": 0.1}
PHIS = np.linspace(0.0, MOST["phi"], 31)
WAYS: Mapping[str, Coefficients] = {
    "the paper's": Coefficients(ALPHA, BETA, GAMMA),
    "deeper only": Coefficients(MOST["alpha"], 1.0, 1.0),
    "wider only": Coefficients(1.0, MOST["beta"], 1.0),
    "larger images only": Coefficients(1.0, 1.0, MOST["gamma"]),
    "a third each": Coefficients(TOTAL ** (1 / 3), TOTAL ** (1 / 6), TOTAL ** (1 / 6)),
}
"""Ways to scale that a reader can choose at once."""


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
        self._first = {**self.as_dict(), "message": ""}

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

    def choose(self, way: str) -> None:
        """Take the coefficients of one of ``WAYS``. One off the constraint opens the lock."""
        with self.hold_trait_notifications():
            self._set(WAYS[way])
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
    def way(self) -> str | None:
        """The name of these coefficients in ``WAYS``; None where they have none."""
        near = (n for n, c in WAYS.items() if np.allclose(c, self.coefficients, atol=1e-6, rtol=0))
        return next(near, None)

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
        layers, wide = (f"{measure(base)} → {measure(rows)}" for measure in (_layers, _widest))
        return (
            f"depth {layers} layers, widest block {wide} channels, "
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


def _layers(rows: tuple[Row, ...]) -> int:
    return sum(row.stage.layers for row in rows)


def _widest(rows: tuple[Row, ...]) -> int:
    return max(row.stage.channels for row in rows if row.stage.operator == "mbconv")


def _signed(value: float) -> str:
    shown = f"{value:+.2f}"
    return "0" if float(shown) == 0 else shown.replace("-", "−")
