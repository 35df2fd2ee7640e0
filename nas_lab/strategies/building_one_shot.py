"""Train supernets with several methods, and look at their rankings while they learn.

What is seen is kept like the trials of a search, in histories, one for each method and seed. A
training itself is not kept: a build that was stopped trains the interrupted run anew, which gives
the same weights, and goes on looking where it was.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from nas_lab.data import FashionMNIST
from nas_lab.estimation import archives, building, building_shortcuts, commands
from nas_lab.estimation.averaged_statistics import AveragedStatistics
from nas_lab.estimation.base import Estimator, estimate_all
from nas_lab.estimation.weight_sharing import SharedWeights
from nas_lab.history import Evaluation, History, Trial
from nas_lab.spaces import nasbench201
from nas_lab.spaces.base import Arch, Skeleton, Space
from nas_lab.strategies import one_shot_runs as stored
from nas_lab.strategies.one_shot import Distinct, Fair, OneShot, Sampler, Uniform

SPACE = nasbench201()
STEPS = (500, 1_000, 2_000, 4_000, 8_000)
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Skewed:
    """An unfair sampler: each option is drawn half as often as the one before it."""

    space: Space
    skeleton: Skeleton

    def __call__(self, rng: np.random.Generator) -> list[Arch]:
        """One architecture."""
        return [tuple(self._token(len(d.options), rng) for d in self.space.decisions)]

    @staticmethod
    def _token(options: int, rng: np.random.Generator) -> int:
        weights = 0.5 ** np.arange(options)
        return int(rng.choice(options, p=weights / weights.sum()))


@dataclass(frozen=True)
class Method:
    """How a supernet is trained and evaluated.

    Args:
        sampler: draws the architectures of a step.
        scales: whether normalisations learn a scale and a shift.
        estimate: what measures an architecture on the weights.
    """

    sampler: Callable[[Space, Skeleton], Sampler] = Uniform
    scales: bool = False
    estimate: type[SharedWeights] = SharedWeights

    def one_shot(self, plan: Plan, seed: int) -> OneShot:
        """The supernet before its first step."""
        made = OneShot(SPACE, plan.skeleton, plan.data, seed=seed, sampler=self.sampler)
        if self.scales:
            made.net.requires_grad_(True)
        return made


METHODS: dict[str, Method] = {
    "uniform": Method(),
    "distinct": Method(sampler=Distinct),
    "fair": Method(sampler=Fair),
    "unfair": Method(sampler=Skewed),
    "learnt scales": Method(scales=True),
    "averaged statistics": Method(estimate=AveragedStatistics),
}
"""From a name to what it means. Each but the first changes one thing of the first."""


@dataclass(frozen=True)
class Plan:
    """When to look, and at what.

    Args:
        archs: n architectures.
        steps: of training before each look, rising; the last ends the training. A step of a method
            whose sampler gives m architectures counts as m steps.
        skeleton: what surrounds the cells.
        data: images as it takes them.
        seeds: of the trainings.
    """

    archs: tuple[Arch, ...]
    steps: tuple[int, ...]
    skeleton: Skeleton
    data: FashionMNIST
    seeds: tuple[int, ...] = SEEDS


@dataclass(frozen=True)
class Run:
    """A method with a seed, and the history of what was seen."""

    name: str
    method: Method
    seed: int

    def history(self, folder: Path) -> History:
        """What is there of it; the file appears with its first trial."""
        return History(folder / f"{self.name.replace(' ', '-')}-{self.seed}.jsonl", SPACE)

    def finish(self, plan: Plan, folder: Path) -> int:
        """Train, and evaluate what is missing at each look; return how many trials are there."""
        history = self.history(folder)
        if len(history) == len(plan.steps) * len(plan.archs):
            return len(history)
        one_shot = self.method.one_shot(plan, self.seed)
        paths = len(one_shot.sampler(np.random.default_rng(0)))
        looks = {max(1, step // paths): look for look, step in enumerate(plan.steps)}
        for step in one_shot.train(steps=max(looks)):
            if step.number in looks:
                net = one_shot.estimator().net
                estimate = WithSeconds(self.method.estimate(net, plan.data), step.seconds)
                first = looks[step.number] * len(plan.archs)
                ids = {first + i: arch for i, arch in enumerate(plan.archs)}
                missing = {id: arch for id, arch in ids.items() if id not in history}
                for _ in estimate_all(estimate, missing, history, seed=self.seed):
                    pass
        return len(history)


@dataclass(frozen=True)
class WithSeconds:
    """An estimate that also notes the seconds of training before it."""

    estimate: Estimator
    seconds: float

    def __call__(self, arch: Arch, seed: int) -> Evaluation:
        """Evaluate, with one metric more: ``trained``."""
        result = self.estimate(arch, seed)
        return replace(result, metrics={**result.metrics, "trained": self.seconds})


def default_plan() -> Plan:
    """The architectures of the shortcuts, in the table's network."""
    data = FashionMNIST(building.SKELETON.resolution, building.BATCH_SIZE)
    return Plan(building_shortcuts.sample(), STEPS, building.SKELETON, data)


