"""Whose is a hand-in? Names of files and folders, as students and learning platforms write them.

Names are compared in one normal form. A roster knows who there is; without one, names stand for
people. What is in doubt is listed and never guessed.
"""

from __future__ import annotations

import csv
import os
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

from nas_lab.homework.grading.hand_ins import NOT_HANDED_IN, escaped
from nas_lab.homework.homeworks import HOMEWORKS

OF_SYSTEMS = {"desktop.ini", "thumbs.db", ".ds_store", "submission_metadata.yml", "timestamp.txt"}
SUFFIXES = re.compile(r"(\.(ipynb|zip|txt|json))+$", re.I)
COPY = r"(?:copy|kopie|copia|copie|cópia|kopia)"
COPIED = re.compile(
    rf"^{COPY} (?:\((\d+)\) )?(?:of|von|de|di|da|van) |[ _-]*\((\d+)\)(?![^\W_])"
    rf"|[ _]*[ -] *{COPY} *(\d*)(?![^\W_])",
    re.I,
)
MOODLE = re.compile(r"^(.+_\d+)_(?:assignsubmission_)?(?:file|onlinetext)(?:_.*)?$", re.I)
CANVAS = re.compile(r"^([^\W_]+)_(?:LATE_)?(\d{2,})_\d{2,}_.+$")
COLUMNS = ("id", "name", "email", "login")  # of a roster


Roster: TypeAlias = dict[str, set[str]]
"""By id, how the name of a student may be written."""


class HandIn(NamedTuple):
    """A file in the folder of submissions, last changed ``when``, in seconds since 1970."""

    name: str
    path: Path
    when: float


def clean(name: str) -> str:
    """A name as it is shown: composed letters, one space between words, nothing invisible."""
    seen = [c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c) != "Cf"]
    return escaped(" ".join("".join(seen).split()))


def folded(name: str) -> str:
    """The normal form in which names are compared."""
    return unicodedata.normalize("NFKC", clean(name)).casefold()


@dataclass
class Found:
    """What lies in a folder of submissions."""

    files: dict[str, list[HandIn]] = field(default_factory=dict)
    """Of each student, last the one to grade."""
    notes: list[str] = field(default_factory=list)
    """Which names are doubtful, who is missing, and what is left out."""

    def of_students(self, marks: dict[str, float], roster: Roster | None) -> dict[str, float]:
        """Points given by hand, under the names that students have here; others get a note."""
        names, result = {folded(student): student for student in self.files}, {}
        for name, points in marks.items():
            rows = match(roster, name) if roster else [name]
            student = names.get(folded(rows[0])) if len(rows) == 1 else None
            if student is None or student in result:
                self.notes.append(f"doubtful: {clean(name)} has points, and is not one student")
            else:
                result[student] = points
        return result


def find(folder: Path, homework: str, roster: Roster | None = None) -> Found:
    """The files of each student, last the one to grade: the latest notebook, if there is one.
    The folder holds ``student/anything.ipynb``, ``student_hw1.ipynb``, or what Moodle, Canvas,
    Google Classroom or nbgrader write."""
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder: name the one that holds the hand-ins")
    result, named, owners = Found(), defaultdict(list), defaultdict(list)
    this, others = _word(homework), _word("|".join(HOMEWORKS.keys() - {homework}))
    for path in _files(folder):
        # A name that is no UTF-8 is written with escapes, here and nowhere else.
        inside = os.fsencode(path.relative_to(folder)).decode("utf-8", "backslashreplace")
        parts = list(map(clean, Path(inside).parts))
        if any(part.startswith(".") for part in parts):
            result.notes.append(f"left out: {clean(inside)}, for its name begins with a dot")
        elif any(others.search(part) and not this.search(part) for part in parts):
            result.notes.append(f"left out: {clean(inside)}, of another homework")
        else:
            *above, name = parts[parts[0].lower() == homework :] or parts
            named[_student(above, name, this)].append(HandIn(name, path, path.lstat().st_mtime))
    for student in sorted(named):
        rows = match(roster, student) if roster else [folded(student)]
        if len(rows) == 1:
            owners[rows[0]].append(student)
        else:
            words = f"is {' or '.join(rows)}" if rows else "is not in the roster"
            result.notes.append(f"doubtful: {student} {words}, and is not graded")
        if not roster and folded(student) == homework:
            result.notes.append(f"doubtful: {student} names no student")
    for owner, students in sorted(owners.items()):
        files = [each for student in students for each in named[student]]
        result.files[owner if roster else students[0]] = sorted(files, key=_age)
        if len(students) > 1 and not roster:
            result.notes.append(f"doubtful: {', '.join(students)} are taken for one name")
    result.notes += [f"missing: {row}" for row in roster or () if row not in result.files]
    return result


