"""Grade a folder of hand-ins: in parallel, and resumed after an interrupt."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path

from nas_lab.homework.grading import boxes, report
from nas_lab.homework.grading.boxes import Box
from nas_lab.homework.grading.grade import Exam, Grade, Mark, grade
from nas_lab.homework.grading.kernel import Limits
from nas_lab.homework.grading.owners import HandIn
from nas_lab.homework.hand_ins import Template, Unreadable, content

ENGINE = "7"  # changes when a hand-in may get another grade; older results are then not used
MOST_NAMES = 5  # of files that are not graded
PATIENCE = 6.0  # with a hand-in that was starved, when it is graded again
FAILED = "the grader failed on this file: ask your instructor"
DAY = 24 * 3600


@dataclass(frozen=True)
class Rules:
    """What counts, and what is graded again."""

    due: Mapping[str, datetime] = field(default_factory=dict)  # by student
    penalty: float = 0.0  # percent of the points that each day after it costs, begun ones too
    on_time: bool = False  # of several hand-ins the last on-time one counts, not the last
    partial: bool = False  # a share of the cases earns that share of the points
    students: Collection[str] = ()  # to grade again, without looking at anybody else
    questions: Collection[str] = ()  # to grade again; the marks of others stay

    def counting(self, student: str, files: Sequence[HandIn]) -> HandIn:
        """Which of a student's files is graded; they are sorted, the latest last."""
        due = self.due.get(student)
        in_time = [f for f in files if due and f.is_notebook and f.when <= due.timestamp()]
        return (in_time if self.on_time and in_time else files)[-1]

    def late(self, student: str, when: float) -> tuple[float, str]:
        """Which share of the points being late costs, and a note; nothing in time."""
        late = when - self.due[student].timestamp() if student in self.due else 0
        if late <= 0:
            return 0.0, ""
        off = min(1.0, self.penalty / 100 * math.ceil(late / DAY))
        costs = f" and loses {off:.0%} of the points" if off else ""
        return off, f"late by {late / 3600:.1f} h{costs}"


@dataclass(frozen=True)
class Batch:
    """How to grade a class."""

    exam: Exam
    template: Template
    box: Box
    limits: Limits
    folder: Path  # for feedback, and for the grades of an interrupted run
    rules: Rules = Rules()
    codes: Mapping[str, str] = field(default_factory=dict)  # to be shown in place of names

    def run(self, found: Mapping[str, Sequence[HandIn]], jobs: int) -> Iterator[Grade]:
        """Grade one file of each student, ``jobs`` at once, and yield grades as they come.
        One that was starved is graded again at the end, alone and with more patience: so what it
        computes decides, not what else the machine does."""
        boxes.remove_left_behind()
        (self.folder / ".grades").mkdir(parents=True, exist_ok=True)
        jobs = jobs if self.box.isolated else 1
        starved: list[str] = []
        with ThreadPoolExecutor(jobs) as pool:
            futures = {pool.submit(self._grade, *one): one[0] for one in found.items()}
            try:
                for future in as_completed(futures):
                    graded = future.result()
                    if graded.status == "starved":
                        starved.append(futures[future])
                    else:
                        yield graded
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
        patient = replace(self, limits=replace(self.limits, patience=PATIENCE))
        yield from (patient._grade(name, found[name]) for name in sorted(starved))

    def _grade(self, student: str, files: Sequence[HandIn]) -> Grade:
        """Grade the file of a student that counts, and write the page."""
        chosen = self.rules.counting(student, files)
        off, late = self.rules.late(student, chosen.when)
        notes = [late, self._others(chosen, files)]
        try:
            found = self._graded(content(chosen.path), student, chosen.name)
        except Exception as error:  # one bad hand-in must not stop the others
            why = str(error) if isinstance(error, Unreadable) else FAILED
            private = [] if isinstance(error, Unreadable) else [f"the grader failed: {error!r}"]
            questions = self.exam.homework.questions
            marks = [Mark(question.name, 0, question.points, "missing") for question in questions]
            found = Grade(student, chosen.name, "unreadable", marks, [why], "", private)
        if self.rules.partial:
            marks = [
                replace(m, points=max(m.points, round(m.of * m.share, 2))) for m in found.marks
            ]
            found = replace(found, marks=marks)
        if student in self.codes:
            found = replace(found, student=self.codes[student], file="your notebook")
        found = replace(found, notes=[*found.notes, *filter(None, notes)], off=off)
        report.write_page(found, self.exam.homework, self.folder)
        return found

    def _others(self, chosen: HandIn, files: Sequence[HandIn]) -> str:
        """Say which files are not graded."""
        which = "the latest" if chosen is files[-1] else "the last on-time one"
        names = [file.name for file in files if file is not chosen]
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        words = "" if self.codes else f"; not graded: {', '.join(names[-MOST_NAMES:])}{more}"
        return f"{which} of {len(files)} files{words}" if names else ""

    def _graded(self, raw: bytes, student: str, name: str) -> Grade:
        """A grade, from an earlier run when nothing has changed or when it is to stay."""
        parts = [ENGINE, repr(self.limits), self.box.name, student, name]
        parts += [sheet.content for sheet in self.exam.sheets]
        key = hashlib.sha256("\n".join(parts).encode() + raw).hexdigest()
        place = f"{self.exam.homework.name}-{report.page_name(student)}.json"
        kept = self.folder / ".grades" / place
        (old, old_key), students, questions = _read(kept), self.rules.students, self.rules.questions
        again = student in students if students else questions
        if old and not again and (old_key == key or students):
            return old
        found = grade(raw, self.exam, self.template, self.box, self.limits, student, name)
        if old and questions:
            marks = {mark.question: mark for mark in (*found.marks, *old.marks)}
            marks |= {mark.question: mark for mark in found.marks if mark.question in questions}
            found = replace(found, marks=list(marks.values()))
        if found.status != "starved" or self.limits.patience == PATIENCE:
            _write(kept, found, key)
        return found


def _read(path: Path) -> tuple[Grade | None, str]:
    """A kept grade and its key; none where there is none, or a damaged one."""
    with suppress(OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        data = json.loads(path.read_text("utf-8"))
        key, checksum = data.pop("key"), data.pop("checksum")
        if checksum == _checksum(data):
            return Grade.from_plain(data), key
    return None, ""


def _write(path: Path, grade: Grade, key: str) -> None:
    data, part = asdict(grade), path.with_suffix(".part")
    part.write_text(json.dumps({**data, "key": key, "checksum": _checksum(data)}), "utf-8")
    os.replace(part, path)


def _checksum(data: dict) -> str:
    return hashlib.sha256(json.dumps(data).encode()).hexdigest()
