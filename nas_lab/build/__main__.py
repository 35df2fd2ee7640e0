"""Build a stored result. Stop it at any time: the same command goes on where it was."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from nas_lab.build import Job, networks, supernets

JOBS: dict[str, Callable[[], Job]] = {
    "fashion201": networks.table,
    "fashion201_proxies": networks.proxies,
    "fashion201_shortcuts": networks.shortcuts,
    "scaling_grid": networks.scaling_grid,
    "transformer_grid": networks.transformer_grid,
    "one_shot_runs": supernets.one_shot_runs,
    "transformer_runs": partial(supernets.one_shot_runs, supernets.SLICES_PLAN, supernets.SLICES),
    "darts_runs": supernets.darts_runs,
}
"""From the name of a file in ``datasets/`` to what makes it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line, ``python -m nas_lab.build NAME``."""
    parser = argparse.ArgumentParser(prog="python -m nas_lab.build", description=__doc__)
    parser.add_argument("name", choices=JOBS, metavar="NAME", help=", ".join(JOBS))
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--scheduler", help="address of a Dask scheduler, in place of processes")
    parser.add_argument("--parts", type=Path, help="folder of what is finished")
    parser.add_argument("--output", type=Path, help="the file (default: datasets/NAME.npz)")
    options = parser.parse_args(arguments)
    if options.workers < 1:
        parser.error(f"the number of workers must be at least 1, not {options.workers}")
    output = options.output or Path("datasets", f"{options.name}.npz")
    job = JOBS[options.name]()
    folder = options.parts or output.parent / "parts" / f"{output.stem}-{job.fingerprint}"
    with open_executor(options.workers, options.scheduler) as executor:
        job.run(folder, output, executor=executor)
    sys.stdout.write(f"{output}: written\n")
    return 0


@contextmanager
def open_executor(workers: int, scheduler: str | None = None) -> Iterator[Executor | None]:
    """No executor for one worker, processes for several, or a Dask cluster."""
    if scheduler is not None:
        from dask.distributed import Client

        with Client(scheduler) as client:
            yield client.get_executor()
    elif workers == 1:
        yield None
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            yield pool


if __name__ == "__main__":
    sys.exit(main())
