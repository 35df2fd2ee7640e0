"""Grade a small class, as an instructor does by the command line."""

import csv
import json

import pytest

from nas_lab.homework.__main__ import main
from nas_lab.homework.grading import boxes

needs_box = pytest.mark.skipif(
    not boxes._working("bubblewrap", ""), reason="bubblewrap is not there or does not work"
)


def changed(notebook, **cells):
    """The notebook with other cells, by their ids."""
    other = [
        {**c, "source": cells.get(c["id"].replace("-", "_"), c["source"])}
        for c in notebook["cells"]
    ]
    return {**notebook, "cells": other}


def hand_in(folder, files):
    """Write hand-ins: notebooks as dicts, others as bytes."""
    for name, content in files.items():
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def grade(folder, homework, files, *options, secret="a secret of this test"):
    """The rows of the table that grading writes."""
    hand_in(folder, files)
    (folder / "secret.txt").write_text(secret)
    arguments = ["grade", homework, str(folder / "in"), "--box", "bubblewrap", "--jobs", "2"]
    arguments += ["--secret-file", str(folder / "secret.txt"), "--feedback", str(folder / "pages")]
    assert main([*arguments, "--csv", str(folder / "grades.csv"), *options]) == 0
    with (folder / "grades.csv").open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def by_student(rows, question="total"):
    return {row["student"]: row for row in rows if row["question"] == question}
