"""Joint search of architecture and hyperparameters: a token for the learning rate, as for an edge.

What is best for one network is not for another, so a search of architectures under one fixed
recipe also searches for the architecture that suits the recipe. A. Zela et al., "Towards
Automated Deep Learning: Efficient Joint Neural Architecture and Hyperparameter Search", 2018,
arXiv:1807.06906.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import networkx
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from nas_lab import nets, runtime
from nas_lab.checks import whole_number
from nas_lab.data import ImageModule, Loader, resize
from nas_lab.estimation.training import check_fits
from nas_lab.history import Evaluation
from nas_lab.spaces.base import Arch, Decision, Skeleton, Space
from nas_lab.spaces.network import Network
from nas_lab.training import Curve, Recipe, train
from nas_lab.workflow.images import Splits

SETTINGS: dict[str, tuple[Any, ...]] = {
    "learning_rate": (0.01, 0.03, 0.1, 0.3, 1.0),
    "weight_decay": (1e-5, 1e-4, 1e-3),
    "schedule": ("one_cycle", "cosine", "constant"),
    "augmentation": ("none", "shift", "flip", "shift+flip"),
}


class Settings(NamedTuple):
    """How a network of the joint space is trained: three fields of a ``Recipe``, and the images."""

    learning_rate: float
    weight_decay: float
    schedule: str
    augmentation: str


@dataclass(frozen=True)
class JointSpace(Space):
    """Every architecture of a space with every setting of its training.
    ``decisions`` are those of ``inner``, then those of ``SETTINGS``. So any strategy of tokens
    searches it, and sees no difference."""

    inner: Space

    @classmethod
    def of(cls, inner: Space) -> JointSpace:
        """Join a space with ``SETTINGS``."""
        decisions = (Decision(name, options) for name, options in SETTINGS.items())
        return cls(f"joint_{inner.name}", (*inner.decisions, *decisions), inner)

    @cached_property
    def settings(self) -> Space:
        """The decisions on the training alone, as a space."""
        return Space("settings", self.decisions[len(self.inner.decisions) :])

    def parts(self, arch: Arch) -> tuple[Arch, Settings]:
        """The architecture in ``inner``, and how it is trained."""
        arch = self.check(arch)
        inner = len(self.inner.decisions)
        return arch[:inner], Settings(**self.settings.decode(arch[inner:]))

    @property
    def size(self) -> int:
        """Number of pairs, of any magnitude."""
        return self.inner.size * self.settings.size

    def allowed(self, prefix: Arch) -> Sequence[int]:
        """As in ``inner``; every setting goes with every architecture."""
        if len(prefix) < len(self.inner.decisions):
            return self.inner.allowed(prefix)
        return super().allowed(prefix)

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw an architecture and settings, each pair with the same probability."""
        return (*self.inner.sample(rng), *self.settings.sample(rng))

    def neighbors(self, arch: Arch) -> list[Arch]:
        """All pairs that differ in one decision, or in one step of ``inner``."""
        architecture, _ = self.parts(arch)
        settings = arch[len(architecture) :]
        return [
            *((*other, *settings) for other in self.inner.neighbors(architecture)),
            *((*architecture, *other) for other in self.settings.neighbors(settings)),
        ]

    def canonical(self, arch: Arch) -> Arch:
        """One representative for all tokens that give the same network, trained the same way."""
        architecture, _ = self.parts(arch)
        return (*self.inner.canonical(architecture), *arch[len(architecture) :])

    def network(self, arch: Arch, skeleton: Skeleton) -> Network:
        """The network; it does not depend on the settings."""
        return self.inner.network(self.parts(arch)[0], skeleton)

    def graph(self, arch: Arch) -> networkx.DiGraph:
        """The graph of the architecture."""
        return self.inner.graph(self.parts(arch)[0])


SHIFT = 0.125  # largest shift, as a share of the side: 4 of 32 pixels, as is usual for CIFAR-10
_STREAM = 1_000_003  # what the augmentation draws is unrelated to the order of the images


def augment(images: torch.Tensor, augmentation: str, generator: torch.Generator) -> torch.Tensor:
    """Images [B, C, r, r], each shifted or mirrored by chance.
    "shift" moves an image by up to ``SHIFT`` of its side in both directions, its border repeated;
    "flip" mirrors every second one, left to right."""
    batch, _, _, side = images.shape
    if "flip" in augmentation:
        mirrored = torch.rand(batch, generator=generator) < 0.5
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    reach = round(SHIFT * side)
    if "shift" in augmentation and reach:
        wide = F.pad(images, (reach,) * 4, mode="replicate")
        top, left = torch.randint(2 * reach + 1, (2, batch, 1), generator=generator)
        rows, columns = top + torch.arange(side), left + torch.arange(side)
        every = torch.arange(batch)[:, None, None]
        images = wide.permute(0, 2, 3, 1)[every, rows[:, :, None], columns[:, None, :]]
        images = images.permute(0, 3, 1, 2)
    return images


