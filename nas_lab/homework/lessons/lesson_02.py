"""The exercises of notebook 02, performance estimation."""

from __future__ import annotations

import itertools

import numpy as np

from nas_lab.homework.question import Plain, Question


def _draw_rankings(rng: np.random.Generator) -> list[Plain]:
    """Two lists without ties that agree more or less."""
    n = int(rng.integers(2, 13))
    truth = rng.permutation(n) / n
    estimate = truth * rng.choice([-1, 1]) + rng.permutation(n) * rng.choice([1e-4, 0.3])
    return [np.round(estimate, 6).tolist(), truth.tolist()]


def _tau(a: list[float], b: list[float]) -> float:
    pairs = list(itertools.combinations(range(len(a)), 2))
    concordant = sum((a[i] - a[j]) * (b[i] - b[j]) > 0 for i, j in pairs)
    return (2 * concordant - len(pairs)) / len(pairs)


def _draw_codes(rng: np.random.Generator) -> list[Plain]:
    images, units = rng.integers(1, 6, size=2).tolist()
    return [rng.integers(0, 2, size=(images, units)).tolist()]


def _agreements(codes: list[list[int]]) -> list[list[int]]:
    return [[sum(a == b for a, b in zip(x, y, strict=True)) for y in codes] for x in codes]


def _draw_bracket(rng: np.random.Generator) -> list[Plain]:
    eta = int(rng.integers(2, 5))
    size = eta ** int(rng.integers(0, 5))
    return [size, size, eta]


def _rungs(archs: int, epochs: int, eta: int) -> list[list[int]]:
    rungs, trained = [], 1
    while trained <= epochs:
        rungs.append([archs // trained, trained])
        trained *= eta
    return rungs


QUESTIONS = (
    Question(
        "02.q1",
        _draw_rankings,
        _tau,
        "look at every pair once: it counts +1 when both lists put it in the same order, and "
        "-1 otherwise. Then divide by the number of pairs.",
    ),
    Question(
        "02.q2",
        _draw_codes,
        _agreements,
        "two units agree when both are 1, and also when both are 0. What stands on the diagonal?",
    ),
    Question(
        "02.q3",
        _draw_bracket,
        _rungs,
        "from one rung to the next, architectures are divided by eta and epochs multiplied "
        "by it. The last rung belongs to the list.",
    ),
)
