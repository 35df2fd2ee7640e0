"""Pack a notebook for hand-in, after running it from top to bottom in a fresh process."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

RUN = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for number, source in json.load(open(sys.argv[1], encoding="utf-8")):
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
        seconds: how long the notebook may run.

    Raises:
        FileNotFoundError: there is no such notebook.
        ValueError: the name is empty.
        RuntimeError: a cell fails when the notebook runs from top to bottom.
        TimeoutError: it runs too long.
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
    code = [
        (number, "".join(cell["source"]))
        for number, cell in enumerate(notebook["cells"], start=1)
        if cell["cell_type"] == "code"
    ]
    cells = [(number, source) for number, source in code if not re.search(r"\bpack\(", source)]
    with tempfile.TemporaryDirectory() as scratch:
        listed = Path(scratch, "cells.json")
        listed.write_text(json.dumps(cells), "utf-8")
        command = [sys.executable, "-c", RUN, str(listed)]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=seconds
            )
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"the notebook ran longer than {seconds:.0f} s") from None
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["the process ended"]
        raise RuntimeError(f"not packed: {last[0]}")
