"""Tell a student at once what an answer gets right."""

from __future__ import annotations

import html
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas_lab.homework.comparing import difference
from nas_lab.homework.lessons import QUESTIONS
from nas_lab.homework.question import Question

PUBLIC_SEEDS = range(20)


@dataclass(frozen=True)
class Report:
    """What ``check`` found out: shown at the end of a cell, in words.

    Attributes:
        name: of the question.
        passed: how many of the public cases agree.
        cases: how many there are.
        problem: the first case that does not agree, in words; empty when all do.
        answered: whether the function returned anything at all.
    """

    name: str
    passed: int
    cases: int
    problem: str = ""
    answered: bool = True

    def __bool__(self) -> bool:
        return self.passed == self.cases

    def __repr__(self) -> str:
        if not self.answered:
            return f"{self.name}: not answered yet, the function returns None."
        head = f"{self.name}: {self.passed} of {self.cases} cases agree."
        return head if self else f"{head}\n{self.problem}"

    def _repr_html_(self) -> str:
        mark, color = ("✓", "#009e73") if self else ("✗", "#d55e00")
        mark, color = (mark, color) if self.answered else ("…", "#808080")
        text = html.escape(repr(self)).replace("\n", "<br>")
        return (
            f'<div style="border-left:4px solid {color};padding:.3em .8em">'
            f'<b aria-hidden="true">{mark}</b> {text}</div>'
        )


def check(name: str, answer: Callable[..., Any]) -> Report:
    """Compare a student's function with the reference on a few public cases.

    Args:
        name: of the question, such as ``"01.q1"``.
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
    cases = [_case(question, answer, seed) for seed in PUBLIC_SEEDS]
    problems = [problem for _, problem in cases if problem]
    return Report(
        name,
        passed=len(cases) - len(problems),
        cases=len(cases),
        problem=(problems or [""])[0],
        answered=any(answered for answered, _ in cases),
    )


def _case(question: Question, answer: Callable[..., Any], seed: int) -> tuple[bool, str]:
    """Whether an answer returned anything in one case, and what is wrong with it in words."""
    expected = question.driver(question.reference, np.random.default_rng(seed))
    arguments = ", ".join(map(repr, question.draw(np.random.default_rng(seed))))
    call = f"{getattr(answer, '__name__', 'your function')}({arguments})"
    try:
        got = question.driver(answer, np.random.default_rng(seed))
    except Exception as error:  # whatever a student's function raises belongs in the report
        line = traceback.extract_tb(error.__traceback__)[-1].lineno
        return True, f"{call} raised {type(error).__name__} in line {line}: {error}"
    unlike = difference(got, expected)
    if not unlike:
        return True, ""
    hint = f"\nHint: {question.hint}" if type(got) is type(expected) else ""
    return got is not None, f"{call} returned {_short(got)}: {unlike}.{hint}"


def _short(value: Any, most: int = 120) -> str:
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."
