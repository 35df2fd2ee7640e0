"""How much memory a network needs at the worst moment of its run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nas_lab.devices.kernels import Kernel
from nas_lab.spaces.network import Network


@dataclass(frozen=True)
class Memory:
    """Bytes that a network needs.

    Attributes:
        weights: of all parameters.
        activations: of the results that are alive at the same time, at the worst moment.
    """

    weights: int
    activations: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.weights + self.activations


def needed_memory(network: Network, run: Sequence[Kernel], element: int) -> Memory:
    """Bytes for a network whose kernels run one after the other.

    A result is kept from the kernel that writes it to the last one that reads it; while a kernel
    runs, what it reads and what it writes are both there. ``element`` is the bytes of a number.
    """
    owner = _owners(network, run)
    last_read = {network.image: 0}
    for step, kernel in enumerate(run):
        for i in kernel.op.inputs:
            last_read[owner[i]] = step
    ops, position = network.ops, {op.name: i for i, op in enumerate(network.ops)}
    alive, worst = {network.image: math.prod(network.shape(network.image))}, 0
    for step, kernel in enumerate(run):
        written = owner[position[kernel.op.name]]
        alive[written] = math.prod(ops[written].shape)
        worst = max(worst, sum(alive.values()))
        alive = {i: size for i, size in alive.items() if last_read.get(i, -1) > step}
    weights = sum(kernel.weights // _repeats(kernel) for kernel in run)
    return Memory(element * weights, element * max(worst, sum(alive.values())))


def _repeats(kernel: Kernel) -> int:
    """How often the weights are read: once, but by recurrent layers in each step."""
    return kernel.weights // kernel.op.params if kernel.op.kind == "recurrent" else 1


def _owners(network: Network, run: Sequence[Kernel]) -> dict[int, int]:
    """For each operation, the one whose result it stands for: itself, or what it is fused to."""
    position = {op.name: i for i, op in enumerate(network.ops)}
    owner = {i: i for i in range(len(network.ops))}
    for kernel in run:
        for name in kernel.fused:
            owner[position[name]] = position[kernel.op.name]
    for i, op in enumerate(network.ops):
        if op.kind == "flatten":
            owner[i] = owner[op.inputs[0]]
    return owner
