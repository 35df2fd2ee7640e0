"""Hidden cases: inputs that are drawn with a secret, and what the references give for them."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas_lab.homework.comparing import difference, explained
from nas_lab.homework.drivers import Plain
from nas_lab.homework.question import FULL_POINTS_AT, Homework, Question, Task

HIDDEN_CASES = 40
LEAST_SECRET = 16


def read_secret(path: Path) -> bytes:
    """Read a secret.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is too short to be a secret.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not there. Make one and keep it outside of any shared folder: "
            "python -c 'import secrets; print(secrets.token_hex(32))' > secret.txt"
        )
    secret = path.read_bytes().strip()
    if len(secret) < LEAST_SECRET:
        raise ValueError(f"the secret in {path} has fewer than {LEAST_SECRET} characters")
    return secret


def seeds(secret: bytes, question: str) -> Iterator[int]:
    """Seeds that nobody knows who does not know the secret."""
    for case in range(HIDDEN_CASES):
        code = hmac.new(secret, f"{question}/{case}".encode(), hashlib.sha256)
        yield int.from_bytes(code.digest()[:16], "big")


@dataclass(frozen=True)
class Sheet:
    """The hidden cases of one question.

    Attributes:
        question: what is asked.
        inputs: of each case, as JSON, so that no answer can change them.
        expected: what the reference gives, in the form that is compared.
    """

    question: Question
    inputs: tuple[str, ...]
    expected: tuple[Plain, ...]

    @classmethod
    def draw(cls, question: Question, secret: bytes) -> Sheet:
        """Draw the cases and put the reference to work."""
        generators = map(np.random.default_rng, seeds(secret, question.name))
        inputs = tuple(json.dumps(question.draw(rng)) for rng in generators)
        expected = [question.drive(question.reference, *json.loads(case)) for case in inputs]
        return cls(question, inputs, tuple(map(question.normal, expected)))

    @property
    def content(self) -> str:
        """Changes when the cases do."""
        return f"{self.question.name}{self.inputs}{self.expected}"

    def agrees(self, got: list[Plain]) -> list[bool]:
        """Whether each result is what the reference gives."""
        return [self._same(*pair) for pair in zip(got, self.expected, strict=True)]

    def _same(self, got: Plain, expected: Plain) -> bool:
        try:
            return difference(self.question.normal(got), expected) is None
        except RecursionError:  # lists in lists in lists
            return False

    def hint(self, got: list[Plain]) -> str:
        """What to look at."""
        cases = list(map(json.loads, self.inputs))
        try:
            return explained(self.question, got, cases) or self.question.hint
        except RecursionError:
            return self.question.hint


@dataclass(frozen=True)
class OpenSheet:
    """The hidden cases of one open question."""

    question: Question
    tasks: tuple[Task, ...]

    @classmethod
    def draw(cls, question: Question, secret: bytes) -> OpenSheet:
        """Draw the cases."""
        generators = map(np.random.default_rng, seeds(secret, question.name))
        return cls(question, tuple(map(question.draw, generators)))

    @property
    def content(self) -> str:
        """Changes when the cases do, or what can be found in them."""
        worst = [task.result(None, 0) for task in self.tasks]
        about = self.question.name, self.question.points, FULL_POINTS_AT
        return f"{about}{[task.inputs for task in self.tasks]}{worst}"


@dataclass(frozen=True)
class Exam:
    """The hidden cases of one homework."""

    homework: Homework
    sheets: tuple[Sheet | OpenSheet, ...]

    @classmethod
    def draw(cls, homework: Homework, secret: bytes) -> Exam:
        """Draw the cases of all questions."""
        return cls(homework, tuple(_sheet(q, secret) for q in homework.questions))

    @property
    def modules(self) -> list[str]:
        """The drivers' modules."""
        return sorted({sheet.question.drive.__module__ for sheet in self.sheets})

    def fingerprint(self, *more: str) -> str:
        """Changes when the cases do, and tells nothing about them."""
        parts = [*more, *(sheet.content for sheet in self.sheets)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _sheet(question: Question, secret: bytes) -> Sheet | OpenSheet:
    return (Sheet if question.reference else OpenSheet).draw(question, secret)
