"""Read hand-ins: files that somebody else wrote, and that may be anything.

Of a notebook's cells, those of the template, which was given out, are not the student's own.
"""

from __future__ import annotations

import io
import json
import os
import re
import stat
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_lab.homework.notebooks import NOT_WRITTEN

MOST_BYTES = 20 << 20
MOST_PARTS = 2_000_000
"""Lists, dicts and entries of a notebook: each takes far more memory than its comma."""
MOST_MEMBERS = 1_000
MOST_CELLS = 1_000
NOT_HANDED_IN = {"__MACOSX", ".ipynb_checkpoints"}
"""Folders of an archive that a system or Jupyter put there."""
MOST_SOURCE = 200_000
WRITTEN = "**Written answer"
"""How the cell for the written answer begins."""


class Unreadable(Exception):
    """A hand-in that is no notebook; the message says why, for the student."""


@dataclass(frozen=True)
class HandIn:
    """A file in the folder of submissions.

    Attributes:
        student: by the file's place: its folder's name, or its own without the homework's.
        name: of the file.
        path: where it is.
        when: it was last changed, in seconds since 1970.
    """

    student: str
    name: str
    path: Path
    when: float


@dataclass(frozen=True)
class Cell:
    """One cell: ``code`` or not, and its text."""

    code: bool
    source: str


def find(folder: Path, homework: str) -> list[HandIn]:
    """All files of a folder and of the folders in it, by student and time.

    Args:
        folder: holds ``student/anything.ipynb`` or ``student_hw1.ipynb``.
        homework: such as ``hw1``.

    Raises:
        NotADirectoryError: there is no such folder.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder: name the one that holds the hand-ins")
    found = [_hand_in(folder, path, homework) for path in _files(folder)]
    return sorted(found, key=lambda h: (h.student, h.when, str(h.path)))


def _files(folder: Path) -> Iterator[Path]:
    for place, inner, names in os.walk(folder, followlinks=False):
        inner[:] = sorted(n for n in inner if not n.startswith((".", "__")))
        linked = [n for n in inner if Path(place, n).is_symlink()]
        for name in sorted([*names, *linked]):
            if not name.startswith("."):
                yield Path(place, name)


def _hand_in(folder: Path, path: Path, homework: str) -> HandIn:
    # A name that is no UTF-8 is written with escapes, here and nowhere else.
    inner = Path(os.fsencode(path.relative_to(folder)).decode("utf-8", "backslashreplace"))
    student = inner.parts[0] if len(inner.parts) > 1 else _student(inner.stem, homework)
    return HandIn(student, inner.name, path, path.lstat().st_mtime)


def _student(stem: str, homework: str) -> str:
    """``ada_hw1 (2)`` and ``hw1_ada`` are ada's."""
    stem = re.sub(r" *(\(\d+\)|- ?[Cc]opy.*)$", "", stem)
    parts = [part for part in re.split(rf"[ _.-]*{homework}[ _.-]*", stem, flags=re.I) if part]
    return parts[0] if parts else stem


def latest(found: Sequence[HandIn]) -> list[HandIn]:
    """The last hand-in of each student, by the student's name."""
    last = {hand_in.student: hand_in for hand_in in sorted(found, key=age)}
    return [last[student] for student in sorted(last)]


def age(hand_in: HandIn) -> tuple[bool, float]:
    """Notebooks come after all other files, and then the later one wins."""
    return hand_in.path.suffix in (".ipynb", ".zip"), hand_in.when


