"""What a question is: a driver that puts an answer to work, and a reference to compare with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

Plain: TypeAlias = Any
"""None, bool, int, float, str, and lists and dicts (with str keys) of these."""


@dataclass(frozen=True)
class Question:
    """One exercise.

    Attributes:
        name: of the form ``01.q1``.
        draw: ``draw(rng)`` makes the arguments of one call, as plain data.
        reference: a correct answer.
        hint: what to look at when an answer differs; never the solution.
    """

    name: str
    draw: Callable[[np.random.Generator], list[Plain]]
    reference: Callable[..., Plain]
    hint: str

    def driver(self, answer: Callable[..., Any], rng: np.random.Generator) -> Plain:
        """Call ``answer`` with drawn arguments and return what it returns, as plain data."""
        return plain(answer(*self.draw(rng)))


def plain(value: Any) -> Plain:
    """Numpy's and torch's numbers and arrays, and tuples, as plain numbers and lists."""
    if isinstance(value, np.generic | np.ndarray) or type(value).__module__ == "torch":
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    return value
