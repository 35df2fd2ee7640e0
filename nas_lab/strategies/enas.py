"""ENAS: the controller's architectures share one set of weights, so a reward costs one batch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from nas_lab import runtime
from nas_lab.checks import whole_number
from nas_lab.data import FashionMNIST
from nas_lab.estimation.weight_sharing import SharedWeights
from nas_lab.history import Evaluation, Trial
from nas_lab.spaces.base import Arch, Skeleton, Space
from nas_lab.strategies.one_shot import OneShot
from nas_lab.strategies.reinforce import Reinforce


@dataclass(frozen=True)
class Turn:
    """One turn of ENAS: weights learn for some steps, then the controller for some.

    Attributes:
        number: of the turn, from 1.
        progress: share of the budget that is used, in [0, 1].
        seconds: CPU time so far, of weights and controller together.
        loss: mean cross-entropy of the turn's steps of the weights, in nats.
        reward: mean accuracy, each on one batch of validation images, of the turn's samples.
        entropy: of the policy, in nats; log of the number of options, added over the decisions,
            where it knows nothing yet.
    """

    number: int
    progress: float
    seconds: float
    loss: float
    reward: float
    entropy: float


class Enas:
    """Efficient NAS (Pham et al. 2018, arXiv:1802.03268, section 2.2).

    Two sets of parameters learn in turns. The shared weights of a supernet take ``weight_steps``
    steps of gradient descent, each on an architecture that the controller has just drawn. Then
    the weights rest, and the controller takes ``controller_steps`` steps of REINFORCE. The reward
    of an architecture is its accuracy on a single batch of validation images, with the shared
    weights: that costs a forward pass where Zoph & Le trained a network.

    Args:
        space: the space to search.
        skeleton: what surrounds the searched part.
        data: images as the skeleton takes them. Validation images make the rewards, so accuracies
            of the result are honest on test images only.
        seed: of everything that is drawn.
        weight_steps: batches of training images in one turn. The paper takes a whole epoch.
        controller_steps: steps of the controller in one turn.
        batch: architectures in each of them.
        learning_rate: of the controller.
        entropy: weight of the entropy in the reward.

    Attributes:
        one_shot: the shared weights, and how they are trained.
        controller: the strategy ``Reinforce`` that learns from their rewards.

    Raises:
        TypeError, ValueError: an argument is out of its range, or there is no supernet of this
            kind of space.
    """

    def __init__(
        self,
        space: Space,
        skeleton: Skeleton,
        data: FashionMNIST,
        *,
        seed: int = 0,
        weight_steps: int = 20,
        controller_steps: int = 5,
        batch: int = 8,
        learning_rate: float = 0.01,
        entropy: float = 0.01,
    ) -> None:
        self.weight_steps = whole_number("weight_steps", weight_steps)
        self.controller_steps = whole_number("controller_steps", controller_steps)
        self.space, self.data, self.seed = space, data, seed
        self.controller = Reinforce(
            space, seed=seed, learning_rate=learning_rate, entropy=entropy, batch=batch
        )
        self.one_shot = OneShot(space, skeleton, data, seed=seed, sampler=lambda *_: self._draw)
        self.turns, self.seconds = 0, 0.0
        self._rewarded = 0

    @property
    def w(self) -> np.ndarray:
        """The policy: probability of each option of each decision, float32 [D, K]."""
        return self.controller.w

    def fit(self, turns: int) -> Enas:
        """Learn, and return itself. An interrupt ends it early; what was learnt stays.

        Arguments and errors are those of ``train``.
        """
        try:
            for _ in self.train(turns):
                pass
        except KeyboardInterrupt:
            pass
        return self

    def train(self, turns: int) -> Iterator[Turn]:
        """Learn turn by turn; leave the loop at any time.

        Args:
            turns: how many. The learning rate of the shared weights falls over all of them.

        Yields:
            A ``Turn`` after each.

        Raises:
            TypeError, ValueError: ``turns`` is no whole number above 0; raised at the call.
            FloatingPointError: the loss of the shared weights is not finite.
        """
        return self._train(whole_number("turns", turns))

    def _train(self, turns: int) -> Iterator[Turn]:
        steps = self.one_shot.train(steps=turns * self.weight_steps)
        for turn in range(1, turns + 1):
            began = time.thread_time()
            loss = float(np.mean([next(steps).loss for _ in range(self.weight_steps)]))
            reward = float(np.mean([self._teach() for _ in range(self.controller_steps)]))
            self.turns += 1
            self.seconds += time.thread_time() - began
            yield Turn(self.turns, turn / turns, self.seconds, loss, reward, self._entropy())

    def _draw(self, rng: np.random.Generator) -> list[Arch]:
        """What a step of the shared weights learns on."""
        with runtime.threads(1):
            return self.controller.controller.sample(1, rng)

    @torch.no_grad()
    def _reward(self, archs: list[Arch]) -> list[float]:
        """Accuracy of each architecture on the next batch of validation images."""
        loader = self.data.val_dataloader()
        rng = np.random.default_rng([self.seed, self._rewarded])
        rows = torch.from_numpy(rng.permutation(len(loader.labels))[: loader.batch_size])
        images, labels = loader.images[rows], loader.labels[rows]
        net = self.one_shot.net
        answers = [net(images, net.one_hot(arch)).argmax(1) for arch in archs]
        return [float((answer == labels).float().mean()) for answer in answers]

    def _teach(self) -> float:
        """One step of the controller; returns the mean reward of its batch."""
        archs = self.controller.ask(self.controller.batch)
        with runtime.threads(1):
            rewards = self._reward(archs)
        first = self._rewarded
        self._rewarded += len(archs)
        self.controller.tell(
            [
                Trial(first + i, arch, Evaluation(reward))
                for i, (arch, reward) in enumerate(zip(archs, rewards, strict=True))
            ]
        )
        return sum(rewards) / len(rewards)

    def _entropy(self) -> float:
        """Of the marginal probabilities of the decisions, in nats."""
        w = self.w.astype(float)
        return float(-(w[w > 0] * np.log(w[w > 0])).sum())

    # ---- what it found -----------------------------------------------------------------------

    def estimator(self, **options: int) -> SharedWeights:
        """An estimate on the shared weights as they are now; options of ``SharedWeights``."""
        return self.one_shot.estimator(**options)

    def arch(self, samples: int = 10, seed: int = 0) -> Arch:
        """The best of some architectures that the controller draws (section 2.3 of the paper).

        Args:
            samples: how many are drawn and compared, on the shared weights.
            seed: of the draws, and of the estimate.
        """
        samples = whole_number("samples", samples)
        rng = np.random.default_rng([self.seed, whole_number("seed", seed, least=0), 1])
        with runtime.threads(1):
            drawn = dict.fromkeys(self.controller.controller.sample(samples, rng))
        estimate = self.estimator()
        return max(drawn, key=lambda arch: estimate(arch, seed).score)
