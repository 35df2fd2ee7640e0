"""``darts_runs.npz``: searches by gradient with several methods and seeds, and what they chose."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nas_lab.build import Job
from nas_lab.build.networks import SKELETON, SPACE, counted
from nas_lab.data import FashionMNIST
from nas_lab.estimation import tables
from nas_lab.spaces import Arch, Skeleton
from nas_lab.strategies import darts_variants as variants
from nas_lab.strategies.darts import SHORT, Darts
from nas_lab.strategies.one_shot import OneShot, Uniform

IMAGES = (10_000, 1_000)
DATA = tuple(FashionMNIST(SKELETON.resolution, batch_size=64, images=n) for n in IMAGES)


class Plan(NamedTuple):
    """How long to search, and on what.

    Attributes:
        steps: of every search by gradient.
        every: weights are kept after every so many steps.
        skeleton: what surrounds the cells.
        data: images as it takes them: all, and few of them; batches are as large as in the paper.
        seeds: of the searches.
        paths: steps of the one-shot supernet, each of a single architecture.
        candidates: how many architectures are then ranked by its weights.
    """

    steps: int = 400
    every: int = 10
    skeleton: Skeleton = SKELETON
    data: tuple[FashionMNIST, ...] = DATA
    seeds: tuple[int, ...] = tuple(range(6))
    paths: int = 1_500
    candidates: int = 150

    @property
    def kept(self) -> tuple[int, ...]:
        """Numbers of the steps whose weights are kept."""
        return tuple(range(self.every, self.steps + 1, self.every))


PLAN = Plan()
Choices = list[tuple[Arch, float]]
"""What was chosen, with the CPU time until then; one for each name of a method."""


@dataclass(frozen=True)
class Gradient:
    """A method: a search by gradient, and perhaps other rules to read it.

    Args:
        name: of the argmax at its end.
        kind: DARTS or a variant of it.
        options: of the search.
        rules: makers of stopping rules, by name.
        selections: other ways to choose at its end, by name.
    """

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

    def darts(self, plan: Plan, data: FashionMNIST, seed: int) -> Darts:
        """The search before its first step."""
        options = {"schedule": SHORT, **self.options}
        return self.kind(SPACE, plan.skeleton, data, seed=seed, **options)

    def run(self, plan: Plan, data: FashionMNIST, seed: int) -> tuple[Choices, np.ndarray]:
        """Search to the end, whatever the rules say, noting when each would have stopped.

        Returns the choices, and the weights after each kept step [T, D, K].
        """
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

    def run(self, plan: Plan, data: FashionMNIST, seed: int) -> tuple[Choices, np.ndarray]:
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
            "stopped at two skips": variants.TooManySkips,
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

    plan: Plan
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
        arrays: dict[str, np.ndarray] = {
            "w": w.round(3).astype(np.float16),
            "chosen": np.array([arch for arch, _ in choices], dtype=np.int8),
            "seconds": np.array([seconds for _, seconds in choices], dtype=np.float32),
        }
        folder.mkdir(parents=True, exist_ok=True)
        tables.write(self.path(folder), arrays, {"seed": self.seed})


def darts_runs(plan: Plan = PLAN, methods: Sequence[Method] = METHODS) -> Job:
    """The job; by default the one of the kit."""
    searches = [method.names[0] for method in methods if method.keeps_weights]
    others = [n for method in methods for n in method.names if n not in searches]
    recipe = {
        "searches": searches,
        "others": others,
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
    runs = [
        DartsRun(plan, method, data, seed)
        for seed in plan.seeds
        for data in plan.data
        for method in methods
    ]
    return Job(recipe, runs, assemble)


def assemble(
    runs: Sequence[DartsRun], folder: Path, recipe: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Arrays by number of images, name and seed."""
    found = {}
    for run in runs:
        arrays, _ = tables.read(run.path(folder))
        for i, name in enumerate(run.method.names):
            kept = {
                "w": arrays["w"],
                "chosen": arrays["chosen"][i],
                "seconds": arrays["seconds"][i],
            }
            found[counted(run.data)["train"], name, run.seed] = kept

    def collect(array: str, names: Sequence[str]) -> np.ndarray:
        images, seeds = recipe["images"], recipe["seeds"]
        return np.array([[[found[i, n, s][array] for s in seeds] for n in names] for i in images])

    names = [*recipe["searches"], *recipe["others"]]
    return {
        "w": collect("w", recipe["searches"]),
        "chosen": collect("chosen", names),
        "seconds": collect("seconds", names),
    }
