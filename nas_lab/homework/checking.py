"""Compare answers with references, and tell a student at once what is right."""

import copy
import ctypes
import html
import math
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import starmap
from typing import Any

import numpy as np

from nas_lab.homework import homeworks, lessons
from nas_lab.homework.drivers import Plain
from nas_lab.homework.question import Question, earned, in_words, trial

PUBLIC_SEEDS = range(20)
PUBLIC_TRIALS = range(6)
"""The same for an open question, whose cases take longer."""
SECONDS = 10
"""For a case; an answer that takes longer is stopped, and a search after six times as long."""
QUESTIONS: dict[str, Question] = {**lessons.QUESTIONS, **homeworks.QUESTIONS}

TOLERANCE = 1e-6
"""Floats agree when they differ by less than this share of the larger one, or by this much."""
KINDS = {
    bool: "a bool (True or False)",
    int: "a whole number (int)",
    float: "a number (float)",
    str: "a text (str)",
    list: "a list",
    dict: "a dict",
    type(None): "None",
}

_right: dict[str, bool] = {}
"""What ``check`` last found out about each question that is answered, for ``progress``."""


@dataclass(frozen=True)
class Report:
    """What ``check`` found out: shown at the end of a cell, in words."""

    name: str
    passed: int
    """How many of the public ``cases`` agree."""
    cases: int
    problem: str = ""
    """The first case that does not agree, in words."""
    answered: bool = True
    """Whether the function returned anything at all."""
    progress: str = ""
    """Of the homework that the question belongs to, in words."""
    found: str = ""
    """What was found, when the number of cases does not tell it."""

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


def check(name: str, answer: Callable[..., Any]) -> Report:
    """Compare a student's function with the reference on a few public cases.
    ``name`` is that of the question, such as ``"01.q1"`` or ``"hw1.q1"``."""
    if name not in QUESTIONS:
        raise ValueError(f"there is no question {name!r}; there are: {', '.join(QUESTIONS)}")
    if not callable(answer):
        raise TypeError(
            f"check({name!r}, ...) takes the function itself, not {_short(answer)}: "
            "write its name without parentheses"
        )
    question = QUESTIONS[name]
    report = _compare(question, answer) if question.reference else _search(question, answer)
    _right.pop(name, None)
    if report.answered:
        _right[name] = bool(report)
    if name in homeworks.QUESTIONS:
        report = replace(report, progress=progress(name.split(".")[0]))
    return report


def _search(question: Question, answer: Callable[..., Any]) -> Report:
    """Put a search to work on the public cases, and say how good it is."""
    try:
        limited = _at_most(6 * SECONDS)(answer)
        results = [trial(question, limited, seed) for seed in PUBLIC_TRIALS]
    except (Exception, SystemExit, EndlessError) as error:  # whatever an answer raises is reported
        raised = f"{_name(answer)}(query, ...) {_raised(answer, error)}"
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
    """Put an answer to work on the public cases, and say what is wrong with the shortest that is.
    Where it was stopped, no further case is tried."""
    cases = [question.draw(np.random.default_rng(seed)) for seed in PUBLIC_SEEDS]
    found: list[tuple[Plain, str]] = []
    for inputs in cases:
        found.append(_outcome(question, answer, inputs))
        if found[-1][1].startswith(STOPPED):
            break
    wrong = [n for n, (_, words) in enumerate(found) if words]
    wrong.sort(key=lambda n: (len(repr(cases[n])), repr(cases[n])))
    wrong.sort(key=lambda n: not found[n][1].startswith(STOPPED))
    return Report(
        question.name,
        passed=len(found) - len(wrong),
        cases=len(cases),
        problem=_problem(question, answer, cases, found, wrong[0]) if wrong else "",
        answered=any(got is not None or words.startswith(FAILED) for got, words in found),
    )


def _outcome(question: Question, answer: Callable[..., Any], inputs: list) -> tuple[Plain, str]:
    """What an answer gives in one case, and how it differs from what is right, in words."""
    expected = question.normal(question.drive(question.reference, *copy.deepcopy(inputs)))
    try:
        with _at_most(SECONDS):
            got = question.normal(question.drive(answer, *copy.deepcopy(inputs)))
    except (Exception, SystemExit, EndlessError) as error:  # whatever an answer raises is reported
        return None, _raised(answer, error)
    unlike = difference(got, expected)
    return got, f"returned {_short(got)}: {unlike}." if unlike else ""


def _problem(question: Question, answer: Callable, cases: list, found: list, case: int) -> str:
    """A wrong case, with the hint of the mistake that explains all of them."""
    words, inputs = found[case][1], ", ".join(map(_short, cases[case]))
    problem = f"{_name(answer)}({_short(inputs, 400, str)}) {words}"
    if words.startswith(FAILED):
        return problem
    hint = explained(question, [got for got, _ in found], cases)
    if not hint and not words.endswith("expected."):  # of another kind or length
        hint = question.hint
    return f"{problem}\nHint: {hint}" if hint else problem


