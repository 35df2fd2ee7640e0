"""What happened in a search: evaluations, trials, and a history that survives the process."""

from __future__ import annotations

import errno
import json
import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsFloat

import lazy_loader

from nas_lab.checks import whole_number
from nas_lab.spaces.base import Arch, Space

if TYPE_CHECKING:
    import numpy as np
else:
    np = lazy_loader.load("numpy")

FORMAT = "nas_lab.history/1"


@dataclass(frozen=True)
class Evaluation:
    """What an estimate says of one architecture.
    A higher score is better; it is validation accuracy in [0, 1] unless the estimate says
    otherwise, and NaN when the evaluation failed. The cost is in seconds, measured or recorded."""

    score: float
    cost: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "score", _real("score", self.score))
        object.__setattr__(self, "cost", _real("cost", self.cost))
        metrics = {name: _real(name, value) for name, value in self.metrics.items()}
        object.__setattr__(self, "metrics", metrics)


def _real(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, SupportsFloat):
        raise TypeError(f"an Evaluation's {name} is a number, not {value!r}")
    return float(value)


Estimator = Callable[[Arch, int], Evaluation]
"""From an architecture and a seed to how good it is; picklable, and the same for the same seed."""


@dataclass(frozen=True)
class Trial:
    """One evaluated architecture of a search; ``id`` is its place there, counted from 0."""

    id: int
    arch: Arch
    result: Evaluation


class HistoryWarning(UserWarning):
    """A history was read, but not all of it."""


