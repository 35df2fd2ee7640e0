"""Write tables that a spreadsheet opens without harm."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path


def write(path: Path, head: list[str], rows: Sequence[list]) -> None:
    """Write a table as CSV; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows([[_cell(value) for value in row] for row in rows])


def _cell(value: object) -> object:
    """A text that no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return value
    text = " ".join(value.split())
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
