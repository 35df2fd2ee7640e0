"""What every estimate of a network's quality offers. Free of torch."""

from __future__ import annotations

from typing import Protocol

from nas_lab.history import Evaluation
from nas_lab.spaces.base import Arch


class Estimator(Protocol):
    """Anything that can be called and pickled: a search neither knows nor cares which.

    `estimate(arch, seed)` returns an `Evaluation`: a score to maximise, its cost in seconds and
    further named numbers. The same arch and seed give the same score.
    """

    def __call__(self, arch: Arch, seed: int) -> Evaluation:
        """Return how good `arch` is, when all chance is drawn from `seed`."""
        ...
