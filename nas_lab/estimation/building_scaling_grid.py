"""Train a small network, scaled in every direction, for ``scaling_grid``.

Like the table's, its trainings are kept in histories, one for each seed, so a build that was
stopped goes on where it was.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from nas_lab.data import FashionMNIST
from nas_lab.estimation import archives, building, commands
from nas_lab.estimation import scaling_grid as stored
from nas_lab.estimation.base import estimate_all
from nas_lab.estimation.scaling_grid import BASE, DOUBLINGS, SPACE, STEPS, Base
from nas_lab.history import Evaluation, History, Trial
from nas_lab.nets import EfficientNet
from nas_lab.scaling import budget
from nas_lab.spaces import Arch
from nas_lab.training import Recipe, evaluate, train

RECIPE = Recipe(epochs=4, learning_rate=0.1)
BATCH_SIZE = 128
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class TrainScaled:
    """An estimate that trains the base network scaled by ``arch``, and writes all down.

    The score is the final validation accuracy, NaN when the training diverged; the cost is the
    seconds of CPU time of the training thread. Metrics: ``val_1``, ``loss_1``, ... for each
    finished epoch, ``test``, ``phi``, ``params`` and ``macs``.

    Args:
        base: the network that is scaled.
        recipe: how to train.
        batch_size: images a batch.
        images: train on the first so many only; None takes all.

    There is neither dropout nor stochastic depth: networks this small, trained this shortly, do
    not overfit.
    """

    base: Base = BASE
    recipe: Recipe = RECIPE
    batch_size: int = BATCH_SIZE
    images: int | None = None

    def __call__(self, arch: Arch, seed: int) -> Evaluation:
        """Scale, train, and measure on the test images once."""
        phi = self.base.phi(arch)
        stages, resolution = self.base.scaled(arch, phi)
        net = EfficientNet(stages, **self.base.sizes, dropout=0, drop_depth=0, seed=seed)
        data = self.data(resolution)
        began = time.thread_time()
        curve = train(net, data, self.recipe, seed=seed, num_threads=1, device="cpu")
        seconds = time.thread_time() - began
        if curve.status == "interrupted":
            raise KeyboardInterrupt(f"training of {arch} was interrupted")
        size = budget(stages, resolution, **self.base.sizes)
        metrics = {"phi": phi, "params": size.params, "macs": size.macs}
        metrics |= {f"val_{i}": a for i, a in enumerate(curve.val_accuracy, start=1)}
        metrics |= {f"loss_{i}": loss for i, loss in enumerate(curve.train_loss, start=1)}
        if curve.status == "diverged":
            return Evaluation(math.nan, seconds, metrics)
        metrics["test"] = evaluate(net, data.test_dataloader())
        return Evaluation(curve.accuracy, seconds, metrics)

    def data(self, resolution: int) -> FashionMNIST:
        """The images at a resolution."""
        return FashionMNIST(resolution, self.batch_size, images=self.images)


def plan(doublings: Sequence[int] = range(1, DOUBLINGS + 1)) -> tuple[Arch, ...]:
    """The base network, and for each number of doublings one network in every direction."""
    shares = itertools.product(range(STEPS + 1), repeat=3)
    directions = [share for share in shares if sum(share) == STEPS]
    return (
        (0, 0, 0),
        *(tuple(times * share for share in d) for times in doublings for d in directions),
    )


def history_of(seed: int, folder: Path) -> History:
    """What is there of a seed; the file appears with its first training."""
    return History(folder / f"seed{seed}.jsonl", SPACE)


def recipe_of(
    estimate: TrainScaled, archs: Sequence[Arch], seeds: Sequence[int] = SEEDS
) -> dict[str, Any]:
    """All that decides the numbers in the file, as plain values."""
    data = estimate.data(estimate.base.resolution)
    return {
        "base": dataclasses.asdict(estimate.base),
        "recipe": dataclasses.asdict(estimate.recipe),
        "batch_size": estimate.batch_size,
        "images": {
            "train": len(data.train_dataloader().labels),
            "validation": len(data.val_dataloader().labels),
            "test": len(data.test_dataloader().labels),
        },
        "archs": [list(arch) for arch in archs],
        "seeds": list(seeds),
        "fingerprint": SPACE.fingerprint,
    }


def build(
    estimate: TrainScaled,
    archs: Sequence[Arch],
    folder: Path,
    output: Path,
    *,
    executor: Executor | None = None,
    seeds: Sequence[int] = SEEDS,
) -> None:
    """Train what is missing, then write the file.

    Args:
        estimate: how to scale and train.
        archs: as ``plan`` gives them.
        folder: where finished trainings are kept; it belongs to one recipe.
        output: the file.
        executor: who trains; None trains here.
        seeds: of the trainings.
    """
    histories = [history_of(seed, folder) for seed in seeds]
    known = sum(map(len, histories))
    with tqdm(total=len(seeds) * len(archs), initial=known, unit="net") as bar:
        for seed, history in zip(seeds, histories, strict=True):
            missing = {i: arch for i, arch in enumerate(archs) if i not in history}
            for _ in estimate_all(estimate, missing, history, executor=executor, seed=seed):
                bar.update()
    about = {**recipe_of(estimate, archs, seeds), "versions": building.versions()}
    arrays = assemble(archs, [history.trials for history in histories], about)
    archives.write(output, arrays, about)


def assemble(
    archs: Sequence[Arch], trials: Sequence[Sequence[Trial]], about: dict[str, Any]
) -> dict[str, np.ndarray]:
    """The arrays of the file, out of the complete trials of each seed."""
    epochs, images = about["recipe"]["epochs"], about["images"]
    shape = (len(trials), len(archs))
    val = np.full((*shape, epochs), archives.MISSING, dtype=np.int16)
    loss = np.full((*shape, epochs), np.nan, dtype=np.float16)
    test = np.full(shape, archives.MISSING, dtype=np.int16)
    seconds = np.full(shape, np.nan, dtype=np.float16)
    for trial, at in ((trial, (i, trial.id)) for i, of in enumerate(trials) for trial in of):
        metrics = trial.result.metrics
        had = sum(f"val_{epoch}" in metrics for epoch in range(1, epochs + 1))
        shares = [metrics[f"val_{epoch}"] for epoch in range(1, had + 1)]
        val[at][:had] = np.rint(np.multiply(shares, images["validation"]))
        loss[at][:had] = [metrics[f"loss_{epoch}"] for epoch in range(1, had + 1)]
        seconds[at] = trial.result.cost
        if "test" in metrics:
            test[at] = round(metrics["test"] * images["test"])
    sizes = {
        name: [trial.result.metrics[name] for trial in trials[0]]
        for name in ("phi", "params", "macs")
    }
    return {
        "archs": np.array(archs, dtype=np.int8),
        "thousandths": np.rint(np.multiply(sizes["phi"], 1000)).astype(np.int16),
        "params": np.array(sizes["params"], dtype=np.int32),
        "macs": np.array(sizes["macs"], dtype=np.int32),
        "val_correct": val,
        "test_correct": test,
        "train_loss": loss,
        "thread_seconds": seconds,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Build ``scaling_grid.npz``. Stop it at any time: the same command goes on."""
    parser, _ = commands.build_command("scaling_grid", main.__doc__, stored.FILE)
    options = parser.parse_args(arguments)
    estimate, archs = TrainScaled(), plan()
    folder = commands.parts_folder(options, building.fingerprint(recipe_of(estimate, archs)))
    with commands.open_executor(options.workers, options.scheduler) as pool:
        build(estimate, archs, folder, options.output, executor=pool)
    sys.stdout.write(f"{options.output}: written\n")
    return 0
