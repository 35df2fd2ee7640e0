"""Grade a folder of hand-ins: in parallel, and resumed after an interrupt."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from nas_lab.homework.grading import boxes, report
from nas_lab.homework.grading.boxes import Box, Limits
from nas_lab.homework.grading.grade import Exam, Grade, Mark, grade
from nas_lab.homework.grading.hand_ins import Template, Unreadable, content
from nas_lab.homework.grading.owners import HandIn

ENGINE = "3"  # changes when a hand-in may get another grade; older results are then not used
MOST_NAMES = 5  # of files that are not graded
FAILED = "the grader failed on this file: ask your instructor"


@dataclass(frozen=True)
class Batch:
    """How to grade a class."""

    exam: Exam
    template: Template
    box: Box
    limits: Limits
    folder: Path  # for feedback, and for the grades of an interrupted run
    due: datetime | None = None  # a hand-in after it gets a note

    def run(self, found: Mapping[str, Sequence[HandIn]], jobs: int) -> Iterator[Grade]:
        """Grade the last file of each student, ``jobs`` at once, and yield grades as they come.
        A search that lost by time is tried again at the end, alone."""
        boxes.remove_left_behind()
        (self.folder / ".grades").mkdir(parents=True, exist_ok=True)
        jobs = jobs if self.box.isolated else 1
        slow: list[str] = []
        with ThreadPoolExecutor(jobs) as pool:
            futures = [pool.submit(self._grade, *each, jobs == 1) for each in found.items()]
            try:
                for future in as_completed(futures):
                    graded = future.result()
                    if jobs > 1 and self._may_be_unlucky(graded):
                        slow.append(graded.student)
                    else:
                        yield graded
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
        yield from (self._grade(name, found[name], True) for name in sorted(slow))

    def _may_be_unlucky(self, grade: Grade) -> bool:
        """Whether it lost by time, in searches that may be slow and honest."""
        return grade.status == "timed out" and any(mark.results for mark in grade.marks)

    def _grade(self, student: str, files: Sequence[HandIn], alone: bool) -> Grade:
        """Grade the last of a student's files, and write the page."""
        (*others, last), notes = files, []
        if self.due and last.when > self.due.timestamp():
            notes.append(f"late by {(last.when - self.due.timestamp()) / 3600:.1f} h")
        if others:
            names = ", ".join(other.name for other in others[-MOST_NAMES:])
            names += f" and {len(others) - MOST_NAMES} more" if len(others) > MOST_NAMES else ""
            notes.append(f"the latest of {len(files)} files; not graded: {names}")
        try:
            found = self._graded(content(last.path), student, last.name, alone)
            found = replace(found, notes=[*found.notes, *notes])
        except Exception as error:  # one bad hand-in must not stop the others
            why = str(error) if isinstance(error, Unreadable) else FAILED
            private = [] if isinstance(error, Unreadable) else [f"the grader failed: {error!r}"]
            questions = [sheet.question for sheet in self.exam.sheets]
            marks = [Mark(question.name, 0, question.points, "missing") for question in questions]
            found = Grade(student, last.name, "unreadable", marks, [why, *notes], "", private)
        report.write_page(found, self.exam.homework, self.folder)
        return found

    def _graded(self, raw: bytes, student: str, name: str, alone: bool) -> Grade:
        """A grade, from an earlier run when nothing has changed."""
        parts = [ENGINE, repr(self.limits), self.box.name, student, name]
        parts += [sheet.content for sheet in self.exam.sheets]
        key = hashlib.sha256("\n".join(parts).encode() + raw).hexdigest()
        kept = self.folder / ".grades" / f"{key}.json"
        with suppress(OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            data = json.loads(kept.read_text("utf-8"))
            if data.pop("checksum") == _checksum(data):  # else it is damaged
                return Grade.from_plain(data)
        found = grade(raw, self.exam, self.template, self.box, self.limits, student, name)
        if alone or not self._may_be_unlucky(found):
            data = asdict(found)
            part = kept.with_suffix(".part")
            part.write_text(json.dumps({**data, "checksum": _checksum(data)}), "utf-8")
            os.replace(part, kept)
        return found


def _checksum(data: dict) -> str:
    return hashlib.sha256(json.dumps(data).encode()).hexdigest()
