"""A device: what has to be known of it to say how long a network takes on it.

``devices.json`` has sixteen real ones, from a data centre's GPU to a microcontroller. Every figure
has its source in ``Device.sources``. Makers publish peaks, bandwidths and powers. What they leave
open, above all the overhead of one operation and the share of the peak that software reaches, is
derived from measurements of others or estimated, and says so. So a latency from here is right to
within a small factor; what is meant to hold is the order of networks on one device, and the
distance between devices. Peaks count multiply-adds, half of the operations of data sheets.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, fields
from importlib import resources
from typing import Any

POSITIVE = (
    *("peak", "efficiency", "vector", "bandwidth", "on_chip", "on_chip_bandwidth"),
    *("overhead", "power", "element"),
)


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
        for name in (*POSITIVE, "memory", "width"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"{self.name}: {name} must be positive and finite, not {value!r}")
        if min(self.lanes) < 1:
            raise ValueError(f"{self.name}: lanes must be at least 1, not {self.lanes!r}")
        shares = {"efficiency": self.efficiency, **dict(self.slow)}
        for name, share in shares.items():
            if not 0 < share <= 1:
                raise ValueError(f"{self.name}: {name} must be a share in (0, 1], not {share!r}")
        for kind, times in self.calls:
            if not 0 < times < math.inf:
                raise ValueError(f"{self.name}: {kind} must take some overheads, not {times!r}")
        if not 0 <= self.idle <= self.power:
            raise ValueError(f"{self.name}: idle must be between 0 and power, not {self.idle!r}")

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the fields that hold a figure of the hardware or of its software."""
        words = {"name", "title", "kind", "compiled", "sources"}
        told = [f.name for f in fields(self) if getattr(self, f.name) != f.default]
        return tuple(name for name in told if name not in words)

    def share(self, kind: str) -> float:
        """The share of the units' rate that operations of one kind reach."""
        return dict(self.slow).get(kind, 1.0)

    def overhead_of(self, kind: str) -> float:
        """Seconds before an operation of one kind begins."""
        return self.overhead * dict(self.calls).get(kind, 1.0)

    def __str__(self) -> str:
        return self.title


def _read(name: str, figures: dict[str, Any]) -> Device:
    """A device out of JSON, where tuples are lists and pairs are objects."""
    pairs = {key: tuple(value.items()) for key, value in figures.items() if isinstance(value, dict)}
    lists = {key: tuple(value) for key, value in figures.items() if isinstance(value, list)}
    return Device(name=name, **{**figures, **pairs, **lists})


_CATALOGUE = resources.files("nas_lab.devices").joinpath("devices.json").read_text("utf-8")
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
