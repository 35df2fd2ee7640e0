"""The two updates of DARTS: alpha on a validation batch, w on a training batch, and their order.

The gradient in first and second order (Liu et al. 2019, section 2.3):

    minimise over alpha   L_val(w*(alpha), alpha)                                     (eq. 3)
    where                 w*(alpha) = argmin over w of L_train(w, alpha)              (eq. 4)

Here the weights of the network are ``weights``, for w is the matrix of the options' weights. A
loss is a function without arguments, which reads the parameters as they are when it is called.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.stats import entropy
from torch import Tensor

from nas_lab.data import Loader
from nas_lab.strategies.darts.relaxations import Moment

if TYPE_CHECKING:
    from nas_lab.strategies.darts.search import Darts

Batch = tuple[Tensor, Tensor]
"""Images [B, C, H, W] and labels [B]."""


def endless(loader: Loader) -> Iterator[Batch]:
    """Batches of pass after pass."""
    return chain.from_iterable(repeat(loader))


@dataclass(frozen=True, eq=False)
class Step:
    """One step of the search.

    Attributes:
        number: of the step, from 1, over all trainings.
        progress: share of this training's budget that is used, in [0, 1].
        seconds: CPU time of all steps so far.
        train_loss: of the batch that the weights learn on, before they move, in nats.
        val_loss: of the batch that the architecture learns on, before it moves; in second order
            with the weights of the virtual step.
        alpha: parameters of the options after the step, float32 [D, K].
        w: the strengths after the step, float32 [D, K]: softmax(alpha) in DARTS itself.
        alpha_norm: Euclidean norm of the gradient in the architecture's parameters.
        weight_norm: the same for the weights, before it is clipped.
        entropy: of a row of w in nats, mean over the rows; it falls as the choice gets clear.
    """

    number: int
    progress: float
    seconds: float
    train_loss: float
    val_loss: float
    alpha: np.ndarray
    w: np.ndarray
    alpha_norm: float
    weight_norm: float
    entropy: float


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


class Turn(ABC):
    """One training of a search: its optimisers, and what they do in a step.

    Args:
        darts: the search whose parameters are moved.
    """

    def __init__(self, darts: Darts) -> None:
        self.darts, self.schedule = darts, darts.schedule
        self.alphas = list(darts.parameters.values())
        self.weights = [weight for weight in darts.net.parameters() if weight.requires_grad]
        self.alpha_optimiser = self.schedule.alpha_optimiser(self.alphas)
        self.weight_optimiser = self.schedule.weight_optimiser(self.weights)

    @abstractmethod
    def gradients(self, progress: float) -> tuple[Gradient, Gradient]:
        """Move both; return the loss and the gradient in alpha, and those in the weights."""

    def __call__(self, progress: float) -> Step:
        """Do a step at a share of the search; the record lacks its new progress and seconds."""
        by_alpha, by_weight = self.gradients(progress)
        w = self.darts.strengths()
        return Step(
            number=self.number,
            progress=progress,
            seconds=self.darts.seconds,
            train_loss=by_weight.loss,
            val_loss=by_alpha.loss,
            alpha=self.darts.parameters["alpha"].detach().numpy().copy(),
            w=w,
            alpha_norm=norm(by_alpha.parts),
            weight_norm=norm(by_weight.parts),
            entropy=float(entropy(w, axis=1).mean()),
        )

    @property
    def number(self) -> int:
        """Of this step, from 1."""
        return len(self.darts.log) + 1

    def moment(self, progress: float, turn: int) -> Moment:
        """Fixes what is drawn in a turn of this step."""
        return Moment(progress, (self.darts.seed, self.number, turn))

    def move_alphas(self, by: Gradient, progress: float) -> None:
        """A step of Adam, but not while the weights warm up."""
        self._check(by, "alpha_rate")
        if progress >= self.schedule.warmup:
            _give(self.alphas, by.parts)
            self.alpha_optimiser.step()

    def move_weights(self, by: Gradient, progress: float) -> None:
        """A step of gradient descent, with a gradient no longer than ``clip``."""
        self._check(by, "weight_rate")
        for group in self.weight_optimiser.param_groups:
            group["lr"] = self.schedule.rate(progress)
        _give(self.weights, by.parts)
        torch.nn.utils.clip_grad_norm_(self.weights, self.schedule.clip)
        self.weight_optimiser.step()

    def _check(self, by: Gradient, rate: str) -> None:
        if not math.isfinite(by.loss + norm(by.parts)):
            raise FloatingPointError(
                f"step {self.number}: the loss is {by.loss:g}, and its gradient's norm "
                f"{norm(by.parts):g}. The log keeps all steps before. Search again with a lower "
                f"rate, for example Schedule({rate}={getattr(self.schedule, rate) / 10:.2g})"
            )


class InTurns(Turn):
    """Algorithm 1 of Liu et al. 2019: first the alphas move, then the weights.

    Args:
        darts: the search.
        order: ``first_order`` or ``second_order``.
    """

    def __init__(self, darts: Darts, order: Order) -> None:
        super().__init__(darts)
        self.order = order

    def gradients(self, progress: float) -> tuple[Gradient, Gradient]:
        """On a batch of each half."""
        darts, xi = self.darts, self.schedule.rate(progress)
        batch, val_batch = next(darts.train_batches), next(darts.val_batches)
        train = partial(darts.loss, batch, self.moment(progress, 0))
        val = partial(darts.loss, val_batch, self.moment(progress, 0))
        by_alpha = self.order(train, val, self.alphas, self.weights, xi)
        self.move_alphas(by_alpha, progress)
        train = partial(darts.loss, batch, self.moment(progress, 1))
        by_weight = gradient(train, self.weights)
        self.move_weights(by_weight, progress)
        return by_alpha, by_weight


class Together(Turn):
    """Alphas are parameters like others: both move on one batch."""

    def gradients(self, progress: float) -> tuple[Gradient, Gradient]:
        """On one batch of training images."""
        train = partial(self.darts.loss, next(self.darts.train_batches), self.moment(progress, 0))
        both = gradient(train, [*self.alphas, *self.weights])
        by_alpha = Gradient(both.loss, both.parts[: len(self.alphas)])
        by_weight = Gradient(both.loss, both.parts[len(self.alphas) :])
        self.move_alphas(by_alpha, progress)
        self.move_weights(by_weight, progress)
        return by_alpha, by_weight


def _give(parameters: Sequence[Tensor], parts: Sequence[Tensor]) -> None:
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.grad = part


ORDERS: dict[int | str, Callable[[Darts], Turn]] = {
    1: partial(InTurns, order=first_order),
    2: partial(InTurns, order=second_order),
    "joint": Together,
}
"""What the argument ``order`` of a search stands for."""
