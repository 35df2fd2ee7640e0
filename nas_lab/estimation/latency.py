"""Latency measured on the reader's own machine, with its scatter; ``devices`` models others."""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from nas_lab import nets, runtime
from nas_lab.checks import whole_number
from nas_lab.spaces.base import Arch, Skeleton, Space

FENCE = 1.5  # interquartile ranges above the third quartile, whence a run is an outlier (Tukey)
LEAST = 3  # runs without which nothing is said of a scatter
WARM_UP = 10  # rounds that are not timed: they choose algorithms, fill caches, wake the processor


@dataclass(frozen=True)
class Measurement:
    """Seconds of repeated runs of one network.
    ``runs`` are by the clock on the wall, ``busy`` those in which this thread had the processor."""

    runs: tuple[float, ...]
    busy: tuple[float, ...]

    @property
    def busy_seconds(self) -> float:
        """Median of the time on the processor: what a quiet machine would take."""
        return float(np.median(self.busy))

    @property
    def spread(self) -> float:
        """Interquartile range of the runs over their median: 0.02 is calm, 0.2 is not."""
        low, middle, high = np.quantile(self.runs, (0.25, 0.5, 0.75)).tolist()
        return (high - low) / middle

    @property
    def outliers(self) -> int:
        """Runs that something else on the machine has stretched."""
        low, high = np.quantile(self.runs, (0.25, 0.75)).tolist()
        return sum(run > high + FENCE * (high - low) for run in self.runs)

    @property
    def interference(self) -> float:
        """Share of the time on the wall in which the processor did something else, in [0, 1)."""
        return max(0.0, 1 - sum(self.busy) / sum(self.runs))


def measure_archs(
    space: Space, archs: Sequence[Arch], skeleton: Skeleton, *, runs: int = 50
) -> list[Measurement]:
    """Build architectures and time them on one image; weights do not change how long they take."""
    networks = [nets.build(space, arch, skeleton).eval() for arch in archs]
    x = torch.rand(1, *skeleton.image, generator=runtime.generator(0))
    with torch.no_grad():
        return in_turns([partial(net, x) for net in networks], runs)


def in_turns(actions: Sequence[Callable[[], object]], runs: int) -> list[Measurement]:
    """Time several actions in turns, so that a machine that slows down slows all of them.
    Each round times every action once, in an order of its own. An interrupt after the third round
    ends the measurement with a RuntimeWarning, and what was timed is returned."""
    runs = whole_number("runs", runs, least=LEAST)
    rng = np.random.default_rng(0)
    times: list[list[tuple[float, float]]] = [[] for _ in actions]
    try:
        for turn in range(-WARM_UP, runs):
            for i in rng.permutation(len(actions)).tolist():
                wall, busy = time.perf_counter(), time.thread_time()
                actions[i]()
                spent = time.perf_counter() - wall, time.thread_time() - busy
                if turn >= 0:
                    times[i].append(spent)
    except KeyboardInterrupt:
        done = min(map(len, times), default=0)
        if done < LEAST:
            raise
        said = f"interrupted: each network was timed {done} of {runs} times, or once more"
        warnings.warn(said, RuntimeWarning, stacklevel=3)
    return [Measurement(*zip(*pairs, strict=True)) for pairs in times]
