"""Three results on the cells of NAS-Bench-201: the table, zero-cost proxies, and shortcuts."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from nas_lab import nets, runtime
from nas_lab.build import Job, Trials
from nas_lab.data import FashionMNIST
from nas_lab.estimation.archives import MISSING
from nas_lab.estimation.base import Estimator
from nas_lab.estimation.proxies import PROXIES, Flops, Params, prepare
from nas_lab.estimation.training import (
    TrainFromScratch,
    fewer_channels,
    fewer_epochs,
    fewer_images,
    lower_resolution,
)
from nas_lab.history import Evaluation
from nas_lab.spaces import Arch, Skeleton, Space, nasbench201
from nas_lab.training import Recipe, evaluate, train

SPACE = nasbench201()
SKELETON = Skeleton(channels=16, cells=2, stages=1, stem_stride=2, resolution=12, in_channels=1)
RECIPE = Recipe(epochs=4, learning_rate=0.1)
BATCH_SIZE = 128
MORE_SEEDS = (1, 2)
MORE_ARCHS = 500
"""Architectures that are evaluated with ``MORE_SEEDS`` too, drawn at random."""
CHUNK = 64
"""Architectures in one unit of work; units are the same for every number of shards and workers."""


# ---- architectures -------------------------------------------------------------------------------


def canonical_archs() -> list[Arch]:
    """Every canonical architecture, in the order of tokens."""
    return sorted({SPACE.canonical(arch) for arch in SPACE})


def plan() -> dict[int, list[Arch]]:
    """By seed, what is evaluated: all architectures with seed 0, some with further seeds.

    The order is random, with those of further seeds first: at any time, what is done is a fair
    sample of the space.
    """
    archs = canonical_archs()
    shuffled = [archs[i] for i in np.random.default_rng(0).permutation(len(archs)).tolist()]
    return {0: shuffled, **dict.fromkeys(MORE_SEEDS, shuffled[:MORE_ARCHS])}


def units_of(estimate: Estimator, archs: Mapping[int, Sequence[Arch]]) -> list[Trials]:
    """Units of work, given what to evaluate with each seed."""
    return [
        Trials(
            f"seed{seed}/{first // CHUNK:04d}", estimate, tuple(some[first : first + CHUNK]), seed
        )
        for first in range(0, max(map(len, archs.values())), CHUNK)
        for seed, some in archs.items()
        if some[first:]
    ]


# ---- the table -----------------------------------------------------------------------------------


def default_estimate() -> TrainFromScratch:
    """How the networks of the table are trained."""
    data = FashionMNIST(SKELETON.resolution, BATCH_SIZE)
    return TrainFromScratch(SPACE, SKELETON, data, RECIPE)


@dataclass(frozen=True)
class Record:
    """An estimate that writes down all that the table holds of one training."""

    estimate: TrainFromScratch

    def __call__(self, arch: Arch, seed: int) -> Evaluation:
        """Train, and measure on the test images once."""
        how = self.estimate
        net = nets.build(how.space, arch, how.skeleton, seed=seed)
        return record(net, how.data, how.recipe, seed)


def record(
    net: nn.Module, data: FashionMNIST, recipe: Recipe, seed: int, **sizes: float
) -> Evaluation:
    """Train a network on one thread, and write all down.

    The score is the final validation accuracy, NaN when the training diverged; the cost is the
    seconds of CPU time of the training thread. Metrics: ``sizes``, then ``val_1``, ``loss_1``, ...
    for each finished epoch, and ``test``.
    """
    began = time.thread_time()
    curve = train(net, data, recipe, seed=seed, num_threads=1, device="cpu")
    seconds = time.thread_time() - began
    if curve.status == "interrupted":
        raise KeyboardInterrupt("half a training is no result")
    metrics = {**sizes, **{f"val_{i}": a for i, a in enumerate(curve.val_accuracy, start=1)}}
    metrics |= {f"loss_{i}": loss for i, loss in enumerate(curve.train_loss, start=1)}
    if curve.status == "diverged":
        return Evaluation(math.nan, seconds, metrics)
    metrics["test"] = evaluate(net, data.test_dataloader())
    return Evaluation(curve.accuracy, seconds, metrics)


def arrays_of(
    results: Iterable[tuple[tuple[int, int], Evaluation]],
    shape: tuple[int, int],
    recipe: Mapping[str, Any],
) -> dict[str, np.ndarray]:
    """Counts, losses and seconds of recorded trainings, each at its place in arrays of a shape."""
    epochs, images = recipe["recipe"]["epochs"], recipe["images"]
    val = np.full((*shape, epochs), MISSING, dtype=np.int16)
    test = np.full(shape, MISSING, dtype=np.int16)
    loss = np.full((*shape, epochs), np.nan, dtype=np.float16)
    seconds = np.full(shape, np.nan, dtype=np.float16)
    for at, result in results:
        metrics = result.metrics
        had = [epoch for epoch in range(1, epochs + 1) if f"val_{epoch}" in metrics]
        accuracies = [metrics[f"val_{epoch}"] for epoch in had]
        val[at][: len(had)] = np.rint(np.multiply(accuracies, images["validation"]))
        loss[at][: len(had)] = [metrics[f"loss_{epoch}"] for epoch in had]
        seconds[at] = result.cost
        if "test" in metrics:
            test[at] = round(metrics["test"] * images["test"])
    return {
        "val_correct": val,
        "test_correct": test,
        "train_loss": loss,
        "thread_seconds": seconds,
    }


def counted(data: FashionMNIST) -> dict[str, int]:
    """How many images there are of each kind."""
    loaders = {
        "train": data.train_dataloader(),
        "validation": data.val_dataloader(),
        "test": data.test_dataloader(),
    }
    return {name: len(loader.labels) for name, loader in loaders.items()}


def recipe_of(estimate: TrainFromScratch) -> dict[str, Any]:
    """All that decides the numbers of a training, as plain values."""
    return {
        "recipe": dataclasses.asdict(estimate.recipe),
        "batch_size": estimate.data.batch_size,
        "skeleton": dataclasses.asdict(estimate.skeleton),
        "images": counted(estimate.data),
        "fingerprint": estimate.space.fingerprint,
    }


def table(
    estimate: TrainFromScratch | None = None, archs: Mapping[int, Sequence[Arch]] | None = None
) -> Job:
    """``fashion201.npz``: every canonical architecture, trained."""
    estimate = estimate or default_estimate()
    units = units_of(Record(estimate), archs or plan())
    return Job(recipe_of(estimate), units, assemble_table)


def assemble_table(
    units: Sequence[Trials], folder: Path, recipe: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Arrays with a row for each canonical architecture, whether it was trained or not."""
    archs = canonical_archs()
    row = {arch: i for i, arch in enumerate(archs)}
    kept = [(unit.seed, trial) for unit in units for trial in unit.history(folder).trials]
    shape = (1 + max(unit.seed for unit in units), len(archs))
    costs = [SPACE.cost(arch, Skeleton(**recipe["skeleton"])) for arch in archs]
    results = (((seed, row[trial.arch]), trial.result) for seed, trial in kept)
    return {
        "archs": np.array(archs, dtype=np.int8),
        "row_of_code": np.array([row[SPACE.canonical(arch)] for arch in SPACE], dtype=np.int16),
        "params": np.array([cost.params for cost in costs], dtype=np.int32),
        "macs": np.array([cost.macs for cost in costs], dtype=np.int32),
        **arrays_of(results, shape, recipe),
    }


