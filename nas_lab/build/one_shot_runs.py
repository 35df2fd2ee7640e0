"""``one_shot_runs.npz``: supernets trained with several methods, and their rankings on the way.

Evaluations are kept like the trials of a search, in histories, one for each method and seed. A
training itself is not kept: a build that was stopped trains the interrupted run anew, which gives
the same weights, and goes on evaluating where it was.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nas_lab.build import Job
from nas_lab.build.cells import BATCH_SIZE, SKELETON, SPACE, sample
from nas_lab.data import FashionMNIST
from nas_lab.estimation.averaged_statistics import AveragedStatistics
from nas_lab.estimation.base import Estimator, estimate_all
from nas_lab.estimation.weight_sharing import SharedWeights
from nas_lab.history import Evaluation, History
from nas_lab.spaces import Arch, Skeleton, Space
from nas_lab.strategies.one_shot import Distinct, Fair, OneShot, Sampler, Uniform


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
class Plan:
    """When to evaluate, and what.

    Args:
        archs: n architectures.
        steps: of training before each checkpoint, rising; the last ends the training. A step of a
            method whose sampler gives m architectures counts as m steps.
        skeleton: what surrounds the cells.
        data: images as it takes them.
        seeds: of the trainings.
    """

    archs: tuple[Arch, ...]
    steps: tuple[int, ...] = (500, 1_000, 2_000, 4_000, 8_000)
    skeleton: Skeleton = SKELETON
    data: FashionMNIST = dataclasses.field(
        default_factory=lambda: FashionMNIST(SKELETON.resolution, BATCH_SIZE)
    )
    seeds: tuple[int, ...] = (0, 1, 2)


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
class OneShotRun:
    """A unit of work: a method with a seed, and the history of its evaluations."""

    plan: Plan
    name: str
    method: Method
    seed: int

    def history(self, folder: Path) -> History:
        """What is there of it; the file appears with its first trial."""
        return History(folder / f"{self.name.replace(' ', '-')}-{self.seed}.jsonl", SPACE)

    def left(self, folder: Path) -> int:
        """1, or 0 when all is evaluated."""
        return int(len(self.history(folder)) < len(self.plan.steps) * len(self.plan.archs))

    def finish(self, folder: Path) -> None:
        """Train, and evaluate what is missing at each checkpoint."""
        history, plan = self.history(folder), self.plan
        one_shot = self.method.one_shot(plan, self.seed)
        paths = len(one_shot.sampler(np.random.default_rng(0)))
        checkpoints = {max(1, step // paths): i for i, step in enumerate(plan.steps)}
        for step in one_shot.train(steps=max(checkpoints)):
            if step.number in checkpoints:
                net = one_shot.estimator().net
                estimate = WithSeconds(self.method.estimate(net, plan.data), step.seconds)
                ids = enumerate(plan.archs, start=checkpoints[step.number] * len(plan.archs))
                missing = {id: arch for id, arch in ids if id not in history}
                for _ in estimate_all(estimate, missing, history, seed=self.seed):
                    pass


@dataclass(frozen=True)
class WithSeconds:
    """An estimate that also notes the seconds of training before it."""

    estimate: Estimator
    seconds: float

    def __call__(self, arch: Arch, seed: int) -> Evaluation:
        """Evaluate, with one metric more: ``trained``."""
        result = self.estimate(arch, seed)
        return replace(result, metrics={**result.metrics, "trained": self.seconds})


def one_shot_runs(plan: Plan | None = None, methods: Mapping[str, Method] = METHODS) -> Job:
    """The job; by default the one of the kit, on the architectures of the shortcuts."""
    plan = plan or Plan(sample())
    plain = METHODS["uniform"].one_shot(plan, 0)
    settings = ("learning_rate", "momentum", "weight_decay", "clip")
    recipe = {
        "names": list(methods),
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
    runs = [OneShotRun(plan, name, methods[name], seed) for name in methods for seed in plan.seeds]
    return Job(recipe, runs, assemble)


def assemble(
    runs: Sequence[OneShotRun], folder: Path, recipe: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Arrays by method, and in it by seed and checkpoint."""
    plan = runs[0].plan
    shape = (-1, len(plan.seeds), len(plan.steps), len(plan.archs))
    results = [[trial.result for trial in run.history(folder).trials] for run in runs]
    scores = np.array([[result.score for result in of] for of in results]).reshape(shape)
    trained = [[result.metrics["trained"] for result in of] for of in results]
    return {
        "archs": np.array(plan.archs, dtype=np.int8),
        "correct": np.rint(scores * recipe["images"]["validation"]).astype(np.int16),
        "seconds": np.array(trained, dtype=np.float32).reshape(shape)[..., 0],
    }
