"""Supernets: one network that contains all networks of a space, with shared weights.

    net = supernet(space, skeleton)
    net(images, w)                         # w[D, K]: one-hot rows choose, soft rows mix

A node of a cell is the sum over its edges of ``sum_k w_k o_k(x)``. Where a row of w is one-hot,
only the chosen operation runs.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.func import functional_call
from torch.nn import functional
from torch.optim import SGD, AdamW, Optimizer

from nas_lab import runtime
from nas_lab.checks import whole_number
from nas_lab.nets.modules import assemble, initialize
from nas_lab.spaces.base import Arch, Skeleton, Space
from nas_lab.spaces.cells import Darts, NasBench201
from nas_lab.spaces.chains import Transformer, TransformerBlocks

Row: TypeAlias = "Mapping[str, float | Tensor]"
"""A decision: weights of the options that have one; 1.0 where nothing has to be multiplied."""

DENSE_CHANNELS = {1: 16, 2: 64}
"""Up to so many channels, by dilation, a dense convolution is faster than a separable one."""


class Supernet(nn.Module):
    """All networks of a space in one, with shared weights.

    Called as ``net(x, w)``. ``w[D, K]`` has a row for each of D decisions: the weights of its K
    options at most. A one-hot row runs the chosen option alone; other rows mix the outputs of all
    options whose weight is not zero. Gradients reach these weights.

    A normalisation takes its mean and variance from the batch, in evaluation too: a moving average
    over steps would mix architectures. ``calibrated`` gives a copy that keeps those of one.
    """

    rates = (0.1, 0.9, 5e-4, 5.0)
    """How it is best trained: learning rate, momentum, weight decay, longest gradient."""

    def __init__(self, space: Space, skeleton: Skeleton) -> None:
        super().__init__()
        self.space, self.skeleton = space, skeleton

    def optimiser(self, rate: float, momentum: float, decay: float) -> Optimizer:
        """The optimiser of the weights that learn: Nesterov's momentum."""
        return sgd(self._learning(), rate, momentum, decay, nesterov=True)

    def _learning(self) -> list[Tensor]:
        return [weight for weight in self.parameters() if weight.requires_grad]

    def without_scales(self) -> Supernet:
        """Itself; normalisations no longer learn a scale and a shift."""
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.requires_grad_(False)
        return self

    def one_hot(self, arch: Arch) -> Tensor:
        """The w of an architecture, where the network's parameters are."""
        return torch.from_numpy(self.space.one_hot(arch)).to(runtime.device_of(self))

    def rows(self, w: Tensor) -> list[Row]:
        """Read ``w``, or say what is wrong with it."""
        mask, decisions = self.space.mask, self.space.decisions
        if not (isinstance(w, Tensor) and w.is_floating_point()):
            raise TypeError(f"w is a tensor of floats of shape {mask.shape}, not {w!r}")
        if w.shape != mask.shape:
            raise ValueError(
                f"{self.space.name} takes w of shape {mask.shape}, not {tuple(w.shape)}"
            )
        values = w.detach().cpu().numpy()
        used = values != 0
        for bad, what in (
            ((used & ~mask).any(axis=1), "has a weight for an option that does not exist"),
            (~used.any(axis=1), "has no weight at all"),
        ):
            if bad.any():
                raise ValueError(f"the row of {decisions[int(bad.argmax())].name} in w {what}")
        chosen = (used.sum(axis=1) == 1) & (values.max(axis=1) == 1) & (not w.requires_grad)
        return [
            {d.options[k]: 1.0 if one else row[k] for k in np.flatnonzero(has).tolist()}
            for d, row, has, one in zip(decisions, w.unbind(), used, chosen, strict=True)
        ]


def sgd(weights: Iterable[Tensor], rate: float, momentum: float, decay: float, **more: Any) -> SGD:
    """Gradient descent with momentum that begins at zero for all weights.
    torch begins it with a weight's first gradient, which those off the first path do not have."""
    optimiser = SGD(weights, rate, momentum, 0.0, decay, fused=True, **more)
    for weight in optimiser.param_groups[0]["params"]:
        optimiser.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
    return optimiser


