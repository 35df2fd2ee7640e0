"""What a question is: a driver that puts an answer to work, and a reference to compare with.

A reference is declared as one by the decorator ``question``. A question without a reference is
open: what an answer finds by queries is scored by how good it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from nas_lab.homework.drivers import Plain, call, plain


def same(value: Plain) -> Plain:
    """Leave plain data as they are."""
    return value


def as_floats(value: Plain) -> Plain:
    """Whole numbers as floats, for questions that allow both; a bool stays what it is."""
    if isinstance(value, list):
        return [as_floats(entry) for entry in value]
    return float(value) if type(value) is int and abs(value) < 2**1000 else value


@dataclass(frozen=True)
class Question:
    """One exercise.

    Attributes:
        name: of the form ``01.q1`` in a lesson, ``hw1.q1`` in a homework.
        draw: ``draw(rng)`` makes the arguments of one call, as plain data; for an open question a
            ``Task``.
        hint: what to look at when an answer differs; never the solution.
        answer: the name of the function that a homework asks for.
        reference: a correct answer; None for an open question.
        points: what a right answer earns in a homework.
        drive: ``drive(answer, *inputs)`` puts an answer to work, a function of ``drivers``; for an
            open question ``drive(answer, ask, *inputs)``.
        normal: brings results into the form that is compared, such as ``as_floats``.
        mistakes: usual wrong answers by their hints; an answer that does the same gets that hint.
    """

    name: str
    draw: Callable[[np.random.Generator], Any]
    hint: str
    answer: str
    reference: Callable[..., Plain] | None = None
    points: int = 0
    drive: Callable[..., Plain] = call
    normal: Callable[[Plain], Plain] = same
    mistakes: Mapping[str, Callable[..., Plain]] = field(default_factory=dict)

    def driver(self, answer: Callable[..., Any], rng: np.random.Generator) -> Plain:
        """Put ``answer`` to work on drawn arguments and return what comes out, as plain data."""
        return self.drive(answer, *self.draw(rng))


QUESTIONS: dict[str, Question] = {}
"""Every question that was declared, by name."""


def question(
    name: str, draw: Callable[[np.random.Generator], Any], **attributes: Any
) -> Callable[[Callable], Callable]:
    """Declare a reference, whose name is that of the answer after an underscore.

    Args:
        name: of the question.
        draw: as for ``Question``, but numbers and arrays may be numpy's.
        attributes: the others of a ``Question``.
    """

    def declare(reference: Callable) -> Callable:
        answer = reference.__name__.removeprefix("_")
        QUESTIONS[name] = Question(
            name, lambda rng: plain(draw(rng)), answer=answer, reference=reference, **attributes
        )
        return reference

    return declare


@dataclass(frozen=True)
class Homework:
    """Questions that are handed in together.

    Attributes:
        name: such as ``hw1``.
        title: in words.
        written: points for the written answer, given by hand.
    """

    name: str
    title: str
    written: int = 3

    @property
    def questions(self) -> tuple[Question, ...]:
        """Graded by the machine."""
        return tuple(q for q in QUESTIONS.values() if q.name.startswith(f"{self.name}."))

    @property
    def points(self) -> int:
        """What all questions that the machine grades earn together."""
        return sum(question.points for question in self.questions)


# ---- open questions: what an answer finds is scored

VALID_SHARE = 0.25
"""Share of the points for networks within the limit, however good they are."""
FULL_POINTS_AT = 0.4
"""Mean normalized score that earns all points."""


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
    def normalized_score(self) -> float:
        """How far from random search (0) to the best (1), in [-1, 1]; -1 with a problem."""
        if self.problem:
            return -1.0
        return float(np.clip((self.score - self.low) / (self.high - self.low), -1, 1))


class Task(Protocol):
    """One case of an open question, with what an answer is not to see."""

    budget: int
    """How often an answer may ask."""

    @property
    def inputs(self) -> list[Plain]:
        """What an answer is given besides the means to ask."""

    def evaluate(self, value: Plain) -> Plain:
        """The reply to a query; ValueError when it asks for what there is not."""

    def result(self, got: Plain, asked: int) -> Result:
        """How good an answer's find is."""


class QueryBudget:
    """Replies to the queries of one case. It counts here, where no answer can reach.

    Attributes:
        task: what is asked about.
        asked: how often, up to now.
    """

    def __init__(self, task: Task) -> None:
        self.task, self.asked = task, 0

    def reply(self, value: Plain) -> dict[str, Plain]:
        """The value of a query, or why it is refused."""
        if self.asked >= self.task.budget:
            return {"refused": f"the budget of {self.task.budget} queries is spent"}
        self.asked += 1
        try:
            return {"value": self.task.evaluate(value)}
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
        return reply["value"]


def trial(question: Question, answer: Callable[..., Any], seed: int) -> Result:
    """Put an answer to an open question to work on one case, in this process."""
    query_budget = QueryBudget(question.draw(np.random.default_rng(seed)))
    task = query_budget.task
    got = question.drive(answer, query_budget.ask, *task.inputs)
    return task.result(got, query_budget.asked)


def normalized_score(results: Sequence[Result]) -> float:
    """How far from random search (0) to the best (1), on average."""
    return float(np.mean([result.normalized_score for result in results]))


def earned(points: int, results: Sequence[Result]) -> int:
    """Points: a part for networks that count, the rest for how good they are."""
    counting = float(np.mean([not result.problem for result in results]))
    good = float(np.clip(normalized_score(results) / FULL_POINTS_AT, 0, 1))
    return round(points * (VALID_SHARE * counting + (1 - VALID_SHARE) * good))


def in_words(results: Sequence[Result]) -> str:
    """What several searches found."""
    counting = [result for result in results if not result.problem]
    words = f"{len(counting)} of {len(results)} networks count"
    if counting:
        score, low, high = np.mean([[r.score, r.low, r.high] for r in counting], axis=0)
        words += f"; test accuracy {score:.4f} on average, random search {low:.4f}, "
        words += f"the best {high:.4f}: {normalized_score(results):.0%} of the way"
    problems = [f"case {n}: {r.problem}" for n, r in enumerate(results, start=1) if r.problem]
    return "; ".join([words, *problems[:1]])
