"""The roofline: an operation takes the longer of its arithmetic and its memory traffic."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nas_lab.devices.device import Device
from nas_lab.devices.kernels import Kernel


@dataclass(frozen=True)
class Timed:
    """A kernel on a device, in seconds.

    Attributes:
        kernel: what is run.
        waiting: overhead before it begins.
        computing: its arithmetic, were memory infinitely fast.
        moving: its memory traffic, were arithmetic infinitely fast.
        joules: energy of the whole.
    """

    kernel: Kernel
    waiting: float
    computing: float
    moving: float
    joules: float

    @property
    def seconds(self) -> float:
        """Overhead, and then the longer of arithmetic and traffic."""
        return self.waiting + max(self.computing, self.moving)

    @property
    def bound(self) -> str:
        """What most of the time goes to: ``overhead``, ``arithmetic`` or ``memory``."""
        parts = {
            "overhead": self.waiting,
            "arithmetic": self.computing,
            "memory": self.moving,
        }
        return max(parts, key=parts.__getitem__)


def timed(kernel: Kernel, device: Device) -> Timed:
    """How long a kernel takes on a device, and why."""
    waiting = kernel.launches * device.overhead_of(kernel.kind)
    computing, moving = _computing(kernel, device), _moving(kernel, device)
    busy = max(computing, moving)
    joules = device.idle * waiting + device.power * busy
    return Timed(kernel, waiting, computing, moving, joules)


def _computing(kernel: Kernel, device: Device) -> float:
    share = device.share(kernel.kind) * min(1.0, math.prod(kernel.op.shape) / device.width)
    if kernel.macs:
        rate = device.peak * device.efficiency * share
        return kernel.macs * _rounding(kernel, device.lanes) / rate
    return kernel.operations / (device.vector * share)


def _rounding(kernel: Kernel, lanes: tuple[int, int]) -> float:
    """Multiply-adds that the units do for each that counts: channels fill whole lanes.

    A convolution in groups takes the inputs of one group at a time, so a depthwise one has a
    single input for lanes that are made for several.
    """
    settings = kernel.op.settings
    if kernel.op.kind == "conv":
        inputs = settings["in_channels"] // settings["groups"]
        outputs = settings["out_channels"]
    elif kernel.op.kind == "linear":
        inputs, outputs = settings["in_features"], settings["out_features"]
    else:
        inputs = outputs = settings["hidden_size"]
    return _filled(inputs, lanes[0]) * _filled(outputs, lanes[1])


def _filled(channels: int, lanes: int) -> float:
    return math.ceil(channels / lanes) * lanes / channels


def _moving(kernel: Kernel, device: Device) -> float:
    """Seconds of traffic: on the chip where all that one launch touches fits there."""
    traffic = device.element * (kernel.read + kernel.written + kernel.weights)
    fits = traffic <= device.on_chip * kernel.launches
    return traffic / (device.on_chip_bandwidth if fits else device.bandwidth)
