"""Relaxations: from the architecture's parameters to a matrix w that gradients go through.

    Softmax()                                  # DARTS
    AuxiliarySkip(Softmax())                   # DARTS-
    EdgeNormalisation(Gumbel())                # each edge weighed too, as in PC-DARTS; sampled

A relaxation is a map from parameters to w, and the supernet takes any w. So what these papers
change in the network can be said here, in a line of arithmetic.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch

import torch
from torch import Tensor
from torch.nn import functional

from nas_lab import runtime
from nas_lab.checks import number_in
from nas_lab.spaces.base import Space
from nas_lab.spaces.cells import CELLS_DARTS, EDGES_201, EDGES_DARTS, Darts, NasBench201


@singledispatch
def nodes(space: Space) -> tuple[int, ...]:
    """For each decision, the number of the node that its edge leads to.

    Edges with the same number are those that a node sums. For ``darts()`` nodes of the reduction
    cell have numbers of their own.

    Raises:
        TypeError: the decisions of this kind of space are no edges.
    """
    raise TypeError(
        f"the decisions of {space.name} are no edges of a cell: use nasbench201() or darts()"
    )


@nodes.register
def _nodes_201(space: NasBench201) -> tuple[int, ...]:
    return tuple(node for _, node in EDGES_201)


@nodes.register
def _nodes_darts(space: Darts) -> tuple[int, ...]:
    per_cell = 1 + max(node for _, node in EDGES_DARTS)
    return tuple(i * per_cell + node for i in range(len(CELLS_DARTS)) for _, node in EDGES_DARTS)


def incoming(space: Space) -> list[list[int]]:
    """For each node, the positions of the edges that lead to it; TypeError as ``nodes``."""
    reached = nodes(space)
    return [[i for i, n in enumerate(reached) if n == node] for node in sorted(set(reached))]


def skips(space: Space) -> list[int | None]:
    """For each decision, the token of its ``skip_connect``; None where it has none."""
    return [
        decision.options.index("skip_connect") if "skip_connect" in decision.options else None
        for decision in space.decisions
    ]


Parameters = Mapping[str, Tensor]
"""What is learnt of the architecture, by name: ``alpha`` [D, K], and what a relaxation adds."""


@dataclass(frozen=True)
class Moment:
    """When a relaxation is asked.

    Attributes:
        progress: share of the search that is over, in [0, 1].
        seeds: fix what is drawn; the same seeds draw the same.
    """

    progress: float = 0.0
    seeds: tuple[int, ...] = (0,)


class Relaxation(ABC):
    """A map from parameters to w."""

    def parameters(self, space: Space) -> dict[str, Tensor]:
        """Their initial values: zeros, so that all options weigh the same (Liu et al., A.1.1)."""
        return {"alpha": torch.zeros(space.mask.shape)}

    @abstractmethod
    def strengths(self, parameters: Parameters, space: Space) -> Tensor:
        """What has been learnt, [D, K], without noise or crutches: the architecture's origin."""

    @abstractmethod
    def __call__(self, parameters: Parameters, space: Space, moment: Moment) -> Tensor:
        """The w that the supernet runs with at this moment, [D, K]."""


def softmax(scores: Tensor, space: Space) -> Tensor:
    """Over the options that exist; the other entries are zero."""
    mask = torch.from_numpy(space.mask).to(scores.device)
    return scores.masked_fill(~mask, -torch.inf).softmax(dim=1)


def _check_temperature(temperature: float) -> None:
    if not 0 < temperature < float("inf"):
        raise ValueError(f"a temperature is a number above 0, not {temperature!r}")


