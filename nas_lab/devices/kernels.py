"""What a device runs when it runs a network, and how long that takes: kernels and their roofline.

A compiler folds a normalisation into the convolution before it, applies a ReLU while the result
of the operation before it is still in registers, and leaves out what does not reach the output.
A kernel then takes the longer of its arithmetic and its memory traffic, after a fixed overhead.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from nas_lab.devices.device import Device
from nas_lab.spaces.network import Network, Op

FREE = ("image", "flatten")
"""Kinds that do no work: the input, and another view of the same numbers."""

TAKES_RELU = ("conv", "linear", "add", "norm")
"""Kinds whose result can pass through a ReLU on its way to memory."""


@dataclass(frozen=True)
class Kernel:
    """One piece of work for a device.

    Attributes:
        op: the operation, as the space wrote it down.
        fused: names of the operations that are done along with it.
        launches: how often something is started for it.
        macs: multiply-adds.
        operations: simple operations, where it does no multiply-adds.
        read: numbers read from memory, weights apart.
        written: numbers written to memory.
        weights: parameters that are read.
    """

    op: Op
    fused: tuple[str, ...]
    launches: int
    macs: int
    operations: int
    read: int
    written: int
    weights: int

    @property
    def kind(self) -> str:
        """Kind of the operation; ``depthwise`` where a convolution keeps channels apart."""
        groups = self.op.settings.get("groups", 1)
        return "depthwise" if groups > 1 and groups == self.op.shape[0] else self.op.kind


def kernels(network: Network, compiled: bool) -> list[Kernel]:
    """What is run for a network, in order."""
    ops = network.ops
    needed = reachable(ops) if compiled else range(len(ops))
    readers = Counter(i for op in needed for i in ops[op].inputs)
    run: list[Kernel] = []
    place: dict[int, int] = {}  # in ``run``, of the kernel that writes an operation's result
    for i in needed:
        op = ops[i]
        before = place.get(op.inputs[0]) if op.inputs else None
        if compiled and before is not None and _folds(op, run[before], readers[op.inputs[0]]):
            run[before] = _joined(run[before], op)
            place[i] = before
        elif op.kind not in FREE:
            place[i] = len(run)
            run.append(_alone(op, [ops[j].shape for j in op.inputs]))
    return run


def reachable(ops: Sequence[Op]) -> list[int]:
    """Positions of the operations that the last one needs, in order."""
    needed, waiting = {len(ops) - 1}, [len(ops) - 1]
    while waiting:
        for i in ops[waiting.pop()].inputs:
            if i not in needed:
                needed.add(i)
                waiting.append(i)
    return sorted(needed)


def _joined(kernel: Kernel, op: Op) -> Kernel:
    """A kernel that does one more operation; of a normalisation, a bias for each channel stays."""
    bias = op.params // 2 if op.kind == "norm" else 0
    return replace(kernel, fused=(*kernel.fused, op.name), weights=kernel.weights + bias)


def _folds(op: Op, before: Kernel, readers: int) -> bool:
    """Whether an operation is done along with the one that it reads."""
    if readers > 1:
        return False
    if op.kind == "norm":
        return before.op.kind == "conv" and not before.fused
    return op.kind == "relu" and before.op.kind in TAKES_RELU


def _alone(op: Op, shapes: Sequence[tuple[int, ...]]) -> Kernel:
    written = math.prod(op.shape)
    read = sum(map(math.prod, shapes))
    launches, weights, operations = 1, op.params, 0
    if op.kind == "add":  # two at a time, the sum so far read again
        launches = len(shapes) - 1
        read, written, operations = 2 * launches * written, launches * written, launches * written
    elif op.kind in ("avg_pool", "max_pool"):
        operations = op.settings["kernel_size"] ** 2 * written
    elif op.kind == "global_pool":
        operations = read
    elif op.kind == "norm":
        operations = 2 * written
    elif op.kind == "recurrent":  # step after step, weights read in each
        steps = shapes[0][1]
        launches, weights = steps * op.settings["num_layers"], steps * op.params
    elif op.kind == "zeros":
        read = 0
    elif not op.macs:
        operations = written
    return Kernel(op, (), launches, op.macs, operations, read, written, weights)


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


_REPEATED = re.compile(r"(stage|reduction|cell|block)_\d+\.")


@dataclass(frozen=True)
class Part:
    """Kernels that stand at the same place of different cells, or of different blocks.

    Attributes:
        name: of that place, such as ``edge_01.conv``.
        kernels: the kernels, in order.
    """

    name: str
    kernels: tuple[Timed, ...]

    @property
    def seconds(self) -> float:
        """Of all of them."""
        return sum(kernel.seconds for kernel in self.kernels)

    @property
    def waiting(self) -> float:
        """Seconds of overhead before they begin."""
        return sum(kernel.waiting for kernel in self.kernels)

    @property
    def memory_bound(self) -> bool:
        """Whether the slowest of them moves data for longer than it computes."""
        slowest = max(self.kernels, key=lambda kernel: kernel.seconds)
        return slowest.moving > slowest.computing


def parts(kernels: Sequence[Timed]) -> list[Part]:
    """Kernels by the place where they stand, the longest first."""
    groups: dict[str, list[Timed]] = {}
    for kernel in kernels:
        groups.setdefault(_REPEATED.sub("", kernel.kernel.op.name), []).append(kernel)
    found = [Part(name, tuple(group)) for name, group in groups.items()]
    return sorted(found, key=lambda part: -part.seconds)


class Bill(NamedTuple):
    """Seconds and joules for one image."""

    seconds: float
    joules: float


def network_bill(network: Network, device: Device) -> Bill:
    """Seconds and joules of a network on a device."""
    run = [timed(kernel, device) for kernel in kernels(network, device.compiled)]
    return Bill(sum(kernel.seconds for kernel in run), sum(kernel.joules for kernel in run))
