"""Successive halving and Hyperband: train many a little, and only the best for longer.

Both train in steps, so they say with each ``ask`` how far, and ``search`` hands it on:

    for trial in search(SuccessiveHalving(space), Continued(table), 300):
        trial.result.metrics["epochs"]
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from nas_lab.checks import whole_number
from nas_lab.estimation.tables import Table
from nas_lab.history import Evaluation, Trial
from nas_lab.spaces.base import Arch, Space
from nas_lab.strategies.base import SeededStrategy


class Rung(NamedTuple):
    """One step of a bracket: so many ``archs`` are trained up to epoch ``epochs``.
    Of these epochs they were trained for ``paid`` before; 0 for new ones."""

    archs: int
    epochs: int
    paid: int

    @property
    def cost(self) -> int:
        """Epochs that it trains; what was trained on an earlier rung goes on."""
        return self.archs * (self.epochs - self.paid)


def bracket(archs: int, epochs: int, eta: int, halvings: int) -> tuple[Rung, ...]:
    """The rungs of successive halving (Li et al. 2018, algorithm 1, inner loop).
    Of ``archs`` n, ``epochs`` R and ``halvings`` s, rung i trains ``n eta^-i`` architectures up to
    epoch ``R eta^(i - s)``, both rounded down."""
    sizes = [archs // eta**i for i in range(halvings + 1)]
    ends = [epochs // eta ** (halvings - i) for i in range(halvings + 1)]
    return tuple(map(Rung, sizes, ends, [0, *ends]))


class Brackets(SeededStrategy):
    """Run ``brackets`` one after the other, and begin again; the last ``ask`` was of ``rung``."""

    def __init__(
        self, space: Space, brackets: Sequence[tuple[Rung, ...]], *, seed: int = 0
    ) -> None:
        super().__init__(space, seed=seed)
        self.brackets = tuple(brackets)
        self.rung = self.brackets[0][0]
        self._rungs = itertools.cycle(itertools.chain.from_iterable(self.brackets))
        self._waiting: list[Arch] = []
        self._told: list[Trial] = []

    @property
    def fidelity(self) -> Mapping[str, Any]:  # type: ignore[override]
        """``epochs`` and ``paid`` of the rung, keyword arguments of the estimate."""
        return {"epochs": self.rung.epochs, "paid": self.rung.paid}

    def ask(self, n: int) -> list[Arch]:
        """Architectures of one rung: fewer than ``n`` at its end, for all go to the same epoch."""
        n, rng = whole_number("n", n), self.next_rng()
        while not self._waiting:
            self.rung = next(self._rungs)
            if self.rung.paid:  # the best of the rung before
                best = sorted(self._told, key=lambda trial: -trial.result.score)
                self._waiting = [trial.arch for trial in best[: self.rung.archs]]
            else:
                drawn = (self.space.sample(rng) for _ in range(self.rung.archs))
                self._waiting = list(dict.fromkeys(drawn))
            self._told = []
        asked, self._waiting = self._waiting[:n], self._waiting[n:]
        return asked

    def tell(self, trials: Sequence[Trial]) -> None:
        """Keep the results; a failed trial, with a score of NaN, goes no further."""
        self._told += [trial for trial in trials if not math.isnan(trial.result.score)]


class SuccessiveHalving(Brackets):
    """Successive halving (Jamieson & Talwalkar 2016, arXiv:1502.07943, figure 3).
    Of ``archs`` architectures, drawn at random and trained for a few epochs, one of ``eta``, the
    best, is trained ``eta`` times as long, and so on. The last are trained to the end, for
    ``epochs``; then new ones are drawn. With the defaults 16 are trained for 1 epoch, 8 go on to 2
    and 4 to 4 epochs: 32 epochs in all, where 16 whole trainings take 64."""

    def __init__(
        self, space: Space, *, seed: int = 0, archs: int = 16, epochs: int = 4, eta: int = 2
    ) -> None:
        archs, epochs = whole_number("archs", archs), whole_number("epochs", epochs)
        halvings = _logarithm(min(archs, epochs), whole_number("eta", eta, least=2))
        super().__init__(space, [bracket(archs, epochs, eta, halvings)], seed=seed)


class Hyperband(Brackets):
    """Hyperband (Li et al. 2018, arXiv:1603.06560, algorithm 1).
    How early can a training be judged? Hyperband does not know, and tries every answer: brackets of
    successive halving, from many architectures with a few epochs to few that are all trained to the
    end, R ``epochs``. They cost about the same."""

    def __init__(self, space: Space, *, seed: int = 0, epochs: int = 4, eta: int = 2) -> None:
        epochs, eta = whole_number("epochs", epochs), whole_number("eta", eta, least=2)
        most = _logarithm(epochs, eta)  # s_max
        # B/R is s_max + 1, so n is (s_max + 1) eta^s / (s + 1), rounded up.
        brackets = [
            bracket(-(-(most + 1) * eta**s // (s + 1)), epochs, eta, s) for s in range(most, -1, -1)
        ]
        super().__init__(space, brackets, seed=seed)


def _logarithm(number: int, base: int) -> int:
    """The logarithm, rounded down: how often ``number`` can be divided by ``base``."""
    return 0 if number < base else 1 + _logarithm(number // base, base)


@dataclass(frozen=True)
class Continued:
    """Estimate by recorded trainings that are paused and continued.
    ``estimate(arch, seed, epochs=2, paid=1)`` scores the validation accuracy after epoch 2, and
    costs the second epoch alone: of E epochs each takes the same share of the recorded seconds.
    Without ``epochs`` the training goes to its end."""

    table: Table

    def __call__(
        self, arch: Arch, seed: int = 0, *, epochs: int | None = None, paid: int = 0
    ) -> Evaluation:
        """The recorded accuracy after ``epochs``, of which ``paid`` were trained before."""
        whole, curve = self.table(arch, seed), self.table.curve(arch, seed)
        epochs = len(curve) if epochs is None else epochs
        if not 0 <= paid < epochs <= len(curve):
            raise ValueError(
                f"epochs={epochs} after paid={paid}: the table's trainings have {len(curve)} "
                f"epochs; give the strategy epochs={len(curve)}"
            )
        cost = whole.cost * (epochs - paid) / len(curve)
        return Evaluation(float(curve[epochs - 1]), cost, {**whole.metrics, "epochs": epochs})
