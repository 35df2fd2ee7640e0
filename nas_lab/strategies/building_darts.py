"""Search by gradient with several methods and with several seeds, and keep what they chose.

Each search is a job with a file of its own, written when it is finished; a build that was stopped
does those that are missing.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm.auto import tqdm

from nas_lab.data import FashionMNIST
from nas_lab.estimation import archives, building, commands
from nas_lab.spaces import nasbench201
from nas_lab.spaces.base import Arch, Skeleton
from nas_lab.strategies import darts_runs as stored
from nas_lab.strategies.darts import (
    SHORT,
    AuxiliarySkip,
    Darts,
    EdgeNormalisation,
    Gumbel,
    HardGumbel,
    Perturbation,
    Relaxation,
    RisingCurvature,
    Schedule,
    Softmax,
    TooManySkips,
)
from nas_lab.strategies.one_shot import OneShot, Uniform

SPACE = nasbench201()
BATCH_SIZE = 64
"""As in the paper."""


@dataclass(frozen=True)
class Plan:
    """How long to search, and on what.

    Args:
        steps: of every search by gradient.
        every: weights are kept after every so many steps.
        skeleton: what surrounds the cells.
        data: images as it takes them: all, and few of them.
        seeds: of the searches.
        paths: steps of the one-shot supernet, each of a single architecture.
        candidates: how many architectures are then ranked by its weights.
    """

    steps: int
    every: int
    skeleton: Skeleton
    data: tuple[FashionMNIST, ...]
    seeds: tuple[int, ...]
    paths: int
    candidates: int

    @property
    def kept(self) -> tuple[int, ...]:
        """Numbers of the steps whose weights are kept."""
        return tuple(range(self.every, self.steps + 1, self.every))


@dataclass(frozen=True, eq=False)
class Choice:
    """What a method chose, and the CPU time until then."""

    arch: Arch
    seconds: float


class Method(ABC):
    """A way to choose architectures.

    Attributes:
        names: of the choices that it makes.
        search: whether the first of them keeps its weights.
    """

    names: tuple[str, ...]
    search: bool

    @abstractmethod
    def run(self, plan: Plan, data: FashionMNIST, seed: int) -> tuple[list[Choice], np.ndarray]:
        """A choice for each name, and the weights after each kept step [T, D, K], or none [0]."""


@dataclass(frozen=True)
class Gradient(Method):
    """A search by gradient, and perhaps other methods to read it."""

    name: str
    order: Literal[1, 2, "joint"] = 1
    relaxation: Relaxation = field(default_factory=Softmax)
    schedule: Schedule = SHORT
    rules: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    selections: Mapping[str, Perturbation] = field(default_factory=dict)
    search: bool = True

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """The argmax at the end, then those of the stopping rules and of the selections."""
        return (self.name, *self.rules, *self.selections)

    def darts(self, plan: Plan, data: FashionMNIST, seed: int) -> Darts:
        """The search before its first step."""
        options: dict[str, Any] = {"relaxation": self.relaxation, "schedule": self.schedule}
        return Darts(SPACE, plan.skeleton, data, order=self.order, seed=seed, **options)

    def run(self, plan: Plan, data: FashionMNIST, seed: int) -> tuple[list[Choice], np.ndarray]:
        """Search to the end, whatever the rules say; note when each would have stopped."""
        darts = self.darts(plan, data, seed)
        rules = {name: make() for name, make in self.rules.items()}
        asking = dict.fromkeys(rules, 0.0)
        stopped: dict[str, Choice] = {}
        for step in darts.train(steps=plan.steps):
            for name in set(rules) - set(stopped):
                start = time.thread_time()
                over = rules[name](darts)
                asking[name] += time.thread_time() - start
                if over or step.progress == 1:
                    kept = getattr(rules[name], "keep", -1)
                    stopped[name] = Choice(darts.arch(kept), step.seconds + asking[name])
        choices = [Choice(darts.arch(), darts.seconds), *(stopped[name] for name in rules)]
        for selection in self.selections.values():
            start = time.thread_time()
            arch = replace(selection, seed=seed)(darts)
            choices.append(Choice(arch, darts.seconds + time.thread_time() - start))
        return choices, darts.w[np.array(plan.kept) - 1]


@dataclass(frozen=True)
class SinglePath(Method):
    """One-shot: a supernet trained on single architectures ranks random candidates."""

    names: tuple[str, ...] = ("one-shot",)
    search: bool = False

    def run(self, plan: Plan, data: FashionMNIST, seed: int) -> tuple[list[Choice], np.ndarray]:
        """Train, rank, and choose the first."""
        one_shot = OneShot(SPACE, plan.skeleton, data, seed=seed, sampler=Uniform)
        one_shot.fit(steps=plan.paths)
        start, estimate = time.thread_time(), one_shot.estimator()
        rng = np.random.default_rng(seed)
        archs = [SPACE.canonical(SPACE.sample(rng)) for _ in range(plan.candidates)]
        best = max(dict.fromkeys(archs), key=lambda arch: estimate(arch, seed).score)
        return [Choice(best, one_shot.seconds + time.thread_time() - start)], np.empty(0)


METHODS: tuple[Method, ...] = (
    Gradient(
        "first order",
        rules={
            "stopped at two skips": TooManySkips,
            "stopped by curvature": partial(RisingCurvature, every=50, window=3),
        },
        selections={"perturbation": Perturbation()},
    ),
    Gradient("second order", order=2),
    Gradient("joint", order="joint"),
    Gradient("warm-up", schedule=replace(SHORT, warmup=0.3)),
    Gradient("Gumbel", relaxation=Gumbel()),
    Gradient("hard Gumbel", relaxation=HardGumbel()),
    Gradient("auxiliary skip", relaxation=AuxiliarySkip()),
    Gradient("edge weights", relaxation=EdgeNormalisation()),
    SinglePath(),
)
"""What is compared. The names of their first choices are those of the methods."""


@dataclass(frozen=True)
class Run:
    """A method with a seed, on all images or on few."""

    method: Method
    data: FashionMNIST
    seed: int

    def path(self, folder: Path) -> Path:
        """Where its result is kept."""
        name = self.method.names[0].replace(" ", "-")
        return folder / f"{name}-{images_of(self.data)}-{self.seed}.npz"

    def finish(self, plan: Plan, folder: Path) -> Path:
        """Run it, if it has not been, and return where its result is."""
        path = self.path(folder)
        if not path.is_file():
            choices, w = self.method.run(plan, self.data, self.seed)
            arrays: dict[str, np.ndarray] = {
                "w": w.round(3).astype(np.float16),
                "chosen": np.array([choice.arch for choice in choices], dtype=np.int8),
                "seconds": np.array([choice.seconds for choice in choices], dtype=np.float32),
            }
            folder.mkdir(parents=True, exist_ok=True)
            archives.write(path, arrays, {"seed": self.seed})
        return path


def images_of(data: FashionMNIST) -> int:
    """How many training images there are."""
    return len(data.train_dataloader().labels)


def default_plan() -> Plan:
    """The table's network; all of its images, and a tenth of them."""
    skeleton = building.SKELETON
    data = tuple(
        FashionMNIST(skeleton.resolution, BATCH_SIZE, images=images) for images in (10_000, 1_000)
    )
    return Plan(400, 10, skeleton, data, seeds=tuple(range(6)), paths=1_500, candidates=150)


