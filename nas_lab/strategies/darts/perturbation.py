"""Choose options by what their removal costs, and not by their alphas."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nas_lab import runtime
from nas_lab.checks import whole_number
from nas_lab.spaces.base import Arch
from nas_lab.spaces.cell_darts import Darts as DartsSpace
from nas_lab.strategies.darts.discretising import NONE
from nas_lab.strategies.darts.edges import incoming
from nas_lab.strategies.darts.steps import endless

if TYPE_CHECKING:
    from nas_lab.strategies.darts.search import Darts


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
