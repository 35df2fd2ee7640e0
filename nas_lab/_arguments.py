"""Checks of arguments that several modules share."""

from __future__ import annotations

import operator


def whole_number(name: str, value: object, least: int = 1) -> int:
    """Return `value` as an int.

    Raises TypeError for what is no whole number (a bool counts as none), ValueError below
    `least`.
    """
    if isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {value!r}") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, not {number}")
    return number
