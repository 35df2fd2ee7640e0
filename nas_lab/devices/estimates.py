"""Seconds, joules and bytes of an architecture on a device, counted without building it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nas_lab.devices.cells_201 import bills, code
from nas_lab.devices.device import Device, find
from nas_lab.devices.kernels import Bill, Kernel, Timed, kernels, network_bill, timed
from nas_lab.spaces.base import Arch, Skeleton, Space
from nas_lab.spaces.cells import NasBench201
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


@dataclass(frozen=True)
class Profile:
    """One network on one device, kernel by kernel, for a single image.

    Attributes:
        device: where it runs.
        kernels: what is run, in order, with its times.
        memory: bytes needed at the worst moment.
    """

    device: Device
    kernels: tuple[Timed, ...]
    memory: Memory

    @property
    def seconds(self) -> float:
        """Latency: kernels run one after the other."""
        return sum(kernel.seconds for kernel in self.kernels)

    @property
    def joules(self) -> float:
        """Energy of the inference."""
        return sum(kernel.joules for kernel in self.kernels)

    @property
    def watts(self) -> float:
        """Mean power during the inference."""
        return self.joules / self.seconds

    @property
    def fits(self) -> bool:
        """Whether weights and activations fit into the device's memory."""
        return self.memory.total <= self.device.memory

    def slowest(self, n: int = 5) -> tuple[Timed, ...]:
        """The ``n`` kernels that take longest, the longest first."""
        return tuple(sorted(self.kernels, key=lambda kernel: -kernel.seconds)[:n])


def profile(space: Space, arch: Arch, skeleton: Skeleton, device: Device | str) -> Profile:
    """Seconds, joules and bytes of a network, kernel by kernel.

    Raises:
        TypeError, ValueError: ``arch`` is not an architecture of ``space``, or an unknown device.
    """
    device, network = find(device), space.network(arch, skeleton)
    run = kernels(network, device.compiled)
    memory = needed_memory(network, run, device.element)
    return Profile(device, tuple(timed(kernel, device) for kernel in run), memory)


def latency(space: Space, arch: Arch, skeleton: Skeleton, device: Device | str) -> float:
    """Seconds for one image.

    Raises:
        TypeError, ValueError: ``arch`` is not an architecture of ``space``, or an unknown device.
    """
    return _bill(space, space.check(arch), skeleton, find(device)).seconds


def energy(space: Space, arch: Arch, skeleton: Skeleton, device: Device | str) -> float:
    """Joules for one image; raises what ``latency`` raises."""
    return _bill(space, space.check(arch), skeleton, find(device)).joules


def peak_memory(space: Space, arch: Arch, skeleton: Skeleton, device: Device | str) -> Memory:
    """Bytes of weights, and of activations at the worst moment; raises what ``latency`` raises."""
    return profile(space, arch, skeleton, device).memory


def latencies(
    space: Space,
    archs: Iterable[Arch] | np.ndarray,
    skeleton: Skeleton,
    device: Device | str,
) -> np.ndarray:
    """Seconds for one image of each architecture, float64 [N].

    Raises:
        TypeError, ValueError: no architecture of ``space``, or an unknown device.
    """
    return _bills(space, archs, skeleton, find(device))[:, 0]


def energies(
    space: Space,
    archs: Iterable[Arch] | np.ndarray,
    skeleton: Skeleton,
    device: Device | str,
) -> np.ndarray:
    """Joules for one image of each architecture, float64 [N]; raises what ``latencies`` raises."""
    return _bills(space, archs, skeleton, find(device))[:, 1]


def _bills(
    space: Space, archs: Iterable[Arch] | np.ndarray, skeleton: Skeleton, device: Device
) -> np.ndarray:
    """Seconds and joules of each architecture, float64 [N, 2]."""
    found = [_bill(space, space.check(arch), skeleton, device) for arch in archs]
    return np.array(found, dtype=float).reshape(-1, 2)


def _bill(space: Space, arch: Arch, skeleton: Skeleton, device: Device) -> Bill:
    """Seconds and joules of one architecture; cells are looked up, other networks walked."""
    known = bills(skeleton, device)[code(arch)] if isinstance(space, NasBench201) else None
    return known or network_bill(space.network(arch, skeleton), device)


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
