"""DARTS for a device: the loss knows what the mixture costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nas_lab.data import FashionMNIST
from nas_lab.estimation.pareto import LookupTable
from nas_lab.spaces.base import Skeleton, Space
from nas_lab.strategies.darts.relaxations import Moment
from nas_lab.strategies.darts.search import Darts
from nas_lab.strategies.darts.updates import Batch

Trade = Callable[[Tensor, Tensor], Tensor]
"""From a loss and expected seconds to what is minimised; both are scalars with gradients."""


def times_log_latency(loss: Tensor, latency: Tensor, beta: float, unit: float = 1e-6) -> Tensor:
    """The lecture's ``loss * log(latency)^beta``, FBNet's eq. 2 without its factor.

    Args:
        loss: of a batch, in nats.
        latency: expected seconds.
        beta: how much latency counts.
        unit: seconds that count as 1; shorter than every latency, so that the logarithm is
            positive.
    """
    return loss * torch.log(latency / unit) ** beta


def plus_latency(loss: Tensor, latency: Tensor, weight: float) -> Tensor:
    """ProxylessNAS's ``loss + weight * latency`` (Cai et al. 2019, section 3.3).

    Args:
        loss: of a batch, in nats.
        latency: expected seconds.
        weight: nats that a second is worth.
    """
    return loss + weight * latency


class LatencyAwareDarts(Darts):
    """DARTS whose alphas also descend the expected latency of the mixture.

    The expected latency is linear in w (FBNet, Wu et al. 2019, arXiv:1812.03443), so it
    has a gradient in the alphas, which the latency of a single network has not.

    Args:
        space: the space to search.
        skeleton: what surrounds the searched part, in the supernet; the table's may differ.
        data: images as the skeleton takes them.
        table: what each option costs on the device.
        trade: how loss and latency become one number. The default is the lecture's product with
            beta = 1.
        options: further arguments of ``Darts``.

    Losses in the log are those that are minimised: ``trade`` of cross-entropy and latency.

    Raises:
        ValueError: the table is of another space, or its cheapest network is quicker than ``unit``.
    """

    def __init__(
        self,
        space: Space,
        skeleton: Skeleton,
        data: FashionMNIST,
        *,
        table: LookupTable,
        trade: Trade = partial(times_log_latency, beta=1.0),  # noqa: B008 - it has no state
        **options: Any,
    ) -> None:
        if table.space.fingerprint != space.fingerprint:
            raise ValueError(
                f"the look-up table is of {table.space.name}, the search of {space.name}: "
                "fit one to architectures of the space that is searched"
            )
        self.table, self.trade = table, trade
        cheapest = torch.tensor(table.base)
        if not 0 < float(trade(torch.tensor(1.0), cheapest)) < math.inf:
            raise ValueError(
                f"a loss of 1 at the cheapest network's {table.base:g} s has to be worth more than "
                "0: choose a shorter unit, or fit the table with a floor"
            )
        super().__init__(space, skeleton, data, **options)

    def loss(self, batch: Batch, moment: Moment) -> Tensor:
        """What is minimised, at the present parameters."""
        return self.trade(super().loss(batch, moment), self.expected_latency(moment))

    def expected_latency(self, moment: Moment | None = None) -> Tensor:
        """Seconds that the mixture costs; at a moment of the search, or by the strengths."""
        if moment is None:
            return self.table.expected(self.relaxation.strengths(self.parameters, self.space))
        return self.table.expected(self.relaxation(self.parameters, self.space, moment))
