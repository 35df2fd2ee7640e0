"""The exercises of notebook 04, one-shot."""

from __future__ import annotations

import numpy as np

from nas_lab.homework.question import Plain, Question


def _draw_paths(rng: np.random.Generator) -> list[Plain]:
    """Some architectures, and the number of options of each decision; not all need be taken."""
    options = rng.integers(1, 6, size=int(rng.integers(1, 7)))
    paths = rng.integers(options, size=(int(rng.integers(1, 9)), len(options)))
    return [paths.tolist(), options.tolist()]


def _uses(paths: list[list[int]], options: list[int]) -> list[list[int]]:
    return [
        [sum(path[d] == token for path in paths) for token in range(count)]
        for d, count in enumerate(options)
    ]


def _draw_batches(rng: np.random.Generator) -> list[Plain]:
    """What was noted of some batches of one channel, most often of different sizes."""
    batches = int(rng.integers(1, 6))
    means = np.round(rng.normal(0, 2, batches), 3)
    variances = np.round(rng.uniform(0.1, 3, batches), 3)
    return [means.tolist(), variances.tolist(), rng.choice([32, 64, 128], batches).tolist()]


def _pooled(means: list[float], variances: list[float], sizes: list[int]) -> list[float]:
    total = sum(sizes)
    mean = sum(n * m for m, n in zip(means, sizes, strict=True)) / total
    squares = sum(n * (v + m**2) for m, v, n in zip(means, variances, sizes, strict=True)) / total
    return [mean, squares - mean**2]


def _draw_kernel(rng: np.random.Generator) -> list[Plain]:
    """A kernel, [outputs][inputs][height][width], and the sizes that are wanted of it."""
    outputs, inputs = rng.integers(1, 4, size=2).tolist()
    size = int(rng.choice([3, 5]))
    kernel = rng.integers(-9, 10, size=(outputs, inputs, size, size))
    wanted = [int(rng.integers(1, n + 1)) for n in (outputs, inputs)]
    return [kernel.tolist(), *wanted, int(rng.choice(range(1, size + 1, 2)))]


def _sliced(kernel: list, outputs: int, inputs: int, size: int) -> list:
    edge = (len(kernel[0][0]) - size) // 2
    middle = slice(edge, edge + size)
    return [[[row[middle] for row in k[middle]] for k in ks[:inputs]] for ks in kernel[:outputs]]


QUESTIONS = (
    Question(
        "04.q1",
        _draw_paths,
        _uses,
        "one row for each decision, one count for each of its options, also for options that no "
        "path takes.",
    ),
    Question(
        "04.q2",
        _draw_batches,
        _pooled,
        "large batches count more. And when the means of two batches differ, all their images "
        "together vary more than each batch does: add up the squares.",
    ),
    Question(
        "04.q3",
        _draw_kernel,
        _sliced,
        "channels are taken from the front, rows and columns from the middle. How many are left "
        "out on each side?",
    ),
)
