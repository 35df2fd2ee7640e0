"""The exercises of notebook 06, scaling."""

from __future__ import annotations

import math

import numpy as np

from nas_lab.homework.question import Plain, Question
from nas_lab.scaling import round_filters


def _draw_compound(rng: np.random.Generator) -> list[Plain]:
    """A phi, and an alpha and a beta that leave something to gamma."""
    depth, width, _ = rng.dirichlet([1, 1, 1]).tolist()
    phi = float(rng.choice([0.0, 0.5, 1.0, 2.0, 3.0]))
    return [phi, round(2**depth, 4), round(2 ** (width / 2), 4)]


def _factors(phi: float, alpha: float, beta: float) -> list[float]:
    gamma = math.sqrt(2 / (alpha * beta**2))
    return [alpha**phi, beta**phi, gamma**phi]


def _draw_widening(rng: np.random.Generator) -> list[Plain]:
    """Few channels, where the nearest multiple may lose more than a tenth, as often as many."""
    channels = rng.integers(1, int(rng.choice([24, 400])))
    return [int(channels), float(rng.choice([1.0, 1.1, 1.2, 1.4, 1.5, 1.8, 2.0, 3.1]))]


def _draw_mbconv(rng: np.random.Generator) -> list[Plain]:
    c_in, c_out = (8 * rng.integers(1, 13, size=2)).tolist()
    kernel, stride = int(rng.choice([3, 5])), int(rng.choice([1, 2]))
    return [c_in, c_out, kernel, stride, int(rng.choice([1, 4, 6])), 2 * int(rng.integers(2, 15))]


def _mbconv_macs(c_in: int, c_out: int, kernel: int, stride: int, expansion: int, side: int) -> int:
    inner, out = expansion * c_in, side // stride
    expand = c_in * inner * side**2 if expansion > 1 else 0
    depthwise = kernel**2 * inner * out**2
    return expand + depthwise + inner * c_out * out**2


QUESTIONS = (
    Question(
        "06.q1",
        _draw_mbconv,
        _mbconv_macs,
        "which of the convolutions still sees the large image? The one in the middle has as many "
        "groups as channels, and without expansion there is no first one.",
    ),
    Question(
        "06.q2",
        _draw_compound,
        _factors,
        "solve alpha * beta^2 * gamma^2 = 2 for gamma first. What does phi = 0 give?",
    ),
    Question(
        "06.q3",
        _draw_widening,
        round_filters,
        "take the nearest multiple of 8, at least 8; half way counts up. Then compare it with 90% "
        "of what was asked for.",
    ),
)
