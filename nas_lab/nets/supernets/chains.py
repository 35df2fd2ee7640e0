"""The supernets of convolutional chains, with skips or without, of one depth or of several."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas_lab.nets.supernets.base import Norm, Row, Supernet, Weight
from nas_lab.nets.supernets.branches import batch_norm, conv, conv2d
from nas_lab.nets.supernets.elastic import (
    Sizes,
    center,
    cut,
    is_possible,
    largest_size,
    mixed,
    product,
    scaled,
)
from nas_lab.spaces.base import Skeleton
from nas_lab.spaces.chains import FILTER_TOKENS, ConvChain
from nas_lab.spaces.plain import PlainChain

Rows = Mapping[str, Row]
"""Rows of w by the name of their decision."""


@dataclass(frozen=True)
class Part:
    """One source of what a layer reads.

    Attributes:
        x: its output, [B, C, H, W].
        start: its first channel among all channels that the layer can read.
        weight: of the choice to read it.
    """

    x: Tensor
    start: int
    weight: Weight


class ConvLayer(nn.Module):
    """Convolution, normalisation, ReLU; height, width, stride and filters are a choice.

    Where strides are mixed, each has a normalisation by its own statistics, and smaller outputs
    are padded with zeros: so does the space wherever sizes differ.

    Args:
        given: channels of all that it can read.
        largest: of height, width and filters.
    """

    def __init__(self, given: int, largest: Mapping[str, int]) -> None:
        super().__init__()
        self.conv = conv(given, largest["filters"], (largest["height"], largest["width"]))
        self.norm = batch_norm(largest["filters"])

    def forward(self, parts: Sequence[Part], rows: Rows, norm: Norm) -> Tensor:
        """What it reads, to [B, filters, H, W]; ``rows`` are those of its four decisions."""
        filters = Sizes.of(rows["filters"])
        weight = self.conv.weight[: filters.largest]
        weight = cut(weight, Sizes.of(rows["height"]), Sizes.of(rows["width"]))
        weight = columns(weight, parts)
        x = gather(parts)
        strided = [
            (norm(conv2d(x, weight, stride), [self.norm], filters.mask), share)
            for stride, share in rows["stride"].options
        ]
        size = largest_size(y for y, _ in strided)
        return mixed([(center(functional.relu(y), size), share) for y, share in strided])


class SupernetChain(Supernet):
    """Layers, and a classifier of the pooled outputs of some of them."""

    space: ConvChain | PlainChain

    def __init__(self, space: ConvChain | PlainChain, skeleton: Skeleton) -> None:
        super().__init__(space, skeleton)
        options = {decision.name: decision.options for decision in space.decisions}
        largest = {name: max(sizes) for name, sizes in options.items()}
        count = sum(name.startswith("filters") for name in options)
        filters = [largest[f"filters_{i + 1}"] for i in range(count)]
        self.starts = [0, *itertools.accumulate(filters)]  # first channel of each layer
        self.layers = nn.ModuleList(
            ConvLayer(
                self.readable(i), {token: largest[f"{token}_{i + 1}"] for token in FILTER_TOKENS}
            )
            for i in range(count)
        )
        self.classifier = nn.Linear(self.starts[-1], skeleton.classes)

    def readable(self, layer: int) -> int:
        """Channels of all that a layer can read, which is the layer before it, or the image.

        Layers are counted from 0.
        """
        if not layer:
            return self.skeleton.in_channels
        return self.starts[layer] - self.starts[layer - 1]

    def read(self, layer: int, rows: Rows, x: Tensor, outputs: Sequence[Tensor]) -> list[Part]:
        """What a layer reads, of the images ``x`` and the outputs of the layers before it."""
        return [Part(outputs[-1] if outputs else x, 0, 1.0)]

    @abstractmethod
    def weights(self, rows: Rows) -> Sequence[Weight]:
        """Of each layer, that its output goes to the classifier."""

    def run(self, x: Tensor, rows: Sequence[Row], norm: Norm) -> Tensor:
        """Logits [B, classes]; layers that do not lead there are not run."""
        named = {row.decision.name: row for row in rows}
        weights = self.weights(named)
        last = max(i for i, weight in enumerate(weights) if is_possible(weight))
        outputs: list[Tensor] = []
        for i, layer in enumerate(list(self.layers.children())[: last + 1]):
            own = {token: named[f"{token}_{i + 1}"] for token in FILTER_TOKENS}
            outputs.append(layer(self.read(i, named, x, outputs), own, norm))
        return self.classify(
            [
                Part(y, self.starts[i], weight)
                for i, (y, weight) in enumerate(zip(outputs, weights, strict=False))
                if is_possible(weight)
            ]
        )

    def classify(self, parts: Sequence[Part]) -> Tensor:
        """Logits [B, classes] of what the last layers give, averaged over their pixels."""
        height, width = largest_size(part.x for part in parts)
        sums = [scaled(part.x.sum(dim=(2, 3)), part.weight) for part in parts]
        features = torch.cat(sums, dim=1) / (height * width)
        weight = columns(self.classifier.weight, parts)
        return functional.linear(features, weight, self.classifier.bias)


class SupernetConvChain(SupernetChain):
    """Of Zoph & Le's chains.

    An anchor's weight multiplies what is read through it. A layer reads the image, and its output
    goes to the classifier, with the product of the weights of all anchors that have to be absent.
    """

    space: ConvChain

    def readable(self, layer: int) -> int:
        """The image and all layers before it; without skips, the last of these."""
        if self.space.skips:
            return self.skeleton.in_channels + self.starts[layer]
        return super().readable(layer)

    def read(self, layer: int, rows: Rows, x: Tensor, outputs: Sequence[Tensor]) -> list[Part]:
        """Through anchors, or the last layer."""
        if not self.space.skips:
            return super().read(layer, rows, x, outputs)
        anchors = [rows[f"anchor_{j + 1}_{layer + 1}"] for j in range(layer)]
        absent = product(row.weight(0) for row in anchors)
        parts = [Part(x, 0, absent)]
        for j, (y, row) in enumerate(zip(outputs, anchors, strict=True)):
            parts.append(Part(y, self.skeleton.in_channels + self.starts[j], row.weight(1)))
        return [part for part in parts if is_possible(part.weight)]

    def weights(self, rows: Rows) -> Sequence[Weight]:
        """Layers that no layer reads."""
        count = len(self.layers)
        if not self.space.skips:
            return [0.0] * (count - 1) + [1.0]
        return [
            product(rows[f"anchor_{i + 1}_{j + 1}"].weight(0) for j in range(i + 1, count))
            for i in range(count)
        ]


class SupernetPlainChain(SupernetChain):
    """Of chains whose depth is a choice: the classifier reads the last layer of each depth.

    It has weights of its own for each depth.
    """

    def weights(self, rows: Rows) -> Sequence[Weight]:
        """Those of the depths."""
        depths = Sizes.of(rows["layers"]).weights
        return [depths.get(depth, 0.0) for depth in range(1, len(self.layers) + 1)]


def gather(parts: Sequence[Part]) -> Tensor:
    """One after the other, the smaller ones padded to the largest height and width."""
    size = largest_size(part.x for part in parts)
    images = [center(scaled(part.x, part.weight), size) for part in parts]
    return images[0] if len(images) == 1 else torch.cat(images, dim=1)


def columns(weight: Tensor, parts: Sequence[Part]) -> Tensor:
    """Of [outputs, inputs, ...], the inputs that are read."""
    read = [weight.narrow(1, part.start, part.x.shape[1]) for part in parts]
    return read[0] if len(read) == 1 else torch.cat(read, dim=1)
