"""One-shot search: train a supernet one path at a time, then rank architectures on its weights.

A sampler says which architectures, or paths, a step trains. It is made for a space; called with a
random generator, it gives the architectures of one step.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nas_lab import nets
from nas_lab.checks import whole_number
from nas_lab.data import FashionMNIST
from nas_lab.estimation.training import check_fits
from nas_lab.estimation.weight_sharing import SharedWeights
from nas_lab.spaces.base import Arch, Skeleton, Space
from nas_lab.spaces.chains import Transformer
from nas_lab.strategies.base import Learner, Step, Used

Sampler = Callable[[np.random.Generator], list[Arch]]
"""Draws the architectures of one step, at least one."""


@dataclass(frozen=True)
class Uniform:
    """One architecture, all as likely (single path: Guo et al. 2020, arXiv:1904.00420, 3.2)."""

    space: Space

    def __call__(self, rng: np.random.Generator) -> list[Arch]:
        """One architecture."""
        return [self.space.sample(rng)]


@dataclass(frozen=True)
class Distinct:
    """One architecture in canonical form, all as likely: others are drawn again.
    Where several architectures are one network, ``Uniform`` draws that network more often, and
    those with most spellings are the small ones."""

    space: Space

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
    A step holds m architectures, the least common multiple of the numbers of options. Of each
    decision the options are dealt out in random order, all m / K times. Gradients are added up
    before the weights move, so no option gets ahead (X. Chu et al., "FairNAS", ICCV 2021,
    arXiv:1907.01845, section 3.3)."""

    space: Space

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
class Sandwich:
    """The largest architecture, the smallest, and two at random, in one step.
    What lies between is bounded by both (Yu and Huang 2019, arXiv:1903.05134, section 3.1)."""

    space: Transformer

    def __post_init__(self) -> None:
        if not isinstance(self.space, Transformer):
            raise ValueError(f"{self.space.name} has no largest network: use Uniform")

    def __call__(self, rng: np.random.Generator) -> list[Arch]:
        """Four architectures, the largest first."""
        smallest = (0,) * len(self.space.decisions)
        drawn = [self.space.sample(rng) for _ in range(2)]
        return [self.space.largest, smallest, *drawn]


@dataclass(frozen=True, eq=False)
class PathStep(Step):
    """One step: its architectures, and their mean cross-entropy on a batch, in nats."""

    loss: float
    archs: tuple[Arch, ...]


class OneShot(Learner):
    """A supernet whose weights are trained by running one architecture after the other.

    Every step takes a batch and the architectures of a sampler, and moves the weights that they
    use, with the supernet's own optimiser and ``rates``. The learning rate falls to zero along a
    cosine over the budget, and gradients longer than ``clip`` are shortened to it. Then
    ``estimator()`` ranks architectures by their accuracy on the weights they inherit.

    Normalisations have no scale and shift to learn here: they would have to suit all architectures
    at once, and with them the ranking is worse (``OneShotRuns``; Liu et al. 2019, arXiv:1806.09055,
    appendix A.1, leave them out too). ``one_shot.net.requires_grad_(True)`` before ``fit`` trains
    them. ``sampler(space)`` draws the architectures of a step: ``Distinct``, ``Uniform``, ``Fair``,
    ``Sandwich``. With ``distill``, only the first of a step learns the labels; the others learn the
    probabilities that it gives (in-place distillation: Yu and Huang 2019, section 3.3).
    """

    def __init__(
        self,
        space: Space,
        skeleton: Skeleton,
        data: FashionMNIST,
        *,
        seed: int = 0,
        sampler: Callable[[Space], Sampler] = Distinct,
        distill: bool = False,
    ) -> None:
        super().__init__()
        check_fits(data, skeleton)
        self.space, self.skeleton, self.data = space, skeleton, data
        self.seed = whole_number("seed", seed, least=0)
        self.net = nets.supernet(space, skeleton, seed).without_scales()
        self.sampler, self.distill = sampler(space), distill
        self.learning_rate, self.momentum, self.weight_decay, self.clip = self.net.rates
        self._passes = 0

    @property
    def steps(self) -> int:
        """How many there have been."""
        return len(self.log)

    @property
    def losses(self) -> list[float]:
        """The loss of each step."""
        return [step.loss for step in self.log]

    def begin(self) -> None:
        """New momentum, and a new pass over the images."""
        rates = self.learning_rate, self.momentum, self.weight_decay
        self._optimiser = self.net.optimiser(*rates)
        self._batches = self._all_batches()

    def step(self, used: Used) -> Callable[..., PathStep]:
        """Move the weights that the architectures of the sampler use."""
        (group,) = self._optimiser.param_groups
        group["lr"] = self.learning_rate * (1 + math.cos(math.pi * used(0))) / 2
        images, labels = next(self._batches)
        archs = tuple(self.sampler(np.random.default_rng([self.seed, self.steps])))
        self._optimiser.zero_grad()
        total, target = 0.0, labels
        for arch in archs:
            logits = self.net(images, self.net.one_hot(arch))
            loss = functional.cross_entropy(logits, target)
            if self.distill and target is labels:
                target = logits.detach().softmax(dim=1)
            (loss / len(archs)).backward()
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_(group["params"], self.clip)
        if not math.isfinite(total + norm.item()):
            raise FloatingPointError(
                f"step {self.steps + 1} has a loss of {total / len(archs)} and a gradient of norm "
                f"{norm.item()}; the weights are those before it. Train with a lower learning_rate "
                f"than {self.learning_rate}"
            )
        self._optimiser.step()
        return partial(PathStep, loss=total / len(archs), archs=archs)

    def _all_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            self._passes += 1
            yield from self.data.train_dataloader().reseeded(self.seed).reseeded(self._passes)

    def estimator(self, **options: int) -> SharedWeights:
        """An estimate on a copy of the weights as they are now; options of ``SharedWeights``."""
        return SharedWeights(copy.deepcopy(self.net).requires_grad_(False), self.data, **options)
