"""Compare what an answer returned with what was expected, as plain data."""

from __future__ import annotations

import copy
import math

from nas_lab.homework.question import Plain, Question

TOLERANCE = 1e-6
"""Floats agree when they differ by less than this share of the larger one, or by this much."""


def difference(got: Plain, expected: Plain, where: str = "the result") -> str | None:
    """Say in words how ``got`` differs from ``expected``, without telling what was expected.

    Types are strict: ``True`` is not 1, and ``3.0`` is not 3. Returns None when they agree.
    """
    if type(got) is not type(expected):
        return f"{where} is {_a(got)}; {_a(expected)} was expected"
    if isinstance(expected, list):
        return _of_lists(got, expected, where)
    if isinstance(expected, dict):
        return _of_dicts(got, expected, where)
    if isinstance(expected, float):
        close = math.isclose(got, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        same = close or (math.isnan(got) and math.isnan(expected))
        return None if same else f"{where} should have another value"
    return None if got == expected else f"{where} should have another value"


def _of_lists(got: list, expected: list, where: str) -> str | None:
    if len(got) != len(expected):
        return f"{where} has length {len(got)}; length {len(expected)} was expected"
    pairs = enumerate(zip(got, expected, strict=True))
    found = (difference(g, e, f"entry {i} of {where}") for i, (g, e) in pairs)
    return next(filter(None, found), None)


def _of_dicts(got: dict, expected: dict, where: str) -> str | None:
    if set(got) != set(expected):
        return f"{where} has the keys {sorted(got)}; {sorted(expected)} were expected"
    found = (difference(got[key], expected[key], f"{key!r} of {where}") for key in expected)
    return next(filter(None, found), None)


KINDS = {
    bool: "a bool (True or False)",
    int: "a whole number (int)",
    float: "a number (float)",
    str: "a text (str)",
    list: "a list",
    dict: "a dict",
    type(None): "None (is a return missing?)",
}


def _a(value: Plain) -> str:
    return KINDS.get(type(value), f"of type {type(value).__name__}")


def explained(question: Question, got: list[Plain], cases: list[list[Plain]]) -> str:
    """The hint of the usual mistake that gives the same results; empty when none does.

    Args:
        question: what was asked.
        got: the result of each case.
        cases: the inputs of each case.
    """
    for usual in question.mistakes:
        given = (question.drive(usual.answer, *copy.deepcopy(inputs)) for inputs in cases)
        pairs = zip(map(question.normal, got), map(question.normal, given), strict=True)
        if all(difference(result, mistaken) is None for result, mistaken in pairs):
            return usual.hint
    return ""
