"""How fast the two learners of DARTS move."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from nas_lab.checks import number_in


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
