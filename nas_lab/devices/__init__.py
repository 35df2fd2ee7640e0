"""Edge devices: how long, how much energy and how much memory a network takes, before it exists.

    devices.latency(space, arch, skeleton, "raspberry_pi_4")            # seconds
    devices.profile(space, arch, skeleton, "edge_tpu").slowest(3)       # where they go

A device is a *roofline* (Williams, Waterman and Patterson 2009, doi:10.1145/1498765.1498785): an
operation takes as long as its arithmetic or its memory traffic, whichever is longer, and in front
of it stands a fixed overhead.
"""

from nas_lab.devices.device import DEVICES, Device, find
from nas_lab.devices.estimates import (
    Memory,
    Profile,
    energies,
    energy,
    latencies,
    latency,
    peak_memory,
    profile,
)
from nas_lab.devices.kernels import Kernel, Part, Timed, kernels, parts, timed

__all__ = [
    "DEVICES",
    "Device",
    "Kernel",
    "Memory",
    "Part",
    "Profile",
    "Timed",
    "energies",
    "energy",
    "find",
    "kernels",
    "latencies",
    "latency",
    "parts",
    "peak_memory",
    "profile",
    "timed",
]
