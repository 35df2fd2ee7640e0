"""Five results, network by network: the table, zero-cost proxies, shortcuts, scaled networks and
transformers."""

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from nas_lab import nets
from nas_lab.build import Arrays, Job, Trials, Values
from nas_lab.data import FashionMNIST
from nas_lab.estimation import scaling_grid as grid
from nas_lab.estimation import training
from nas_lab.estimation.proxies import PROXIES, prepare
from nas_lab.estimation.tables import MISSING
from nas_lab.estimation.training import TrainFromScratch
from nas_lab.history import Estimator, Evaluation
from nas_lab.scaling import budget
from nas_lab.spaces import Arch, Skeleton, nasbench201, transformer
from nas_lab.training import AdamRecipe, Recipe, evaluate, train

SPACE = nasbench201()
SKELETON = Skeleton(channels=16, cells=2, stages=1, stem_stride=2, resolution=12, in_channels=1)
RECIPE = Recipe(epochs=4, learning_rate=0.1)
DATA = FashionMNIST(SKELETON.resolution, batch_size=128)
ESTIMATE = TrainFromScratch(SPACE, SKELETON, DATA, RECIPE)
"""How the networks of the table are trained."""

ARCHS: tuple[Arch, ...] = tuple(sorted({SPACE.canonical(arch) for arch in SPACE}))
"""Every canonical architecture, in the order of tokens."""
ROWS = {arch: row for row, arch in enumerate(ARCHS)}
SHUFFLED = tuple(ARCHS[i] for i in np.random.default_rng(0).permutation(len(ARCHS)))
PLAN = {0: SHUFFLED, 1: SHUFFLED[:500], 2: SHUFFLED[:500]}
"""By seed, what is evaluated. At any time, what is done is a fair sample of the space."""
CHUNK = 64  # architectures in one unit of work
Units = Sequence[Trials]


def units_of(estimate: Estimator, archs: Mapping[int, Sequence[Arch]]) -> list[Trials]:
    """Units of work, given what to evaluate with each seed."""
    return [
        Trials(f"seed{seed}/{i // CHUNK:04d}", estimate, tuple(some[i : i + CHUNK]), seed)
        for i in range(0, max(map(len, archs.values())), CHUNK)
        for seed, some in archs.items()
        if some[i:]
    ]


def record(
    net: nn.Module, data: FashionMNIST, recipe: Recipe, arch: Arch, seed: int, **sizes: float
) -> Evaluation:
    """Train a network on one thread, and write all down; the cost is the seconds of CPU time.
    Metrics: ``sizes``, then ``val_1``, ``loss_1``, ... for each finished epoch, and ``test``."""
    began = time.thread_time()
    curve = train(net, data, recipe, seed=seed, num_threads=1, device="cpu")
    seconds = time.thread_time() - began
    metrics = {**sizes, **{f"val_{i}": a for i, a in enumerate(curve.val_accuracy, start=1)}}
    metrics |= {f"loss_{i}": loss for i, loss in enumerate(curve.train_loss, start=1)}
    if curve.status == "finished":
        metrics["test"] = evaluate(net, data.test_dataloader())
    return dataclasses.replace(curve.evaluation(arch, metrics), cost=seconds)


def recorded(estimate: TrainFromScratch, arch: Arch, seed: int) -> Evaluation:
    """Train from scratch, and write down all that the table holds of it."""
    net = nets.build(estimate.space, arch, estimate.skeleton, seed=seed)
    return record(net, estimate.data, estimate.recipe, arch, seed)


Placed = Iterator[tuple[tuple[int, int], Evaluation]]


def placed(units: Units, folder: Path, rows: Mapping[Arch, int] | None = None) -> Placed:
    """Results, each with its place in the arrays: its seed and row, or its unit and number."""
    for i, unit in enumerate(units):
        for trial in unit.history(folder).trials:
            yield ((unit.seed, rows[trial.arch]) if rows else (i, trial.id)), trial.result


def arrays_of(results: Placed, shape: tuple[int, int], recipe: Values) -> Arrays:
    """Counts, losses and seconds of recorded trainings."""
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
    arrays = {"val_correct": val, "test_correct": test}
    return {**arrays, "train_loss": loss, "thread_seconds": seconds}


def counted(data: FashionMNIST) -> dict[str, int]:
    """How many images there are of each kind."""
    train, validation = data.train_dataloader(), data.val_dataloader()
    loaders = {"train": train, "validation": validation, "test": data.test_dataloader()}
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


def table(estimate: TrainFromScratch = ESTIMATE, archs: Mapping[int, Sequence[Arch]] = PLAN) -> Job:
    """``fashion201.npz``: every canonical architecture, trained."""
    units = units_of(partial(recorded, estimate), archs)
    return Job(recipe_of(estimate), units, assemble_table)


