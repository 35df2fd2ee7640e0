"""Compare what an answer returned with what was expected, as plain data."""

import copy
import math
from itertools import starmap

from nas_lab.homework.drivers import Plain
from nas_lab.homework.question import Question

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
