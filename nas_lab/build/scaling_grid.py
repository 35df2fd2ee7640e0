"""``scaling_grid.npz``: a small network, scaled in every direction and trained."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nas_lab.build import Job, Trials
from nas_lab.build.cells import RECIPE, arrays_of, by_unit, counted, record
from nas_lab.data import FashionMNIST
from nas_lab.estimation.scaling_grid import BASE, DOUBLINGS, SPACE, STEPS, Base
from nas_lab.history import Evaluation
from nas_lab.nets import EfficientNet
from nas_lab.scaling import budget
from nas_lab.spaces import Arch
from nas_lab.training import Recipe

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class TrainScaled:
    """An estimate that trains the base network scaled by ``arch``, and writes all down.

    Metrics are ``phi``, ``params``, ``macs`` and those of ``cells.record``.

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
    batch_size: int = 128
    images: int | None = None

    def __call__(self, arch: Arch, seed: int) -> Evaluation:
        """Scale, train, and measure on the test images once."""
        phi = self.base.phi(arch)
        stages, resolution = self.base.scaled(arch, phi)
        size = budget(stages, resolution, **self.base.sizes)
        net = EfficientNet(stages, **self.base.sizes, dropout=0, drop_depth=0, seed=seed)
        sizes = {"phi": phi, "params": size.params, "macs": size.macs}
        return record(net, self.data(resolution), self.recipe, seed, **sizes)

    def data(self, resolution: int) -> FashionMNIST:
        """The images at a resolution."""
        return FashionMNIST(resolution, self.batch_size, images=self.images)


ESTIMATE = TrainScaled()


def plan() -> tuple[Arch, ...]:
    """The base network, and for each number of doublings one network in every direction."""
    shares = itertools.product(range(STEPS + 1), repeat=3)
    directions = np.array([share for share in shares if sum(share) == STEPS])
    scaled = [n * directions for n in range(1, DOUBLINGS + 1)]
    return ((0, 0, 0), *map(tuple, np.concatenate(scaled).tolist()))


ARCHS = plan()


def scaling_grid(
    estimate: TrainScaled = ESTIMATE, archs: tuple[Arch, ...] = ARCHS, seeds: Sequence[int] = SEEDS
) -> Job:
    """The job; by default the one of the kit."""
    recipe = {
        "base": dataclasses.asdict(estimate.base),
        "recipe": dataclasses.asdict(estimate.recipe),
        "batch_size": estimate.batch_size,
        "images": counted(estimate.data(estimate.base.resolution)),
        "archs": [list(arch) for arch in archs],
        "seeds": list(seeds),
        "fingerprint": SPACE.fingerprint,
    }
    units = [Trials(f"seed{seed}", estimate, archs, seed, SPACE) for seed in seeds]
    return Job(recipe, units, assemble)


def assemble(
    units: Sequence[Trials], folder: Path, recipe: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Arrays with a row for each seed, and in it one for each network."""
    metrics = [trial.result.metrics for trial in units[0].history(folder).trials]
    phi, params, macs = ([of[name] for of in metrics] for name in ("phi", "params", "macs"))
    archs = units[0].archs
    return {
        "archs": np.array(archs, dtype=np.int8),
        "thousandths": np.rint(np.multiply(phi, 1000)).astype(np.int16),
        "params": np.array(params, dtype=np.int32),
        "macs": np.array(macs, dtype=np.int32),
        **arrays_of(by_unit(units, folder), (len(units), len(archs)), recipe),
    }
