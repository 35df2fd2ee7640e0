"""What was given out: which cells of a hand-in are the student's own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from nas_lab.homework.grading.reading import Cell

SETUP = "setup"
"""The tag of cells that answers rely on, such as imports."""


@dataclass(frozen=True)
class Template:
    """A released notebook.

    Attributes:
        setup: sources of the cells with the tag ``setup``.
        given: all sources, in normal form.
    """

    setup: tuple[str, ...] = ()
    given: frozenset[str] = frozenset()

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
        sources = ["".join(cell["source"]) for cell in code]
        setup = [
            source
            for cell, source in zip(code, sources, strict=True)
            if SETUP in cell["metadata"].get("tags", [])
        ]
        return cls(tuple(setup), frozenset(map(normal, sources)))

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
