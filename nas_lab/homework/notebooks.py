"""A homework's notebook: made for students out of its master, and packed by them for hand-in."""

import json
import os
import re
import subprocess
import sys
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import Any

from nas_lab import checks
from nas_lab.homework import hand_ins

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
        from nbconvert.preprocessors import TagRemovePreprocessor
        from nbgrader import preprocessors
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "release needs nbgrader: pip install 'nas-lab[instructor]'"
        ) from error
    notebook = nbformat.read(path, as_version=4)
    stubs = {"code_stub": {"python": CODE_STUB}, "text_stub": hand_ins.NOT_WRITTEN}
    steps = [
        TagRemovePreprocessor(remove_cell_tags={"solution"}),  # its helper functions
        preprocessors.ClearSolutions(**stubs),
        preprocessors.ClearMarkScheme(),
        preprocessors.LockCells(lock_readonly_cells=False),
        preprocessors.ClearOutput(),
    ]
    for step in steps:
        notebook, _ = step.preprocess(notebook, {})
    for cell in notebook.cells:
        cell.metadata.pop("nbgrader", None)
    return nbformat.writes(notebook) + "\n"


def release(homework: str) -> Path:
    """Write the students' notebook and return its path."""
    target = released(homework)
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
from nas_lab.homework import notebooks
notebooks.pack = lambda *_, **__: None  # else it would pack itself without end
shell = InteractiveShell.instance()
shell.user_ns["pack"] = notebooks.pack
for number, source in json.load(sys.stdin):
    result = shell.run_cell(source, silent=True)
    if not result.success:
        error = result.error_before_exec or result.error_in_exec
        sys.exit(" ".join(f"cell {number} failed: {type(error).__name__}: {error}".split()))
checking = sys.modules.get("nas_lab.homework.checking")
found = checking and sys.argv[1] and checking.progress(sys.argv[1])
print("", found or "No question was checked.", sep="\\n", file=sys.__stdout__)
"""


class Packed(type(Path())):  # type: ignore[misc]
    """The path of what was packed; a cell that ends in it shows what that holds."""

    words = ""

    def __repr__(self) -> str:
        return self.words or super().__repr__()


def pack(path: str | Path, student: str, seconds: float = 600) -> Packed:
    """Write ``hw1_your-name.ipynb``, without outputs, beside the notebook; hand that file in.
    On Colab it holds what is in the browser, elsewhere what was saved.

    Args:
        path: of the notebook as you saved it, such as ``"hw1.ipynb"``.
        student: your name.
        seconds: how long the notebook may run, from top to bottom.
    """
    source, colab = Path(path).absolute(), "google.colab" in sys.modules
    name = re.sub(r"[^\w-]+", "-", unicodedata.normalize("NFC", student)).strip("-").lower()
    if name in ("", "your-name"):
        raise ValueError("pack('hw1.ipynb', student='Ada Lovelace') needs your name")
    if not colab and not source.is_file():
        raise FileNotFoundError(f"{path} is not there: save the notebook, and name its file")
    cells = list(map(_clean, hand_ins.listed(_from_colab() if colab else source.read_bytes())))
    texts = [(cell["cell_type"] == "code", cell["source"]) for cell in cells]
    named = re.search(r"hw[1-6]|capstone", f"{source.stem.lower()} {texts}")
    homework = named[0] if named else ""
    found = _run(texts, homework, source.parent, seconds)
    target = Packed(source.with_name(f"{homework or source.stem}_{name}.ipynb"))
    if target == source:  # which may be open in Jupyter
        target = Packed(source.with_name(f"{name}_{homework}.ipynb"))
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    target.write_text(json.dumps(notebook, indent=1) + "\n", "utf-8")
    words = len(hand_ins.written_answer(texts).split())
    answer = f"Written answer: {words} words." if words else "Warning: the written answer is empty."
    target.words = f"Packed {target.name}. {_age(source, colab)}\n{found}\n{answer}"
    return target


def _from_colab() -> bytes:
    """The notebook as it is in the browser: Colab keeps no file of it."""
    try:
        from google.colab import _message

        reply = _message.blocking_request("get_ipynb", timeout_sec=60)
        return json.dumps(reply["ipynb"]).encode()
    except Exception as error:
        raise RuntimeError(
            "Colab does not give the notebook: choose File > Download > Download .ipynb, write "
            "your name into the file's name, and hand that in"
        ) from error


def _clean(cell: dict) -> dict:
    """A cell in nbformat 4 without outputs, as the grader reads it."""
    kind = cell.get("cell_type")
    kept = {
        "cell_type": kind if kind in ("code", "raw") else "markdown",
        "metadata": cell.get("metadata", {}),
        "source": hand_ins.source_of(cell),
    }
    return kept | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def _age(source: Path, colab: bool) -> str:
    """Say which state of the notebook was packed."""
    if colab:
        return "It holds what stands in your browser now; download it from Files, on the left."
    saved = datetime.fromtimestamp(source.stat().st_mtime)
    return f"It holds what was saved on {saved:%d %B at %H:%M:%S}; what you typed since is missing."


def _run(texts: list[hand_ins.Cell], homework: str, folder: Path, seconds: float) -> str:
    """Run all code cells, in a fresh process, and say what the checks in them found."""
    command = [sys.executable, "-c", RUN, homework]
    options: dict[str, Any] = {"capture_output": True, "encoding": "utf-8", "errors": "replace"}
    options["env"] = os.environ | {"PYTHONIOENCODING": "utf-8"}  # some pipes know no check mark
    cells = json.dumps([(n, text) for n, (code, text) in enumerate(texts, start=1) if code])
    try:
        done = subprocess.run(command, input=cells, cwd=folder, timeout=seconds, **options)
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"the notebook ran longer than {seconds:.0f} s") from None
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["the process ended"]
        raise RuntimeError(f"not packed: {last[0]}")
    return done.stdout.splitlines()[-1]
