"""Train a sample of the table's architectures in cheaper ways.

Like the table's, its trainings are kept in histories, one for each shortcut, so a build that was
stopped goes on where it was.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from nas_lab.estimation import archives, building, commands
from nas_lab.estimation import shortcuts as stored
from nas_lab.estimation.base import estimate_all
from nas_lab.estimation.building import Record
from nas_lab.estimation.training import (
    TrainFromScratch,
    fewer_channels,
    fewer_epochs,
    fewer_images,
    lower_resolution,
)
from nas_lab.history import History, Trial
from nas_lab.spaces import Arch, nasbench201

Shortcut = Callable[[TrainFromScratch], TrainFromScratch]

SHORTCUTS: dict[str, Shortcut] = {
    "1250 images": partial(fewer_images, images=1_250),
    "2500 images": partial(fewer_images, images=2_500),
    "5000 images": partial(fewer_images, images=5_000),
    "1 epoch": partial(fewer_epochs, epochs=1),
    "2 epochs": partial(fewer_epochs, epochs=2),
    "8x8 pixels": partial(lower_resolution, resolution=8),
    "8 channels": partial(fewer_channels, channels=8),
}
"""From a name to what it makes of the table's training."""
SEED = 1
"""A search on the table sees seed 0; the sample was also trained in full with seed 1."""
SAMPLE = 200


def sample(n: int = SAMPLE) -> tuple[Arch, ...]:
    """A random sample of canonical architectures, all of them trained with every seed."""
    parts = building.plan(building.canonical_archs(nasbench201()))
    archs = [arch for part in parts if part.seed == SEED for arch in part.archs]
    return tuple(archs[:n])


def history_of(name: str, folder: Path) -> History:
    """What is there of a shortcut; the file appears with its first training."""
    return History(folder / f"{name.replace(' ', '-')}.jsonl", nasbench201())


def recipe_of(
    record: Record, archs: Sequence[Arch], names: Sequence[str] = tuple(SHORTCUTS)
) -> dict[str, Any]:
    """All that decides the numbers in the file, as plain values."""
    sampled = {"names": list(names), "seed": SEED, "sample": len(archs)}
    return {**building.recipe_of(record), **sampled}


def build(
    record: Record,
    archs: Sequence[Arch],
    folder: Path,
    output: Path,
    *,
    executor: Executor | None = None,
    shortcuts: Mapping[str, Shortcut] = SHORTCUTS,
) -> None:
    """Train what is missing, then write the file.

    Args:
        record: how the table is trained.
        archs: the sample.
        folder: where finished trainings are kept; it belongs to one recipe.
        output: the file.
        executor: who trains; None trains here.
        shortcuts: what to try, by name.
    """
    histories = {name: history_of(name, folder) for name in shortcuts}
    known = sum(map(len, histories.values()))
    with tqdm(total=len(shortcuts) * len(archs), initial=known, unit="net") as bar:
        for name, shortcut in shortcuts.items():
            cheap = replace(record, estimate=shortcut(record.estimate))
            missing = {i: arch for i, arch in enumerate(archs) if i not in histories[name]}
            for _ in estimate_all(cheap, missing, histories[name], executor=executor, seed=SEED):
                bar.update()
    about = {**recipe_of(record, archs, tuple(shortcuts)), "versions": building.versions()}
    trials = [history.trials for history in histories.values()]
    archives.write(output, assemble(archs, trials, about), about)


def assemble(
    archs: Sequence[Arch], trials: Sequence[Sequence[Trial]], about: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """The arrays of the file, out of the complete trials of each shortcut."""
    epochs = about["recipe"]["epochs"]
    correct = np.full((len(trials), len(archs), epochs), archives.MISSING, dtype=np.int16)
    seconds = np.full((len(trials), len(archs)), np.nan, dtype=np.float16)
    for place, of_shortcut in enumerate(trials):
        for trial in of_shortcut:
            metrics = trial.result.metrics
            had = [e for e in range(epochs) if f"val_{e + 1}" in metrics]
            share = [metrics[f"val_{e + 1}"] for e in had]
            correct[place, trial.id, had] = np.rint(
                np.multiply(share, about["images"]["validation"])
            )
            seconds[place, trial.id] = trial.result.cost
    return {
        "archs": np.array(archs, dtype=np.int8),
        "val_correct": correct,
        "thread_seconds": seconds,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Build ``fashion201_shortcuts.npz``. Stop it at any time: the same command goes on."""
    parser, _ = commands.build_command("shortcuts", main.__doc__, stored.FILE)
    options = parser.parse_args(arguments)
    record, archs = building.default_record(), sample()
    folder = commands.parts_folder(options, building.fingerprint(recipe_of(record, archs)))
    with commands.open_executor(options.workers, options.scheduler) as pool:
        build(record, archs, folder, options.output, executor=pool)
    sys.stdout.write(f"{options.output}: written\n")
    return 0
