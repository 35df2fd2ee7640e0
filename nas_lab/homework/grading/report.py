"""Results for people: a page for each student, and the leaderboard of an open question."""

from __future__ import annotations

import hashlib
import html
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import NamedTuple

import numpy as np

from nas_lab.homework.grading import tables
from nas_lab.homework.grading.grade import STATUS, Grade, Mark
from nas_lab.homework.hand_ins import escaped
from nas_lab.homework.question import Homework, normalized_score

PAGE = Template(Path(__file__).with_name("page.html").read_text("utf-8"))


def write_page(grade: Grade, homework: Homework, folder: Path) -> None:
    """Write a student's page; whatever comes from the hand-in is shown as text."""
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in grade.notes)
    page = PAGE.substitute(
        title=html.escape(f"{homework.title}: {grade.student}"),
        file=html.escape(grade.file),
        points=f"{grade.points:g}",
        of=grade.of,
        notes=f"<ul>{notes}</ul>" if notes else "",
        rows="\n".join(map(_row, grade.marks)),
        written=f"<pre>{html.escape(grade.written)}</pre>" if grade.written else "<p>None.</p>",
    )
    path = folder / page_name(grade.student)
    path.write_text(page, "utf-8", errors="backslashreplace")


def page_name(student: str) -> str:
    """A file's name for a student, safe on every system, and one for each name."""
    plain = re.sub(r"[^A-Za-z0-9-]+", "-", student).strip("-")[:60]
    if plain == student and not re.search(r"-[0-9a-f]{16}$", plain):
        return f"{plain}.html"
    code = hashlib.sha256(student.encode("utf-8", "backslashreplace")).hexdigest()[:16]
    return f"{plain}-{code}.html"


def _row(mark: Mark) -> str:
    sign, words = STATUS[mark.status]
    words += f": {mark.page}" if mark.page else ""
    return (
        f'<tr><th scope="row">{html.escape(mark.question)}</th>'
        f"<td>{sign} {mark.points:g} of {mark.of}</td><td>{html.escape(words)}</td></tr>"
    )


MOST_SHOWN = 40  # places in the picture; the table has all
MOST_LETTERS = 24
COLUMNS = [
    *("place", "student", "points", "normalized score", "accuracy", "random search", "best"),
    *("within the limit", "cases", "queries"),
]


class Place(NamedTuple):
    """Who reached which mean normalized score; ``number`` is the same for equal scores."""

    number: int
    student: str
    mark: Mark
    score: float


def ranked(grades: Sequence[Grade]) -> list[Place]:
    """Places, the best first; without those who found nothing."""
    found = [
        (-normalized_score(mark.results), grade.student, mark)
        for grade in grades
        for mark in grade.marks
        if any(not result.problem for result in mark.results)
    ]
    found.sort(key=lambda entry: entry[:2])
    scores = [score for score, _, _ in found]
    return [Place(1 + scores.index(score), student, mark, -score) for score, student, mark in found]


def write_leaderboard(grades_csv: Path, grades: Sequence[Grade]) -> tuple[Path, Path]:
    """Write ``.leaderboard.csv`` and ``.leaderboard.png`` beside the table of grades."""
    places = ranked(grades)
    table, picture = (grades_csv.with_suffix(f".leaderboard.{kind}") for kind in ("csv", "png"))
    rows = []
    for number, student, mark, score in places:
        counting = [result for result in mark.results if not result.problem]
        means = np.mean([[r.score, r.low, r.high] for r in counting], axis=0).tolist()
        queries = float(np.mean([result.asked for result in mark.results]))
        row = [number, student, mark.points, round(score, 3), *(round(m, 4) for m in means)]
        rows.append([*row, len(counting), len(mark.results), round(queries, 1)])
    tables.write(table, COLUMNS, rows)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a name in letters that the font has not
        _draw(places, picture)
    return table, picture


def _draw(places: Sequence[Place], path: Path) -> None:
    """A line for each student: every case as a small dot, the mean as a large one."""
    from matplotlib.figure import Figure

    shown = places[:MOST_SHOWN]
    figure = Figure(figsize=(7.5, 1.6 + 0.26 * len(shown)), layout="constrained")
    axes = figure.subplots()
    for height, place in enumerate(shown):
        scores = [r.normalized_score for r in place.mark.results if not r.problem]
        axes.scatter(scores, [height] * len(scores), s=9, color="#56b4e9", zorder=2)
        axes.scatter([place.score], [height], s=48, color="#0072b2", zorder=3)
    for x, name in [(0, "random search"), (1, "the best")]:
        axes.axvline(x, color="0.4", linewidth=1, zorder=1)
        axes.text(x, 1.01, name, ha="center", va="bottom", transform=axes.get_xaxis_transform())
    labels = [f"{place.number}  {escaped(place.student)[:MOST_LETTERS]}" for place in shown]
    axes.set_yticks(range(len(shown)), labels, parse_math=False)
    words = "normalized score: from random search to the best network within the limit"
    axes.set(xlim=(-1.05, 1.12), ylim=(len(shown) - 0.4, -0.6), xlabel=words)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color="0.92", zorder=0)
    figure.savefig(path, dpi=150)
