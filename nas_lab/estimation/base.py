"""What every estimate of a network's quality offers, and how many are run at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from typing import Protocol

from nas_lab.history import Evaluation, History, Trial
from nas_lab.spaces.base import Arch


class Estimator(Protocol):
    """Anything that can be called and pickled: a search neither knows nor cares which.

    ``estimate(arch, seed)`` returns an ``Evaluation``: a score to maximise, its cost in seconds
    and further named numbers. The same architecture and seed give the same score.
    """

    def __call__(self, arch: Arch, seed: int) -> Evaluation:
        """Return how good ``arch`` is, when all chance is drawn from ``seed``."""
        ...


def estimate_all(
    estimate: Estimator,
    archs: Mapping[int, Arch],
    history: History,
    *,
    executor: Executor | None = None,
    seed: int = 0,
) -> Iterator[Trial]:
    """Evaluate architectures, keep each as a trial as soon as it is there, and yield it.

    Args:
        estimate: what evaluates; picklable where the executor has processes.
        archs: the architectures by the ids of their trials.
        history: where trials are kept.
        executor: who evaluates; None evaluates here, one after the other.
        seed: handed to every ``estimate``.

    Yields:
        Trials in the order in which they are ready. When this ends early, what was finished by
        then is kept.

    Raises:
        TypeError: the estimate returned something else than an ``Evaluation``.
        RuntimeError: a worker died.
    """
    if executor is not None:
        yield from _in_parallel(estimate, archs, history, executor, seed)
        return
    for id, arch in archs.items():
        trial = Trial(id, arch, _evaluation(estimate(arch, seed)))
        history.append(trial)
        yield trial


def _in_parallel(
    estimate: Estimator,
    archs: Mapping[int, Arch],
    history: History,
    executor: Executor,
    seed: int,
) -> Iterator[Trial]:
    futures: dict[Future[Evaluation], int] = {}

    def keep(future: Future[Evaluation]) -> Trial:
        id = futures[future]
        if id not in history:
            history.append(Trial(id, archs[id], _evaluation(future.result())))
        return history[id]

    try:
        for id, arch in archs.items():
            futures[executor.submit(estimate, arch, seed)] = id
        for future in as_completed(futures):
            yield keep(future)
    except BrokenExecutor as error:
        raise RuntimeError(
            "a worker died, often for lack of memory. Finished trials are kept in the history: "
            "start a new executor, with fewer workers, and search again with the same history"
        ) from error
    finally:
        for future in futures:
            future.cancel()
            if future.done() and not future.cancelled() and future.exception() is None:
                keep(future)


def _evaluation(result: object) -> Evaluation:
    if not isinstance(result, Evaluation):
        raise TypeError(f"estimate has to return an Evaluation, not {type(result).__name__}")
    return result
