"""Build the stored results in ``datasets/``: ``python -m nas_lab.build NAME``.

A ``Job`` is planned as units of work, its units are run, and what they kept is assembled into one
file. Every unit keeps its results in a file of its own, in a folder that bears the recipe's
fingerprint: a build that was stopped or killed goes on where it was.
"""

import hashlib
import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from nas_lab.estimation import tables
from nas_lab.history import Estimator, History, Trial, estimate_all
from nas_lab.spaces import Arch, Space, nasbench201

CELLS = nasbench201()
Arrays = dict[str, np.ndarray]
Values = Mapping[str, Any]
"""What may stand in JSON."""


@dataclass(frozen=True)
class Trials:
    """A unit of work: architectures that one estimate evaluates with one seed.
    Each is kept as soon as it is there, so an executor's workers share one unit. ``name`` is that
    of its file, without the suffix."""

    name: str
    estimate: Estimator
    archs: tuple[Arch, ...]
    seed: int
    space: Space = CELLS

    def history(self, folder: Path) -> History:
        """What is there of it; the file appears with its first trial."""
        return History(folder / f"{self.name}.jsonl", self.space)

    def left(self, folder: Path) -> int:
        """How many evaluations are missing."""
        return len(self.archs) - len(self.history(folder))

    def finish(self, folder: Path, executor: Executor | None) -> Iterator[Trial]:
        """Evaluate what is missing, and yield each trial when it is kept."""
        history = self.history(folder)
        missing = {i: arch for i, arch in enumerate(self.archs) if i not in history}
        return estimate_all(self.estimate, missing, history, executor=executor, seed=self.seed)


@dataclass(frozen=True)
class Job:
    """A stored result to be made; ``recipe`` is all that decides the numbers in the file.
    Units of work are ``Trials``, or others that one worker does as a whole. Those have
    ``left(folder)``, 1 or 0 when the result is there, and ``finish(folder)``. When all are
    finished, ``assemble(units, folder, recipe)`` returns the arrays of the file."""

    recipe: Values
    units: Sequence[Any]
    assemble: Callable[[Sequence[Any], Path, Values], Arrays]

    @property
    def fingerprint(self) -> str:
        """8 hexadecimal digits that change when the recipe does."""
        return hashlib.sha256(json.dumps(self.recipe, sort_keys=True).encode()).hexdigest()[:8]

    def run(self, folder: Path, output: Path, *, executor: Executor | None = None) -> None:
        """Do what is missing; units keep their results in ``folder``. Then write the ``output``."""
        left = sum(unit.left(folder) for unit in self.units)
        for _ in tqdm(_finish(self.units, folder, executor), total=left, smoothing=0.02):
            pass
        arrays = self.assemble(self.units, folder, self.recipe)
        versions = {"python": platform.python_version(), "machine": platform.machine()}
        versions |= {"torch": torch.__version__, "numpy": np.__version__}
        tables.write(output, arrays, {**self.recipe, "versions": versions})


def _finish(units: Sequence[Any], folder: Path, executor: Executor | None) -> Iterator[object]:
    submitted = []
    for unit in units:
        if not unit.left(folder):
            continue
        if isinstance(unit, Trials):
            yield from unit.finish(folder, executor)
        elif executor is None:
            yield unit.finish(folder)
        else:
            submitted.append(executor.submit(unit.finish, folder))
    yield from (run.result() for run in as_completed(submitted))
