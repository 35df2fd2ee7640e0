"""The exercises of notebook 07, edge devices."""

from __future__ import annotations

import numpy as np

from nas_lab.homework.question import Plain, Question


def _draw_operations(rng: np.random.Generator) -> list[Plain]:
    """Operations as multiply-adds and bytes, and a device with round numbers."""
    n = int(rng.integers(1, 6))
    macs = rng.integers(0, 40, n) * 100
    moved = rng.integers(1, 40, n) * 10
    peak, bandwidth = int(rng.choice([100, 500, 1000])), int(rng.choice([20, 50, 200]))
    return [macs.tolist(), moved.tolist(), peak, bandwidth, round(float(rng.uniform(0.1, 2)), 2)]


def _latency(
    macs: list[int], moved: list[int], peak: float, bandwidth: float, overhead: float
) -> float:
    pairs = zip(macs, moved, strict=True)
    return sum(overhead + max(m / peak, b / bandwidth) for m, b in pairs)


def _draw_points(rng: np.random.Generator) -> list[Plain]:
    """Accuracies and latencies of which some are equal, but no two networks in both."""
    n = int(rng.integers(1, 9))
    codes = rng.choice(49, size=n, replace=False)
    return [(codes // 7 / 10 + 0.3).round(1).tolist(), (codes % 7 + 1.0).tolist()]


def _front(accuracies: list[float], latencies: list[float]) -> list[int]:
    points = list(zip(accuracies, latencies, strict=True))

    def beaten(i: int) -> bool:
        a, t = points[i]
        return any(b >= a and s <= t for j, (b, s) in enumerate(points) if j != i)

    return [i for i in range(len(points)) if not beaten(i)]


def _draw_mixture(rng: np.random.Generator) -> list[Plain]:
    """Scores of the options of each decision, and what each option costs."""
    shape = (int(rng.integers(1, 5)), int(rng.integers(2, 5)))
    alpha = np.round(rng.normal(0, 1.5, shape), 2)
    seconds = np.round(rng.uniform(0, 5, shape), 2)
    return [alpha.tolist(), seconds.tolist(), round(float(rng.uniform(0.5, 2)), 2)]


def _expected(alpha: list[list[float]], seconds: list[list[float]], base: float) -> float:
    w = np.exp(alpha)
    w /= w.sum(axis=1, keepdims=True)
    return float(base + (w * np.array(seconds)).sum())


QUESTIONS = (
    Question(
        "07.q1",
        _draw_operations,
        _latency,
        "arithmetic and memory traffic go on at the same time, so the longer of them counts, for "
        "each operation by itself. Every operation has its overhead.",
    ),
    Question(
        "07.q2",
        _draw_points,
        _front,
        "one network beats another when it is better in one and not worse in the other. Of two "
        "that are equally quick, only the more accurate one stays.",
    ),
    Question(
        "07.q3",
        _draw_mixture,
        _expected,
        "each row of alpha becomes probabilities by its own softmax. An option costs its seconds "
        "as often as it is chosen.",
    ),
)
