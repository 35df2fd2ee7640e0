"""Tell a student at once what an answer gets right."""

from __future__ import annotations

import copy
import html
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from nas_lab.homework import homeworks, lessons
from nas_lab.homework.comparing import difference, explained
from nas_lab.homework.drivers import Plain
from nas_lab.homework.question import Question, earned, in_words, trial

PUBLIC_SEEDS = range(20)
PUBLIC_TRIALS = range(6)
"""The same for an open question, whose cases take longer."""
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
        found, problem = self.found or f"{self.passed} of {self.cases} cases agree", self.problem
        if not self.answered:
            found, problem = "not answered yet, the function returns None", ""
        return "\n".join(filter(None, [f"{self.name}: {found}.", problem, self.progress]))

    def _repr_html_(self) -> str:
        mark, color = ("✓", "#009e73") if self else ("✗", "#d55e00")
        mark, color = (mark, color) if self.answered else ("…", "#808080")
        text = html.escape(repr(self)).replace("\n", "<br>")
        return (
            f'<div style="border-left:4px solid {color};padding:.3em .8em">'
            f'<b aria-hidden="true">{mark}</b> {text}</div>'
        )


class Case(NamedTuple):
    """One call of an answer: the result as plain data, and how it differs, in words."""

    got: Plain
    problem: str = ""
    raised: bool = False
    hinted: bool = False


def check(name: str, answer: Callable[..., Any]) -> Report:
    """Compare a student's function with the reference on a few public cases.

    Args:
        name: of the question, such as ``"01.q1"`` or ``"hw1.q1"``.
        answer: the function that the question asks for.

    Raises:
        ValueError: there is no such question.
        TypeError: ``answer`` is not a function.
    """
    if name not in QUESTIONS:
        raise ValueError(f"there is no question {name!r}; there are: {', '.join(QUESTIONS)}")
    if not callable(answer):
        raise TypeError(
            f"check({name!r}, ...) takes the function itself, not {answer!r}: "
            "write its name without parentheses"
        )
    question = QUESTIONS[name]
    report = _compare(question, answer) if question.reference else _search(question, answer)
    _right[name] = bool(report)
    if name in homeworks.QUESTIONS:
        report = replace(report, progress=progress(name.split(".")[0]))
    return report


def _search(question: Question, answer: Callable[..., Any]) -> Report:
    """Put a search to work on the public cases, and say how good it is."""
    try:
        results = [trial(question, answer, seed) for seed in PUBLIC_TRIALS]
    except Exception as error:  # whatever a student's function raises belongs in the report
        raised = f"{_name(answer)}(query, ...) {_raised(error)}"
        return Report(question.name, 0, question.points, found=raised)
    points = earned(question.points, results)
    return Report(
        question.name,
        passed=points,
        cases=question.points,
        problem="" if points == question.points else f"Hint: {question.hint}",
        answered=any(result.asked or not result.problem for result in results),
        found=f"{points} of {question.points} points on public cases. {in_words(results)}",
    )


def _compare(question: Question, answer: Callable[..., Any]) -> Report:
    cases = [_case(question, answer, seed) for seed in PUBLIC_SEEDS]
    wrong = [case for case in cases if case.problem]
    return Report(
        question.name,
        passed=len(cases) - len(wrong),
        cases=len(cases),
        problem=_problem(question, cases, wrong[0]) if wrong else "",
        answered=any(case.raised or case.got is not None for case in cases),
    )


def _case(question: Question, answer: Callable[..., Any], seed: int) -> Case:
    """Put an answer to work in one public case, and say what is wrong with it in words."""
    inputs = question.draw(np.random.default_rng(seed))
    call = f"{_name(answer)}({_short(', '.join(map(_short, inputs)), 400, str)})"
    expected = question.normal(question.drive(question.reference, *copy.deepcopy(inputs)))
    try:
        got = question.normal(question.drive(answer, *inputs))
    except Exception as error:  # whatever a student's function raises belongs in the report
        return Case(None, f"{call} {_raised(error)}", raised=True)
    unlike = difference(got, expected)
    if not unlike:
        return Case(got)
    kind_is_right = "expected" not in unlike
    return Case(got, f"{call} returned {_short(got)}: {unlike}.", hinted=kind_is_right)


def _problem(question: Question, cases: list[Case], first: Case) -> str:
    """The first wrong case, with the hint of the mistake that explains all of them."""
    if first.raised:
        return first.problem
    inputs = [question.draw(np.random.default_rng(seed)) for seed in PUBLIC_SEEDS]
    hint = explained(question, [case.got for case in cases], inputs)
    if first.hinted:
        hint = hint or question.hint
    return f"{first.problem}\nHint: {hint}" if hint else first.problem


def progress(homework: str) -> str:
    """Say how many questions of a homework the checks of this session found right.

    Raises:
        ValueError: there is no such homework.
    """
    if homework not in homeworks.HOMEWORKS:
        known = ", ".join(homeworks.HOMEWORKS)
        raise ValueError(f"there is no homework {homework!r}; there are: {known}")
    whole = homeworks.HOMEWORKS[homework]
    right = [question for question in whole.questions if _right.get(question.name)]
    words = {True: "✓", False: "✗", None: "–"}
    marks = [f"{q.name.split('.')[1]} {words[_right.get(q.name)]}" for q in whole.questions]
    return (
        f"{homework} so far: {len(right)} of {len(whole.questions)} questions, "
        f"{sum(q.points for q in right)} of {whole.points} points ({' '.join(marks)})"
    )


def _name(answer: Callable[..., Any]) -> str:
    return getattr(answer, "__name__", "your function")


def _raised(error: Exception) -> str:
    line = traceback.extract_tb(error.__traceback__)[-1].lineno
    return f"raised {type(error).__name__} in line {line}: {error}"


def _short(value: Any, most: int = 120, form: Callable[[Any], str] = repr) -> str:
    text = form(value)
    return text if len(text) <= most else f"{text[:most]}..."
