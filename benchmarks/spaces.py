"""What a search space costs before anything is trained.

Imports are measured in fresh interpreters, above the start of Python itself, and compared with
numpy's. Counting a network is compared with building it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from _report import report

from nas_lab import nets, spaces

ROUNDS = 5
SKELETON = spaces.Skeleton(
    channels=8, cells=1, stages=2, stem_stride=2, resolution=16, in_channels=1
)


def fresh(code: str) -> float:
    """Return the seconds of a fresh interpreter that runs ``code``, the best of several."""
    command = [sys.executable, "-c", code]
    return min(timed(lambda: subprocess.run(command, check=True)) for _ in range(ROUNDS))


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that ``action`` takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def imports() -> list[dict]:
    """Return seconds of imports above Python's own start, beside numpy's."""
    modules = ("numpy", "nas_lab.spaces", "nas_lab.history", "torch")
    start = fresh("pass")
    seconds = {module: fresh(f"import {module}") - start for module in modules}
    return [
        {"import": name, "s above Python's start": s, "times numpy's": s / seconds["numpy"]}
        for name, s in seconds.items()
    ]


def forms() -> list[dict]:
    """Return seconds for each architecture of what a search does with them."""
    space, rng = spaces.nasbench201(), np.random.default_rng(0)
    archs = list(space)
    first = timed(lambda: space.canonical(archs[0]))  # lists all expressions once
    every = first + timed(lambda: [space.canonical(arch) for arch in archs])
    few = [space.sample(rng) for _ in range(30)]
    nets.build(space, few[0], SKELETON)
    built = timed(lambda: [nets.build(space, arch, SKELETON) for arch in few]) / len(few)
    each = {
        "canonical form (all 15,625)": every / len(archs),
        "cost, counted": timed(lambda: [space.cost(a, SKELETON) for a in archs]) / len(archs),
        "network, written down": timed(lambda: [space.network(a, SKELETON) for a in few]) / 30,
        "network, built": built,
    }
    return [
        {"what": name, "s for one": s, "s for all 15,625": 15_625 * s, "times built": s / built}
        for name, s in each.items()
    ]


if __name__ == "__main__":
    report("imports", imports())
    report("architectures", forms())
