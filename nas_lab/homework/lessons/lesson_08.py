"""The exercises of notebook 08, explainability."""

from __future__ import annotations

import numpy as np

from nas_lab.homework.question import Plain, Question


def _draw_scores(rng: np.random.Generator) -> list[Plain]:
    """Architectures of three decisions, at least one of them with the asked option."""
    n, decision = int(rng.integers(3, 20)), int(rng.integers(3))
    archs = rng.integers(0, 3, size=(n, 3)).tolist()
    option = archs[int(rng.integers(n))][decision]
    return [archs, np.round(rng.random(n), 3).tolist(), decision, option]


def _main_effect(archs: list[list[int]], scores: list[float], decision: int, option: int) -> float:
    chosen = [s for arch, s in zip(archs, scores, strict=True) if arch[decision] == option]
    return sum(chosen) / len(chosen) - sum(scores) / len(scores)


def _draw_game(rng: np.random.Generator) -> list[Plain]:
    return [np.round(rng.normal(size=4), 3).tolist()]


def _shapley(v: list[float]) -> list[float]:
    nothing, first, second, both = v
    return [
        ((first - nothing) + (both - second)) / 2,
        ((second - nothing) + (both - first)) / 2,
    ]


def _draw_square(rng: np.random.Generator) -> list[Plain]:
    return [np.round(rng.random((2, 2)), 3).tolist()]


def _swap_parts(f: list[list[float]]) -> list[float]:
    alone = (f[1][0] + f[1][1] - f[0][0] - f[0][1]) / 2
    return [alone, f[1][0] - f[0][0] - alone]


QUESTIONS = (
    Question(
        "08.q1",
        _draw_scores,
        _main_effect,
        "two means: one over the architectures that have the option, one over all of them, those "
        "with the option included.",
    ),
    Question(
        "08.q2",
        _draw_square,
        _swap_parts,
        "a main effect averages over the other decision, with both of its options alike. What the "
        "swap changes beyond that is the second part.",
    ),
    Question(
        "08.q3",
        _draw_game,
        _shapley,
        "in one order a decision comes first and is compared with nothing known; in the other it "
        "comes second and is compared with the other one known. Take the mean.",
    ),
)
