"""Who came how far in an open question: a table and a picture of it."""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nas_lab.homework.grading import tables
from nas_lab.homework.grading.grading import Grade
from nas_lab.homework.question import Result, normalized_score

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SHOWN = 40
"""Places in the picture; the table has all."""
MOST_LETTERS = 24
COLUMNS = (
    *("place", "student", "points", "way", "accuracy", "random search", "best"),
    *("within the limit", "cases", "queries"),
)


@dataclass(frozen=True)
class Place:
    """One row.

    Attributes:
        number: from 1; the same for those who came equally far.
        student: a name.
        points: earned.
        results: of all hidden cases.
    """

    number: int
    student: str
    points: int
    results: tuple[Result, ...]

    @property
    def score(self) -> float:
        """How far from random search (0) to the best (1), on average."""
        return normalized_score(self.results)


def ranked(grades: Sequence[Grade]) -> list[Place]:
    """Places, the best first; without those who found nothing."""
    found = [
        (mark.results, mark.points, grade.student)
        for grade in grades
        for mark in grade.marks
        if any(not result.problem for result in mark.results)
    ]
    found.sort(key=lambda entry: (-normalized_score(entry[0]), entry[2]))
    scores = [normalized_score(results) for results, _, _ in found]
    return [
        Place(1 + scores.index(score), student, points, results)
        for score, (results, points, student) in zip(scores, found, strict=True)
    ]


def write(grades_csv: Path, grades: Sequence[Grade]) -> tuple[Path, Path]:
    """Write ``.leaderboard.csv`` and ``.leaderboard.png`` beside the table of grades."""
    places = ranked(grades)
    table = grades_csv.with_suffix(".leaderboard.csv")
    tables.write(table, list(COLUMNS), [_row(place) for place in places])
    picture = table.with_suffix(".png")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a name in letters that the font has not
        draw(places).savefig(picture, dpi=150)
    return table, picture


def _row(place: Place) -> list:
    counting = [result for result in place.results if not result.problem]
    means = np.mean([[r.score, r.low, r.high] for r in counting], axis=0)
    queries = np.mean([result.asked for result in place.results])
    return [
        *(place.number, place.student, place.points, round(place.score, 3)),
        *(round(float(mean), 4) for mean in means),
        *(len(counting), len(place.results), round(float(queries), 1)),
    ]


def draw(places: Sequence[Place]) -> Figure:
    """A line for each student: every case as a small dot, the mean as a large one."""
    from matplotlib.figure import Figure

    shown = places[:MOST_SHOWN]
    figure = Figure(figsize=(7.5, 1.6 + 0.26 * len(shown)), layout="constrained")
    axes = figure.subplots()
    for height, place in enumerate(shown):
        each = [r.normalized_score for r in place.results if not r.problem]
        axes.scatter(each, [height] * len(each), s=9, color="#56b4e9", zorder=2)
        axes.scatter([place.score], [height], s=48, color="#0072b2", zorder=3)
    for x, name in [(0, "random search"), (1, "the best")]:
        axes.axvline(x, color="0.4", linewidth=1, zorder=1)
        axes.annotate(
            name,
            (x, 1),
            (0, 4),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
        )
    labels = [f"{place.number}  {_printable(place.student)}" for place in shown]
    axes.set_yticks(range(len(shown)), labels, parse_math=False)
    axes.set(xlim=(-1.05, 1.12), ylim=(len(shown) - 0.4, -0.6))
    axes.set_xlabel("way from random search to the best network within the limit")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color="0.92", zorder=0)
    return figure


def _printable(name: str) -> str:
    """A name without what breaks lines or turns them round, and not too long."""
    kept = "".join(c if unicodedata.category(c)[0] != "C" else "?" for c in name)
    return kept if len(kept) <= MOST_LETTERS else kept[: MOST_LETTERS - 1] + "…"
