"""A cell of a supernet: it runs node by node, each with all the edges that leave it.

A supernet of small networks spends its time starting kernels, and in depthwise convolutions. So
n convolutions of one size that read one node run as one with n times the channels, and their
normalisations as one; and a depthwise convolution with a 1x1 convolution after it runs as one
dense convolution. The results lie side by side, as ``[B, n * C, H, W]``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas_lab.nets.supernets.base import Norm, Row, side_by_side

DENSE_CHANNELS = {1: 16, 2: 64}
"""Up to so many channels, by dilation, one dense convolution is faster than a separable one."""

ParameterFreeOp = Callable[[Tensor], Tensor]
"""An operation without parameters."""


def conv2d(
    x: Tensor, weight: Tensor, stride: int = 1, dilation: int = 1, groups: int = 1
) -> Tensor:
    """Convolution that keeps the size (rounded up after the stride); kernels are odd.

    Where only every second pixel is read, they are taken out first and the rest is a plain
    convolution of a smaller image. That holds for a dilation that is equal to the stride, and for
    every 1x1 kernel: so this also stays clear of the error in oneDNN that
    ``runtime.memory_format`` describes, and channels may always come last.
    """
    height, width = weight.shape[2:]
    if stride > 1 and (stride == dilation or height == width == 1):
        x, stride, dilation = x[:, :, ::stride, ::stride], 1, 1
    padding = (dilation * (height // 2), dilation * (width // 2))
    return functional.conv2d(
        x, weight, stride=stride, padding=padding, dilation=dilation, groups=groups
    )


def conv(given: int, channels: int, kernel: int | tuple[int, int], groups: int = 1) -> nn.Conv2d:
    """The weights of a convolution without bias; ``conv2d`` above does the work."""
    return nn.Conv2d(given, channels, kernel, groups=groups, bias=False)


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Scale and shift of a normalisation; ``Norm`` does the work."""
    return nn.BatchNorm2d(channels, track_running_stats=False)


def avg_pool(x: Tensor, stride: int = 1) -> Tensor:
    """Average over a window of 3x3; padded borders do not count.

    A depthwise convolution adds up faster than torch's pooling does.
    """
    sums = conv2d(x, x.new_ones(x.shape[1], 1, 3, 3), stride, groups=x.shape[1])
    return sums * _share(x.shape[2], x.shape[3], stride, x.dtype, x.device)