@dataclass(eq=False)
class AugmentedLoader(Loader):
    """A loader whose images are augmented anew in every pass, fixed by its seed."""

    augmentation: str = "none"

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        generator = runtime.generator(*(self.seed or ()), self.passes, _STREAM)
        batches = super().__iter__()
        return ((augment(images, self.augmentation, generator), y) for images, y in batches)


class ImageData(ImageModule):
    """A reader's splits as normalised float32 tensors [N, C, r, r].
    Mean and standard deviation are those of the training pixels; nothing of validation and test
    images goes into them. Images are resized to r, the resolution, with antialiasing. The seed
    fixes the order of the training images, and their augmentation."""

    augmentation = "none"

    def __init__(
        self, splits: Splits, resolution: int = 12, batch_size: int = 64, seed: int = 0
    ) -> None:
        super().__init__(num_workers=0)
        self.splits = splits
        self.resolution = whole_number("resolution", resolution)
        self.batch_size = whole_number("batch_size", batch_size)
        self.seed = whole_number("seed", seed, least=0)
        self.channels = splits.train.pixels.shape[3]
        self.classes = len(splits.train.classes)

    def augmented(self, augmentation: str) -> ImageData:
        """The same images, without another copy of them, augmented in one of the known ways."""
        other = copy.copy(self)
        other.__dict__ |= {"augmentation": augmentation, "_tensors": self._tensors}
        return other

    def train_dataloader(self) -> AugmentedLoader:
        """The training images, in a new order and augmented anew every time."""
        images, labels = self._tensors["train"]
        return AugmentedLoader(images, labels, self.batch_size, (self.seed,), self.augmentation)

    def _split(self, split: str) -> tuple[torch.Tensor, torch.Tensor]:
        return self._tensors[split]

    @cached_property
    def _tensors(self) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        parts = self.splits.parts
        pixels = {name: torch.from_numpy(part.pixels) for name, part in parts.items()}
        images = {
            name: resize(x.permute(0, 3, 1, 2), self.resolution) for name, x in pixels.items()
        }
        std, mean = torch.std_mean(images["train"], dim=(0, 2, 3), keepdim=True)
        std = std.clamp(min=1e-3)  # of images that are all alike
        return {
            name: ((images[name] - mean) / std, torch.from_numpy(part.labels))
            for name, part in parts.items()
        }


@dataclass(frozen=True, eq=False)
class TrainJointly:
    """Estimate by training: ``estimate(arch, seed) -> Evaluation``.
    The score is the accuracy in [0, 1] on validation images after the last epoch, the cost the
    seconds of training. A training that diverges scores nan. The chosen settings replace those of
    the recipe, and the augmentation of the data."""

    space: JointSpace
    skeleton: Skeleton
    data: ImageData
    recipe: Recipe = field(default_factory=Recipe)

    def __post_init__(self) -> None:
        check_fits(self.data, self.skeleton)

    def __call__(self, arch: Arch, seed: int, *, paid: int = 0, **options: Any) -> Evaluation:
        """Train from scratch, with the options of ``fit``: the validation accuracy, and its cost.
        Epochs that were paid before are paid again: nothing is kept of an earlier training."""
        _, curve = self.fit(arch, seed, **options)
        params = self.space.cost(arch, self.skeleton).params
        return curve.evaluation(arch, {"epochs": len(curve), "params": params})

    def fit(
        self, arch: Arch, seed: int, *, epochs: int | None = None, **options: Any
    ) -> tuple[nn.Module, Curve]:
        """The trained network and its curve.
        The seed is that of the initial weights, the order of the images and their augmentation. The
        schedule ends with the epochs, by default the recipe's. ``options`` are those of ``train``.
        """
        architecture, settings = self.space.parts(arch)
        chosen = settings._asdict()
        data = self.data.augmented(chosen.pop("augmentation"))
        chosen["epochs"] = self.recipe.epochs if epochs is None else epochs
        net = nets.build(self.space.inner, architecture, self.skeleton, seed=seed)
        return net, train(net, data, replace(self.recipe, **chosen), seed=seed, **options)
