"""Net2Net: make a trained network wider or deeper without changing what it computes.

    chain = Chain.build(spaces.mlp(), (1, 0, 0, 0, 0), skeleton)
    train(chain.net, data)
    wider = widen(chain, 1, 64, numpy.random.default_rng(0))
    deeper = deepen(wider, 2, images)

What comes out is an architecture of the same space again, with a network that inherited its
weights.

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
from nas_lab.spaces.base import Arch, Decision, Skeleton, Space, as_generator
from nas_lab.spaces.chains import ConvChain, DenseChain, layers

Layer = Mapping[str, int]
"""Options of one layer: ``height, width, stride, filters`` or ``hidden``."""


@dataclass(frozen=True, eq=False)
class Chain:
    """An architecture whose layers follow one another, and a network with weights of its own.

    Layers are counted from 1, as in the names of the space's decisions and in ``net``.

    Attributes:
        space: ``spaces.plain_chain()``, ``mlp()``, or ``conv_chain()`` without skips.
        arch: the architecture.
        skeleton: what surrounds it.
        net: what ``nets.build(space, arch, skeleton)`` gives, trained or not.

    Raises:
        TypeError: ``space`` is of another kind.
        ValueError: ``space`` has skips, or ``arch`` is not of it.
    """

    space: Space
    arch: Arch
    skeleton: Skeleton
    net: fx.GraphModule

    def __post_init__(self) -> None:
        check_chain(self.space)
        object.__setattr__(self, "arch", self.space.canonical(self.arch))

    @classmethod
    def build(cls, space: Space, arch: Arch, skeleton: Skeleton, seed: int = 0) -> Chain:
        """A chain with new weights."""
        return cls(space, arch, skeleton, build(space, arch, skeleton, seed))

    @property
    def layers(self) -> list[dict[str, int]]:
        """Options of each layer."""
        return layers(self.space, self.arch)


def check_chain(space: Space) -> None:
    """Refuse spaces whose layers do not follow one another: TypeError or ValueError."""
    if not isinstance(space, ConvChain | DenseChain):
        raise TypeError(
            f"weights are inherited along a chain, and {type(space).__name__} is none: "
            "use spaces.plain_chain() or spaces.mlp()"
        )
    if isinstance(space, ConvChain) and space.skips:
        raise ValueError("weights are inherited along a chain without skips: use skips=False")


def to_arch(space: Space, rows: Sequence[Layer]) -> Arch:
    """The architecture that has these layers: the inverse of ``layers``.

    Raises:
        ValueError: the space has no such architecture.
    """
    first = {d.name: d.options[0] for d in space.decisions}  # for layers that do not exist
    if "layers" in first:
        first["layers"] = len(rows)
    chosen = {f"{token}_{i}": o for i, row in enumerate(rows, 1) for token, o in row.items()}
    return space.encode({**first, **chosen})


def decision(space: Space, token: str) -> Decision:
    """The decision on the first layer's ``token``; those on other layers have equal options."""
    return next(d for d in space.decisions if d.name == f"{token}_1")


def unit(layer: Layer) -> str:
    """What a layer has more or fewer of: ``filters``, or ``hidden`` outputs if it is dense."""
    return "filters" if "filters" in layer else "hidden"


def more_units(space: Space, layer: Layer) -> int | None:
    """The next larger number of units that the space has; None for the widest layer."""
    more = [o for o in decision(space, unit(layer)).options if o > layer[unit(layer)]]
    return min(more, default=None)


def depths(space: Space) -> tuple[int, ...]:
    """The numbers of layers that the space has."""
    first = space.decisions[0]
    return (
        first.options
        if first.name == "layers"
        else (len(layers(space, (0,) * len(space.decisions))),)
    )


def identities(space: Space) -> list[dict[str, int]]:
    """Filter sizes that a new layer can have; a dense layer has none, which is one possibility."""
    sizes = ("height", "width") if not isinstance(space, DenseChain) else ()
    options = (decision(space, token).options for token in sizes)
    return [dict(zip(sizes, size, strict=True)) for size in itertools.product(*options)]


def widen(
    chain: Chain, layer: int, units: int, rng: np.random.Generator, *, noise: float = 0.0
) -> Chain:
    """Net2Wider: new units are copies of old ones, and who reads them divides by the copies.

    The function is the same in training mode too, for equal channels have equal statistics of
    every batch. It stays so: copies get equal gradients, so they learn the same as long as
    nothing tells them apart. That is what ``noise`` is for.

    Args:
        chain: what to widen; it is left as it was.
        layer: which layer, from 1.
        units: its new number of filters or hidden outputs, an option of the space.
        rng: draws what is copied, and the noise.
        noise: added to the incoming weights of all copies: normal, its standard deviation this
            share of the root mean square of the layer's weights. With it, the function is only
            nearly the same.

    Raises:
        ValueError: there is no such layer, the space has no such number, or it is no larger.
    """
    rows = chain.layers
    _check_layer(layer, rows)
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise must be a number of at least 0, not {noise!r}")
    old = rows[layer - 1][unit(rows[0])]
    if whole_number("units", units) <= old:
        raise ValueError(f"layer {layer} has {old} {unit(rows[0])}: more are wider, not {units}")
    rows[layer - 1][unit(rows[0])] = units
    g = remap(old, units, rng)
    mine = f"layer_{layer}."
    reader = f"layer_{layer + 1}." if layer < len(rows) else "classifier."
    weights = dict(chain.net.state_dict())
    for name, value in weights.items():
        if name.startswith(mine) and value.dim():  # weights, bias, scale, shift and statistics
            weights[name] = value[g]  # U_j = W_g(j)
            if value.dim() > 1:
                _add_noise(weights[name][old:], noise * value.square().mean().sqrt(), rng)
        elif name.startswith(reader) and value.dim() > 1:
            weights[name] = _divided(value, g)
    return _child(chain, rows, weights)


