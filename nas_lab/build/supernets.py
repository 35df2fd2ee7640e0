"""Stored runs of supernets: how one-shot training ranks, and what DARTS and its variants choose."""

import dataclasses
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nas_lab.build import Arrays, Job, Values
from nas_lab.build.networks import DATA, SAMPLE, SKELETON, SPACE, TRANSFORMERS, counted
from nas_lab.data import FashionMNIST
from nas_lab.estimation import tables
from nas_lab.estimation.weight_sharing import AveragedStatistics, SharedWeights
from nas_lab.history import History, Trial
from nas_lab.spaces import Arch, Skeleton, Space
from nas_lab.strategies import darts_variants as variants
from nas_lab.strategies.darts import SHORT, Darts
from nas_lab.strategies.one_shot import Distinct, Fair, OneShot, Sampler, Sandwich, Uniform

# Evaluations are kept like the trials of a search, in histories, one for each method and seed. A
# training itself is not kept: a build that was stopped trains the interrupted run anew, which
# gives the same weights, and goes on evaluating where it was.


@dataclass(frozen=True)
class Skewed:
    """An unfair sampler: each option is drawn half as often as the one before it."""

    space: Space

    def __call__(self, rng: np.random.Generator) -> list[Arch]:
        """One architecture."""
        weights = [0.5 ** np.arange(len(d.options)) for d in self.space.decisions]
        return [tuple(int(rng.choice(len(w), p=w / w.sum())) for w in weights)]


class OneShotPlan(NamedTuple):
    """When to evaluate, and what. ``steps`` of training lie before each checkpoint; the last ends
    the training. A step of a method whose sampler gives m architectures counts as m steps."""

    archs: tuple[Arch, ...] = SAMPLE
    steps: tuple[int, ...] = (500, 1_000, 2_000, 4_000, 8_000)
    skeleton: Skeleton = SKELETON
    data: FashionMNIST = DATA
    seeds: tuple[int, ...] = (0, 1, 2)
    space: Space = SPACE


ONE_SHOT_PLAN = OneShotPlan()


@dataclass(frozen=True)
class Training:
    """How a supernet is trained and evaluated; ``scales`` lets normalisations learn theirs."""

    sampler: Callable[[Any], Sampler] = Uniform
    scales: bool = False
    distill: bool = False
    estimate: type[SharedWeights] = SharedWeights

    def one_shot(self, plan: OneShotPlan, seed: int) -> OneShot:
        """The supernet before its first step."""
        options: dict[str, Any] = {"seed": seed, "sampler": self.sampler, "distill": self.distill}
        made = OneShot(plan.space, plan.skeleton, plan.data, **options)
        if self.scales:
            made.net.requires_grad_(True)
        return made


TRAININGS: dict[str, Training] = {
    "uniform": Training(),
    "distinct": Training(sampler=Distinct),
    "fair": Training(sampler=Fair),
    "unfair": Training(sampler=Skewed),
    "learnt scales": Training(scales=True),
    "averaged statistics": Training(estimate=AveragedStatistics),
}
"""Each but the first changes one thing of the first."""


@dataclass(frozen=True)
class OneShotRun:
    """A unit of work: a method with a seed, and the history of its evaluations."""

    plan: OneShotPlan
    name: str
    method: Training
    seed: int

    def history(self, folder: Path) -> History:
        """What is there of it; the file appears with its first trial."""
        return History(folder / f"{self.name.replace(' ', '-')}-{self.seed}.jsonl", self.plan.space)

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


def one_shot_runs(
    plan: OneShotPlan = ONE_SHOT_PLAN, methods: Mapping[str, Training] = TRAININGS
) -> Job:
    """``one_shot_runs.npz``: rankings, by default on the architectures of the shortcuts. With
    ``SLICES`` it is ``transformer_runs.npz``: all transformers of the grid, as slices."""
    plain = Training().one_shot(plan, 0)
    settings = ("learning_rate", "momentum", "weight_decay", "clip")
    estimate = plain.estimator()
    images = {"calibration": estimate.calibration, "validation": estimate.validation}
    recipe = {
        "names": list(methods),
        "steps": list(plan.steps),
        "seeds": list(plan.seeds),
        "sample": len(plan.archs),
        "skeleton": dataclasses.asdict(plan.skeleton),
        "batch_size": plan.data.batch_size,
        "recipe": {name: getattr(plain, name) for name in settings},
        "images": {"train": counted(plan.data)["train"], **images},
        "fingerprint": plan.space.fingerprint,
    }
    runs = [OneShotRun(plan, name, methods[name], seed) for name in methods for seed in plan.seeds]
    return Job(recipe, runs, assemble_rankings)


