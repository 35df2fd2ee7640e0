"""DARTS: search by gradient descent on a mixture, then keep the strongest operations.

    darts = Darts(space, skeleton, data, order=1, seed=0).fit(steps=200)
    darts.w[-1], darts.arch()              # [D, K], and the strongest option of each decision

The search (Liu et al. 2019, arXiv:1806.09055, section 2.3) is to

    minimise over alpha   L_val(w*(alpha), alpha)                                     (eq. 3)
    where                 w*(alpha) = argmin over w of L_train(w, alpha)              (eq. 4)

Here the weights of the network are ``weights``, for w is the matrix of the options' weights. A
loss is a function without arguments, which reads the parameters as they are when it is called.
``darts_variants`` has what later papers change.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, repeat
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nas_lab import nets
from nas_lab.checks import number_in, whole_number
from nas_lab.data import FashionMNIST, Loader
from nas_lab.estimation.training import check_fits
from nas_lab.nets.supernets import sgd
from nas_lab.spaces.base import Arch, Skeleton, Space
from nas_lab.spaces.cells import Darts as DartsSpace
from nas_lab.strategies.base import Learner, Step, Used

# ---- the gradient for alpha ------------------------------------------------------------------

Loss = Callable[[], Tensor]
Tensors = Sequence[Tensor]
Batch = tuple[Tensor, Tensor]
"""Images [B, C, H, W] and labels [B]."""


class Gradient(NamedTuple):
    """The value of a loss, and its gradient: a tensor for each parameter."""

    loss: float
    parts: tuple[Tensor, ...]


DISTANCE = 0.01
"""Epsilon of eq. 8 times the norm of its vector, as in the paper's footnote."""


def gradient(loss: Loss, parameters: Tensors) -> Gradient:
    """A loss and its gradient; zeros for parameters that it does not depend on."""
    value = loss()
    parts = torch.autograd.grad(value, list(parameters), allow_unused=True, materialize_grads=True)
    return Gradient(value.item(), parts)


def first_order(train: Loss, val: Loss, alphas: Tensors, weights: Tensors, xi: float) -> Gradient:
    """grad_alpha L_val(w, alpha): eq. 6 with xi = 0, as if w were w* already."""
    return gradient(val, alphas)


def second_order(train: Loss, val: Loss, alphas: Tensors, weights: Tensors, xi: float) -> Gradient:
    """grad_alpha L_val(w - xi grad_w L_train(w, alpha), alpha): eq. 6, by eq. 7 and 8.
    ``alphas`` are the parameters of the architecture, ``weights`` those of the network, which are
    moved for a while and are what they were at the end, also after an interrupt. ``xi`` is the rate
    of the virtual step. Returns the loss after it, and the gradient in alpha."""
    # The virtual step of eq. 6: w' = w - xi grad_w L_train(w, alpha).
    with moved(weights, gradient(train, weights).parts, -xi):
        ahead = gradient(val, [*alphas, *weights])
    mixed = mixed_product(train, alphas, weights, ahead.parts[len(alphas) :])
    parts = (first - xi * second for first, second in zip(ahead.parts, mixed, strict=False))
    return Gradient(ahead.loss, tuple(parts))  # eq. 7


def mixed_product(
    train: Loss, alphas: Tensors, weights: Tensors, along: Tensors
) -> tuple[Tensor, ...]:
    """The Hessian grad_alpha grad_w L_train times a vector, by central differences (eq. 8).
    Weights are moved by ``DISTANCE`` in all. A ReLU that switches on the way is part of this
    difference; the derivative, the limit for a distance of zero, does not see it."""
    length = norm(along)
    if length == 0:
        return tuple(torch.zeros_like(alpha) for alpha in alphas)
    epsilon = DISTANCE / length
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
    return float(torch.linalg.vector_norm(torch.stack([p.norm() for p in parts])))


# ---- from alpha to w, and from w to an architecture ------------------------------------------


def softmax(alpha: Tensor, space: Space) -> Tensor:
    """Of each row, over the options that exist; other entries are zero (eq. 2)."""
    return alpha.masked_fill(torch.from_numpy(~space.mask), -torch.inf).softmax(dim=1)


