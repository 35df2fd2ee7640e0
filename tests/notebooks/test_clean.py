"""Committed notebooks are plain: valid, without outputs, and in short cells."""

import base64
import json
import re
from pathlib import Path

import pytest
from nbformat.validator import iter_validate

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
LECTURES = sorted((ROOT / "notebooks").glob("*.ipynb"))
LARGEST = 30_000  # bytes of the picture in a lecture's text
MOST_LINES = 20


def problems(notebook: dict) -> list[str]:
    """Return what keeps a notebook, given as plain JSON, from being committed."""
    if invalid := [f"not valid: {error.message}" for error in iter_validate(notebook)]:
        return invalid
    ids = {cell.get("id") for cell in notebook["cells"]} - {None}
    found = [] if len(ids) == len(notebook["cells"]) else ["cell ids are missing or double"]
    if "widgets" in notebook["metadata"]:
        found.append("the state of widgets is stored")
    for number, cell in enumerate(notebook["cells"], start=1):
        if cell["cell_type"] == "code":
            found += [f"cell {number}: {problem}" for problem in cell_problems(cell)]
    return found


def cell_problems(cell: dict) -> list[str]:
    source = cell["source"]
    lines = ("".join(source) if isinstance(source, list) else source).count("\n") + 1
    checks = {
        "has outputs": bool(cell["outputs"]),
        "has an execution count": cell["execution_count"] is not None,
        "stores when it ran": "execution" in cell["metadata"],
        f"has {lines} lines, {MOST_LINES} at most": lines > MOST_LINES,
    }
    return [problem for problem, found in checks.items() if found]


def sample(**changes):
    """Return a small clean notebook with one code cell, changed as told."""
    cell = {"cell_type": "code", "source": "1 + 1", "metadata": {}, "id": "one"}
    cell |= {"outputs": [], "execution_count": None} | changes
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}


OLD = sample() | {"nbformat_minor": 4}
del OLD["cells"][0]["id"]


@pytest.mark.skipif(not NOTEBOOKS, reason="there are no notebooks")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_clean(path):
    assert problems(json.loads(path.read_text("utf-8"))) == []


@pytest.mark.parametrize("path", LECTURES, ids=lambda path: path.stem)
def test_a_lecture_holds_its_first_picture_which_the_readme_shows_as_a_file(path):
    first = "".join(json.loads(path.read_text("utf-8"))["cells"][0]["source"])
    (held,) = re.findall(r"!\[[^]]{20,}\]\(data:image/png;base64,([^)]+)\)", first)
    file = path.parent / "pictures" / f"{path.name[:2]}.png"
    assert base64.b64decode(held, validate=True) == file.read_bytes()
    assert file.stat().st_size <= LARGEST


@pytest.mark.parametrize(
    ("notebook", "expected"),
    [
        (sample(execution_count=3), "execution count"),
        (sample(outputs=[{"output_type": "stream", "name": "stdout", "text": "2"}]), "outputs"),
        (sample(source="\n" * MOST_LINES), "21 lines"),
        (sample(source=["x\n"] * MOST_LINES + ["x"]), "21 lines"),
        (sample(metadata={"execution": {}}), "when it ran"),
        (sample(id="not an id!"), "not valid"),
        (sample(cell_type="chart"), "not valid"),
        (sample() | {"metadata": {"widgets": {}}}, "widgets"),
        ({key: value for key, value in sample().items() if key != "cells"}, "not valid"),
        (sample() | {"cells": 2 * sample()["cells"]}, "cell ids are missing or double"),
        (OLD, "cell ids are missing or double"),
    ],
)
def test_an_unclean_notebook_is_told_why(notebook, expected):
    assert any(expected in problem for problem in problems(notebook))
    assert problems(sample()) == []
