"""Net2Net: make a trained network wider or deeper without changing what it computes.

    chain = Chain.build(spaces.plain_chain(), arch, skeleton)
    train(chain.net, data)
    wider = widen(chain, 1, 64, numpy.random.default_rng(0))
    deeper = deepen(wider, 1, images, height=3, width=3)

The result is an architecture of the same space with a network that inherited its weights.
Sources: T. Chen, I. Goodfellow, J. Shlens, "Net2Net", ICLR 2016, arXiv:1511.05641, sections 2.2
(wider) and 2.3 (deeper); for convolutions H. Cai et al., AAAI 2018, arXiv:1707.04873.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import fx, nn

from nas_lab.checks import whole_number
from nas_lab.nets.modules import build
from nas_lab.spaces.base import Arch, Skeleton, Space, as_generator
from nas_lab.spaces.chains import PlainChain, layers

Layer = Mapping[str, int]
"""Options of one layer: ``height, width, stride, filters``."""


@dataclass(frozen=True, eq=False)
class Chain:
    """A network whose layers follow one another, counted from 1 as in the names of decisions.
    ``net`` is what ``nets.build(space, arch, skeleton)`` gives, trained or not."""

    space: PlainChain
    arch: Arch
    skeleton: Skeleton
    net: fx.GraphModule

    def __post_init__(self) -> None:
        check_chain(self.space)
        object.__setattr__(self, "arch", self.space.canonical(self.arch))

    @classmethod
    def build(cls, space: PlainChain, arch: Arch, skeleton: Skeleton, seed: int = 0) -> Chain:
        """A chain with new weights."""
        return cls(space, arch, skeleton, build(space, arch, skeleton, seed))

    @property
    def layers(self) -> list[dict[str, int]]:
        """Options of each layer."""
        return layers(self.space, self.arch)


def check_chain(space: Space) -> None:
    """Refuse all spaces but ``plain_chain()``."""
    if not isinstance(space, PlainChain):
        raise TypeError(
            f"weights are inherited along spaces.plain_chain(), not along {type(space).__name__}"
        )


def to_arch(space: Space, rows: Sequence[Layer]) -> Arch:
    """The architecture that has these layers: the inverse of ``layers``."""
    first = {d.name: d.options[0] for d in space.decisions}  # for layers that do not exist
    chosen = {f"{token}_{i}": o for i, row in enumerate(rows, 1) for token, o in row.items()}
    return space.encode({**first, "layers": len(rows), **chosen})


def choices(space: Space) -> dict[str, tuple[int, ...]]:
    """Options of the first layer; those of other layers are equal."""
    return {d.name[:-2]: d.options for d in space.decisions if d.name.endswith("_1")}


def more_filters(space: Space, layer: Layer) -> int | None:
    """The next larger number of filters that the space has; None for the widest layer."""
    return min((o for o in choices(space)["filters"] if o > layer["filters"]), default=None)


def depths(space: Space) -> tuple[int, ...]:
    """The numbers of layers that the space has: its first decision."""
    return space.decisions[0].options


def identities(space: Space) -> list[dict[str, int]]:
    """Filter sizes that a new layer can have."""
    sizes = itertools.product(choices(space)["height"], choices(space)["width"])
    return [{"height": height, "width": width} for height, width in sizes]


def widen(
    chain: Chain, layer: int, filters: int, rng: np.random.Generator, *, noise: float = 0.0
) -> Chain:
    """Net2Wider: new filters are copies of old ones, and who reads them divides by the copies.

    The function is the same in training mode too, for equal channels have equal statistics of
    every batch. It stays so: copies get equal gradients, so they learn the same as long as
    nothing tells them apart. That is what ``noise`` is for.

    ``layer`` is counted from 1; ``filters`` are an option of the space.
    ``noise`` is the standard deviation of what is added to the incoming weights of all copies, a
    share of the root mean square of the layer's weights; the function is then nearly the same.
    """
    rows = chain.layers
    _check_layer(layer, rows)
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise must be a number of at least 0, not {noise!r}")
    old = rows[layer - 1]["filters"]
    if whole_number("filters", filters) <= old:
        raise ValueError(f"layer {layer} has {old} filters: more are wider, not {filters}")
    rows[layer - 1]["filters"] = filters
    g = remap(old, filters, rng)
    mine = f"layer_{layer}."
    reader = f"layer_{layer + 1}." if layer < len(rows) else "classifier."
    weights = dict(chain.net.state_dict())
    for name, value in weights.items():
        if name.startswith(mine) and value.dim():  # weights, bias, scale, shift and statistics
            weights[name] = value[g]  # U_j = W_g(j)
            if noise and value.dim() > 1:
                copies, scale = weights[name][old:], noise * value.square().mean().sqrt()
                copies += scale * torch.from_numpy(rng.normal(size=copies.shape)).to(copies)
        elif name.startswith(reader) and value.dim() > 1:  # torch has the inputs j in dimension 1
            copies = torch.bincount(g)[g].to(value)  # U_jh = W_g(j)h / |{x : g(x) = g(j)}|
            weights[name] = value[:, g] / copies.view(-1, *[1] * (value.dim() - 2))
    return _child(chain, rows, weights)


def remap(old: int, new: int, rng: np.random.Generator) -> torch.Tensor:
    """g, int64 [new]: g(j) = j for j < old, else drawn from all old filters, all as likely."""
    copied = as_generator(rng).integers(old, size=new - old)
    return torch.cat([torch.arange(old), torch.from_numpy(copied)])


@torch.no_grad()
def deepen(chain: Chain, layer: int, images: torch.Tensor, **size: int) -> Chain:
    """Net2Deeper: put a layer behind another that gives what it gets.

    Its convolution has a one in the middle, and the ReLU behind it lets pass what has passed a
    ReLU. Its normalisation undoes itself: mean and variance are those of what it gets for
    ``images`` in training mode, and scale and shift put them back.
    In evaluation mode the function is the same for all images. In training mode it is the same
    for this batch, and for others as nearly as their statistics are.

    The new layer stands behind ``layer``, counted from 1, and takes its width. ``images`` are a
    batch [B, C, H, W] of training images, at least 2; ``size`` is ``height`` and ``width`` of a new
    convolution's filters.
    """
    rows, image = chain.layers, chain.skeleton.image
    _check_layer(layer, rows)
    if images.shape[1:] != image or len(images) < 2:
        raise ValueError(
            f"images have to be [B, {', '.join(map(str, image))}] with B of at least 2, "
            f"not {list(images.shape)}"
        )
    if size not in identities(chain.space):
        raise ValueError(f"{size} is no size of a new layer; choose of {identities(chain.space)}")
    if len(rows) + 1 not in depths(chain.space):
        raise ValueError(
            f"{chain.space.name} has no networks of {len(rows) + 1} layers; it has some of "
            f"{', '.join(map(str, depths(chain.space)))}"
        )
    rows.insert(layer, {**size, "stride": 1, "filters": rows[layer - 1]["filters"]})
    later = {f"layer_{i}": f"layer_{i + 1}" for i in range(layer + 1, len(rows))}
    named = ((*name.partition("."), value) for name, value in chain.net.state_dict().items())
    weights = {later.get(scope, scope) + dot + rest: value for scope, dot, rest, value in named}
    child = _child(chain, rows, weights)
    before, given = copy.deepcopy(chain.net).train(), []
    relu = before.get_submodule(f"layer_{layer}.relu")
    relu.register_forward_hook(lambda *call: given.append(call[-1]))
    before(images.to(next(before.parameters())))
    for module in child.net.get_submodule(f"layer_{layer + 1}").children():
        _make_identity(module, given[0])
    return child


def _make_identity(module: nn.Module, given: torch.Tensor) -> None:
    """Let a module give what it gets, a normalisation for the statistics of [B, C, H, W]."""
    if isinstance(module, nn.Conv2d):
        nn.init.dirac_(module.weight)
    elif isinstance(module, nn.BatchNorm2d):
        mean, variance = given.mean(dim=(0, 2, 3)), given.var(dim=(0, 2, 3), correction=0)
        running = {"running_mean": mean, "running_var": variance}
        undone = {"weight": (variance + module.eps).sqrt(), "bias": mean}
        module.load_state_dict({**module.state_dict(), **running, **undone})


def _child(chain: Chain, rows: Sequence[Layer], weights: Mapping[str, torch.Tensor]) -> Chain:
    """A network of these layers with these weights; device, precision and mode are inherited."""
    arch = to_arch(chain.space, rows)
    net = build(chain.space, arch, chain.skeleton).to(next(chain.net.parameters()))
    net.load_state_dict(weights, strict=False)  # a new layer has none yet
    net.train(chain.net.training)
    return Chain(chain.space, arch, chain.skeleton, net)


def _check_layer(layer: int, rows: Sequence[Layer]) -> None:
    if whole_number("layer", layer) > len(rows):
        raise ValueError(f"layer {layer}: the network has layers 1 to {len(rows)}")
