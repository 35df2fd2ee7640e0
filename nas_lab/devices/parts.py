"""Where the time of a network goes, with what repeats itself taken together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nas_lab.devices.roofline import Timed

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
