"""Grade one hand-in: draw hidden cases with a secret, run it in a sandbox, and compare."""

from __future__ import annotations

import builtins
import hashlib
import hmac
import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nas_lab.homework import hand_ins
from nas_lab.homework.checking import difference, explained
from nas_lab.homework.drivers import Plain
from nas_lab.homework.grading.boxes import Box
from nas_lab.homework.grading.channel import Call, Run, Trouble, short
from nas_lab.homework.grading.kernel import Limits
from nas_lab.homework.hand_ins import Template
from nas_lab.homework.question import Homework, QueryBudget, Question, Result, earned, in_words

HIDDEN_CASES = 40
PUBLIC_CASES = 5  # are run first: a student may read what an answer raises in them
LEAST_SECRET = 16
NOT_THERE = "there is no such function"
OTHER = "an error of its own kind"
STATUS = {  # of a mark: its sign, and its words
    "right": ("✓", "right"),
    "wrong": ("✗", "not right yet"),
    "scored": ("·", "scored"),
    "missing": ("–", "not answered"),
    "raised": ("✗", "raised an error"),
    "timed out": ("✗", "took too long"),
    "starved": ("✗", "took too long beside others"),
    "ended": ("✗", "ended its process"),
    "memory": ("✗", "took too much memory"),
    "tampered": ("✗", "sent a forged reply"),
}


@dataclass(frozen=True)
class Mark:
    """What one answer earned, of how many points."""

    question: str
    points: float
    of: int
    status: str  # one of ``STATUS``
    words: str = ""  # for the instructor
    results: Sequence[Result] = ()  # of each hidden case of an open question
    page: str = ""  # for the student
    share: float = 0.0  # of the hidden cases that agree


@dataclass(frozen=True)
class Grade:
    """What one hand-in earned."""

    student: str
    file: str
    status: str  # graded, partly, timed out, starved, unreadable or tampered
    marks: Sequence[Mark]
    notes: Sequence[str] = ()  # about the hand-in as a whole, for student and instructor
    written: str = ""  # the written answer, to be read by a human
    private: Sequence[str] = ()  # notes for the instructor alone
    off: float = 0.0  # share of the points that being late costs

    @property
    def points(self) -> float:
        """Earned with all answers together."""
        return sum(mark.points for mark in self.marks) * (1 - self.off)

    @property
    def of(self) -> int:
        """What could be earned."""
        return sum(mark.of for mark in self.marks)

    @classmethod
    def from_plain(cls, data: dict) -> Grade:
        """Out of plain data, as ``dataclasses.asdict`` gives them."""
        marks = [
            Mark(**{**mark, "results": [Result(**result) for result in mark["results"]]})
            for mark in data["marks"]
        ]
        return cls(**{**data, "marks": marks})


def read_secret(path: Path) -> bytes:
    """Read a secret, and refuse one that is too short."""
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


def drawn(question: Question, secret: bytes) -> Iterator[Any]:
    """The hidden cases of a question."""
    return map(question.draw, map(np.random.default_rng, seeds(secret, question.name)))


def code(secret: bytes, student: str) -> str:
    """A name that tells nothing to those who do not know the secret."""
    text = student.encode("utf-8", "backslashreplace")
    return "student-" + hmac.new(secret, b"code/" + text, hashlib.sha256).hexdigest()[:10]


