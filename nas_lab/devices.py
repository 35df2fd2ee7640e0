"""Edge devices: how long a network takes, and how much energy, before it exists.

    devices.latency(space, arch, skeleton, "raspberry_pi_4")            # seconds
    devices.parts(devices.profile(space, arch, skeleton, "edge_tpu").kernels)   # where they go

A device is a *roofline* (Williams, Waterman and Patterson 2009, doi:10.1145/1498765.1498785): a
kernel takes as long as its arithmetic or its memory traffic, whichever is longer, and in front of
it stands a fixed overhead. A network is a few kernels, each run many times, so its latency is the
sum of the kernels' counts times the kernels' seconds.

``devices.json`` has sixteen real devices, from a data centre's GPU to a microcontroller. Every
figure has its source in ``Device.sources``. Makers publish peaks, bandwidths and powers. What they
leave open, above all the overhead of one operation and the share of the peak that software
reaches, is derived from measurements of others or estimated, and says so. So a latency from here
is right to within a small factor; what is meant to hold is the order of networks on one device,
and the distance between devices. Peaks count multiply-adds, half of the operations of data sheets.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np

from nas_lab.spaces import Arch, Network, Op, Skeleton, Space


@dataclass(frozen=True)
class Device:
    """One device, with the software that runs networks on it.

    Attributes:
        name: its key in ``DEVICES``.
        title: what to call it in a figure.
        kind: such as ``"phone CPU"``.
        peak: multiply-adds a second of the units that do convolutions.
        efficiency: share of ``peak`` that a large convolution reaches, in (0, 1].
        lanes: inputs and outputs of a convolution that the units take at a time. Channels are
            rounded up to them: 16 channels on a 64 x 64 array leave 15/16 of it idle.
        width: outputs that have to be computed at a time to keep all units busy; fewer use that
            share of them. 1 where it does not matter.
        vector: simple operations a second, as in pooling, adding and normalising.
        slow: shares of ``vector`` or of ``peak`` that single kinds of operation reach, by kind.
        bandwidth: bytes a second between the chip and its memory.
        on_chip: bytes of cache or of memory on the chip.
        on_chip_bandwidth: bytes a second between that and the arithmetic units.
        overhead: seconds before each operation begins: launching it, reading its arguments.
        calls: how many times ``overhead`` single kinds of operation take, by kind.
        element: bytes of one number: 4 for float32, 2 for float16, 1 for int8.
        power: watts at work. Of the chip, or of the whole board, as ``sources`` says.
        idle: watts while it waits, as it does during overheads.
        memory: bytes of memory for weights and activations.
        compiled: the network is compiled as a whole: normalisation goes into the convolution
            before it, a ReLU into the operation that it alone reads, and what does not reach the
            output is left out. Otherwise each operation runs by itself, as in PyTorch.
        sources: for each figure, where it comes from. 'derived' says that it is computed from
            data sheets and how; 'estimate', that nobody published it and what it leans on.

    Raises:
        ValueError: a figure that is not positive and finite, or an efficiency above 1.
    """

    name: str
    title: str
    kind: str
    peak: float
    efficiency: float
    vector: float
    bandwidth: float
    on_chip: float
    on_chip_bandwidth: float
    overhead: float
    element: int
    power: float
    idle: float
    memory: float
    compiled: bool
    lanes: tuple[int, int] = (1, 1)
    width: int = 1
    slow: tuple[tuple[str, float], ...] = ()
    calls: tuple[tuple[str, float], ...] = ()
    sources: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        shares = {"efficiency": self.efficiency, **dict(self.slow)}
        numbers = {name: getattr(self, name) for name in self.figures if name != "idle"}
        numbers |= {"lanes": min(self.lanes), "slow": 1, "calls": 1, **dict(self.calls), **shares}
        for name, value in numbers.items():
            if not 0 < value < math.inf:
                raise ValueError(f"{self.name}: {name} must be positive and finite, not {value!r}")
        for name, share in shares.items():
            if share > 1:
                raise ValueError(f"{self.name}: {name} must be a share in (0, 1], not {share!r}")
        if not 0 <= self.idle <= self.power:
            raise ValueError(f"{self.name}: idle must be between 0 and power, not {self.idle!r}")

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the fields that hold a figure of the hardware or of its software."""
        words = {"name", "title", "kind", "compiled", "sources"}
        given = [f.name for f in fields(self) if getattr(self, f.name) != f.default]
        return tuple(name for name in given if name not in words)

    def __str__(self) -> str:
        return self.title


def _read(name: str, figures: dict[str, Any]) -> Device:
    """A device out of JSON, where tuples are lists and pairs are objects."""
    pairs = {key: tuple(value.items()) for key, value in figures.items() if isinstance(value, dict)}
    lists = {key: tuple(value) for key, value in figures.items() if isinstance(value, list)}
    return Device(name=name, **{**figures, **pairs, **lists})


_CATALOGUE = resources.files("nas_lab").joinpath("devices.json").read_text("utf-8")
DEVICES = {name: _read(name, figures) for name, figures in json.loads(_CATALOGUE).items()}