def _files(folder: Path) -> list[Path]:
    """All files but those that a system, Jupyter or a platform puts beside them."""
    found = []
    for place, inner, names in os.walk(folder):
        inner[:] = [name for name in inner if name not in NOT_HANDED_IN]
        linked = [name for name in inner if Path(place, name).is_symlink()]
        found += [Path(place, name) for name in [*names, *linked]]
    return sorted(p for p in found if p.name.lower() not in OF_SYSTEMS and p.name[:2] != "._")


def _word(words: str) -> re.Pattern:
    """One of the words, with what separates it from others."""
    return re.compile(rf"[ _.-]*(?<![^\W_])(?:{words})(?![^\W_])[ _.-]*", re.I)


def _student(above: list[str], name: str, homework: re.Pattern) -> str:
    """Whose file it is, by its folder or its name."""
    whole = above[0] if above else SUFFIXES.sub("", name)
    if platform := MOODLE.match(whole) or (not above and CANVAS.match(whole)):
        return "_".join(platform.groups())
    stem = whole if above else COPIED.sub("", whole)
    words = [stem] if above else homework.split(stem)
    return next(filter(None, [*words, stem, whole]), "?")


def _age(hand_in: HandIn) -> tuple[bool, float, int, str]:
    """Notebooks last, then the latest; of equal times the copy with the highest number."""
    copies = [int("".join(found)[:9] or 1) for found in COPIED.findall(hand_in.name)]
    notebook = re.search(r"\.(ipynb|zip)\b", hand_in.name, re.I) is not None
    return notebook, hand_in.when, max(copies, default=0), str(hand_in.path)


def read_roster(path: Path) -> Roster:
    """Read a table with the column id, and some of name, email and login."""
    lines = path.read_text("utf-8-sig").splitlines()
    rows = list(csv.reader(lines, delimiter=";" if ";" in "".join(lines[:1]) else ","))
    columns = [re.sub(r"\W", "", column.lower()) for column in rows[0]] if rows else []
    roster: Roster = {}
    for number, row in enumerate(rows[1:], start=2):
        cells = dict(zip(columns, row, strict=False))
        name = clean(cells.get("id", ""))
        if not name or folded(name) in map(folded, roster):
            raise ValueError(f"{path}, row {number}: every student needs an id of their own")
        roster[name] = {form for column in COLUMNS for form in _forms(cells.get(column, ""))}
    return roster


def match(roster: Roster, student: str) -> list[str]:
    """Ids of all rows that a name may mean; it may end in a platform's number."""
    name, _, number = student.rpartition("_")
    texts = [student, name, number] if number.isdecimal() else [student]
    wanted = {form for text in texts for form in _forms(text)}
    return [row for row, forms in roster.items() if forms & wanted]


def _forms(text: str) -> set[str]:
    """How a name may be written: words in any order, run together, or before an e-mail's @."""
    found = [re.findall(r"[^\W_]+", folded(part)) for part in {text, text.partition("@")[0]}]
    orders = [order for words in found if words for order in (words, words[::-1])]
    return {"".join(order) for order in orders} | {" ".join(sorted(order)) for order in orders}
