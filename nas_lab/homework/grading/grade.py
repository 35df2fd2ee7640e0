"""Grade one hand-in: draw hidden cases with a secret, run the hand-in in a sandbox, compare."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from nas_lab.homework.comparing import difference, explained
from nas_lab.homework.drivers import Plain
from nas_lab.homework.grading import hand_ins
from nas_lab.homework.grading.boxes import Box, Limits
from nas_lab.homework.grading.channel import Channel, Trouble
from nas_lab.homework.grading.hand_ins import Template
from nas_lab.homework.question import (
    Homework,
    QueryBudget,
    Question,
    Result,
    Task,
    earned,
    in_words,
)

HIDDEN_CASES = 40
LEAST_SECRET = 16
MOST_NOTES = 12
MOST_CHARACTERS = 600
"""Of what a hand-in says."""
START_SECONDS = 60
"""For Python and the libraries that the drivers need."""
NOT_THERE = "there is no such function"


@dataclass(frozen=True)
class Mark:
    """What one answer earned.

    Attributes:
        question: its name.
        points: earned.
        of: points of a right answer.
        status: right, wrong, scored, missing, raised, timed out, ended, memory or tampered.
        words: for the student.
        results: of an open question, one for each hidden case.
    """

    question: str
    points: int
    of: int
    status: str
    words: str = ""
    results: Sequence[Result] = ()


@dataclass(frozen=True)
class Grade:
    """What one hand-in earned.

    Attributes:
        student: who handed it in.
        file: its name.
        status: graded, partly, timed out, unreadable or tampered.
        marks: of each question.
        notes: about the hand-in as a whole, for student and instructor.
        written: the written answer, to be read by a human.
        private: notes for the instructor alone.
    """

    student: str
    file: str
    status: str
    marks: Sequence[Mark]
    notes: Sequence[str] = ()
    written: str = ""
    private: Sequence[str] = ()

    @property
    def points(self) -> int:
        """Earned with all answers together."""
        return sum(mark.points for mark in self.marks)

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


# ---- hidden cases


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
    """The hidden cases of one question, which go to the sandbox together.

    Attributes:
        question: what is asked.
        inputs: of each case, as JSON, so that no answer can change them.
        expected: what the reference gives, in the form that is compared.
    """

    question: Question
    inputs: tuple[str, ...]
    expected: tuple[Plain, ...]
    requests: ClassVar[int] = 1

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
        normal = map(self.question.normal, got)
        pairs = zip(normal, self.expected, strict=True)
        return [difference(found, expected) is None for found, expected in pairs]

    def hint(self, got: list[Plain]) -> str:
        """What to look at."""
        cases = list(map(json.loads, self.inputs))
        return explained(self.question, got, cases) or self.question.hint

    def ask(self, channel: Channel, seconds: float, number: int) -> list[dict]:
        """Put the answer to work on all cases."""
        return _call(channel, self.question, list(map(json.loads, self.inputs)), seconds)

    def mark(self, outcomes: list[list[dict] | Trouble]) -> Mark:
        """Compare what the answer gave with what was expected."""
        (cases,) = outcomes
        if isinstance(cases, Trouble):
            return self._mark(cases.kind, str(cases))
        if not cases:
            return self._mark("missing", f"there is no {self.question.answer}()")
        got = [case.get("value") for case in cases]
        errors = [_short(case["error"]) for case in cases if "error" in case]
        if not errors and all(value is None for value in got):
            return self._mark("missing", "the function returns None")
        try:
            agree = sum(self.agrees(got))
            hint = self.hint(got) if not errors and agree < len(got) else ""
        except RecursionError:  # lists in lists in lists
            agree, hint = 0, self.question.hint
        if agree == len(got) and not errors:
            return self._mark("right")
        found = f"{agree} of {len(got)} hidden cases agree"
        if errors:
            return self._mark("raised", f"{found}; {errors[0]}")
        return self._mark("wrong", f"{found}. Hint: {hint}")

    def _mark(self, status: str, words: str = "") -> Mark:
        name, of = self.question.name, self.question.points
        return Mark(name, of if status == "right" else 0, of, status, words)


@dataclass(frozen=True)
class OpenSheet:
    """The hidden cases of one open question; each is a search, in a request of its own."""

    question: Question
    tasks: tuple[Task, ...]

    @classmethod
    def draw(cls, question: Question, secret: bytes) -> OpenSheet:
        """Draw the cases."""
        generators = map(np.random.default_rng, seeds(secret, question.name))
        return cls(question, tuple(map(question.draw, generators)))

    @property
    def requests(self) -> int:
        """How many the cases take."""
        return len(self.tasks)

    @property
    def content(self) -> str:
        """Changes when the cases do, or what can be found in them."""
        worst = [(task.inputs, task.result(None, 0)) for task in self.tasks]
        return f"{self.question.name}{self.question.points}{worst}"

    def ask(self, channel: Channel, seconds: float, number: int) -> tuple[list[dict], int]:
        """What the search gives in one case, and its queries, which are counted here."""
        budget = QueryBudget(self.tasks[number])
        try:
            reply = _call(channel, self.question, [budget.task.inputs], seconds, budget)
        except Trouble as trouble:
            trouble.queries = budget.asked
            raise
        return reply, budget.asked

    def mark(self, outcomes: list[tuple[list[dict], int] | Trouble]) -> Mark:
        """Score what the searches found; ``missing`` when nobody searched."""
        question = self.question
        results = [self._result(*pair) for pair in zip(self.tasks, outcomes, strict=True)]
        points, status, words = earned(question.points, results), "scored", in_words(results)
        idle = {NOT_THERE, self.tasks[0].result(None, 0).problem}
        if points == question.points:
            status = "right"
        elif all(result.problem in idle for result in results):
            status = "missing"
        else:
            words += f". Hint: {question.hint}"
        return Mark(question.name, points, question.points, status, words, results)

    def _result(self, task: Task, outcome: tuple[list[dict], int] | Trouble) -> Result:
        if isinstance(outcome, Trouble):
            outcome = [{"error": str(outcome)}], outcome.queries
        cases, queries = outcome
        (case,) = cases or [{"error": NOT_THERE}]
        if "error" in case:
            return replace(task.result(None, queries), problem=_short(case["error"]))
        return task.result(case.get("value"), queries)


def _call(
    channel: Channel,
    question: Question,
    cases: list[list[Plain]],
    seconds: float,
    budget: QueryBudget | None = None,
) -> list[dict]:
    """What an answer gives in each case; empty when there is no such function.

    Raises:
        Trouble: there was no proper reply.
    """
    message = {
        "do": "call",
        "question": question.name,
        "answer": question.answer,
        "drive": question.drive.__name__,
        "cases": cases,
        "asks": budget is not None,
    }
    reply = channel.request(message, seconds, budget.reply if budget else None)
    if reply.get("missing") is True:
        return []
    found = reply.get("cases")
    if not isinstance(found, list) or [dict] * len(cases) != list(map(type, found)):
        raise Trouble("tampered", "a reply has not the form of one")
    return found


def _short(words: object) -> str:
    """What a hand-in says, which may be anything, as a short text."""
    return words[:MOST_CHARACTERS] if isinstance(words, str) else "an error that is no text"


@dataclass(frozen=True)
class Exam:
    """The hidden cases of one homework."""

    homework: Homework
    sheets: tuple[Sheet | OpenSheet, ...]

    @classmethod
    def draw(cls, homework: Homework, secret: bytes) -> Exam:
        """Draw the cases of all questions."""
        kinds = [(Sheet if q.reference else OpenSheet, q) for q in homework.questions]
        return cls(homework, tuple(kind.draw(question, secret) for kind, question in kinds))


# ---- one hand-in


def grade(
    raw: bytes,
    exam: Exam,
    template: Template,
    box: Box,
    limits: Limits,
    student: str = "",
    file: str = "",
) -> Grade:
    """Run a hand-in in a sandbox and compare what its answers give.

    Args:
        raw: the notebook.
        exam: the hidden cases.
        template: what was given out.
        box: where to run it.
        limits: what it may use.
        student: whose it is.
        file: its name.

    Raises:
        Unreadable: it is no notebook.
    """
    cells = hand_ins.cells(raw)
    run = Run(exam, template.own(cells), limits, len(template.setup))
    run.finish(box)
    marks = [sheet.mark(run.outcomes[sheet.question.name]) for sheet in exam.sheets]
    written = hand_ins.written_answer(cells)
    return Grade(student, file, _status(run, marks), marks, run.notes, written)


def _status(run: Run, marks: list[Mark]) -> str:
    troubles = {mark.status for mark in marks} | run.troubles
    for status in ("tampered", "timed out"):
        if status in troubles:
            return status
    return "partly" if run.notes or troubles - {"right", "wrong", "scored"} else "graded"


class Run:
    """One hand-in on its way through as many sandboxes as it breaks.

    A cell that breaks its sandbox is left out in the next one; an answer that breaks it has its
    outcome, and the next answer goes on in a fresh sandbox.

    Args:
        exam: the hidden cases.
        cells: what to run.
        limits: what it may use.
        given: how many of the first cells were given out.
    """

    def __init__(self, exam: Exam, cells: list[str], limits: Limits, given: int) -> None:
        self.exam, self.cells, self.limits, self.given = exam, cells, limits, given
        self.outcomes: dict[str, list[Any]] = defaultdict(list)
        self.left_out: dict[int, str] = {}
        self.failed: dict[int, str] = {}
        self.troubles: set[str] = set()

    @property
    def notes(self) -> list[str]:
        """Which cells were left out, and which failed."""
        failed = [f"{self._cell(place)} failed: {words}" for place, words in self.failed.items()]
        more = f"{len(failed) - MOST_NOTES} more cells failed"
        return [
            *(f"left out: {self._cell(place)}, because {w}" for place, w in self.left_out.items()),
            *failed[:MOST_NOTES],
            *([more] if len(failed) > MOST_NOTES else []),
        ]

    def finish(self, box: Box) -> None:
        """Get the outcome of every request."""
        self.deadline = time.monotonic() + self.limits.wall_seconds
        while any(len(done) < sheet.requests for sheet, done in self._progress()):
            if time.monotonic() >= self.deadline:
                self._stop(Trouble("timed out", "the whole notebook took too long"))
                return
            with box.start(self.limits) as process:
                channel = Channel(process, self.limits)
                try:
                    channel.request({"do": "load"}, START_SECONDS)
                except Trouble as trouble:
                    raise RuntimeError(f"the box does not start: {trouble}") from trouble
                with suppress(Trouble):  # the next one goes on without what broke this one
                    self._run_cells(channel)
                    self._ask_answers(channel)

    def _progress(self) -> list[tuple[Any, list]]:
        return [(sheet, self.outcomes[sheet.question.name]) for sheet in self.exam.sheets]

    def _seconds(self) -> float:
        return min(self.limits.cell_seconds, max(0.0, self.deadline - time.monotonic()))

    def _stop(self, trouble: Trouble) -> None:
        self.troubles.add(trouble.kind)
        for sheet, done in self._progress():
            done += [trouble] * (sheet.requests - len(done))

    def _run_cells(self, channel: Channel) -> None:
        """Run all cells, and those that failed a second time."""
        failed = self._run(channel, range(len(self.cells)))
        # A cell may need what a later one defines, when cells were moved.
        self.failed = self._run(channel, [place for place in failed if place >= self.given])

    def _run(self, channel: Channel, places: Iterable[int]) -> dict[int, str]:
        failed = {}
        for place in places:
            if place in self.left_out:
                continue
            request = {"do": "run", "cell": place, "source": self.cells[place]}
            try:
                seconds = self._seconds() if place >= self.given else START_SECONDS
                error = channel.request(request, seconds).get("error")
            except Trouble as trouble:
                self.left_out[place] = str(trouble)
                self.troubles.add(trouble.kind)
                raise
            if error:
                failed[place] = _short(error)
        return failed

    def _cell(self, place: int) -> str:
        """A cell as the student knows it: by its first line."""
        if place < self.given:
            return "a cell that was given out"
        first = self.cells[place].strip().splitlines()[0][:60]
        return f"the cell that begins with {first!r}"

    def _ask_answers(self, channel: Channel) -> None:
        for sheet, done in self._progress():
            while len(done) < sheet.requests:
                try:
                    done.append(sheet.ask(channel, self._seconds(), len(done)))
                except Trouble as trouble:
                    self.troubles.add(trouble.kind)
                    done.append(trouble)
                    raise
