"""The exercises of notebook 01, search space."""

from __future__ import annotations

import math

import numpy as np

from nas_lab.homework.question import Plain, Question
from nas_lab.spaces.cells import EDGES_201, OPERATIONS_201


def _draw_counts(rng: np.random.Generator) -> list[Plain]:
    return [rng.integers(1, 9, size=int(rng.integers(1, 12))).tolist()]


def _count(options: list[int]) -> int:
    return math.prod(options)


PATHS = ((3,), (0, 4), (1, 5), (0, 2, 5))
"""The four ways from input to output, as places of edges."""


def _draw_cell(rng: np.random.Generator) -> list[Plain]:
    """One path, most often the longest, whole or with one edge missing; perhaps an edge beside."""
    path = PATHS[rng.choice(len(PATHS), p=(0.2, 0.2, 0.2, 0.4))]
    chosen = rng.choice(len(EDGES_201), size=int(rng.integers(0, 2)), replace=False)
    used = {*path, *chosen.tolist()}
    if rng.random() < 0.5:
        used -= {path[int(rng.integers(len(path)))]}
    operations = rng.choice(OPERATIONS_201[1:], size=len(EDGES_201)).tolist()
    return [[op if edge in used else "none" for edge, op in enumerate(operations)]]


def _reaches_output(operations: list[str]) -> bool:
    reached = {0}
    for op, (source, node) in zip(operations, EDGES_201, strict=True):
        if source in reached and op != "none":
            reached.add(node)
    return 3 in reached


def _draw_convolution(rng: np.random.Generator) -> list[Plain]:
    groups = int(rng.choice([1, 2, 4]))
    c_in, c_out = (groups * rng.integers(1, 9, size=2)).tolist()
    kernel = int(rng.choice([1, 3, 5, 7]))
    height, width = rng.integers(4, 33, size=2).tolist()
    return [c_in, c_out, kernel, height, width, groups]


def _conv_macs(c_in: int, c_out: int, kernel: int, height: int, width: int, groups: int) -> int:
    return kernel**2 * (c_in // groups) * c_out * height * width


QUESTIONS = (
    Question(
        "01.q1",
        _draw_counts,
        _count,
        "every option of one decision goes together with every option of the next.",
    ),
    Question(
        "01.q2",
        _draw_cell,
        _reaches_output,
        "walk along the edges in their order and keep the set of nodes that the input "
        "has reached; an edge with 'none' leads nowhere.",
    ),
    Question(
        "01.q3",
        _draw_convolution,
        _conv_macs,
        "count the products for one output number first. With groups, an output channel "
        "reads only its share of the input channels.",
    ),
)
