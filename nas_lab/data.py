"""Fashion-MNIST in memory, at any resolution, as a `d2l.torch.DataModule`.

The kit ships a fixed subset, `datasets/fashion_mnist.npz`, so nothing is downloaded.
`python -m nas_lab.data` builds it from the official files; its datasheet is beside it.

Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking
Machine Learning Algorithms", 2017, arXiv:1708.07747.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path

import d2l.torch as d2l
import numpy as np
import torch
from torch.nn import functional as F

from nas_lab import checks, runtime
from nas_lab.checks import whole_number

runtime.one_thread()

MEAN, STD = 0.2860, 0.3530  # of a pixel, scaled to [0, 1], over the official training set
LABELS = (
    *("t-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # of Debian's dataset-fashion-mnist

_SUBSET = "fashion_mnist.npz"
_SPLIT_SEED = 2021
_PER_CLASS = {"train": 1000, "validation": 400, "test": 400}
_OFFICIAL: Mapping[str, tuple[str, tuple[int, ...]]] = {  # file and shape of each array
    "train_images": ("train-images-idx3-ubyte", (60_000, 28, 28)),
    "train_labels": ("train-labels-idx1-ubyte", (60_000,)),
    "test_images": ("t10k-images-idx3-ubyte", (10_000, 28, 28)),
    "test_labels": ("t10k-labels-idx1-ubyte", (10_000,)),
}
_REMEDY = (
    "Restore it with `git checkout -- datasets`, reinstall nas-lab, or build it anew from the "
    "official files with `python -m nas_lab.data`."
)

Arrays = Mapping[str, np.ndarray]


@dataclass(eq=False)
class Loader:
    """Batches of images and labels that are already in memory.
    Every pass over a loader with a `seed` is in a new order, which (seed, number of the pass)
    fixes; without one, all passes keep the order of the tensors."""

    images: torch.Tensor
    labels: torch.Tensor
    batch_size: int
    seed: tuple[int, ...] | None = None
    passes: int = field(default=0, init=False)

    def __len__(self) -> int:
        return -(-len(self.labels) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        self.passes += 1
        if self.seed is None:
            pair = self.images, self.labels
            return zip(*(part.split(self.batch_size) for part in pair), strict=True)
        generator = runtime.generator(*self.seed, self.passes - 1)
        order = torch.randperm(len(self.labels), generator=generator).to(self.labels.device)
        return ((self.images[rows], self.labels[rows]) for rows in order.split(self.batch_size))

    def reseeded(self, seed: int) -> Loader:
        """Return a loader at its first pass whose orders depend on `seed` too."""
        return replace(self, seed=(*(self.seed or ()), seed))


class ImageModule(d2l.DataModule):
    """Images in memory as a d2l data module: `_split(name)` gives a split's images and labels."""

    images: int | None = None
    _split: Callable[[str], tuple[torch.Tensor, torch.Tensor]]

    def train_dataloader(self) -> Loader:
        """Return the training images as a `Loader`, in a new order every time it is iterated."""
        images, labels = self._split("train")
        rows = slice(self.images)
        return Loader(images[rows], labels[rows], self.batch_size, (self.seed,))

    def val_dataloader(self) -> Loader:
        """Return the validation images as a `Loader`."""
        return Loader(*self._split("validation"), self.batch_size)

    def test_dataloader(self) -> Loader:
        """Return the test images as a `Loader`. Look at them once, when all is decided."""
        return Loader(*self._split("test"), self.batch_size)


class FashionMNIST(ImageModule):
    """Fashion-MNIST as normalised float32 tensors [N, 1, r, r], read once a process.

    Validation images are 4,000 of the official training set.

    Args:
        resolution: height and width r of the images; they are resized from 28 with antialiasing.
        seed: fixes the order of the training images in every epoch.
        images: train on the first so many images only; every prefix is class-balanced."""

    channels = 1
    classes = len(LABELS)

    def __init__(
        self,
        resolution: int = 16,
        batch_size: int = 128,
        seed: int = 0,
        *,
        images: int | None = None,
    ) -> None:
        resolution = whole_number("resolution", resolution)
        batch_size = whole_number("batch_size", batch_size)
        seed = whole_number("seed", seed, least=0)
        images = images if images is None else whole_number("images", images)
        super().__init__(num_workers=0)
        self.save_hyperparameters()
        available = len(self._split("train")[1])
        if images is not None and images > available:
            raise ValueError(f"images={images:,}, but there are only {available:,} to train on")

    def __reduce__(self) -> tuple:
        return partial(type(self), **self.hparams), ()

    def text_labels(self, indices: Iterable[int] | torch.Tensor) -> list[str]:
        """Return the name of the class of every label in `indices`."""
        return [LABELS[int(index)] for index in indices]

    def _split(self, split: str) -> tuple[torch.Tensor, torch.Tensor]:
        return _tensors(split, self.resolution)


@lru_cache(maxsize=12)
def _tensors(split: str, resolution: int) -> tuple[torch.Tensor, torch.Tensor]:
    arrays = _subset()
    images = normalise(torch.from_numpy(arrays[f"{split}_images"]), resolution)
    return images, torch.from_numpy(arrays[f"{split}_labels"]).long()


@lru_cache(maxsize=1)
def _subset() -> Arrays:
    return load(checks.dataset(_SUBSET))


