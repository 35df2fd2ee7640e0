"""The supernet of dense networks."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from nas_lab.nets.supernets.base import Norm, Row, Supernet
from nas_lab.nets.supernets.elastic import ElasticLinear, Sizes, mixed
from nas_lab.spaces.base import Skeleton
from nas_lab.spaces.chains import DenseChain


class SupernetDense(Supernet):
    """Layers of the largest number of hidden outputs, of which the first are used.

    Each depth has a classifier of its own; the logits of several depths are mixed.
    """

    def __init__(self, space: DenseChain, skeleton: Skeleton) -> None:
        super().__init__(space, skeleton)
        self.layers, self.classifiers = nn.ModuleList(), nn.ModuleDict()
        channels, height, width = skeleton.image
        given = channels * height * width
        depths, *widths = (decision.options for decision in space.decisions)
        for depth, hidden in enumerate(map(max, widths), start=1):
            self.layers.append(ElasticLinear(given, hidden))
            if depth in depths:
                self.classifiers[str(depth)] = ElasticLinear(hidden, skeleton.classes)
            given = hidden

    def run(self, x: Tensor, rows: Sequence[Row], norm: Norm) -> Tensor:
        """Logits [B, classes]; layers beyond the depth are not run."""
        depths = Sizes.of(rows[0])
        x = x.flatten(1)
        logits = []
        layers = zip(self.layers, rows[1 : 1 + depths.largest], strict=False)
        for depth, (layer, row) in enumerate(layers, start=1):
            hidden = Sizes.of(row)
            x = functional.relu(hidden.masked(layer(x, hidden.largest)))
            if depth in depths.weights:
                logits.append((self.classifiers[str(depth)](x), depths.weights[depth]))
        return mixed(logits)
