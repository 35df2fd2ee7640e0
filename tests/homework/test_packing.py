"""Packing: the notebook runs once more, and what is handed in is clean."""

import json
import os
import subprocess
import sys
from datetime import datetime
from types import SimpleNamespace

import nbformat
import pytest

from nas_lab.homework import hand_ins, notebooks, pack


def write(path, *sources):
    cells = [
        {
            "cell_type": "code",
            "source": source,
            "metadata": {},
            "outputs": [{"output_type": "stream", "name": "stdout", "text": "old"}],
            "execution_count": 7,
        }
        for source in sources
    ]
    path.write_text(
        json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells})
    )
    return path


def test_a_notebook_that_runs_is_packed_without_outputs(tmp_path):
    notebook = write(tmp_path / "hw1 (2).ipynb", "x = 1", "assert x", "pack('hw1.ipynb', 'me')")
    packed = pack(notebook, student="Ada Lovelace")
    assert packed.name == "hw1_ada-lovelace.ipynb"
    cells = json.loads(packed.read_text())["cells"]
    assert [(cell["outputs"], cell["execution_count"]) for cell in cells] == [([], None)] * 3


def test_a_notebook_that_fails_says_where(tmp_path):
    notebook = write(tmp_path / "hw1.ipynb", "x = 1", "y")
    with pytest.raises(RuntimeError, match="cell 2 failed: NameError"):
        pack(notebook, student="Ada")
    assert not list(tmp_path.glob("hw1_*"))


def test_mistakes_in_the_call_are_explained(tmp_path):
    with pytest.raises(ValueError, match="needs your name"):
        pack(tmp_path / "hw1.ipynb", student=" ")
    with pytest.raises(FileNotFoundError, match="save the notebook"):
        pack(tmp_path / "hw1.ipynb", student="Ada")


def test_a_notebook_that_does_not_end_is_told(tmp_path):
    notebook = write(tmp_path / "hw1.ipynb", "import time\ntime.sleep(60)")
    with pytest.raises(TimeoutError):
        pack(notebook, student="Ada", seconds=1)


def packed_cells(notebook, **student):
    found = pack(notebook, **{"student": "Ada", **student})
    return found, json.loads(found.read_text())["cells"]


@pytest.mark.parametrize("stem", ["hw1-Copy1", "Copy of hw1", "hw1_old (3)"])
def test_a_copy_is_named_by_its_homework_and_its_student(tmp_path, stem):
    found, _ = packed_cells(write(tmp_path / f"{stem}.ipynb", "x = 1"))
    assert found.name == "hw1_ada.ipynb"


def test_a_notebook_that_bears_the_name_already_stays_as_it_is(tmp_path):
    notebook = write(tmp_path / "hw1_ada.ipynb", "x = 1")
    found, _ = packed_cells(notebook)
    assert found.name == "ada_hw1.ipynb"
    assert "old" in notebook.read_text()


def test_what_the_grader_reads_is_packed(tmp_path):
    """A byte order mark, nbformat 3, a cell without source; the grader reads the same again."""
    old = {"cell_type": "code", "input": ["x = 1\n", "x"], "outputs": [], "metadata": {}}
    cells = [old, {"cell_type": "heading", "source": "Zoë"}, {"cell_type": "code"}]
    path = tmp_path / "hw1.ipynb"
    path.write_text("\ufeff" + json.dumps({"nbformat": 3, "worksheets": [{"cells": cells}]}))
    found, _ = packed_cells(path)
    read = [(True, "x = 1\nx"), (False, "Zoë"), (True, "")]
    assert hand_ins.cells(found.read_bytes()) == hand_ins.cells(path.read_bytes()) == read
    assert nbformat.validate(nbformat.read(found, 4)) is None


def test_only_its_own_call_is_left_out(tmp_path):
    own = "from nas_lab import homework\nhomework.pack('hw1.ipynb', student='me')"
    notebook = write(
        tmp_path / "hw1.ipynb", own, "import struct\ny = struct.pack('B', 1)", "len(y)"
    )
    assert len(packed_cells(notebook)[1]) == 3


def test_a_check_mark_passes_through_any_pipe(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    assert packed_cells(write(tmp_path / "hw1.ipynb", "print('✓')"))


def test_it_says_what_it_packed(tmp_path):
    notebook = json.loads(notebooks.master("hw1").read_text("utf-8"))
    path, told = tmp_path / "hw1.ipynb", {}
    for text in ["Leaves.\nAnd more.", hand_ins.NOT_WRITTEN]:
        (cell,) = [c for c in notebook["cells"] if c["id"] == "hw1-written"]
        cell["source"] = f"**Written answer** (below)\n\n{text}"
        path.write_text(json.dumps(notebook))
        os.utime(path, (0, datetime(2026, 5, 4, 13, 12, 11).timestamp()))
        told[text] = repr(packed_cells(path)[0])
    full, empty = told.values()
    for words in ["hw1_ada.ipynb", "04 May at 13:12:11", "14 of 14 points (q1 ✓", "3 words"]:
        assert words in full
    assert "Warning: the written answer is empty" in empty
    with pytest.raises(ValueError, match="needs your name"):
        pack(path, student="your name")


def test_who_packs_and_checks_loads_nothing_of_grading():
    code = "import sys; from nas_lab.homework import check, pack; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert "nas_lab.homework.notebooks" in done.stdout.split()
    assert "nas_lab.homework.grading" not in done.stdout


def test_on_colab_the_browser_is_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reply = {"ipynb": json.loads(write(tmp_path / "x.ipynb", "x = 1").read_text())}
    message = SimpleNamespace(blocking_request=lambda request, **_: reply)
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace(_message=message))
    found, cells = packed_cells("hw1.ipynb")
    assert (found, cells[0]["source"]) == (tmp_path / "hw1_ada.ipynb", "x = 1")
    assert "in your browser" in repr(found)
    reply = None
    with pytest.raises(RuntimeError, match="File > Download"):
        packed_cells("hw1.ipynb")
