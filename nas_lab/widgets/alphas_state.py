"""What the player of alphas knows: the weights after every step, and what their argmax is worth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import Any

import numpy as np
import traitlets

from nas_lab import plots
from nas_lab.estimation import Table
from nas_lab.spaces import Arch, Space, nasbench201
from nas_lab.spaces.cell_201 import NasBench201
from nas_lab.strategies.darts import strongest
from nas_lab.widgets.base import State

SECONDS = 12.0
"""How long the whole run takes to play at speed 1."""
SPEEDS = (0.5, 1.0, 2.0, 4.0)

Derive = Callable[[np.ndarray], Arch]


class AlphaState(State):
    """A search by gradient, step by step, as a film that can still be growing.

    Args:
        w: weights after each step so far, [T, D, K]; any iterable of [D, K].
        space: whose decisions the rows are; None is ``spaces.nasbench201()``.
        table: what knows the truth; None takes the one that comes with the kit, for its space.
        derive: ``derive(w[D, K]) -> Arch``; None is ``strategies.darts.strongest``.
        at: the step that is shown, from 1; None is the last one. 0 when there is none.
        speed: how fast to play; at 1 the whole run takes ``SECONDS``.

    Raises:
        ValueError: w has another shape than the space's, or ``derive`` gives no architecture.
        traitlets.TraitError: there is no such step, or a speed that is not positive.
    """

    at = traitlets.Int(0, min=0).tag(keep=True)
    speed = traitlets.Float(1.0).tag(keep=True)
    steps = traitlets.Int(0).tag(doc="how many steps there are so far")
    playing = traitlets.Bool(False).tag(doc="whether the film goes on by itself")

    def __init__(
        self,
        w: Iterable[np.ndarray] = (),
        *,
        space: Space | None = None,
        table: Table | None = None,
        derive: Derive | None = None,
        at: int | None = None,
        speed: float = 1.0,
    ) -> None:
        self.space = nasbench201() if space is None else space
        known = isinstance(self.space, NasBench201)
        self.table = Table.load() if table is None and known else table
        self._derive = partial(strongest, self.space) if derive is None else derive
        self._w: list[np.ndarray] = []
        self._archs: list[Arch] = []
        self._worths: list[float] = []
        self._position = 0.0
        for weights in w:
            self._add(weights)
        super().__init__(
            steps=len(self._w), at=len(self._w) if at is None else at, speed=float(speed)
        )
        self._position = float(self.at)

    @traitlets.validate("at")
    def _check_at(self, proposal: traitlets.Bunch) -> int:
        if not min(1, len(self._w)) <= proposal["value"] <= len(self._w):
            raise traitlets.TraitError(f"at={proposal['value']}: steps go from 1 to {len(self._w)}")
        return proposal["value"]

    @traitlets.validate("speed")
    def _check_speed(self, proposal: traitlets.Bunch) -> float:
        if not 0 < proposal["value"] < math.inf:
            raise traitlets.TraitError(f"speed must be above 0, not {proposal['value']}")
        return proposal["value"]

    # ---- what can be done --------------------------------------------------------------------

    def append(self, w: np.ndarray) -> None:
        """Add the weights [D, K] after one step more; who looks at the last step goes with it.

        Raises:
            ValueError: w has another shape.
        """
        with self.hold_trait_notifications():
            follow = self.at == self.steps and not self.playing
            self._add(w)
            self.steps = len(self._w)
            if follow:
                self._go(self.steps)

    def play(self) -> None:
        """Go on by itself, as far as someone calls ``tick``; after the end, from the start."""
        if not self.steps:
            self.message = "There is no step to play yet."
            return
        with self.hold_trait_notifications():
            if self.at == self.steps:
                self._go(1)
            self.playing, self.message = True, "Playing."

    def pause(self) -> None:
        """Stay where it is."""
        if self.playing:
            with self.hold_trait_notifications():
                self.playing, self.message = False, "Paused."

    def scrub(self, at: int) -> None:
        """Pause, and show a step."""
        with self.hold_trait_notifications():
            self.pause()
            self._go(at)

    def reset(self) -> None:
        """Go back to the first step, and to the first speed."""
        with self.hold_trait_notifications():
            self.playing, self.speed = False, 1.0
            self._go(min(1, self.steps))
            self.message = "Back at the first step."

    def tick(self, seconds: float) -> None:
        """When it is playing, go on by what so many seconds are worth."""
        if not self.playing:
            return
        with self.hold_trait_notifications():
            self._position += seconds * self.speed * self.steps / SECONDS
            self.at = min(self.steps, math.floor(self._position))
            if self.at == self.steps:
                self.playing, self.message = False, "The end. Play begins anew."

    # ---- what follows ------------------------------------------------------------------------

    @property
    def w(self) -> np.ndarray:
        """Weights after each step, [T, D, K]."""
        return np.array(self._w).reshape(-1, *self.space.mask.shape)

    @property
    def worths(self) -> np.ndarray:
        """The table's accuracy of the architecture of each step, [T]; NaN without a table."""
        return np.array(self._worths)

    def weights(self, at: int) -> np.ndarray:
        """Weights [D, K] after a step from 1; before the first, all alike."""
        mask = self.space.mask
        return self._w[at - 1] if at else mask / mask.sum(axis=1, keepdims=True)

    def arch_at(self, at: int) -> Arch | None:
        """The architecture of a step from 1; None before the first."""
        return self._archs[at - 1] if at else None

    @property
    def arch(self) -> Arch | None:
        """The architecture of the step that is shown."""
        return self.arch_at(self.at)

    @cached_property
    def scores(self) -> np.ndarray:
        """Accuracies of all architectures of the table, [N]; empty without a table."""
        return np.empty(0) if self.table is None else self.table.scores()

    @property
    def words(self) -> str:
        """What the architecture of this step is worth, in a sentence."""
        if not self.at:
            return "no step yet: all operations weigh the same"
        where = f"step {self.at:,} of {self.steps:,}"
        if self.table is None:
            return where
        worth = self._worths[self.at - 1]
        rank = 1 + int((self.scores > worth).sum())
        missing = 100 * (float(np.nanmax(self.scores)) - worth)
        return (
            f"{where}: trained alone, the argmax has {worth:.1%} by the table, rank {rank:,} of "
            f"{len(self.scores):,}, {missing:.1f} points below the best"
        )

    @property
    def arch_words(self) -> str:
        """The operations of the architecture, in the order of the edges, and how sure they are."""
        if self.arch is None:
            return ""
        names, chosen = plots.decision_labels(self.space), self.space.decode(self.arch)
        said = [
            f"{name} {plots.label(str(option))}"
            for name, option in zip(names, chosen.values(), strict=True)
            if option != "none"
        ]
        sure = f"mean of the largest weights {self.weights(self.at).max(axis=1).mean():.2f}"
        return f"{', '.join(said) or 'none everywhere'}; {sure}"

    # ---- inside ------------------------------------------------------------------------------

    def _add(self, w: Any) -> None:
        weights = np.array(w, dtype=float)
        if weights.shape != self.space.mask.shape:
            expected = self.space.mask.shape
            raise ValueError(f"w of a step has shape {weights.shape}; {expected} was expected")
        arch = self.space.check(self._derive(weights))
        self._w.append(weights)
        self._archs.append(arch)
        self._worths.append(math.nan if self.table is None else self._worth(arch))

    def _worth(self, arch: Arch) -> float:
        return float(self.scores[self.table.row(arch)])  # type: ignore[union-attr]

    def _go(self, at: int) -> None:
        self.at, self._position = at, float(at)