def incoming(space: Space) -> list[list[int]]:
    """For each node of the cells, the places of the edges that lead to it."""
    targets = [node for _, node in space.edges]
    return [[i for i, t in enumerate(targets) if t == node] for node in sorted(set(targets))]


NONE = 0
"""Token of 'none' in a DARTS cell."""


def nones(space: Space) -> list[tuple[int, int]]:
    """Where 'none' stands in w: its row and column, for each decision that offers it."""
    offers = enumerate(decision.options for decision in space.decisions)
    return [(row, options.index("none")) for row, options in offers if "none" in options]


def discretise(space: Space, w: np.ndarray, *, keep_none: bool = False) -> Arch:
    """Discretise w: each decision keeps its strongest option that is not 'none'.

    The strength of 'none' says little, for it only scales its node, and a normalisation undoes
    that (Liu et al. 2019, section 2.4). A skip connection is an option like any other;
    ``darts_variants`` has rules against too many. On ``darts()`` each node keeps its two
    strongest inputs, where an edge is as strong as its strongest option. Of equal weights the
    first wins.

    Args:
        space: of the architecture.
        w: weights [D, K].
        keep_none: 'none' is an option like any other, as in the experiments on NAS-Bench-201 of
            its authors (Dong & Yang 2020). On ``darts()`` it changes nothing.
    """
    w = np.array(w, dtype=float)
    if w.shape != space.mask.shape or np.isnan(w).any():
        raise ValueError(
            f"{space.name} takes w of shape {space.mask.shape} without NaN; this has shape "
            f"{w.shape} and {np.isnan(w).sum()} NaN"
        )
    two_inputs = isinstance(space, DartsSpace)
    w[~space.mask] = -np.inf
    if two_inputs or not keep_none:
        for row, token in nones(space):
            w[row, token] = -np.inf
    best = w.argmax(axis=1)
    if two_inputs:
        strength = w.max(axis=1)
        for edges in incoming(space):
            best[sorted(edges, key=lambda edge: -strength[edge])[2:]] = NONE
    return space.check(best.tolist())


# ---- the search ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Schedule:
    """Two optimisers and their rates; the defaults are those of Liu et al. 2019, appendix A.1.1.

    Those are meant for 50 passes over half of CIFAR-10. Adam moves a parameter by its rate at
    most, so in a search of a few hundred steps alphas hardly leave zero, clear as their order may
    be: ``SHORT`` is a schedule for such searches.

    The weights learn by gradient descent with momentum, along a cosine; ``weight_rate`` is also xi,
    the rate of the virtual step. Alphas learn by Adam.
    """

    weight_rate: float = 0.025
    last_weight_rate: float = 0.001  # zero in the paper; from the authors' code
    momentum: float = 0.9
    weight_decay: float = 3e-4
    clip: float = 5.0  # largest norm of the weights' gradient; from the authors' code
    alpha_rate: float = 3e-4
    alpha_betas: tuple[float, float] = (0.5, 0.999)
    alpha_decay: float = 1e-3
    warmup: float = 0.0  # share in which only weights learn; 15 of 50 in PC-DARTS (Xu et al. 2020)

    def __post_init__(self) -> None:
        if not self.clip > 0:
            raise ValueError(f"clip is a number above 0, not {self.clip!r}; math.inf clips nothing")
        for name, value in vars(self).items():
            below = 1 if name in ("momentum", "warmup", "alpha_betas") else math.inf
            for each in () if name == "clip" else np.atleast_1d(value).tolist():
                number_in(name, each, below=below)

    def rate(self, progress: float) -> float:
        """Learning rate of the weights at a share of the search, in [0, 1]."""
        fall = (1 + math.cos(math.pi * progress)) / 2
        return self.last_weight_rate + (self.weight_rate - self.last_weight_rate) * fall

    def weight_optimiser(self, weights: Tensors) -> torch.optim.SGD:
        """Gradient descent with momentum."""
        return sgd(weights, self.weight_rate, self.momentum, self.weight_decay)

    def alpha_optimiser(self, alphas: Tensors) -> torch.optim.Adam:
        """Adam."""
        rate, betas, decay = self.alpha_rate, self.alpha_betas, self.alpha_decay
        return torch.optim.Adam(alphas, lr=rate, betas=betas, weight_decay=decay)


