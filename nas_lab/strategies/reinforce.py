"""REINFORCE: a controller writes architectures, and learns from how good they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from nas_lab import runtime
from nas_lab._arguments import number_in, whole_number
from nas_lab.history import Trial
from nas_lab.spaces.base import Arch, Space
from nas_lab.strategies.base import SeededStrategy
from nas_lab.strategies.controllers import Controller, LSTMController, chosen, entropy
from nas_lab.strategies.policy_gradient import PolicyGradient


class Reinforce(SeededStrategy, PolicyGradient):
    """Policy gradient on a controller (Williams 1992; Zoph & Le 2017, arXiv:1611.01578).

    It maximises J = E[R], the mean reward of what the controller draws, by stochastic gradient
    ascent. Zoph & Le (section 3.2) estimate the gradient from a batch of m architectures as

        1/m sum_k  grad log p(arch_k) (R_k - b)

    where the baseline b is a moving average of rewards. It does not depend on the batch, so it
    leaves the mean of the estimate alone, and makes it less noisy. The reward R is the score plus
    ``entropy`` times the entropy of the architecture's decisions, so J is E[score] + ``entropy``
    H(p): a controller that is sure of itself too early is paid less.

    Args:
        space: the space to search.
        seed: of the initial weights and of all samples.
        controller: called as ``controller(space, seed=seed)``.
        learning_rate: of Adam, as in the paper.
        baseline_decay: in [0, 1); how much of the baseline stays at each step.
        entropy: weight of the entropy, in units of the score for each nat.
        batch: trials for one gradient step. It is done as soon as that many have been told.

    Attributes:
        controller: the policy.
        baseline: b; nan before the first step.

    Failed trials, with a score that is not finite, are counted but not learnt from. A trial that
    is never told is not missed. On one machine a seed repeats exactly; on another, sums may be
    rounded otherwise.
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        controller: Callable[..., Controller] = LSTMController,
        learning_rate: float = 0.01,
        baseline_decay: float = 0.9,
        entropy: float = 0.01,
        batch: int = 4,
    ) -> None:
        super().__init__(space, seed=seed)
        self.learning_rate = number_in("learning_rate", learning_rate)
        self.baseline_decay = number_in("baseline_decay", baseline_decay, below=1)
        self.entropy = number_in("entropy", entropy)
        self.batch = whole_number("batch", batch)
        if isinstance(controller, torch.nn.Module) or not callable(controller):
            raise TypeError(
                "controller is called as controller(space, seed=seed): give a class such as "
                f"FactorisedController, not {controller!r}"
            )
        self.controller = controller(space, seed=self.seed)
        self.optimiser = torch.optim.Adam(
            self.controller.parameters(), lr=self.learning_rate, fused=True
        )
        self.baseline = math.nan
        self._told: list[tuple[Arch, float]] = []  # since the last step

    @property
    def w(self) -> np.ndarray:
        """The policy: probability of each option of each decision, float32 [D, K]."""
        return self.controller.w

    def ask(self, n: int) -> list[Arch]:
        """Draw ``n`` architectures from the controller."""
        n, rng = whole_number("n", n), self.next_rng()
        with runtime.threads(1):
            return self.controller.sample(n, rng)

    def tell(self, trials: Sequence[Trial]) -> None:
        """Collect trials, and do a gradient step with all of them once they make a batch."""
        self._told += [(self.space.check(trial.arch), trial.result.score) for trial in trials]
        if len(self._told) >= self.batch:
            scored = [(arch, score) for arch, score in self._told if math.isfinite(score)]
            self._told = []
            if scored:
                with runtime.threads(1):
                    self.descend(*self.loss(*zip(*scored, strict=True)))

    def loss(
        self, archs: Sequence[Arch], scores: Sequence[float]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What gradient descent descends, and the rewards.

        Args:
            archs: architectures that the controller drew, B of them.
            scores: how good they are, finite.

        Returns:
            As ``policy_loss``: a scalar, and rewards [B].
        """
        log_p = self.controller(archs)
        return self.policy_loss(chosen(log_p, archs), entropy(log_p), scores)
