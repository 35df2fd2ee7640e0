"""One network that contains all networks of a space: its weights are shared.

    net = supernet(space, skeleton)
    net(images, w)                         # w[D, K]: one-hot rows choose, soft rows mix

``base`` says what all of them do; ``cells`` runs a cell node by node, and computes together what
several edges do with one node. There are supernets of the NAS-Bench-201 cell and of the DARTS cell.
"""

from __future__ import annotations

import torch

from nas_lab import runtime
from nas_lab.checks import whole_number
from nas_lab.nets.modules import initialize
from nas_lab.nets.supernets.base import Statistics, Supernet
from nas_lab.nets.supernets.cell_201 import Supernet201
from nas_lab.nets.supernets.cell_darts import SupernetDarts
from nas_lab.spaces.base import Skeleton, Space
from nas_lab.spaces.cells import Darts, NasBench201

__all__ = ["Statistics", "Supernet", "supernet"]

FAMILIES = {NasBench201: Supernet201, Darts: SupernetDarts}


def supernet(space: Space, skeleton: Skeleton, seed: int = 0) -> Supernet:
    """Build the network that contains all networks of a space.

    Args:
        space: what it contains.
        skeleton: what surrounds the searched part.
        seed: of the initial parameters; the global generator is left alone.

    Returns:
        A module called as ``net(images, w)``, with its weights in channels-last order.

    Raises:
        TypeError: there is no supernet for this kind of space, or the seed is no whole number.
        ValueError: the seed is below 0.
    """
    family = next((made for kind, made in FAMILIES.items() if isinstance(space, kind)), None)
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
