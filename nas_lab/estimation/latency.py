"""Latency on the reader's own machine, measured with its scatter."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn

from nas_lab import nets, runtime
from nas_lab.checks import whole_number
from nas_lab.spaces.base import Arch, Skeleton, Space

FENCE = 1.5
"""Interquartile ranges above the third quartile, from where on a run is an outlier (Tukey)."""

LEAST = 3
"""Runs without which nothing is said of a scatter."""


@dataclass(frozen=True)
class Measurement:
    """Times of repeated runs of one network, in seconds.

    Attributes:
        runs: by the clock on the wall, [R].
        busy: of these, seconds in which this thread had the processor, [R].
    """

    runs: tuple[float, ...]
    busy: tuple[float, ...]

    @property
    def seconds(self) -> float:
        """Median run."""
        return float(np.median(self.runs))

    @property
    def busy_seconds(self) -> float:
        """Median of the time on the processor: what a quiet machine would take."""
        return float(np.median(self.busy))

    @property
    def quartiles(self) -> tuple[float, float]:
        """First and third quartile of the runs; half of all runs lie between them."""
        low, high = np.quantile(self.runs, (0.25, 0.75)).tolist()
        return low, high

    @property
    def spread(self) -> float:
        """Interquartile range over the median: 0.02 is calm, 0.2 is not."""
        low, high = self.quartiles
        return (high - low) / self.seconds

    @property
    def outliers(self) -> int:
        """Runs that something else on the machine has stretched."""
        low, high = self.quartiles
        return sum(run > high + FENCE * (high - low) for run in self.runs)

    @property
    def interference(self) -> float:
        """Share of the time on the wall in which the processor did something else, in [0, 1)."""
        return max(0.0, 1 - sum(self.busy) / sum(self.runs))


def measure(
    net: nn.Module, image: tuple[int, int, int], *, runs: int = 50, warm_up: int = 10
) -> Measurement:
    """Time a network on one image.

    Args:
        net: the network; it is put into evaluation mode for the while.
        image: channels, height and width of what it takes.
        runs: how often it is timed.
        warm_up: how often it runs before, untimed: the first runs choose algorithms, fill caches
            and wake the processor up.

    Raises:
        ValueError: ``runs`` below 3, or ``warm_up`` below 0.
    """
    (found,) = measure_all([net], image, runs=runs, warm_up=warm_up)
    return found


@torch.no_grad()
def measure_all(
    networks: Sequence[nn.Module],
    image: tuple[int, int, int],
    *,
    runs: int = 50,
    warm_up: int = 10,
    seed: int = 0,
) -> list[Measurement]:
    """Time several networks in turns, so that a machine that slows down slows all of them.

    Each round times every network once, in an order that ``seed`` draws anew. Arguments are those
    of ``measure``, and so is what is raised. One thread is used, as for training. An interrupt
    after the third round ends the measurement with a RuntimeWarning, and what was timed is
    returned.
    """
    runs = whole_number("runs", runs, least=LEAST)
    warm_up = whole_number("warm_up", warm_up, least=0)
    x = torch.rand(1, *image, generator=runtime.generator(seed))
    rng = np.random.default_rng(seed)
    times: list[list[tuple[float, float]]] = [[] for _ in networks]
    modes = [net.training for net in networks]
    try:
        for net in networks:
            net.eval()
        with runtime.threads(1):
            for net in networks:
                for _ in range(warm_up):
                    net(x)
            for _ in range(runs):
                for i in rng.permutation(len(networks)).tolist():
                    times[i].append(_timed(partial(networks[i], x)))
    except KeyboardInterrupt:
        done = min(map(len, times), default=0)
        if done < LEAST:
            raise
        said = f"interrupted: each network was timed {done} of {runs} times, or once more"
        warnings.warn(said, RuntimeWarning, stacklevel=3)
    finally:
        for net, mode in zip(networks, modes, strict=True):
            net.train(mode)
    return [Measurement(*zip(*pairs, strict=True)) for pairs in times]


def measure_archs(
    space: Space, archs: Sequence[Arch], skeleton: Skeleton, *, runs: int = 50, seed: int = 0
) -> list[Measurement]:
    """Build architectures and time them in turns; weights do not change how long they take.

    Raises:
        TypeError, ValueError: no architecture of ``space``, or ``runs`` below 3.
    """
    networks = [nets.build(space, arch, skeleton) for arch in archs]
    return measure_all(networks, skeleton.image, runs=runs, seed=seed)


def _timed(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the wall and on the processor."""
    wall, busy = time.perf_counter(), time.thread_time()
    run()
    return time.perf_counter() - wall, time.thread_time() - busy