# ---- zero-cost proxies ---------------------------------------------------------------------------

NAMES = ("params", "flops", *PROXIES)


@dataclass(frozen=True)
class AllProxies:
    """An estimate that writes down every proxy of one architecture, computed on one network.

    The score is the number of parameters, the baseline, and the cost the seconds of CPU time of
    all together. Metrics: ``naswot``, ``naswot_seconds`` and so on; seconds are what the proxy
    alone would have cost, network and batch included.
    """

    space: Space
    skeleton: Skeleton
    data: FashionMNIST

    def __call__(self, arch: Arch, seed: int) -> Evaluation:
        """Build ``arch`` and score it with every proxy."""
        began = time.thread_time()
        metrics: dict[str, float] = {}
        for name, baseline in (("params", Params), ("flops", Flops)):
            count = baseline(self.space, self.skeleton)
            counted, metrics[f"{name}_seconds"] = _timed(count, arch, seed)
            metrics[name] = counted.score
        with runtime.threads(1):
            (net, batch), preparation = _timed(
                prepare, self.space, arch, self.skeleton, self.data, seed
            )
            for name, proxy in PROXIES.items():
                metrics[name], seconds = _timed(proxy, net, batch)
                metrics[f"{name}_seconds"] = preparation + seconds
        return Evaluation(metrics["params"], time.thread_time() - began, metrics)


