"""The gradient that DARTS descends, in first and second order (Liu et al. 2019, section 2.3).

    minimise over alpha   L_val(w*(alpha), alpha)                                     (eq. 3)
    where                 w*(alpha) = argmin over w of L_train(w, alpha)              (eq. 4)

Here the weights of the network are ``weights``, for w is the matrix of the options' weights. A
loss is a function without arguments, which reads the parameters as they are when it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

Loss = Callable[[], Tensor]
Tensors = Sequence[Tensor]


@dataclass(frozen=True)
class Gradient:
    """A loss and its gradient.

    Attributes:
        loss: its value.
        parts: the gradient, a tensor for each parameter.
    """

    loss: float
    parts: tuple[Tensor, ...]


DISTANCE = 0.01
"""Epsilon of eq. 8 times the norm of its vector, as in the paper's footnote."""

Order = Callable[[Loss, Loss, Tensors, Tensors, float], Gradient]
"""``first_order`` or ``second_order``."""


def gradient(loss: Loss, parameters: Tensors) -> Gradient:
    """A loss and its gradient; zeros for parameters that it does not depend on."""
    value = loss()
    parts = torch.autograd.grad(value, list(parameters), allow_unused=True, materialize_grads=True)
    return Gradient(value.item(), parts)


def first_order(train: Loss, val: Loss, alphas: Tensors, weights: Tensors, xi: float) -> Gradient:
    """grad_alpha L_val(w, alpha): eq. 6 with xi = 0, as if w were w* already.

    Args:
        train: L_train; not called.
        val: L_val.
        alphas: parameters of the architecture.
        weights: parameters of the network; not moved.
        xi: rate of the virtual step; not used.
    """
    return gradient(val, alphas)


def second_order(
    train: Loss,
    val: Loss,
    alphas: Tensors,
    weights: Tensors,
    xi: float,
    distance: float = DISTANCE,
) -> Gradient:
    """grad_alpha L_val(w - xi grad_w L_train(w, alpha), alpha): eq. 6, by eq. 7 and 8.

    The weights are moved for a while and are what they were at the end, also after an interrupt.

    Args:
        train: L_train.
        val: L_val.
        alphas: parameters of the architecture.
        weights: parameters of the network.
        xi: rate of the virtual step, at least 0.
        distance: see ``mixed_product``.

    Returns:
        The loss after the virtual step, and the gradient in alpha.
    """
    alphas, weights = list(alphas), list(weights)
    with moved(weights, gradient(train, weights).parts, -xi):  # w' = w - xi grad_w L_train
        ahead = gradient(val, [*alphas, *weights])
    along = ahead.parts[len(alphas) :]
    mixed = mixed_product(train, alphas, weights, along, distance)
    parts = (first - xi * second for first, second in zip(ahead.parts, mixed, strict=False))
    return Gradient(ahead.loss, tuple(parts))  # eq. 7


def mixed_product(
    train: Loss, alphas: Tensors, weights: Tensors, along: Tensors, distance: float = DISTANCE
) -> tuple[Tensor, ...]:
    """The Hessian grad_alpha grad_w L_train times a vector, by central differences (eq. 8).

    Args:
        train: L_train.
        alphas: parameters of the architecture.
        weights: parameters of the network.
        along: the vector, a tensor for each of the weights.
        distance: how far the weights are moved: epsilon times the norm of the vector. The
            paper's is 0.01. Where ReLUs switch on the way, the difference is another than the
            limit for distance to zero, which knows of no switching.
    """
    length = norm(along)
    if length == 0:
        return tuple(torch.zeros_like(alpha) for alpha in alphas)
    epsilon = distance / length
    with moved(weights, along, epsilon):
        plus = gradient(train, alphas).parts
    with moved(weights, along, -epsilon):
        minus = gradient(train, alphas).parts
    return tuple((p - m) / (2 * epsilon) for p, m in zip(plus, minus, strict=True))


@contextmanager
def moved(weights: Tensors, along: Tensors, by: float) -> Iterator[None]:
    """Inside of the block, weights are moved along a direction; after it they are as before."""
    before = [weight.detach().clone() for weight in weights]
    try:
        with torch.no_grad():
            for weight, direction in zip(weights, along, strict=True):
                weight.add_(direction, alpha=by)
        yield
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, before, strict=True):
                weight.copy_(value)


def norm(parts: Tensors) -> float:
    """Euclidean norm of all parts together."""
    return float(
        torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(p) for p in parts]))
    )
