"""What goes wrong when statistics are not recomputed: those of a mixture of architectures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from nas_lab.checks import whole_number
from nas_lab.estimation.weight_sharing import SharedWeights
from nas_lab.nets.supernets.base import Moments, Norm, RecordedNorm, RecordingNorm, side_by_side
from nas_lab.spaces.base import Arch

BATCH = 128
"""Images from which each architecture contributes its statistics."""


@dataclass(frozen=True)
class AveragedStatistics(SharedWeights):
    """Inherited weights with one mean and variance a module, averaged over architectures.

    So would a supernet rank whose batch normalisations keep moving averages, as they do by default
    in torch: the averages belong to no architecture. It is here to be measured, not to be used.

    Args:
        archs: so many random architectures are averaged, with equal weights.
    """

    archs: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("archs", self.archs)

    def _network(self, arch: Arch, seed: int) -> Callable[[Tensor], Tensor]:
        rows = self.net.rows(self.net.one_hot(arch))
        return lambda x: self.net.run(x, rows, AveragedNorm(self.averages))

    @cached_property
    def averages(self) -> dict[nn.BatchNorm2d, Moments]:
        """Mean and variance of each module that ran, [C] each."""
        norm, rng = CollectingNorm(), np.random.default_rng(0)
        for number in range(self.archs):
            x = self._training_images(number)[:BATCH]
            self.net.run(x, self.net.rows(self.net.one_hot(self.net.space.sample(rng))), norm)
        return {module: _mean(moments) for module, moments in norm.collected.items()}


class CollectingNorm(RecordingNorm):
    """Normalisation by the batch, which keeps the statistics of each module apart."""

    def __init__(self) -> None:
        super().__init__()
        self.collected: dict[nn.BatchNorm2d, list[Moments]] = defaultdict(list)

    def __call__(
        self, x: Tensor, norms: Sequence[nn.BatchNorm2d], scales: Tensor | None = None
    ) -> Tensor:
        """Normalise, and keep mean and variance of the batch for each module."""
        y = super().__call__(x, norms, scales)
        mean, variance = (moment.chunk(len(norms)) for moment in self.moments.pop())
        for module, *moments in zip(norms, mean, variance, strict=True):
            self.collected[module].append((moments[0], moments[1]))
        return y


class AveragedNorm(RecordedNorm):
    """Normalisation by given statistics of each module; by those of the batch where none are."""

    def __init__(self, averages: Mapping[nn.BatchNorm2d, Moments]) -> None:
        super().__init__(())
        self.averages = averages

    def __call__(
        self, x: Tensor, norms: Sequence[nn.BatchNorm2d], scales: Tensor | None = None
    ) -> Tensor:
        """Normalise with the averages of the modules."""
        if any(module not in self.averages for module in norms):
            return Norm()(x, norms, scales)
        known = [self.averages[module] for module in norms]
        mean, variance = (side_by_side([m[i] for m in known]) for i in (0, 1))
        self.moments = iter([(mean, variance)])
        return super().__call__(x, norms, scales)


def _mean(moments: Sequence[Moments]) -> Moments:
    mean, variance = (torch.stack([m[i] for m in moments]).mean(dim=0) for i in (0, 1))
    return mean, variance
