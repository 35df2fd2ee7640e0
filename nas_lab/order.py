"""What a NameError in a notebook means: a cell further up, which makes the name, has not run.

An extension of IPython, ``%load_ext nas_lab.order``. IPython calls it after each cell
(``post_run_cell`` of https://ipython.readthedocs.io/en/stable/config/callbacks.html), and below the
traceback it displays which cell to run.
"""

from __future__ import annotations

import ast
import dis
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult, InteractiveShell

ADVICE = (
    "Select this cell and run all above it, then run it again. JupyterLab: Run > Run All Above "
    "Selected Cell. Colab: Runtime > Run before. VS Code: Execute Above Cells."
)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Explain names that are not defined from now on; a second call changes nothing."""
    shell.events.register("post_run_cell", Hints(shell))


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Explain nothing from now on."""
    shell.events.unregister("post_run_cell", Hints(shell))


@dataclass(frozen=True)
class Hints:
    """Displays a hint after each cell that ended in a NameError which running cells can mend."""

    shell: InteractiveShell

    def __call__(self, result: ExecutionResult) -> None:
        """Look at how a cell ended. Nothing is displayed where nothing helpful is known."""
        error, ran = result.error_in_exec, result.info
        name = error.name if type(error) is NameError else None  # not an UnboundLocalError
        in_kernel = hasattr(self.shell, "kernel")  # a terminal has no cells further up
        if ran and name and name not in self.shell.user_ns and in_kernel:
            text = self.text(name, ran)
            if text:
                self.shell.display_pub.publish({"text/markdown": text, "text/plain": text})

    def text(self, name: str, ran: ExecutionInfo) -> str:
        """Return the hint for a name in the cell that `ran`; empty where no cell makes it."""
        try:  # VS Code or Jupyter Server (from 2 on) tell which file the notebook is
            path = self.shell.user_ns.get("__vsc_ipynb_file__") or os.environ["JPY_SESSION_NAME"]
            cells = json.loads(Path(path).read_text("utf-8"))["cells"]
            cells = [{**cell, "source": "".join(cell["source"])} for cell in cells]
        except (OSError, ValueError, KeyError, TypeError):  # no file, or none that can be read
            return (
                f"`{name}` is not known to this kernel. If a cell further up makes it, that cell "
                f"has not run since the kernel started.\n\n{ADVICE}"
            )
        found = find(name, above(cells, ran), self.shell.transform_cell)
        if found is None:
            return ""
        heading, line = found
        where = f"under '{heading}'" if heading else "near the top"
        return (
            f"`{name}` is made by a cell further up that has not run to its end since this kernel "
            f"started. It stands {where} and begins with\n\n    {line}\n\n{ADVICE}"
        )


Cell = dict[str, Any]
"""As in a notebook's file, the source in one piece; files older than format 4.5 have no ids."""


def above(cells: list[Cell], ran: ExecutionInfo) -> list[Cell]:
    """Return the cells above the one that `ran`; all, where the file does not know it yet."""
    named = getattr(ran, "cell_id", None)  # from IPython 8 on
    for number, cell in enumerate(cells):
        if cell["source"] == ran.raw_cell or (named and cell.get("id") == named):
            return cells[:number]
    return cells


Transform = Callable[[str], str]
"""Turns magics to Python."""


def find(name: str, cells: list[Cell], transform: Transform) -> tuple[str, str] | None:
    """Return the heading above, or '', and the first line of the last cell that makes `name`."""
    found, heading = None, ""
    for cell in cells:
        kind, source = cell["cell_type"], cell["source"]
        if kind == "markdown":
            heading = [heading, *re.findall(r"^#+ +(.+)$", source, re.MULTILINE)][-1]
        elif kind == "code" and name in made(source, transform):
            found = heading, source.lstrip().partition("\n")[0]
    return found


def made(source: str, transform: Transform) -> set[str]:
    """Return the names that a cell binds: by =, import, def, class, for, with, := and the like."""
    try:
        code = compile(transform(source), "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError):  # a draft
        return set()
    # What functions and comprehensions bind is not stored by name.
    return {each.argval for each in dis.get_instructions(code) if each.opname == "STORE_NAME"}
