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
    """Core-seconds of one start of Python that imports numpy."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(STARTS):
        subprocess.run([sys.executable, "-c", "import numpy"], check=True)
    return core_seconds(before) / STARTS


def core_seconds(before: resource.struct_rusage) -> float:
    """What children that have ended took since then."""
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return now.ru_utime + now.ru_stime - before.ru_utime - before.ru_stime


def grading(number: int) -> list[dict]:
    """Grade, and return one row for each third of the hand-ins."""
    kind, jobs, one_start = boxes.choose(), cpu_count(), start_of_python()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        submissions = Path(folder, "submissions")
        submissions.mkdir()
        write(submissions, number)
        questions = exam.Exam.draw(HOMEWORKS["hw1"], b"a secret of this benchmark")
        template = Template.load(releasing.released("hw1"))
        whole = batch.Batch(questions, template, kind, boxes.Limits(), Path(folder, "pages"))
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        run = whole.run(reading.hand_ins(submissions, "hw1"), jobs)
        for done, grade in enumerate(run, start=1):
            assert grade.status in ("graded", "partly"), grade
            if done % max(1, number // 3) == 0:
                cost = core_seconds(before) / done
                rows.append(
                    {
                        "hand-ins": done,
                        "box": kind.name,
                        "jobs": jobs,
                        "seconds": time.perf_counter() - began,
                        "core-seconds each": cost,
                        "starts of Python each": cost / one_start,
                        "MB of the grader": megabytes(),
                    }
                )
    return rows


if __name__ == "__main__":
    report("grading", grading(int(sys.argv[1]) if len(sys.argv) > 1 else HAND_INS))