def progress(homework: str) -> str:
    """Say how many questions of a homework the checks of this session found right."""
    if homework not in homeworks.HOMEWORKS:
        known = ", ".join(homeworks.HOMEWORKS)
        raise ValueError(f"there is no homework {homework!r}; there are: {known}")
    whole = homeworks.HOMEWORKS[homework]
    right = [question for question in whole.questions if _right.get(question.name)]
    short = {q.name.split(".")[1]: _right.get(q.name) for q in whole.questions}
    marks = " ".join(f"{q} {'✓' if mark else '✗'}" for q, mark in short.items() if mark is not None)
    idle = ", ".join(q for q, mark in short.items() if mark is None)
    told = "; ".join(filter(None, [marks, idle and f"not answered yet: {idle}"]))
    return (
        f"{homework} so far: {len(right)} of {len(whole.questions)} questions, "
        f"{sum(q.points for q in right)} of {whole.points} points ({told})"
    )


class EndlessError(BaseException):
    """An answer took too long; its own ``except Exception`` doesn't catch this."""


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Stop the block after so long by ``EndlessError``, on every system and in every thread; but
    a call of C, such as ``time.sleep``, ends first."""
    throw, thread = ctypes.pythonapi.PyThreadState_SetAsyncExc, threading.get_ident()
    late = [ctypes.c_ulong(thread), ctypes.py_object(EndlessError)]
    watch = threading.Timer(seconds, throw, late)
    watch.start()
    try:
        yield
    except EndlessError as error:
        error.args = (f"it took more than {seconds:g} s; does a loop run for ever?",)
        raise
    finally:
        watch.cancel()
        throw(late[0], None)  # if it was thrown and has not arrived


STOPPED = "was stopped"
FAILED = ("raised", STOPPED)
"""What is said of an answer that returned nothing begins with one of these."""


def _raised(answer: Callable[..., Any], error: BaseException) -> str:
    """Say what an answer raised, and in which of the student's own lines, if in any."""
    own = _tried(lambda: getattr(answer, "__wrapped__", answer).__globals__)
    frames = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in frames if frame.f_globals is own]
    what = STOPPED if isinstance(error, EndlessError) else f"raised {type(error).__name__}"
    return f"{what}{f' in line {lines[-1]}' if lines else ''}: {_short(error, 500, str)}"


def _name(answer: Callable[..., Any]) -> str:
    return _tried(lambda: str(answer.__name__), "your function")


def _short(value: Any, most: int = 120, form: Callable[[Any], str] = repr) -> str:
    hidden = "something that cannot be shown"
    if isinstance(value, int):
        hidden = "a number with too many digits to be shown"
    text = _tried(lambda: form(value), hidden)
    return text if len(text) <= most else f"{text[:most]}..."


def _tried(form: Callable[[], Any], otherwise: Any = None) -> Any:
    """What a student made may raise whenever it is shown, and a whole number may be too long."""
    try:
        return form()
    except Exception:
        return otherwise


def difference(got: Plain, expected: Plain, where: str = "the result") -> str | None:
    """Say in words how ``got`` differs from ``expected``, without telling what was expected.
    Types are strict: ``True`` is not 1, and ``3.0`` is not 3. Returns None when they agree."""
    if type(got) is not type(expected):
        a, b = (KINDS.get(type(v), f"of type {type(v).__name__}") for v in (got, expected))
        missing = " (is a return missing?)" if got is None else ""
        return f"{where} is {a}{missing}; {b} was expected"
    if isinstance(expected, list):
        if len(got) != len(expected):
            return f"{where} has length {len(got)}; length {len(expected)} was expected"
        parts = [(i, f"entry {i} of {where}") for i in range(len(expected))]
    elif isinstance(expected, dict):
        if set(got) != set(expected):
            return f"{where} has the keys {sorted(got)}; {sorted(expected)} were expected"
        parts = [(key, f"{key!r} of {where}") for key in expected]
    else:
        close = got == expected or (got != got and expected != expected)  # or both are NaN
        if isinstance(expected, float):
            close |= math.isclose(got, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        return None if close else f"{where} should have another value"
    found = (difference(got[key], expected[key], name) for key, name in parts)
    return next(filter(None, found), None)


def explained(question: Question, got: list[Plain], cases: list[list[Plain]]) -> str:
    """The hint of the usual mistake that gives the same results in all cases; else empty."""
    got = list(map(question.normal, got))
    for hint, wrong in question.mistakes.items():
        given = (question.drive(wrong, *copy.deepcopy(inputs)) for inputs in cases)
        if not any(starmap(difference, zip(got, map(question.normal, given), strict=True))):
            return hint
    return ""