@dataclass(frozen=True)
class Softmax(Relaxation):
    """w = softmax(alpha / temperature), row by row (Liu et al. 2019, eq. 2).

    Args:
        temperature: above 0. The paper has 1; the lower it is, the closer are rows to one-hot.

    Raises:
        ValueError: another temperature.
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        _check_temperature(self.temperature)

    def strengths(self, parameters: Parameters, space: Space) -> Tensor:
        """The same as w."""
        return softmax(parameters["alpha"] / self.temperature, space)

    def __call__(self, parameters: Parameters, space: Space, moment: Moment) -> Tensor:
        """w, whatever the moment."""
        return self.strengths(parameters, space)


SOFTMAX = Softmax()
"""That of the paper."""


@dataclass(frozen=True)
class Gumbel(Relaxation):
    """A sample instead of a mean: w = softmax((alpha + g) / temperature), g Gumbel noise.

    Every pass draws g anew. At temperature zero a row would be one-hot, an option drawn with its
    probability softmax(alpha); so what the supernet learns with comes close to what is kept in
    the end. Source: S. Xie et al., "SNAS", ICLR 2019, arXiv:1812.09926.

    Args:
        first: temperature at the beginning, above 0.
        last: temperature at the end, above 0; in between it falls in a straight line.

    Raises:
        ValueError: another temperature.
    """

    first: float = 10.0
    last: float = 0.1

    def __post_init__(self) -> None:
        _check_temperature(self.first)
        _check_temperature(self.last)

    def strengths(self, parameters: Parameters, space: Space) -> Tensor:
        """Probabilities of the options, softmax(alpha)."""
        return softmax(parameters["alpha"], space)

    def __call__(self, parameters: Parameters, space: Space, moment: Moment) -> Tensor:
        """A soft sample."""
        alpha = parameters["alpha"]
        generator = runtime.generator(*moment.seeds)
        uniform = torch.rand(alpha.shape, generator=generator, dtype=torch.float64)
        gumbel = -torch.log(-torch.log(uniform.clamp(1e-12, 1 - 1e-12))).to(alpha)
        return softmax((alpha + gumbel) / self.temperature(moment.progress), space)

    def temperature(self, progress: float) -> float:
        """At a share of the search, in [0, 1]."""
        return self.first + (self.last - self.first) * progress


@dataclass(frozen=True)
class HardGumbel(Gumbel):
    """One option of each decision, with the gradient of the soft sample.

    Forward a row is one-hot, so only the drawn options run and a step is cheaper. Backward it is
    the soft sample (the straight-through estimator), as far as options ran. Source: X. Dong,
    Y. Yang, "Searching for a Robust Neural Architecture in Four GPU Hours" (GDAS), CVPR 2019,
    arXiv:1910.04465.
    """

    def __call__(self, parameters: Parameters, space: Space, moment: Moment) -> Tensor:
        """A hard sample."""
        soft = super().__call__(parameters, space, moment)
        hard = functional.one_hot(soft.argmax(dim=1), soft.shape[1]).to(soft)
        return hard + (soft - soft.detach())  # the bracket is zero, to the last bit


@dataclass(frozen=True)
class AuxiliarySkip(Relaxation):
    """One more skip connection on every edge, which fades away.

    In a network with skips others learn more easily, so a search comes to like skips for that
    and not for what they compute. The added skip does this service, and the searched one is
    judged on its own. Two skips are one with the sum of both weights: w of 'skip_connect' plus
    beta. Beta falls from ``first`` to 0 in a straight line. Source: X. Chu et al., "DARTS-",
    ICLR 2021, arXiv:2009.01027. (In a reduction cell both are the same 1x1 convolution.)

    Args:
        relaxation: gives the other weights.
        first: beta at the beginning, at least 0.

    Raises:
        ValueError: another beta; or, when called, a space without skip connections.
    """

    relaxation: Relaxation = SOFTMAX
    first: float = 1.0

    def __post_init__(self) -> None:
        number_in("first", self.first)

    def parameters(self, space: Space) -> dict[str, Tensor]:
        """Those of the inner relaxation; beta is not learnt."""
        tokens = skips(space)
        if not any(token is not None for token in tokens):
            raise ValueError(f"{space.name} has no skip_connect to add to")
        return self.relaxation.parameters(space)

    def strengths(self, parameters: Parameters, space: Space) -> Tensor:
        """Those of the inner relaxation, without beta."""
        return self.relaxation.strengths(parameters, space)

    def __call__(self, parameters: Parameters, space: Space, moment: Moment) -> Tensor:
        """The inner w, with beta added to its skips."""
        w = self.relaxation(parameters, space, moment)
        skip = torch.zeros_like(w)
        for row, token in enumerate(skips(space)):
            if token is not None:
                skip[row, token] = self.first * (1 - moment.progress)
        return w + skip


@dataclass(frozen=True)
class EdgeNormalisation(Relaxation):
    """Edges into a node compete too: each row of w is multiplied by its edge's weight.

    The weights are a softmax of the parameters ``beta`` [D] over the edges into a node. Source:
    Y. Xu et al., "PC-DARTS", ICLR 2020, arXiv:1907.05737, section 3.3. An architecture is derived
    from the products, as there. (The paper's other idea, to mix a part of the channels only, is
    none of w, and not here.)

    Args:
        relaxation: gives the weights of the options.

    Raises:
        TypeError: when called, a space whose decisions are no edges of a cell.
    """

    relaxation: Relaxation = SOFTMAX

    def parameters(self, space: Space) -> dict[str, Tensor]:
        """Those of the inner relaxation, and ``beta``."""
        return {**self.relaxation.parameters(space), "beta": torch.zeros(len(nodes(space)))}

    def strengths(self, parameters: Parameters, space: Space) -> Tensor:
        """Inner strengths times the weights of the edges."""
        return self._edges(parameters, space) * self.relaxation.strengths(parameters, space)

    def __call__(self, parameters: Parameters, space: Space, moment: Moment) -> Tensor:
        """The inner w times the weights of the edges."""
        return self._edges(parameters, space) * self.relaxation(parameters, space, moment)

    def _edges(self, parameters: Parameters, space: Space) -> Tensor:
        """Softmax over the edges into each node, [D, 1]."""
        beta = parameters["beta"]
        node = torch.tensor(nodes(space), device=beta.device)
        together = node[:, None] == node
        total = torch.where(together, beta, -torch.inf).logsumexp(dim=1)
        return (beta - total).exp()[:, None]
