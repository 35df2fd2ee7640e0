"""Grade a folder of hand-ins: in parallel, resumed after an interrupt, with tables in the end."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nas_lab.homework.grading import feedback, tables
from nas_lab.homework.grading.boxes import BoxKind, Limits
from nas_lab.homework.grading.exam import Exam
from nas_lab.homework.grading.grading import Grade, grade, unreadable, with_notes
from nas_lab.homework.grading.reading import HandIn, Unreadable, content
from nas_lab.homework.grading.template import Template

ENGINE = "1"
"""Changes when the same hand-in may get another grade; older results are then not used again."""


@dataclass(frozen=True)
class Batch:
    """How to grade.

    Attributes:
        exam: the hidden cases.
        template: what was given out.
        box: where hand-ins run.
        limits: what each may use.
        folder: for feedback, and for the grades of an interrupted run.
        due: hand-ins after it are told to be late.
    """

    exam: Exam
    template: Template
    box: BoxKind
    limits: Limits
    folder: Path
    due: datetime | None = None

    def run(self, found: Sequence[HandIn], jobs: int = 1) -> Iterator[Grade]:
        """Grade the last hand-in of each student, and yield grades as they come.

        Args:
            found: all hand-ins.
            jobs: how many at once; in plain mode always one.
        """
        (self.folder / ".grades").mkdir(parents=True, exist_ok=True)
        notes = self._about_files(found)
        with ThreadPoolExecutor(jobs if self.box.isolated else 1) as pool:
            futures = [
                pool.submit(self._grade, hand_in, notes[hand_in]) for hand_in in latest(found)
            ]
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _grade(self, hand_in: HandIn, notes: list[str]) -> Grade:
        name, student = hand_in.path.name, hand_in.student
        try:
            raw = content(hand_in.path)
            found = self._graded(raw, student, name)
        except Unreadable as error:
            found = unreadable(self.exam, student, name, str(error))
        except Exception as error:  # one bad hand-in must not stop the others
            found = unreadable(self.exam, student, name, f"the grader failed: {error!r}")
        found = with_notes(found, *notes)
        feedback.write(found, self.exam.homework, self.folder)
        return found

    def _graded(self, raw: bytes, student: str, name: str) -> Grade:
        """A grade, from an earlier run when nothing has changed."""
        key = self.exam.fingerprint(ENGINE, repr(self.limits), self.box.name, student, name)
        key = hashlib.sha256(key.encode() + raw).hexdigest()
        kept = self.folder / ".grades" / f"{key}.json"
        if kept.is_file():
            return Grade.from_plain(json.loads(kept.read_text("utf-8")))
        found = grade(raw, self.exam, self.template, self.box, self.limits, student, name)
        part = kept.with_suffix(".part")
        part.write_text(json.dumps(found.plain()), "utf-8")
        os.replace(part, kept)
        return found

    def _about_files(self, found: Sequence[HandIn]) -> Mapping[HandIn, list[str]]:
        """What to tell about each file: late, one of several, the same as another's."""
        notes: dict[HandIn, list[str]] = defaultdict(list)
        for hand_in in found:
            if self.due and hand_in.when > self.due:
                hours = (hand_in.when - self.due).total_seconds() / 3600
                notes[hand_in].append(f"late by {hours:.1f} h")
        of_student: dict[str, list[HandIn]] = defaultdict(list)
        of_content: dict[str, list[HandIn]] = defaultdict(list)
        for hand_in in found:
            of_student[hand_in.student].append(hand_in)
        for hand_in in latest(found):
            of_content[_digest(hand_in, self.template)].append(hand_in)
        for several in (sorted(files, key=_age) for files in of_student.values()):
            if len(several) > 1:
                others = ", ".join(other.path.name for other in several[:-1])
                notes[several[-1]].append(
                    f"the latest of {len(several)} files; not graded: {others}"
                )
        for code, alike in of_content.items():
            for hand_in in alike if code and len(alike) > 1 else []:
                others = ", ".join(other.student for other in alike if other is not hand_in)
                notes[hand_in].append(f"{TWIN} {others}")
        return defaultdict(list, notes)


TWIN = "same code as"
"""Begins a note that only the instructor sees."""


def _digest(hand_in: HandIn, template: Template) -> str:
    """Of the student's own code; empty when there is none."""
    from nas_lab.homework.grading.reading import cells
    from nas_lab.homework.grading.template import normal

    try:
        own = template.own(cells(content(hand_in.path)))[len(template.setup) :]
    except Unreadable:
        return ""
    text = "\n".join(map(normal, own))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest() if text else ""


def latest(found: Sequence[HandIn]) -> list[HandIn]:
    """The last hand-in of each student, by the student's name."""
    last = {hand_in.student: hand_in for hand_in in sorted(found, key=_age)}
    return [last[student] for student in sorted(last)]


def _age(hand_in: HandIn) -> tuple[bool, datetime]:
    """Notebooks come after all other files, and then the later one wins."""
    return hand_in.path.suffix in (".ipynb", ".zip"), hand_in.when


def write_tables(path: Path, grades: Sequence[Grade], by_hand: Mapping[str, float]) -> Path:
    """Write a row for each student and question, and a table of totals beside it.

    Args:
        path: of the first table; the second has ``.totals`` before its suffix.
        grades: in any order.
        by_hand: points for the written answers, by student.
    """
    ordered = sorted(grades, key=lambda grade: grade.student)
    rows = [
        [g.student, m.question, m.points, m.of, m.status, m.words] for g in ordered for m in g.marks
    ]
    rows += [
        [g.student, "written", _number(by_hand[g.student]), "", "by hand", ""]
        for g in ordered
        if g.student in by_hand
    ]
    rows += [_total(g, by_hand.get(g.student, 0)) for g in ordered]
    rows.sort(key=lambda row: str(row[0]))
    tables.write(path, ["student", "question", "points", "of", "status", "notes"], rows)
    totals = path.with_suffix(f".totals{path.suffix}")
    lines = [
        [g.student, _number(g.points + by_hand.get(g.student, 0)), g.of, g.status] for g in ordered
    ]
    tables.write(totals, ["student", "points", "of", "status"], lines)
    return totals


def _total(grade: Grade, more: float) -> list:
    points = _number(grade.points + more)
    return [grade.student, "total", points, grade.of, grade.status, "; ".join(grade.notes)]


def _number(points: float) -> float | int:
    return int(points) if points == int(points) else points


def read_marks(path: Path) -> dict[str, float]:
    """Points given by hand: a table with the columns student and points.

    Raises:
        ValueError: a column is missing, or a number is none.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    try:
        return {row["student"]: float(row["points"]) for row in rows if row["points"].strip()}
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} needs the columns student and points") from error
