"""A reader's images as batches, at any resolution, and a little different every time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import d2l.torch as d2l
import torch
from torch.nn import functional as F

from nas_lab import runtime
from nas_lab.checks import whole_number
from nas_lab.data import Loader
from nas_lab.workflow.images import Images, Splits
from nas_lab.workflow.joint import AUGMENTATIONS

SHIFT = 0.125
"""Largest shift, as a share of the side: 4 of 32 pixels, as is usual for CIFAR-10."""
_STREAM = 1_000_003  # what the augmentation draws is unrelated to the order of the images


def augment(images: torch.Tensor, augmentation: str, generator: torch.Generator) -> torch.Tensor:
    """Images [B, C, r, r], each shifted or mirrored by chance.

    "shift" moves an image by up to ``SHIFT`` of its side in both directions, its border repeated;
    "flip" mirrors every second one, left to right.
    """
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


@dataclass(frozen=True, eq=False)
class AugmentedLoader(Loader):
    """A loader whose images are augmented anew in every pass, fixed by its seed."""

    augmentation: str = "none"

    def _batches(self, number: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        generator = runtime.generator(*(self.seed or ()), number, _STREAM)
        for images, labels in super()._batches(number):
            yield augment(images, self.augmentation, generator), labels


class ImageData(d2l.DataModule):
    """A reader's splits as normalised float32 tensors [N, C, r, r].

    Mean and standard deviation are those of the training pixels; nothing of validation and test
    images goes into them.

    Args:
        splits: what to train on, to choose by, and to test with.
        resolution: height and width r; images are resized with antialiasing.
        batch_size: images a batch.
        seed: fixes the order of the training images, and their augmentation.
        augmentation: of training images, one of ``AUGMENTATIONS``.

    Raises:
        TypeError, ValueError: an argument is wrong.
    """

    def __init__(
        self,
        splits: Splits,
        resolution: int = 12,
        batch_size: int = 64,
        seed: int = 0,
        *,
        augmentation: str = "none",
    ) -> None:
        super().__init__(num_workers=0)
        if augmentation not in AUGMENTATIONS:
            raise ValueError(
                f"unknown augmentation {augmentation!r}: choose from {', '.join(AUGMENTATIONS)}"
            )
        self.splits = splits
        self.resolution = whole_number("resolution", resolution)
        self.batch_size = whole_number("batch_size", batch_size)
        self.seed = whole_number("seed", seed, least=0)
        self.augmentation = augmentation
        self.channels = splits.train.pixels.shape[3]
        self.classes = len(splits.train.classes)

    def augmented(self, augmentation: str) -> ImageData:
        """The same images, without another copy of them, with another augmentation."""
        other = ImageData(
            self.splits, self.resolution, self.batch_size, self.seed, augmentation=augmentation
        )
        other.__dict__["_tensors"] = self._tensors
        return other

    def train_dataloader(self) -> AugmentedLoader:
        """The training images, in a new order and augmented anew every time."""
        images, labels = self._tensors["train"]
        return AugmentedLoader(images, labels, self.batch_size, (self.seed,), self.augmentation)

    def val_dataloader(self) -> Loader:
        """The validation images as they are."""
        return Loader(*self._tensors["validation"], self.batch_size)

    def test_dataloader(self) -> Loader:
        """The test images. Look at them once, when all is decided."""
        return Loader(*self._tensors["test"], self.batch_size)

    def get_dataloader(self, train: bool) -> Loader:
        """The training images, or the validation images."""
        return self.train_dataloader() if train else self.val_dataloader()

    @cached_property
    def _tensors(self) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        resized = {name: self._resized(part) for name, part in self.splits.parts.items()}
        std, mean = torch.std_mean(resized["train"], dim=(0, 2, 3), keepdim=True)
        std = std.clamp(min=1e-3)  # of images that are all alike
        return {
            name: ((images - mean) / std, torch.from_numpy(self.splits.parts[name].labels))
            for name, images in resized.items()
        }

    def _resized(self, images: Images) -> torch.Tensor:
        pixels = torch.from_numpy(images.pixels).permute(0, 3, 1, 2).float() / 255
        size = (self.resolution, self.resolution)
        if pixels.shape[-2:] == size:
            return pixels.contiguous()
        return F.interpolate(pixels, size, mode="bilinear", antialias=True)