def assemble_table(units: Units, folder: Path, recipe: Values) -> Arrays:
    """Arrays with a row for each canonical architecture, whether it was trained or not."""
    shape = (1 + max(unit.seed for unit in units), len(ARCHS))
    costs = [SPACE.cost(arch, Skeleton(**recipe["skeleton"])) for arch in ARCHS]
    return {
        "archs": np.array(ARCHS, dtype=np.int8),
        "row_of_code": np.array([ROWS[SPACE.canonical(arch)] for arch in SPACE], dtype=np.int16),
        "params": np.array([cost.params for cost in costs], dtype=np.int32),
        "macs": np.array([cost.macs for cost in costs], dtype=np.int32),
        **arrays_of(placed(units, folder, ROWS), shape, recipe),
    }


NAMES = ("params", "flops", *PROXIES)


def all_proxies(skeleton: Skeleton, data: FashionMNIST, arch: Arch, seed: int) -> Evaluation:
    """Score one network of an architecture with every proxy.
    Metrics: ``naswot``, ``naswot_seconds`` and so on; seconds are what the proxy alone would have
    cost, network and batch included."""
    began = time.thread_time()
    cost, counting = _timed(SPACE.cost, arch, skeleton)
    metrics = {"params": cost.params, "flops": 2 * cost.macs}
    seconds = dict.fromkeys(metrics, counting)
    (net, batch), preparing = _timed(prepare, SPACE, arch, skeleton, data, seed)
    for name, proxy in PROXIES.items():
        metrics[name], scoring = _timed(proxy, net, batch)
        seconds[name] = preparing + scoring
    metrics |= {f"{name}_seconds": spent for name, spent in seconds.items()}
    return Evaluation(cost.params, time.thread_time() - began, metrics)


def _timed(call: Callable, *arguments: Any) -> tuple[Any, float]:
    """What a call returns, and its seconds of CPU time."""
    began = time.thread_time()
    return call(*arguments), time.thread_time() - began


def proxies(
    skeleton: Skeleton = SKELETON,
    data: FashionMNIST = DATA,
    archs: Mapping[int, Sequence[Arch]] = PLAN,
) -> Job:
    """``fashion201_proxies.npz``: every proxy of the architectures and seeds of the table."""
    recipe = {
        "proxies": list(NAMES),
        "skeleton": dataclasses.asdict(skeleton),
        "batch_size": data.batch_size,
        "images": counted(data)["train"],
        "fingerprint": SPACE.fingerprint,
    }
    return Job(recipe, units_of(partial(all_proxies, skeleton, data), archs), assemble_proxies)


def assemble_proxies(units: Units, folder: Path, recipe: Values) -> Arrays:
    """Arrays with a row for each canonical architecture, whether it was scored or not."""
    shape = (1 + max(unit.seed for unit in units), len(ARCHS))
    arrays = {name: np.full(shape, np.nan, dtype=np.float32) for name in NAMES}
    seconds = np.full((len(NAMES), len(ARCHS)), np.nan, dtype=np.float16)
    for (seed, row), result in placed(units, folder, ROWS):
        for name in NAMES:
            arrays[name][seed, row] = result.metrics[name]
        if seed == 0:
            seconds[:, row] = [result.metrics[f"{name}_seconds"] for name in NAMES]
    return {"archs": np.array(ARCHS, dtype=np.int8), "seconds": seconds, **arrays}


Shortcut = Callable[[TrainFromScratch], TrainFromScratch]

SHORTCUTS: dict[str, Shortcut] = {
    "1250 images": partial(training.fewer_images, images=1_250),
    "2500 images": partial(training.fewer_images, images=2_500),
    "5000 images": partial(training.fewer_images, images=5_000),
    "1 epoch": partial(training.fewer_epochs, epochs=1),
    "2 epochs": partial(training.fewer_epochs, epochs=2),
    "8x8 pixels": partial(training.lower_resolution, resolution=8),
    "8 channels": partial(training.fewer_channels, channels=8),
}
"""From a name to what it makes of the table's training."""
SHORTCUT_SEED = 1
"""A search on the table sees seed 0; the sample was also trained in full with seed 1."""
SAMPLE = PLAN[SHORTCUT_SEED][:200]


def shortcuts(
    estimate: TrainFromScratch = ESTIMATE,
    archs: tuple[Arch, ...] = SAMPLE,
    shortcuts: Mapping[str, Shortcut] = SHORTCUTS,
) -> Job:
    """``fashion201_shortcuts.npz``: a sample of the architectures, trained in cheaper ways."""
    sampled = {"names": list(shortcuts), "seed": SHORTCUT_SEED, "sample": len(archs)}
    units = [
        Trials(name.replace(" ", "-"), partial(recorded, short(estimate)), archs, SHORTCUT_SEED)
        for name, short in shortcuts.items()
    ]
    return Job({**recipe_of(estimate), **sampled}, units, assemble_shortcuts)


