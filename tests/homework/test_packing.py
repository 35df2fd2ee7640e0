"""Packing: the notebook runs once more, and what is handed in is clean."""

import json

import pytest

from nas_lab.homework import pack


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
