"""What a network costs in all: its kernels, added up."""

from __future__ import annotations

from typing import NamedTuple

from nas_lab.devices.device import Device
from nas_lab.devices.kernels import kernels
from nas_lab.devices.roofline import timed
from nas_lab.spaces.network import Network


class Bill(NamedTuple):
    """Seconds and joules for one image."""

    seconds: float
    joules: float


def network_bill(network: Network, device: Device) -> Bill:
    """Seconds and joules of a network on a device."""
    run = [timed(kernel, device) for kernel in kernels(network, device.compiled)]
    return Bill(sum(kernel.seconds for kernel in run), sum(kernel.joules for kernel in run))
