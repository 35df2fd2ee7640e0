"""Every notebook runs from top to bottom in a fresh kernel."""

import os
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
# For one cell, not for the notebook: a guard against a hang, far above what is allowed.
SECONDS_A_CELL = 600


class ThisPython(KernelSpecManager):
    """Start kernels with the Python that runs the tests, whatever is installed for the user."""

    def get_kernel_spec(self, kernel_name):
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name=kernel_name, language="python")


class Kernel(AsyncKernelManager):
    """A kernel that nbclient starts, ends and cleans up behind, for it makes it itself."""

    def __init__(self, **options):
        super().__init__(kernel_spec_manager=ThisPython(), **options)


def run(notebook, folder, seconds=SECONDS_A_CELL):
    """Run a notebook in `folder` and return it; a cell that fails raises."""
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        kernel_manager_class=Kernel,
        timeout=seconds,
        shutdown_kernel="immediate",
        resources={"metadata": {"path": str(folder)}},
    )
    return client.execute()


def skip_if_the_browser_runs_it(path):
    """Where a browser is required it runs each lecture notebook: once is enough."""
    if os.environ.get("NAS_LAB_REQUIRE_BROWSER") == "1" and path.parent.name == "notebooks":
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


def test_cells_run_in_order_with_this_python(tmp_path):
    notebook = run(of_cells("import sys; n = 1", "n += 1", "n, sys.executable"), tmp_path)
    assert notebook.cells[2].outputs[0].data["text/plain"] == str((2, sys.executable))


def test_a_failing_cell_is_noticed(tmp_path):
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        run(of_cells("1 / 0"), tmp_path)


def test_a_hanging_cell_is_noticed(tmp_path):
    with pytest.raises(CellTimeoutError):
        run(of_cells("import time; time.sleep(60)"), tmp_path, seconds=1)
