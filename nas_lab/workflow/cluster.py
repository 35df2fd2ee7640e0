"""Many machines: who evaluates what when, and what a thousand of them would do.

``search(..., executor=client.get_executor())`` is all that a Dask cluster needs: a batch is
asked, run and told as one, so the trials are the same with any number of workers. With
``get_executor(pure=False)`` equal trials are evaluated each by itself. Dask: M. Rocklin, "Dask:
Parallel Computation with Blocked algorithms and Task Scheduling", SciPy 2015.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from nas_lab.checks import number_in, whole_number
from nas_lab.estimation.base import Estimator
from nas_lab.estimation.tables import Table
from nas_lab.history import Evaluation, Trial
from nas_lab.spaces.base import Arch

BEGAN, ENDED, PROCESS = "began", "ended", "process"


@dataclass(frozen=True)
class OnWorker:
    """An estimate that notes where and when it was made.

    Its metrics ``began`` and ``ended`` are seconds of that machine's clock (``time.time``), and
    ``process`` is the number of the process. They differ from run to run; scores do not.
    """

    estimate: Estimator

    def __call__(self, arch: Arch, seed: int) -> Evaluation:
        """The evaluation with three more metrics."""
        began = time.time()
        result = self.estimate(arch, seed)
        noted = {BEGAN: began, ENDED: time.time(), PROCESS: os.getpid()}
        return replace(result, metrics={**result.metrics, **noted})


@dataclass(frozen=True)
class Recorded:
    """Look a training up in the kit's table, which each process reads once.

    A ``Table`` itself is an estimate too, but every task would carry all of it to its worker:
    send what is small, and let the worker read what is large.
    """

    def __call__(self, arch: Arch, seed: int) -> Evaluation:
        """As the table says."""
        return _table()(arch, seed)


@lru_cache(maxsize=1)
def _table() -> Table:
    return Table.load()


@dataclass(frozen=True)
class Replay:
    """A recorded training in fast motion: its score, after a share of its seconds.

    The worker waits instead of computing, so it needs no torch, and two of them do not get in
    each other's way. Overheads that are measured with it are real, its speed is not.

    Args:
        estimate: the record, such as ``Recorded()``.
        speed: how many recorded seconds pass in one.

    Raises:
        ValueError: ``speed`` is not above 0.
    """

    estimate: Estimator
    speed: float = 50.0

    def __post_init__(self) -> None:
        if not number_in("speed", self.speed):
            raise ValueError("speed is above 0")

    def __call__(self, arch: Arch, seed: int) -> Evaluation:
        """Look the training up and wait for it."""
        result = self.estimate(arch, seed)
        time.sleep(result.cost / self.speed)
        return result


@dataclass(frozen=True)
class Interval:
    """One trial on one worker, in seconds after the first trial began."""

    trial: int
    worker: int
    began: float
    ended: float


def timeline(trials: Iterable[Trial]) -> list[Interval]:
    """Who did what when, by the metrics of ``OnWorker``; workers are numbered as they come.

    Raises:
        ValueError: a trial does not say it.
    """
    trials = list(trials)
    missing = [t.id for t in trials if not {BEGAN, ENDED, PROCESS} <= set(t.result.metrics)]
    if missing:
        raise ValueError(f"trial {missing[0]} does not say who made it: wrap estimates in OnWorker")
    noted = sorted(trials, key=lambda trial: trial.result.metrics[BEGAN])
    first = noted[0].result.metrics[BEGAN] if noted else 0.0
    workers: dict[float, int] = {}
    intervals = []
    for trial in noted:
        said: Mapping[str, float] = trial.result.metrics
        worker = workers.setdefault(said[PROCESS], len(workers))
        intervals.append(Interval(trial.id, worker, said[BEGAN] - first, said[ENDED] - first))
    return intervals


def busy(intervals: Iterable[Interval], workers: int) -> float:
    """Share of the workers' time, from the first beginning to the last end, in which they worked.

    Raises:
        ValueError: there is no trial.
    """
    intervals = list(intervals)
    if not intervals:
        raise ValueError("no trials: run a search first")
    whole = max(interval.ended for interval in intervals) - min(
        interval.began for interval in intervals
    )
    return sum(interval.ended - interval.began for interval in intervals) / (whole * workers)


@dataclass(frozen=True)
class Plan:
    """How long a search takes on many workers, from figures that were measured.

    A scheduler hands tasks out one after the other, and each costs it ``overhead`` seconds. A
    batch is over when its last trial is, so workers wait for the slowest; trials are taken to be
    equally long here, and the waiting that differences cause comes on top.

    Args:
        trial: seconds of one trial.
        overhead: seconds of the scheduler for one trial.
        start: seconds until workers are ready.

    Raises:
        ValueError: a trial of no length, or something below 0.
    """

    trial: float
    overhead: float
    start: float = 0.0

    def __post_init__(self) -> None:
        number_in("overhead", self.overhead)
        number_in("start", self.start)
        if not number_in("trial", self.trial):
            raise ValueError("a trial takes more than 0 seconds")

    def seconds(self, trials: int, workers: int, batch: int | None = None) -> float:
        """Seconds for all trials, asked in batches; None asks for all at once."""
        trials, workers = whole_number("trials", trials), whole_number("workers", workers)
        batch = trials if batch is None else whole_number("batch", batch)
        whole, rest = divmod(trials, batch)
        sizes = [batch] * whole + [rest] * (rest > 0)
        return self.start + sum(self._batch(size, workers) for size in sizes)

    def _batch(self, size: int, workers: int) -> float:
        """Either the scheduler is busy all the time, or the workers are."""
        rounds, last = divmod(size - 1, workers)
        handed_out = size * self.overhead + self.trial
        worked = rounds * (self.trial + self.overhead) + (last + 1) * self.overhead + self.trial
        return max(handed_out, worked)

    def speedup(self, trials: int, workers: int, batch: int | None = None) -> float:
        """How many times as fast as a single process without a scheduler."""
        return trials * self.trial / self.seconds(trials, workers, batch)