def find(device: Device | str) -> Device:
    """Return a device, given itself or its name in ``DEVICES``.

    Raises:
        ValueError: there is no device of that name.
        TypeError: neither a device nor a name.
    """
    if isinstance(device, Device):
        return device
    if not isinstance(device, str):
        raise TypeError(f"device is a Device or the name of one, not {device!r}")
    if device not in DEVICES:
        raise ValueError(f"no device is called {device!r}; choose from {', '.join(DEVICES)}")
    return DEVICES[device]


# ---- kernels: what a device runs ---------------------------------------------------------------

FREE = ("image", "flatten")
"""Kinds that do no work: the input, and another view of the same numbers."""

TAKES_RELU = ("conv", "linear", "add", "norm")
"""Kinds whose result can pass through a ReLU on its way to memory."""


class Kernel(NamedTuple):
    """One piece of work for a device; equal kernels take the same time.

    Attributes:
        kind: of the operation; ``depthwise`` where a convolution keeps channels apart.
        launches: how often something is started for it.
        macs: multiply-adds.
        operations: simple operations, where it does no multiply-adds.
        read: numbers read from memory, weights apart.
        written: numbers written to memory.
        weights: parameters that are read.
        outputs: numbers in its result, computed at the same time.
        channels: inputs and outputs of a matrix product, which have to fill a device's lanes.
    """

    kind: str
    launches: int
    macs: int
    operations: int
    read: int
    written: int
    weights: int
    outputs: int
    channels: tuple[int, int]


def kernels(network: Network, compiled: bool) -> list[tuple[Op, Kernel]]:
    """What is run for a network, in order, each with the operation that it stands for.

    A compiler folds a normalisation into the convolution before it, applies a ReLU while the
    result of the operation before it is still in registers, and leaves out what does not reach
    the output.
    """
    ops = network.ops
    needed = reachable(ops) if compiled else range(len(ops))
    readers = Counter(i for op in needed for i in ops[op].inputs)
    run: list[tuple[Op, Kernel]] = []
    place: dict[int, int] = {}  # in ``run``, of the kernel that writes an operation's result
    folded: set[int] = set()  # places in ``run`` where something else is done along
    for i in needed:
        op = ops[i]
        before = place.get(op.inputs[0]) if op.inputs else None
        if compiled and before is not None and readers[op.inputs[0]] == 1:
            first, kernel = run[before]
            norm = op.kind == "norm" and first.kind == "conv" and before not in folded
            if norm or (op.kind == "relu" and first.kind in TAKES_RELU):
                bias = op.params // 2  # of a normalisation, one for each channel stays
                run[before] = first, kernel._replace(weights=kernel.weights + bias)
                folded.add(before)
                place[i] = before
                continue
        if op.kind not in FREE:
            place[i] = len(run)
            run.append((op, _kernel(op, [ops[j].shape for j in op.inputs])))
    return run


def reachable(ops: Sequence[Op]) -> list[int]:
    """Positions of the operations that the last one needs, in order."""
    needed = {len(ops) - 1}
    for i in reversed(range(len(ops))):
        if i in needed:
            needed.update(ops[i].inputs)
    return sorted(needed)


