"""Who moves when: alphas and weights in turns, or together."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from scipy.stats import entropy
from torch import Tensor

from nas_lab.strategies.darts.gradients import (
    Gradient,
    Order,
    first_order,
    gradient,
    norm,
    second_order,
)
from nas_lab.strategies.darts.relaxations import Moment
from nas_lab.strategies.darts.steps import Step

if TYPE_CHECKING:
    from nas_lab.strategies.darts.search import Darts


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
