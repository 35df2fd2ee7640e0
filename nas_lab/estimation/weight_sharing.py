"""The cheap estimate: weights inherited from a supernet, and no training at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch.nn import functional

from nas_lab import runtime
from nas_lab.checks import whole_number
from nas_lab.data import FashionMNIST
from nas_lab.estimation.training import check_fits
from nas_lab.history import Evaluation
from nas_lab.nets import Supernet
from nas_lab.spaces.base import Arch

CHUNK = 1024
"""Images that run through the network at once when it is evaluated."""


@dataclass(frozen=True)
class SharedWeights:
    """Estimate an architecture on weights that it shares: `estimate(arch, seed) -> Evaluation`.

    The score is the accuracy in [0, 1] on validation images, the cost the seconds of CPU time it
    took. Metrics: ``val_loss``, the mean cross-entropy in nats.

    Means and variances of normalisations are those of the architecture: they are recomputed on
    training images that the seed draws, as Guo et al. (2020, arXiv:1904.00420, section 3.4) found
    necessary. Accuracies are lower than after training alone; only their order is of use.

    Args:
        net: the trained supernet; it is read, never changed.
        data: images as its skeleton takes them.
        calibration: training images for the statistics.
        validation: measure on the first so many validation images; every prefix is
            class-balanced. None takes all; half of them rank as well, in half of the time.

    Raises:
        TypeError: a number of images is no whole number.
        ValueError: it is below 1, or the data do not fit the skeleton.
    """

    net: Supernet
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
        with runtime.threads(1):
            accuracy, loss = self._measure(arch, seed)
        return Evaluation(accuracy, time.thread_time() - began, {"val_loss": loss})

    def _measure(self, arch: Arch, seed: int) -> tuple[float, float]:
        network = self._network(arch, seed)
        loader = self.data.val_dataloader()
        images, labels = loader.images[: self.validation], loader.labels[: self.validation]
        device = runtime.device_of(self.net)
        right = loss = 0.0
        for x, y in zip(images.split(CHUNK), labels.split(CHUNK), strict=True):
            logits = network(x.to(device))
            y = y.to(device)
            right += float((logits.argmax(1) == y).sum())
            loss += float(functional.cross_entropy(logits, y, reduction="sum"))
        return right / len(labels), loss / len(labels)

    def _network(self, arch: Arch, seed: int) -> Callable[[torch.Tensor], torch.Tensor]:
        """The architecture with its statistics: from images to logits."""
        w = self.net.one_hot(arch)
        statistics = self.net.statistics(self._training_images(seed), w)
        return partial(self.net, w=w, statistics=statistics)

    def _training_images(self, seed: int) -> torch.Tensor:
        images = self.data.train_dataloader().images
        order = torch.randperm(len(images), generator=runtime.generator(seed))
        return images[order[: self.calibration]].to(runtime.device_of(self.net))
