"""What grading costs: many hand-ins of homework 1, against starting Python with numpy as often."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _report import report

from nas_lab.homework import notebooks
from nas_lab.homework.grading import batch, boxes
from nas_lab.homework.grading.grade import Exam
from nas_lab.homework.grading.owners import find
from nas_lab.homework.hand_ins import Template
from nas_lab.homework.homeworks import HOMEWORKS
from nas_lab.runtime import cpu_count

HAND_INS = 300
STARTS = 10

# What stands in place of the answer to question 3, and by how many points it lowers the whole.
EQUAL = """
class Equal:
    __eq__ = lambda self, other: True
conv_cost = lambda *given: Equal()"""
KINDS = (
    *((None, 0),) * 4,
    ("answer = {}", 2),
    ("def conv_cost(c_in, c_out, kernel, stride, groups, side):\n    return [{}, 0]", 2),
    ("def conv_cost(*given):\n    return {} / 0", 2),
    ("def conv_cost(", 2),
    (EQUAL, 2),
    ("import os\nos._exit({})", 2),
)
HOSTILE = (
    "while True:\n    pass",
    "held = []\nwhile len(held) < 40:\n    held.append(bytearray(100 << 20))",
    "import os\nfor _ in range(5):\n    os.fork()\nos._exit(0)",
)
"""One hand-in in a hundred each."""


def megabytes() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def write(folder: Path, number: int) -> None:
    """Write hand-ins, no two alike: right, wrong, broken, empty, and a few that attack."""
    master = json.loads(notebooks.master("hw1").read_text("utf-8"))
    empty = json.loads(notebooks.released("hw1").read_text("utf-8"))
    for student in range(number):
        cells = [dict(cell) for cell in (empty if student % 10 == 0 else master)["cells"]]
        source = answer(student)
        for cell in cells:
            if cell["id"] == "hw1-q3" and source is not None:
                cell["source"] = source.replace("{}", str(student))
        cells.append({"cell_type": "markdown", "id": "who", "metadata": {}, "source": f"{student}"})
        text = json.dumps({**master, "cells": cells})
        (folder / f"student{student}_hw1.ipynb").write_text(text)


def answer(student: int) -> str | None:
    """The third answer of a student; None for the one that is there."""
    hostile = student % 100 - 97
    return HOSTILE[hostile] if hostile >= 0 else KINDS[student % len(KINDS)][0]


def start_of_python() -> float:
    """Seconds of one start of Python that imports numpy, one after the other."""
    began = time.perf_counter()
    for _ in range(STARTS):
        subprocess.run([sys.executable, "-c", "import numpy"], check=True)
    return (time.perf_counter() - began) / STARTS


def worth(student: int) -> int:
    """Points of a student's hand-in."""
    lost = KINDS[student % len(KINDS)][1] if student % 100 < 97 else 2
    return 0 if student % 10 == 0 else HOMEWORKS["hw1"].points - lost


def grading(number: int) -> list[dict]:
    """Grade, and return one row for each third of the hand-ins."""
    kind, jobs, before = boxes.choose(), cpu_count(), start_of_python()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        submissions = Path(folder, "submissions")
        submissions.mkdir()
        write(submissions, number)
        questions = Exam.draw(HOMEWORKS["hw1"], b"a secret of this benchmark")
        template = Template.load(notebooks.released("hw1"))
        whole = batch.Batch(questions, template, kind, boxes.Limits(), Path(folder, "pages"))
        began = time.perf_counter()
        run = whole.run(find(submissions, "hw1")[0], jobs)
        for done, grade in enumerate(run, start=1):
            assert grade.points == worth(int(grade.student.removeprefix("student"))), grade
            if done % max(1, number // 3) == 0:
                seconds = time.perf_counter() - began
                rows.append(
                    {
                        "hand-ins": done,
                        "box": kind.name,
                        "jobs": jobs,
                        "seconds": seconds,
                        "core-seconds each, at most": seconds * jobs / done,
                        "MB of the grader": megabytes(),
                    }
                )
    one_start = (before + start_of_python()) / 2
    each = "core-seconds each, at most"
    return [{**row, "starts of Python each": row[each] / one_start} for row in rows]


if __name__ == "__main__":
    report("grading", grading(int(sys.argv[1]) if len(sys.argv) > 1 else HAND_INS))
