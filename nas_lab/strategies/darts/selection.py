"""When to stop and what to keep: curvature, skip connections, selection by perturbation.

A stopping rule is a function of the search that says whether it is over, for
``darts.fit(..., until=rule)``. Both rules stop a search before it collapses to skip connections.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor
from torch.nn import functional

from nas_lab import runtime
from nas_lab.checks import number_in, whole_number
from nas_lab.spaces.base import Arch
from nas_lab.spaces.cells import Darts as DartsSpace
from nas_lab.strategies.darts.relaxations import incoming
from nas_lab.strategies.darts.search import NONE
from nas_lab.strategies.darts.updates import Loss, endless

if TYPE_CHECKING:
    from nas_lab.strategies.darts.search import Darts


def curvature(darts: Darts) -> float:
    """Largest eigenvalue of the Hessian of L_val in alpha, in nats, as the search stands.

    L_val is the loss of one batch of the half of the images that alphas learn on, always the
    same, with the strengths as w. Source: A. Zela et al., "Understanding and Robustifying
    Differentiable Architecture Search", ICLR 2020, arXiv:1909.09656, section 4: architectures
    generalise worse where it is high.
    """
    _, val = darts.halves()
    images, labels = val.images[: val.batch_size], val.labels[: val.batch_size]

    def loss() -> Tensor:
        w = darts.relaxation.strengths(darts.parameters, darts.space)
        return functional.cross_entropy(darts.net(images, w), labels)

    with runtime.threads(1):
        return top_eigenvalue(loss, darts.parameters["alpha"])


def top_eigenvalue(loss: Loss, parameter: Tensor, tolerance: float = 1e-3) -> float:
    """Largest eigenvalue of the Hessian of a loss in one parameter, by Lanczos' method.

    The Hessian is not built. Its product with a vector v is the gradient of <gradient, v>, which
    costs about two backward passes; some twenty of them will do.

    Args:
        loss: what to differentiate twice.
        parameter: of at least two elements.
        tolerance: relative error of the eigenvalue.
    """
    (slope,) = torch.autograd.grad(loss(), parameter, create_graph=True)

    def product(v: np.ndarray) -> np.ndarray:
        along = torch.from_numpy(v).to(parameter).view_as(parameter)
        (bent,) = torch.autograd.grad(slope, parameter, along, retain_graph=True)
        return bent.double().numpy().ravel()

    n = parameter.numel()
    start = np.random.default_rng(0).standard_normal(n)  # a constant one gives zero: see softmax
    hessian = LinearOperator((n, n), matvec=product, dtype=np.float64)
    (value,) = eigsh(hessian, 1, which="LA", v0=start, tol=tolerance, return_eigenvectors=False)
    return float(value)


@dataclass(frozen=True)
class TooManySkips:
    """Stop when a normal cell would keep so many skip connections.

    Source: H. Liang et al., "DARTS+", 2019, arXiv:1909.06035, criterion 1: two. For
    a single cell, as on ``nasbench201()``, that cell counts.

    Args:
        limit: stop at so many, at least 1.
        steps: but only when it has been so for so many steps in a row. Single steps jump about
            while alphas are close to each other.

    Raises:
        TypeError, ValueError: an argument is no whole number, or below 1.
    """

    limit: int = 2
    steps: int = 20

    def __post_init__(self) -> None:
        whole_number("limit", self.limit)
        whole_number("steps", self.steps)

    def __call__(self, darts: Darts) -> bool:
        """Whether the search is over."""
        last = range(-1, -1 - self.steps, -1)
        return len(darts.log) >= self.steps and all(
            self.skips(darts, step) >= self.limit for step in last
        )

    def skips(self, darts: Darts, step: int = -1) -> int:
        """Skip connections of the normal cell of ``darts.arch(step)``."""
        chosen = darts.space.decode(darts.arch(step))
        normal = [op for name, op in chosen.items() if not name.startswith("reduce")]
        return normal.count("skip_connect")


@dataclass
class RisingCurvature:
    """Stop when the curvature of the validation loss rises, and go back to before it did.

    The curvature is measured from time to time and smoothed over k values. It has risen when the
    mean of the k before is below ``ratio`` times that of the last k. Then
    ``darts.arch(rule.keep)`` is the architecture of k measurements ago. Source: A. Zela et al.,
    ICLR 2020, arXiv:1909.09656, section 4, with k = 5 passes over the data.

    A rule keeps what it has seen, so make one for each search.

    Args:
        every: steps from one measurement to the next, at least 1.
        window: k, at least 1.
        ratio: above 0 and below 1.

    Attributes:
        steps: when it was measured: numbers of steps.
        values: the curvatures.
        keep: index into ``darts.log`` of the step to go back to; -1, the last, while it goes on.

    Raises:
        TypeError, ValueError: an argument is out of its range.
    """

    every: int = 20
    window: int = 5
    ratio: float = 0.75
    steps: list[int] = field(default_factory=list, init=False)
    values: list[float] = field(default_factory=list, init=False)
    keep: int = field(default=-1, init=False)

    def __post_init__(self) -> None:
        whole_number("every", self.every)
        whole_number("window", self.window)
        number_in("ratio", self.ratio, below=1)

    def __call__(self, darts: Darts) -> bool:
        """Measure if it is time; whether the search is over."""
        number = darts.log[-1].number
        if self.steps and number <= self.steps[-1]:
            raise ValueError("this rule has seen another search: make a new one")
        if number % self.every:
            return False
        self.steps.append(number)
        self.values.append(curvature(darts))
        if not self._risen():
            return False
        self.keep = self.steps[-1 - self.window] - 1
        return True

    def _risen(self) -> bool:
        if len(self.values) < 2 * self.window:
            return False
        before, now = np.mean(np.reshape(self.values[-2 * self.window :], (2, -1)), axis=1)
        return bool(before < self.ratio * now)


@dataclass(frozen=True)
class Perturbation:
    """Perturbation-based selection: ``Perturbation()(darts) -> Arch``.

    Edges are decided one after the other, in random order. On each, every option is taken out in
    its turn, and the one without which the supernet's accuracy is lowest stays. Then the weights
    are tuned with the edge as decided. On ``darts()`` each node at last keeps the two edges
    without which accuracy is lowest, and 'none' is no candidate; elsewhere it is: to take it out
    changes nothing, so it stays where every other option does harm. The search itself is not
    changed. Source: R. Wang et al., "Rethinking Architecture Selection in Differentiable NAS",
    ICLR 2021, arXiv:2108.04392, algorithm 1.

    Args:
        tune: steps of the weights after each decision, at least 0.
        images: measure on so many images of the half that alphas learnt on.
        seed: of the order of edges, nodes and images.

    Raises:
        TypeError, ValueError: an argument is no whole number, or too low.
    """

    tune: int = 20
    images: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        whole_number("tune", self.tune, least=0)
        whole_number("images", self.images)
        whole_number("seed", self.seed, least=0)

    def __call__(self, darts: Darts) -> Arch:
        """Select; it takes D * K measurements and D tunings at least."""
        selection = _Selection(self, darts)
        with runtime.threads(1):
            return selection.run(np.random.default_rng(self.seed))


class _Selection:
    """The supernet on its way from a mixture to a network."""

    def __init__(self, settings: Perturbation, darts: Darts) -> None:
        self.space, self.schedule = darts.space, darts.schedule
        self.net = copy.deepcopy(darts.net)
        self.w = torch.from_numpy(darts.strengths())
        train, val = darts.halves()
        self.images, self.labels = val.images[: settings.images], val.labels[: settings.images]
        self.batches = endless(train.reseeded(settings.seed))
        self.tune_steps = settings.tune
        self.cell = isinstance(self.space, DartsSpace)

    def run(self, rng: np.random.Generator) -> Arch:
        for edge in rng.permutation(len(self.w)):
            tokens = self._candidates(edge)
            self._decide(edge, tokens[int(np.argmin([self._without(edge, t) for t in tokens]))])
            self._tune()
        if self.cell:
            nodes = incoming(self.space)
            for node in rng.permutation(len(nodes)):
                self._keep_two(nodes[node])
                self._tune()
        return self.space.check(self.w.argmax(dim=1).tolist())

    def _candidates(self, edge: int) -> list[int]:
        tokens = np.flatnonzero(self.space.mask[edge]).tolist()
        return [token for token in tokens if not (self.cell and token == NONE)]

    def _decide(self, edge: int, token: int) -> None:
        self.w = self._decided(edge, token)

    def _decided(self, edge: int, token: int) -> Tensor:
        w = self.w.clone()
        w[edge] = 0
        w[edge, token] = 1
        return w

    def _keep_two(self, edges: list[int]) -> None:
        """Leave out all edges into a node but the two that are missed the most."""
        accuracies = [self._accuracy(self._decided(edge, NONE)) for edge in edges]
        for i in np.argsort(accuracies, kind="stable")[2:]:
            self._decide(edges[i], NONE)

    def _without(self, edge: int, token: int) -> float:
        w = self.w.clone()
        w[edge, token] = 0
        return self._accuracy(w)

    @torch.no_grad()
    def _accuracy(self, w: Tensor) -> float:
        return float((self.net(self.images, w).argmax(dim=1) == self.labels).float().mean())

    def _tune(self) -> None:
        optimiser = self.schedule.weight_optimiser(
            [weight for weight in self.net.parameters() if weight.requires_grad]
        )
        for step in range(self.tune_steps):
            for group in optimiser.param_groups:
                group["lr"] = self.schedule.rate(step / self.tune_steps)
            images, labels = next(self.batches)
            optimiser.zero_grad()
            functional.cross_entropy(self.net(images, self.w), labels).backward()
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.schedule.clip)
            optimiser.step()
