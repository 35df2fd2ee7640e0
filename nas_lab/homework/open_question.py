"""Questions without one right answer: what a search finds is scored by how good it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from nas_lab.homework.drivers import Plain

ANY = 0.25
"""Share of the points for networks within the limit, however good they are."""


@dataclass(frozen=True)
class Result:
    """What a search found in one case.

    Attributes:
        score: of what was found; 0 when nothing that counts was found.
        low: the score that random search with the same budget reaches on average.
        high: the best score that there is.
        asked: how many queries it took.
        problem: why nothing counts, in words; empty when something does.
    """

    score: float
    low: float
    high: float
    asked: int = 0
    problem: str = ""

    @property
    def way(self) -> float:
        """How far from random search (0) to the best (1), in [-1, 1]; -1 with a problem."""
        if self.problem:
            return -1.0
        return float(np.clip((self.score - self.low) / (self.high - self.low), -1, 1))


class Task(Protocol):
    """One case, with what an answer is not to see."""

    @property
    def inputs(self) -> list[Plain]:
        """What an answer is given besides the means to ask."""

    @property
    def budget(self) -> int:
        """How often an answer may ask."""

    def told(self, value: Plain) -> Plain:
        """What an answer learns when it asks; ValueError when it asks for what there is not."""

    def result(self, got: Plain, asked: int) -> Result:
        """How good an answer's find is."""


class QueryBudget:
    """Where an answer asks in one case. It counts here, where no answer can reach.

    Attributes:
        task: what is asked about.
        asked: how often, up to now.
    """

    def __init__(self, task: Task) -> None:
        self.task, self.asked = task, 0

    def reply(self, value: Plain) -> dict[str, Plain]:
        """What is told, or why it is refused."""
        if self.asked >= self.task.budget:
            return {"refused": f"the budget of {self.task.budget} queries is spent"}
        self.asked += 1
        try:
            return {"told": self.task.told(value)}
        except ValueError as error:
            return {"refused": str(error)}

    def ask(self, value: Plain) -> Plain:
        """The same for an answer that runs in this process.

        Raises:
            RuntimeError: it is refused.
        """
        reply = self.reply(value)
        if "refused" in reply:
            raise RuntimeError(reply["refused"])
        return reply["told"]


@dataclass(frozen=True)
class OpenQuestion:
    """An exercise that is never finished, and scored.

    Attributes:
        name: such as ``capstone.q1``.
        draw: ``draw(rng)`` makes a task.
        hint: what to try when the way to the best is long.
        points: what a good answer earns.
        answer: the name of the function that is asked for.
        drive: ``drive(answer, ask, *inputs)`` puts an answer to work, a function of ``drivers``.
        enough: of the way from random search to the best, on average, for all points.
        public: how many cases ``check`` draws.
        hidden: how many the grader draws.
    """

    name: str
    draw: Callable[[np.random.Generator], Task]
    hint: str
    points: int
    answer: str
    drive: Callable[..., Plain]
    enough: float = 0.4
    public: int = 6
    hidden: int = 40

    def earned(self, results: Sequence[Result]) -> int:
        """Points: a part for networks that count, the rest for how good they are."""
        counting = float(np.mean([not result.problem for result in results]))
        good = float(np.clip(way(results) / self.enough, 0, 1))
        return round(self.points * (ANY * counting + (1 - ANY) * good))

    def trial(self, answer: Callable[..., Any], seed: int) -> Result:
        """Put an answer to work on one case in this process."""
        task = self.draw(np.random.default_rng(seed))
        query_budget = QueryBudget(task)
        return task.result(self.drive(answer, query_budget.ask, *task.inputs), query_budget.asked)


def way(results: Sequence[Result]) -> float:
    """Of the way from random search to the best, on average."""
    return float(np.mean([result.way for result in results]))


def in_words(results: Sequence[Result]) -> str:
    """What several searches found."""
    counting = [result for result in results if not result.problem]
    words = f"{len(counting)} of {len(results)} networks count"
    if counting:
        score, low, high = np.mean([[r.score, r.low, r.high] for r in counting], axis=0)
        words += f"; test accuracy {score:.4f} on average, random search {low:.4f}, "
        words += f"the best {high:.4f}: {way(results):.0%} of the way"
    problems = [f"case {n}: {r.problem}" for n, r in enumerate(results, start=1) if r.problem]
    return "; ".join([words, *problems[:1]])