def _timed(call: Callable, *arguments: Any) -> tuple[Any, float]:
    """What a call returns, and its seconds of CPU time."""
    began = time.thread_time()
    return call(*arguments), time.thread_time() - began


def proxies(
    estimate: AllProxies | None = None, archs: Mapping[int, Sequence[Arch]] | None = None
) -> Job:
    """``fashion201_proxies.npz``: every proxy of the architectures and seeds of the table."""
    estimate = estimate or AllProxies(
        SPACE, SKELETON, FashionMNIST(SKELETON.resolution, BATCH_SIZE)
    )
    recipe = {
        "proxies": list(NAMES),
        "skeleton": dataclasses.asdict(estimate.skeleton),
        "batch_size": estimate.data.batch_size,
        "images": len(estimate.data.train_dataloader().labels),
        "fingerprint": estimate.space.fingerprint,
    }
    return Job(recipe, units_of(estimate, archs or plan()), assemble_proxies)


def assemble_proxies(
    units: Sequence[Trials], folder: Path, recipe: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Arrays with a row for each canonical architecture, whether it was scored or not."""
    archs = canonical_archs()
    row = {arch: i for i, arch in enumerate(archs)}
    shape = (1 + max(unit.seed for unit in units), len(archs))
    arrays = {name: np.full(shape, np.nan, dtype=np.float32) for name in NAMES}
    seconds = np.full((len(NAMES), len(archs)), np.nan, dtype=np.float16)
    for unit in units:
        for trial in unit.history(folder).trials:
            at, metrics = row[trial.arch], trial.result.metrics
            for name in NAMES:
                arrays[name][unit.seed, at] = metrics[name]
            if unit.seed == 0:
                seconds[:, at] = [metrics[f"{name}_seconds"] for name in NAMES]
    return {"archs": np.array(archs, dtype=np.int8), "seconds": seconds, **arrays}


# ---- shortcuts -----------------------------------------------------------------------------------

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
SHORTCUT_SEED = 1
"""A search on the table sees seed 0; the sample was also trained in full with seed 1."""


def sample(n: int = 200) -> tuple[Arch, ...]:
    """A random sample of canonical architectures, all of them trained with every seed."""
    return tuple(plan()[SHORTCUT_SEED][:n])


def shortcuts(
    estimate: TrainFromScratch | None = None,
    archs: tuple[Arch, ...] | None = None,
    shortcuts: Mapping[str, Shortcut] = SHORTCUTS,
) -> Job:
    """``fashion201_shortcuts.npz``: a sample of the architectures, trained in cheaper ways."""
    estimate, archs = estimate or default_estimate(), archs or sample()
    sampled = {"names": list(shortcuts), "seed": SHORTCUT_SEED, "sample": len(archs)}
    units = [
        Trials(name.replace(" ", "-"), Record(shortcut(estimate)), archs, SHORTCUT_SEED)
        for name, shortcut in shortcuts.items()
    ]
    return Job({**recipe_of(estimate), **sampled}, units, assemble_shortcuts)


def assemble_shortcuts(
    units: Sequence[Trials], folder: Path, recipe: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Arrays with a row for each shortcut, and in it one for each architecture."""
    arrays = arrays_of(results_of(units, folder), (len(units), len(units[0].archs)), recipe)
    return {
        "archs": np.array(units[0].archs, dtype=np.int8),
        "val_correct": arrays["val_correct"],
        "thread_seconds": arrays["thread_seconds"],
    }


def results_of(
    units: Sequence[Trials], folder: Path
) -> Iterable[tuple[tuple[int, int], Evaluation]]:
    """Every result, with the place of its unit and its own place in that."""
    return (
        ((place, trial.id), trial.result)
        for place, unit in enumerate(units)
        for trial in unit.history(folder).trials
    )
