"""What a question is: a driver that puts an answer to work, and a reference to compare with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas_lab.homework.drivers import Plain, call, plain
from nas_lab.homework.open_question import OpenQuestion

__all__ = ["Homework", "Mistake", "Plain", "Question", "as_floats", "plain"]


def same(value: Plain) -> Plain:
    """Leave plain data as they are."""
    return value


def as_floats(value: Plain) -> Plain:
    """Whole numbers as floats, for questions that allow both; a bool stays what it is."""
    if isinstance(value, list):
        return [as_floats(entry) for entry in value]
    return float(value) if type(value) is int and abs(value) < 2**1000 else value


@dataclass(frozen=True)
class Mistake:
    """A usual wrong answer, and what to look at; an answer that does the same gets this hint."""

    answer: Callable[..., Plain]
    hint: str


@dataclass(frozen=True)
class Question:
    """One exercise.

    Attributes:
        name: of the form ``01.q1`` in a lesson, ``hw1.q1`` in a homework.
        draw: ``draw(rng)`` makes the arguments of one call, as plain data.
        reference: a correct answer.
        hint: what to look at when an answer differs; never the solution.
        points: what a right answer earns in a homework.
        answer: the name of the function that a homework asks for.
        drive: ``drive(answer, *inputs)`` puts an answer to work, a function of ``drivers``.
        normal: brings results into the form that is compared, such as ``as_floats``.
        mistakes: usual wrong answers.
    """

    name: str
    draw: Callable[[np.random.Generator], list[Plain]]
    reference: Callable[..., Plain]
    hint: str
    points: int = 0
    answer: str = ""
    drive: Callable[..., Plain] = call
    normal: Callable[[Plain], Plain] = same
    mistakes: tuple[Mistake, ...] = ()

    def driver(self, answer: Callable[..., Any], rng: np.random.Generator) -> Plain:
        """Put ``answer`` to work on drawn arguments and return what comes out, as plain data."""
        return self.drive(answer, *self.draw(rng))


@dataclass(frozen=True)
class Homework:
    """Questions that are handed in together.

    Attributes:
        name: such as ``hw1``.
        title: in words.
        questions: graded by the machine.
        written: points for the written answer, given by hand.
    """

    name: str
    title: str
    questions: tuple[Question | OpenQuestion, ...]
    written: int = 3

    @property
    def points(self) -> int:
        """What all questions that the machine grades earn together."""
        return sum(question.points for question in self.questions)
