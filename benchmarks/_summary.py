"""One table of all ratios that the benchmarks found: printed, and kept as summary.json."""

from __future__ import annotations

import json
import re

from _report import FOLDER, Row, report, show

RATIO = re.compile(r"\btimes\b| / |\bfaster\b|^of the ")
"""How a column of ratios is named."""


def ratios(name: str, rows: list[Row]) -> list[Row]:
    """Return a line for each ratio of one report."""
    found = []
    for row in rows:
        what = ", ".join(value for value in row.values() if isinstance(value, str))
        found += [
            {"benchmark": name, "of": what, "ratio": column, "value": value}
            for column, value in row.items()
            if RATIO.search(column) and not isinstance(value, str)
        ]
    return found


if __name__ == "__main__":
    files = sorted(path for path in FOLDER.glob("*.json") if path.stem != "summary")
    records = {path.stem: json.loads(path.read_text("utf-8"))["rows"] for path in files}
    report("summary", [line for name, rows in records.items() for line in ratios(name, rows)])
    if "notebooks" in records:
        show("notebooks", records["notebooks"])
