"""Every notebook runs from top to bottom in a fresh kernel."""

import sys

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError, CellTimeoutError

from tests.browser.lab import IN_BROWSER, find_browser
from tools.notebooks import ROOT, SECONDS_A_CELL, broken_links, cell_problems, client

NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))


def run(notebook, folder, seconds=SECONDS_A_CELL):
    """Run a notebook in `folder` and return it; a cell that fails raises."""
    return client(notebook, folder, seconds).execute()


def skip_if_the_browser_runs_it(path):
    """Where there is a browser it runs some of them: once is enough."""
    if find_browser() and path.stem in IN_BROWSER:
        pytest.skip("tests/browser/test_notebooks.py runs it")


def of_cells(*sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.v4.new_notebook(cells=cells)


@pytest.mark.skipif(not NOTEBOOKS, reason="there are no notebooks")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, monkeypatch, tmp_path):
    skip_if_the_browser_runs_it(path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = run(nbformat.read(path, as_version=4), path.parent)
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    assert all(cell.execution_count for cell in code)
    assert [problem for cell in code for problem in cell_problems(cell)] == []


def test_a_failing_and_a_hanging_cell_are_noticed(tmp_path):
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        run(of_cells("1 / 0"), tmp_path)
    with pytest.raises(CellTimeoutError):
        run(of_cells("import time; time.sleep(60)"), tmp_path, seconds=1)


def test_links_lead_to_files_and_headings():
    found = {path: broken_links(nbformat.read(path, as_version=4), path) for path in NOTEBOOKS}
    assert {path: links for path, links in found.items() if links} == {}


@pytest.mark.parametrize(
    ("link", "broken"),
    [
        ("01_search_space.ipynb", False),
        ("nowhere.ipynb", True),
        ("#A-heading", False),
        ("#No-heading", True),
        ("https://example.com", False),
    ],
)
def test_a_broken_link_is_seen(link, broken):
    text = nbformat.v4.new_markdown_cell(f"## A heading\n\n[link]({link})")
    notebook = nbformat.v4.new_notebook(cells=[text])
    expected = [f"broken link: {link}"] if broken else []
    assert broken_links(notebook, ROOT / "notebooks" / "any.ipynb") == expected


def test_order_python_memory_warnings_and_large_outputs_are_seen(tmp_path):
    sources = {
        "import sys; n = 1; block = b'x' * 300_000_000": "",
        "import warnings; n += 1; warnings.warn('old')": "UserWarning: old",
        "print('x' * 1_100_000)": "1.1 MB",
        "print('10 of 20', file=sys.stderr)": "",
        "n, sys.executable": "",
    }
    runner = client(of_cells(*sources), tmp_path)
    *cells, last = runner.execute().cells
    assert last.outputs[0].data["text/plain"] == str((2, sys.executable))
    for cell, expected in zip(cells, sources.values(), strict=False):
        problems = list(cell_problems(cell))
        assert len(problems) == bool(expected)
        assert expected in "".join(problems)
    assert 300e6 < runner.peak < 600e6  # of the kernel
    assert runner.cuda == 0  # nothing of PyTorch is loaded
    assert len(runner.nb.cells) == len(sources)