@dataclass(frozen=True)
class Sheet:
    """The hidden cases of one question, which go to the sandbox in one call."""

    question: Question
    inputs: tuple[str, ...]  # of each case, as JSON, so that no answer can change them
    expected: tuple[Plain, ...]  # what the reference gives, in the form that is compared

    @classmethod
    def draw(cls, question: Question, secret: bytes) -> Sheet:
        """Draw the cases and put the reference to work."""
        inputs = tuple(map(json.dumps, drawn(question, secret)))
        expected = [question.drive(question.reference, *json.loads(case)) for case in inputs]
        return cls(question, inputs, tuple(map(question.normal, expected)))

    @property
    def content(self) -> str:
        """Changes when the cases do."""
        return f"{self.question.name}{self.inputs}{self.expected}"

    def calls(self) -> list[Call]:
        """What to ask of a sandbox: public cases, and after them the hidden ones, also of what was
        checked under another name: what was right at home counts, whatever the answer's own name
        is left with."""
        public = [self.question.draw(np.random.default_rng(seed)) for seed in range(PUBLIC_CASES)]
        hidden, first = list(map(json.loads, self.inputs)), self._call(public, hidden=False)
        return [first, self._call(hidden, first=first), self._call(hidden, other=True)]

    def _call(self, cases: list[list[Plain]], **how: Any) -> Call:
        kept = self.question.outside(cases) if self.question.outside else None
        inputs, budget = (kept.inputs, QueryBudget(kept)) if kept else (cases, None)
        return Call(self.question, inputs, budget, **how)

    def agrees(self, got: list[Plain]) -> list[bool]:
        """Whether each result is what the reference gives."""
        pairs = zip(map(self.question.normal, got), self.expected, strict=True)
        return [difference(found, expected) is None for found, expected in pairs]

    def mark(self, calls: Sequence[Call]) -> Mark:
        """Compare what the answer gave with what was expected."""
        public, *hidden = calls
        found = [self._verdict(call.outcome, call.budget) for call in hidden]
        status, words, error, share = max(found, key=lambda v: (v[3], v[0] != "missing"))
        name, of = self.question.name, self.question.points
        cases = [] if isinstance(public.outcome, Trouble) else public.outcome or []
        known = [short(case["error"]) for case in cases if "error" in case]
        page = "; ".join(filter(None, [words, error and for_student(error, known)]))
        words = "; ".join(filter(None, [words, error]))
        return Mark(name, of * (status == "right"), of, status, words, page=page, share=share)

    def _verdict(
        self, cases: list[dict] | Trouble | None, budget: QueryBudget | None
    ) -> tuple[str, str, str, float]:
        """Status, words, the first error, and the share of cases that agree."""
        if isinstance(cases, Trouble):
            return cases.kind, str(cases), "", 0
        if not cases:
            return "missing", f"there is no {self.question.answer}()", "", 0
        got = [case.get("value") for case in cases]
        got = budget.task.results(got) if budget else got
        errors = [short(case["error"]) for case in cases if "error" in case]
        if not errors and all(value is None for value in got):
            return "missing", "the function returns None", "", 0
        agree, hint = 0, ""
        try:
            agree = sum(self.agrees(got))
            if agree < len(got) and not errors:
                hint = explained(self.question, got, list(map(json.loads, self.inputs)))
        except RecursionError:  # lists in lists in lists
            agree = 0
        found, share = f"{agree} of {len(got)} hidden cases agree", agree / len(got)
        if errors:
            return "raised", found, errors[0], share
        if agree < len(got):
            return "wrong", f"{found}. Hint: {hint or self.question.hint}", "", share
        return "right", "", "", share


def for_student(error: str, public: Collection[str], other: str = OTHER) -> str:
    """What a page may say of an error in a hidden case: its type and line, or the whole text of
    the ``public`` case that raised the same. What an answer raises may be the hidden inputs."""
    found = re.match(r"(\w+)( in line [0-9]{1,6})?(?=: |:?$)", error)
    head, kind = (found[0], getattr(builtins, found[1], None)) if found else (error, None)
    plain = isinstance(kind, type) and issubclass(kind, BaseException)
    return next((words for words in public if words.startswith(head)), head if plain else other)


