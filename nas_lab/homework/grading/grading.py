"""Grade one hand-in."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace

from nas_lab.homework.grading import reading
from nas_lab.homework.grading.boxes import BoxKind, Limits
from nas_lab.homework.grading.exam import Exam, OpenSheet, Sheet
from nas_lab.homework.grading.searching import lost, searched, verdict
from nas_lab.homework.grading.talking import Channel, Trouble, as_text, call
from nas_lab.homework.grading.template import Template
from nas_lab.homework.question import QueryBudget, Result, earned, in_words

LEFT_OUT = "left out:"
MOST_NOTES = 12
START_SECONDS = 60
"""For Python and the libraries that the drivers need."""
IN_WORDS = {
    "right": "right",
    "wrong": "not right yet",
    "scored": "scored",
    "missing": "not answered",
    "raised": "raised an error",
    "timed out": "took too long",
    "ended": "ended its process",
    "memory": "took too much memory",
    "tampered": "sent a forged reply",
}


@dataclass(frozen=True)
class Mark:
    """What one answer earned.

    Attributes:
        question: its name.
        points: earned.
        of: points of a right answer.
        status: a key of ``IN_WORDS``.
        words: for the student.
        results: of an open question, one for each hidden case.
    """

    question: str
    points: int
    of: int
    status: str
    words: str = ""
    results: tuple[Result, ...] = ()

    @classmethod
    def from_plain(cls, data: dict) -> Mark:
        """Out of plain data."""
        return cls(**{**data, "results": tuple(Result(**found) for found in data["results"])})


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
    """

    student: str
    file: str
    status: str
    marks: tuple[Mark, ...]
    notes: tuple[str, ...] = ()
    written: str = ""

    @property
    def points(self) -> int:
        """Earned with all answers together."""
        return sum(mark.points for mark in self.marks)

    @property
    def of(self) -> int:
        """What could be earned."""
        return sum(mark.of for mark in self.marks)

    def plain(self) -> dict:
        """As plain data."""
        return asdict(self)

    @classmethod
    def from_plain(cls, data: dict) -> Grade:
        """Out of plain data."""
        marks = tuple(Mark.from_plain(mark) for mark in data["marks"])
        return cls(**{**data, "marks": marks, "notes": tuple(data["notes"])})


def unreadable(exam: Exam, student: str, file: str, why: str) -> Grade:
    """The grade of what is no notebook."""
    marks = tuple(Mark(s.question.name, 0, s.question.points, "missing") for s in exam.sheets)
    return Grade(student, file, "unreadable", marks, (why,))


def grade(
    raw: bytes,
    exam: Exam,
    template: Template,
    box: BoxKind,
    limits: Limits,
    student: str = "",
    file: str = "",
) -> Grade:
    """Run a hand-in in a box and compare what its answers give.

    Args:
        raw: the notebook.
        exam: the hidden cases.
        template: what was given out.
        box: where to run it.
        limits: what it may use.
        student: whose it is.
        file: its name.
    """
    try:
        cells = reading.cells(raw)
    except reading.Unreadable as error:
        return unreadable(exam, student, file, str(error))
    run = Run(exam, template.own(cells), limits, len(template.setup))
    run.finish(box)
    marks = tuple(run.marks[sheet.question.name] for sheet in exam.sheets)
    notes, written = tuple(run.notes), reading.written_answer(cells)
    return Grade(student, file, _status(run, marks), marks, notes, written)


def _status(run: Run, marks: tuple[Mark, ...]) -> str:
    troubles = {mark.status for mark in marks} | run.troubles
    for status in ("tampered", "timed out"):
        if status in troubles:
            return status
    return "partly" if run.notes or troubles - {"right", "wrong", "scored"} else "graded"


