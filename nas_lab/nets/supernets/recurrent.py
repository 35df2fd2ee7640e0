"""The supernet of recurrent networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nas_lab.nets.ops import RowByRow
from nas_lab.nets.supernets.base import Norm, Row, Supernet
from nas_lab.nets.supernets.elastic import ElasticLinear, Sizes, mixed
from nas_lab.spaces.base import Skeleton
from nas_lab.spaces.chains import RecurrentChain
from nas_lab.spaces.network import GATES

RUN: dict[str, Any] = {"rnn": torch.rnn_tanh, "gru": torch.gru, "lstm": torch.lstm}
"""The kernel of each cell type."""


class ElasticRecurrent(nn.Module):
    """Recurrent layers of one cell type, of which the first layers and units are used.

    Where there are several sizes, units are masked as a matrix reads them: in the matrix, so all
    steps still run in one kernel.
    """

    def __init__(self, cell: str, given: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.cell = cell
        self.layers = RowByRow.CELLS[cell](given, hidden, layers)

    def forward(self, steps: Tensor, hidden: Sizes, layers: int) -> Tensor:
        """``[B, steps, given]`` to the states after the last step, [layers, B, hidden]."""
        zeros = steps.new_zeros(layers, len(steps), hidden.largest)
        start = (zeros, zeros) if self.cell == "lstm" else zeros
        weights = [weight for layer in range(layers) for weight in self._first(layer, hidden)]
        _, last, *_ = RUN[self.cell](steps, start, weights, True, layers, 0.0, False, False, True)
        return hidden.masked(last)

    def _first(self, layer: int, hidden: Sizes) -> list[Tensor]:
        """The matrices and biases of a layer's first units, in torch's order."""
        of_input, of_state, *biases = (
            weight.unflatten(0, (GATES[self.cell], -1))[:, : hidden.largest]
            for weight in self.layers.all_weights[layer]
        )
        of_state = hidden.masked(of_state[..., : hidden.largest])
        if layer:
            of_input = hidden.masked(of_input[..., : hidden.largest])
        return [weight.flatten(0, 1) for weight in (of_input, of_state, *biases)]


class SupernetRecurrent(Supernet):
    """Each cell type, with a classifier for each number of layers.

    Cell types are mixed by their last states, numbers of layers by their logits.
    """

    def __init__(self, space: RecurrentChain, skeleton: Skeleton) -> None:
        super().__init__(space, skeleton)
        cells, hidden, layers = (decision.options for decision in space.decisions)
        given, largest = skeleton.in_channels * skeleton.resolution, (max(hidden), max(layers))
        self.cells = nn.ModuleDict(
            {cell: ElasticRecurrent(cell, given, *largest) for cell in cells}
        )
        self.classifiers = nn.ModuleDict(
            {str(n): ElasticLinear(max(hidden), skeleton.classes) for n in layers}
        )

    def run(self, x: Tensor, rows: Sequence[Row], norm: Norm) -> Tensor:
        """Logits [B, classes]; an image is read row by row."""
        cells, hidden, layers = rows[0].options, Sizes.of(rows[1]), Sizes.of(rows[2])
        steps = x.permute(0, 2, 1, 3).flatten(2)
        run = [(self.cells[cell](steps, hidden, layers.largest), weight) for cell, weight in cells]
        last = mixed(run)
        return mixed(
            [
                (self.classifiers[str(n)](last[n - 1]), weight)
                for n, weight in layers.weights.items()
            ]
        )
