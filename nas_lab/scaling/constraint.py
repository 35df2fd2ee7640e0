"""The constraint on depth, width and resolution, and the way onto it."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from nas_lab.scaling.numbers import factor

TOTAL = 2.0
"""What alpha beta^2 gamma^2 should be, so that phi counts doublings (equation 3)."""
EXPONENTS = {"alpha": 1, "beta": 2, "gamma": 2}


def product(alpha: float, beta: float, gamma: float) -> float:
    """alpha beta^2 gamma^2: how many times the multiply-adds for each step of phi, ideally.

    Depth counts once, for a layer more costs what a layer costs. Width counts twice, for a
    convolution has input and output channels, and so does resolution, for an image has two sides.
    """
    values = zip(EXPONENTS.items(), (alpha, beta, gamma), strict=True)
    return math.prod(factor(name, value) ** power for (name, power), value in values)


def residual(alpha: float, beta: float, gamma: float) -> float:
    """alpha beta^2 gamma^2 - 2: 0 on the constraint, -0.08 for the paper's 1.2, 1.1 and 1.15."""
    return product(alpha, beta, gamma) - TOTAL


class Coefficients(NamedTuple):
    """Depth, width and resolution for one step of phi."""

    alpha: float
    beta: float
    gamma: float


def project(
    alpha: float,
    beta: float,
    gamma: float,
    *,
    keep: Literal["alpha", "beta", "gamma"] | None = None,
) -> Coefficients:
    """The coefficients nearest to these on the constraint, with none below 1.

    Nearest in log space: in x = (ln alpha, ln beta, ln gamma) the constraint is the plane
    n x = ln 2 with n = (1, 2, 2). The foot of the perpendicular is ``x - n (n x - ln 2) / |n|^2``.
    A coordinate that falls below 0 is held at 0 (a coefficient of 1) and the others are projected
    again, which ends at the nearest point (C. Michelot, "A finite algorithm for finding the
    projection of a point onto the canonical simplex of R^n", 1986).

    Args:
        alpha, beta, gamma: 1 or more.
        keep: the name of one that stays as it is, as the slider under a reader's hand does.

    Raises:
        TypeError: one is no number.
        ValueError: one is below 1 or not finite, ``keep`` names none of them, or what is kept is
            over the constraint alone.
    """
    given = dict(zip(EXPONENTS, (alpha, beta, gamma), strict=True))
    x = {name: math.log(factor(name, value)) for name, value in given.items()}
    n, rest = EXPONENTS, math.log(TOTAL)
    free = [name for name in x if name != keep]
    if keep is not None:
        if keep not in x:
            raise ValueError(f"keep={keep!r}: choose from {', '.join(x)}, or None")
        rest -= n[keep] * x[keep]
        if rest < -1e-12:
            raise ValueError(
                f"{keep}={given[keep]} is over the constraint alone: alpha beta^2 gamma^2 = 2 "
                f"needs {keep} <= {TOTAL ** (1 / n[keep]):.4g}"
            )
    while True:
        step = (sum(n[i] * x[i] for i in free) - rest) / sum(n[i] ** 2 for i in free)
        foot = {i: x[i] - n[i] * step for i in free}
        if min(foot.values()) >= -1e-12:  # below 0 by rounding at most
            break
        free = [i for i in free if foot[i] > 0]
    nearest = {name: math.exp(max(0.0, foot.get(name, 0.0))) for name in x}
    if keep is not None:
        nearest[keep] = given[keep]
    return Coefficients(**nearest)