@dataclass(frozen=True)
class OpenSheet:
    """The hidden cases of one open question; each is a search, in a call of its own."""

    question: Question
    tasks: tuple[Any, ...]

    @classmethod
    def draw(cls, question: Question, secret: bytes) -> OpenSheet:
        """Draw the cases."""
        return cls(question, tuple(drawn(question, secret)))

    @property
    def content(self) -> str:
        """Changes when the cases do, or what can be found in them."""
        worst = [(task.inputs, task.result(None, 0)) for task in self.tasks]
        return f"{self.question.name}{self.question.points}{worst}"

    def calls(self) -> list[Call]:
        """What to ask of a sandbox; queries are counted outside of it."""
        return [Call(self.question, [task.inputs], QueryBudget(task)) for task in self.tasks]

    def mark(self, calls: Sequence[Call]) -> Mark:
        """Score what the searches found; ``missing`` when nobody searched."""
        question, results = self.question, [_result(call.budget, call.outcome) for call in calls]
        points, status, hint = earned(question.points, results), "scored", ""
        idle = {NOT_THERE, self.tasks[0].result(None, 0).problem}
        known = idle | {str(c.outcome) for c in calls if isinstance(c.outcome, Trouble)}
        shown = [
            replace(r, problem=r.problem and for_student(r.problem, known, "nothing that counts"))
            for r in results
        ]
        if points == question.points:
            status = "right"
        elif all(result.problem in idle for result in results):
            status = "missing"
        else:
            hint = f". Hint: {question.hint}"
        words, page = in_words(results) + hint, in_words(shown) + hint
        return Mark(question.name, points, question.points, status, words, results, page)


def _result(budget: Any, outcome: list[dict] | Trouble | None) -> Result:
    if isinstance(outcome, Trouble):
        outcome = [{"error": str(outcome)}]
    (case,) = outcome or [{"error": NOT_THERE}]
    if "error" in case:
        nothing = budget.task.result(None, budget.asked)
        return replace(nothing, problem=short(case["error"]))
    return budget.task.result(case.get("value"), budget.asked)


@dataclass(frozen=True)
class Exam:
    """The hidden cases of one homework."""

    homework: Homework
    sheets: tuple[Sheet | OpenSheet, ...]
    secret: bytes = field(repr=False)

    @classmethod
    def draw(cls, homework: Homework, secret: bytes) -> Exam:
        """Draw the cases of all questions."""
        kinds = [(Sheet if q.reference else OpenSheet, q) for q in homework.questions]
        return cls(homework, tuple(kind.draw(question, secret) for kind, question in kinds), secret)

    def attempt(self, student: str, raw: bytes) -> list[Sheet | OpenSheet]:
        """Cases for one file of one student, so that another file meets others. Open questions
        keep theirs: the places of a leaderboard go by the same cases."""
        text = student.encode("utf-8", "backslashreplace") + b"/" + hashlib.sha256(raw).digest()
        own = hmac.new(self.secret, text, hashlib.sha256).digest()
        return [s.draw(s.question, own) if isinstance(s, Sheet) else s for s in self.sheets]


def grade(
    raw: bytes, exam: Exam, template: Template, box: Box, limits: Limits, student: str, file: str
) -> Grade:
    """Run a notebook, given by its bytes, in a sandbox and compare what its answers give."""
    cells = hand_ins.cells(raw)
    sheets = exam.attempt(student, raw)
    calls = [sheet.calls() for sheet in sheets]
    every = sorted((call for own in calls for call in own), key=lambda call: call.hidden)
    run = Run(every, template.own(cells), limits, len(template.setup))
    run.finish(box)
    marks = [sheet.mark(own) for sheet, own in zip(sheets, calls, strict=True)]
    troubles = {mark.status for mark in marks} | run.troubles
    status = "partly" if run.notes or troubles - {"right", "wrong", "scored"} else "graded"
    status = next((k for k in ("tampered", "starved", "timed out") if k in troubles), status)
    written = hand_ins.written_answer(cells, template.given)
    notes = run.notes if written else [*run.notes, "the written answer is empty"]
    return Grade(student, file, status, marks, notes, written)