def recipe_of(plan: Plan, names: Sequence[str]) -> dict[str, Any]:
    """All that decides the numbers in the file, as plain values."""
    plain = METHODS["uniform"].one_shot(plan, 0)
    settings = ("learning_rate", "momentum", "weight_decay", "clip")
    return {
        "names": list(names),
        "steps": list(plan.steps),
        "seeds": list(plan.seeds),
        "sample": len(plan.archs),
        "skeleton": dataclasses.asdict(plan.skeleton),
        "batch_size": plan.data.batch_size,
        "recipe": {name: getattr(plain, name) for name in settings},
        "images": {
            "train": len(plan.data.train_dataloader().labels),
            "calibration": plain.estimator().calibration,
            "validation": plain.estimator().validation,
        },
        "fingerprint": SPACE.fingerprint,
    }


def build(
    plan: Plan,
    folder: Path,
    output: Path,
    *,
    executor: Executor | None = None,
    methods: Mapping[str, Method] = METHODS,
) -> None:
    """Train and look at what is missing, then write the file.

    Args:
        plan: when to look, and at what.
        folder: where histories are kept; it belongs to one recipe.
        output: the file.
        executor: who trains; None trains here.
        methods: how to train, by name.
    """
    runs = [Run(name, method, seed) for name, method in methods.items() for seed in plan.seeds]
    for _ in tqdm(_finish_all(runs, plan, folder, executor), total=len(runs), unit="run"):
        pass
    about = {**recipe_of(plan, tuple(methods)), "versions": building.versions()}
    trials = [run.history(folder).trials for run in runs]
    archives.write(output, assemble(plan, trials, about), about)


def _finish_all(
    runs: Sequence[Run], plan: Plan, folder: Path, executor: Executor | None
) -> Iterable[int]:
    if executor is None:
        return (run.finish(plan, folder) for run in runs)
    futures = [executor.submit(run.finish, plan, folder) for run in runs]
    return (future.result() for future in as_completed(futures))


def assemble(
    plan: Plan, trials: Sequence[Sequence[Trial]], about: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """The arrays of the file, out of complete runs: methods, and seeds in each."""
    shape = (-1, len(plan.seeds), len(plan.steps), len(plan.archs))
    scores = np.array([[trial.result.score for trial in run] for run in trials]).reshape(shape)
    trained = [[trial.result.metrics["trained"] for trial in run] for run in trials]
    return {
        "archs": np.array(plan.archs, dtype=np.int8),
        "correct": np.rint(scores * about["images"]["validation"]).astype(np.int16),
        "seconds": np.array(trained, dtype=np.float32).reshape(shape)[..., 0],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Build ``one_shot_runs.npz``. Stop it at any time: the same command goes on."""
    parser, _ = commands.build_command(
        "one_shot_runs", main.__doc__, stored.FILE, package="strategies"
    )
    options = parser.parse_args(arguments)
    plan = default_plan()
    folder = commands.parts_folder(options, building.fingerprint(recipe_of(plan, tuple(METHODS))))
    with commands.open_executor(options.workers, options.scheduler) as pool:
        build(plan, folder, options.output, executor=pool)
    sys.stdout.write(f"{options.output}: written\n")
    return 0
