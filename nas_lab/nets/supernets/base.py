"""What every supernet does: read w, and normalise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nas_lab import runtime
from nas_lab.spaces.base import Arch, Decision, Skeleton, Space

Weight: TypeAlias = "float | Tensor"
"""Weight of an option. A float is 0 or 1, which needs no multiplication; else a scalar tensor."""
Moments: TypeAlias = tuple[Tensor, Tensor]
"""Mean and variance of each channel, [C]."""


@dataclass(frozen=True)
class Row:
    """One decision with the weights of its options.

    Attributes:
        decision: its name and options.
        weights: a row of w, [K].
        tokens: options that have a weight; those with zero are not run.
        hard: one option, with weight one and without a gradient: nothing is multiplied.
    """

    decision: Decision
    weights: Tensor
    tokens: tuple[int, ...]
    hard: bool

    def weight(self, token: int) -> Weight:
        """Weight of an option."""
        if token not in self.tokens:
            return 0.0
        return 1.0 if self.hard else self.weights[token]

    @property
    def options(self) -> list[tuple]:
        """Options that have a weight, and that weight."""
        return [(self.decision.options[token], self.weight(token)) for token in self.tokens]


@dataclass(frozen=True)
class Statistics:
    """Mean and variance of every normalisation of one architecture, in the order they run.

    Attributes:
        tokens: which options ran, for each decision.
        moments: of each normalisation.
    """

    tokens: tuple[tuple[int, ...], ...]
    moments: tuple[Moments, ...]


class Norm:
    """Batch normalisation by the statistics of the batch, for several outputs side by side."""

    def __call__(
        self, x: Tensor, norms: Sequence[nn.BatchNorm2d], scales: Tensor | None = None
    ) -> Tensor:
        """Normalise n outputs and multiply each with its scale.

        Args:
            x: [B, n * C, H, W].
            norms: n modules.
            scales: one for each output, [n], or for each channel, [n * C]; None for ones. They
                go into the modules' own scales and shifts, so they cost nothing.
        """
        weight = side_by_side([norm.weight for norm in norms])
        bias = side_by_side([norm.bias for norm in norms])
        if scales is not None:
            repeated = scales.repeat_interleave(x.shape[1] // len(scales))
            weight, bias = repeated * weight, repeated * bias
        return self.normalise(x, weight, bias)

    def normalise(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Mean ``bias`` and standard deviation ``weight`` for each channel of the batch."""
        return functional.batch_norm(x, None, None, weight, bias, training=True)


class RecordingNorm(Norm):
    """The same, and keeps the statistics."""

    def __init__(self) -> None:
        self.moments: list[Moments] = []

    def normalise(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Normalise, and append mean and variance of the batch."""
        mean, variance = torch.zeros_like(bias), torch.ones_like(bias)
        y = functional.batch_norm(x, mean, variance, weight, bias, training=True, momentum=1)
        self.moments.append((mean, variance))
        return y


class RecordedNorm(Norm):
    """Normalisation by statistics that were kept."""

    def __init__(self, moments: Sequence[Moments]) -> None:
        self.moments = iter(moments)

    def normalise(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Normalise with the next mean and variance."""
        mean, variance = next(self.moments)
        return functional.batch_norm(x, mean, variance, weight, bias, training=False)


class Supernet(nn.Module, ABC):
    """All networks of a space in one, with shared weights.

    Called as ``net(x, w)``. ``w[D, K]`` has a row for each of D decisions: the weights of its K
    options at most. A one-hot row runs the chosen option alone; other rows mix the outputs of all
    options whose weight is not zero. Gradients reach these weights.

    A normalisation takes its mean and variance from the batch, in training and in evaluation
    alike: a moving average over steps would mix architectures. For single images, or to
    evaluate as a network that stands alone does, compute ``statistics`` on a larger batch first.

    Args:
        space: the space that it contains.
        skeleton: what surrounds the searched part.
    """

    def __init__(self, space: Space, skeleton: Skeleton) -> None:
        super().__init__()
        self.space, self.skeleton = space, skeleton

    def forward(self, x: Tensor, w: Tensor, statistics: Statistics | None = None) -> Tensor:
        """Logits [B, classes].

        Args:
            x: images [B, in_channels, resolution, resolution].
            w: float [D, K]; entries that stand for no option are zero (``space.mask``).
            statistics: of the same w; None takes those of the batch.

        Raises:
            TypeError: ``w`` is no tensor of floats.
            ValueError: ``w`` has another shape, a weight where no option is, or a row of zeros;
                or the statistics are those of another architecture.
        """
        rows = self.rows(w)
        if statistics is None:
            return self.run(x, rows, Norm())
        if statistics.tokens != tuple(row.tokens for row in rows):
            raise ValueError(
                "these statistics are those of another architecture: "
                "compute net.statistics(images, w) with the w of this call"
            )
        return self.run(x, rows, RecordedNorm(statistics.moments))

    @torch.no_grad()
    def statistics(self, x: Tensor, w: Tensor) -> Statistics:
        """Means and variances on images [B, in_channels, resolution, resolution]."""
        rows, norm = self.rows(w), RecordingNorm()
        self.run(x, rows, norm)
        return Statistics(tuple(row.tokens for row in rows), tuple(norm.moments))

    @abstractmethod
    def run(self, x: Tensor, rows: Sequence[Row], norm: Norm) -> Tensor:
        """Logits [B, classes], with a row for each decision; subclasses say how."""

    def one_hot(self, arch: Arch) -> Tensor:
        """The w of an architecture, where the network's parameters are."""
        return torch.from_numpy(self.space.one_hot(arch)).to(runtime.device_of(self))

    def rows(self, w: Tensor) -> list[Row]:
        """Read ``w``, or say what is wrong with it."""
        mask = self.space.mask
        if not (isinstance(w, Tensor) and w.is_floating_point()):
            raise TypeError(f"w is a tensor of floats of shape {mask.shape}, not {w!r}")
        if w.shape != mask.shape:
            raise ValueError(
                f"{self.space.name} takes w of shape {mask.shape}, not {tuple(w.shape)}"
            )
        values = w.detach().cpu().numpy()
        used = values != 0
        self._check(used & ~mask, "has a weight for an option that does not exist")
        self._check(~used.any(axis=1, keepdims=True), "has no weight at all")
        hard = (~w.requires_grad) & (used.sum(axis=1) == 1) & (values.max(axis=1) == 1)
        return [
            Row(decision, weights, tuple(np.flatnonzero(chosen).tolist()), bool(alone))
            for decision, weights, chosen, alone in zip(
                self.space.decisions, w, used, hard, strict=True
            )
        ]

    def _check(self, bad: np.ndarray, what: str) -> None:
        if bad.any():
            name = self.space.decisions[int(bad.any(axis=1).argmax())].name
            raise ValueError(f"the row of {name} in w {what}")


def side_by_side(parts: Sequence[Tensor]) -> Tensor:
    """Tensors one after the other in their first dimension."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))