def assemble_shortcuts(units: Units, folder: Path, recipe: Values) -> Arrays:
    """Arrays with a row for each shortcut, and in it one for each architecture."""
    archs = np.array(units[0].archs, dtype=np.int8)
    arrays = arrays_of(placed(units, folder), (len(units), len(archs)), recipe)
    return {"archs": archs, **{name: arrays[name] for name in ("val_correct", "thread_seconds")}}


_DIRECTIONS = [
    d for d in itertools.product(range(grid.STEPS + 1), repeat=3) if sum(d) == grid.STEPS
]
SCALED: tuple[Arch, ...] = (
    (0, 0, 0),
    *(tuple(n * part for part in d) for n in range(1, grid.DOUBLINGS + 1) for d in _DIRECTIONS),
)
"""The base network, and for each number of doublings one network in every direction."""


@dataclass(frozen=True)
class TrainScaled:
    """An estimate that trains the base network scaled by ``arch``, and writes all down. Without
    dropout and stochastic depth: networks this small, trained this shortly, do not overfit."""

    base: grid.Base = grid.BASE
    recipe: Recipe = RECIPE
    batch_size: int = 128
    images: int | None = None

    def __call__(self, arch: Arch, seed: int) -> Evaluation:
        """Scale, train, and measure on the test images once."""
        phi = self.base.phi(arch)
        stages, resolution = self.base.scaled(arch, phi)
        size = budget(stages, resolution, **self.base.sizes)
        net = nets.EfficientNet(stages, **self.base.sizes, dropout=0, drop_depth=0, seed=seed)
        sizes = {"phi": phi, "params": size.params, "macs": size.macs}
        return record(net, self.data(resolution), self.recipe, arch, seed, **sizes)

    def data(self, resolution: int) -> FashionMNIST:
        """The images at a resolution."""
        return FashionMNIST(resolution, self.batch_size, images=self.images)


def scaling_grid(
    estimate: TrainScaled = TrainScaled(),
    archs: tuple[Arch, ...] = SCALED,
    seeds: Sequence[int] = (0, 1, 2),
) -> Job:
    """``scaling_grid.npz``: scaled networks, trained."""
    recipe = {
        "base": dataclasses.asdict(estimate.base),
        "recipe": dataclasses.asdict(estimate.recipe),
        "batch_size": estimate.batch_size,
        "images": counted(estimate.data(estimate.base.resolution)),
        "archs": [list(arch) for arch in archs],
        "seeds": list(seeds),
        "fingerprint": grid.SPACE.fingerprint,
    }
    units = [Trials(f"seed{seed}", estimate, archs, seed, grid.SPACE) for seed in seeds]
    return Job(recipe, units, assemble_grid)


TRANSFORMERS = TrainFromScratch(transformer(), SKELETON, DATA, AdamRecipe(epochs=4))
"""How transformers are trained; of the skeleton they read the images alone."""


def transformer_grid(
    estimate: TrainFromScratch = TRANSFORMERS,
    archs: tuple[Arch, ...] = tuple(TRANSFORMERS.space),
    seeds: Sequence[int] = (0, 1, 2),
) -> Job:
    """``transformer_grid.npz``: every transformer of the space, trained."""
    train, space = partial(recorded, estimate), estimate.space
    units = [Trials(f"seed{seed}", train, archs, seed, space) for seed in seeds]
    recipe = {**recipe_of(estimate), "optimiser": "AdamW", "seeds": list(seeds)}
    return Job({**recipe, "archs": [list(arch) for arch in archs]}, units, assemble_transformers)


def assemble_transformers(units: Units, folder: Path, recipe: Values) -> Arrays:
    """Arrays with a row for each seed, and in it one for each network."""
    archs, skeleton = units[0].archs, Skeleton(**recipe["skeleton"])
    costs = [units[0].space.cost(arch, skeleton) for arch in archs]
    return {
        "archs": np.array(archs, dtype=np.int8),
        "params": np.array([cost.params for cost in costs], dtype=np.int32),
        "macs": np.array([cost.macs for cost in costs], dtype=np.int32),
        **arrays_of(placed(units, folder), (len(units), len(archs)), recipe),
    }


def assemble_grid(units: Units, folder: Path, recipe: Values) -> Arrays:
    """Arrays with a row for each seed, and in it one for each network."""
    metrics = [trial.result.metrics for trial in units[0].history(folder).trials]
    phi, params, macs = ([of[name] for of in metrics] for name in ("phi", "params", "macs"))
    archs = units[0].archs
    return {
        "archs": np.array(archs, dtype=np.int8),
        "thousandths": np.rint(np.multiply(phi, 1000)).astype(np.int16),
        "params": np.array(params, dtype=np.int32),
        "macs": np.array(macs, dtype=np.int32),
        **arrays_of(placed(units, folder), (len(units), len(archs)), recipe),
    }
