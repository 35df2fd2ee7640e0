"""A cell run too early is told which cell makes what it misses, and a typo is told nothing."""

import os
import sys
import sysconfig
import venv
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient.exceptions import CellExecutionError

from nas_lab import order
from tools import hints
from tools.notebooks import ROOT, client

CELLS = [
    ("markdown", "# Lesson\n\nText."),
    ("code", "import numpy as np, os.path as path"),
    ("markdown", "## 1 Roots\n\nText.\n\n### Of two"),
    ("code", "\n# Newton\n%matplotlib inline\nx = 2"),
    ("code", "def root(x, start):\n    inside = x\n    return inside"),
    ("code", "this is a draft"),
    ("markdown", "## 2 Loops"),
    ("code", "for step in range(3):\n    [n for n in range(3)], (last := step)"),
    ("code", "with open(os.devnull) as file: class_of = type(file)\nclass Box: side = 1"),
    ("code", "root(2, start)"),
    ("markdown", "## 3 Later"),
    ("code", "later = 1"),
]


class Shell(InteractiveShell):
    """A shell without a kernel that passes for one, with ours alone to listen."""

    kernel = None


@pytest.fixture
def shell(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    shell = Shell()
    shell.run_cell("None", silent=True)
    order.load_ipython_extension(shell)
    return shell


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    """The file of a notebook, which Jupyter Server names."""
    make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    notebook = nbformat.v4.new_notebook(cells=[make[kind](text) for kind, text in CELLS])
    path = tmp_path / "mein Übungsblatt.ipynb"
    nbformat.write(notebook, path)
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
        ("np", "Lesson", "import numpy as np, os.path as path"),
        ("path", "Lesson", "import numpy as np, os.path as path"),
        ("x", "Of two", "# Newton"),
        ("root", "Of two", "def root(x, start):"),
        ("step", "2 Loops", "for step in range(3):"),
        ("last", "2 Loops", "for step in range(3):"),
        ("file", "2 Loops", "with open(os.devnull) as file: class_of = type(file)"),
        ("class_of", "2 Loops", "with open(os.devnull) as file: class_of = type(file)"),
        ("Box", "2 Loops", "with open(os.devnull) as file: class_of = type(file)"),
    ],
)
def test_the_cell_is_named(shell, lesson, name, heading, line):
    (text,) = displayed(shell, f"print({name})")
    assert text.startswith(f"`{name}` ")
    assert f"under '{heading}'" in text
    assert f"\n    {line}\n" in text
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
    cells = [nbformat.v4.new_code_cell(source) for source in ("y = y + z", "z = 1")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), lesson)
    assert displayed(shell, "y = y + z") == []
    shell.run_cell("y = 1")
    assert displayed(shell, "y = y + z") == []


def test_an_edited_cell_is_known_by_its_id():
    cells = [order.Cell("code", "a = 1", "one"), order.Cell("code", "b = 1", "two")]

    class Ran:
        raw_cell, cell_id = "b = b + 1", "two"

    assert order.above(cells, Ran) == cells[:1]


def test_code_in_a_function_counts_where_it_runs(shell, lesson):
    shell.run_cell("def f(): return x")
    assert "Of two" in displayed(shell, "f()")[0]
    shell.run_cell("x = 1")
    assert displayed(shell, "f()") == []


@pytest.mark.parametrize("content", [None, "no JSON", "{}", '{"cells": [1]}', "[]", "\ud800"])
def test_without_the_file_the_hint_is_an_if(shell, lesson, content):
    lesson.unlink()
    if content is not None:
        lesson.write_bytes(content.encode("utf-8", "surrogatepass"))
    (text,) = displayed(shell, "print(anything)")
    assert text.startswith("`anything` ")
    assert "If a cell further up makes it" in text


def test_without_a_name_of_the_file_too(shell):
    assert "If a cell further up makes it" in displayed(shell, "print(anything)")[0]


def test_vs_code_names_the_file(shell, lesson, monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME")
    shell.user_ns["__vsc_ipynb_file__"] = str(lesson)
    assert "Of two" in displayed(shell, "print(x)")[0]


def test_a_terminal_has_no_cells(lesson):
    shell = InteractiveShell()
    order.load_ipython_extension(shell)
    assert displayed(shell, "print(x)") == []


def test_loading_twice_says_it_once_and_unloading_ends_it(shell, lesson):
    order.load_ipython_extension(shell)
    assert len(displayed(shell, "print(x)")) == 1
    order.unload_ipython_extension(shell)
    assert displayed(shell, "print(x)") == []


@pytest.mark.parametrize("script", ["tools/setup.sh", "binder/postBuild"])
def test_set_up_adds_the_line(script):
    assert '"$python" tools/hints.py' in (ROOT / script).read_text("utf-8")


def test_the_line_is_added_once_and_leaves_what_is_there(tmp_path):
    path = tmp_path / "etc" / "ipython" / "ipython_config.py"
    hints.add(tmp_path)
    assert path.read_text() == hints.LINE
    path.write_text("c.InteractiveShell.colors = 'nocolor'")
    hints.add(tmp_path)
    hints.add(tmp_path)
    assert path.read_text() == "c.InteractiveShell.colors = 'nocolor'\n" + hints.LINE


@pytest.fixture
def python(tmp_path, monkeypatch):
    """Have kernels start with an environment that set-up prepared, and that sees our libraries."""
    prefix = tmp_path / "env"
    venv.create(prefix)
    hints.add(prefix)
    scripts = "Scripts" if os.name == "nt" else "bin"
    monkeypatch.setattr(sys, "executable", str(prefix / scripts / Path(sys.executable).name))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))


def test_a_late_cell_of_a_notebook_is_told_what_to_run(python, monkeypatch):
    path = ROOT / "notebooks" / "05_darts.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    notebook = nbformat.read(path, as_version=4)
    cells = {cell.id: cell for cell in notebook.cells}
    notebook.cells = [cells["cell-01"], cells["cell-25"]]
    with pytest.raises(CellExecutionError, match="'darts' is not defined"):
        client(notebook, path.parent).execute()
    traceback, hint = notebook.cells[1].outputs
    assert traceback.output_type == "error"
    maker = next(cell for cell in cells.values() if "\ndarts = " in cell.source)
    assert hint.data["text/markdown"].startswith("`darts` ")
    assert f"\n    {maker.source.splitlines()[0]}\n" in hint.data["text/markdown"]
