"""Distributed evaluation: who evaluates what when, and what a thousand machines would do.

``search(..., executor=client.get_executor())`` is all that a Dask cluster needs: a batch is
asked, run and told as one, so the trials are the same with any number of workers. With
``get_executor(pure=False)`` equal trials are evaluated each by itself. Dask: M. Rocklin, "Dask:
Parallel Computation with Blocked algorithms and Task Scheduling", SciPy 2015.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

from nas_lab.checks import number_in, whole_number
from nas_lab.estimation.tables import Table
from nas_lab.history import Estimator, Evaluation, Trial
from nas_lab.spaces.base import Arch


@dataclass(frozen=True)
class OnWorker:
    """An estimate that notes where and when it was made.
    Its metrics ``began`` and ``ended`` are seconds of that machine's clock (``time.time``), and
    ``process`` is the number of the process. They differ from run to run; scores do not."""

    estimate: Estimator

    def __call__(self, arch: Arch, seed: int) -> Evaluation:
        """The evaluation with three more metrics."""
        began = time.time()
        result = self.estimate(arch, seed)
        noted = {"began": began, "ended": time.time(), "process": os.getpid()}
        return replace(result, metrics={**result.metrics, **noted})


@dataclass(frozen=True)
class Recorded:
    """Look a training up in the kit's table, which each process reads once.
    A ``Table`` itself is an estimate too, but every task would carry all of it to its worker: send
    what is small, and let the worker read what is large."""

    def __call__(self, arch: Arch, seed: int) -> Evaluation:
        """As the table says."""
        return _table()(arch, seed)


_table = cache(Table.load)


@dataclass(frozen=True)
class Replay:
    """A recorded training in fast motion: its score, after its seconds divided by ``speed``.
    The worker waits instead of computing, so it needs no torch, and two of them do not get in each
    other's way. Overheads that are measured with it are real, its speed is not."""

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


class Interval(NamedTuple):
    """One trial on one worker, in seconds after the first trial began."""

    trial: int
    worker: int
    began: float
    ended: float


def timeline(trials: Sequence[Trial]) -> list[Interval]:
    """Who did what when, by the metrics of ``OnWorker``; workers are numbered as they come."""
    noted = []
    for trial in trials:
        said = trial.result.metrics
        if not {"began", "ended", "process"} <= said.keys():
            raise ValueError(
                f"trial {trial.id} does not say who made it: wrap estimates in OnWorker"
            )
        noted.append((said["began"], said["ended"], said["process"], trial.id))
    noted.sort()
    first = noted[0][0] if noted else 0.0
    workers: dict[float, int] = {}
    return [
        Interval(number, workers.setdefault(process, len(workers)), began - first, ended - first)
        for began, ended, process, number in noted
    ]


def busy(intervals: Sequence[Interval], workers: int) -> float:
    """Share of the workers' time, from the first beginning to the last end, that was work."""
    if not intervals:
        raise ValueError("no trials: run a search first")
    whole = max(i.ended for i in intervals) - min(i.began for i in intervals)
    return sum(i.ended - i.began for i in intervals) / (whole * workers)


@dataclass(frozen=True)
class Plan:
    """How long a search takes on many workers, from figures that were measured.
    A scheduler hands tasks out one after the other, and each costs it ``overhead`` seconds. A batch
    is over when its last trial is, so workers wait for the slowest; trials are taken to be equally
    long here, ``trial`` seconds, and the waiting that differences cause comes on top."""

    trial: float
    overhead: float

    def __post_init__(self) -> None:
        number_in("overhead", self.overhead)
        if not number_in("trial", self.trial):
            raise ValueError("a trial takes more than 0 seconds")

    def seconds(self, trials: int, workers: int, batch: int) -> float:
        """Seconds for all trials, asked in batches."""
        trials, workers = whole_number("trials", trials), whole_number("workers", workers)
        starts = range(0, trials, whole_number("batch", batch))
        return sum(self._batch(min(batch, trials - start), workers) for start in starts)

    def _batch(self, size: int, workers: int) -> float:
        """Either the scheduler is busy all the time, or the workers are."""
        rounds, last = divmod(size - 1, workers)
        handed_out = size * self.overhead + self.trial
        worked = rounds * (self.trial + self.overhead) + (last + 1) * self.overhead + self.trial
        return max(handed_out, worked)

    def speedup(self, trials: int, workers: int, batch: int) -> float:
        """How many times as fast as a single process without a scheduler."""
        return trials * self.trial / self.seconds(trials, workers, batch)
