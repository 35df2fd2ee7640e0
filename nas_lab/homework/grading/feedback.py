"""One page for each student: what was right, what to look at, and the written answer."""

from __future__ import annotations

import hashlib
import html
import re
from pathlib import Path

from nas_lab.homework.grading.grading import IN_WORDS, Grade, Mark
from nas_lab.homework.question import Homework

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.05rem/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto;
        padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: .5rem; border-bottom: 1px solid #888; }}
td:nth-child(2) {{ white-space: nowrap; }}
pre {{ white-space: pre-wrap; border-left: 4px solid #888; padding-left: 1rem; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p><strong>{points} of {of} points</strong> for the answers that a machine can check
(file: {file}).</p>
{notes}
<table>
<thead><tr><th scope="col">question</th><th scope="col">points</th><th scope="col">found</th></tr>
</thead>
<tbody>
{rows}
</tbody>
</table>
<h2>Your written answer</h2>
{written}
</main>
</body>
</html>
"""


def write(grade: Grade, homework: Homework, folder: Path) -> Path:
    """Write a student's page and return its path."""
    path = folder / page_name(grade.student)
    path.write_text(page(grade, homework), "utf-8", errors="backslashreplace")
    return path


def page_name(student: str) -> str:
    """A file's name for a student, safe on every system, and one for each name."""
    plain = re.sub(r"[^A-Za-z0-9-]+", "-", student).strip("-")[:60]
    if plain == student:
        return f"{plain}.html"
    code = hashlib.sha256(student.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    return f"{plain}-{code}.html"


def page(grade: Grade, homework: Homework) -> str:
    """The page as HTML; whatever comes from the hand-in is shown as text."""
    from nas_lab.homework.grading.batch import TWIN

    told = [note for note in grade.notes if not note.startswith(TWIN)]
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in told)
    return PAGE.format(
        title=html.escape(f"{homework.title}: {grade.student}"),
        file=html.escape(grade.file),
        points=grade.points,
        of=grade.of,
        notes=f"<ul>{notes}</ul>" if notes else "",
        rows="\n".join(map(_row, grade.marks)),
        written=f"<pre>{html.escape(grade.written)}</pre>" if grade.written else "<p>None.</p>",
    )


def _row(mark: Mark) -> str:
    sign = {"right": "✓", "missing": "–", "scored": "·"}.get(mark.status, "✗")
    words = IN_WORDS[mark.status] + (f": {mark.words}" if mark.words else "")
    return (
        f'<tr><th scope="row">{html.escape(mark.question)}</th>'
        f"<td>{sign} {mark.points} of {mark.of}</td><td>{html.escape(words)}</td></tr>"
    )