PAPER = Schedule()
"""Rates of the paper."""

SHORT = Schedule(weight_rate=0.1, alpha_rate=0.02)
"""Rates for searches of a few hundred steps, found by trial on the cell of NAS-Bench-201."""


@dataclass(frozen=True, eq=False)
class DartsStep(Step):
    """One step of the search; each loss, in nats, before the parameters move that it is for."""

    train_loss: float  # of the batch that the weights learn on
    val_loss: float  # of the architecture's; in second order with weights of the virtual step
    alpha: np.ndarray  # parameters of the options after the step, float32 [D, K]
    w: np.ndarray  # strengths after the step, float32 [D, K]: softmax(alpha) in DARTS itself


class Moment(NamedTuple):
    """When a mixture is asked for: the share of the search that is over, and what fixes draws."""

    progress: float = 0.0
    seeds: tuple[int, ...] = (0,)


class Darts(Learner):
    """Differentiable architecture search (Liu et al. 2019, arXiv:1806.09055).

    All options run, and their outputs are mixed with the weights w = softmax(alpha). The training
    images are split in halves. Every step first moves the alphas, on a batch of the second half,
    and then the weights, on a batch of the first (algorithm 1). In the end each decision keeps its
    strongest option. Normalisations use the statistics of the batch and have no scale and shift of
    their own, so that none can undo w (appendix A.1.1).

    Args:
        data: images as the skeleton takes them. Validation images are not used, so accuracies on
            them are honest.
        order: 1 takes the weights as they are (xi = 0), 2 looks one step of the weights ahead.
        seed: of the initial weights, the order of the images, and what a variant draws.
        schedule: optimisers and learning rates.

    Attributes:
        net: the supernet.
        parameters: of the architecture, by name; ``alpha`` is [D, K].
        train_batches, val_batches: of the weights, and of the alphas.
    """

    def __init__(
        self,
        space: Space,
        skeleton: Skeleton,
        data: FashionMNIST,
        *,
        order: int = 1,
        seed: int = 0,
        schedule: Schedule = PAPER,
    ) -> None:
        super().__init__()
        check_fits(data, skeleton)
        if order not in (1, 2):
            raise ValueError(f"order is 1 or 2, not {order!r}")
        self.space, self.skeleton, self.data = space, skeleton, data
        self.order = first_order if order == 1 else second_order
        self.schedule, self.seed = schedule, whole_number("seed", seed, least=0)
        self.net = nets.supernet(space, skeleton, seed).without_scales()
        # Zeros, so that all options weigh the same (appendix A.1.1).
        self.parameters = {"alpha": torch.zeros(space.mask.shape, requires_grad=True)}
        train, val = self.halves()
        self.train_batches = endless(train.reseeded(self.seed).reseeded(0))
        self.val_batches = endless(val.reseeded(self.seed).reseeded(1))

    # What variants change: the strengths, the mixture, the loss, the updates.

    def relaxation(self) -> Tensor:
        """Strengths of the options [D, K], softmax(alpha): what the architecture is made of."""
        return softmax(self.parameters["alpha"], self.space)

    def mixture(self, moment: Moment) -> Tensor:
        """The w that the supernet runs with, [D, K]: here the strengths, at any moment."""
        return self.relaxation()

    def loss(self, batch: Batch, moment: Moment = Moment()) -> Tensor:  # noqa: B008 - immutable
        """Mean cross-entropy of a batch at the present parameters, in nats."""
        images, labels = batch
        return functional.cross_entropy(self.net(images, self.mixture(moment)), labels)

    def updates(self, progress: float) -> tuple[Gradient, Gradient]:
        """Algorithm 1: alphas move on a batch of their half, then weights. Both gradients."""
        batch, val_batch = next(self.train_batches), next(self.val_batches)
        now, then = self.moment(progress, 0), self.moment(progress, 1)
        train, val = partial(self.loss, batch, now), partial(self.loss, val_batch, now)
        by_alpha = self.order(train, val, self._alphas, self._weights, self.schedule.rate(progress))
        self.move_alphas(by_alpha, progress)
        by_weight = gradient(partial(self.loss, batch, then), self._weights)
        self.move_weights(by_weight, progress)
        return by_alpha, by_weight

    def moment(self, progress: float, turn: int) -> Moment:
        """Fixes what is drawn in a turn of the present step."""
        return Moment(progress, (self.seed, len(self.log) + 1, turn))

    def begin(self) -> None:
        """New optimisers."""
        self._alphas = list(self.parameters.values())
        self._weights = [weight for weight in self.net.parameters() if weight.requires_grad]
        self._alpha_optimiser = self.schedule.alpha_optimiser(self._alphas)
        self._weight_optimiser = self.schedule.weight_optimiser(self._weights)

    def step(self, used: Used) -> Callable[..., DartsStep]:
        """Both updates."""
        by_alpha, by_weight = self.updates(used(0))
        alpha = self.parameters["alpha"].detach().numpy().copy()
        losses: dict[str, Any] = {"train_loss": by_weight.loss, "val_loss": by_alpha.loss}
        return partial(DartsStep, **losses, alpha=alpha, w=self.strengths())

    def move_alphas(self, by: Gradient, progress: float) -> None:
        """A step of Adam, but not while the weights warm up."""
        self._give(self._alphas, by, "alpha_rate")
        if progress >= self.schedule.warmup:
            self._alpha_optimiser.step()

    def move_weights(self, by: Gradient, progress: float) -> None:
        """A step of gradient descent, with a gradient no longer than ``clip``."""
        self._give(self._weights, by, "weight_rate")
        self._weight_optimiser.param_groups[0]["lr"] = self.schedule.rate(progress)
        torch.nn.utils.clip_grad_norm_(self._weights, self.schedule.clip)
        self._weight_optimiser.step()

    def _give(self, parameters: Tensors, by: Gradient, rate: str) -> None:
        if not math.isfinite(by.loss + norm(by.parts)):
            raise FloatingPointError(
                f"step {len(self.log) + 1}: the loss is {by.loss:g}, and its gradient's norm "
                f"{norm(by.parts):g}. The log keeps all steps before. Search again with a lower "
                f"rate, for example Schedule({rate}={getattr(self.schedule, rate) / 10:.2g})"
            )
        for parameter, part in zip(parameters, by.parts, strict=True):
            parameter.grad = part

    def halves(self) -> tuple[Loader, Loader]:
        """Images for the weights and images for the alphas."""
        loader = self.data.train_dataloader()
        half = len(loader.labels) // 2
        parts = slice(half), slice(half, None)
        halves = ((loader.images[part], loader.labels[part]) for part in parts)
        first, second = (replace(loader, images=x, labels=y) for x, y in halves)
        return first, second

    # What it has learnt.

    @property
    def alphas(self) -> np.ndarray:
        """Raw parameters of the options after each step, float32 [steps, D, K]; see ``w``."""
        return self._stacked("alpha")

    @property
    def w(self) -> np.ndarray:
        """Strengths of the options after each step, float32 [steps, D, K]: softmax(alpha)."""
        return self._stacked("w")

    def _stacked(self, name: str) -> np.ndarray:
        matrices: list[Any] = [getattr(step, name) for step in self.log]
        return np.array(matrices, dtype=np.float32).reshape(-1, *self.space.mask.shape)

    @torch.no_grad()
    def strengths(self) -> np.ndarray:
        """Strengths of the options now, float32 [D, K]."""
        return self.relaxation().numpy().copy()

    def arch(self, step: int = -1, *, keep_none: bool = False) -> Arch:
        """What the search would give if it ended after a step, an index into the log.
        See ``discretise``. With an empty log all options are equal, and the first ones win."""
        w = self.log[step].w if self.log else self.strengths()
        return discretise(self.space, w, keep_none=keep_none)


def endless(loader: Loader) -> Iterator[Batch]:
    """Batches of pass after pass."""
    return chain.from_iterable(repeat(loader))
