"""How fast a network is trained, against the loop of the book over torchvision's dataset.

Both train the same network on the same 10,000 images for an epoch and validate it on 4,000, in
turns, within one run. The second table tells where a training step's time goes.
"""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import d2l.torch as d2l
import numpy as np
import torch
from _report import report
from torch import nn
from torch.profiler import ProfilerActivity, profile

from nas_lab import checks, data, nets, runtime, spaces
from nas_lab.training import Classifier, Recipe, train

RESOLUTION, BATCH, ROUNDS = 16, 128, 3
SKELETON = spaces.Skeleton(
    channels=8, cells=1, stages=2, stem_stride=2, resolution=RESOLUTION, in_channels=1
)
TYPICAL = (
    "|nor_conv_3x3~0|"
    "+|skip_connect~0|nor_conv_1x1~1|"
    "+|nor_conv_3x3~0|avg_pool_3x3~1|skip_connect~2|"
)
KERNELS = {
    "convolution": ("convolution",),
    "normalisation": ("batch_norm",),
    "matrix product": ("addmm", "aten::mm", "bmm"),
}


def network() -> nn.Module:
    """Return an untrained network of the cell space, in the middle of its range of sizes."""
    space = spaces.nasbench201()
    return nets.build(space, space.from_string(TYPICAL), SKELETON, seed=0)


class Book(d2l.Classifier):
    """The model of the book: a network and plain SGD; the board collects, but draws nothing."""

    def __init__(self, net: nn.Module, lr: float = 0.1):
        super().__init__()
        self.net, self.lr = net, lr
        self.board = d2l.ProgressBoard(display=False)


@contextmanager
def book_data(workers: int) -> Iterator[d2l.DataModule]:
    """Yield the book's FashionMNIST over our subset, written as the idx files it reads."""
    arrays = data.load(checks.dataset("fashion_mnist.npz"))
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        raw, work = Path(folder, "data", "FashionMNIST", "raw"), Path(folder, "work")
        raw.mkdir(parents=True)
        work.mkdir()
        for prefix, split in (("train", "train"), ("t10k", "validation")):
            _write_idx(raw / f"{prefix}-images-idx3-ubyte", arrays[f"{split}_images"])
            _write_idx(raw / f"{prefix}-labels-idx1-ubyte", arrays[f"{split}_labels"])
        os.chdir(work)  # the book reads ../data
        try:
            images = d2l.FashionMNIST(batch_size=BATCH, resize=(RESOLUTION, RESOLUTION))
            images.num_workers = workers
            yield images
        finally:
            os.chdir(here)


def _write_idx(path: Path, array: np.ndarray) -> None:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    path.write_bytes(header + array.tobytes())


def book(workers: int, threads: int) -> float:
    """Return the seconds of one epoch of the book's loop."""
    warnings.filterwarnings("ignore", "This DataLoader will create")  # the book's four, anyway
    with book_data(workers) as images, runtime.threads(threads):
        trainer = d2l.Trainer(max_epochs=1)
        began = time.perf_counter()
        trainer.fit(Book(network()), images)
        return time.perf_counter() - began


def ours() -> float:
    """Return the seconds of one epoch of our training."""
    images = data.FashionMNIST(RESOLUTION, BATCH)
    began = time.perf_counter()
    train(network(), images, Recipe(epochs=1))
    return time.perf_counter() - began


def speed() -> list[dict]:
    """Return images a second of every loop, the best of several rounds in turns."""
    cpus = runtime.cpu_count()
    loops: dict[str, Callable[[], float]] = {
        "d2l, 4 workers, all threads (the book)": lambda: book(4, cpus),
        "d2l, no workers, 1 thread": lambda: book(0, 1),
        "nas_lab": ours,
    }
    seconds = dict.fromkeys(loops, np.inf)
    for _ in range(ROUNDS):
        for name, loop in loops.items():
            seconds[name] = min(seconds[name], loop())
    return [
        {
            "loop": name,
            "s an epoch": best,
            "images a second": 10_000 / best,
            "nas_lab is faster by": best / seconds["nas_lab"],
        }
        for name, best in seconds.items()
    ]


def shares(steps: int = 100) -> list[dict]:
    """Return the share of a training step's CPU time that each kind of kernel takes."""
    images = data.FashionMNIST(RESOLUTION, BATCH)
    net = network().train().to(memory_format=torch.channels_last)
    recipe = Recipe()
    model, optimiser = Classifier(net, recipe), recipe.optimiser(net)
    scheduler = recipe.scheduler(optimiser, 2 * steps)
    batches = (batch for _ in range(9) for batch in images.train_dataloader())

    def run() -> None:
        for _ in range(steps):
            optimiser.zero_grad()
            model.training_step(next(batches)).backward()
            optimiser.step()
            scheduler.step()

    with runtime.threads(1):
        run()
        with profile(activities=[ProfilerActivity.CPU]) as record:
            run()
    times = {event.key: event.self_cpu_time_total for event in record.key_averages()}
    total = sum(times.values())
    by_kind = dict.fromkeys(KERNELS, 0.0)
    rest = {}
    for name, spent in times.items():
        kind = next((k for k, parts in KERNELS.items() if any(p in name for p in parts)), None)
        if kind:
            by_kind[kind] += spent / total
        else:
            rest[name] = spent / total
    largest = sorted(rest.items(), key=lambda item: -item[1])[:6]
    rows = [*by_kind.items(), ("all else", sum(rest.values()))]
    rows += [(f"  {name}", share) for name, share in largest]
    return [{"kernel": name, "share of a step": share} for name, share in rows]


if __name__ == "__main__":
    report("training speed", speed())
    report("training step", shares())
