"""The supernet of stages of resnet-ish and mobilenet-ish blocks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from nas_lab.nets.supernets.base import Norm, Row, Supernet, Weight
from nas_lab.nets.supernets.branches import ConvNorm, batch_norm, conv, conv2d
from nas_lab.nets.supernets.elastic import (
    ElasticLinear,
    Sizes,
    cut_square,
    is_possible,
    mixed,
    product,
)
from nas_lab.spaces.base import Skeleton
from nas_lab.spaces.mobile import Mobile

CHOICES = 5
"""Decisions of each stage: block, depth, kernel, width, expansion."""
POINT = Sizes({1: 1.0})
"""The kernel of a 1x1 convolution."""


@dataclass(frozen=True)
class Shape:
    """The sizes of one block.

    Attributes:
        given: channels of its input.
        channels: of its output.
        kernel: of the convolution in its middle.
        expansion: between inner and outer channels.
        same: weight of the case that input and output have one shape.
        differ: weight of the other case.
    """

    given: Sizes
    channels: Sizes
    kernel: Sizes
    expansion: Sizes
    same: Weight
    differ: Weight


class ElasticConv(nn.Module):
    """Convolution and normalisation, cut out of the largest.

    Args:
        given: largest number of input channels.
        channels: largest number of output channels.
        kernel: the largest.
        depthwise: each channel by itself.
    """

    def __init__(
        self, given: int, channels: int, kernel: int = 1, *, depthwise: bool = False
    ) -> None:
        super().__init__()
        self.depthwise = depthwise
        self.conv = conv(given, channels, kernel, groups=channels if depthwise else 1)
        self.norm = batch_norm(channels)

    def forward(
        self, x: Tensor, channels: Sizes, norm: Norm, kernel: Sizes = POINT, stride: int = 1
    ) -> Tensor:
        """``[B, given, H, W]`` to ``[B, channels.largest, ...]``, masked by its sizes."""
        read = 1 if self.depthwise else x.shape[1]
        weight = cut_square(self.conv.weight[: channels.largest, :read], kernel)
        y = conv2d(x, weight, stride, groups=len(weight) if self.depthwise else 1)
        return norm(y, [self.norm], channels.mask)


class Block(nn.Module, ABC):
    """A 1x1, a kxk and a 1x1 convolution beside a shortcut.

    Args:
        given, inner, channels: largest numbers of channels at the input, inside, at the output.
        kernel: the largest.
        stride: of the kxk convolution.
        differ: whether input and output may have different shapes.
    """

    depthwise: bool

    def __init__(
        self, given: int, inner: int, channels: int, kernel: int, stride: int, *, differ: bool
    ) -> None:
        super().__init__()
        self.stride = stride
        self.expand = ElasticConv(given, inner)
        self.convolve = ElasticConv(inner, inner, kernel, depthwise=self.depthwise)
        self.project = ElasticConv(inner, channels)

    @staticmethod
    @abstractmethod
    def inner(given: int, channels: int, expansion: int) -> int:
        """Channels of the kxk convolution."""

    @abstractmethod
    def forward(self, x: Tensor, shape: Shape, norm: Norm) -> Tensor:
        """``[B, given, H, W]`` to ``[B, channels, ...]``."""

    def residual(self, x: Tensor, inner: Sizes, shape: Shape, norm: Norm) -> Tensor:
        """The three convolutions."""
        y = functional.relu(self.expand(x, inner, norm))
        y = functional.relu(self.convolve(y, inner, norm, shape.kernel, self.stride))
        return self.project(y, shape.channels, norm)


class ResnetBlock(Block):
    """Narrow, convolve densely, widen; where shapes differ, the shortcut has a convolution."""

    depthwise = False

    def __init__(
        self, given: int, inner: int, channels: int, kernel: int, stride: int, *, differ: bool
    ) -> None:
        super().__init__(given, inner, channels, kernel, stride, differ=differ)
        self.shortcut = ElasticConv(given, channels) if differ else None

    @staticmethod
    def inner(given: int, channels: int, expansion: int) -> int:
        """Fewer than at the output."""
        return max(1, channels // expansion)

    def forward(self, x: Tensor, shape: Shape, norm: Norm) -> Tensor:
        """Both shortcuts are mixed where the shapes may or may not be the same."""
        inner = shape.channels.combine(shape.expansion, lambda c, e: self.inner(0, c, e))
        terms: list[tuple[Tensor, Weight]] = [(self.residual(x, inner, shape, norm), 1.0)]
        if is_possible(shape.same):
            terms.append((identity(x, shape), shape.same))
        if self.shortcut is not None and is_possible(shape.differ):
            y = self.shortcut(x, shape.channels, norm, stride=self.stride)
            terms.append((y, shape.differ))
        return functional.relu(mixed(terms))


class MobilenetBlock(Block):
    """Widen, convolve each channel by itself, narrow; a shortcut where the shape stays."""

    depthwise = True

    @staticmethod
    def inner(given: int, channels: int, expansion: int) -> int:
        """More than at the input."""
        return given * expansion

    def forward(self, x: Tensor, shape: Shape, norm: Norm) -> Tensor:
        """No ReLU at the end."""
        inner = shape.given.combine(shape.expansion, lambda g, e: self.inner(g, 0, e))
        terms: list[tuple[Tensor, Weight]] = [(self.residual(x, inner, shape, norm), 1.0)]
        if is_possible(shape.same):
            terms.append((identity(x, shape), shape.same))
        return mixed(terms)


BLOCKS: dict[str, type[Block]] = {"resnet": ResnetBlock, "mobilenet": MobilenetBlock}


class Stage(nn.Module):
    """As many blocks of each kind as the largest depth; shallower stages leave out the last.

    Args:
        options: of its five decisions.
        given: numbers of channels that its input may have.
        unit: channels of width 1.
        stride: of its first block.
    """

    def __init__(
        self, options: Sequence[tuple], given: Sequence[int], unit: int, stride: int
    ) -> None:
        super().__init__()
        kinds, depths, kernels, widths, expansions = options
        self.unit, self.stride = unit, stride
        self.channels = [self.wide(width) for width in widths]
        inputs = [(given, stride, True)] + [(self.channels, 1, False)] * (max(depths) - 1)
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {kind: self._block(kind, *read, max(kernels), expansions) for kind in kinds}
            )
            for read in inputs
        )

    def wide(self, width: float) -> int:
        """Channels of a width."""
        return max(1, round(width * self.unit))

    def _block(
        self,
        kind: str,
        given: Sequence[int],
        stride: int,
        differ: bool,
        kernel: int,
        expansions: Sequence[int],
    ) -> Block:
        made = BLOCKS[kind]
        inner = (made.inner(g, c, e) for g in given for c in self.channels for e in expansions)
        largest = max(given), max(inner), max(self.channels), kernel
        return made(*largest, stride, differ=differ)

    def forward(
        self, x: Tensor, given: Sizes, rows: Sequence[Row], norm: Norm
    ) -> tuple[Tensor, Sizes]:
        """The weighted sum of the outputs of its depths, and their channels."""
        kind, depth, kernel, width, expansion = rows
        depths, channels = Sizes.of(depth), Sizes.of(width, self.wide)
        halved = self.stride > 1 and max(x.shape[2:]) > 1
        same, differ = (0.0, 1.0) if halved else equal(given, channels)
        shape = Shape(given, channels, Sizes.of(kernel), Sizes.of(expansion), same, differ)
        outputs: list[tuple[Tensor, Weight]] = []
        for i, blocks in enumerate(list(self.blocks.children())[: depths.largest], start=1):
            run = [(blocks.get_submodule(op)(x, shape, norm), w) for op, w in kind.options]
            x = mixed(run)
            if i in depths.weights:
                outputs.append((x, depths.weights[i]))
            shape = Shape(channels, channels, shape.kernel, shape.expansion, 1.0, 0.0)
        return mixed(outputs), channels


class SupernetMobile(Supernet):
    """Stem, stages of blocks, classifier.

    Outputs of the kinds of a block and of the depths of a stage are mixed where they come out.
    Kernels are mixed before, and channels are masked after the normalisation that follows them.
    The first block of a stage sees two widths: the weight that they are the same, and the block
    has a shortcut without parameters, is the sum of the products of their weights.
    """

    def __init__(self, space: Mobile, skeleton: Skeleton) -> None:
        super().__init__(space, skeleton)
        self.stem = ConvNorm(skeleton.in_channels, skeleton.channels, 3)
        self.stages = nn.ModuleList()
        options = [decision.options for decision in space.decisions]
        given: Sequence[int] = [skeleton.channels]
        for i, own in enumerate(in_stages(options)):
            stage = Stage(own, given, skeleton.channels * 2**i, 2 if i else 1)
            self.stages.append(stage)
            given = stage.channels
        self.classifier = ElasticLinear(max(given), skeleton.classes)

    def run(self, x: Tensor, rows: Sequence[Row], norm: Norm) -> Tensor:
        """Logits [B, classes]."""
        x = ConvNorm.together([self.stem], x, None, norm, stride=self.skeleton.stem_stride)
        x, given = functional.relu(x), Sizes({self.skeleton.channels: 1.0})
        for stage, own in zip(self.stages, in_stages(rows), strict=True):
            x, given = stage(x, given, own, norm)
        return self.classifier(x.mean(dim=(2, 3)))


def in_stages(of_all: Sequence) -> list[Sequence]:
    """What belongs to the decisions, stage by stage."""
    return [of_all[i : i + CHOICES] for i in range(0, len(of_all), CHOICES)]


def equal(a: Sizes, b: Sizes) -> tuple[Weight, Weight]:
    """Weights of the cases that two independent choices are the same size, and that they differ."""
    cases: dict[bool, list[Weight]] = {True: [0.0], False: [0.0]}
    for size, weight in a.weights.items():
        for other, other_weight in b.weights.items():
            cases[size == other].append(product([weight, other_weight]))
    return sum(cases[True]), sum(cases[False])


def identity(x: Tensor, shape: Shape) -> Tensor:
    """The input [B, given, H, W] with the channels of the output, masked by its sizes."""
    if shape.given is shape.channels:  # masked already
        return x
    missing = shape.channels.largest - x.shape[1]
    x = functional.pad(x, (0, 0, 0, 0, 0, missing))  # cuts channels off where it is negative
    mask = shape.channels.mask
    return x if mask is None else x * mask[:, None, None]
