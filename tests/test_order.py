"""A cell run too early is told which cell makes what it misses, and a typo is told nothing."""

import os
import sys
import sysconfig
import venv
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from nas_lab import order
from tools import hints
from tools.notebooks import ROOT, client

LESSON = [
    new_markdown_cell("# Lesson\n\nText."),
    new_code_cell("import numpy as np, os.path as path"),
    new_markdown_cell("## 1 Roots\n\nText.\n\n### Of two"),
    new_code_cell("\n# Newton\n%matplotlib inline\nx = 2"),
    new_code_cell("def root(x, start):\n    inside = x\n    return inside"),
    new_code_cell("this is a draft"),
    new_markdown_cell("## 2 Loops"),
    new_code_cell("for step in range(3):\n    [n for n in range(3)], (last := step)"),
    new_code_cell("with open(os.devnull) as file: class_of = type(file)\nclass Box: side = 1"),
    new_code_cell("root(2, start)"),
    new_markdown_cell("## 3 Later"),
    new_code_cell("later = 1"),
]
WITHOUT = "If a cell further up makes it"


class Shell(InteractiveShell):
    """A shell without a kernel that passes for one, with ours alone to listen."""

    kernel = None


def listening(shell):
    order.load_ipython_extension(shell)
    return shell


@pytest.fixture
def shell(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    shell = Shell()
    shell.run_cell("None", silent=True)
    return listening(shell)


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    """The file of a notebook, which Jupyter Server names."""
    path = tmp_path / "mein Übungsblatt.ipynb"
    nbformat.write(new_notebook(cells=LESSON), path)
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    return path


def displayed(shell, source):
    """Run a cell; return the hints below it."""
    with pytest.MonkeyPatch.context() as patch:
        found = []
        patch.setattr(shell.display_pub, "publish", found.append)
        patch.setattr(shell, "showtraceback", lambda *_, **__: None)
        shell.run_cell(source)
    assert all(data["text/markdown"] == data["text/plain"] for data in found)
    return [data["text/plain"] for data in found]


@pytest.mark.parametrize(
    ("name", "heading", "line"),
    [
        *((name, "Lesson", "import numpy as np, os.path as path") for name in ("np", "path")),
        ("x", "Of two", "# Newton"),
        ("root", "Of two", "def root(x, start):"),
        *((name, "2 Loops", "for step in range(3):") for name in ("step", "last")),
        *(
            (name, "2 Loops", "with open(os.devnull) as file:")
            for name in ("file", "class_of", "Box")
        ),
    ],
)
def test_the_cell_is_named(shell, lesson, name, heading, line):
    (text,) = displayed(shell, f"print({name})")
    assert text.startswith(f"`{name}` ")
    assert f"under '{heading}'" in text
    assert f"\n    {line}" in text
    assert "Run All Above Selected Cell" in text


@pytest.mark.parametrize(
    "source",
    [
        "print(stpe)",  # a typo
        "print(inside)",  # a name in a function
        "print(n, side)",  # in a comprehension, in a class
        "1 / 0",
        "np = 1; np",
        "def f():\n    x\n    x = 1\nf()",  # UnboundLocalError
        "raise NameError('nothing more is known')",
        "x = 1\nraise NameError('x of another module', name='x')",
    ],
)
def test_nothing_is_said_where_no_cell_helps(shell, lesson, source):
    assert displayed(shell, source) == []


def test_only_cells_above_count(shell, lesson):
    assert displayed(shell, "print(later)")  # a cell that the file does not have yet
    cells = [new_code_cell(source) for source in ("y = y + z", "z = 1")]
    nbformat.write(new_notebook(cells=cells), lesson)
    for first in ("pass", "y = 1"):
        shell.run_cell(first)
        assert displayed(shell, "y = y + z") == []


def test_an_edited_cell_is_known_by_its_id():
    cells = [{"source": "a = 1", "id": "one"}, {"source": "b = 1", "id": "two"}]
    ran = SimpleNamespace(raw_cell="b = b + 1", cell_id="two")
    assert order.above(cells, ran) == cells[:1]


def test_code_in_a_function_counts_where_it_runs(shell, lesson):
    shell.run_cell("def f(): return x")
    assert "Of two" in displayed(shell, "f()")[0]
    shell.run_cell("x = 1")
    assert displayed(shell, "f()") == []


@pytest.mark.parametrize("content", [None, "no JSON", "{}", '{"cells": [1]}', "[]", "\ud800"])
def test_without_the_file_the_hint_is_an_if(shell, lesson, monkeypatch, content):
    if content is None:
        lesson.unlink()
    else:
        lesson.write_bytes(content.encode("utf-8", "surrogatepass"))
    (text,) = displayed(shell, "print(anything)")
    assert text.startswith("`anything` ")
    assert WITHOUT in text
    monkeypatch.delenv("JPY_SESSION_NAME")
    assert WITHOUT in displayed(shell, "print(anything)")[0]


def test_vs_code_names_the_file_and_a_terminal_has_no_cells(shell, lesson, monkeypatch):
    assert displayed(listening(InteractiveShell()), "print(x)") == []
    monkeypatch.delenv("JPY_SESSION_NAME")
    shell.user_ns["__vsc_ipynb_file__"] = str(lesson)
    assert "Of two" in displayed(shell, "print(x)")[0]


def test_set_up_adds_the_line_once_and_leaves_what_is_there(tmp_path):
    for script in ("tools/setup.sh", "binder/postBuild"):
        assert '"$python" tools/hints.py' in (ROOT / script).read_text("utf-8")
    path = tmp_path / "etc" / "ipython" / "ipython_config.py"
    hints.add(tmp_path)
    settings = tmp_path / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    assert settings.read_text() == (ROOT / "binder" / "overrides.json").read_text()
    assert path.read_text() == hints.LINE
    path.write_text("c.InteractiveShell.colors = 'nocolor'")
    for _ in range(2):
        hints.add(tmp_path)
        assert path.read_text() == "c.InteractiveShell.colors = 'nocolor'\n" + hints.LINE


def test_a_late_cell_of_a_notebook_is_told_what_to_run(tmp_path, monkeypatch):
    """In an environment that set-up prepared, and that sees our libraries."""
    venv.create(tmp_path / "env")
    hints.add(tmp_path / "env")
    scripts = "Scripts" if os.name == "nt" else "bin"
    python = tmp_path / "env" / scripts / Path(sys.executable).name
    path = ROOT / "notebooks" / "05_darts.ipynb"
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    notebook = nbformat.read(path, as_version=4)
    cells = {cell.id: cell for cell in notebook.cells}
    notebook.cells = [cells["cell-01"], cells["cell-25"]]
    with pytest.raises(CellExecutionError, match="'darts' is not defined"):
        client(notebook, path.parent).execute()
    traceback, hint = notebook.cells[1].outputs
    assert traceback.output_type == "error"
    maker = next(cell for cell in cells.values() if "\ndarts = " in f"\n{cell.source}")
    assert hint.data["text/markdown"].startswith("`darts` ")
    assert f"\n    {maker.source.splitlines()[0]}\n" in hint.data["text/markdown"]
