"""When to stop: rules for ``darts.fit(..., until=rule)``.

A rule is a function of the search that says whether it is over. Both stop a search before it
collapses to skip connections.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nas_lab.checks import number_in, whole_number
from nas_lab.strategies.darts.hessian import curvature

if TYPE_CHECKING:
    from nas_lab.strategies.darts.search import Darts


@dataclass(frozen=True)
class TooManySkips:
    """Stop when a normal cell would keep so many skip connections.

    Source: H. Liang et al., "DARTS+", 2019, arXiv:1909.06035, criterion 1: two. For
    a single cell, as on ``nasbench201()``, that cell counts.

    Args:
        limit: stop at so many, at least 1.
        steps: but only when it has been so for so many steps in a row. Single steps jump about
            while alphas are close to each other.

    Raises:
        TypeError, ValueError: an argument is no whole number, or below 1.
    """

    limit: int = 2
    steps: int = 20

    def __post_init__(self) -> None:
        whole_number("limit", self.limit)
        whole_number("steps", self.steps)

    def __call__(self, darts: Darts) -> bool:
        """Whether the search is over."""
        last = range(-1, -1 - self.steps, -1)
        return len(darts.log) >= self.steps and all(
            self.skips(darts, step) >= self.limit for step in last
        )

    def skips(self, darts: Darts, step: int = -1) -> int:
        """Skip connections of the normal cell of ``darts.arch(step)``."""
        chosen = darts.space.decode(darts.arch(step))
        normal = [op for name, op in chosen.items() if not name.startswith("reduce")]
        return normal.count("skip_connect")


@dataclass
class RisingCurvature:
    """Stop when the curvature of the validation loss rises, and go back to before it did.

    The curvature is measured from time to time and smoothed over k values. It has risen when the
    mean of the k before is below ``ratio`` times that of the last k. Then
    ``darts.arch(rule.keep)`` is the architecture of k measurements ago. Source: A. Zela et al.,
    ICLR 2020, arXiv:1909.09656, section 4, with k = 5 passes over the data.

    A rule keeps what it has seen, so make one for each search.

    Args:
        every: steps from one measurement to the next, at least 1.
        window: k, at least 1.
        ratio: above 0 and below 1.

    Attributes:
        steps: when it was measured: numbers of steps.
        values: the curvatures.
        keep: index into ``darts.log`` of the step to go back to; -1, the last, while it goes on.

    Raises:
        TypeError, ValueError: an argument is out of its range.
    """

    every: int = 20
    window: int = 5
    ratio: float = 0.75
    steps: list[int] = field(default_factory=list, init=False)
    values: list[float] = field(default_factory=list, init=False)
    keep: int = field(default=-1, init=False)

    def __post_init__(self) -> None:
        whole_number("every", self.every)
        whole_number("window", self.window)
        number_in("ratio", self.ratio, below=1)

    def __call__(self, darts: Darts) -> bool:
        """Measure if it is time; whether the search is over."""
        number = darts.log[-1].number
        if self.steps and number <= self.steps[-1]:
            raise ValueError("this rule has seen another search: make a new one")
        if number % self.every:
            return False
        self.steps.append(number)
        self.values.append(curvature(darts))
        if not self._risen():
            return False
        self.keep = self.steps[-1 - self.window] - 1
        return True

    def _risen(self) -> bool:
        if len(self.values) < 2 * self.window:
            return False
        before, now = np.mean(np.reshape(self.values[-2 * self.window :], (2, -1)), axis=1)
        return bool(before < self.ratio * now)
