"""How fast a supernet is trained and evaluated, and how much memory that takes.

The first table compares a step on a single architecture with its kernels alone: all convolutions,
normalisations and matrix products of the step, recorded as they run and run again on the same
tensors, forward and backward. No way to train on this machine's kernels is faster. The second
compares soft rows with the plain supernets of the tests. Networks that are compared are timed in
turns, in CPU seconds of this thread; of several rounds the fastest counts.
"""

from __future__ import annotations

import itertools
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _report import report
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nas_lab import nets, runtime, spaces
from nas_lab.build import networks
from nas_lab.strategies import Fair, OneShot
from tests.nets.plain import plain_201, plain_darts

DATA = networks.DATA
IMAGES, LABELS = next(iter(DATA.train_dataloader()))
SMALL = spaces.Skeleton(channels=8, cells=3, resolution=12, in_channels=1, stem_stride=2)
FAMILIES: dict[str, tuple[spaces.Space, spaces.Skeleton]] = {
    "nasbench201": (spaces.nasbench201(), networks.SKELETON),
    "nasbench201, 4 channels": (spaces.nasbench201(), replace(networks.SKELETON, channels=4)),
    "darts": (spaces.darts(), SMALL),
}
CANDIDATES = dict.fromkeys(FAMILIES, 20) | {"nasbench201": 200}
PLAIN = {"nasbench201": plain_201, "darts": plain_darts}
ROUNDS, ARCHS = 3, 12
KERNELS = ("convolution", "batch_norm", "mm")
"""Parts of the names of the kernels that count as bare."""


class Recorder(TorchDispatchMode):
    """Keep each call of a bare kernel, with its tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Callable, tuple, dict]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run it, and keep it."""
        if any(part in func.__name__ for part in KERNELS):
            self.calls.append((func, args, kwargs or {}))
        return func(*args, **(kwargs or {}))


def step(net: nets.Supernet, w: torch.Tensor) -> None:
    """One pass forward and backward."""
    net.zero_grad()
    functional.cross_entropy(net(IMAGES, w), LABELS).backward()


def fastest(runs: Mapping[str, Callable[[], None]]) -> dict[str, float]:
    """CPU seconds of each, in turns."""
    seconds = dict.fromkeys(runs, np.inf)
    for _ in range(ROUNDS):
        for name, run in runs.items():
            began = time.thread_time()
            run()
            seconds[name] = min(seconds[name], time.thread_time() - began)
    return seconds


def kernels_of(passes: Callable[[], None]) -> Callable[[], None]:
    """What runs the bare kernels of some passes, and nothing else."""
    with Recorder() as recorder:
        passes()

    @torch.no_grad()
    def run() -> None:
        for func, args, kwargs in recorder.calls:
            func(*args, **kwargs)

    return run


def single_path(name: str) -> dict[str, Any]:
    """Milliseconds of a step, mean over random architectures."""
    space, skeleton = FAMILIES[name]
    one_shot = OneShot(space, skeleton, DATA)
    one_shot.begin()
    net, one_shot._batches = one_shot.net, itertools.repeat((IMAGES, LABELS))
    rng, total = np.random.default_rng(0), dict.fromkeys(("kernels", "passes", "step"), 0.0)
    for _ in range(ARCHS):
        arch = space.sample(rng)
        w = net.one_hot(arch)
        one_shot.sampler = lambda _, arch=arch: [arch]
        seconds = fastest(
            {
                "kernels": kernels_of(lambda w=w: step(net, w)),
                "passes": lambda w=w: step(net, w),
                "step": lambda: one_shot.step(lambda part: 0.0),
            }
        )
        total = {part: total[part] + 1000 * seconds[part] / ARCHS for part in total}
    return {
        "single path": name,
        "kernels, ms": total["kernels"],
        "forward and backward, ms": total["passes"],
        "with SGD, ms": total["step"],
        "of the kernels": total["step"] / total["kernels"],
    }


def mixed(name: str) -> dict[str, Any]:
    """Milliseconds of forward and backward with soft rows."""
    space, skeleton = FAMILIES[name]
    net, plain = nets.supernet(space, skeleton), PLAIN[space.name]
    logits = torch.where(torch.from_numpy(space.mask), 0.0, -torch.inf).requires_grad_()

    def run(forward: Callable[[torch.Tensor], torch.Tensor]) -> None:
        net.zero_grad()
        functional.cross_entropy(forward(torch.softmax(logits, dim=1)), LABELS).backward()

    def ours() -> None:
        run(lambda w: net(IMAGES, w))

    seconds = fastest(
        {
            "kernels": kernels_of(ours),
            "ours": ours,
            "plain": lambda: run(lambda w: plain(net, IMAGES, w)),
        }
    )
    return {
        "mixed": name,
        "plain, ms": 1000 * seconds["plain"],
        "ours, ms": 1000 * seconds["ours"],
        "kernels of ours, ms": 1000 * seconds["kernels"],
        "faster by": seconds["plain"] / seconds["ours"],
    }


def evaluation(name: str) -> dict[str, Any]:
    """Seconds of candidates, statistics recomputed for each."""
    space, skeleton = FAMILIES[name]
    estimate = OneShot(space, skeleton, DATA).estimator()
    rng = np.random.default_rng(0)
    costs = [estimate(space.sample(rng), 0).cost for _ in range(CANDIDATES[name])]
    return {
        "evaluation": name,
        "images for statistics": estimate.calibration,
        "images to measure": estimate.validation or len(DATA.val_dataloader().labels),
        "candidates": len(costs),
        "s for 200": 200 * float(np.mean(costs)),
    }


def peak(name: str, way: str) -> float:
    """Largest memory in use, in MB; to be called in a process of its own."""
    space, skeleton = FAMILIES[name]
    with runtime.threads(1):
        one_shot = OneShot(space, skeleton, DATA, **({"sampler": Fair} if way == "fair" else {}))
        if way.startswith("none"):
            pass
        elif way == "mixed":
            w = torch.softmax(torch.where(torch.from_numpy(space.mask), 0.0, -torch.inf), dim=1)
            for _ in range(5):
                step(one_shot.net, w)
        else:
            one_shot.fit(steps=20)
            estimate = one_shot.estimator()
            for seed in range(5):
                estimate(space.sample(np.random.default_rng(seed)), 0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory() -> list[dict[str, Any]]:
    """Peaks of training and evaluation, each in a process of its own.

    On Linux a process begins with the peak of the one that started it.
    """
    runs = [
        ("nasbench201", "none, only imports"),
        *(("nasbench201", way) for way in ("uniform", "fair", "mixed")),
        *(("darts", way) for way in ("uniform", "mixed")),
    ]
    context = multiprocessing.get_context("spawn")
    rows = []
    for run in runs:
        with context.Pool(1) as pool:
            rows.append({"supernet": run[0], "steps": run[1], "peak, MB": pool.apply(peak, run)})
    return rows


if __name__ == "__main__":
    report("memory", memory())  # first: a child's peak counts from that of its parent
    with runtime.threads(1):
        report("single path", [single_path(name) for name in FAMILIES])
        report("mixed step", [mixed(name) for name in FAMILIES])
        report("evaluation", [evaluation(name) for name in FAMILIES])
