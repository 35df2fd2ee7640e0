"""How far noise moves the features of a network with random weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from nas_lab import runtime
from nas_lab.estimation.proxies.passes import (
    Batch,
    forward_hook,
    log,
    normalisations,
    training_mode,
)
from nas_lab.nets.modules import GlobalPool

ALPHA = 0.01
"""Lin et al.'s α, the size of the step in the input."""


def zen(net: nn.Module, batch: Batch) -> float:
    """log E ‖f(x) - f(x + αε)‖ + Σ_i log σ_i: what the features change, normalisation undone.

    f is the network up to its global pooling (or, without one, its last dense layer). Its weights
    θ, the images x and the steps ε are drawn from N(0, 1) with the batch's seed; real images and
    labels do not count, only their shape and number. Batch normalisation i divides by the
    standard deviation of the batch and so hides how much the layer before it amplifies. log σ_i
    puts that back: σ_i² is the mean over its channels of the variance that it divides by, with
    the small constant that keeps it from dividing by 0. Features that do not change at all score
    ``LOWEST``.

    The sum over i is made for layers that stand one behind the other, and the paper leaves
    residual links out. Here all links stay, for they are what is searched, and parallel branches
    of a cell all add up.

    Source: M. Lin et al., Zen-NAS, ICCV 2021, arXiv:2102.01063, algorithm 1.
    """
    generator = runtime.generator(batch.seed)
    theta = {
        name: torch.empty_like(p).copy_(torch.randn(p.shape, generator=generator))
        for name, p in net.named_parameters()
        if p.ndim > 1
    }
    x, epsilon = (
        torch.randn(batch.images.shape, generator=generator, dtype=batch.images.dtype)
        for _ in range(2)
    )
    log_sigma: list[float] = []

    def divided_by(norm: _BatchNorm, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        (read,) = inputs
        over = [axis for axis in range(read.ndim) if axis != 1]
        variance = (read - read.mean(over, keepdim=True)).square().mean()
        log_sigma.append(math.log(float(variance) + norm.eps) / 2)

    with training_mode(net), torch.no_grad():
        with forward_hook(normalisations(net), divided_by):
            before = features(net, theta, x)
        change = before - features(net, theta, x + ALPHA * epsilon)
    return log(float(change.flatten(1).norm(dim=1).mean())) + sum(log_sigma)


def features(net: nn.Module, parameters: dict[str, Tensor], x: Tensor) -> Tensor:
    """What ``net`` with other parameters hands to its global pooling, or to its last dense layer.

    Raises:
        ValueError: the network has neither.
    """
    pools, dense = (
        [module for module in net.modules() if isinstance(module, kind)]
        for kind in (GlobalPool, nn.Linear)
    )
    last = (pools or dense)[-1:]
    if not last:
        raise ValueError("where do this network's features end? It has no GlobalPool and no Linear")
    read: list[Tensor] = []
    with forward_hook(last, lambda _, inputs, __: read.append(inputs[0])):
        functional_call(net, parameters, (x,))
    return read[-1]
