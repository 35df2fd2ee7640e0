"""The exercises of notebook 09, the automated workflow."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from nas_lab.homework.question import Plain, Question


def _draw_images(rng: np.random.Generator) -> list[Plain]:
    """Two short lists of tiny images, of which some are in both, and some are there twice."""
    known = rng.integers(0, 3, size=(6, 4)).tolist()
    train = [known[i] for i in rng.integers(0, 4, size=int(rng.integers(1, 7)))]
    test = [known[i] for i in rng.integers(2, 6, size=int(rng.integers(1, 7)))]
    return [train, test]


def _leaked(train: list[list[int]], test: list[list[int]]) -> int:
    counted = Counter(map(tuple, test))
    return sum(counted[image] for image in set(map(tuple, train)))


def _draw_budget(rng: np.random.Generator) -> list[Plain]:
    eta = int(rng.integers(2, 5))
    return [eta ** int(rng.integers(0, 5)), eta]


def _brackets(epochs: int, eta: int) -> list[list[int]]:
    """First rung of each bracket: architectures and epochs (Li et al. 2018, algorithm 1)."""
    most = 0
    while eta ** (most + 1) <= epochs:
        most += 1
    return [[-(-(most + 1) * eta**s // (s + 1)), epochs // eta**s] for s in range(most, -1, -1)]


def _draw_plan(rng: np.random.Generator) -> list[Plain]:
    trials, batch = int(rng.integers(1, 60)), int(rng.integers(1, 25))
    return [trials, batch, int(rng.integers(1, 12)), int(rng.integers(1, 20))]


def _seconds(trials: int, batch: int, workers: int, seconds: int) -> int:
    whole, rest = divmod(trials, batch)
    rounds = whole * math.ceil(batch / workers) + math.ceil(rest / workers)
    return rounds * seconds


QUESTIONS = (
    Question(
        "09.q1",
        _draw_images,
        _leaked,
        "count test images, not training images: one that stands twice among the test images "
        "leaks twice, one that stands twice among the training images does not.",
    ),
    Question(
        "09.q2",
        _draw_budget,
        _brackets,
        "s runs from its largest value down to 0; in bracket s, n is (s_max + 1) eta^s / (s + 1), "
        "rounded up, and r is R / eta^s. Beware of math.log: its rounding makes s_max wrong for "
        "some R.",
    ),
    Question(
        "09.q3",
        _draw_plan,
        _seconds,
        "a batch is over when its last trial is: it takes as many rounds as its size over the "
        "workers, rounded up. The last batch may be smaller.",
    ),
)