def _kernel(op: Op, shapes: Sequence[tuple[int, ...]]) -> Kernel:
    """One operation run by itself."""
    outputs = written = math.prod(op.shape)
    read = sum(map(math.prod, shapes))
    kind, settings = op.kind, op.settings
    launches, weights, operations, channels = 1, op.params, 0, (1, 1)
    if kind == "conv":  # in groups, it takes the inputs of one group at a time
        channels = (settings["in_channels"] // settings["groups"], settings["out_channels"])
        kind = "depthwise" if 1 < settings["groups"] == op.shape[0] else kind
    elif kind == "linear":
        channels = (settings["in_features"], settings["out_features"])
    elif kind == "recurrent":  # step after step, weights read in each
        steps, channels = shapes[0][1], (settings["hidden_size"],) * 2
        launches, weights = steps * settings["num_layers"], steps * op.params
    elif kind == "add":  # two at a time, the sum so far read again
        launches = len(shapes) - 1
        read, written, operations = 2 * launches * outputs, launches * outputs, launches * outputs
    elif kind in ("avg_pool", "max_pool"):
        operations = settings["kernel_size"] ** 2 * written
    elif kind == "global_pool":
        operations = read
    elif kind == "norm":
        operations = 2 * written
    elif kind == "zeros":
        read = 0
    if not (op.macs or operations) and kind != "zeros":
        operations = written
    return Kernel(kind, launches, op.macs, operations, read, written, weights, outputs, channels)


# ---- roofline: how long that takes -------------------------------------------------------------


class Timed(NamedTuple):
    """A kernel on a device, in seconds.

    Attributes:
        op: the operation, as the space wrote it down.
        kernel: what is run for it.
        waiting: overhead before it begins.
        computing: its arithmetic, were memory infinitely fast.
        moving: its memory traffic, were arithmetic infinitely fast.
        joules: energy of the whole.
    """

    op: Op
    kernel: Kernel
    waiting: float
    computing: float
    moving: float
    joules: float

    @property
    def seconds(self) -> float:
        """Overhead, and then the longer of arithmetic and traffic."""
        return self.waiting + max(self.computing, self.moving)


def roofline(kernel: Kernel, device: Device) -> tuple[float, float, float]:
    """Seconds of overhead, of arithmetic and of memory traffic of a kernel."""
    waiting = kernel.launches * device.overhead * dict(device.calls).get(kernel.kind, 1.0)
    share = dict(device.slow).get(kernel.kind, 1.0) * min(1.0, kernel.outputs / device.width)
    if kernel.macs:
        lanes = zip(kernel.channels, device.lanes, strict=True)  # channels fill whole lanes
        full = math.prod(math.ceil(given / n) * n / given for given, n in lanes)
        computing = kernel.macs * full / (device.peak * device.efficiency * share)
    else:
        computing = kernel.operations / (device.vector * share)
    traffic = device.element * (kernel.read + kernel.written + kernel.weights)
    fits = traffic <= device.on_chip * kernel.launches  # what one launch touches
    moving = traffic / (device.on_chip_bandwidth if fits else device.bandwidth)
    return waiting, computing, moving


def _joules(device: Device, waiting: float, computing: float, moving: float) -> float:
    return device.idle * waiting + device.power * max(computing, moving)


# ---- networks ----------------------------------------------------------------------------------


class Profile(NamedTuple):
    """One network on one device, kernel by kernel, for a single image.

    Attributes:
        device: where it runs.
        kernels: what is run, in order, with its times.
    """

    device: Device
    kernels: tuple[Timed, ...]

    @property
    def seconds(self) -> float:
        """Latency: kernels run one after the other."""
        return sum(kernel.seconds for kernel in self.kernels)

    @property
    def joules(self) -> float:
        """Energy of the inference."""
        return sum(kernel.joules for kernel in self.kernels)


def profile(space: Space, arch: Arch, skeleton: Skeleton, device: Device | str) -> Profile:
    """Seconds and joules of a network, kernel by kernel.

    Raises:
        TypeError, ValueError: ``arch`` is not an architecture of ``space``, or an unknown device.
    """
    device = find(device)
    run = kernels(space.network(arch, skeleton), device.compiled)
    timed = ((op, kernel, *roofline(kernel, device)) for op, kernel in run)
    return Profile(device, tuple(Timed(*t, _joules(device, *t[2:])) for t in timed))


def latency(space: Space, arch: Arch, skeleton: Skeleton, device: Device | str) -> float:
    """Seconds for one image; raises what ``profile`` raises."""
    return float(latencies(space, [arch], skeleton, device)[0])


def energy(space: Space, arch: Arch, skeleton: Skeleton, device: Device | str) -> float:
    """Joules for one image; raises what ``profile`` raises."""
    return float(energies(space, [arch], skeleton, device)[0])


def latencies(
    space: Space, archs: Iterable[Arch], skeleton: Skeleton, device: Device | str
) -> np.ndarray:
    """Seconds for one image of each architecture, float64 [N]; raises what ``profile`` raises."""
    return _totals(space, archs, skeleton, find(device))[:, 0]


def energies(
    space: Space, archs: Iterable[Arch], skeleton: Skeleton, device: Device | str
) -> np.ndarray:
    """Joules for one image of each architecture, float64 [N]; raises what ``profile`` raises."""
    return _totals(space, archs, skeleton, find(device))[:, 1]


def _totals(space: Space, archs: Iterable[Arch], skeleton: Skeleton, device: Device) -> np.ndarray:
    """Seconds and joules of each architecture, float64 [N, 2]: counts times what each takes."""
    counts = [_counts(space, space.check(arch), skeleton)[device.compiled] for arch in archs]
    distinct = list(dict.fromkeys(kernel for row in counts for kernel in row))
    times = [roofline(kernel, device) for kernel in distinct]
    prices = [(t[0] + max(t[1:]), _joules(device, *t)) for t in times]
    matrix = np.array([[row[kernel] for kernel in distinct] for row in counts], dtype=float)
    return matrix.reshape(len(counts), len(distinct)) @ np.array(prices).reshape(-1, 2)


@lru_cache(maxsize=2**16)
def _counts(space: Space, arch: Arch, skeleton: Skeleton) -> tuple[Counter[Kernel], ...]:
    """How often each kernel runs in a network, uncompiled and compiled."""
    network = space.network(arch, skeleton)
    return tuple(Counter(k for _, k in kernels(network, compiled)) for compiled in (False, True))


# ---- where the time goes -----------------------------------------------------------------------

_REPEATED = re.compile(r"(stage|reduction|cell|block)_\d+\.")


class Part(NamedTuple):
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
        groups.setdefault(_REPEATED.sub("", kernel.op.name), []).append(kernel)
    found = [Part(name, tuple(group)) for name, group in groups.items()]
    return sorted(found, key=lambda part: -part.seconds)
