"""Which architectures a step of one-shot training takes out of the supernet.

A sampler is made for a space and its skeleton; called with a random generator, it gives the
architectures of one step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np

from nas_lab.spaces.base import Arch, Skeleton, Space


class Sampler(Protocol):
    """Anything that draws the architectures of one step."""

    def __call__(self, rng: np.random.Generator) -> list[Arch]:
        """Return at least one architecture."""
        ...


@dataclass(frozen=True)
class Uniform:
    """Single path: one architecture, all with the same probability.

    Source: Z. Guo et al., "Single Path One-Shot Neural Architecture Search with Uniform
    Sampling", ECCV 2020, arXiv:1904.00420, section 3.2.
    """

    space: Space
    skeleton: Skeleton

    def __call__(self, rng: np.random.Generator) -> list[Arch]:
        """One architecture."""
        return [self.space.sample(rng)]


@dataclass(frozen=True)
class Distinct:
    """Single path: one architecture in canonical form, all with the same probability.

    Where several architectures are one network, ``Uniform`` draws that network more often, and
    those with most spellings are the small ones. Here each network is drawn as often as any other:
    an architecture that is not in canonical form is drawn again.
    """

    space: Space
    skeleton: Skeleton

    def __call__(self, rng: np.random.Generator) -> list[Arch]:
        """One architecture."""
        arch = self.space.sample(rng)
        while not self._is_canonical(arch):
            arch = self.space.sample(rng)
        return [arch]

    @cached_property
    def _is_canonical(self) -> Callable[[Arch], bool]:
        return lru_cache(20_000)(lambda arch: self.space.canonical(arch) == arch)


@dataclass(frozen=True)
class Fair:
    """Strict fairness: every option of a decision equally often in every step.

    A step holds m architectures, m being the least common multiple of the numbers of options. Of
    each decision the options are dealt out in random order, all m / K times. Gradients of the m
    architectures are added up before the weights move, so no option gets ahead.

    Source: X. Chu, B. Zhang, R. Xu, "FairNAS", ICCV 2021, arXiv:1907.01845, section 3.3, where
    all decisions have the same number of options.

    Raises:
        ValueError: some combinations are excluded from the space, so options cannot be dealt out
            decision by decision.
    """

    space: Space
    skeleton: Skeleton

    def __post_init__(self) -> None:
        if math.prod(self._counts) != self.space.size:
            raise ValueError(
                f"{self.space.name} excludes combinations of options, so they cannot be dealt out "
                "fairly: use Uniform"
            )

    def __call__(self, rng: np.random.Generator) -> list[Arch]:
        """m architectures."""
        paths = math.lcm(*self._counts)
        dealt = [rng.permutation(np.arange(paths) % count) for count in self._counts]
        return [tuple(arch) for arch in np.stack(dealt, axis=1).tolist()]

    @property
    def _counts(self) -> list[int]:
        return [len(decision.options) for decision in self.space.decisions]
