"""Rows of a benchmark: printed as a table, and kept as JSON in build/benchmarks/."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "build" / "benchmarks"

Row = Mapping[str, str | float]


def report(name: str, rows: Sequence[Row]) -> None:
    """Print rows that all have the same columns, and write them to `FOLDER`/`name`.json."""
    columns = list(rows[0])
    cells = [columns, *([_text(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    print(f"\n{name}")
    for line in cells:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))
    FOLDER.mkdir(parents=True, exist_ok=True)
    record = {"python": platform.python_version(), "rows": [dict(row) for row in rows]}
    (FOLDER / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
