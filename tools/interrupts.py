"""Press stop in each long cell of a notebook, and run what follows: python -m tools.interrupts.

A reader who does not want to wait interrupts a cell and goes on. So the cells below must run on
what there is then. A cell is long when it has a progress bar and is not done after some seconds.
Prints which cells were stopped in each notebook, and every error after that.
"""

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat

from tools.notebooks import ROOT, Client, cell_problems, client

SECONDS = 3.0
"""After how long a cell is stopped, at the earliest."""


class Impatient(Client):
    """Runs a notebook, and interrupts what shows a progress bar after so many `seconds`."""

    seconds = SECONDS

    async def async_execute_cell(self, cell, *arguments, **options):
        """Run a cell to its end, or stop it; its metadata say whether it was interrupted."""
        earlier = set(self.widget_state)
        running = asyncio.ensure_future(super().async_execute_cell(cell, *arguments, **options))
        await asyncio.wait({running}, timeout=self.seconds)
        while not (running.done() or self.has_moved(cell, earlier)):
            await asyncio.wait({running}, timeout=0.1)
        if not running.done():
            cell.metadata["interrupted"] = True
            await self.km.interrupt_kernel()
        return await running

    def has_moved(self, cell, earlier: set[str]) -> bool:
        """Whether one of the cell's bars of tqdm, as a widget or as text, is past its start."""
        new = [state for name, state in self.widget_state.items() if name not in earlier]
        bars = [state for state in new if state.get("_model_name") == "FloatProgressModel"]
        text = "".join(output.get("text", "") for output in cell.outputs)
        return any(bar["value"] > 0 for bar in bars) or bool(re.search(r"\b[1-9]\d*/\d+ \[", text))


def run(path: Path, seconds: float = SECONDS):
    """Return an executed copy of the notebook in which each long cell was stopped."""
    impatient = client(nbformat.read(path, as_version=4), path.parent, kind=Impatient)
    impatient.seconds, impatient.allow_errors = seconds, True
    return impatient.execute()


def stopped(notebook) -> list[str]:
    """Return the ids of cells that were interrupted."""
    return [cell.id for cell in notebook.cells if "interrupted" in cell.metadata]


def problems(notebook) -> Iterator[str]:
    """Say what went wrong; an interrupted cell may end in a KeyboardInterrupt, or warn of it."""
    for cell in notebook.cells:
        stopped = "interrupted" in cell.metadata
        for output in cell.get("outputs", []):
            allowed = "KeyboardInterrupt" if stopped else None
            if output.output_type == "error" and output.ename != allowed:
                said = output.evalue or output.traceback[-2:]  # at least where
                yield f"{cell.id}: {output.ename}: {said}"
        if not stopped:
            yield from cell_problems(cell)


def main() -> int:
    """Run what was asked for, one after the other; return the number of notebooks that failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="without any, all lectures")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="when a cell is stopped")
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    failed = 0
    for path in given.notebooks or sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = run(path.resolve(), given.seconds)
        found = list(problems(notebook))
        print(f"{path.stem}: stopped {', '.join(stopped(notebook)) or 'nothing'}", flush=True)
        for problem in found:
            print(f"  {problem}", flush=True)
        failed += bool(found)
    return failed


if __name__ == "__main__":
    sys.exit(min(main(), 1))
