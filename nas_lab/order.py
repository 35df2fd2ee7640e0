"""What a NameError in a notebook means: a cell further up, which makes the name, has not run.

An extension of IPython, ``%load_ext nas_lab.order``. IPython calls it after each cell
(``post_run_cell`` of https://ipython.readthedocs.io/en/stable/config/callbacks.html), and below the
traceback it displays which cell to run. The traceback itself stays as it is.
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
from typing import TYPE_CHECKING, NamedTuple

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
    """Explain nothing from now on.

    Raises:
        ValueError: the extension is not loaded.
    """
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
        try:
            cells = read(notebook(self.shell))
        except (OSError, ValueError, KeyError, TypeError):  # no file, or none that can be read
            return (
                f"`{name}` is not known to this kernel. If a cell further up makes it, that cell "
                f"has not run since the kernel started.\n\n{ADVICE}"
            )
        place = find(name, above(cells, ran), self.shell.transform_cell)
        if place is None:
            return ""
        return (
            f"`{name}` is made by a cell further up that has not run to its end since this kernel "
            f"started. It stands {place.where} and begins with\n\n"
            f"    {place.line}\n\n{ADVICE}"
        )


class Cell(NamedTuple):
    """A cell of a notebook's file; the id is None in files older than format 4.5."""

    type: str
    source: str
    id: str | None


class Place(NamedTuple):
    """Where a cell stands: the heading above it, or '' where there is none, and its first line."""

    heading: str
    line: str

    @property
    def where(self) -> str:
        """The heading in a sentence."""
        return f"under '{self.heading}'" if self.heading else "near the top"


def notebook(shell: InteractiveShell) -> Path:
    """Return the file of the notebook, as VS Code or Jupyter Server (from 2 on) tell it.

    Raises:
        KeyError: neither does.
    """
    return Path(shell.user_ns.get("__vsc_ipynb_file__") or os.environ["JPY_SESSION_NAME"])


def read(path: Path) -> list[Cell]:
    """Return the cells of a notebook's file.

    Raises:
        OSError, ValueError, KeyError, TypeError: it is not there, or no notebook.
    """
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return [Cell(cell["cell_type"], "".join(cell["source"]), cell.get("id")) for cell in cells]


def above(cells: list[Cell], ran: ExecutionInfo) -> list[Cell]:
    """Return the cells above the one that `ran`; all, where the file does not know it yet."""
    named = getattr(ran, "cell_id", None)  # from IPython 8 on
    for number, cell in enumerate(cells):
        if cell.source == ran.raw_cell or (named and cell.id == named):
            return cells[:number]
    return cells


def find(name: str, cells: list[Cell], transform: Callable[[str], str]) -> Place | None:
    """Return where the last cell stands that makes `name`; `transform` turns magics to Python."""
    place, heading = None, ""
    for cell in cells:
        if cell.type == "markdown":
            heading = [heading, *re.findall(r"^#+ +(.+)$", cell.source, re.MULTILINE)][-1]
        elif cell.type == "code" and name in made(cell.source, transform):
            place = Place(heading, cell.source.lstrip().partition("\n")[0])
    return place


def made(source: str, transform: Callable[[str], str]) -> set[str]:
    """Return the names that a cell binds: by =, import, def, class, for, with, := and the like."""
    try:
        code = compile(transform(source), "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError):  # a draft
        return set()
    # What functions and comprehensions bind is not stored by name.
    return {each.argval for each in dis.get_instructions(code) if each.opname == "STORE_NAME"}
