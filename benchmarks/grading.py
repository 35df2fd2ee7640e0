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

from nas_lab.homework import releasing
from nas_lab.homework.grading import batch, boxes, exam, reading
from nas_lab.homework.grading.template import Template
from nas_lab.homework.homeworks import HOMEWORKS
from nas_lab.runtime import cpu_count

HAND_INS = 300
STARTS = 10


def megabytes() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def write(folder: Path, number: int) -> None:
    """Write hand-ins, no two alike: one in three is right, the others lack an answer or two."""
    master = json.loads(releasing.master("hw1").read_text("utf-8"))
    answers = [i for i, cell in enumerate(master["cells"]) if cell["id"].startswith("hw1-q")]
    for student in range(number):
        cells = [dict(cell) for cell in master["cells"]]
        for lost in answers[: student % 3]:
            cells[lost] = {**cells[lost], "source": f"answer = {student}"}
        text = json.dumps({**master, "cells": cells})
        (folder / f"student{student}_hw1.ipynb").write_text(text)


def start_of_python() -> float:
    """Seconds of one start of Python that imports numpy, one after the other."""
    began = time.perf_counter()
    for _ in range(STARTS):
        subprocess.run([sys.executable, "-c", "import numpy"], check=True)
    return (time.perf_counter() - began) / STARTS


def worth(student: int) -> int:
    """Points of a student's hand-in: the first answers are lost, worth 1 and 2 points."""
    return HOMEWORKS["hw1"].points - (0, 1, 3)[student % 3]


def grading(number: int) -> list[dict]:
    """Grade, and return one row for each third of the hand-ins."""
    kind, jobs, before = boxes.choose(), cpu_count(), start_of_python()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        submissions = Path(folder, "submissions")
        submissions.mkdir()
        write(submissions, number)
        questions = exam.Exam.draw(HOMEWORKS["hw1"], b"a secret of this benchmark")
        template = Template.load(releasing.released("hw1"))
        whole = batch.Batch(questions, template, kind, boxes.Limits(), Path(folder, "pages"))
        began = time.perf_counter()
        run = whole.run(reading.hand_ins(submissions, "hw1"), jobs)
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
