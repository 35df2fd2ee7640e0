"""The capstone: the best network within a latency limit, with few looks into the table.

A case shuffles the space: which decision is which edge of the cell, and which token is which
operation, is drawn for each decision apart, and no catalogue holds the device. A search that
carries the table must first spend queries to find out what it looks at, and full points need no
more than an honest search reaches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from nas_lab import devices
from nas_lab.devices import Device
from nas_lab.estimation import Table
from nas_lab.homework.drivers import Plain, search
from nas_lab.homework.question import QUESTIONS, Question, Result

SHARE = (0.15, 0.5)  # of all networks, how many are within the limit: between these
FASTER = 2.0
"""A figure of the drawn device is up to this many times that of the catalogue, or less by it."""

_table = lru_cache(Table.load)


@lru_cache(maxsize=1)
def _spellings() -> np.ndarray:
    """Of each network of the table, how many architectures give it, as a share [N]."""
    rows = [_table().row(arch) for arch in _table().space]
    return np.bincount(rows, minlength=len(_table())) / len(rows)


@dataclass(frozen=True)
class HiddenTask:
    """One case: shuffled tokens, a device and a limit."""

    edges: tuple[int, ...]  # place, in the table's order, of each decision that the search sees
    operations: tuple[tuple[int, ...], ...]
    """For each decision, the table's token of each token that the search sees."""
    device: Device
    share: float  # of all architectures that are within the limit
    seed: int
    budget: int = 60

    @classmethod
    def draw(cls, rng: np.random.Generator) -> HiddenTask:
        """Draw a case."""
        sizes = [len(decision.options) for decision in _table().space.decisions]
        edges = tuple(rng.permutation(len(sizes)).tolist())
        operations = tuple(tuple(rng.permutation(sizes[edge]).tolist()) for edge in edges)
        device = _unheard_of(rng)
        return cls(edges, operations, device, rng.uniform(*SHARE), int(rng.integers(2**31)))

    @property
    def inputs(self) -> list[Plain]:
        """Options of each decision, budget, limit in milliseconds, seed."""
        return [list(map(len, self.operations)), self.budget, self.limit, self.seed]

    @cached_property
    def milliseconds(self) -> np.ndarray:
        """Of each network of the table on the device [N]."""
        table = _table()
        seconds = devices.latencies(table.space, table.archs, table.skeleton, self.device)
        return np.round(1e3 * seconds, 5)

    @cached_property
    def limit(self) -> float:
        """Milliseconds; the given share of all architectures is within it."""
        order = np.argsort(self.milliseconds, kind="stable")
        reached = np.cumsum(_spellings()[order])
        place = min(int(np.searchsorted(reached, self.share)), len(order) - 1)
        return float(self.milliseconds[order][place])

    def evaluate(self, value: Plain) -> list[float]:
        """Validation accuracy, and latency in milliseconds."""
        row = self._row(value)
        return [float(_table().scores()[row]), float(self.milliseconds[row])]

    def result(self, got: Plain, asked: int) -> Result:
        """Test accuracy of the found network, if it is within the limit."""
        try:
            if got is None:
                raise ValueError("the function returns None")
            row = self._row(got)
            took, limit = self.milliseconds[row], self.limit
            if took > limit:
                raise ValueError(f"the network takes {took:g} ms; the limit is {limit:g}")
        except ValueError as error:
            return Result(0.0, *self._bounds, asked, str(error))
        return Result(float(_table().test_scores()[row]), *self._bounds, asked)

    def _row(self, value: Plain) -> int:
        """Place of an architecture, spelled in this case's tokens, in the table."""
        sizes = list(map(len, self.operations))
        whole = type(value) is list and list(map(type, value)) == [int] * len(sizes)
        if not whole or not all(0 <= t < k for t, k in zip(value, sizes, strict=True)):
            raise ValueError(
                f"an architecture is a list of {len(sizes)} tokens, whole numbers from 0 to "
                f"{sizes[0] - 1}, not {repr(value)[:80]}"
            )
        tokens = [0] * len(value)
        for edge, names, token in zip(self.edges, self.operations, value, strict=True):
            tokens[edge] = names[token]
        return _table().row(tuple(tokens))

    @cached_property
    def _bounds(self) -> tuple[float, float]:
        """Test accuracies within the limit: of random search on average, and the best one."""
        test = _table().test_scores()
        within = np.flatnonzero(self.milliseconds <= self.limit)
        order = within[np.argsort(-_table().scores()[within], kind="stable")]
        chance = _first_found(_spellings()[order], self.budget)
        return float(chance @ test[order]), float(test[within].max())


def _first_found(shares: np.ndarray, draws: int) -> np.ndarray:
    """Chances of each to be the first one that is drawn, in the order, if any of them is drawn."""
    better = np.concatenate([[0.0], np.cumsum(shares)])
    none = (1 - np.minimum(better, 1)) ** draws
    chance = none[:-1] - none[1:]
    return chance / chance.sum()


def _unheard_of(rng: np.random.Generator) -> Device:
    """A device of the catalogue with other figures."""
    known = devices.DEVICES[str(rng.choice(sorted(devices.DEVICES)))]
    peak, bandwidth, overhead = FASTER ** rng.uniform(-1, 1, size=3)
    factors = {"peak": peak, "vector": peak, "overhead": overhead}
    factors |= {"bandwidth": bandwidth, "on_chip_bandwidth": bandwidth}
    return replace(known, **{name: getattr(known, name) * f for name, f in factors.items()})


QUESTIONS["capstone.q1"] = Question(
    "capstone.q1",
    draw=HiddenTask.draw,
    hint="random search is a start. Which of the networks that you have not asked for would a "
    "model of those that you have asked for choose, and is it within the limit?",
    answer="find_network",
    points=20,
    drive=search,
)
