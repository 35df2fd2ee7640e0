"""Grade a folder of hand-ins: in parallel, and resumed after an interrupt."""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from nas_lab.homework.grading import report
from nas_lab.homework.grading.boxes import Box, Limits
from nas_lab.homework.grading.grade import Exam, Grade, Mark, grade
from nas_lab.homework.grading.hand_ins import (
    HandIn,
    Template,
    Unreadable,
    age,
    cells,
    content,
    latest,
    normal,
)

ENGINE = "2"
"""Changes when the same hand-in may get another grade; older results are then not used again."""
FAILED = "the grader failed on this file: ask your instructor"
"""What a student is told of an error that is the grader's own."""


@dataclass(frozen=True)
class Batch:
    """How to grade.

    Attributes:
        exam: the hidden cases.
        template: what was given out.
        box: where hand-ins run.
        limits: what each may use.
        folder: for feedback, and for the grades of an interrupted run.
        due: a hand-in after it gets a note.
    """

    exam: Exam
    template: Template
    box: Box
    limits: Limits
    folder: Path
    due: datetime | None = None

    def run(self, found: Sequence[HandIn], jobs: int) -> Iterator[Grade]:
        """Grade the last hand-in of each student, and yield grades as they come.

        Args:
            found: all hand-ins.
            jobs: how many at once; in plain mode always one.
        """
        (self.folder / ".grades").mkdir(parents=True, exist_ok=True)
        files: dict[str, list[HandIn]] = defaultdict(list)
        for hand_in in sorted(found, key=age):
            files[hand_in.student].append(hand_in)
        codes = {hand_in.student: self._code(hand_in) for hand_in in latest(found)}
        with ThreadPoolExecutor(jobs if self.box.isolated else 1) as pool:
            futures = [pool.submit(self._grade, files[student], codes) for student in codes]
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _code(self, hand_in: HandIn) -> str:
        """A hash of the student's own code; empty when there is none."""
        try:
            own = self.template.own(cells(content(hand_in.path)))[len(self.template.setup) :]
        except Exception:  # grading says so
            return ""
        text = "\n".join(map(normal, own))
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest() if text else ""

    def _grade(self, files: Sequence[HandIn], codes: Mapping[str, str]) -> Grade:
        """Grade the last of one student's files, and write the page."""
        student, name = files[-1].student, files[-1].name
        notes, private = self._about_files(files), _same_code(student, codes)
        try:
            found = self._graded(content(files[-1].path), student, name)
            found = replace(found, notes=[*found.notes, *notes], private=private)
        except Exception as error:  # one bad hand-in must not stop the others
            why = str(error) if isinstance(error, Unreadable) else FAILED
            private += [] if isinstance(error, Unreadable) else [f"the grader failed: {error!r}"]
            marks = [
                Mark(sheet.question.name, 0, sheet.question.points, "missing")
                for sheet in self.exam.sheets
            ]
            found = Grade(student, name, "unreadable", marks, [why, *notes], "", private)
        report.write_page(found, self.exam.homework, self.folder)
        return found

    def _graded(self, raw: bytes, student: str, name: str) -> Grade:
        """A grade, from an earlier run when nothing has changed."""
        parts = [ENGINE, repr(self.limits), self.box.name, student, name]
        parts += [sheet.content for sheet in self.exam.sheets]
        key = hashlib.sha256("\n".join(parts).encode() + raw).hexdigest()
        kept = self.folder / ".grades" / f"{key}.json"
        with suppress(OSError, ValueError, TypeError, KeyError):  # none, or damaged
            return Grade.from_plain(json.loads(kept.read_text("utf-8")))
        found = grade(raw, self.exam, self.template, self.box, self.limits, student, name)
        part = kept.with_suffix(".part")
        part.write_text(json.dumps(asdict(found)), "utf-8")
        os.replace(part, kept)
        return found

    def _about_files(self, files: Sequence[HandIn]) -> list[str]:
        """What a student is told about the files: late, or one of several."""
        *others, last = files
        notes = []
        if self.due and last.when > self.due.timestamp():
            notes.append(f"late by {(last.when - self.due.timestamp()) / 3600:.1f} h")
        if others:
            names = ", ".join(other.name for other in others)
            notes.append(f"the latest of {len(files)} files; not graded: {names}")
        return notes


def _same_code(student: str, codes: Mapping[str, str]) -> list[str]:
    """Who else handed in the same code, for the instructor."""
    own = codes[student]
    others = [other for other, code in codes.items() if own and code == own and other != student]
    return [f"same code as {', '.join(others)}"] if others else []
