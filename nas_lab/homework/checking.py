"""Tell a student at once what an answer gets right."""

from __future__ import annotations

import html
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas_lab.homework import homeworks, lessons
from nas_lab.homework.comparing import difference, explained
from nas_lab.homework.open_question import OpenQuestion, in_words
from nas_lab.homework.question import Plain, Question

PUBLIC_SEEDS = range(20)
QUESTIONS: dict[str, Question] = {**lessons.QUESTIONS, **homeworks.QUESTIONS}

_right: dict[str, bool] = {}
"""What ``check`` last found out about each question, for ``progress``."""


@dataclass(frozen=True)
class Report:
    """What ``check`` found out: shown at the end of a cell, in words.

    Attributes:
        name: of the question.
        passed: how many of the public cases agree.
        cases: how many there are.
        problem: the first case that does not agree, in words; empty when all do.
        answered: whether the function returned anything at all.
        progress: of the homework that the question belongs to, in words.
        found: what was found, in place of the number of cases; empty when they tell it.
    """

    name: str
    passed: int
    cases: int
    problem: str = ""
    answered: bool = True
    progress: str = ""
    found: str = ""

    def __bool__(self) -> bool:
        return self.passed == self.cases

    def __repr__(self) -> str:
        return "\n".join(filter(None, [self._found(), self.progress]))

    def _found(self) -> str:
        if not self.answered:
            return f"{self.name}: not answered yet, the function returns None."
        head = f"{self.name}: {self.found or f'{self.passed} of {self.cases} cases agree'}."
        return head if self else f"{head}\n{self.problem}"

    def _repr_html_(self) -> str:
        mark, color = ("✓", "#009e73") if self else ("✗", "#d55e00")
        mark, color = (mark, color) if self.answered else ("…", "#808080")
        text = html.escape(repr(self)).replace("\n", "<br>")
        return (
            f'<div style="border-left:4px solid {color};padding:.3em .8em">'
            f'<b aria-hidden="true">{mark}</b> {text}</div>'
        )


@dataclass(frozen=True)
class Case:
    """One call of an answer.

    Attributes:
        unlike: how the result differs from what was expected, in words; empty when it agrees.
        problem: the same with the call and what it returned.
        got: the result as plain data; None when the answer raised.
        raised: whether the answer raised.
    """

    unlike: str
    problem: str
    got: Plain
    raised: bool = False


def check(name: str, answer: Callable[..., Any]) -> Report:
    """Compare a student's function with the reference on a few public cases.

    Args:
        name: of the question, such as ``"01.q1"`` or ``"hw1.q1"``.
        answer: the function that the question asks for.

    Raises:
        ValueError: there is no such question.
        TypeError: ``answer`` is not a function.
    """
    if name not in QUESTIONS and name not in homeworks.OPEN:
        known = ", ".join([*QUESTIONS, *homeworks.OPEN])
        raise ValueError(f"there is no question {name!r}; there are: {known}")
    if not callable(answer):
        raise TypeError(
            f"check({name!r}, ...) takes the function itself, not {answer!r}: "
            "write its name without parentheses"
        )
    if name in homeworks.OPEN:
        return _tried(homeworks.OPEN[name], answer)
    question = QUESTIONS[name]
    cases = [_case(question, answer, seed) for seed in PUBLIC_SEEDS]
    wrong = [case for case in cases if case.unlike or case.raised]
    _right[name] = not wrong
    return Report(
        name,
        passed=len(cases) - len(wrong),
        cases=len(cases),
        problem=_in_words(question, cases, wrong),
        answered=any(case.raised or case.got is not None for case in cases),
        progress=progress(name.split(".")[0]) if name in homeworks.QUESTIONS else "",
    )


def _tried(question: OpenQuestion, answer: Callable[..., Any]) -> Report:
    """Put a search to work on the public cases, and say how good it is."""
    try:
        results = [question.trial(answer, seed) for seed in range(question.public)]
    except Exception as error:  # whatever a student's function raises belongs in the report
        raised = f"{getattr(answer, '__name__', 'your function')}(query, ...) {_raised(error)}"
        return Report(question.name, 0, question.public, found=raised)
    earned = question.earned(results)
    _right[question.name] = earned == question.points
    return Report(
        question.name,
        passed=earned,
        cases=question.points,
        problem="" if earned == question.points else f"Hint: {question.hint}",
        answered=any(result.asked or not result.problem for result in results),
        progress=progress(question.name.split(".")[0]),
        found=f"{earned} of {question.points} points on public cases. {in_words(results)}",
    )


def progress(homework: str) -> str:
    """Say how many questions of a homework the checks of this session found right.

    Raises:
        ValueError: there is no such homework.
    """
    if homework not in homeworks.HOMEWORKS:
        known = ", ".join(homeworks.HOMEWORKS)
        raise ValueError(f"there is no homework {homework!r}; there are: {known}")
    questions = homeworks.HOMEWORKS[homework].questions
    right = [question for question in questions if _right.get(question.name)]
    marks = " ".join(
        f"{question.name.split('.')[1]} {_mark(question.name)}" for question in questions
    )
    return (
        f"{homework} so far: {len(right)} of {len(questions)} questions, "
        f"{sum(q.points for q in right)} of {sum(q.points for q in questions)} points ({marks})"
    )


def _mark(name: str) -> str:
    return {True: "✓", False: "✗", None: "–"}[_right.get(name)]


def _case(question: Question, answer: Callable[..., Any], seed: int) -> Case:
    """Put an answer to work in one public case, and say what is wrong with it in words."""
    expected = _result(question, question.reference, seed)
    arguments = ", ".join(_short(entry) for entry in question.draw(np.random.default_rng(seed)))
    call = f"{getattr(answer, '__name__', 'your function')}({_short(arguments, 400, str)})"
    try:
        got = _result(question, answer, seed)
    except Exception as error:  # whatever a student's function raises belongs in the report
        return Case("", f"{call} {_raised(error)}", None, raised=True)
    unlike = difference(got, expected) or ""
    return Case(unlike, f"{call} returned {_short(got)}: {unlike}.", got)


def _raised(error: Exception) -> str:
    line = traceback.extract_tb(error.__traceback__)[-1].lineno
    return f"raised {type(error).__name__} in line {line}: {error}"


def _result(question: Question, answer: Callable[..., Any], seed: int) -> Plain:
    return question.normal(question.driver(answer, np.random.default_rng(seed)))


def _in_words(question: Question, cases: list[Case], wrong: list[Case]) -> str:
    """The first wrong case, with the hint of the mistake that explains all of them."""
    if not wrong:
        return ""
    first = wrong[0]
    if first.raised:
        return first.problem
    inputs = [question.draw(np.random.default_rng(seed)) for seed in PUBLIC_SEEDS]
    hint = explained(question, [case.got for case in cases], inputs)
    if not hint and "expected" not in first.unlike:  # the kind is right, the value is not
        hint = question.hint
    return f"{first.problem}\nHint: {hint}" if hint else first.problem


def _short(value: Any, most: int = 120, form: Callable[[Any], str] = repr) -> str:
    text = form(value)
    return text if len(text) <= most else f"{text[:most]}..."
