"""Latency: measured on this machine, looked up by option, or counted for a device."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import nnls
from torch import nn

from nas_lab import devices, nets, runtime
from nas_lab.checks import number_in, whole_number
from nas_lab.devices import Device
from nas_lab.estimation.base import Estimator
from nas_lab.estimation.objectives import check_costs
from nas_lab.history import Evaluation
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


@dataclass(frozen=True, eq=False)
class LookupTable:
    """Latency as a sum over decisions: ``base + sum of seconds[d, option of d]``.

    So FBNet and ProxylessNAS tell a search what a network costs (Wu et al. 2019,
    arXiv:1812.03443, eq. 7; Cai et al. 2019, arXiv:1812.00332, section 3.3). It leaves out what
    options do to each other, such as sharing a ReLU; how much that matters, a comparison with
    ``latencies`` shows. The cheapest option of each decision adds 0.

    Attributes:
        space: what the architectures are from; it has D decisions with at most K options.
        base: seconds of the network with the cheapest options.
        seconds: what an option adds to that, float64 [D, K]; 0 where there is no option.
    """

    space: Space
    base: float
    seconds: np.ndarray

    @classmethod
    def fit(
        cls,
        space: Space,
        archs: Sequence[Arch] | np.ndarray,
        seconds: npt.ArrayLike,
        *,
        floor: float = 0.0,
    ) -> LookupTable:
        """Fit to N architectures and their latencies, counted or measured.

        The squares of relative errors are least, so that small networks count as much as large
        ones; nothing takes less than no time.

        Args:
            space: what the architectures are from.
            archs: enough of them for every option to come up.
            seconds: their latencies, [N].
            floor: seconds that ``base`` is not below. Where options make others superfluous, as
                'none' does, a sum would promise less than the network around them takes.

        Raises:
            ValueError: an option that no architecture has, a latency that is not positive,
                numbers of architectures and latencies that differ, or a negative floor.
        """
        target = np.asarray(seconds, dtype=float)
        check_costs("latency", target)
        floor = number_in("floor", floor)
        if target.shape != (len(archs),):
            raise ValueError(f"{len(archs)} architectures have latencies of shape {target.shape}")
        chosen = np.array([space.one_hot(arch) for arch in archs], dtype=float)
        chosen = chosen.reshape(len(archs), *space.mask.shape)
        _check_all_seen(space, chosen)
        columns = np.column_stack([np.ones(len(archs)), chosen[:, space.mask]])
        solution, _ = nnls(columns / target[:, None], 1 - floor / target)
        added = np.full(space.mask.shape, np.inf)
        added[space.mask] = solution[1:]
        cheapest = added.min(axis=1, keepdims=True)
        base = float(floor + solution[0] + cheapest.sum())
        return cls(space, base, np.where(space.mask, added - cheapest, 0.0))

    def __call__(self, arch: Arch) -> float:
        """Seconds of one architecture; it raises what ``space.check`` raises."""
        rows = np.arange(len(self.seconds))
        return self.base + float(self.seconds[rows, list(self.space.check(arch))].sum())

    def latencies(self, archs: Iterable[Arch] | np.ndarray) -> np.ndarray:
        """Seconds of each architecture, float64 [N]."""
        return np.array([self(arch) for arch in archs], dtype=float)

    def expected(self, w: Any) -> Any:
        """Expected seconds of ``w`` [D, K], whose rows are probabilities; an array or a tensor.

        It is linear in ``w``, so a gradient reaches what ``w`` comes from.
        """
        table = w.new_tensor(self.seconds) if hasattr(w, "new_tensor") else self.seconds
        return self.base + (w * table).sum()


def _check_all_seen(space: Space, chosen: np.ndarray) -> None:
    missing = np.argwhere(space.mask & ~chosen.any(axis=0))
    if len(missing):
        d, k = missing[0].tolist()
        decision = space.decisions[d]
        raise ValueError(
            f"{len(missing)} options are in none of the {len(chosen)} architectures, the first is "
            f"{decision.name}={decision.options[k]}: give more architectures"
        )


Objective = Callable[[float, float], float]
"""From a score and seconds to what a search should maximise."""


@dataclass(frozen=True)
class OnDevice:
    """Estimate an architecture for a device: ``estimate(arch, seed) -> Evaluation``.

    The score is what ``objective`` makes of the other estimate's score and of the latency; without
    an objective it stays the other's, for a search that keeps the two apart. Metrics: those of
    the other estimate, and ``accuracy`` (its score), ``latency`` in seconds, ``energy`` in joules.

    Args:
        estimate: how good an architecture is, on no device.
        space: where the architectures are from.
        skeleton: what surrounds a cell on the device.
        device: a device or the name of one.
        objective: called as ``objective(score, seconds)``, both plain numbers.

    Raises:
        ValueError: an unknown device.
    """

    estimate: Estimator
    space: Space
    skeleton: Skeleton
    device: Device | str
    objective: Objective | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", devices.find(self.device))

    def __call__(self, arch: Arch, seed: int) -> Evaluation:
        """Estimate ``arch``, and say what it costs on the device."""
        found = self.estimate(arch, seed)
        where = (self.space, arch, self.skeleton, self.device)
        seconds, joules = devices.latency(*where), devices.energy(*where)
        score = self.objective(found.score, seconds) if self.objective else found.score
        metrics = {"accuracy": found.score, "latency": seconds, "energy": joules}
        return Evaluation(float(score), found.cost, {**found.metrics, **metrics})
