"""Latency and energy of a network on edge devices, by a roofline model, before it is built.

    devices.latency(space, arch, skeleton, "raspberry_pi_4")            # seconds
    devices.parts(devices.profile(space, arch, skeleton, "edge_tpu").kernels)   # where they go

A device is a *roofline* (Williams, Waterman and Patterson 2009, doi:10.1145/1498765.1498785): a
kernel takes as long as its arithmetic or its memory traffic, whichever is longer, after a fixed
overhead. A network's latency is the sum of its kernels' counts times the kernels' seconds.

``devices.json`` has sixteen real devices, each figure with its source. Makers publish peaks,
bandwidths and powers; the overhead of an operation and the share of the peak that software reaches
are derived from measurements of others or estimated. So a latency from here is right to within a
small factor; what is meant to hold is the order of networks on one device, and the distance
between devices of one runtime. Peaks count multiply-adds, half of the operations of data sheets.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np

from nas_lab.spaces import Arch, Network, Op, Skeleton, Space

EAGER = "eager PyTorch"  # the runtime that runs each operation by itself


@dataclass(frozen=True)
class Device:
    """One device, with the software that runs networks on it.
    Channels are rounded up to whole ``lanes``: 16 channels on a 64 x 64 array leave 15/16 of it
    idle. The overhead belongs to the ``runtime`` and not to the chip: see ``under``. In
    ``sources``, 'derived' is computed from data sheets; an 'estimate' was published by nobody, and
    the text says what it leans on; 'from memory' was not looked up again."""

    name: str  # its key in ``DEVICES``
    title: str  # what to call it in a figure
    kind: str  # such as "phone CPU"
    peak: float  # multiply-adds a second of the units that do convolutions
    efficiency: float  # share of ``peak`` that a large convolution reaches, in (0, 1]
    vector: float  # simple operations a second, as in pooling, adding and normalising
    bandwidth: float  # bytes a second between the chip and its memory
    on_chip: float  # bytes of cache or of memory on the chip
    on_chip_bandwidth: float  # bytes a second between that and the arithmetic units
    overhead: float  # seconds before each operation begins: launching it, reading its arguments
    element: int  # bytes of one number: 4 for float32, 2 for float16, 1 for int8
    power: float  # watts at work, of the chip or of the whole board, as ``sources`` says
    idle: float  # watts while it waits, as it does during overheads
    memory: float  # bytes of memory for weights and activations
    runtime: str  # ``EAGER``, or one that compiles a network as a whole, see ``kernels``
    lanes: tuple[int, int] = (1, 1)  # inputs and outputs of a convolution taken at a time
    width: int = 1  # outputs computed at a time that keep all units busy; fewer use their share
    slow: tuple[tuple[str, float], ...] = ()  # shares of ``vector`` or ``peak``, by kind
    calls: tuple[tuple[str, float], ...] = ()  # how many times ``overhead``, by kind
    other_runtimes: tuple[tuple[str, float], ...] = ()  # that it is known with: their overheads
    sources: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return self.title

    @property
    def compiled(self) -> bool:
        """Whether the runtime compiles a network as a whole."""
        return self.runtime != EAGER

    def under(self, runtime: str) -> Device:
        """The same device with one of the runtimes that it is known with."""
        known = {self.runtime: self.overhead, **dict(self.other_runtimes)}
        if runtime not in known:
            raise ValueError(f"{self.name} is known with {' and '.join(known)}, not {runtime!r}")
        others = tuple((name, known[name]) for name in known if name != runtime)
        return replace(self, runtime=runtime, overhead=known[runtime], other_runtimes=others)


def _read(name: str, figures: dict[str, Any]) -> Device:
    """A device out of JSON, where tuples are lists and pairs are objects."""
    for key, value in figures.items():
        if isinstance(value, dict | list):
            figures[key] = tuple(value.items() if isinstance(value, dict) else value)
    return Device(name=name, **figures)


_FIGURES = json.loads(resources.files("nas_lab").joinpath("devices.json").read_text("utf-8"))
_BEFORE, _AFTER = (_read(*item) for item in _FIGURES.pop("generations").items())
DEVICES = {name: _read(name, figures) for name, figures in _FIGURES.items()}
GENERATIONS = (_BEFORE, DEVICES["adreno_640"], _AFTER)  # of one phone chip's GPU, a year apart


def find(device: Device | str) -> Device:
    """Return a device, given itself or its name in ``DEVICES``."""
    if isinstance(device, Device):
        return device
    if device not in DEVICES:
        raise ValueError(f"no device is called {device!r}; choose from {', '.join(DEVICES)}")
    return DEVICES[device]


OPERATIONS = {"norm": 2, "layer_norm": 7, "softmax": 5, "gelu": 5}
"""Simple operations for each number: a layer norm adds up twice, a softmax looks for the largest,
subtracts, exponentiates, adds up and divides, a GELU scales, takes the error function, adds, halves
and multiplies."""
FREE = ("image", "flatten")  # kinds that do no work
TAKES_RELU = ("conv", "linear", "add", "norm")  # whose result passes a ReLU on its way to memory


class Kernel(NamedTuple):
    """One piece of work for a device; equal kernels take the same time."""

    kind: str  # of the operation; ``depthwise`` where a convolution keeps channels apart
    launches: int  # how often something is started for it
    macs: int
    operations: int  # simple operations, where it does no multiply-adds
    read: int  # numbers read from memory, weights apart
    written: int  # numbers written to memory
    weights: int  # parameters that are read
    outputs: int  # numbers in its result, computed at the same time
    channels: tuple[int, int]  # inputs and outputs of a matrix product, which fill lanes


def kernels(network: Network, compiled: bool) -> list[tuple[Op, Kernel]]:
    """What is run for a network, in order, each with the operation that it stands for.
    A compiler folds a normalisation into the convolution before it, applies a ReLU while the result
    of the operation that it alone reads is still in registers, and leaves out what does not reach
    the output."""
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
    elif kind == "patches":
        channels = (settings["in_channels"] * settings["size"] ** 2, settings["features"])
    elif kind == "scores":  # a query times all keys
        read = read * 2 // 3  # values wait
        channels = (shapes[0][1] // (3 * settings["heads"]), op.shape[2])
    elif kind == "values":  # weights times all values
        read -= math.prod(shapes[1]) * 2 // 3
        channels = (shapes[0][2], op.shape[1] // settings["heads"])
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
    elif kind in OPERATIONS:
        operations = OPERATIONS[kind] * written
    elif kind == "zeros":
        read = 0
    if not (op.macs or operations) and kind != "zeros":
        operations = written
    return Kernel(kind, launches, op.macs, operations, read, written, weights, outputs, channels)


class Timed(NamedTuple):
    """A kernel on a device: what it is run for, its seconds and its energy."""

    op: Op
    kernel: Kernel
    overhead: float  # seconds before it begins
    arithmetic: float  # seconds, were memory infinitely fast
    traffic: float  # seconds of memory traffic, were arithmetic infinitely fast
    joules: float

    @property
    def seconds(self) -> float:
        """Overhead, and then the longer of arithmetic and traffic."""
        return self.overhead + max(self.arithmetic, self.traffic)


def roofline(kernel: Kernel, device: Device) -> tuple[float, float, float]:
    """Seconds of overhead, of arithmetic and of memory traffic of a kernel."""
    overhead = kernel.launches * device.overhead * dict(device.calls).get(kernel.kind, 1.0)
    share = dict(device.slow).get(kernel.kind, 1.0) * min(1.0, kernel.outputs / device.width)
    if kernel.macs:
        lanes = zip(kernel.channels, device.lanes, strict=True)  # channels fill whole lanes
        full = math.prod(math.ceil(given / n) * n / given for given, n in lanes)
        arithmetic = kernel.macs * full / (device.peak * device.efficiency * share)
    else:
        arithmetic = kernel.operations / (device.vector * share)
    moved = device.element * (kernel.read + kernel.written + kernel.weights)
    fits = moved <= device.on_chip * kernel.launches  # what one launch touches
    traffic = moved / (device.on_chip_bandwidth if fits else device.bandwidth)
    return overhead, arithmetic, traffic


def _joules(device: Device, overhead: float, arithmetic: float, traffic: float) -> float:
    return device.idle * overhead + device.power * max(arithmetic, traffic)


class Profile(NamedTuple):
    """The kernels of a network, or of one part of it, on a device, for a single image."""

    name: str  # of the device, or of the place where the kernels stand, such as ``edge_01.conv``
    kernels: tuple[Timed, ...]

    @property
    def seconds(self) -> float:
        """Latency: kernels run one after the other."""
        return sum(kernel.seconds for kernel in self.kernels)

    @property
    def overhead(self) -> float:
        """Seconds of overhead before the kernels begin."""
        return sum(kernel.overhead for kernel in self.kernels)

    @property
    def joules(self) -> float:
        """Energy of the inference."""
        return sum(kernel.joules for kernel in self.kernels)

    @property
    def memory_bound(self) -> bool:
        """Whether the slowest kernel moves data for longer than it computes."""
        slowest = max(self.kernels, key=lambda kernel: kernel.seconds)
        return slowest.traffic > slowest.arithmetic


def profile(space: Space, arch: Arch, skeleton: Skeleton, device: Device | str) -> Profile:
    """Seconds and joules of a network, kernel by kernel."""
    device = find(device)
    run = kernels(space.network(arch, skeleton), device.compiled)
    timed = ((op, kernel, *roofline(kernel, device)) for op, kernel in run)
    return Profile(device.title, tuple(Timed(*t, _joules(device, *t[2:])) for t in timed))


def latency(space: Space, arch: Arch, skeleton: Skeleton, device: Device | str) -> float:
    """Seconds for one image."""
    return float(latencies(space, [arch], skeleton, device)[0])


def energy(space: Space, arch: Arch, skeleton: Skeleton, device: Device | str) -> float:
    """Joules for one image."""
    return float(energies(space, [arch], skeleton, device)[0])


def latencies(
    space: Space, archs: Iterable[Arch], skeleton: Skeleton, device: Device | str
) -> np.ndarray:
    """Seconds for one image of each architecture, float64 [N]."""
    return _totals(space, archs, skeleton, find(device))[:, 0]


def energies(
    space: Space, archs: Iterable[Arch], skeleton: Skeleton, device: Device | str
) -> np.ndarray:
    """Joules for one image of each architecture, float64 [N]."""
    return _totals(space, archs, skeleton, find(device))[:, 1]


def _totals(space: Space, archs: Iterable[Arch], skeleton: Skeleton, device: Device) -> np.ndarray:
    """Seconds and joules of each architecture, float64 [N, 2]: counts times what each takes."""
    distinct, counts = _matrix(space, tuple(map(space.check, archs)), skeleton, device.compiled)
    times = [roofline(kernel, device) for kernel in distinct]
    prices = [(t[0] + max(t[1:]), _joules(device, *t)) for t in times]
    return counts @ np.array(prices).reshape(-1, 2)


@lru_cache(maxsize=8)
def _matrix(
    space: Space, archs: tuple[Arch, ...], skeleton: Skeleton, compiled: bool
) -> tuple[list[Kernel], np.ndarray]:
    """The M kernels that architectures run, and how often each does, float64 [N, M]."""
    counts = [_counts(space, arch, skeleton)[compiled] for arch in archs]
    distinct = list(dict.fromkeys(kernel for row in counts for kernel in row))
    matrix = np.array([[row[kernel] for kernel in distinct] for row in counts], dtype=float)
    return distinct, matrix.reshape(len(counts), len(distinct))


@lru_cache(maxsize=2**16)
def _counts(space: Space, arch: Arch, skeleton: Skeleton) -> tuple[Counter[Kernel], ...]:
    """How often each kernel runs in a network, uncompiled and compiled."""
    network = space.network(arch, skeleton)
    return tuple(Counter(k for _, k in kernels(network, compiled)) for compiled in (False, True))


_REPEATED = re.compile(r"(stage|reduction|cell|block)_\d+\.")


def parts(kernels: Sequence[Timed]) -> list[Profile]:
    """Kernels by the place where they stand in their cell or block, the longest first."""
    groups: dict[str, list[Timed]] = {}
    for kernel in kernels:
        groups.setdefault(_REPEATED.sub("", kernel.op.name), []).append(kernel)
    found = [Profile(name, tuple(group)) for name, group in groups.items()]
    return sorted(found, key=lambda part: -part.seconds)
