"""Threads, devices and random generators: decided here, and nowhere else.

A small network spends its time in many tiny kernels. Splitting those over threads costs more
than it saves (two threads took 4 to 7 times as long as one on 8-channel convolutions), and so
does sending them to a GPU. So it runs on one CPU thread, and several cores train several
networks. torch is imported when it is needed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

SMALL_MACS = 10_000_000  # multiply-adds of one image below which a network counts as small
_global_generator = threading.Lock()


def cpu_count() -> int:
    """Return the CPUs this process may use: affinity, container quota and LOKY_MAX_CPU_COUNT."""
    import joblib

    return joblib.cpu_count()


def num_threads(macs: float) -> int:
    """Return how many threads to train a network with: `macs` multiply-adds for one image."""
    return 1 if macs < SMALL_MACS else cpu_count()


def one_thread() -> None:
    """Let torch's operations use one thread each, unless OMP_NUM_THREADS says how many.
    Modules that build or train networks call it when they are imported, so that a notebook's own
    loops run on one thread too."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Run the block with `n` torch threads inside an operation; the old number comes back."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def device(macs: float = float("inf")) -> torch.device:
    """Return where to train a network of `macs` multiply-adds an image: a GPU if it is large."""
    import torch

    if macs >= SMALL_MACS:
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        if torch.backends.mps.is_available():
            return torch.device("mps")
    return torch.device("cpu")


def memory_format(net: torch.nn.Module) -> torch.memory_format:
    """Return the order of axes in memory that suits a network's convolutions: channels last.
    But oneDNN's gradient of a 1x1 convolution with a stride then writes outside of its memory when
    the input has fewer channels than a vector register holds, 8 or 16 (uxlfoundation/oneDNN, issue
    6035): that crashes, or spoils other numbers."""
    import torch

    unsafe = any(
        isinstance(module, torch.nn.Conv2d)
        and set(module.kernel_size) == {1}
        and max(module.stride) > 1
        and module.in_channels // module.groups < 16
        for module in net.modules()
    )
    return torch.contiguous_format if unsafe else torch.channels_last


def generator(*seeds: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a generator whose stream is fixed by all of `seeds`, whole numbers >= 0, in order."""
    import torch

    state = np.random.SeedSequence(seeds).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))


@contextmanager
def seeded_global_generator(seed: int) -> Iterator[None]:
    """Run the block with torch's global generators seeded, for `nn.Dropout`; threads take turns."""
    import torch

    gpus = range(min(1, torch.cuda.device_count()))
    with _global_generator, torch.random.fork_rng(gpus):
        torch.manual_seed(seed)
        yield


def count_macs(net: torch.nn.Module, images: torch.Tensor) -> int:
    """Return the multiply-adds of convolutions and dense layers on `images` [B, C, H, W].
    Recurrent and other layers are not counted: enough to tell small from large."""
    import torch

    total = 0

    def count(module: torch.nn.Module, _: tuple, output: torch.Tensor) -> None:
        nonlocal total
        total += output.numel() * module.get_parameter("weight")[0].numel()

    kinds = (torch.nn.modules.conv._ConvNd, torch.nn.Linear)
    hooks = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, kinds)]
    try:
        with torch.no_grad(), evaluation_mode(net):
            net(images.to(device_of(net)))
    finally:
        for hook in hooks:
            hook.remove()
    return total


def device_of(net: torch.nn.Module) -> torch.device:
    """Return the device of a network's first parameter; the CPU when it has none."""
    import torch

    return next((parameter.device for parameter in net.parameters()), torch.device("cpu"))


@contextmanager
def evaluation_mode(net: torch.nn.Module) -> Iterator[None]:
    """Run the block with `net` in evaluation mode, and put back the mode of each module."""
    training = [module for module in net.modules() if module.training]
    net.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
