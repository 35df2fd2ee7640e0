"""Sizes that are a choice: kernels and channels are cut out of the largest.

One size is a slice: the middle of the largest kernel, the first channels. Several sizes with
weights w_k share one run of the largest of them. A convolution is linear in its kernel W, so
mixed kernels, padded with zeros to one size, give the mixed outputs::

    sum_k w_k conv(x, W_k) = conv(x, sum_k w_k W_k) = conv(x, r * W)

where r is the sum of the weights of all kernels that reach a pixel. Channels are masked likewise,
as in Wan et al., "FBNetV2", CVPR 2020, arXiv:2004.05565, equation 4::

    sum_k w_k y_k = (sum_k w_k m_k) * y

where mask m_k is one for the first channels, as many as option k has, and zero for the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas_lab.nets.supernets.base import Row, Weight


@dataclass(frozen=True)
class Sizes:
    """A size that is a choice.

    Attributes:
        weights: of each size that has one.
    """

    weights: dict[int, Weight]

    @classmethod
    def of(cls, row: Row, size: Callable[[Any], int] = int) -> Sizes:
        """The sizes that a decision's options stand for."""
        return cls.sum((size(option), weight) for option, weight in row.options)

    @classmethod
    def sum(cls, pairs: Iterable[tuple[int, Weight]]) -> Sizes:
        """Out of pairs of a size and a weight; weights of equal sizes are added."""
        weights: dict[int, Weight] = {}
        for size, weight in pairs:
            weights[size] = weights[size] + weight if size in weights else weight
        return cls(weights)

    def combine(self, other: Sizes, size: Callable[[int, int], int]) -> Sizes:
        """``size(a, b)`` of two choices, which are independent: their weights are multiplied."""
        return Sizes.sum(
            (size(a, b), weight * other_weight)
            for a, weight in self.weights.items()
            for b, other_weight in other.weights.items()
        )

    @property
    def largest(self) -> int:
        """The largest size that has a weight."""
        return max(self.weights)

    @property
    def mask(self) -> Tensor | None:
        """Weights of the channels, [largest]: each has those of all sizes above it.

        None stands for ones.
        """
        return self._reaching(range(self.largest), lambda size: size - 1)

    def masked(self, x: Tensor) -> Tensor:
        """``x`` [..., largest], each weighted by the sizes above it."""
        mask = self.mask
        return x if mask is None else x * mask

    @property
    def rings(self) -> Tensor | None:
        """Weights along one side of a kernel, [largest], which is odd; None stands for ones."""
        middle = self.largest // 2
        return self._reaching(
            (abs(i - middle) for i in range(self.largest)), lambda size: size // 2
        )

    def _reaching(self, places: Iterable[int], reach: Callable[[int], int]) -> Tensor | None:
        """For each place, the sum of the weights of all sizes that reach as far."""
        if all(is_one(weight) for weight in self.weights.values()) and len(self.weights) == 1:
            return None
        weights = torch.stack([torch.as_tensor(weight) for weight in self.weights.values()])
        far = torch.tensor([reach(size) for size in self.weights], device=weights.device)
        at = torch.tensor(list(places), device=weights.device)
        return weights @ (far[:, None] >= at).to(weights.dtype)


class ElasticLinear(nn.Linear):
    """A dense layer of which the first inputs and outputs are used."""

    def forward(self, x: Tensor, outputs: int | None = None) -> Tensor:
        """``[B, given]`` to ``[B, outputs]``; None gives all."""
        weight, bias = self.weight[:outputs, : x.shape[1]], self.bias[:outputs]
        return functional.linear(x, weight, bias)


def cut(weight: Tensor, height: Sizes, width: Sizes) -> Tensor:
    """The middle of kernels [..., H, W] with odd sides, which are two independent choices."""
    weight = middle(weight, height.largest, width.largest)
    rows, columns = height.rings, width.rings
    if rows is not None:
        weight = weight * rows[:, None]
    return weight if columns is None else weight * columns


def cut_square(weight: Tensor, side: Sizes) -> Tensor:
    """The middle of kernels [..., K, K] with an odd side, which is one choice."""
    weight, rings = middle(weight, side.largest, side.largest), side.rings
    if rings is None:
        return weight
    away = (torch.arange(side.largest, device=weight.device) - side.largest // 2).abs()
    return weight * rings[side.largest // 2 + torch.maximum(away[:, None], away)]


def middle(weight: Tensor, height: int, width: int) -> Tensor:
    """Cut out of kernels [..., H, W]."""
    for axis, side in ((-2, height), (-1, width)):
        weight = weight.narrow(axis, (weight.shape[axis] - side) // 2, side)
    return weight


def scaled(x: Tensor, weight: Weight) -> Tensor:
    """``weight * x``; for a weight of one nothing is computed."""
    return x if is_one(weight) else weight * x


def mixed(terms: Sequence[tuple[Tensor, Weight]]) -> Tensor:
    """The weighted sum of tensors of one shape."""
    total, *others = (scaled(x, weight) for x, weight in terms)
    for term in others:
        total = total + term
    return total


def product(weights: Iterable[Weight]) -> Weight:
    """Weight of independent choices together; the float 0 where one of them is not possible."""
    factors = list(weights)
    return math.prod(factors, start=1.0) if all(map(is_possible, factors)) else 0.0


def is_one(weight: Weight) -> bool:
    """Whether it is the float, which needs no multiplication."""
    return isinstance(weight, float) and weight == 1


def is_possible(weight: Weight) -> bool:
    """Whether it is anything but the float 0."""
    return not isinstance(weight, float) or weight != 0


def center(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Zeros around images [B, C, H, W] up to a size, the odd one at the end."""
    (height, width), have = size, x.shape[2:]
    if (height, width) == tuple(have):
        return x
    above, left = (height - have[0]) // 2, (width - have[1]) // 2
    below, right = height - have[0] - above, width - have[1] - left
    return functional.pad(x, (left, right, above, below))


def largest_size(images: Iterable[Tensor]) -> tuple[int, int]:
    """Height and width that hold all of the images [B, C, H, W]."""
    heights, widths = zip(*(x.shape[2:] for x in images), strict=True)
    return max(heights), max(widths)