def assemble_rankings(runs: Sequence[OneShotRun], folder: Path, recipe: Values) -> Arrays:
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


SLICES_PLAN = OneShotPlan(
    tuple(TRANSFORMERS.space),
    steps=(225, 450, 900, 1_800, 3_600),
    seeds=(1, 2, 3),  # rates were chosen with seed 0
    space=TRANSFORMERS.space,
)
SLICES = {
    "uniform": Training(),
    "sandwich": Training(sampler=Sandwich),
    "sandwich, distilled": Training(sampler=Sandwich, distill=True),
}


ALL_AND_FEW = tuple(FashionMNIST(SKELETON.resolution, 64, images=n) for n in (10_000, 1_000))


class DartsPlan(NamedTuple):
    """How long to search, and on what; batches are as large as in the paper.
    Searches by gradient take so many ``steps``, and keep their weights ``every`` so many. The
    one-shot supernet is trained for ``paths`` steps and ranks ``candidates``."""

    steps: int = 400
    every: int = 10
    skeleton: Skeleton = SKELETON
    data: tuple[FashionMNIST, ...] = ALL_AND_FEW
    seeds: tuple[int, ...] = tuple(range(6))
    paths: int = 1_500
    candidates: int = 150

    @property
    def kept(self) -> tuple[int, ...]:
        """Numbers of the steps whose weights are kept."""
        return tuple(range(self.every, self.steps + 1, self.every))


DARTS_PLAN = DartsPlan()
Choices = list[tuple[Arch, float]]
"""What was chosen, with the CPU time until then; one for each name of a method."""


@dataclass(frozen=True)
class Gradient:
    """A method: a search by gradient, whose argmax at the end bears its name. ``rules`` make others
    that say when to stop; ``selections`` are other ways to choose at its end."""

    name: str
    kind: type[Darts] = Darts
    options: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    selections: Mapping[str, Callable[..., Arch]] = field(default_factory=dict)
    keeps_weights = True

    @property
    def names(self) -> tuple[str, ...]:
        """Of the choices that it makes."""
        return (self.name, *self.rules, *self.selections)

    def darts(self, plan: DartsPlan, data: FashionMNIST, seed: int) -> Darts:
        """The search before its first step."""
        options = {"schedule": SHORT, **self.options}
        return self.kind(SPACE, plan.skeleton, data, seed=seed, **options)

    def run(self, plan: DartsPlan, data: FashionMNIST, seed: int) -> tuple[Choices, np.ndarray]:
        """Search to the end, whatever the rules say, noting when each would have stopped.
        Returns the choices, and the weights after each kept step [T, D, K]."""
        search = self.darts(plan, data, seed)
        rules = {name: make() for name, make in self.rules.items()}
        asking = dict.fromkeys(rules, 0.0)
        stopped: dict[str, tuple[Arch, float]] = {}
        for step in search.train(steps=plan.steps):
            for name in set(rules) - set(stopped):
                start = time.thread_time()
                over = rules[name](search)
                asking[name] += time.thread_time() - start
                if over or step.progress == 1:
                    kept = getattr(rules[name], "keep", -1)
                    stopped[name] = (search.arch(kept), step.seconds + asking[name])
        choices = [(search.arch(), search.seconds), *(stopped[name] for name in rules)]
        for selection in self.selections.values():
            start = time.thread_time()
            arch = selection(search, seed=seed)
            choices.append((arch, search.seconds + time.thread_time() - start))
        return choices, search.w[np.array(plan.kept) - 1]


@dataclass(frozen=True)
class SinglePath:
    """A method: a supernet trained on single architectures ranks random candidates."""

    names = ("one-shot",)
    keeps_weights = False

    def run(self, plan: DartsPlan, data: FashionMNIST, seed: int) -> tuple[Choices, np.ndarray]:
        """Train, rank, and choose the first; there are no weights to keep."""
        one_shot = OneShot(SPACE, plan.skeleton, data, seed=seed, sampler=Uniform)
        one_shot.fit(steps=plan.paths)
        start, estimate = time.thread_time(), one_shot.estimator()
        rng = np.random.default_rng(seed)
        archs = [SPACE.canonical(SPACE.sample(rng)) for _ in range(plan.candidates)]
        best = max(dict.fromkeys(archs), key=lambda arch: estimate(arch, seed).score)
        return [(best, one_shot.seconds + time.thread_time() - start)], np.empty(0)


