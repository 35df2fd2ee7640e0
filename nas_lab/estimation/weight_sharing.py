"""The cheap estimate: weights inherited from a supernet, and no training at all."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from torch.nn import functional

from nas_lab import nets, runtime
from nas_lab.checks import whole_number
from nas_lab.data import FashionMNIST, Loader
from nas_lab.estimation.training import check_fits
from nas_lab.history import Evaluation
from nas_lab.spaces.base import Arch

CHUNK = 1024  # images that run through the network at once when it is evaluated
BATCH = 128  # images of each architecture, where statistics are averaged over several


@dataclass(frozen=True)
class SharedWeights:
    """Estimate an architecture on weights that it shares: `estimate(arch, seed) -> Evaluation`.

    The score is the accuracy in [0, 1] on validation images, the cost the seconds of CPU time it
    took. Metrics: ``val_loss``, the mean cross-entropy in nats.

    Means and variances of normalisations are those of the architecture: they are recomputed on
    training images that the seed draws, as Guo et al. (2020, arXiv:1904.00420, section 3.4) found
    necessary. Accuracies are lower than after training alone; only their order is of use.

    There are ``calibration`` images for the statistics, and ``validation`` images to measure on, a
    class-balanced prefix; None takes all. Half of them rank as well, in half of the time."""

    net: nets.Supernet
    data: FashionMNIST
    calibration: int = 1024
    validation: int | None = 2000

    def __post_init__(self) -> None:
        check_fits(self.data, self.net.skeleton)
        whole_number("calibration", self.calibration)
        if self.validation is not None:
            whole_number("validation", self.validation)

    @torch.no_grad()
    def __call__(self, arch: Arch, seed: int) -> Evaluation:
        """Recompute the statistics of `arch`, and measure it on validation images."""
        arch, seed = self.net.space.check(arch), whole_number("seed", seed, least=0)
        began = time.thread_time()
        network, loader = self._network(arch, seed), self.data.val_dataloader()
        images, labels = loader.images[: self.validation], loader.labels[: self.validation]
        device = runtime.device_of(self.net)
        right = loss = 0.0
        for x, y in Loader(images, labels, CHUNK):
            logits, y = network(x.to(device)), y.to(device)
            right += float((logits.argmax(1) == y).sum())
            loss += float(functional.cross_entropy(logits, y, reduction="sum"))
        metrics = {"val_loss": loss / len(labels)}
        return Evaluation(right / len(labels), time.thread_time() - began, metrics)

    def _network(self, arch: Arch, seed: int) -> Callable[[torch.Tensor], torch.Tensor]:
        """The architecture with its statistics: from images to logits."""
        w = self.net.one_hot(arch)
        passes = [(self._training_images(seed), w)]
        return partial(nets.calibrated(self.net, passes, self._twin), w=w)

    @cached_property
    def _twin(self) -> nets.Supernet:
        return nets.calibrated(self.net, [])  # a copy takes longer than an evaluation

    def _training_images(self, seed: int) -> torch.Tensor:
        images = self.data.train_dataloader().images
        order = torch.randperm(len(images), generator=runtime.generator(seed))
        return images[order[: self.calibration]].to(runtime.device_of(self.net))


@dataclass(frozen=True)
class AveragedStatistics(SharedWeights):
    """Inherited weights with one mean and variance a module, over ``archs`` random architectures.
    So would a supernet rank whose batch normalisations keep moving averages, as they do by default
    in torch: the averages belong to no architecture. It is here to be measured, not to be used."""

    archs: int = 100

    def _network(self, arch: Arch, seed: int) -> Callable[[torch.Tensor], torch.Tensor]:
        return partial(self.averaged, w=self.net.one_hot(arch))

    @cached_property
    def averaged(self) -> nets.Supernet:
        """The supernet with the averages, each of them over batches of ``BATCH`` images."""
        sample, rng = self.net.space.sample, np.random.default_rng(0)
        drawn = (self.net.one_hot(sample(rng)) for _ in range(self.archs))
        passes = ((self._training_images(i)[:BATCH], w) for i, w in enumerate(drawn))
        return nets.calibrated(self.net, passes)
