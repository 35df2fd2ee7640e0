"""A homework's notebook: made for students out of its master, and packed by them for hand-in."""

import json
import re
import subprocess
import sys
from pathlib import Path

from nas_lab import checks

NOT_WRITTEN = "*Write here.*"
"""What stands in the cell of the written answer when it is given out."""
CODE_STUB = "return None  # your code"


def checkout() -> Path:
    """The folder of the repository, which an installed package may be without."""
    folder = Path(checks.__file__).resolve().parents[1]
    if not (folder / "homework" / "masters").is_dir():
        raise FileNotFoundError(
            "homework is released from a clone of the repository: clone it, and install it with "
            "pip install -e '.[instructor]'"
        )
    return folder


def master(homework: str) -> Path:
    """Where the notebook with solutions is."""
    return checkout() / "homework" / "masters" / f"{homework}.ipynb"


def released(homework: str) -> Path:
    """Where the students' notebook is."""
    return checkout() / "notebooks" / "homework" / f"{homework}.ipynb"


def student_version(path: Path) -> str:
    """The text of a master without its solutions, by nbgrader's preprocessors."""
    try:
        import nbformat
        from nbgrader import preprocessors
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "release needs nbgrader: pip install 'nas-lab[instructor]'"
        ) from error
    notebook = nbformat.read(path, as_version=4)
    steps = [
        preprocessors.ClearSolutions(code_stub={"python": CODE_STUB}, text_stub=NOT_WRITTEN),
        preprocessors.ClearMarkScheme(),
        preprocessors.LockCells(lock_readonly_cells=False),
        preprocessors.ClearOutput(),
    ]
    for step in steps:
        notebook, _ = step.preprocess(notebook, {})
    for cell in notebook.cells:
        cell.metadata.pop("nbgrader", None)
    return nbformat.writes(notebook) + "\n"


def release(homework: str, out: Path | None = None) -> Path:
    """Write the students' notebook and return its path."""
    target = released(homework) if out is None else out / f"{homework}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(student_version(master(homework)), "utf-8")
    return target


def drifted(homework: str) -> bool:
    """Whether the committed students' notebook is not the one that its master gives."""
    target = released(homework)
    return not target.is_file() or target.read_text("utf-8") != student_version(master(homework))


RUN = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for number, source in json.load(sys.stdin):
    result = shell.run_cell(source, silent=True)
    if not result.success:
        error = result.error_before_exec or result.error_in_exec
        sys.exit(f"cell {number} failed: {type(error).__name__}: {error}")
"""


def pack(path: str | Path, student: str, seconds: float = 600) -> Path:
    """Write ``hw1_your-name.ipynb``, without outputs, beside the notebook; hand that file in.

    Args:
        path: of the notebook as you saved it, such as ``"hw1.ipynb"``.
        student: your name.
        seconds: how long the notebook may run, from top to bottom.
    """
    source, name = Path(path), re.sub(r"[^\w-]+", "-", student).strip("-").lower()
    if not name:
        raise ValueError("pack('hw1.ipynb', student='Ada Lovelace') needs your name")
    if not source.is_file():
        raise FileNotFoundError(f"{source} is not there: save the notebook, and name its file")
    notebook = json.loads(source.read_text("utf-8"))
    _run(notebook, source.resolve().parent, seconds)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
    stem = re.sub(r" *\(\d+\)$", "", source.stem)
    target = source.with_name(f"{stem}_{name}.ipynb")
    target.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return target


def _run(notebook: dict, folder: Path, seconds: float) -> None:
    """Run all code cells but those that pack."""
    code = [cell["cell_type"] == "code" and "".join(cell["source"]) for cell in notebook["cells"]]
    cells = [(n, c) for n, c in enumerate(code, start=1) if c and not re.search(r"\bpack\(", c)]
    command, text = [sys.executable, "-c", RUN], json.dumps(cells)
    try:
        done = subprocess.run(
            command, input=text, cwd=folder, capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"the notebook ran longer than {seconds:.0f} s") from None
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["the process ended"]
        raise RuntimeError(f"not packed: {last[0]}")
