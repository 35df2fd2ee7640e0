"""The command line that all builders of result files share."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from nas_lab.checks import whole_number


def build_command(
    module: str, description: str | None, file: str, package: str = "estimation"
) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """The parser of ``python -m nas_lab.<package>.<module> build``, and that of ``build``.

    Options: ``--workers``, ``--scheduler``, ``--parts`` and ``--output`` (by default ``file`` in
    the folder ``datasets``). More can be added to the second parser.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m nas_lab.{package}.{module}", description=description
    )
    command = parser.add_subparsers(required=True).add_parser("build", help="do what is missing")
    command.add_argument("--workers", type=_workers, default=1, help="processes (default: 1)")
    command.add_argument("--scheduler", help="address of a Dask scheduler, in place of processes")
    command.add_argument("--parts", type=Path, help="folder of what is finished")
    command.add_argument("--output", type=Path, default=Path("datasets") / file)
    return parser, command


def parts_folder(options: argparse.Namespace, fingerprint: str) -> Path:
    """Where finished parts are kept: each recipe has a folder beside the output, or ``--parts``."""
    output = options.output
    return options.parts or output.parent / "parts" / f"{output.stem}-{fingerprint}"


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


def _workers(text: str) -> int:
    try:
        return whole_number("the number of workers", int(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
