"""Whose is a hand-in? Names of files and folders, as students and learning platforms write them.

Names are compared in one normal form. A roster knows who there is; without one, names stand for
people. What is in doubt is listed and never guessed."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeAlias

from nas_lab.homework.hand_ins import NOT_HANDED_IN, escaped
from nas_lab.homework.homeworks import HOMEWORKS

OF_SYSTEMS = {"desktop.ini", "thumbs.db", ".ds_store", "submission_metadata.yml", "timestamp.txt"}
SUFFIXES = re.compile(r"(\.(ipynb|zip|txt|json))+$", re.I)
COPY = r"(?:copy|kopie|copia|copie|cópia|kopia)"
COPIED = re.compile(
    rf"^{COPY} (?:\((\d+)\) )?(?:of|von|de|di|da|van) |[ _-]*\((\d+)\)(?![^\W_])"
    rf"|[ _]*[ -] *{COPY} *(\d*)(?![^\W_])",
    re.I,
)
MOODLE = re.compile(r"^(.+?)_(\d+)_(?:assignsubmission_)?(?:file|onlinetext)(?:_.*)?$", re.I)
CANVAS = re.compile(r"^([^\W_]+)_(?:LATE_)?(\d{2,})_\d{2,}_.+$")


@dataclass(frozen=True)
class Student:
    """A row of a roster."""

    due: datetime | None = None  # in place of everybody's
    id: str = ""
    name: str = ""
    email: str = ""
    login: str = ""
    number: str = ""  # on the platform that wrote the names of files

    @cached_property
    def forms(self) -> set[str]:
        """How the student's name may be written."""
        return set().union(*map(_forms, (self.id, self.name, self.email, self.login)))


Roster: TypeAlias = Mapping[str, Student]  # by id


class HandIn(NamedTuple):
    """A file in the folder of submissions, last changed ``when``, in seconds since 1970."""

    name: str
    path: Path
    when: float
    number: str = ""  # of the student, on the platform that wrote the name

    @property
    def is_notebook(self) -> bool:
        """By its name."""
        return re.search(r"\.(ipynb|zip)\b", self.name, re.I) is not None


def clean(name: str) -> str:
    """A name as it is shown: composed letters, one space between words, nothing invisible."""
    seen = [c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c) != "Cf"]
    return escaped(" ".join("".join(seen).split()))


def folded(name: str) -> str:
    """The normal form in which names are compared."""
    return unicodedata.normalize("NFKC", clean(name)).casefold()


def find(
    folder: Path, homework: str, roster: Roster | None = None
) -> tuple[dict[str, list[HandIn]], list[str]]:
    """The files of each student, last the one to grade: the latest notebook, if there is one; and
    notes on who is missing, which names are doubtful, and what is left out. The folder holds
    ``student/anything.ipynb``, ``student_hw1.ipynb``, or what Moodle, Canvas, Google Classroom or
    nbgrader write."""
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder: name the one that holds the hand-ins")
    result, notes, named, owners = {}, [], defaultdict(list), defaultdict(list)
    this, others = _word(homework), _word("|".join(HOMEWORKS.keys() - {homework}))
    for path in _files(folder):
        # A name that is no UTF-8 is written with escapes, here and nowhere else.
        inside = os.fsencode(path.relative_to(folder)).decode("utf-8", "backslashreplace")
        parts = list(map(clean, Path(inside).parts))
        if any(part.startswith(".") for part in parts):
            notes.append(f"left out: {clean(inside)}, for its name begins with a dot")
        elif any(others.search(part) and not this.search(part) for part in parts):
            notes.append(f"left out: {clean(inside)}, of another homework")
        else:
            *above, name = parts[parts[0].lower() == homework :] or parts
            student, number = _student(above, name, this)
            named[student].append(HandIn(name, path, path.lstat().st_mtime, number))
    for student in sorted(named):
        rows = match(roster, student) if roster else [folded(student)]
        if len(rows) == 1:
            owners[rows[0]].append(student)
        else:
            words = f"is {' or '.join(rows)}" if rows else "is not in the roster"
            notes.append(f"doubtful: {student} {words}, and is not graded")
        if not roster and folded(student) == homework:
            notes.append(f"doubtful: {student} names no student")
    for owner, students in sorted(owners.items()):
        files = [each for student in students for each in named[student]]
        result[owner if roster else students[0]] = sorted(files, key=_age)
        if len(students) > 1 and not roster:
            notes.append(f"doubtful: {', '.join(students)} are taken for one name")
    notes += [f"missing: {row}" for row in roster or () if row not in result]
    return result, notes


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


def _student(above: list[str], name: str, homework: re.Pattern) -> tuple[str, str]:
    """Whose file it is, by its folder or its name, and the student's number on a platform."""
    whole = above[0] if above else SUFFIXES.sub("", name)
    # What a platform writes stands first: below it a student may write anything.
    if platform := (not above and CANVAS.match(whole)) or MOODLE.match(whole):
        return "_".join(platform.groups()), platform[2]
    stem = whole if above else COPIED.sub("", whole)
    words = [stem] if above else homework.split(stem)
    return next(filter(None, [*words, stem, whole]), "?"), ""


def _age(hand_in: HandIn) -> tuple[bool, float, int, str]:
    """Notebooks last, then the latest; of equal times the copy with the highest number."""
    copies = [int("".join(found)[:9] or 1) for found in COPIED.findall(hand_in.name)]
    return hand_in.is_notebook, hand_in.when, max(copies, default=0), str(hand_in.path)


def sorted_out(
    marks: dict[str, float], codes: Mapping[str, str], roster: Roster | None
) -> tuple[dict[str, float], list[str]]:
    """Points given by hand, under the names that students have here, or by their codes; and notes
    on the others."""
    names = {folded(name): student for student in codes for name in (student, codes[student])}
    result, notes = {}, []
    for name, points in marks.items():
        rows = match(roster, name) if roster and folded(name) not in names else [name]
        student = names.get(folded(rows[0])) if len(rows) == 1 else None
        if student is None or student in result:
            notes.append(f"doubtful: {clean(name)} has points, and is not one student")
        else:
            result[student] = points
    return result, notes


def known(found: Mapping[str, list[HandIn]], roster: Roster | None) -> dict[str, Student]:
    """What the roster says of each student, or else the names of files."""
    rows = {student: roster[student] if roster else Student(name=student) for student in found}
    return {s: replace(row, number=found[s][-1].number) for s, row in rows.items()}


def match(roster: Roster, student: str) -> list[str]:
    """Ids of all rows that a name may mean; it may end in a platform's number."""
    name, _, number = student.rpartition("_")
    texts = [student, name, number] if number.isdecimal() else [student]
    wanted = {form for text in texts for form in _forms(text)}
    return [row for row, student in roster.items() if student.forms & wanted]


def _forms(text: str) -> set[str]:
    """How a name may be written: words in any order, run together, or before an e-mail's @."""
    found = [re.findall(r"[^\W_]+", folded(part)) for part in {text, text.partition("@")[0]}]
    orders = [order for words in found if words for order in (words, words[::-1])]
    return {"".join(order) for order in orders} | {" ".join(sorted(order)) for order in orders}