def content(path: Path) -> bytes:
    """The bytes of a notebook, out of a zip file if it is in one.

    Raises:
        Unreadable: it is no plain file, or too large.
    """
    if path.is_symlink():
        raise Unreadable("the file is a link; hand in the notebook itself")
    try:
        with open(path, "rb", opener=_without_links_and_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Unreadable("this is no file")
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Unreadable(f"the file cannot be read: {error.strerror}") from None
    if len(raw) > MOST_BYTES:
        raise Unreadable(f"the file has more than {MOST_BYTES >> 20} MB; clear its outputs")
    return _unzipped(raw) if raw[:4] == b"PK\x03\x04" else raw


def _without_links_and_waiting(path: str, flags: int) -> int:
    """Follow no link to what is not handed in, and wait for no pipe."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def _unzipped(raw: bytes) -> bytes:
    """The one notebook of an archive, never more than ``MOST_BYTES`` of it."""
    if raw.count(b"PK\x01\x02") > MOST_MEMBERS:
        raise Unreadable("the archive holds far too many files; hand in one notebook")
    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
        notebooks = [n for n in archive.namelist() if n.endswith(".ipynb")]
        names = [n for n in notebooks if not NOT_HANDED_IN & set(n.split("/"))]
        found = archive.open(names[0]).read(MOST_BYTES + 1) if len(names) == 1 else b""
    except Exception:  # an archive that an enemy made raises whatever there is
        raise Unreadable("the archive is broken") from None
    if len(names) != 1:
        raise Unreadable(f"the archive holds {len(names)} notebooks; hand in one")
    if len(found) > MOST_BYTES:
        raise Unreadable(f"the archive holds more than {MOST_BYTES >> 20} MB")
    return found


def cells(raw: bytes) -> list[Cell]:
    """The cells of a notebook, whatever else is wrong with it.

    Raises:
        Unreadable: it has none.
    """
    text = _without_outputs(raw.decode(json.detect_encoding(raw), "replace"))
    if sum(map(text.count, ",[{")) > MOST_PARTS:
        raise Unreadable("the file has far too many parts")
    try:
        notebook = json.loads(text, parse_int=float)  # a whole number may have any length
    except (ValueError, RecursionError, MemoryError):
        raise Unreadable("the file is no notebook: it is no JSON") from None
    found = list(_cells(notebook))
    if not found:
        raise Unreadable("the file is no notebook: it has no cells")
    return found[:MOST_CELLS]


def _without_outputs(text: str) -> str:
    """A notebook's JSON in which every list of outputs is empty."""
    kept, start, depth, quoted = [], 0, 0, False
    for token in re.finditer(r'\\.|["\[\]{}]', text, re.DOTALL):
        sign, place = token[0], token.start()
        if sign == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif depth:
            depth += 1 if sign in "[{" else -1
            start = place if depth == 0 else start
        elif sign == "[" and OUTPUTS.search(text, max(0, place - 30), place):
            kept.append(text[start : place + 1])
            depth = 1
    return "".join(kept) + ("" if depth else text[start:])


OUTPUTS = re.compile(r'"outputs"\s*:\s*$')


def _cells(notebook: Any) -> Iterator[Cell]:
    """The cells of formats 3 and 4; what has not the form of a cell is left out."""
    if not isinstance(notebook, dict):
        return
    sheets = notebook.get("worksheets")
    places = [notebook, *(sheets if isinstance(sheets, list) else [])]
    for place in places:
        listed = place.get("cells") if isinstance(place, dict) else None
        for cell in listed if isinstance(listed, list) else []:
            if isinstance(cell, dict):
                yield Cell(cell.get("cell_type") == "code", _source(cell))


def _source(cell: dict) -> str:
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    return source[:MOST_SOURCE] if isinstance(source, str) else ""


def written_answer(found: list[Cell]) -> str:
    """What stands below the heading of the written answer; empty without it."""
    for cell in found:
        if not cell.code and cell.source.lstrip().startswith(WRITTEN):
            text = cell.source.lstrip().partition("\n")[2].strip()
            return "" if text == NOT_WRITTEN else text
    return ""


@dataclass(frozen=True)
class Template:
    """A released notebook.

    Attributes:
        setup: sources of the cells with the tag ``setup``, on which answers rely.
        given: all sources, in normal form.
    """

    setup: tuple[str, ...]
    given: frozenset[str]

    @classmethod
    def load(cls, path: Path) -> Template:
        """Read a released notebook.

        Raises:
            FileNotFoundError: it is not there.
        """
        if not path.is_file():
            raise FileNotFoundError(f"{path} is not there: name the released notebook")
        listed = json.loads(path.read_text("utf-8"))["cells"]
        code = [cell for cell in listed if cell["cell_type"] == "code"]
        setup = [cell for cell in code if "setup" in cell["metadata"].get("tags", [])]
        given = frozenset(normal("".join(cell["source"])) for cell in code)
        return cls(tuple("".join(cell["source"]) for cell in setup), given)

    def own(self, cells: list[Cell]) -> list[str]:
        """What to run of a hand-in: the set-up that was given out, then the student's own cells.

        A cell that was given out and comes back as it was holds no answer and is left out. So a
        lost or moved set-up does no harm, and an empty answer hides none that was given.
        """
        code = [cell.source for cell in cells if cell.code and cell.source.strip()]
        return [*self.setup, *(source for source in code if normal(source) not in self.given)]


def normal(source: str) -> str:
    """A source without the spaces and empty lines that editors add."""
    return "\n".join(line.rstrip() for line in source.splitlines() if line.strip())
