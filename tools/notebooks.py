"""Run every notebook from top to bottom in fresh kernels, side by side: `make notebooks`.

Fails on an error, a warning, an output of more than a megabyte, or a broken link. Prints and keeps
how long each took, its peak memory and its slowest cell; executed copies are in build/notebooks/.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from benchmarks._report import report

ROOT = Path(__file__).resolve().parents[1]
EXECUTED = ROOT / "build" / "notebooks"
LARGEST_OUTPUT = 1_000_000
SECONDS_A_CELL = 600  # a guard against a hang, far above what is allowed

# Linux hands ru_maxrss of whoever started a process on to it; VmHWM begins anew. The pages of
# CUDA's libraries are there with the default build of PyTorch for Linux, on a CPU as well.
PEAK = r"""
import pathlib, re, resource, sys
status, maps = (pathlib.Path("/proc/self", name) for name in ("status", "smaps"))
known = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
own = int(known[1]) if known else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
peak = max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
pages = re.findall(
    r"^[0-9a-f]+-\S+(?: +\S+){4} *(.*)\n(?:[^\n]*\n)*?Rss: +(\d+)",
    maps.read_text() if maps.exists() else "", re.MULTILINE
)
cuda = sum(int(kB) for file, kB in pages if re.search("/nvidia/|_cuda[.]so|/triton/", file))
print(*(size * (1 if sys.platform == "darwin" else 1024) for size in (peak, cuda)))
"""


class ThisPython(KernelSpecManager):
    """Start kernels with the Python that runs this, whatever is installed for the user."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the one kernel."""
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name=kernel_name, language="python")


class Kernel(AsyncKernelManager):
    """A kernel that nbclient starts, ends and cleans up behind, for it makes it itself."""

    def __init__(self, **options):
        super().__init__(kernel_spec_manager=ThisPython(), **options)


class Client(NotebookClient):
    """Run a notebook, then ask its kernel how much memory it had."""

    peak = cuda = float("nan")

    async def async_execute(self, **options):
        """Run all cells; `peak` is then the most bytes that the kernel or a child held.

        `cuda` are those of them that hold CUDA's libraries; a CPU build of PyTorch has none.
        """
        async with self.async_setup_kernel(**options):
            for number, cell in enumerate(self.nb.cells):
                await self.async_execute_cell(cell, number)
            self.nb.cells.append(nbformat.v4.new_code_cell(PEAK))
            probe = await self.async_execute_cell(self.nb.cells[-1], len(self.nb.cells) - 1)
            self.nb.cells.pop()
            said = "".join(output.text for output in probe.outputs)  # it may come in pieces
            self.peak, self.cuda = map(float, said.split())
        self.set_widgets_metadata()
        return self.nb

    execute = run_sync(async_execute)


def client(notebook, folder: Path, seconds: float = SECONDS_A_CELL, kind=Client) -> Client:
    """Return what runs `notebook` in `folder`; a cell that fails raises."""
    return kind(
        notebook,
        kernel_name="python3",
        kernel_manager_class=Kernel,
        timeout=seconds,
        shutdown_kernel="immediate",
        resources={"metadata": {"path": str(folder)}},
    )


@dataclass(frozen=True)
class Run:
    """What became of one notebook: seconds, bytes, and sentences on what is wrong."""

    name: str
    seconds: float
    peak: float
    cuda: float
    slowest: str
    problems: list[str]


async def run(path: Path, at_once: asyncio.Semaphore) -> Run:
    """Run one notebook as soon as there is room, and keep the executed copy."""
    notebook = nbformat.read(path, as_version=4)
    runner, problems = client(notebook, path.parent), broken_links(notebook, path)
    async with at_once:
        try:
            await runner.async_execute()
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            problems.append(re.sub(r"\x1b\[\d*m", "", str(error).strip().splitlines()[-1]))
    problems += [problem for cell in notebook.cells for problem in cell_problems(cell)]
    target = EXECUTED / path.relative_to(ROOT / "notebooks")
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    taken = {cell.id: seconds(cell) for cell in notebook.cells if cell.cell_type == "code"}
    slowest = max(taken, key=taken.get)
    described = f"{taken[slowest]:.1f} s in {slowest}"
    return Run(path.stem, sum(taken.values()), runner.peak, runner.cuda, described, problems)


def seconds(cell) -> float:
    """Return how long a cell ran."""
    times = cell.metadata.get("execution", {})
    keys = ("iopub.execute_input", "shell.execute_reply")
    if not set(keys) <= set(times):
        return 0.0
    began, ended = (times[key].rstrip("Z") for key in keys)
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()


def cell_problems(cell) -> Iterator[str]:
    """Say which outputs of a cell are warnings, or larger than allowed."""
    for output in cell.get("outputs", []):
        size = len(json.dumps(output))
        if size > LARGEST_OUTPUT:
            yield f"{cell.id}: an output of {size / 1e6:.1f} MB"
        said = output.text if output.get("name") == "stderr" else ""
        if warning := re.search(r"^.*Warning: .*$", said, re.MULTILINE):
            yield f"{cell.id}: {warning[0].strip()}"


def broken_links(notebook, path: Path) -> list[str]:
    """Return the links to files and headings that are not there."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    headings = [line.strip() for text in texts for line in re.findall(r"^#+ (.+)$", text, re.M)]
    anchors = {heading.replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(([^)\s]+)\)", "\n".join(texts))
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    return [f"broken link: {link}" for link in local if not leads_somewhere(link, path, anchors)]


def leads_somewhere(link: str, path: Path, anchors: set[str]) -> bool:
    """Whether a link leads to a file, or to a heading of its own notebook."""
    file, _, anchor = link.partition("#")
    if file:
        return (path.parent / file).exists()
    return anchor in anchors


async def run_all(paths: list[Path], jobs: int) -> list[Run]:
    """Run notebooks, `jobs` of them at a time."""
    at_once = asyncio.Semaphore(jobs)
    return await asyncio.gather(*(run(path, at_once) for path in paths))


def main() -> int:
    """Run what was asked for; return the number of notebooks with problems."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="without any, all of them")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at the same time")
    given = parser.parse_args()
    every = [p for p in (ROOT / "notebooks").rglob("*.ipynb") if "checkpoints" not in str(p)]
    paths = [path.resolve() for path in given.notebooks] or sorted(every)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    runs = asyncio.run(run_all(paths, given.jobs))
    report("notebooks", [row(run) for run in runs])
    for each in runs:
        for problem in each.problems:
            print(f"{each.name}: {problem}", file=sys.stderr)
    return sum(bool(each.problems) for each in runs)


def row(run: Run) -> dict[str, str | float]:
    """Return a line of the table."""
    return {
        "notebook": run.name,
        "s": run.seconds,
        "peak, MB": run.peak / 1e6,
        "of it CUDA's libraries": run.cuda / 1e6,
        "slowest cell": run.slowest,
        "result": f"{len(run.problems)} problems" if run.problems else "passed",
    }


if __name__ == "__main__":
    sys.exit(min(main(), 1))
