"""Strategies that learn no weights: random search, evolution, local search, NSGA-II."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from nas_lab.checks import whole_number
from nas_lab.history import Trial, price
from nas_lab.spaces.base import Arch, Space
from nas_lab.strategies.base import SeededStrategy


class RandomSearch(SeededStrategy):
    """Draw architectures uniformly and learn nothing (Li & Talwalkar 2019, arXiv:1902.07638)."""

    def ask(self, n: int) -> list[Arch]:
        """Draw ``n`` architectures; the same one may come again."""
        rng = self.next_rng()
        return [self.space.sample(rng) for _ in range(whole_number("n", n))]


class Population(SeededStrategy, ABC):
    """Random architectures until the population is full, then children of its members."""

    def __init__(self, space: Space, *, seed: int, population: int, least: int = 1) -> None:
        super().__init__(space, seed=seed)
        self.population = whole_number("population", population, least)
        self._alive: Sequence[Trial] = ()
        self._asked = 0

    def ask(self, n: int) -> list[Arch]:
        """``n`` architectures, each a new one or a child."""
        rng = self.next_rng()
        return [self._propose(rng) for _ in range(whole_number("n", n))]

    def _propose(self, rng: np.random.Generator) -> Arch:
        self._asked += 1
        if self._asked <= self.population or not self._alive:
            return self.space.sample(rng)
        return self.space.mutate(self.parent(rng), rng)

    @abstractmethod
    def parent(self, rng: np.random.Generator) -> Arch:
        """What is mutated."""


class RegularizedEvolution(Population):
    """Aging evolution (Real et al. 2019, arXiv:1802.01548, algorithm 1).
    The oldest of ``population`` architectures dies, P in the paper. The best of a tournament of
    ``sample``, S in the paper, has a mutated child. A score of NaN loses every tournament."""

    def __init__(
        self, space: Space, *, seed: int = 0, population: int = 50, sample: int = 10
    ) -> None:
        super().__init__(space, seed=seed, population=population)
        self.sample = whole_number("sample", sample)

    def tell(self, trials: Sequence[Trial]) -> None:
        """Add the trials to the population; as many of the oldest die, however good."""
        self._alive = [*self._alive, *trials][-self.population :]

    def parent(self, rng: np.random.Generator) -> Arch:
        """The best of a tournament."""
        entrants = rng.integers(len(self._alive), size=self.sample).tolist()
        return max((self._alive[i] for i in entrants), key=_fitness).arch


def _fitness(trial: Trial) -> float:
    return -math.inf if math.isnan(trial.result.score) else trial.result.score


class LocalSearch(SeededStrategy):
    """Hill climbing with restarts (White et al. 2021, arXiv:2005.02960, algorithm 1).
    Evaluate an architecture and its neighbours, go to the best of them, evaluate its neighbours,
    and so on. Where no neighbour is better, begin again at a random place. No architecture is
    evaluated twice, so a small space comes to an end. A score of NaN is never gone to."""

    def __init__(self, space: Space, *, seed: int = 0) -> None:
        super().__init__(space, seed=seed)
        self._scores: dict[Arch, float] = {}  # of all that were asked for
        self._here: Arch | None = None
        self._waiting: list[Arch] = []

    def ask(self, n: int) -> list[Arch]:
        """Neighbours in random order; fewer than ``n`` when one has to be chosen first."""
        n, rng = whole_number("n", n), self.next_rng()
        while not self._waiting and len(self._scores) < self.space.size:
            self._move(rng)
        asked, self._waiting = self._waiting[:n], self._waiting[n:]
        self._scores.update(dict.fromkeys(asked, -math.inf))
        return asked

    def tell(self, trials: Sequence[Trial]) -> None:
        """Keep the scores."""
        self._scores |= {trial.arch: _fitness(trial) for trial in trials}

    def _move(self, rng: np.random.Generator) -> None:
        """Go to the best neighbour, or to a random place; queue what is new around it."""
        if self._here:
            best = max(self.space.neighbors(self._here), key=self._scores.__getitem__)
            self._here = best if self._scores[best] > self._scores[self._here] else None
        self._here = self._here or self.space.sample(rng)
        around = self.space.neighbors(self._here)
        around = [self._here, *(around[i] for i in rng.permutation(len(around)).tolist())]
        self._waiting = [arch for arch in around if arch not in self._scores]


class NSGA2(Population):
    """Elitist evolution by fronts and by crowding (Deb et al. 2002, doi:10.1109/4235.996017).

    Parents and their children compete for the places of the next generation: first those that
    none beats in both score and cost, then those that only these beat, and so on; of the last
    front that fits in part, those with the largest crowding distance. Parents are the better of two
    drawn at random, children a mixture of two parents' tokens with one mutation. ``cost`` is
    ``"cost"`` for the seconds of the evaluation, or the name of a metric that should be small, such
    as ``"latency"`` of ``OnDevice``. A score of NaN is beaten by all others.
    """

    def __init__(
        self, space: Space, *, seed: int = 0, population: int = 40, cost: str = "latency"
    ) -> None:
        super().__init__(space, seed=seed, population=population, least=2)
        self.cost = cost
        self._children: list[Trial] = []
        self._order: list[tuple[int, float]] = []  # of each parent: rank, minus crowding distance

    def tell(self, trials: Sequence[Trial]) -> None:
        """Add children; a full generation of them competes with its parents (section III-C)."""
        for trial in trials:
            _point(trial, self.cost)
            self._children.append(trial)
            if len(self._children) == self.population:
                everyone = [*self._alive, *self._children]
                points = np.array([_point(trial, self.cost) for trial in everyone])
                survivors = survive(points, self.population)
                ranks, crowding = rank_and_crowding(points[survivors])
                self._order = list(zip(ranks.tolist(), (-crowding).tolist(), strict=True))
                self._alive, self._children = [everyone[i] for i in survivors], []

    def parent(self, rng: np.random.Generator) -> Arch:
        """Each token from either of two parents; the mother where the space has no such child."""
        mother, father = (self._tournament(rng) for _ in range(2))
        from_mother = rng.random(len(mother)) < 0.5
        child = tuple(np.where(from_mother, mother, father).tolist())
        return child if child in self.space else mother

    def _tournament(self, rng: np.random.Generator) -> Arch:
        """The better of two by rank, then by crowding distance (section III-B)."""
        entrants = rng.integers(len(self._alive), size=2).tolist()
        return self._alive[min(entrants, key=self._order.__getitem__)].arch


def _point(trial: Trial, cost: str) -> tuple[float, float]:
    """Two numbers to minimise."""
    score, spent = trial.result.score, price(trial, cost)
    return (math.inf, math.inf) if math.isnan(score) else (-score, spent)


def survive(points: np.ndarray, n: int) -> list[int]:
    """Places of the ``n`` points that live on, best first; points [N, M] are minimised."""
    ranks, crowding = rank_and_crowding(points)
    return np.lexsort((-crowding, ranks))[:n].tolist()


def rank_and_crowding(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Front of each point, from 0, and its crowding distance within that front, each [N]."""
    ranks = nondominated_ranks(points)
    crowding = np.zeros(len(points))
    for rank in range(ranks.max(initial=-1) + 1):
        front = np.flatnonzero(ranks == rank)
        crowding[front] = crowding_distance(points[front])
    return ranks, crowding


def nondominated_ranks(points: np.ndarray) -> np.ndarray:
    """Rank of each point [N]: 0 where none dominates it, 1 where only those of rank 0 do, ...
    A point dominates another where no coordinate is larger and one is smaller."""
    no_larger: np.ndarray = np.all(points[:, None] <= points, axis=2)
    dominates = no_larger & ~no_larger.T
    ranks = np.full(len(points), -1)
    rank, left = 0, np.ones(len(points), dtype=bool)
    while left.any():
        front = left & ~dominates[left].any(axis=0)
        ranks[front] = rank
        rank, left = rank + 1, left & ~front
    return ranks


def crowding_distance(points: np.ndarray) -> np.ndarray:
    """Room around each point of a front [N]: the gap between its neighbours, in every coordinate.
    Gaps are shares of the front's extent and are added up; the ends have an infinite distance."""
    crowding = np.zeros(len(points))
    for column in points.T:
        if not np.isfinite(column).all():  # failed trials, none of which has a place
            continue
        order = np.argsort(column, kind="stable")
        extent = column[order[-1]] - column[order[0]]
        crowding[order[[0, -1]]] = math.inf
        if extent > 0:
            crowding[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / extent
    return crowding