@lru_cache(maxsize=64)
def _share(
    height: int, width: int, stride: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """One over the number of pixels in each window of 3x3."""
    pixels = torch.ones(1, 1, height, width, dtype=dtype, device=device)
    return 1 / functional.conv2d(pixels, pixels.new_ones(1, 1, 3, 3), stride=stride, padding=1)


def max_pool(x: Tensor, stride: int = 1) -> Tensor:
    """Largest value of a window of 3x3."""
    return functional.max_pool2d(x, 3, stride, 1)


def identity(x: Tensor) -> Tensor:
    """``x``."""
    return x


class Branch(nn.Module, ABC):
    """An operation on one edge; ``together`` runs those of several edges.

    ``together(branches, x, scales, norm)`` takes the node's output after its ReLU, [B, C, H, W],
    and gives the scaled outputs of n branches side by side.
    """

    @staticmethod
    @abstractmethod
    def together(branches: Sequence, x: Tensor, scales: Tensor | None, norm: Norm) -> Tensor:
        """Outputs of n branches that read one node, [B, n * C, H, W]."""


class ConvNorm(Branch):
    """Convolution and normalisation."""

    def __init__(self, given: int, channels: int, kernel: int) -> None:
        super().__init__()
        self.conv = conv(given, channels, kernel)
        self.norm = batch_norm(channels)

    @staticmethod
    def together(
        branches: Sequence[ConvNorm],
        x: Tensor,
        scales: Tensor | None,
        norm: Norm,
        stride: int = 1,
    ) -> Tensor:
        """One convolution with n times the channels."""
        weight = side_by_side([branch.conv.weight for branch in branches])
        return norm(conv2d(x, weight, stride), [branch.norm for branch in branches], scales)


class Separable(Branch):
    """Depthwise convolution, 1x1 convolution, normalisation."""

    def __init__(self, channels: int, kernel: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.stride, self.dilation = stride, dilation
        self.depthwise = conv(channels, channels, kernel, groups=channels)
        self.pointwise = conv(channels, channels, 1)
        self.norm = batch_norm(channels)

    @staticmethod
    def together(
        branches: Sequence[Separable], x: Tensor, scales: Tensor | None, norm: Norm
    ) -> Tensor:
        """Of one node: the kernels' products as one dense convolution, where that is faster."""
        stride, dilation = branches[0].stride, branches[0].dilation
        if x.shape[1] <= DENSE_CHANNELS[1 if stride == dilation else dilation]:
            weight = side_by_side([branch.product for branch in branches])
            y = conv2d(x, weight, stride, dilation)
        else:
            y = torch.cat([Separable._each([branch], x) for branch in branches], dim=1)
        return norm(y, [branch.norm for branch in branches], scales)

    @staticmethod
    def each_its_own(
        branches: Sequence[Separable], x: Tensor, scales: Tensor | None, norm: Norm
    ) -> Tensor:
        """Of n inputs that lie side by side, [B, n * C, H, W]."""
        y = Separable._each(branches, x)
        return norm(y, [branch.norm for branch in branches], scales)

    @staticmethod
    def _each(branches: Sequence[Separable], x: Tensor) -> Tensor:
        depthwise = side_by_side([branch.depthwise.weight for branch in branches])
        pointwise = side_by_side([branch.pointwise.weight for branch in branches])
        y = conv2d(x, depthwise, branches[0].stride, branches[0].dilation, groups=x.shape[1])
        return conv2d(y, pointwise, groups=len(branches))

    @property
    def product(self) -> Tensor:
        """The kernel of both convolutions at once, [C, C, k, k]."""
        return self.pointwise.weight * self.depthwise.weight.transpose(0, 1)


class SeparableTwice(Branch):
    """``sep_conv``: the separable convolution twice, with a ReLU between."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.first = Separable(channels, kernel, stride)
        self.second = Separable(channels, kernel)

    @staticmethod
    def together(
        branches: Sequence[SeparableTwice], x: Tensor, scales: Tensor | None, norm: Norm
    ) -> Tensor:
        """The first halves read one node; the second ones each its own first half."""
        x = Separable.together([branch.first for branch in branches], x, None, norm)
        seconds = [branch.second for branch in branches]
        return Separable.each_its_own(seconds, functional.relu(x), scales, norm)


class FactorizedReduce(Branch):
    """Half the size: two 1x1 convolutions of every second pixel, one pixel apart."""

    def __init__(self, given: int, channels: int) -> None:
        super().__init__()
        self.conv = conv(given, channels // 2, 1)
        self.conv_2 = conv(given, channels - channels // 2, 1)
        self.norm = batch_norm(channels)

    @staticmethod
    def together(
        branches: Sequence[FactorizedReduce], x: Tensor, scales: Tensor | None, norm: Norm
    ) -> Tensor:
        """One 1x1 convolution of both sets of pixels; each half reads one of them."""
        shifted = functional.pad(x[:, :, 1:, 1:], (0, 1, 0, 1))
        pixels = torch.cat([x[:, :, ::2, ::2], shifted[:, :, ::2, ::2]], dim=1)
        weight = side_by_side([branch.halves for branch in branches])
        return norm(conv2d(pixels, weight), [branch.norm for branch in branches], scales)

    @property
    def halves(self) -> Tensor:
        """Both kernels in one, [C, 2 C, 1, 1], zero where a half does not read."""
        upper = functional.pad(self.conv.weight, (0, 0, 0, 0, 0, self.conv.in_channels))
        lower = functional.pad(self.conv_2.weight, (0, 0, 0, 0, self.conv_2.in_channels, 0))
        return torch.cat([upper, lower])


@dataclass(frozen=True)
class Edge:
    """One edge out of a node.

    Attributes:
        target: the node that it leads to.
        row: the weights of its operations.
        branches: those of its operations that have parameters, by name.
    """

    target: int
    row: Row
    branches: Mapping[str, Branch]


class Sums(dict):
    """Tensors that grow: each is the sum of what is added under its key."""

    def add(self, key: Hashable, term: Tensor) -> None:
        """Add to the sum of ``key``."""
        self[key] = self[key] + term if key in self else term


@dataclass(frozen=True)
class NodeOps:
    """All operations that read one node; their weighted outputs are added to their targets.

    Args:
        x: the node's output, [B, C, H, W].
        edges: edges out of the node, n of them.
        free: operations without parameters, by name.
        norm: normalises.
    """

    x: Tensor
    edges: Sequence[Edge]
    free: Mapping[str, ParameterFreeOp]
    norm: Norm

    def add_to(self, sums: Sums) -> None:
        """Add to the nodes that the edges lead to."""
        if all(edge.row.hard for edge in self.edges):
            self._choose(sums)
        else:
            self._mix(sums)

    def _choose(self, sums: Sums) -> None:
        """One operation for each edge, and no weights."""
        for op, _, using in self._operations():
            if op in self.free:
                y = self.free[op](self.x)
                parts: Sequence[Tensor] = [y] * len(using)
            else:
                parts = self._convolve(op, using, None).chunk(len(using), dim=1)
            for i, part in zip(using, parts, strict=True):
                sums.add(self.edges[i].target, part)

    def _mix(self, sums: Sums) -> None:
        """Outputs that go to the same nodes are added while they lie side by side."""
        columns = torch.stack([edge.row.weights for edge in self.edges]).unbind(1)
        wide, outputs, weights = Sums(), [], []
        for op, token, using in self._operations():
            if op in self.free:
                outputs.append(self.free[op](self.x))
                weights.append(columns[token])
            else:
                scales = columns[token]
                every = len(using) == len(self.edges)
                wide.add(using, self._convolve(op, using, scales if every else scales[list(using)]))
        if outputs:
            wide.add(tuple(range(len(self.edges))), mix(outputs, torch.stack(weights, dim=1)))
        for using, y in wide.items():
            for i, part in zip(using, y.chunk(len(using), dim=1), strict=True):
                sums.add(self.edges[i].target, part)

    def _operations(self) -> Iterator[tuple[str, int, tuple[int, ...]]]:
        """Operations but 'none', with their tokens and the edges that use them."""
        for token, op in enumerate(self.edges[0].row.decision.options):
            using = tuple(i for i, edge in enumerate(self.edges) if token in edge.row.tokens)
            if using and op != "none":
                yield op, token, using

    def _convolve(self, op: str, using: Sequence[int], scales: Tensor | None) -> Tensor:
        branches = [self.edges[i].branches[op] for i in using]
        return branches[0].together(branches, self._activated, scales, self.norm)

    @cached_property
    def _activated(self) -> Tensor:
        return functional.relu(self.x)


def mix(outputs: Sequence[Tensor], weights: Tensor) -> Tensor:
    """Weighted sums of m outputs, one for each of n edges, as one product of matrices.

    Args:
        outputs: m tensors [B, C, H, W].
        weights: [n, m].

    Returns:
        The sums side by side, [B, n * C, H, W].
    """
    pixels = torch.stack([y.permute(0, 2, 3, 1) for y in outputs])
    sums = (weights @ pixels.flatten(1)).unflatten(1, pixels.shape[1:])
    return torch.cat(sums.permute(0, 1, 4, 2, 3).unbind(), dim=1)


class Cell(nn.Module, ABC):
    """All operations on all edges.

    Args:
        edges: pairs of nodes, the earlier one first.
        operations: their names.
        outputs: the nodes that the cell gives; edges that lead to none of them are not run.
    """

    def __init__(
        self,
        edges: Sequence[tuple[int, int]],
        operations: Sequence[str],
        outputs: Sequence[int],
    ) -> None:
        super().__init__()
        self.edges, self.outputs = tuple(edges), tuple(outputs)
        for source, node in edges:
            made = {op: self.branch(op, source) for op in operations}
            branches = {op: branch for op, branch in made.items() if branch is not None}
            self.add_module(f"edge_{source}{node}", nn.ModuleDict(branches))

    @abstractmethod
    def branch(self, op: str, source: int) -> Branch | None:
        """An operation with parameters, on an edge out of ``source``; None for other operations."""

    @abstractmethod
    def free(self, source: int) -> dict[str, ParameterFreeOp]:
        """Operations without parameters on edges out of ``source``, but 'none'."""

    @abstractmethod
    def zeros(self, nodes: dict[int, Tensor]) -> Tensor:
        """A node without edges."""

    def nodes(self, given: Sequence[Tensor], rows: Sequence[Row], norm: Norm) -> list[Tensor]:
        """The output nodes, out of the first nodes."""
        nodes = dict(enumerate(given))
        sums = Sums()
        needed = self._needed(rows)
        for source in range(max(self.outputs)):
            if source not in nodes and needed:
                nodes[source] = sums[source] if source in sums else self.zeros(nodes)
            edges = [edge for start, edge in needed if start == source]
            if edges:
                NodeOps(nodes[source], edges, self.free(source), norm).add_to(sums)
        return [sums[node] if node in sums else self.zeros(nodes) for node in self.outputs]

    def _needed(self, rows: Sequence[Row]) -> list[tuple[int, Edge]]:
        """Edges with an operation, and a path to an output; each with the node it leaves."""
        reaching, needed = set(self.outputs), []
        for (source, node), row in zip(reversed(self.edges), reversed(rows), strict=True):
            used = [row.decision.options[token] for token in row.tokens]
            if node in reaching and used != ["none"]:
                reaching.add(source)
                branches: Any = self.get_submodule(f"edge_{source}{node}")
                needed.append((source, Edge(node, row, branches)))
        return needed[::-1]
