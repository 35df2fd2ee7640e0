"""Tables, as CSV: a roster and points that people write, and what grading found.

Columns of other programs: Moodle's grading worksheet (``mod/assign/gradingtable.php``, read by
``mod/assign/feedback/offline/importgradeslib.php``), of which the import of grades takes any
column, and Canvas's gradebook (``lib/gradebook_importer.rb``)."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nas_lab.homework.grading.grade import STATUS, Grade, Mark
from nas_lab.homework.grading.owners import Roster, Student, clean, folded
from nas_lab.homework.hand_ins import escaped
from nas_lab.homework.question import Homework

FORMULA = re.compile(r"((?:^|[;,|])[\s\"']*)(?=[=+\-@＝＋－＠])")
TOTALS = {
    "plain": "student,points,of,status",
    "moodle": "Identifier,Full name,ID number,Email address,Grade,Maximum Grade,"
    "Last modified (grade)",
    "canvas": "Student,ID,SIS User ID,SIS Login ID,Section",
}
"""Columns of the totals; Canvas's last one is the assignment."""
QUESTIONS = ["question", "answers", "right", "mean points", "of", "most common mistake", "times"]


def due_time(text: str) -> datetime:
    """A time in ISO 8601, in this machine's zone unless it names one; a date is its last second."""
    return datetime.fromisoformat(f"{text}T23:59:59" if len(text) == 10 else text).astimezone()


def _rows(path: Path, *wanted: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of a table by the names of their columns; before each, where it is, in words."""
    lines = path.read_text("utf-8-sig").splitlines()
    rows = csv.DictReader(lines, delimiter=";" if ";" in "".join(lines[:1]) else ",")
    rows.fieldnames = [re.sub(r"\W", "", name.lower()) for name in rows.fieldnames or ()]
    if not set(wanted) <= {*rows.fieldnames}:
        raise ValueError(f"{path} needs the columns {' and '.join(wanted)}")
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise ValueError(f"{path}, row {number}: not {len(rows.fieldnames)} fields")
        yield f"{path}, row {number}", row


def read_roster(path: Path) -> Roster:
    """Read a table with the column id, and some of name, email, login and due."""
    roster: dict[str, Student] = {}
    for where, row in _rows(path, "id"):
        id, *others = (clean(row.get(c, "")) for c in ("id", "name", "email", "login"))
        if not id or folded(id) in map(folded, roster):
            raise ValueError(f"{where}: every student needs an id of their own")
        try:
            due = row.get("due", "").strip()
            roster[id] = Student(due_time(due) if due else None, id, *others)
        except ValueError:
            raise ValueError(f"{where}: due is a time such as 2026-11-30T23:59") from None
    return roster


def read_marks(path: Path, most: float) -> dict[str, float]:
    """Points given by hand, up to ``most``: a table with the columns student and points."""
    found: dict[str, float] = {}
    for where, row in _rows(path, "student", "points"):
        student, text = row["student"], row["points"].strip()
        number = re.fullmatch(r"[0-9]+([.][0-9]*)?", text or "0")
        if not number or float(number[0]) > most or student in found:
            raise ValueError(f"{where}: give each student once from 0 to {most:g} points")
        found |= {student: float(text)} if text else {}
    return found


def write(path: Path, head: Sequence[str], rows: Sequence[Sequence]) -> None:
    """Write a table that a spreadsheet opens as UTF-8 and without harm; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8-sig", errors="backslashreplace") as file:
        csv.writer(file).writerows([head, *([_cell(value) for value in row] for row in rows)])


def _cell(value: object) -> object:
    """A text that no spreadsheet takes for a formula, whatever it takes for a separator."""
    if not isinstance(value, str):
        return value
    lines = (" ".join(line.split()) for line in value.strip().split("\n"))
    return "\n".join(FORMULA.sub(r"\1'", escaped(line)) for line in lines)


@dataclass(frozen=True)
class Results:
    """What a class earned, with points for the written answers by student."""

    homework: Homework
    grades: Sequence[Grade]
    by_hand: Mapping[str, float]

    @property
    def of(self) -> int:
        """What can be earned, by written answers too once there are points for them."""
        return self.homework.points + (self.homework.written if self.by_hand else 0)

    def total(self, grade: Grade) -> str:
        """What a student earned in all."""
        return f"{grade.points + self.by_hand.get(grade.student, 0) * (1 - grade.off):g}"

    def write_grades(self, path: Path) -> None:
        """A row for each student and question, and one with the total."""
        rows: list[list] = []
        for grade in self.grades:
            name, notes = grade.student, "; ".join([*grade.notes, *grade.private])
            for mark in grade.marks:
                points = f"{mark.points:g}"
                rows.append([name, mark.question, points, mark.of, mark.status, mark.words])
            if name in self.by_hand:
                points = f"{self.by_hand[name]:g}"
                rows.append([name, "written", points, self.homework.written, "by hand", ""])
            rows.append([name, "total", self.total(grade), self.of, grade.status, notes])
        write(path, ["student", "question", "points", "of", "status", "notes"], rows)

    def write_totals(self, path: Path, form: str, known: Mapping[str, Student]) -> None:
        """A row for each student, in a form of ``TOTALS`` that a learning platform imports.
        ``known`` is what the roster and the platform say of a student."""
        head, rows = TOTALS[form].split(","), []
        if form == "canvas":
            head.append(self.homework.name)
            rows.append(["Points Possible", "", "", "", "", self.of])
        for grade in self.grades:
            points, who = self.total(grade), known.get(grade.student, Student())
            if form == "moodle":
                participant = f"Participant {who.number}" if who.number else ""
                rows.append([participant, who.name, who.id, who.email, points, self.of, ""])
            elif form == "canvas":
                rows.append([who.name, who.number, who.id, who.login or who.email, "", points])
            else:
                rows.append([grade.student, points, self.of, grade.status])
        write(path, head, rows)

    def write_questions(self, path: Path) -> list[str]:
        """How many answers to each question are right, and the most common mistake; the same in
        words."""
        rows, words = [], []
        for same in zip(*(grade.marks for grade in self.grades), strict=True):
            name, of, mean = same[0].question, same[0].of, sum(m.points for m in same) / len(same)
            wrong = Counter(_mistake(mark) for mark in same if mark.status != "right")
            right = len(same) - wrong.total()
            mistake, times = (*wrong.most_common(1), ("", 0))[0]
            rows.append([name, len(same), right, f"{mean:.2f}", of, mistake, times])
            most = f"; most often ({times}): {mistake}" if times else ""
            words.append(f"{name}: {right} of {len(same)} right{most}")
        write(path, QUESTIONS, rows)
        return words

    def write_answers(self, path: Path) -> None:
        """The written answers, with a column for the points that ``read_marks`` reads."""
        rows = [[g.student, self.by_hand.get(g.student, ""), g.written] for g in self.grades]
        write(path, ["student", "points", "answer"], rows)


def _mistake(mark: Mark) -> str:
    """What is wrong with an answer: its hint, or what happened to it. What it raised is no hint."""
    hinted = mark.status in ("wrong", "scored")
    return mark.words.rpartition("Hint: ")[2] if hinted else STATUS[mark.status][1]
