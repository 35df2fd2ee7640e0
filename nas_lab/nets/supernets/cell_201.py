"""The supernet of NAS-Bench-201."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas_lab.nets.supernets.base import Norm, Row, Supernet
from nas_lab.nets.supernets.cells import (
    Cell,
    ConvNorm,
    ParameterFreeOp,
    avg_pool,
    batch_norm,
    conv,
    conv2d,
    identity,
)
from nas_lab.spaces.base import Skeleton
from nas_lab.spaces.cells import EDGES_201, OPERATIONS_201, NasBench201

KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


class Cell201(Cell):
    """Four nodes; node 3 is the output."""

    def __init__(self, channels: int) -> None:
        self.channels = channels
        super().__init__(EDGES_201, OPERATIONS_201, outputs=(3,))

    def branch(self, op: str, source: int) -> ConvNorm | None:
        """The two convolutions."""
        return ConvNorm(self.channels, self.channels, KERNELS[op]) if op in KERNELS else None

    def free(self, source: int) -> dict[str, ParameterFreeOp]:
        """Skip and pooling."""
        return {"skip_connect": identity, "avg_pool_3x3": avg_pool}

    def zeros(self, nodes: dict[int, Tensor]) -> Tensor:
        """In the shape of the input."""
        return torch.zeros_like(nodes[0])

    def forward(self, x: Tensor, rows: Sequence[Row], norm: Norm) -> Tensor:
        """``[B, C, H, W]`` to the same shape."""
        return self.nodes([x], rows, norm)[0]


class Residual(nn.Module):
    """Two convolutions of 3x3, the first with stride 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvNorm(channels // 2, channels, 3)
        self.second = ConvNorm(channels, channels, 3)

    def forward(self, x: Tensor, norm: Norm) -> Tensor:
        """``[B, C / 2, H, W]`` to ``[B, C, H / 2, W / 2]``."""
        y = ConvNorm.together([self.first], functional.relu(x), None, norm, stride=2)
        return ConvNorm.together([self.second], functional.relu(y), None, norm)


class Reduction(nn.Module):
    """The block between stages: the residual beside an average and a 1x1 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.residual = Residual(channels)
        self.shortcut = conv(channels // 2, channels, 1)

    def forward(self, x: Tensor, norm: Norm) -> Tensor:
        """``[B, C / 2, H, W]`` to ``[B, C, H / 2, W / 2]``."""
        average = functional.avg_pool2d(x, 2, 2, ceil_mode=True, count_include_pad=False)
        return self.residual(x, norm) + conv2d(average, self.shortcut.weight)


class Supernet201(Supernet):
    """Stem, stages of cells with a reduction between them, classifier."""

    def __init__(self, space: NasBench201, skeleton: Skeleton) -> None:
        super().__init__(space, skeleton)
        channels = skeleton.channels
        self.stem = ConvNorm(skeleton.in_channels, channels, 3)
        self.stages, self.reductions = nn.ModuleList(), nn.ModuleList()
        for stage in range(skeleton.stages):
            if stage:
                channels *= 2
                self.reductions.append(Reduction(channels))
            cells = (Cell201(channels) for _ in range(skeleton.cells))
            self.stages.append(nn.ModuleList(cells))
        self.head = batch_norm(channels)
        self.classifier = nn.Linear(channels, skeleton.classes)

    def run(self, x: Tensor, rows: Sequence[Row], norm: Norm) -> Tensor:
        """Logits [B, classes]; all cells read the same rows."""
        x = ConvNorm.together([self.stem], x, None, norm, stride=self.skeleton.stem_stride)
        for i, stage in enumerate(self.stages):
            if i:
                x = self.reductions[i - 1](x, norm)
            for cell in stage.children():
                x = cell(x, rows, norm)
        x = functional.relu(norm(x, [self.head]))
        return self.classifier(x.mean(dim=(2, 3)))
