"""Read hand-ins: files that somebody else wrote, and that may be anything.

Of a notebook's cells, those of the template, which was given out, are not the student's own."""

from __future__ import annotations

import io
import json
import os
import re
import stat
import tempfile
import time
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

MOST_BYTES = 20 << 20
MOST_PARTS = 2_000_000  # lists, dicts and entries: each takes far more memory than its comma
MOST_MEMBERS = 1_000  # of an archive
MOST_CELLS = 1_000
MOST_SOURCE = 200_000
NOT_HANDED_IN = {"__MACOSX", ".ipynb_checkpoints"}  # put into an archive by a system or Jupyter
CAUTION = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # no links, no waiting
SKIPPED = "skip-grading"  # a tag of cells that are not to run
NOT_WRITTEN = "*Write here.*"  # what stands below the written answer's heading when given out
BEGINS = re.compile(r"\W*(\d+ )?(in your own words|written answer)\b", re.I)
HEADING = re.compile(r"^\W*written answer[*_:]*\s*(\((write )?below[^)\n]*\))?", re.I)
FIXED = re.compile(r"#+ (\d+ in your own words|hand in)\b", re.I)  # cells that are not the answer
PROSE = re.compile(r"\W*(?!(?:for|from|if|with|while|async|not) )\w+,? \w+,? \w")
TOKEN = re.compile(r'"outputs"\s*:\s*\[|\\.|["\[\]{}]', re.DOTALL)
MOST_NAME = 255  # bytes of a file's name, on most systems

Cell: TypeAlias = tuple[bool, str]  # whether it is code, and its text


class Unreadable(Exception):
    """A hand-in that is no notebook; the message says why, for the student."""


def escaped(text: str) -> str:
    """A text in which nothing steers a terminal or turns the line around."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """A folder of hand-ins; that of a platform's zip file, with the files' times, for a while."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            member.filename = "/".join(map(_shortened, member.filename.split("/")))
            try:
                made = archive.extract(member, name)
            except RuntimeError as error:  # a password, or a way to pack that Python cannot undo
                raise ValueError(
                    f"{path}: {error}; unpack it yourself, and name the folder"
                ) from None
            when = time.mktime((*member.date_time, 0, 0, -1))
            os.utime(made, (when, when))
        yield Path(name)


def _shortened(name: str) -> str:
    """A file's name that any system takes, with its first and its last letters."""
    raw = name.encode("utf-8", "replace")
    return name if len(raw) <= MOST_NAME else f"{raw[:150].decode('utf-8', 'ignore')}{name[-20:]}"


def content(path: Path) -> bytes:
    """The bytes of a notebook, out of a zip file if it is in one; or ``Unreadable`` is raised."""
    if path.is_symlink():
        raise Unreadable("the file is a link; hand in the notebook itself")
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | CAUTION)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Unreadable("this is no file")
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Unreadable(f"the file cannot be read: {error.strerror}") from None
    if len(raw) > MOST_BYTES:
        raise Unreadable(f"the file has more than {MOST_BYTES >> 20} MB; clear its outputs")
    return _unzipped(raw) if raw[:4] == b"PK\x03\x04" else raw


def _unzipped(raw: bytes) -> bytes:
    """The one notebook of an archive, never more than ``MOST_BYTES`` of it."""
    if raw.count(b"PK\x01\x02") > MOST_MEMBERS:
        raise Unreadable("the archive holds far too many files; hand in one notebook")
    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
        notebooks = [n for n in archive.namelist() if n.lower().endswith(".ipynb")]
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
    """Of each cell of a notebook that is not to be skipped, whether it is code, and its text."""
    kept = [c for c in listed(raw) if SKIPPED not in _listed(c.get("metadata"), "tags")]
    return [(cell.get("cell_type") == "code", source_of(cell)) for cell in kept]


def listed(raw: bytes) -> list[dict]:
    """The cells of a notebook in format 3 or 4, whatever else is wrong with it."""
    text = _without_outputs(raw.decode(json.detect_encoding(raw), "replace"))
    if sum(map(text.count, ",[{")) > MOST_PARTS:
        raise Unreadable("the file has far too many parts")
    try:
        notebook = json.loads(text, parse_int=float)  # a whole number may have any length
    except (ValueError, RecursionError, MemoryError):
        raise Unreadable("the file is no notebook: it is no JSON") from None
    places = [notebook, *_listed(notebook, "worksheets")]
    found = [cell for place in places for cell in _listed(place, "cells") if type(cell) is dict]
    if not found:
        raise Unreadable("the file is no notebook: it has no cells")
    return found[:MOST_CELLS]


def _without_outputs(text: str) -> str:
    """A notebook's JSON in which every list of outputs is empty."""
    kept, start, depth, quoted = [], 0, 0, False
    for token in TOKEN.finditer(text):
        sign = token[0]
        if sign == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif depth:
            depth += 1 if sign[-1] in "[{" else -1
            start = token.start() if depth == 0 else start
        elif len(sign) > 2:
            kept.append(text[start : token.end()])
            depth = 1
    return "".join(kept) + ("" if depth else text[start:])


def _listed(parent: Any, name: str) -> list:
    """What the list of this name holds; nothing where there is no such list."""
    found = parent.get(name) if isinstance(parent, dict) else None
    return found if isinstance(found, list) else []


def source_of(cell: dict) -> str:
    """The text of a cell; empty without one."""
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    return source[:MOST_SOURCE] if isinstance(source, str) else ""


def written_answer(cells: list[Cell], given: Collection[str] = ()) -> str:
    """All text below the question of the written answer that is not ``given`` in a template, also
    what stands in cells of code and reads like prose; empty without any."""
    found, below = [], False
    for code, source in cells:
        text = source.strip("\ufeff \n")
        below = below or (not code and BEGINS.match(text) is not None)
        own = not FIXED.match(text) and normal(text) not in given
        if below and own and (not code or PROSE.match(text)):
            found.append(HEADING.sub("", text).replace(NOT_WRITTEN, "").strip())
    return "\n\n".join(filter(None, found))


@dataclass(frozen=True)
class Template:
    """A released notebook."""

    setup: tuple[str, ...]  # sources of the cells with the tag ``setup``, on which answers rely
    given: frozenset[str]  # all sources, in normal form

    @classmethod
    def load(cls, path: Path) -> Template:
        """Read a released notebook."""
        if not path.is_file():
            raise FileNotFoundError(f"{path} is not there: name the released notebook")
        found = listed(path.read_bytes())
        setup = [cell for cell in found if "setup" in cell["metadata"].get("tags", [])]
        return cls(tuple(map(source_of, setup)), frozenset(normal(source_of(c)) for c in found))

    def own(self, cells: list[Cell]) -> list[str]:
        """What to run of a hand-in: the set-up that was given out, then the student's own cells.
        A cell that was given out and comes back as it was holds no answer and is left out. So a
        lost or moved set-up does no harm, and an empty answer hides none that was given."""
        sources = [source for code, source in cells if code and source.strip()]
        return [*self.setup, *(source for source in sources if normal(source) not in self.given)]


def normal(source: str) -> str:
    """A source without the spaces and empty lines that editors add."""
    return "\n".join(line.rstrip() for line in source.splitlines() if line.strip())
