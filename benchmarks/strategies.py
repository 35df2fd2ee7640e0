"""What a strategy costs beside what it proposes, and how long a race on the table takes.

An ask and a tell are compared with the draw that no strategy can do without: a generator of its
own and an architecture. A race is compared with looking up as many trials in the table.
"""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable
from functools import partial

import numpy as np
from _report import report

from nas_lab import spaces
from nas_lab.estimation import Table
from nas_lab.history import Evaluation, Trial
from nas_lab.strategies import (
    FactorisedController,
    Hyperband,
    LocalSearch,
    RandomSearch,
    RegularizedEvolution,
    Reinforce,
    Strategy,
    race,
)

ROUNDS, TRIALS, SEEDS = 5, 300, 100
RESULTS = [Evaluation(score) for score in np.random.default_rng(0).random(TRIALS)]
STRATEGIES: dict[str, Callable[..., Strategy]] = {
    "random search": RandomSearch,
    "evolution": RegularizedEvolution,
    "local search": LocalSearch,
    "hyperband": Hyperband,
    "REINFORCE, LSTM": Reinforce,
    "REINFORCE, factorised": partial(Reinforce, controller=FactorisedController),
}
RACERS = ("random search", "evolution", "REINFORCE, LSTM")


def best(action: Callable[[], object]) -> float:
    """Return the seconds that ``action`` takes, the best of several rounds."""
    return min(timeit.repeat(action, number=1, repeat=ROUNDS))


def ask_and_tell(strategy: Strategy) -> None:
    """One trial after the other, with results that are there already."""
    for id, result in enumerate(RESULTS):
        (arch,) = strategy.ask(1)
        strategy.tell([Trial(id, arch, result)])


def draw(space: spaces.Space) -> None:
    """What the n-th ask has to do at least."""
    for n in range(TRIALS):
        space.sample(np.random.default_rng([0, n]))


def overhead() -> list[dict]:
    """Return what asking and telling costs a trial, beside a bare draw."""
    space = spaces.nasbench201()
    floor = best(lambda: draw(space))
    seconds = {"bare draw": floor} | {
        name: best(lambda make=make: ask_and_tell(make(space))) for name, make in STRATEGIES.items()
    }
    return [
        {"strategy": name, "µs a trial": 1e6 * s / TRIALS, "times a bare draw": s / floor}
        for name, s in seconds.items()
    ]


def races() -> list[dict]:
    """Return the time of races on the table, beside as many look-ups."""
    table, space = Table.load(), spaces.nasbench201()
    rng = np.random.default_rng(0)
    archs = [space.sample(rng) for _ in range(SEEDS * TRIALS)]
    look_up = best(lambda: [table(arch) for arch in archs])
    rows = []
    for name in (*RACERS, "all three"):
        names = RACERS if name == "all three" else (name,)
        began = time.perf_counter()
        race({n: STRATEGIES[n] for n in names}, table, TRIALS, SEEDS)
        seconds = time.perf_counter() - began
        rows.append(
            {
                f"{SEEDS} seeds x {TRIALS} trials": name,
                "s": seconds,
                "times the look-ups": seconds / (len(names) * look_up),
            }
        )
    return rows


if __name__ == "__main__":
    report("ask and tell", overhead())
    report("races", races())