def recipe_of(plan: Plan, methods: Sequence[Method]) -> dict[str, Any]:
    """All that decides the numbers in the file, as plain values."""
    searches, others = names_of(methods)
    return {
        "searches": searches,
        "others": others,
        "steps": list(plan.kept),
        "seeds": list(plan.seeds),
        "skeleton": dataclasses.asdict(plan.skeleton),
        "batch_size": plan.data[0].batch_size,
        "images": [images_of(data) for data in plan.data],
        "paths": plan.paths,
        "candidates": plan.candidates,
        "schedule": dataclasses.asdict(SHORT),
        "fingerprint": SPACE.fingerprint,
    }


def names_of(methods: Sequence[Method]) -> tuple[list[str], list[str]]:
    """Names of the searches, and those of all other choices."""
    searches = [method.names[0] for method in methods if method.search]
    return searches, [n for method in methods for n in method.names if n not in searches]


def build(
    plan: Plan,
    folder: Path,
    output: Path,
    *,
    executor: Executor | None = None,
    methods: Sequence[Method] = METHODS,
) -> None:
    """Run what is missing, then write the file.

    Args:
        plan: how long to search, and on what.
        folder: where results are kept; it belongs to one recipe.
        output: the file.
        executor: who searches; None searches here.
        methods: how to search.
    """
    runs = [
        Run(method, data, seed) for seed in plan.seeds for data in plan.data for method in methods
    ]
    for _ in tqdm(_finish_all(runs, plan, folder, executor), total=len(runs), unit="run"):
        pass
    about = {**recipe_of(plan, methods), "versions": building.versions()}
    archives.write(output, assemble(plan, folder, methods), about)


def _finish_all(
    runs: Sequence[Run], plan: Plan, folder: Path, executor: Executor | None
) -> Iterable[Path]:
    if executor is None:
        return (run.finish(plan, folder) for run in runs)
    futures = [executor.submit(run.finish, plan, folder) for run in runs]
    return (future.result() for future in as_completed(futures))


def assemble(plan: Plan, folder: Path, methods: Sequence[Method]) -> dict[str, np.ndarray]:
    """The arrays of the file, out of those of the runs: images, names, seeds, and the rest."""
    searches, others = names_of(methods)
    place = {name: (method, i) for method in methods for i, name in enumerate(method.names)}

    def collect(array: str, names: Sequence[str]) -> np.ndarray:
        return np.array(
            [[[found(n, data, seed, array) for seed in plan.seeds] for n in names]
             for data in plan.data]
        )  # fmt: skip

    def found(name: str, data: FashionMNIST, seed: int, array: str) -> np.ndarray:
        method, i = place[name]
        values = archives.read(Run(method, data, seed).path(folder))[0][array]
        return values if array == "w" else values[i]

    return {
        "w": collect("w", searches),
        "chosen": collect("chosen", [*searches, *others]),
        "seconds": collect("seconds", [*searches, *others]),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Build ``darts_runs.npz``. Stop it at any time: the same command does what is missing."""
    parser, _ = commands.build_command("darts_runs", main.__doc__, stored.FILE, "strategies")
    options = parser.parse_args(arguments)
    plan = default_plan()
    folder = commands.parts_folder(options, building.fingerprint(recipe_of(plan, METHODS)))
    with commands.open_executor(options.workers, options.scheduler) as pool:
        build(plan, folder, options.output, executor=pool)
    sys.stdout.write(f"{options.output}: written\n")
    return 0