@dataclass
class Run:
    """One hand-in on its way through as many boxes as it breaks.

    A cell that breaks its box is left out in the next one; an answer that breaks it is marked, and
    the next answer goes on in a fresh box.
    """

    exam: Exam
    cells: list[str]
    limits: Limits
    given: int = 0
    marks: dict[str, Mark] = field(default_factory=dict)
    results: dict[str, list[Result]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    troubles: set[str] = field(default_factory=set)
    broken: set[int] = field(default_factory=set)

    def finish(self, box: BoxKind) -> None:
        """Mark every answer."""
        self.deadline = time.monotonic() + self.limits.wall_seconds
        while self._todo():
            if time.monotonic() >= self.deadline:
                self._stop("timed out", "the whole notebook took too long")
                return
            with box.start(self.limits) as process:
                channel = Channel(process, self.limits.memory, 2 * self.limits.processes)
                try:
                    channel.ask({"do": "load", "modules": self.exam.modules}, START_SECONDS)
                except Trouble as trouble:
                    raise RuntimeError(f"the box does not start: {trouble}") from trouble
                if self._cells_ran(channel):
                    self._ask_answers(channel)

    def _todo(self) -> list[Sheet | OpenSheet]:
        return [sheet for sheet in self.exam.sheets if sheet.question.name not in self.marks]

    def _seconds(self) -> float:
        return min(self.limits.cell_seconds, max(0.0, self.deadline - time.monotonic()))

    def _stop(self, status: str, words: str) -> None:
        for sheet in self._todo():
            if isinstance(sheet, OpenSheet):
                done = self.results.setdefault(sheet.question.name, [])
                done += [lost(task, 0, words) for task in sheet.tasks[len(done) :]]
                self.troubles.add(status)
                self._score(sheet, done)
            else:
                self._mark(sheet, status, words)

    def _cells_ran(self, channel: Channel) -> bool:
        """Run all cells, those that failed a second time; False when one broke the box."""
        failed = self._run(channel, range(len(self.cells)))
        if failed is not None:
            # A cell may need what a later one defines, when cells were moved.
            failed = self._run(channel, [i for i in failed if i >= self.given])
        if failed is None:
            return False
        self.notes = [note for note in self.notes if note.startswith(LEFT_OUT)]
        why = [f"{self._cell(place)} failed: {words}" for place, words in failed.items()]
        self.notes += why[:MOST_NOTES]
        if len(why) > MOST_NOTES:
            self.notes.append(f"{len(why) - MOST_NOTES} more cells failed")
        return True

    def _run(self, channel: Channel, places: Iterable[int]) -> dict[int, str] | None:
        failed = {}
        for place in places:
            if place in self.broken:
                continue
            request = {"do": "run", "cell": place, "source": self.cells[place]}
            try:
                seconds = self._seconds() if place >= self.given else START_SECONDS
                error = channel.ask(request, seconds).get("error")
            except Trouble as trouble:
                self.broken.add(place)
                self.troubles.add(trouble.kind)
                self.notes.append(f"{LEFT_OUT} {self._cell(place)}, because {trouble}")
                return None
            if error:
                failed[place] = as_text(error)
        return failed

    def _cell(self, place: int) -> str:
        """A cell as the student knows it: by its first line."""
        if place < self.given:
            return "a cell that was given out"
        first = self.cells[place].strip().splitlines()[0][:60]
        return f"the cell that begins with {first!r}"

    def _ask_answers(self, channel: Channel) -> None:
        for sheet in self._todo():
            ask = self._ask_search if isinstance(sheet, OpenSheet) else self._ask_answer
            if not ask(channel, sheet):  # type: ignore[arg-type]
                return

    def _ask_answer(self, channel: Channel, sheet: Sheet) -> bool:
        """Mark one answer; False when it broke the box."""
        cases = list(map(json.loads, sheet.inputs))
        try:
            reply = channel.ask(call(sheet.question, cases), self._seconds())
        except Trouble as trouble:
            self._mark(sheet, trouble.kind, str(trouble))
            return False
        self._judge(sheet, reply)
        return True

    def _ask_search(self, channel: Channel, sheet: OpenSheet) -> bool:
        """Score one search in the cases that are left; False when it broke the box."""
        done = self.results.setdefault(sheet.question.name, [])
        for task in sheet.tasks[len(done) :]:
            query_budget = QueryBudget(task)
            try:
                done.append(searched(channel, sheet.question, query_budget, self._seconds()))
            except Trouble as trouble:
                self.troubles.add(trouble.kind)
                done.append(lost(task, query_budget.asked, str(trouble)))
                return False
        self._score(sheet, done)
        return True

    def _score(self, sheet: OpenSheet, results: list[Result]) -> None:
        question = sheet.question
        points = earned(question.points, results)
        found, words = verdict(sheet, results, points), in_words(results)
        if found == "scored":
            words += f". Hint: {question.hint}"
        mark = Mark(question.name, points, question.points, found, words, tuple(results))
        self.marks[question.name] = mark

    def _judge(self, sheet: Sheet, reply: dict) -> None:
        """Mark an answer by what it gave."""
        if reply.get("missing") is True:
            return self._mark(sheet, "missing", f"there is no {sheet.question.answer}()")
        cases = reply.get("cases")
        if not isinstance(cases, list) or not _has_form(cases, len(sheet.inputs)):
            return self._mark(sheet, "tampered", "a reply has not the form of one")
        got = [case.get("value") for case in cases]
        errors = [as_text(case["error"]) for case in cases if "error" in case]
        if not errors and all(value is None for value in got):
            return self._mark(sheet, "missing", "the function returns None")
        agree = sum(sheet.agrees(got))
        if agree == len(got) and not errors:
            return self._mark(sheet, "right")
        found = f"{agree} of {len(got)} hidden cases agree"
        if errors:
            return self._mark(sheet, "raised", f"{found}; {errors[0]}")
        return self._mark(sheet, "wrong", f"{found}. Hint: {sheet.hint(got)}")

    def _mark(self, sheet: Sheet, status: str, words: str = "") -> None:
        question = sheet.question
        points = question.points if status == "right" else 0
        self.marks[question.name] = Mark(question.name, points, question.points, status, words)


def _has_form(cases: list, length: int) -> bool:
    return len(cases) == length and all(isinstance(case, dict) for case in cases)


def with_notes(found: Grade, *notes: str) -> Grade:
    """The same grade with notes about the file."""
    return replace(found, notes=(*found.notes, *filter(None, notes)))
