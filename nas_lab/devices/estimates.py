"""Seconds, joules and bytes of an architecture on a device, counted without building it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nas_lab.devices.bills import Bill, network_bill
from nas_lab.devices.cells_201 import bills, code
from nas_lab.devices.device import Device, find
from nas_lab.devices.kernels import kernels
from nas_lab.devices.memory import Memory, needed_memory
from nas_lab.devices.roofline import Timed, timed
from nas_lab.spaces.base import Arch, Skeleton, Space
from nas_lab.spaces.cell_201 import NasBench201


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
