"""Regularized evolution: the youngest live, the best of a few have children."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from nas_lab._arguments import whole_number
from nas_lab.history import Trial
from nas_lab.spaces.base import Arch, Space
from nas_lab.strategies.base import SeededStrategy


class RegularizedEvolution(SeededStrategy):
    """Aging evolution (Real et al. 2019, arXiv:1802.01548, algorithm 1).

    Args:
        space: the space to search.
        seed: of all random choices.
        population: architectures alive at a time, P in the paper. The oldest dies.
        sample: architectures in a tournament, S in the paper. The best has a mutated child.

    A failed trial, with a score of NaN, loses every tournament.
    """

    def __init__(
        self, space: Space, *, seed: int = 0, population: int = 50, sample: int = 10
    ) -> None:
        super().__init__(space, seed=seed)
        self.population = whole_number("population", population)
        self.sample = whole_number("sample", sample)
        self._alive: deque[Trial] = deque(maxlen=self.population)
        self._asked = 0

    def ask(self, n: int) -> list[Arch]:
        """Random architectures until the population is full, then children of tournaments."""
        rng = self.next_rng()
        return [self._propose(rng) for _ in range(whole_number("n", n))]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Add the trials to the population; as many of the oldest die."""
        self._alive.extend(trials)

    def _propose(self, rng: np.random.Generator) -> Arch:
        self._asked += 1
        if self._asked <= self.population or not self._alive:
            return self.space.sample(rng)
        entrants = rng.integers(len(self._alive), size=self.sample)
        parent = max((self._alive[i] for i in entrants.tolist()), key=_fitness)
        return self.space.mutate(parent.arch, rng)


def _fitness(trial: Trial) -> float:
    return -math.inf if math.isnan(trial.result.score) else trial.result.score