@torch.no_grad()
def calibrated(
    net: Supernet, passes: Iterable[tuple[Tensor, Tensor]], twin: Supernet | None = None
) -> Supernet:
    """A twin in evaluation mode, whose normalisations have the mean statistics of some passes.
    A pass is images and a one-hot w. With one it evaluates as a network that stands alone does.
    The twin shares the weights of ``net``; an earlier one may be given, to be used again."""
    net = twin or copy.deepcopy(net, {id(weight): weight for weight in net.parameters()})
    net.train()
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for module in norms:
        module.track_running_stats, module.momentum = True, None  # a cumulative average
        module.running_mean = torch.zeros_like(module.weight)
        module.running_var = torch.ones_like(module.weight)
        module.num_batches_tracked = torch.tensor(0)
    for images, w in passes if norms else ():  # a layer norm keeps no statistics
        net(images, w)
    return net.eval()


def conv(
    given: int, channels: int, kernel: int, stride: int = 1, dilation: int = 1, groups: int = 1
) -> nn.Conv2d:
    """Convolution that keeps the size, rounded up after the stride; kernels are odd."""
    padding = dilation * (kernel // 2)
    return nn.Conv2d(given, channels, kernel, stride, padding, dilation, groups, bias=False)


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Normalisation by the statistics of the batch."""
    return nn.BatchNorm2d(channels, track_running_stats=False)


class ConvNorm(nn.Sequential):
    """``[B, given, H, W]`` to ``[B, channels, H / stride, W / stride]``, normalised."""

    def __init__(self, given: int, channels: int, kernel: int, stride: int = 1) -> None:
        layers = {"conv": conv(given, channels, kernel, stride), "norm": batch_norm(channels)}
        super().__init__(OrderedDict(layers))


class FactorizedReduce(nn.Module):
    """Half the size: two 1x1 convolutions of every second pixel, one pixel apart."""

    def __init__(self, given: int, channels: int) -> None:
        super().__init__()
        self.conv = conv(given, channels // 2, 1)
        self.conv_2 = conv(given, channels - channels // 2, 1)
        self.norm = batch_norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, given, H, W]`` to ``[B, channels, H / 2, W / 2]``."""
        shifted = functional.pad(x[:, :, 1:, 1:], (0, 1, 0, 1))
        halves = self.conv(x[:, :, ::2, ::2]), self.conv_2(shifted[:, :, ::2, ::2])
        return self.norm(torch.cat(halves, dim=1))


class AvgPool(nn.Module):
    """Average over a window of 3x3; padded borders do not count.
    A depthwise convolution adds up faster than torch's pooling does."""

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` to ``[B, C, H / stride, W / stride]``."""
        window = x.new_ones(x.shape[1], 1, 3, 3)
        sums = functional.conv2d(x, window, None, self.stride, 1, groups=x.shape[1])
        one = torch.ones_like(x[:1, :1])
        return sums / functional.conv2d(one, window[:1], None, self.stride, 1)


class Separable(nn.Module):
    """Depthwise convolution, 1x1 convolution, normalisation."""

    def __init__(self, channels: int, kernel: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.every = stride if stride == dilation else 1  # other pixels are not read at all
        stride, dilation = stride // self.every, dilation // self.every
        self.depthwise = conv(channels, channels, kernel, stride, dilation, groups=channels)
        self.pointwise = conv(channels, channels, 1)
        self.norm = batch_norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` to ``[B, C, H / stride, W / stride]``."""
        return self.norm(Separable.convolve([self], x))

    @staticmethod
    def convolve(ops: Sequence[Separable], x: Tensor) -> Tensor:
        """Both convolutions of n of them that read one ``x``, side by side: [B, n * C, H, W].
        A small network spends its time starting kernels, and in depthwise convolutions; there all
        run as one convolution, which is dense."""
        like, every = ops[0].depthwise, ops[0].every
        x = x[:, :, ::every, ::every]
        if x.shape[1] > DENSE_CHANNELS[like.dilation[0]]:
            return torch.cat([op.pointwise(op.depthwise(x)) for op in ops], dim=1)
        kernels = (op.pointwise.weight * op.depthwise.weight.transpose(0, 1) for op in ops)
        kernel = torch.cat([*kernels])
        return functional.conv2d(x, kernel, None, like.stride, like.padding, like.dilation)

    @staticmethod
    def together(ops: Sequence[Separable], x: Tensor, weights: Tensor) -> Tensor:
        """Outputs of n of them that read one ``x``, times their weights, side by side."""
        return _weighted_norm(ops, Separable.convolve(ops, x), weights)


def _weighted_norm(ops: Sequence[Separable], y: Tensor, weights: Tensor) -> Tensor:
    """Normalise n outputs that lie side by side; their weights go into its scale and shift."""
    weights = weights.repeat_interleave(y.shape[1] // len(ops))
    scale, shift = (torch.cat([getattr(op.norm, p) for op in ops]) for p in ("weight", "bias"))
    return functional.batch_norm(y, None, None, weights * scale, weights * shift, training=True)


class SeparableTwice(nn.Module):
    """``sep_conv``: the separable convolution twice, with a ReLU between."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.first = Separable(channels, kernel, stride)
        self.second = Separable(channels, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` to ``[B, C, H / stride, W / stride]``."""
        return self.second(functional.relu(self.first(x)))

    @staticmethod
    def together(ops: Sequence[SeparableTwice], x: Tensor, weights: Tensor) -> Tensor:
        """The first halves read one ``x``; the second ones each its own first half."""
        firsts, seconds = [op.first for op in ops], [op.second for op in ops]
        x = functional.relu(Separable.together(firsts, x, torch.ones_like(weights)))
        depthwise = torch.cat([op.depthwise.weight for op in seconds])
        pointwise = torch.cat([op.pointwise.weight for op in seconds])
        padding = seconds[0].depthwise.padding
        y = functional.conv2d(x, depthwise, padding=padding, groups=x.shape[1])
        return _weighted_norm(seconds, functional.conv2d(y, pointwise, groups=len(ops)), weights)


def operation(op: str, channels: int, stride: int) -> nn.Module:
    """One operation on an edge of either cell; channels stay."""
    if op == "skip_connect":
        return FactorizedReduce(channels, channels) if stride > 1 else nn.Identity()
    if op == "avg_pool_3x3":
        return AvgPool(stride)
    if op == "max_pool_3x3":
        return nn.MaxPool2d(3, stride, 1)
    kernel = int(op[-1])
    if op.startswith("nor_conv"):
        return ConvNorm(channels, channels, kernel)
    if op.startswith("dil_conv"):
        return Separable(channels, kernel, stride, dilation=2)
    return SeparableTwice(channels, kernel, stride)


def weighted(ops: Sequence[nn.Module], x: Tensor, weights: list[Any]) -> Sequence[Tensor]:
    """``w o(x)`` for one operation on n edges that leave one node.
    An operation without parameters runs once. Separable convolutions of a mixture run together,
    without which a step of DARTS takes a third longer."""
    first: Any = ops[0]
    if next(first.parameters(), None) is None:
        results = [first(x)] * len(ops)
    elif isinstance(first, Separable | SeparableTwice) and all(map(torch.is_tensor, weights)):
        joint: Any = first.together
        return joint(ops, functional.relu(x), torch.stack(weights)).chunk(len(ops), dim=1)
    else:
        x = functional.relu(x)
        results = [op(x) for op in ops]
    pairs = zip(weights, results, strict=True)
    return [y if isinstance(weight, float) else weight * y for weight, y in pairs]


class Cell(nn.Module):
    """All operations on all edges of a space's first cell.
    It gives the nodes ``outputs``, one after the other; edges that lead to none of them are not
    run. ``stride`` is 2 where the nodes have half the size of the inputs."""

    def __init__(
        self, space: Space, channels: int, outputs: Sequence[int] = (3,), stride: int = 1
    ) -> None:
        super().__init__()
        self.outputs, self.stride = outputs, stride
        self.edges = [edge for edge in space.edges if edge[1] <= outputs[-1]]
        self.operations = [op for op in space.decisions[0].options if op != "none"]
        for source, node in self.edges:
            every = stride if source < 2 else 1
            made = {op: operation(op, channels, every) for op in self.operations}
            self.add_module(f"edge_{source}{node}", nn.ModuleDict(made))

    def forward(self, *inputs_and_rows: Any) -> Tensor:
        """The first nodes to the outputs; a node is the sum over its edges of ``sum_k w_k o_k``."""
        *inputs, rows = inputs_and_rows
        nodes, zeros = dict(enumerate(inputs)), inputs[0][:, :, :: self.stride, :: self.stride]
        for source, leaving in enumerate(self._leaving(rows)):
            x = nodes[source] if source in nodes else torch.zeros_like(zeros)
            for op in self.operations:
                weights = {target: row[op] for target, row in leaving.items() if op in row}
                if weights:
                    edges: list[Any] = [self.get_submodule(f"edge_{source}{t}") for t in weights]
                    terms = weighted([edge[op] for edge in edges], x, list(weights.values()))
                    for target, term in zip(weights, terms, strict=True):
                        nodes[target] = nodes[target] + term if target in nodes else term
        outputs = [nodes[n] if n in nodes else torch.zeros_like(zeros) for n in self.outputs]
        return torch.cat(outputs, dim=1) if len(outputs) > 1 else outputs[0]

    def _leaving(self, rows: Sequence[Row]) -> list[dict[int, Row]]:
        """For each node the edges out of it, by target, that have a path to an output."""
        reaching = set(self.outputs)
        leaving: list[dict[int, Row]] = [{} for _ in range(max(self.outputs))]
        for (source, target), row in zip(reversed(self.edges), reversed(rows), strict=True):
            if target in reaching and set(row) != {"none"}:
                reaching.add(source)
                leaving[source][target] = row
        return leaving


class CellDarts(Cell):
    """Two inputs, the outputs of the two cells before with ``given`` channels, and four nodes.
    Where the cell before ``reduced`` the size, the one before it is too large."""

    def __init__(
        self, space: Space, given: tuple[int, int], channels: int, reduced: bool, reduction: bool
    ) -> None:
        super().__init__(space, channels, outputs=(2, 3, 4, 5), stride=2 if reduction else 1)
        read_0: Any = FactorizedReduce if reduced else partial(ConvNorm, kernel=1)
        self.read_0 = read_0(given[0], channels)
        self.read_1 = ConvNorm(given[1], channels, 1)

    def forward(self, *inputs_and_rows: Any) -> Tensor:
        """The outputs of the two cells before, after their ReLU, to that of this one."""
        before, last, rows = inputs_and_rows
        return super().forward(self.read_0(before), self.read_1(last), rows)


class Reduction(nn.Module):
    """Between stages: two 3x3 convolutions, the first with stride 2, beside an average."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvNorm(channels // 2, channels, 3, stride=2)
        self.second = ConvNorm(channels, channels, 3)
        self.shortcut = conv(channels // 2, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C / 2, H, W]`` to ``[B, C, H / 2, W / 2]``."""
        average = functional.avg_pool2d(x, 2, 2, ceil_mode=True, count_include_pad=False)
        residual = self.second(functional.relu(self.first(functional.relu(x))))
        return residual + self.shortcut(average)


class Supernet201(Supernet):
    """NAS-Bench-201: stem, stages of cells with a reduction between them, classifier."""

    def __init__(self, space: Space, skeleton: Skeleton) -> None:
        super().__init__(space, skeleton)
        channels = skeleton.channels
        self.stem = ConvNorm(skeleton.in_channels, channels, 3, skeleton.stem_stride)
        self.stages, self.reductions = nn.ModuleList(), nn.ModuleList()
        for stage in range(skeleton.stages):
            if stage:
                channels *= 2
                self.reductions.append(Reduction(channels))
            cells = (Cell(space, channels) for _ in range(skeleton.cells))
            self.stages.append(nn.ModuleList(cells))
        self.head = batch_norm(channels)
        self.classifier = nn.Linear(channels, skeleton.classes)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Images [B, in_channels, resolution, resolution] to logits [B, classes]."""
        rows, x = self.rows(w), self.stem(x)  # all cells read the same rows
        for i, stage in enumerate(self.stages):
            if i:
                x = self.reductions[i - 1](x)
            for cell in stage.children():
                x = cell(x, rows)
        return self.classifier(functional.relu(self.head(x)).mean(dim=(2, 3)))


class SupernetDarts(Supernet):
    """DARTS: stem, cells with reductions at a third and two thirds, classifier."""

    def __init__(self, space: Space, skeleton: Skeleton) -> None:
        super().__init__(space, skeleton)
        channels, reduced = skeleton.channels, False
        self.stem = ConvNorm(skeleton.in_channels, 3 * channels, 3, skeleton.stem_stride)
        self.cells = nn.ModuleList()
        given = (3 * channels, 3 * channels)
        for i in range(skeleton.cells):
            reduction = i in (skeleton.cells // 3, 2 * skeleton.cells // 3)
            channels *= 2 if reduction else 1
            self.cells.append(CellDarts(space, given, channels, reduced, reduction))
            given, reduced = (given[1], 4 * channels), reduction
        self.classifier = nn.Linear(given[1], skeleton.classes)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Images [B, in_channels, resolution, resolution] to logits [B, classes]."""
        rows, last = self.rows(w), self.stem(x)
        half = len(rows) // 2  # those of the normal cell come first
        before = now = functional.relu(last)  # each is read by two cells
        for cell in self.cells.children():
            last = cell(before, now, rows[half:] if cell.stride == 2 else rows[:half])
            before, now = now, functional.relu(last)
        return self.classifier(last.mean(dim=(2, 3)))


@lru_cache(256)
def _structure(space: Transformer, arch: Arch, skeleton: Skeleton) -> fx.GraphModule:
    """A network without parameters of its own."""
    with torch.device("meta"):
        return assemble(space.network(arch, skeleton))


class SupernetTransformer(Supernet):
    """Weight entanglement (Chen et al. 2021, arXiv:2107.00651, section 3.2): the largest network.
    Every other one is a slice of it: of each matrix the first rows and columns, as many as its own
    would have. The rows of a head stand together, so fewer heads are the first ones. Slices share
    weights, so rows of w have to be one-hot. They are trained by AdamW, as transformers are."""

    space: Transformer
    rates = (0.003, 0.9, 0.05, 1.0)

    def __init__(self, space: Transformer, skeleton: Skeleton) -> None:
        super().__init__(space, skeleton)
        self.largest = assemble(space.network(space.largest, skeleton))

    def optimiser(self, rate: float, momentum: float, decay: float) -> Optimizer:
        """AdamW (Loshchilov and Hutter 2019); ``momentum`` is that of the gradient."""
        betas = (momentum, 0.999)
        return AdamW(self._learning(), rate, betas, weight_decay=decay, fused=True)

    def weights(self, arch: Arch) -> dict[str, Tensor]:
        """Parameters of an architecture, by their names in its own network: views."""
        net = _structure(self.space, arch, self.skeleton)
        mine = self.largest.get_parameter
        shapes = {name: weight.shape for name, weight in net.named_parameters()}
        return {name: mine(name)[tuple(map(slice, shape))] for name, shape in shapes.items()}

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Images [B, in_channels, resolution, resolution] to logits [B, classes]."""
        if any(isinstance(weight, Tensor) for row in self.rows(w) for weight in row.values()):
            raise ValueError("slices of a matrix are not mixed: every row of w has to be one-hot")
        arch = tuple(w.argmax(dim=1).tolist())
        net = _structure(self.space, arch, self.skeleton)
        return functional_call(net, self.weights(arch), (x,))


FAMILIES: dict[type[Space], Any] = {
    NasBench201: Supernet201,
    Darts: SupernetDarts,
    Transformer: SupernetTransformer,
    TransformerBlocks: SupernetTransformer,
}
"""From the kind of a space to its supernet."""


def supernet(space: Space, skeleton: Skeleton, seed: int = 0) -> Supernet:
    """The network that contains all networks of a space, called as ``net(images, w)``.
    Its parameters are drawn from the seed; the global generator is left alone."""
    family = FAMILIES.get(type(space))
    if family is None:
        names = ", ".join(kind.__name__ for kind in FAMILIES)
        raise TypeError(f"there is no supernet of {type(space).__name__}; there are for {names}")
    generator = runtime.generator(whole_number("seed", seed, least=0))
    with torch.device("meta"):  # no memory, no random numbers yet
        net = family(space, skeleton)
    net.to_empty(device="cpu")
    for module in net.modules():
        initialize(module, generator)
    return net.to(memory_format=runtime.memory_format(net))