def remap(old: int, new: int, rng: np.random.Generator) -> torch.Tensor:
    """g, int64 [new]: the old unit that each new one is a copy of; the first ``old`` are their own.

    g(j) = j for j < old, else drawn from all old units with equal probability.
    """
    copied = as_generator(rng).integers(old, size=new - old)
    return torch.cat([torch.arange(old), torch.from_numpy(copied)])


def _divided(weight: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    """U_jh = W_g(j)h / |{x : g(x) = g(j)}|, where torch has the inputs j in dimension 1."""
    copies = torch.bincount(g)[g].to(weight)
    return weight[:, g] / copies.view(-1, *[1] * (weight.dim() - 2))


def _add_noise(weight: torch.Tensor, scale: torch.Tensor, rng: np.random.Generator) -> None:
    if scale:
        weight += scale * torch.from_numpy(rng.normal(size=weight.shape)).to(weight)


def deepen(chain: Chain, layer: int, images: torch.Tensor, **size: int) -> Chain:
    """Net2Deeper: put a layer behind another that gives what it gets.

    Its convolution has a one in the middle, its dense layer ones on the diagonal, and the ReLU
    behind it lets pass what has passed a ReLU. Its normalisation undoes itself: mean and variance
    are those of what it gets for ``images`` in training mode, and scale and shift put them back.
    In evaluation mode the function is the same for all images. In training mode it is the same
    for this batch, and for others as nearly as their statistics are.

    Args:
        chain: what to deepen; it is left as it was.
        layer: the layer, from 1, that the new one stands behind. It takes its width.
        images: [B, C, H, W], a batch of training images, at least 2.
        size: ``height`` and ``width`` of a new convolution's filters; nothing for a dense layer.

    Raises:
        ValueError: there is no such layer, the space has no such network, or the images are not
            those of the skeleton.
    """
    rows = chain.layers
    _check_layer(layer, rows)
    _check_images(images, chain.skeleton)
    if size not in identities(chain.space):
        raise ValueError(f"{size} is no size of a new layer; choose of {identities(chain.space)}")
    if len(rows) + 1 not in depths(chain.space):
        raise ValueError(
            f"{chain.space.name} has no networks of {len(rows) + 1} layers; it has some of "
            f"{', '.join(map(str, depths(chain.space)))}"
        )
    stride = {"stride": 1} if "stride" in rows[0] else {}
    units = {unit(rows[0]): rows[layer - 1][unit(rows[0])]}
    rows.insert(layer, {**size, **stride, **units})
    later = {f"layer_{i}": f"layer_{i + 1}" for i in range(layer + 1, len(rows))}
    weights = {}
    for name, value in chain.net.state_dict().items():
        scope, dot, rest = name.partition(".")
        weights[later.get(scope, scope) + dot + rest] = value
    child = _child(chain, rows, weights)
    given = _outputs(chain.net, f"layer_{layer}.relu", images)
    for module in child.net.get_submodule(f"layer_{layer + 1}").children():
        _make_identity(module, given)
    return child


@torch.no_grad()
def _make_identity(module: nn.Module, given: torch.Tensor) -> None:
    """Let a module give what it gets, a normalisation for the statistics of [B, C, H, W]."""
    if isinstance(module, nn.Conv2d):
        nn.init.dirac_(module.weight)
    elif isinstance(module, nn.Linear):
        nn.init.eye_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        mean, variance = given.mean(dim=(0, 2, 3)), given.var(dim=(0, 2, 3), correction=0)
        running = {"running_mean": mean, "running_var": variance}
        undone = {"weight": (variance + module.eps).sqrt(), "bias": mean}
        module.load_state_dict({**module.state_dict(), **running, **undone})


@torch.no_grad()
def _outputs(net: nn.Module, name: str, images: torch.Tensor) -> torch.Tensor:
    """What one module of a network gives in training mode; the network is left as it was."""
    net, outputs = copy.deepcopy(net).train(), []
    net.get_submodule(name).register_forward_hook(lambda *call: outputs.append(call[-1]))
    net(images.to(next(net.parameters())))
    return outputs[0]


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


def _check_images(images: torch.Tensor, skeleton: Skeleton) -> None:
    if images.shape[1:] != skeleton.image or len(images) < 2:
        raise ValueError(
            f"images have to be [B, {', '.join(map(str, skeleton.image))}] with B of at least 2, "
            f"not {list(images.shape)}"
        )
