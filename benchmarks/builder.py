"""How fast the table is built, against a plain PyTorch loop with the same recipe.

Every loop trains the same architectures with the same seeds, in turns, within one run, on one
thread. The floor is what the convolutions of those trainings take alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import numpy as np
import torch
from _report import report
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from nas_lab import nets, runtime
from nas_lab.build import networks
from nas_lab.training import train

ARCHS = 6
Loop = Callable[[nn.Module, int], float]


def plain(net: nn.Module, seed: int) -> float:
    """Train as a tutorial does: data loaders over tensors, SGD as it comes, a loss printed."""
    data, recipe = networks.ESTIMATE.data, networks.RECIPE
    train, validation = data.train_dataloader(), data.val_dataloader()
    torch.manual_seed(seed)
    batches = DataLoader(TensorDataset(train.images, train.labels), data.batch_size, shuffle=True)
    held_out = DataLoader(TensorDataset(validation.images, validation.labels), data.batch_size)
    optimiser = torch.optim.SGD(
        net.parameters(),
        recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=True,
        weight_decay=recipe.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        recipe.learning_rate,
        total_steps=recipe.epochs * len(batches),
        pct_start=recipe.warmup,
        cycle_momentum=False,
    )
    for _ in range(recipe.epochs):
        net.train()
        for images, labels in batches:
            optimiser.zero_grad()
            loss = F.cross_entropy(net(images), labels)
            loss.backward()
            optimiser.step()
            schedule.step()
            loss.item()
        net.eval()
        with torch.no_grad():
            right = sum((net(x).argmax(1) == y).sum().item() for x, y in held_out)
    return right / len(validation.labels)


def plain_channels_last(net: nn.Module, seed: int) -> float:
    """The same with channels last, for who knows of that."""
    return plain(net.to(memory_format=torch.channels_last), seed)


def ours(net: nn.Module, seed: int) -> float:
    """Train as the builder does."""
    data = networks.ESTIMATE.data
    return train(net, data, networks.RECIPE, seed=seed, num_threads=1, device="cpu").accuracy


def convolutions(net: nn.Module) -> float:
    """Return the seconds that the convolutions of one training take, and nothing else."""
    record, recipe = networks.ESTIMATE, networks.RECIPE
    net = net.to(memory_format=torch.channels_last)
    seen: list[tuple[nn.Conv2d, torch.Tensor]] = []

    def note(module: nn.Conv2d, inputs: tuple[torch.Tensor], _: torch.Tensor) -> None:
        seen.append((module, inputs[0].detach()))

    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(note)
    images, _ = next(iter(record.data.train_dataloader()))
    with torch.no_grad():
        net(images)
    steps = recipe.epochs * len(record.data.train_dataloader())
    passes = recipe.epochs * len(record.data.val_dataloader())
    forward = sum(
        _best(lambda m=m, x=x: F.conv2d(x, m.weight, None, m.stride, m.padding)) for m, x in seen
    )
    both = sum(_best(lambda m=m, x=x: _with_gradients(m, x)) for m, x in seen)
    return steps * both + passes * forward


def _with_gradients(module: nn.Conv2d, x: torch.Tensor) -> None:
    y = F.conv2d(x, module.weight, None, module.stride, module.padding)
    torch.ops.aten.convolution_backward(
        y,
        x,
        module.weight,
        None,
        module.stride,
        module.padding,
        (1, 1),
        False,
        (0, 0),
        1,
        (x.shape[1] > 1, True, False),
    )


def _best(call: Callable[[], object], rounds: int = 5, number: int = 4) -> float:
    times = []
    with torch.no_grad():
        for _ in range(rounds):
            began = time.thread_time()
            for _ in range(number):
                call()
            times.append((time.thread_time() - began) / number)
    return min(times)


def speed() -> list[dict]:
    """Return architectures a core-hour of each loop, and the mean accuracy that it reaches."""
    archs = networks.ARCHS
    chosen = np.random.default_rng(5).choice(len(archs), ARCHS, replace=False)
    loops: dict[str, Loop] = {
        "plain PyTorch": plain,
        "plain PyTorch, channels last": plain_channels_last,
        "nas_lab": ours,
    }
    seconds = dict.fromkeys([*loops, "convolutions alone (the floor)"], 0.0)
    accuracy: dict[str, list[float]] = {name: [] for name in loops}
    with runtime.threads(1):
        for row in chosen.tolist():
            for name, loop in loops.items():
                net = nets.build(networks.SPACE, archs[row], networks.SKELETON, seed=0)
                began = time.thread_time()
                accuracy[name].append(loop(net, 0))
                seconds[name] += time.thread_time() - began
            net = nets.build(networks.SPACE, archs[row], networks.SKELETON, seed=0)
            seconds["convolutions alone (the floor)"] += convolutions(net)
    return [_row(name, spent, seconds, accuracy.get(name, ())) for name, spent in seconds.items()]


def _row(name: str, spent: float, seconds: dict[str, float], accuracy: Iterable[float]) -> dict:
    reached = list(accuracy)
    return {
        "loop": name,
        "s an architecture": spent / ARCHS,
        "architectures a core-hour": 3600 * ARCHS / spent,
        "times the plain loop": seconds["plain PyTorch"] / spent,
        "mean accuracy": f"{np.mean(reached):.3f}" if reached else "",
    }


if __name__ == "__main__":
    report("builder", speed())
