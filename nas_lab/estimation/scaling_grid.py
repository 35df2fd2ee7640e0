"""Does compound scaling pay? A small network scaled in every direction, each trained for real.

The grid is searched as M. Tan and Q. V. Le (2019, arXiv:1905.11946, section 4) search for alpha,
beta and gamma. Its datasheet is ``datasets/scaling_grid.md``.

    grid = ScalingGrid.load()
    best = grid_search(grid)[0]               # of all directions, at twice the multiply-adds
    path(grid, best.direction)                # the same direction at 1, 2, 4 and 8 times
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from nas_lab.estimation.tables import TRAINED, Grid
from nas_lab.scaling import Coefficients, Stage, compound, fit_phi
from nas_lab.scaling import budget as count
from nas_lab.spaces.base import Arch, Decision, Space

STEPS = 4  # to a doubling: a quarter of it at a time goes to depth, width or resolution
DOUBLINGS = 3  # the largest networks have 2^3 times the base network's multiply-adds


class Direction(NamedTuple):
    """Shares of every doubling that depth, width and resolution bring; they sum to 1."""

    depth: float
    width: float
    resolution: float

    @property
    def dimensions(self) -> int:
        """How many of the three are scaled."""
        return sum(share > 0 for share in self)

    @property
    def coefficients(self) -> Coefficients:
        """alpha, beta and gamma; alpha beta^2 gamma^2 = 2 by construction (equation 3)."""
        return Coefficients(2**self.depth, 2 ** (self.width / 2), 2 ** (self.resolution / 2))


_DOUBLED = tuple(i / STEPS for i in range(STEPS * DOUBLINGS + 1))
SPACE = Space("scaling", tuple(Decision(name, _DOUBLED) for name in Direction._fields))
"""How many doublings of the multiply-adds each dimension is to bring."""


def direction_of(arch: Arch) -> Direction:
    """Where a network stands from the base network, which itself has the direction (0, 0, 0)."""
    return Direction(*(spent / max(1, sum(arch)) for spent in arch))


@dataclass(frozen=True)
class Base:
    """The network that is scaled, and the images that it reads.
    Channels are scaled to any whole number: multiples of 8 are too coarse for a small network."""

    stages: tuple[Stage, ...]
    resolution: int
    in_channels: int = 1
    classes: int = 10

    @property
    def sizes(self) -> dict[str, int]:
        """What counting needs beside stages and resolution."""
        return {"in_channels": self.in_channels, "classes": self.classes}

    @cached_property
    def macs(self) -> int:
        """Multiply-adds for one image."""
        return count(self.stages, self.resolution, **self.sizes).macs

    def phi(self, arch: Arch) -> float:
        """The phi at which a direction's network comes nearest to 2, 4 or 8 times the base's macs.
        Not 1, 2 or 3: layers, channels and pixels are whole."""
        if not any(arch):
            return 0.0
        rates, target = direction_of(arch).coefficients, self.macs * 2 ** (sum(arch) // STEPS)
        return fit_phi(self.stages, self.resolution, target, *rates, divisor=1, **self.sizes)

    def scaled(self, arch: Arch, phi: float) -> tuple[tuple[Stage, ...], int]:
        """Stages and resolution in the direction of an architecture."""
        coefficients = direction_of(arch).coefficients
        return compound(self.stages, self.resolution, phi, *coefficients, divisor=1)


BASE = Base(
    stages=(
        Stage("conv", 8, stride=2),
        Stage("mbconv", 10, layers=3, expansion=3),
        Stage("mbconv", 16, layers=2, stride=2, expansion=3),
        Stage("conv", 48, kernel=1),
    ),
    resolution=9,
)
"""Chosen by counting alone: all its scaled networks are different, and within 14% of budget."""


class ScalingGrid(Grid):
    """N networks in 15 directions at 2, 4 and 8 times the base's macs; S seeds, E epochs.
    ``archs[N, 3]`` are quarters of a doubling spent on depth, width and resolution; the base
    network is all 0. ``params`` and ``macs`` are int32 [N]."""

    FILE, HOLDS, SPACE = "scaling_grid.npz", "scaled networks", SPACE
    ARRAYS = ("archs", "thousandths", "params", "macs", *TRAINED)

    @property
    def phi(self) -> np.ndarray:
        """Phi at which the multiply-adds come nearest to the budget, float64 [N]."""
        return self._arrays["thousandths"] / 1000

    @property
    def doublings(self) -> np.ndarray:
        """0 for the base network, else 1, 2 or 3, int [N]."""
        return self.archs.sum(axis=1) // STEPS

    @cached_property
    def directions(self) -> tuple[Direction, ...]:
        """Every direction that was tried."""
        return tuple(sorted({direction_of(arch) for arch in self._rows if any(arch)}))

    @cached_property
    def base(self) -> Base:
        """The network that was scaled."""
        stages = tuple(Stage(**stage) for stage in self.about["base"]["stages"])
        return Base(**{**self.about["base"], "stages": stages})

    def row(self, direction: Direction, doublings: int) -> int:
        """Place of a network in every array."""
        arch = tuple(round(STEPS * doublings * part) for part in direction)
        if arch not in self._rows:
            raise ValueError(
                f"no network was trained for {doublings} doublings in direction {(*direction,)}: "
                f"choose from grid.directions, and from 0 to {self.doublings.max()} doublings"
            )
        return self._rows[arch]

    def network(self, row: int) -> tuple[tuple[Stage, ...], int]:
        """Stages and resolution of a network, as ``scaling.budget`` and ``nets`` take them."""
        return self.base.scaled(tuple(self.archs[row].tolist()), float(self.phi[row]))

    @cached_property
    def _rows(self) -> dict[Arch, int]:
        return {tuple(arch): i for i, arch in enumerate(self.archs.tolist())}


@dataclass(frozen=True, eq=False)
class Choice:
    """The network of a row of the grid, its multiply-adds over the base's, and its trainings.
    Choose by ``scores`` [S], the validation accuracy of each seed, and report ``test_scores`` [S]:
    the best of many validation accuracies is partly the luckiest."""

    row: int
    direction: Direction
    macs_ratio: float
    scores: np.ndarray
    test_scores: np.ndarray

    @property
    def mean(self) -> float:
        """Mean validation accuracy over the seeds; NaN when one diverged."""
        return float(self.scores.mean())


def choice(grid: ScalingGrid, row: int) -> Choice:
    """The network of a row."""
    direction, ratio = direction_of(grid.archs[row].tolist()), grid.macs[row] / grid.base.macs
    return Choice(row, direction, float(ratio), grid.scores()[:, row], grid.test_scores()[:, row])


def grid_search(grid: ScalingGrid, doublings: int = 1) -> list[Choice]:
    """All networks of one budget, best mean validation accuracy first, diverged ones last.
    With one doubling this is step 1 of section 4: fix phi at 1 and search alpha, beta and gamma on
    the constraint. With 2 and 3 it is what the paper saves, the same search at full price."""
    rows = np.flatnonzero(grid.doublings == doublings).tolist()
    if not rows:
        raise ValueError(f"doublings={doublings}: the grid has 0 to {grid.doublings.max()}")
    choices = [choice(grid, row) for row in rows]
    return sorted(choices, key=lambda c: np.nan_to_num(c.mean, nan=-math.inf), reverse=True)


def best_by_dimensions(grid: ScalingGrid, doublings: int) -> dict[int, Choice]:
    """The best network that scales one, two and three dimensions, at equal multiply-adds.
    More directions scale two dimensions (9) than one (3) or three (3), and the best of more is
    luckier: compare test accuracies."""
    best: dict[int, Choice] = {}
    for found in grid_search(grid, doublings):
        best.setdefault(found.direction.dimensions, found)
    return dict(sorted(best.items()))


def path(grid: ScalingGrid, direction: Direction) -> list[Choice]:
    """The base network and every larger one in a direction: phi from 0 on, one doubling a step."""
    steps = range(int(grid.doublings.max()) + 1)
    return [choice(grid, grid.row(direction, doublings)) for doublings in steps]
