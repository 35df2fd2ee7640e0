"""The exercises of notebook 05, DARTS."""

from __future__ import annotations

import math

import numpy as np

from nas_lab.homework.question import Plain, Question


def _draw_layer(rng: np.random.Generator) -> list[Plain]:
    """Parameters of some candidates, a temperature, and what each candidate gives."""
    candidates, outputs = int(rng.integers(1, 6)), int(rng.integers(1, 5))
    a = np.round(rng.normal(0, 2, candidates), 2)
    given = rng.integers(-9, 10, size=(candidates, outputs))
    return [a.tolist(), float(rng.choice([0.2, 0.5, 1, 2])), given.astype(float).tolist()]


def _mix(a: list[float], temperature: float, outputs: list[list[float]]) -> list[float]:
    scores = [math.exp(value / temperature) for value in a]
    alpha = [score / sum(scores) for score in scores]
    return [
        sum(w * o for w, o in zip(alpha, row, strict=True)) for row in zip(*outputs, strict=True)
    ]


def _draw_node(rng: np.random.Generator) -> list[Plain]:
    """Weights of the edges into one node, different from each other; the first is 'none'."""
    edges, operations = int(rng.integers(2, 6)), int(rng.integers(3, 9))
    values = rng.permutation(edges * operations).reshape(edges, operations) + 1.0
    values[:, 0] *= rng.choice([1, 3])  # 'none' is often the largest
    return [np.round(values / values.sum(axis=1, keepdims=True), 6).tolist()]


def _two_inputs(w: list[list[float]]) -> list[list[int]]:
    best = [max(range(1, len(row)), key=row.__getitem__) for row in w]
    strongest = sorted(range(len(w)), key=lambda edge: -w[edge][best[edge]])[:2]
    return [[edge, best[edge]] for edge in sorted(strongest)]


def _draw_point(rng: np.random.Generator) -> list[Plain]:
    """A point (w, a), and the rate of the virtual step."""
    w, a = np.round(rng.uniform(-2, 2, 2), 2).tolist()
    return [w, a, float(rng.choice([0, 0.01, 0.1, 0.5]))]


def _second_order(w: float, a: float, xi: float) -> float:
    ahead = w - xi * a * (a * w - 1)  # w' = w - xi dL_train/dw
    residual = ahead + a - 3
    return residual - xi * (2 * a * w - 1) * residual


QUESTIONS = (
    Question(
        "05.q1",
        _draw_layer,
        _mix,
        "divide every a by the temperature before the exponential. The weights add up to one, and "
        "each multiplies all numbers of its candidate.",
    ),
    Question(
        "05.q2",
        _draw_node,
        _two_inputs,
        "first find the best operation of each edge, without place 0; then compare the edges by "
        "the weight of that operation. The two edges come in their own order.",
    ),
    Question(
        "05.q3",
        _draw_point,
        _second_order,
        "a moves L_val in two ways: directly, and through w'. With xi = 0 only the first is left.",
    ),
)
