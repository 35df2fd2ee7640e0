"""Rows of a benchmark: printed as a table, and kept as JSON in build/benchmarks/."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

from nas_lab.runtime import cpu_count

FOLDER = Path(__file__).resolve().parents[1] / "build" / "benchmarks"

Row = Mapping[str, str | float]


def show(name: str, rows: Sequence[Row]) -> None:
    """Print rows that all have the same columns."""
    columns = list(rows[0])
    cells = [columns, *([_text(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    print(f"\n{name}")
    for line in cells:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))


def report(name: str, rows: Sequence[Row]) -> None:
    """Print rows, and write them to `FOLDER`/`name`.json with what they say, of when and where."""
    show(name, rows)
    FOLDER.mkdir(parents=True, exist_ok=True)
    record = {
        "about": _first_paragraph(sys.modules["__main__"].__doc__ or ""),
        "date": date.today().isoformat(),
        "machine": _machine(),
        "rows": [dict(row) for row in rows],
    }
    (FOLDER / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _first_paragraph(text: str) -> str:
    return " ".join(text.strip().split("\n\n")[0].split())


def _machine() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy"))
    cores = f"{cpu_count()} cores, {platform.system()} {platform.machine()}"
    return f"{cores}, Python {platform.python_version()}, {versions}"
