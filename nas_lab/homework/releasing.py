"""Make the students' notebook out of a master with solutions, by nbgrader's preprocessors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nas_lab import checks
from nas_lab.homework.grading.reading import NOT_WRITTEN

CODE_STUB = "return None  # your code"


def checkout() -> Path:
    """The folder of the repository.

    Raises:
        FileNotFoundError: the package was installed without it.
    """
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
    """The students' version of a master, as the text of a notebook.

    Raises:
        ModuleNotFoundError: nbgrader is not installed.
    """
    nbformat, preprocessors = _nbgrader()
    notebook = nbformat.read(path, as_version=4)
    steps = [
        preprocessors.ClearSolutions(code_stub={"python": CODE_STUB}, text_stub=NOT_WRITTEN),
        preprocessors.ClearMarkScheme(),
        preprocessors.LockCells(lock_readonly_cells=False),
        preprocessors.ClearOutput(),
    ]
    resources: dict[str, Any] = {}
    for step in steps:
        notebook, resources = step.preprocess(notebook, resources)
    for cell in notebook.cells:
        cell.metadata.pop("nbgrader", None)
    return nbformat.writes(notebook) + "\n"


def _nbgrader() -> tuple[Any, Any]:
    try:
        import nbformat
        from nbgrader import preprocessors
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "release needs nbgrader: pip install 'nas-lab[instructor]'"
        ) from error
    return nbformat, preprocessors


def release(homework: str, out: Path | None = None) -> Path:
    """Write the students' notebook and return its path.

    Raises:
        FileNotFoundError: there is no master of that name.
    """
    source = _existing(master(homework))
    target = released(homework) if out is None else out / f"{homework}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(student_version(source), "utf-8")
    return target


def drifted(homework: str) -> bool:
    """Whether the committed students' notebook is not the one that its master gives.

    Raises:
        FileNotFoundError: there is no master of that name.
    """
    source, target = _existing(master(homework)), released(homework)
    return not target.is_file() or target.read_text("utf-8") != student_version(source)


def _existing(path: Path) -> Path:
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.ipynb")))
        raise FileNotFoundError(f"there is no {path.name} in {path.parent}; there are: {known}")
    return path
