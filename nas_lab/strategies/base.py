"""The search loop: ask, evaluate, tell; and the training loop of strategies that learn in steps."""

from __future__ import annotations

import functools
import inspect
import itertools
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nas_lab.checks import whole_number
from nas_lab.history import Estimator, History, Trial, estimate_all
from nas_lab.spaces.base import Arch, Space

if TYPE_CHECKING:
    from typing_extensions import Self


class Strategy(Protocol):
    """What proposes architectures and learns from their results.
    One that trains them in steps also has a ``fidelity``: the estimate of what was asked last is
    called as ``estimate(arch, seed, **fidelity)``."""

    space: Space

    def ask(self, n: int) -> list[Arch]:
        """Propose ``n`` architectures; fewer, or none, when there is nothing left to propose."""

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn from the trials of the last ``ask``, in its order."""


class SeededStrategy:
    """A space, a seed, and a new random generator for each ``ask``.
    The n-th ``ask`` draws from ``default_rng([seed, n])``, so a strategy repeats itself exactly."""

    fidelity: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, space: Space, *, seed: int = 0) -> None:
        if not isinstance(space, Space):
            raise TypeError(f"space is a nas_lab Space, not {type(space).__name__}")
        self.space = space
        self.seed = whole_number("seed", seed, least=0)
        self._asks = 0

    def next_rng(self) -> np.random.Generator:
        """The generator of the next ``ask``."""
        self._asks += 1
        return np.random.default_rng([self.seed, self._asks - 1])

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
        strategy, estimate: what proposes, and what evaluates: ``estimate(arch, seed)``.
        batch: how many to ask for at a time. A batch is asked, run and told as one, so the trials
            do not depend on the number of workers.
        executor: any ``concurrent.futures.Executor``; None evaluates in this process.
        history: where trials are kept. Those that it already holds are not evaluated again, but
            told to the strategy and yielded like new ones.
        seed: handed to every estimate, so architectures are compared under the same luck.

    Yields:
        Trials with ids 0, 1, 2, ... Leave the loop to stop early.
    """
    if not callable(estimate):
        raise TypeError(f"estimate is called as estimate(arch, seed); {estimate!r} is not callable")
    if fidelity := getattr(strategy, "fidelity", {}):
        try:
            inspect.signature(estimate).bind(None, None, **fidelity)
        except TypeError:
            raise TypeError(
                f"{type(strategy).__name__} trains in steps and calls estimate(arch, seed, "
                f"{', '.join(f'{n}=...' for n in fidelity)}), which {estimate!r} does not take"
            ) from None
    trials = whole_number("trials", trials, least=0)
    batch = whole_number("batch", batch)
    seed = whole_number("seed", seed, least=0)
    kept = History(None, strategy.space) if history is None else history
    if kept.space.fingerprint != strategy.space.fingerprint:
        raise ValueError(
            f"the history is one of {kept.space.name}, the strategy searches "
            f"{strategy.space.name}: open a history with the strategy's space"
        )

    def loop() -> Iterator[Trial]:
        first = 0
        while first < trials:
            asked = dict(enumerate(strategy.ask(min(batch, trials - first)), start=first))
            if not asked:
                return
            first += len(asked)
            for id, arch in asked.items():
                if id in kept and kept[id].arch != arch:
                    raise ValueError(
                        f"trial {id} of the history is {kept[id].arch}, this strategy asks for "
                        f"{arch}: resume with the strategy, seed, batch and hyperparameters that "
                        "wrote it"
                    )
            missing = {id: arch for id, arch in asked.items() if id not in kept}
            evaluate = functools.partial(estimate, **getattr(strategy, "fidelity", {}))
            done = estimate_all(evaluate, missing, kept, executor=executor, seed=seed)
            waiting = list(asked)
            for _ in itertools.chain([None], done):
                while waiting and waiting[0] in kept:
                    yield kept[waiting.pop(0)]
            strategy.tell([kept[id] for id in asked])

    return loop()


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a learner, counted from 1 over all trainings."""

    number: int
    progress: float  # share of this training's budget that is used, in [0, 1]
    seconds: float  # CPU time of all steps so far


Used = Callable[[float], float]
"""Share of the budget that is used after a part of the present step, both in [0, 1]."""


class Learner(ABC):
    """What learns weights step by step: one-shot, ENAS and DARTS."""

    def __init__(self) -> None:
        self.log: list[Any] = []  # a record of each step
        self.seconds = 0.0  # CPU time of these steps

    def fit(self, *, seconds: float | None = None, steps: int | None = None) -> Self:
        """``train`` to the end, and return itself. An interrupt ends it early; its log stays."""
        with suppress(KeyboardInterrupt):
            for _ in self.train(seconds=seconds, steps=steps):
                pass
        return self

    def train(self, *, seconds: float | None = None, steps: int | None = None) -> Iterator[Any]:
        """Learn step by step; leave the loop at any time. Yields a record of each step.
        Learning rates fall over the budget: CPU ``seconds`` of this thread, or a number of steps.
        How many steps some seconds are worth differs from run to run; the same seed and steps give
        the same result. A loss that is not finite raises FloatingPointError."""
        if (seconds is None) == (steps is None):
            raise TypeError("give either seconds or steps")
        if steps is not None:
            whole_number("steps", steps)
        elif not 0 < seconds < math.inf:  # type: ignore[operator]
            raise ValueError(f"seconds must be a number above 0, not {seconds!r}")

        def loop() -> Iterator[Any]:
            first, began = len(self.log), self.seconds

            def used(part: float) -> float:
                if steps is not None:
                    return (len(self.log) - first + part) / steps
                return min(1.0, (self.seconds - began) / (seconds or 1.0))

            self.begin()
            while used(0) < 1:
                yield self.advance(used)

        return loop()

    def advance(self, used: Used) -> Any:
        """Do a step, and log it."""
        start = time.thread_time()
        record = self.step(used)
        self.seconds += time.thread_time() - start
        number = len(self.log) + 1
        self.log.append(record(number=number, progress=used(1), seconds=self.seconds))
        return self.log[-1]

    @abstractmethod
    def begin(self) -> None:
        """A training begins: make new optimisers."""

    @abstractmethod
    def step(self, used: Used) -> Callable[..., Step]:
        """Do a step; return its record, which lacks number, progress and seconds."""
