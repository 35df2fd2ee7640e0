"""One-shot: train one network that contains them all, a path at a time, then rank its parts.

A sampler says which architectures a step takes out of the supernet. It is made for a space and its
skeleton; called with a random generator, it gives the architectures of one step.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np
import torch
from torch.nn import functional

from nas_lab import nets, runtime
from nas_lab.checks import number_in, whole_number
from nas_lab.data import FashionMNIST
from nas_lab.estimation.training import check_fits
from nas_lab.estimation.weight_sharing import SharedWeights
from nas_lab.spaces.base import Arch, Skeleton, Space


class Sampler(Protocol):
    """Anything that draws the architectures of one step."""

    def __call__(self, rng: np.random.Generator) -> list[Arch]:
        """Return at least one architecture."""
        ...


@dataclass(frozen=True)
class Uniform:
    """Single path: one architecture, all with the same probability.

    Source: Z. Guo et al., "Single Path One-Shot Neural Architecture Search with Uniform
    Sampling", ECCV 2020, arXiv:1904.00420, section 3.2.
    """

    space: Space
    skeleton: Skeleton

    def __call__(self, rng: np.random.Generator) -> list[Arch]:
        """One architecture."""
        return [self.space.sample(rng)]


@dataclass(frozen=True)
class Distinct:
    """Single path: one architecture in canonical form, all with the same probability.

    Where several architectures are one network, ``Uniform`` draws that network more often, and
    those with most spellings are the small ones. Here each network is drawn as often as any other:
    an architecture that is not in canonical form is drawn again.
    """

    space: Space
    skeleton: Skeleton

    def __call__(self, rng: np.random.Generator) -> list[Arch]:
        """One architecture."""
        arch = self.space.sample(rng)
        while not self._is_canonical(arch):
            arch = self.space.sample(rng)
        return [arch]

    @cached_property
    def _is_canonical(self) -> Callable[[Arch], bool]:
        return lru_cache(20_000)(lambda arch: self.space.canonical(arch) == arch)


@dataclass(frozen=True)
class Fair:
    """Strict fairness: every option of a decision equally often in every step.

    A step holds m architectures, m being the least common multiple of the numbers of options. Of
    each decision the options are dealt out in random order, all m / K times. Gradients of the m
    architectures are added up before the weights move, so no option gets ahead.

    Source: X. Chu, B. Zhang, R. Xu, "FairNAS", ICCV 2021, arXiv:1907.01845, section 3.3, where
    all decisions have the same number of options.

    Raises:
        ValueError: some combinations are excluded from the space, so options cannot be dealt out
            decision by decision.
    """

    space: Space
    skeleton: Skeleton

    def __post_init__(self) -> None:
        if math.prod(self._counts) != self.space.size:
            raise ValueError(
                f"{self.space.name} excludes combinations of options, so they cannot be dealt out "
                "fairly: use Uniform"
            )

    def __call__(self, rng: np.random.Generator) -> list[Arch]:
        """m architectures."""
        paths = math.lcm(*self._counts)
        dealt = [rng.permutation(np.arange(paths) % count) for count in self._counts]
        return [tuple(arch) for arch in np.stack(dealt, axis=1).tolist()]

    @property
    def _counts(self) -> list[int]:
        return [len(decision.options) for decision in self.space.decisions]


@dataclass(frozen=True)
class Step:
    """One step of training.

    Attributes:
        number: of the step, from 1, over all trainings of the supernet.
        progress: share of this training's budget that is used, in [0, 1].
        seconds: CPU time of all steps so far.
        loss: mean cross-entropy of the step's architectures on their batch, in nats.
        archs: those architectures.
    """

    number: int
    progress: float
    seconds: float
    loss: float
    archs: tuple[Arch, ...]


class OneShot:
    """A supernet whose weights are trained by running one architecture after the other.

    Every step takes a batch and the architectures of a sampler, and moves the weights that they
    use, by stochastic gradient descent with Nesterov's momentum. The learning rate falls to zero
    along a cosine over the budget, and gradients longer than ``clip`` are shortened to it. Then
    ``estimator()`` ranks architectures by their accuracy on the weights they inherit.

    Normalisations have no scale and shift to learn here: they would have to suit all architectures
    at once, and with them the ranking is worse (``OneShotRuns``). Liu et al. (2019,
    arXiv:1806.09055, appendix A.1) leave them out of the search too. To train them after all, call
    ``one_shot.net.requires_grad_(True)`` before ``fit``.

    Args:
        space: the space to search.
        skeleton: what surrounds the searched part.
        data: images as the skeleton takes them.
        seed: of the initial weights, the order of the images and the architectures.
        sampler: called as ``sampler(space, skeleton)``; what it gives draws the architectures of
            a step. ``Distinct`` (the default), ``Uniform`` or ``Fair``.
        learning_rate: of the first step.
        momentum: in [0, 1).
        weight_decay: as in ``torch.optim.SGD``.
        clip: largest norm of a step's gradient.

    Attributes:
        net: the supernet.
        steps: how many there have been.
        seconds: CPU time of these steps.
        losses: the loss of each.

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
        seed: int = 0,
        sampler: Callable[[Space, Skeleton], Sampler] = Distinct,
        learning_rate: float = 0.1,
        momentum: float = 0.9,
        weight_decay: float = 5e-4,
        clip: float = 5.0,
    ) -> None:
        check_fits(data, skeleton)
        self.space, self.skeleton, self.data = space, skeleton, data
        self.seed = whole_number("seed", seed, least=0)
        self.learning_rate = number_in("learning_rate", learning_rate)
        self.momentum = number_in("momentum", momentum, below=1)
        self.weight_decay = number_in("weight_decay", weight_decay)
        self.clip = number_in("clip", clip)
        self.net = nets.supernet(space, skeleton, seed)
        for module in self.net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.requires_grad_(False)
        self.sampler = sampler(space, skeleton)
        self.steps, self.seconds = 0, 0.0
        self.losses: list[float] = []
        self._passes = 0

    def fit(self, *, seconds: float | None = None, steps: int | None = None) -> OneShot:
        """Train, and return itself. An interrupt ends it early; the weights stay as they are.

        Arguments and errors are those of ``train``.
        """
        try:
            for _ in self.train(seconds=seconds, steps=steps):
                pass
        except KeyboardInterrupt:
            pass
        return self

    def train(self, *, seconds: float | None = None, steps: int | None = None) -> Iterator[Step]:
        """Train step by step; leave the loop at any time.

        Args:
            seconds: budget of CPU time of this thread. Other programs and what is done between
                the steps do not count. How many steps it is worth differs from run to run.
            steps: budget in steps. The same seed and steps give the same weights.

        Yields:
            A ``Step`` after each.

        Raises:
            TypeError, ValueError: not exactly one budget, or one that is not positive; raised at
                the call.
            FloatingPointError: a loss or its gradient is not finite. The weights are those before
                that step.
        """
        if (seconds is None) == (steps is None):
            raise TypeError("give either seconds or steps")
        if steps is not None:
            whole_number("steps", steps)
        elif not 0 < seconds < math.inf:  # type: ignore[operator]
            raise ValueError(f"seconds must be a number above 0, not {seconds!r}")
        return self._train(seconds, steps)

    def _train(self, seconds: float | None, steps: int | None) -> Iterator[Step]:
        optimiser = self._optimiser()
        first, began = self.steps, self.seconds
        batches = self._batches()
        progress = 0.0
        while progress < 1:
            start = time.thread_time()
            for group in optimiser.param_groups:
                group["lr"] = self.learning_rate * (1 + math.cos(math.pi * progress)) / 2
            with runtime.threads(1):
                archs, loss = self._step(optimiser, *next(batches))
            self.steps += 1
            self.seconds += time.thread_time() - start
            self.losses.append(loss)
            if steps is not None:
                progress = (self.steps - first) / steps
            else:
                progress = min(1.0, (self.seconds - began) / (seconds or 1.0))
            yield Step(self.steps, progress, self.seconds, loss, archs)

    def _step(
        self, optimiser: torch.optim.SGD, images: torch.Tensor, labels: torch.Tensor
    ) -> tuple[tuple[Arch, ...], float]:
        """Move the weights that the step's architectures use."""
        archs = tuple(self.sampler(np.random.default_rng([self.seed, self.steps])))
        optimiser.zero_grad()
        total = 0.0
        for arch in archs:
            loss = functional.cross_entropy(self.net(images, self.net.one_hot(arch)), labels)
            (loss / len(archs)).backward()
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_(optimiser.param_groups[0]["params"], self.clip)
        if not math.isfinite(total + norm.item()):
            raise FloatingPointError(
                f"step {self.steps + 1} has a loss of {total / len(archs)} and a gradient of norm "
                f"{norm.item()}; the weights are those before it. Train with a lower learning_rate "
                f"than {self.learning_rate}"
            )
        optimiser.step()
        return archs, total / len(archs)

    def _batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            self._passes += 1
            loader = self.data.train_dataloader().reseeded(self.seed).reseeded(self._passes)
            yield from loader

    def _optimiser(self) -> torch.optim.SGD:
        """Momentum begins at zero for all weights, for most of them rest in the first step."""
        weights = [weight for weight in self.net.parameters() if weight.requires_grad]
        optimiser = torch.optim.SGD(
            weights,
            lr=self.learning_rate,
            momentum=self.momentum,
            nesterov=self.momentum > 0,
            weight_decay=self.weight_decay,
            fused=True,
        )
        for weight in weights:
            optimiser.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        return optimiser

    def estimator(self, **options: int) -> SharedWeights:
        """An estimate on a copy of the weights as they are now; options of ``SharedWeights``."""
        return SharedWeights(copy.deepcopy(self.net).requires_grad_(False), self.data, **options)
