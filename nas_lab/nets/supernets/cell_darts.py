"""The supernet of DARTS."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas_lab.nets.supernets.base import Norm, Row, Supernet
from nas_lab.nets.supernets.cells import (
    Branch,
    Cell,
    ConvNorm,
    FactorizedReduce,
    ParameterFreeOp,
    Separable,
    SeparableTwice,
    avg_pool,
    identity,
    max_pool,
)
from nas_lab.spaces.base import Skeleton
from nas_lab.spaces.cells import EDGES_DARTS, NODES_DARTS, OPERATIONS_DARTS, Darts

NODES = tuple(range(2, 2 + NODES_DARTS))


class CellDarts(Cell):
    """Two inputs, four nodes; the output is the four nodes, one after the other.

    Args:
        given: channels of the outputs of the two cells before.
        channels: channels of a node.
        reduced: whether the cell before halved the size, so that the one before it is too large.
        reduction: whether this cell does.
    """

    def __init__(
        self, given: tuple[int, int], channels: int, *, reduced: bool, reduction: bool
    ) -> None:
        self.channels, self.stride = channels, 2 if reduction else 1
        super().__init__(EDGES_DARTS, OPERATIONS_DARTS, outputs=NODES)
        read_0 = FactorizedReduce if reduced else partial(ConvNorm, kernel=1)
        self.read_0: Branch = read_0(given[0], channels)
        self.read_1 = ConvNorm(given[1], channels, 1)

    def branch(self, op: str, source: int) -> Branch | None:
        """Separable and dilated convolutions; in a reduction the skip too has parameters."""
        stride = self._stride(source)
        if op.startswith("sep_conv"):
            return SeparableTwice(self.channels, int(op[-1]), stride)
        if op.startswith("dil_conv"):
            return Separable(self.channels, int(op[-1]), stride, dilation=2)
        if op == "skip_connect" and stride > 1:
            return FactorizedReduce(self.channels, self.channels)
        return None

    def free(self, source: int) -> dict[str, ParameterFreeOp]:
        """Pooling, and the skip where it keeps the size."""
        stride = self._stride(source)
        pools: dict[str, ParameterFreeOp] = {
            "max_pool_3x3": partial(max_pool, stride=stride),
            "avg_pool_3x3": partial(avg_pool, stride=stride),
        }
        return pools if stride > 1 else {**pools, "skip_connect": identity}

    def _stride(self, source: int) -> int:
        return self.stride if source < 2 else 1

    def zeros(self, nodes: dict[int, Tensor]) -> Tensor:
        """In the shape of a node."""
        x = nodes[0][:, :, :: self.stride, :: self.stride]
        return torch.zeros_like(x)

    def forward(self, before: Tensor, last: Tensor, rows: Sequence[Row], norm: Norm) -> Tensor:
        """The outputs of the two cells before, after their ReLU, to that of this one."""
        states = (
            self.read_0.together([self.read_0], before, None, norm),
            self.read_1.together([self.read_1], last, None, norm),
        )
        return torch.cat(self.nodes(states, rows, norm), dim=1)


class SupernetDarts(Supernet):
    """Stem, cells with reductions at a third and two thirds, classifier."""

    def __init__(self, space: Darts, skeleton: Skeleton) -> None:
        super().__init__(space, skeleton)
        channels, reduced = skeleton.channels, False
        self.stem = ConvNorm(skeleton.in_channels, 3 * channels, 3)
        self.cells = nn.ModuleList()
        given = (3 * channels, 3 * channels)
        for i in range(skeleton.cells):
            reduction = i in (skeleton.cells // 3, 2 * skeleton.cells // 3)
            channels *= 2 if reduction else 1
            self.cells.append(CellDarts(given, channels, reduced=reduced, reduction=reduction))
            given, reduced = (given[1], NODES_DARTS * channels), reduction
        self.classifier = nn.Linear(given[1], skeleton.classes)

    def run(self, x: Tensor, rows: Sequence[Row], norm: Norm) -> Tensor:
        """Logits [B, classes]; rows of the normal cell come first, then of the reduction cell."""
        stem = ConvNorm.together([self.stem], x, None, norm, stride=self.skeleton.stem_stride)
        half = len(EDGES_DARTS)
        before = now = functional.relu(stem)  # each is read by two cells
        last = stem
        for cell in self.cells.children():
            chosen = rows[half:] if cell.stride == 2 else rows[:half]
            last = cell(before, now, chosen, norm)
            before, now = now, functional.relu(last)
        return self.classifier(last.mean(dim=(2, 3)))
