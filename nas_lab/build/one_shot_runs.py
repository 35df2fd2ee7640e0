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
from typing import NamedTuple

import numpy as np

from nas_lab.build import Arrays, Job, Values
from nas_lab.build.networks import DATA, SAMPLE, SKELETON, SPACE, counted
from nas_lab.data import FashionMNIST
from nas_lab.estimation.weight_sharing import AveragedStatistics, SharedWeights
from nas_lab.history import History, Trial
from nas_lab.spaces import Arch, Skeleton, Space
from nas_lab.strategies.one_shot import Distinct, Fair, OneShot, Sampler, Uniform


@dataclass(frozen=True)
class Skewed:
    """An unfair sampler: each option is drawn half as often as the one before it."""

    space: Space

    def __call__(self, rng: np.random.Generator) -> list[Arch]:
        """One architecture."""
        weights = [0.5 ** np.arange(len(d.options)) for d in self.space.decisions]
        return [tuple(int(rng.choice(len(w), p=w / w.sum())) for w in weights)]


class Plan(NamedTuple):
    """When to evaluate, and what.

    ``steps`` of training lie before each checkpoint; the last ends the training. A step of a
    method whose sampler gives m architectures counts as m steps.
    """

    archs: tuple[Arch, ...] = SAMPLE
    steps: tuple[int, ...] = (500, 1_000, 2_000, 4_000, 8_000)
    skeleton: Skeleton = SKELETON
    data: FashionMNIST = DATA
    seeds: tuple[int, ...] = (0, 1, 2)


@dataclass(frozen=True)
class Method:
    """How a supernet is trained and evaluated; ``scales`` lets normalisations learn theirs."""

    sampler: Callable[[Space], Sampler] = Uniform
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
                estimate = self.method.estimate(one_shot.estimator().net, plan.data)
                first = checkpoints[step.number] * len(plan.archs)
                for id, arch in enumerate(plan.archs, start=first):
                    if id not in history:
                        result = estimate(arch, self.seed)
                        metrics = {**result.metrics, "trained": step.seconds}
                        history.append(Trial(id, arch, replace(result, metrics=metrics)))


PLAN = Plan()


def one_shot_runs(plan: Plan = PLAN, methods: Mapping[str, Method] = METHODS) -> Job:
    """The job; by default the one of the kit, on the architectures of the shortcuts."""
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
            "train": counted(plan.data)["train"],
            "calibration": plain.estimator().calibration,
            "validation": plain.estimator().validation,
        },
        "fingerprint": SPACE.fingerprint,
    }
    runs = [OneShotRun(plan, name, methods[name], seed) for name in methods for seed in plan.seeds]
    return Job(recipe, runs, assemble)


def assemble(runs: Sequence[OneShotRun], folder: Path, recipe: Values) -> Arrays:
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