Method = Gradient | SinglePath

METHODS: tuple[Method, ...] = (
    Gradient(
        "first order",
        rules={
            "stopped at two skips": partial(partial, variants.too_many_skips),
            "stopped by curvature": partial(variants.RisingCurvature, every=50, window=3),
        },
        selections={"perturbation": variants.perturbation},
    ),
    Gradient("second order", options={"order": 2}),
    Gradient("joint", variants.JointDarts),
    Gradient("warm-up", options={"schedule": replace(SHORT, warmup=0.3)}),
    Gradient("Gumbel", variants.GumbelDarts),
    Gradient("hard Gumbel", variants.HardGumbelDarts),
    Gradient("auxiliary skip", variants.AuxiliarySkipDarts),
    Gradient("edge weights", variants.EdgeWeightDarts),
    SinglePath(),
)
"""What is compared. The names of their first choices are those of the methods."""


@dataclass(frozen=True)
class DartsRun:
    """A unit of work: a method with a seed, on all images or on few."""

    plan: DartsPlan
    method: Method
    data: FashionMNIST
    seed: int

    def path(self, folder: Path) -> Path:
        """Where its result is kept."""
        name = self.method.names[0].replace(" ", "-")
        return folder / f"{name}-{counted(self.data)['train']}-{self.seed}.npz"

    def left(self, folder: Path) -> int:
        """1, or 0 when its result is there."""
        return int(not self.path(folder).is_file())

    def finish(self, folder: Path) -> None:
        """Search, and keep what was chosen."""
        choices, w = self.method.run(self.plan, self.data, self.seed)
        archs, seconds = zip(*choices, strict=True)
        arrays: Arrays = {
            "w": w.round(3).astype(np.float16),
            "chosen": np.array(archs, dtype=np.int8),
            "seconds": np.array(seconds, dtype=np.float32),
        }
        folder.mkdir(parents=True, exist_ok=True)
        tables.write(self.path(folder), arrays, {"seed": self.seed})


def darts_runs(plan: DartsPlan = DARTS_PLAN, methods: Sequence[Method] = METHODS) -> Job:
    """``darts_runs.npz``: what searches by gradient chose, with several methods and seeds."""
    searches = [method.names[0] for method in methods if method.keeps_weights]
    recipe = {
        "searches": searches,
        "others": [n for method in methods for n in method.names if n not in searches],
        "steps": list(plan.kept),
        "seeds": list(plan.seeds),
        "skeleton": dataclasses.asdict(plan.skeleton),
        "batch_size": plan.data[0].batch_size,
        "images": [counted(data)["train"] for data in plan.data],
        "paths": plan.paths,
        "candidates": plan.candidates,
        "schedule": dataclasses.asdict(SHORT),
        "fingerprint": SPACE.fingerprint,
    }
    each = itertools.product(plan.seeds, plan.data, methods)
    runs = [DartsRun(plan, method, data, seed) for seed, data, method in each]
    return Job(recipe, runs, assemble_choices)


def assemble_choices(runs: Sequence[DartsRun], folder: Path, recipe: Values) -> Arrays:
    """Arrays by number of images, name and seed."""
    found = {}
    for run in runs:
        of, _ = tables.read(run.path(folder))
        for i, name in enumerate(run.method.names):
            key = counted(run.data)["train"], name, run.seed
            found[key] = {"w": of["w"], "chosen": of["chosen"][i], "seconds": of["seconds"][i]}

    def collect(array: str, names: Sequence[str]) -> np.ndarray:
        images, seeds = recipe["images"], recipe["seeds"]
        return np.array([[[found[i, n, s][array] for s in seeds] for n in names] for i in images])

    searches, names = recipe["searches"], [*recipe["searches"], *recipe["others"]]
    arrays = {name: collect(name, names) for name in ("chosen", "seconds")}
    return {"w": collect("w", searches), **arrays}