def normalise(images: torch.Tensor, resolution: int) -> torch.Tensor:
    """Return uint8 images [N, 28, 28] as float32 [N, 1, r, r], normalised by `MEAN` and `STD`."""
    return resize(images.unsqueeze(1), resolution).sub_(MEAN).div_(STD)


def resize(images: torch.Tensor, resolution: int) -> torch.Tensor:
    """Return uint8 images [N, C, H, W] as float32 [N, C, r, r] in [0, 1]."""
    pixels, size = images.float().div_(255), (resolution, resolution)
    if pixels.shape[-2:] == size:
        return pixels.contiguous()
    return F.interpolate(pixels, size, mode="bilinear", antialias=True)


def load(path: Path) -> Arrays:
    """Return the arrays of a subset file; the archive holds a checksum of each.
    For each of train, validation and test: `*_images` uint8 [N, 28, 28], `*_labels` uint8 [N] and
    `*_indices` int32 [N], the places in the official training or test set."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as error:  # zip, zlib and numpy each have their own
        raise checks.DamagedFileError(f"{path} cannot be read ({error}). {_REMEDY}") from error


def find_official(root: Path | None = None) -> Path:
    """Return the folder that holds the official idx files."""
    roots = [root] if root is not None else [DEBIAN, Path("../data")]
    folders = [folder for r in roots for folder in (r, r / "FashionMNIST" / "raw")]
    for folder in folders:
        if all(_idx_file(folder, name).is_file() for name, _ in _OFFICIAL.values()):
            return folder
    raise FileNotFoundError(
        f"The official Fashion-MNIST files are not in {', '.join(map(str, folders))}. "
        "Install Debian's package dataset-fashion-mnist, name their folder with --source, "
        "or let torchvision download them with --download."
    )


def read_official(folder: Path) -> dict[str, np.ndarray]:
    """Return the official set: `train_*` (60,000) and `test_*` (10,000), images and labels."""
    return {
        name: read_idx(_idx_file(folder, file), shape) for name, (file, shape) in _OFFICIAL.items()
    }


def _idx_file(folder: Path, name: str) -> Path:
    """Return the path of an idx file, gzipped or, where that is missing, plain."""
    packed = folder / f"{name}.gz"
    return packed if packed.is_file() else folder / name


def read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Return a file in LeCun's idx format, gzipped or not, as a uint8 array of this shape."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise checks.DamagedFileError(f"{path} cannot be read: {error}. Get it anew.") from error
    # Big-endian: two zero bytes, 8 for uint8, the number of axes, then a 32-bit length for each.
    header = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">i4").tobytes()
    if not content.startswith(header) or len(content) != len(header) + np.prod(shape):
        raise checks.DamagedFileError(f"{path} is no idx file of shape {shape}. Get it anew.")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape).copy()


def select(official: Arrays) -> dict[str, np.ndarray]:
    """Return the subset of the official set, each split balanced and in balanced order.
    Training and validation images are drawn without overlap from the official training set."""
    rng = np.random.default_rng(_SPLIT_SEED)
    subset: dict[str, np.ndarray] = {}
    for source, splits in {"train": ["train", "validation"], "test": ["test"]}.items():
        labels = official[f"{source}_labels"]
        shuffled = rng.permutation(len(labels))
        rows = shuffled[_balanced(labels[shuffled])].reshape(-1, len(LABELS))
        for split in splits:
            chosen, rows = np.split(rows, [_PER_CLASS[split]])
            places = chosen.ravel()
            subset |= {
                f"{split}_images": official[f"{source}_images"][places],
                f"{split}_labels": official[f"{source}_labels"][places],
                f"{split}_indices": places.astype(np.int32),
            }
    return subset


def _balanced(labels: np.ndarray) -> np.ndarray:
    """Return indices, every ten of which hold each class once, as far as the rarest class goes."""
    by_class = [np.flatnonzero(labels == label) for label in range(len(LABELS))]
    rounds = min(map(len, by_class))
    return np.stack([indices[:rounds] for indices in by_class], axis=1).ravel()


def build(official: Path, folder: Path) -> Path:
    """Write the subset of the official files into `folder`, with its checksum; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _SUBSET
    partial_path = path.with_name(path.name + ".part")
    with open(partial_path, "wb") as file:
        checks.save_arrays(file, select(read_official(official)))
    partial_path.replace(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{digest}  {path.name}\n", "utf-8", newline="\n")
    return path


def main(arguments: list[str] | None = None) -> None:
    """Build `datasets/fashion_mnist.npz`; `python -m nas_lab.data --help` lists the options."""
    parser = argparse.ArgumentParser(prog="python -m nas_lab.data", description=main.__doc__)
    source = "the official idx files or torchvision's root (default: Debian's folder, then ../data)"
    parser.add_argument("--source", type=Path, help=source)
    parser.add_argument("--download", action="store_true", help="let torchvision download them")
    parser.add_argument("--output", type=Path, default=Path("datasets"), help="folder to write to")
    options = parser.parse_args(arguments)
    if options.download:
        from torchvision import datasets

        datasets.FashionMNIST(str(options.source or "../data"), download=True)
    path = build(find_official(options.source), options.output)
    sys.stdout.write(f"{path}: {path.stat().st_size / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main()
