"""DARTS: search by gradient descent on a mixture, then keep the strongest operations."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nas_lab import nets, runtime
from nas_lab.checks import number_in, whole_number
from nas_lab.data import FashionMNIST, Loader
from nas_lab.estimation.training import check_fits
from nas_lab.spaces.base import Arch, Skeleton, Space
from nas_lab.spaces.cells import Darts as DartsSpace
from nas_lab.strategies.darts.relaxations import SOFTMAX, Moment, Relaxation, incoming
from nas_lab.strategies.darts.updates import ORDERS, Batch, Step, endless


@dataclass(frozen=True)
class Schedule:
    """Two optimisers and their rates; the defaults are those of Liu et al. 2019, appendix A.1.1.

    Those are meant for 50 passes over half of CIFAR-10. Adam moves a parameter by its rate at
    most, so in a search of a few hundred steps alphas hardly leave zero, clear as their order may
    be: ``SHORT`` is a schedule for such searches.

    Args:
        weight_rate: learning rate of the weights in the first step: gradient descent with
            momentum, along a cosine. It is also xi, the rate of the virtual step.
        last_weight_rate: rate in the last step. The paper says zero, the authors' code has this.
        momentum: of the weights, in [0, 1).
        weight_decay: of the weights.
        clip: largest norm of their gradient; from the authors' code.
        alpha_rate: learning rate of the architecture: Adam.
        alpha_betas: Adam's two decay rates, in [0, 1).
        alpha_decay: weight decay of the architecture, as in ``torch.optim.Adam``.
        warmup: share of the search in which only weights learn, in [0, 1). The paper has none;
            15 of 50 passes in PC-DARTS (Xu et al. 2020).

    Raises:
        ValueError: a value is out of its range.
    """

    weight_rate: float = 0.025
    last_weight_rate: float = 0.001
    momentum: float = 0.9
    weight_decay: float = 3e-4
    clip: float = 5.0
    alpha_rate: float = 3e-4
    alpha_betas: tuple[float, float] = (0.5, 0.999)
    alpha_decay: float = 1e-3
    warmup: float = 0.0

    def __post_init__(self) -> None:
        for name in ("weight_rate", "last_weight_rate", "weight_decay", "alpha_rate"):
            number_in(name, getattr(self, name))
        number_in("alpha_decay", self.alpha_decay)
        for name in ("momentum", "warmup"):
            number_in(name, getattr(self, name), below=1)
        for beta in self.alpha_betas:
            number_in("alpha_betas", beta, below=1)
        if not self.clip > 0:
            raise ValueError(f"clip is a number above 0, not {self.clip!r}; math.inf clips nothing")

    def rate(self, progress: float) -> float:
        """Learning rate of the weights at a share of the search, in [0, 1]."""
        fall = (1 + math.cos(math.pi * progress)) / 2
        return self.last_weight_rate + (self.weight_rate - self.last_weight_rate) * fall

    def weight_optimiser(self, weights: Iterable[Tensor]) -> torch.optim.SGD:
        """Momentum begins at zero for all weights, for some may rest in the first step."""
        optimiser = torch.optim.SGD(
            weights,
            lr=self.weight_rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            fused=True,
        )
        for weight in optimiser.param_groups[0]["params"]:
            optimiser.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        return optimiser

    def alpha_optimiser(self, alphas: Iterable[Tensor]) -> torch.optim.Adam:
        """Adam."""
        return torch.optim.Adam(
            alphas, lr=self.alpha_rate, betas=self.alpha_betas, weight_decay=self.alpha_decay
        )


PAPER = Schedule()
"""Rates of the paper."""

SHORT = Schedule(weight_rate=0.1, alpha_rate=0.02)
"""Rates for searches of a few hundred steps, found by trial on the cell of NAS-Bench-201."""


NONE = 0
"""Token of 'none' in a DARTS cell."""


@singledispatch
def strongest(space: Space, w: np.ndarray) -> Arch:
    """The strongest option of each decision, the lecture's argmax.

    On ``nasbench201()`` 'none' is an option like any other, as in the experiments of its authors
    (Dong & Yang 2020). On ``darts()`` each node keeps its two strongest inputs, where the
    strength of an edge is its largest weight but that of 'none' (Liu et al. 2019, section 2.4).
    Of equal weights the first wins.

    Args:
        space: of the architecture.
        w: weights [D, K].

    Raises:
        ValueError: ``w`` has another shape, or the space excludes the combination.
    """
    return space.check(np.where(space.mask, _checked(space, w), -np.inf).argmax(axis=1).tolist())


@strongest.register
def _two_inputs(space: DartsSpace, w: np.ndarray) -> Arch:
    candidates = _checked(space, w).copy()
    candidates[:, NONE] = -np.inf
    tokens, strength = candidates.argmax(axis=1), candidates.max(axis=1)
    arch = np.full(len(w), NONE)
    for edges in incoming(space):
        kept = sorted(edges, key=lambda edge: -strength[edge])[:2]
        arch[kept] = tokens[kept]
    return space.check(arch.tolist())


def _checked(space: Space, w: np.ndarray) -> np.ndarray:
    w = np.asarray(w, dtype=float)
    if w.shape != space.mask.shape:
        raise ValueError(f"{space.name} takes w of shape {space.mask.shape}, not {w.shape}")
    return w


class Darts:
    """Differentiable architecture search (Liu et al. 2019, arXiv:1806.09055).

    All options run, and their outputs are mixed with the weights w = softmax(alpha). Alphas are
    learnt by gradient descent, as the weights of the network are. The training images are split
    in halves. Every step first moves the alphas, on a batch of the second half, and then the
    weights, on a batch of the first (algorithm 1). In the end each decision keeps its strongest
    option.

    Normalisations use the statistics of the batch and have no scale and shift of their own, so
    that none can undo w (appendix A.1.1).

    Args:
        space: the space to search.
        skeleton: what surrounds the searched part.
        data: images as the skeleton takes them. Validation images are not used, so accuracies on
            them are honest.
        order: 1 takes the weights as they are (xi = 0), 2 looks one step of the weights ahead.
            "joint" is for comparison: no halves, alphas and weights move together on every batch
            of all training images, which the paper tried and found to be worse.
        seed: of the initial weights, the order of the images, and what a relaxation draws.
        relaxation: how w comes from the parameters.
        schedule: optimisers and learning rates.

    Attributes:
        net: the supernet.
        parameters: of the architecture, by name; ``alpha`` is [D, K].
        log: a ``Step`` for each.
        seconds: CPU time of these steps.
        train_batches: where the weights' batches come from.
        val_batches: where the alphas' batches come from.

    Raises:
        TypeError: no supernet of this kind of space, or an argument of a wrong type.
        ValueError: an argument is out of its range, or the data do not fit the skeleton.
    """

    def __init__(
        self,
        space: Space,
        skeleton: Skeleton,
        data: FashionMNIST,
        *,
        order: Literal[1, 2, "joint"] = 1,
        seed: int = 0,
        relaxation: Relaxation = SOFTMAX,
        schedule: Schedule = PAPER,
    ) -> None:
        check_fits(data, skeleton)
        if order not in ORDERS:
            raise ValueError(f"order is 1, 2 or 'joint', not {order!r}")
        self.space, self.skeleton, self.data = space, skeleton, data
        self.order, self.relaxation, self.schedule = order, relaxation, schedule
        self.seed = whole_number("seed", seed, least=0)
        self.net = nets.supernet(space, skeleton, seed)
        for module in self.net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.requires_grad_(False)
        self.parameters = {
            name: value.requires_grad_() for name, value in relaxation.parameters(space).items()
        }
        self.log: list[Step] = []
        self.seconds = 0.0
        train, val = self.halves()
        self.train_batches = endless(train.reseeded(self.seed).reseeded(0))
        self.val_batches = endless(val.reseeded(self.seed).reseeded(1))

    # ---- what it has learnt ------------------------------------------------------------------

    @property
    def alphas(self) -> np.ndarray:
        """Raw parameters of the options after each step, float32 [steps, D, K]; see ``w``."""
        return self._stacked([step.alpha for step in self.log])

    @property
    def w(self) -> np.ndarray:
        """Strengths of the options after each step, float32 [steps, D, K]: softmax(alpha)."""
        return self._stacked([step.w for step in self.log])

    def arch(self, step: int = -1) -> Arch:
        """What the search would give if it ended after a step: see ``strongest``.

        Args:
            step: index into the log; -1 is the last. With an empty log all options are equal, and
                the first ones win.

        Raises:
            IndexError: there is no such step.
        """
        return strongest(self.space, self.log[step].w if self.log else self.strengths())

    def _stacked(self, matrices: Sequence[np.ndarray]) -> np.ndarray:
        shape = (-1, *self.space.mask.shape)
        return np.array(matrices, dtype=np.float32).reshape(shape)

    @torch.no_grad()
    def strengths(self) -> np.ndarray:
        """Strengths of the options now, float32 [D, K]."""
        return self.relaxation.strengths(self.parameters, self.space).numpy().copy()

    # ---- learning ----------------------------------------------------------------------------

    def fit(
        self,
        *,
        seconds: float | None = None,
        steps: int | None = None,
        until: Callable[[Darts], bool] | None = None,
    ) -> Darts:
        """Search, and return itself. An interrupt ends it early; what was learnt stays.

        Arguments and errors are those of ``train``.
        """
        try:
            for _ in self.train(seconds=seconds, steps=steps, until=until):
                pass
        except KeyboardInterrupt:
            pass
        return self

    def train(
        self,
        *,
        seconds: float | None = None,
        steps: int | None = None,
        until: Callable[[Darts], bool] | None = None,
    ) -> Iterator[Step]:
        """Search step by step; leave the loop at any time.

        Args:
            seconds: budget of CPU time of this thread. Other programs and what is done between
                the steps do not count. How many steps it is worth differs from run to run.
            steps: budget in steps. The same seed and steps give the same search.
            until: asked after each step; the search ends early when it says so. Rules are in
                ``selection``.

        Yields:
            A ``Step`` after each.

        Raises:
            TypeError, ValueError: not exactly one budget, or one that is not positive; raised at
                the call.
            FloatingPointError: a loss or a gradient is not finite. The log is kept.
        """
        if (seconds is None) == (steps is None):
            raise TypeError("give either seconds or steps")
        if steps is not None:
            whole_number("steps", steps)
        elif not 0 < seconds < math.inf:  # type: ignore[operator]
            raise ValueError(f"seconds must be a number above 0, not {seconds!r}")
        return self._train(seconds, steps, until or _never)

    def _train(
        self, seconds: float | None, steps: int | None, until: Callable[[Darts], bool]
    ) -> Iterator[Step]:
        move = ORDERS[self.order](self)
        first, began = len(self.log), self.seconds
        progress = 0.0
        while progress < 1:
            start = time.thread_time()
            with runtime.threads(1):
                step = move(progress)
            self.seconds += time.thread_time() - start
            if steps is not None:
                progress = (step.number - first) / steps
            else:
                progress = min(1.0, (self.seconds - began) / (seconds or 1.0))
            self.log.append(replace(step, progress=progress, seconds=self.seconds))
            yield self.log[-1]
            if until(self):
                return

    def loss(self, batch: Batch, moment: Moment) -> Tensor:
        """Mean cross-entropy of a batch at the present parameters, in nats."""
        images, labels = batch
        w = self.relaxation(self.parameters, self.space, moment)
        return functional.cross_entropy(self.net(images, w), labels)

    def halves(self) -> tuple[Loader, Loader]:
        """Images for the weights and images for the alphas; with "joint" all of them twice."""
        loader = self.data.train_dataloader()
        if self.order == "joint":
            return loader, loader
        half = len(loader.labels) // 2
        images, labels = loader.images, loader.labels
        return (
            replace(loader, images=images[:half], labels=labels[:half]),
            replace(loader, images=images[half:], labels=labels[half:]),
        )


def _never(darts: Darts) -> bool:
    return False
