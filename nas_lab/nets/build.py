"""From an architecture to a network that can be trained."""

from __future__ import annotations

import torch
from torch import fx, nn

from nas_lab._arguments import whole_number
from nas_lab.nets.ops import BUILDERS, initialize
from nas_lab.spaces.base import Arch, Skeleton, Space
from nas_lab.spaces.network import Network


def build(space: Space, arch: Arch, skeleton: Skeleton, seed: int = 0) -> fx.GraphModule:
    """Build the network of an architecture.

    Args:
        space: where the architecture comes from.
        arch: its tokens.
        skeleton: what surrounds the searched part.
        seed: of the initial parameters; the global generator is left alone.

    Returns:
        A module from images ``[B, in_channels, resolution, resolution]`` to logits
        ``[B, classes]``. ``print(net.code)`` shows its forward pass line by line.

    Raises:
        TypeError, ValueError: ``arch`` is not an architecture of ``space``, or a bad seed.
    """
    return realize(space.network(arch, skeleton), whole_number("seed", seed, least=0))


def realize(network: Network, seed: int = 0) -> fx.GraphModule:
    """Build a network that is written down as a list of operations."""
    generator = torch.Generator().manual_seed(seed)
    graph = fx.Graph()
    modules: dict[str, nn.Module] = {}
    values: list[fx.Node] = []
    for op in network.ops:
        if op.kind == "image":
            values.append(graph.placeholder(op.name))
            continue
        with torch.device("meta"):  # no memory, no random numbers yet
            module = BUILDERS[op.kind](op)
        modules[op.name] = module
        values.append(graph.call_module(op.name, tuple(values[i] for i in op.inputs)))
    graph.output(values[-1])
    net = fx.GraphModule(modules, graph, class_name="Net").to_empty(device="cpu")
    for module in net.modules():
        initialize(module, generator)
    return net