class History:
    """Trials of one search, kept in memory and, with a path, line by line in a file.
    The file is JSON lines: a header with the space's fingerprint, then one trial a line. Opening an
    existing file reads its trials, so a search that is given the history goes on where it stopped.
    Every trial is written at once; what is written survives a killed process. A half-written last
    line, as a kill leaves it, is dropped with a ``HistoryWarning``. Raises ValueError when the file
    belongs to another space or is no history."""

    def __init__(self, path: str | os.PathLike[str] | None, space: Space) -> None:
        self.path = None if path is None else Path(path)
        self.space = space
        self._trials: dict[int, Trial] = {}
        header = {"format": FORMAT, "space": space.name, "fingerprint": space.fingerprint}
        self._unwritten = [_line(header)]
        self._size = self._whole = 0  # bytes in the file, and those that hold whole lines
        if self.path is not None and self.path.exists():
            self._read(self.path)

    @property
    def trials(self) -> list[Trial]:
        """All trials, in the order of their ids."""
        return [self._trials[i] for i in sorted(self._trials)]

    def __len__(self) -> int:
        return len(self._trials)

    def __getitem__(self, id: int) -> Trial:
        return self._trials[id]

    def __contains__(self, id: object) -> bool:
        return id in self._trials

    @property
    def best(self) -> Trial:
        """The trial with the highest score, the first of them where several share it."""
        scored = [trial for trial in self.trials if not math.isnan(trial.result.score)]
        if not scored:
            raise ValueError("this history holds no trial with a score yet")
        return max(scored, key=lambda trial: trial.result.score)

    def incumbent(self) -> list[float]:
        """Best score so far, after each trial; NaN until the first one that has a score."""
        scores = np.array([trial.result.score for trial in self.trials], dtype=float)
        return np.fmax.accumulate(scores).tolist()  # fmax leaves NaN out

    def pareto(self, cost: str = "cost") -> list[Trial]:
        """The Pareto front of score and ``cost``: ``"cost"`` for seconds, or a metric's name."""
        return pareto(self.trials, cost)

    def append(self, trial: Trial) -> None:
        """Keep a trial, and write it to the file.
        Where that fails with an OSError the trial stays in memory, the file keeps whole lines, and
        the next ``append`` or ``flush`` writes what is missing."""
        self.space.check(trial.arch)
        if trial.id in self._trials:
            raise ValueError(f"trial {trial.id} is in this history already")
        self._trials[trial.id] = trial
        if self.path is not None:
            content = {"id": trial.id, "arch": list(trial.arch), **vars(trial.result)}
            self._unwritten.append(_line(content))
            self.flush()

    def flush(self) -> None:
        """Write trials that an earlier error kept out of the file."""
        if self.path is None or not self._unwritten:
            return
        try:
            self._write(self.path, "".join(self._unwritten).encode())
        except OSError as error:
            raise OSError(
                error.errno,
                f"{error.strerror or error}; all {len(self)} trials are still in memory: "
                "make room, then call history.flush()",
                str(self.path),
            ) from error
        self._unwritten.clear()

    def _write(self, path: Path, data: bytes) -> None:
        """Put ``data`` behind the whole lines, or leave the file as it was."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab", buffering=0) as file:
            if file.tell() != self._size:
                raise RuntimeError(
                    f"{path} was changed by something else while this history was open. "
                    "Give every running search a file of its own"
                )
            try:
                file.truncate(self._whole)
                if file.write(data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                file.truncate(self._whole)
                self._size = self._whole
                raise
        self._size = self._whole = self._whole + len(data)

    def _read(self, path: Path) -> None:
        if not path.is_file():
            raise OSError(f"{path} is no file: choose another path for this history")
        *lines, torn = path.read_bytes().split(b"\n")
        if torn:
            warnings.warn(
                f"{path}: the last line was not finished and is left out; "
                "its trial will be evaluated again",
                HistoryWarning,
                stacklevel=3,
            )
        for number, line in enumerate(lines, start=1):
            try:
                content = dict(json.loads(line))
                if number > 1:
                    trial = self._as_trial(**content)
                    self._trials[trial.id] = trial
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"{path}, line {number} is damaged ({error}). Remove the line, or move the "
                    "file away to start anew"
                ) from error
            if number == 1:
                self._check_header(content)
                self._unwritten.clear()
            self._whole += len(line) + 1
        self._size = self._whole + len(torn)

    def _check_header(self, header: Mapping[str, Any]) -> None:
        if header.get("format") != FORMAT:
            raise ValueError(f"{self.path} is no history: its first line is not a {FORMAT} header")
        if header.get("fingerprint") != self.space.fingerprint:
            raise ValueError(
                f"{self.path} holds trials of {header.get('space')!r} with fingerprint "
                f"{header.get('fingerprint')}; this space is {self.space.name!r} with "
                f"{self.space.fingerprint}. Choose another path, or open it with its own space"
            )

    def _as_trial(self, id: int, arch: Arch, **result: Any) -> Trial:
        return Trial(whole_number("id", id, 0), self.space.check(arch), Evaluation(**result))


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":")) + "\n"


def estimate_all(
    estimate: Estimator,
    archs: Mapping[int, Arch],
    history: History,
    *,
    executor: Executor | None = None,
    seed: int = 0,
) -> Iterator[Trial]:
    """Evaluate architectures, given by the ids of their trials, and keep each trial at once.
    Yields trials in the order in which they are ready. When this ends early, what was finished by
    then is kept."""

    def keep(id: int, result: Evaluation) -> Trial:
        if not isinstance(result, Evaluation):
            raise TypeError(f"estimate has to return an Evaluation, not {type(result).__name__}")
        if id not in history:
            history.append(Trial(id, archs[id], result))
        return history[id]

    if executor is None:
        for id, arch in archs.items():
            yield keep(id, estimate(arch, seed))
        return
    futures: dict[Future[Evaluation], int] = {}
    try:
        for id, arch in archs.items():
            futures[executor.submit(estimate, arch, seed)] = id
        for future in as_completed(futures):
            yield keep(futures[future], future.result())
    except BrokenExecutor as error:
        raise RuntimeError(
            "a worker died, often for lack of memory. Finished trials are kept in the history: "
            "start a new executor, with fewer workers, and search again with the same history"
        ) from error
    finally:
        for future, id in futures.items():
            future.cancel()
            if future.done() and not future.cancelled() and future.exception() is None:
                keep(id, future.result())


def price(trial: Trial, cost: str = "cost") -> float:
    """What a trial cost: its seconds for ``"cost"``, else the metric of that name."""
    prices = {**trial.result.metrics, "cost": trial.result.cost}
    if cost not in prices:
        known = ", ".join(["cost", *trial.result.metrics])
        raise ValueError(f"trial {trial.id} has no metric {cost!r}; it has: {known}")
    return prices[cost]


def front(scores: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """Places of what no other beats in both score (higher) and cost (lower), cheapest first.
    Scores that are NaN take no part; of equals in both, the first stands for all."""
    places = np.flatnonzero(~np.isnan(scores))
    order = places[np.lexsort((-scores[places], costs[places]))]
    best_before = np.maximum.accumulate(np.concatenate(([-math.inf], scores[order])))[:-1]
    return order[scores[order] > best_before]


def pareto(trials: Iterable[Trial], cost: str = "cost") -> list[Trial]:
    """Trials that no other beats in both score (higher) and ``price`` (lower), cheapest first."""
    trials = list(trials)
    scores = np.array([trial.result.score for trial in trials], dtype=float)
    costs = np.array([price(trial, cost) for trial in trials], dtype=float)
    return [trials[i] for i in front(scores, costs)]
