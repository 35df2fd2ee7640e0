"""How fast DARTS steps, beside the algorithm written down edge by edge.

Both move the same supernet on batches of the same size, in turns, on one thread. The plain one
runs each operation of each edge by itself, asks for all gradients by ``backward()`` and looks one
step ahead as the paper has it. It is measured with its weights in both orders in memory.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import torch
from _report import report
from torch.nn import functional

from nas_lab import data, nets, spaces
from nas_lab.strategies import Darts
from nas_lab.strategies.darts import PAPER

sys.path.append(str(Path(__file__).resolve().parents[1]))
from tests.nets.plain import plain_201, plain_darts

ROUNDS = 7
PLAIN = {"nasbench201": plain_201, "darts": plain_darts}
CELLS = {
    "NAS-Bench-201, 8 channels, batch 64": (
        spaces.nasbench201(),
        spaces.Skeleton(channels=8, cells=1, stages=2, resolution=16, in_channels=1),
        64,
    ),
    "DARTS, 8 channels, batch 32": (
        spaces.darts(),
        spaces.Skeleton(channels=8, cells=3, resolution=16, in_channels=1),
        32,
    ),
}
Step = Callable[[], object]


def ours(space: spaces.Space, skeleton: spaces.Skeleton, batch: int, order: int) -> Step:
    """Return a function that does a step of ``Darts``."""
    darts = Darts(space, skeleton, data.FashionMNIST(skeleton.resolution, batch), order=order)
    steps = darts.train(steps=10_000)
    return lambda: next(steps)


def plainly(
    space: spaces.Space,
    skeleton: spaces.Skeleton,
    batch: int,
    order: int,
    memory: torch.memory_format,
) -> Step:
    """Return a function that does a step of algorithm 1, without any of our shortcuts."""
    net = nets.supernet(space, skeleton).to(memory_format=memory)
    weights = list(net.parameters())
    alpha = torch.zeros(space.mask.shape, requires_grad=True)
    adam, sgd = PAPER.alpha_optimiser([alpha]), torch.optim.SGD(weights, 0.025, 0.9)
    loader = data.FashionMNIST(skeleton.resolution, batch).train_dataloader()
    batches: Iterator = chain.from_iterable(repeat(loader))

    def backward(batch: tuple, net: torch.nn.Module = net) -> None:
        """Gradients of everything."""
        net.zero_grad()
        alpha.grad = None
        logits = PLAIN[space.name](net, batch[0], alpha.softmax(dim=1))
        functional.cross_entropy(logits, batch[1]).backward()

    def gradients() -> list[torch.Tensor]:
        return [torch.zeros_like(w) if w.grad is None else w.grad.clone() for w in net.parameters()]

    def ahead(train: tuple, val: tuple) -> torch.Tensor:
        """Equation 8: five passes in all, with the step of the weights."""
        before = [weight.detach().clone() for weight in weights]

        def move(along: list[torch.Tensor], by: float) -> None:
            with torch.no_grad():
                for weight, old, direction in zip(weights, before, along, strict=True):
                    weight.copy_(old + by * direction)

        backward(train)
        move(gradients(), -0.025)
        backward(val)
        slope, along = alpha.grad.clone(), gradients()
        epsilon = 0.01 / torch.cat([part.flatten() for part in along]).norm().item()
        sides = []
        for by in (epsilon, -epsilon):
            move(along, by)
            backward(train)
            sides.append(alpha.grad.clone())
        move(along, 0.0)
        return slope - 0.025 * (sides[0] - sides[1]) / (2 * epsilon)

    def step() -> None:
        train, val = next(batches), next(batches)
        if order == 1:
            backward(val)
        else:
            alpha.grad = ahead(train, val)
        adam.step()
        backward(train)
        torch.nn.utils.clip_grad_norm_(weights, 5.0)
        sgd.step()

    return step


def seconds(steps: dict[str, Step]) -> dict[str, float]:
    """Return the median CPU time of each, measured in turns."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(ROUNDS + 1):
        for name, step in steps.items():
            began = time.thread_time()
            step()
            if turn:
                times[name].append(time.thread_time() - began)
    return {name: float(np.median(values)) for name, values in times.items()}


def table() -> list[dict]:
    """Return a row for each cell and order."""
    rows = []
    for name, (space, skeleton, batch) in CELLS.items():
        for order in (1, 2):
            arguments = (space, skeleton, batch, order)
            found = seconds(
                {
                    "ours": ours(*arguments),
                    "plain": plainly(*arguments, torch.contiguous_format),
                    "plain, channels last": plainly(*arguments, torch.channels_last),
                }
            )
            rows.append(
                {
                    "cell": name,
                    "order": f"{order}",
                    **{f"s, {who}": s for who, s in found.items()},
                    "ours / plain": found["ours"] / found["plain"],
                    "ours / plain, channels last": found["ours"] / found["plain, channels last"],
                }
            )
    return rows


if __name__ == "__main__":
    torch.set_num_threads(1)
    report("a step of DARTS", table())
