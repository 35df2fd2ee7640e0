"""Ask, evaluate, tell: the loop that knows no algorithm."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Protocol

import numpy as np

from nas_lab._arguments import whole_number
from nas_lab.estimation.base import Estimator, estimate_all
from nas_lab.history import History, Trial
from nas_lab.spaces.base import Arch, Space


class Strategy(Protocol):
    """What proposes architectures and learns from their results."""

    space: Space

    def ask(self, n: int) -> list[Arch]:
        """Propose ``n`` architectures; fewer, or none, when there is nothing left to propose."""
        ...

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn from the trials of the last ``ask``, in its order."""
        ...


class SeededStrategy:
    """A space, a seed, and a new random generator for each ``ask``.

    The n-th ``ask`` draws from ``default_rng([seed, n])``, so a strategy repeats itself exactly
    when it is asked and told the same.
    """

    def __init__(self, space: Space, *, seed: int = 0) -> None:
        if not isinstance(space, Space):
            raise TypeError(f"space is a nas_lab Space, not {type(space).__name__}")
        self.space = space
        self.seed = whole_number("seed", seed, least=0)
        self._asks = itertools.count()

    def next_rng(self) -> np.random.Generator:
        """The generator of the next ``ask``."""
        return np.random.default_rng([self.seed, next(self._asks)])

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn nothing; strategies that do override this."""


def search(
    strategy: Strategy,
    estimate: Estimator,
    trials: int,
    *,
    batch: int = 1,
    executor: Executor | None = None,
    history: History | None = None,
    seed: int = 0,
) -> Iterator[Trial]:
    """Let a strategy propose architectures, evaluate them, and yield the trials in order.

    Args:
        strategy: what proposes.
        estimate: what evaluates, called as ``estimate(arch, seed)``.
        trials: how many architectures to evaluate in all.
        batch: how many to ask for at a time. A batch is asked, run and told as one, so the trials
            do not depend on the number of workers.
        executor: any ``concurrent.futures.Executor``; None evaluates in this process.
        history: where trials are kept. Trials that it already holds are not evaluated again: they
            are told to the strategy and yielded like new ones.
        seed: handed to every ``estimate``. With one seed for all, architectures are compared under
            the same luck.

    Yields:
        Trials with ids 0, 1, 2, ... Leave the loop to stop early.

    Raises:
        TypeError, ValueError: an argument is wrong; raised at the call.
        ValueError: the history holds a trial that this strategy would not have asked for.
        RuntimeError: a worker died. Finished trials are in the history.
    """
    if not callable(estimate):
        raise TypeError(f"estimate is called as estimate(arch, seed); {estimate!r} is not callable")
    trials = whole_number("trials", trials, least=0)
    batch = whole_number("batch", batch)
    seed = whole_number("seed", seed, least=0)
    if history is None:
        history = History(None, strategy.space)
    elif history.space.fingerprint != strategy.space.fingerprint:
        raise ValueError(
            f"the history is one of {history.space.name}, the strategy searches "
            f"{strategy.space.name}: open a history with the strategy's space"
        )
    return _search(strategy, estimate, trials, batch, executor, history, seed)


def _search(
    strategy: Strategy,
    estimate: Estimator,
    trials: int,
    batch: int,
    executor: Executor | None,
    history: History,
    seed: int,
) -> Iterator[Trial]:
    for first in range(0, trials, batch):
        asked = dict(enumerate(strategy.ask(min(batch, trials - first)), start=first))
        if not asked:
            return
        missing = _missing(asked, history)
        done = estimate_all(estimate, missing, history, executor=executor, seed=seed)
        waiting = list(asked)
        for _ in itertools.chain([None], done):
            while waiting and waiting[0] in history:
                yield history[waiting.pop(0)]
        strategy.tell([history[id] for id in asked])


def _missing(asked: Mapping[int, Arch], history: History) -> dict[int, Arch]:
    """What was asked and is not in the history yet."""
    for id, arch in asked.items():
        if id in history and history[id].arch != arch:
            raise ValueError(
                f"trial {id} of the history is {history[id].arch}, this strategy asks for {arch}: "
                "resume with the strategy, seed, batch and hyperparameters that wrote it"
            )
    return {id: arch for id, arch in asked.items() if id not in history}
