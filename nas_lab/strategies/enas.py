"""ENAS: the controller's architectures share one set of weights, so a reward costs one batch."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from scipy import stats

from nas_lab.checks import whole_number
from nas_lab.data import FashionMNIST
from nas_lab.estimation.weight_sharing import SharedWeights
from nas_lab.history import Evaluation, Trial
from nas_lab.spaces.base import Arch, Skeleton, Space
from nas_lab.strategies.base import Learner, Step, Used
from nas_lab.strategies.one_shot import OneShot
from nas_lab.strategies.reinforce import Reinforce


@dataclass(frozen=True, eq=False)
class Turn(Step):
    """One turn of ENAS: weights learn for some steps, then the controller for some."""

    loss: float  # mean cross-entropy of the steps of the weights, in nats
    reward: float  # mean accuracy of the controller's samples, each on one batch
    entropy: float  # of the policy, in nats, added up over the decisions


class Enas(Learner):
    """Efficient NAS (Pham et al. 2018, arXiv:1802.03268, section 2.2).

    Two sets of parameters learn in turns, which are its steps. The shared weights of a supernet
    take ``weight_steps`` steps of gradient descent (in the paper a whole epoch), each on an
    architecture that the controller has just drawn. Then the weights rest, and the controller takes
    ``controller_steps`` steps of REINFORCE. The reward of an architecture is its accuracy on a
    single batch of validation images, with the shared weights: that costs a forward pass where
    Zoph & Le trained a network.

    Validation images make the rewards, so accuracies of the result are honest on test images only.
    ``one_shot`` holds the shared weights; ``controller`` is a ``Reinforce`` with batches of 8.
    """

    weight_steps, controller_steps = 20, 5

    def __init__(
        self, space: Space, skeleton: Skeleton, data: FashionMNIST, *, seed: int = 0
    ) -> None:
        super().__init__()
        self.space, self.data, self.seed = space, data, seed
        self.controller = Reinforce(space, seed=seed, batch=8)
        draw = partial(self.controller.controller.sample, 1)  # an architecture for each step
        self.one_shot = OneShot(space, skeleton, data, seed=seed, sampler=lambda _: draw)
        self._rewarded = 0

    @property
    def w(self) -> np.ndarray:
        """The policy: probability of each option of each decision, float32 [D, K]."""
        return self.controller.w

    def begin(self) -> None:
        """New momentum of the shared weights, whose learning rate falls over all turns."""
        self.one_shot.begin()

    def step(self, used: Used) -> Callable[..., Turn]:
        """A turn: first the weights learn, then the controller."""
        parts = range(self.weight_steps)
        rates = [lambda part, i=i: used((i + part) / self.weight_steps) for i in parts]
        loss = float(np.mean([self.one_shot.advance(rate).loss for rate in rates]))
        reward = float(np.mean([self._train_controller() for _ in range(self.controller_steps)]))
        entropy = float(stats.entropy(self.w.astype(float), axis=1).sum())
        return partial(Turn, loss=loss, reward=reward, entropy=entropy)

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

    def _train_controller(self) -> float:
        """One step of the controller; returns the mean reward of its batch."""
        archs = self.controller.ask(self.controller.batch)
        rewards = self._reward(archs)
        pairs = enumerate(zip(archs, rewards, strict=True), start=self._rewarded)
        self.controller.tell([Trial(id, arch, Evaluation(r)) for id, (arch, r) in pairs])
        self._rewarded += len(archs)
        return sum(rewards) / len(rewards)

    def estimator(self, **options: int) -> SharedWeights:
        """An estimate on the shared weights as they are now; options of ``SharedWeights``."""
        return self.one_shot.estimator(**options)

    def arch(self, samples: int = 10) -> Arch:
        """Of so many that the controller draws, the best by the shared weights (section 2.3)."""
        rng, estimate = np.random.default_rng([self.seed, 0, 1]), self.estimator()
        drawn = self.controller.controller.sample(whole_number("samples", samples), rng)
        return max(dict.fromkeys(drawn), key=lambda arch: estimate(arch, 0).score)
