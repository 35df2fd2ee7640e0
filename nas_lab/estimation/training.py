"""Training from scratch, costly and unbiased; and low-fidelity estimates, cheaper and biased.

Cut are epochs, images, pixels or channels. Each function takes a ``TrainFromScratch`` and
returns another one, so they compose:

    cheap = fewer_epochs(fewer_images(estimate, 2_000), 2)

All of them are measured on the same validation images as before. D. Zhou et al., "EcoNAS: Finding
Proxies for Economical Neural Architecture Search", CVPR 2020, arXiv:2001.01233, compare the four.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from nas_lab import nets
from nas_lab.data import FashionMNIST
from nas_lab.history import Evaluation
from nas_lab.spaces import Skeleton
from nas_lab.spaces.base import Arch, Space
from nas_lab.training import Curve, Recipe, train


@dataclass(frozen=True)
class TrainFromScratch:
    """Estimate an architecture by training it: `estimate(arch, seed) -> Evaluation`.
    The score is the accuracy in [0, 1] on the validation images after the last epoch, the cost the
    seconds of training. The seed fixes initial weights and order of the images, so the same seed
    gives the same score on a CPU. A training that diverges scores nan, and `metrics["diverged"]` is
    1. An interrupt is passed on: half a training is no result."""

    space: Space
    skeleton: Skeleton
    data: FashionMNIST
    recipe: Recipe = field(default_factory=Recipe)

    def __post_init__(self) -> None:
        check_fits(self.data, self.skeleton)

    def __call__(self, arch: Arch, seed: int) -> Evaluation:
        """Train `arch` from scratch and return its validation accuracy with its cost."""
        _, curve = self.fit(arch, seed)
        metrics: dict[str, float] = self.space.cost(arch, self.skeleton)._asdict()
        metrics["diverged"] = float(curve.status == "diverged")
        if len(curve):
            metrics |= {"train_loss": curve.train_loss[-1], "val_loss": curve.val_loss[-1]}
        return curve.evaluation(arch, metrics | {"epochs": len(curve)})

    def fit(self, arch: Arch, seed: int, **options: Any) -> tuple[nn.Module, Curve]:
        """Return the trained network and its curve; `options` are those of `training.train`."""
        net = nets.build(self.space, arch, self.skeleton, seed=seed)
        return net, train(net, self.data, self.recipe, seed=seed, **options)


def check_fits(data: FashionMNIST, skeleton: Skeleton) -> None:
    """Raise ValueError unless images and classes are those that the skeleton takes."""
    pairs = {"resolution": "resolution", "channels": "in_channels", "classes": "classes"}
    for ours, theirs in pairs.items():
        given, expected = getattr(data, ours), getattr(skeleton, theirs)
        if given != expected:
            raise ValueError(
                f"the data's {ours} is {given}, but skeleton.{theirs} is {expected}; "
                f"make them equal, for example Skeleton({theirs}={given})"
            )


def fewer_epochs(estimate: TrainFromScratch, epochs: int) -> TrainFromScratch:
    """Train for so many epochs, with a schedule of their own.
    The learning rate falls to almost 0 within these few epochs. That is another training than a
    long one that is stopped early, ``nas_lab.estimation.EarlyStopped``."""
    return replace(estimate, recipe=replace(estimate.recipe, epochs=epochs))


def fewer_images(estimate: TrainFromScratch, images: int) -> TrainFromScratch:
    """Train on the first so many images, and so in fewer steps; every ten hold each class once."""
    return replace(estimate, data=_changed(estimate.data, images=images))


def lower_resolution(estimate: TrainFromScratch, resolution: int) -> TrainFromScratch:
    """Train on, and validate with, images of so many pixels in height and width."""
    data = _changed(estimate.data, resolution=resolution)
    return replace(estimate, data=data, skeleton=replace(estimate.skeleton, resolution=resolution))


def fewer_channels(estimate: TrainFromScratch, channels: int) -> TrainFromScratch:
    """Train networks whose stem has so many channels; all stages shrink in proportion.
    Networks of chains, ``mlp()`` and ``rnn()`` do not depend on the skeleton's channels."""
    return replace(estimate, skeleton=replace(estimate.skeleton, channels=channels))


def _changed(data: FashionMNIST, **changes: Any) -> FashionMNIST:
    """The same data with other arguments."""
    return type(data)(**(data.hparams | changes))
