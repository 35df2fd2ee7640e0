"""What a question is: a driver that puts an answer to work, and a reference to compare with.

A reference is declared by the decorators ``question`` and, below it, ``hints``. A question without
a reference is open: what an answer finds by queries is scored by how good it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from nas_lab.homework.drivers import Plain, call, plain


def as_floats(value: Plain) -> Plain:
    """Whole numbers as floats, for questions that allow both; a bool stays what it is."""
    if isinstance(value, list):
        return [as_floats(entry) for entry in value]
    return float(value) if type(value) is int and abs(value) < 2**1000 else value


@dataclass(frozen=True)
class Question:
    """One exercise."""

    name: str  # ``01.q1`` in a lesson, ``hw1.q1`` in a homework
    draw: Callable[[np.random.Generator], Any]
    """Makes the arguments of one call, as plain data; for an open question a ``Task``."""
    answer: str  # the name of the function that a homework asks for
    hint: str = ""  # what to look at when an answer differs; never the solution
    mistakes: Mapping[str, Callable[..., Plain]] = field(default_factory=dict)
    """Usual wrong answers by their hints; an answer that does the same gets that hint."""
    reference: Callable[..., Plain] | None = None  # a correct answer; None for an open question
    points: int = 0
    drive: Callable[..., Plain] = call
    """Of ``drivers``: ``drive(answer, *inputs)``, or for an open question with ``ask`` between."""
    normal: Callable[[Plain], Plain] = lambda value: value
    """Brings results into the form that is compared, such as ``as_floats``."""
    outside: Any = None
    """Makes of some cases what a box must not hold, where ``drive`` needs it: ``inputs`` of each
    case, ``drive(answer, ask, *inputs)`` for the box, ``budget`` and ``evaluate`` as a ``Task``,
    and ``results(given)``, what ``drive`` would have given."""


QUESTIONS: dict[str, Question] = {}  # every question that was declared, by name


def question(
    name: str, draw: Callable[[np.random.Generator], Any], **attributes: Any
) -> Callable[[Callable], Callable]:
    """Declare a reference, whose name is that of the answer after an underscore.
    ``draw`` may give numpy's numbers and arrays; ``attributes`` are the others of a ``Question``.
    """

    def declare(reference: Callable) -> Callable:
        answer = reference.__name__.removeprefix("_")
        given = {"reference": reference, **vars(reference), **attributes}
        QUESTIONS[name] = Question(name, lambda rng: plain(draw(rng)), answer, **given)
        return reference

    return declare


def hints(hint: str, *mistakes: Any) -> Callable[[Callable], Callable]:
    """Give a reference its hint, and then in turn a usual wrong answer and the hint for that."""

    def attach(reference: Callable) -> Callable:
        by_hint = zip(mistakes[1::2], mistakes[::2], strict=True)
        vars(reference).update(hint=hint, mistakes=dict(by_hint))
        return reference

    return attach


@dataclass(frozen=True)
class Homework:
    """Questions that are handed in together, and points for a written answer, given by hand."""

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


VALID_SHARE = 0.25  # share of the points for networks within the limit, however good they are
FULL_POINTS_AT = 0.4  # mean normalized score that earns all points


@dataclass(frozen=True)
class Result:
    """What a search found in one case."""

    score: float  # of what was found; 0 when nothing that counts was found
    low: float  # what random search with the same budget reaches on average
    high: float  # the best that there is
    asked: int = 0  # how many queries it took
    problem: str = ""  # why nothing counts, in words; empty when something does

    @property
    def normalized_score(self) -> float:
        """How far from random search (0) to the best (1), in [-1, 1]; -1 with a problem."""
        if self.problem:
            return -1.0
        return float(np.clip((self.score - self.low) / (self.high - self.low), -1, 1))


Task: TypeAlias = Any
"""One case of an open question: the ``budget`` of queries, the other ``inputs`` of an answer,
``evaluate(value)``, which replies to a query or raises ValueError, and ``result(got, asked)``."""


class QueryBudget:
    """Replies to the queries of one case. It counts here, where no answer can reach."""

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
        """The same for an answer that runs in this process; RuntimeError when it is refused."""
        reply = self.reply(value)
        if "refused" in reply:
            raise RuntimeError(reply["refused"])
        return reply["value"]


def trial(question: Question, answer: Callable[..., Any], seed: int) -> Result:
    """Put an answer to an open question to work on one case, in this process."""
    budget = QueryBudget(question.draw(np.random.default_rng(seed)))
    got = question.drive(answer, budget.ask, *budget.task.inputs)
    return budget.task.result(got, budget.asked)


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
        words += f"the best {high:.4f}: normalized score {normalized_score(results):.0%}"
    problems = [f"case {n}: {r.problem}" for n, r in enumerate(results, start=1) if r.problem]
    return "; ".join([words, *problems[:1]])
