"""A reader's own images: read from a folder or a CSV, checked, and split.

Each check asks one question and answers in a sentence. None of them proves data to be good; all
of them have found data to be bad. C. G. Northcutt, A. Athalye, J. Mueller, "Pervasive Label
Errors in Test Sets Destabilize Machine Learning Benchmarks", 2021, arXiv:2103.14749; B. Barz,
J. Denzler, "Do We Train on Test Data?", 2020, arXiv:1902.00423, found one in thirty test images
of CIFAR-10 among those for training.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from nas_lab.checks import whole_number

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one size with their classes."""

    pixels: np.ndarray  # uint8 [N, height, width, channels]; 1 is grey, 3 are red, green, blue
    labels: np.ndarray  # int64 [N], places in ``classes``
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.labels.dtype.kind not in "iu":
            raise TypeError(
                f"pixels are uint8 and labels whole numbers, not {self.pixels.dtype} and "
                f"{self.labels.dtype}: scale to 0 ... 255, then call .astype(numpy.uint8)"
            )
        object.__setattr__(self, "labels", self.labels.astype(np.int64))
        shape = self.pixels.shape
        if len(shape) != 4 or shape[3] not in (1, 3):
            raise ValueError(f"pixels have shape [N, height, width, 1 or 3], not {shape}")
        if not len(self.pixels) or len(self.pixels) != len(self.labels):
            raise ValueError(
                f"{len(self.pixels)} images and {len(self.labels)} labels: give as many of both, "
                "and at least one"
            )
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"two classes at least, all named differently, not {self.classes}")
        if self.labels.min() < 0 or self.labels.max() >= len(self.classes):
            raise ValueError(f"labels are places in classes, 0 to {len(self.classes) - 1}")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray | Sequence[int]) -> Images:
        """The images at these places, in this order."""
        rows = np.asarray(rows, dtype=np.int64)
        return Images(self.pixels[rows], self.labels[rows], self.classes)

    @property
    def counts(self) -> np.ndarray:
        """Images of each class, int64 [classes]."""
        return np.bincount(self.labels, minlength=len(self.classes))

    @property
    def keys(self) -> list[bytes]:
        """The bytes of each image: equal for equal images, and only for those."""
        return [image.tobytes() for image in self.pixels]


@dataclass(frozen=True, eq=False)
class Splits:
    """Images to train on, to choose by, and to test with, once."""

    train: Images
    validation: Images
    test: Images

    def __post_init__(self) -> None:
        shapes = {part.pixels.shape[1:] for part in self.parts.values()}
        names = {part.classes for part in self.parts.values()}
        if len(shapes) > 1 or len(names) > 1:
            raise ValueError(
                "train, validation and test have different image sizes or classes: "
                f"{sorted(shapes)}, {sorted(names)}"
            )

    @property
    def parts(self) -> dict[str, Images]:
        """The three by name."""
        return dict(vars(self))


def read_folder(path: str | os.PathLike[str], *, side: int | None = None) -> Images:
    """Read a folder of folders: each bears the name of a class, and holds its images.
    Hidden files, and those that are no images by their ending (``SUFFIXES``), are left alone. The
    images are grey when all files are. With ``side`` each is resized to so many pixels in height
    and width; else all have to be of one size."""
    root = Path(path)
    if not root.is_dir():
        raise ValueError(f"{root} is no folder: name one that holds a folder for each class")
    folders = [f for f in root.iterdir() if f.is_dir() and not f.name.startswith(".")]
    if len(folders) < 2:
        raise ValueError(
            f"{root} holds {len(folders)} folder(s): make one for each class, two at least, and "
            "put the class's images into it"
        )
    classes = _ordered(folder.name for folder in folders)
    files = [(file, label) for label, name in enumerate(classes) for file in _files(root / name)]
    pictures = [_open(file, side) for file, _ in files]
    mode = "L" if all(picture.mode in ("1", "L") for picture in pictures) else "RGB"
    arrays = [np.asarray(picture.convert(mode)) for picture in pictures]
    for (file, _), array in zip(files, arrays, strict=True):
        if array.shape != arrays[0].shape:
            (height, width), (other, wide) = array.shape[:2], arrays[0].shape[:2]
            raise ValueError(
                f"{file} is {width} x {height} pixels, {files[0][0]} is {wide} x {other}: "
                "resize them all, with side=32 for instance"
            )
    pixels = np.stack(arrays).reshape(len(arrays), *arrays[0].shape[:2], -1)
    return Images(pixels, np.array([label for _, label in files]), classes)


def _files(folder: Path) -> list[Path]:
    seen = [file for file in folder.iterdir() if not file.name.startswith(".")]
    found = sorted(file for file in seen if file.suffix.lower() in SUFFIXES)
    if not found:
        raise ValueError(f"{folder} holds no image ({', '.join(SUFFIXES)}): fill or remove it")
    return found


def _open(file: Path, side: int | None) -> Image.Image:
    try:
        with Image.open(file) as opened:
            opened.load()
            picture = opened if opened.mode in ("1", "L") else opened.convert("RGB")
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise ValueError(f"{file} is no readable image ({error}): mend or remove it") from error
    if side is None:
        return picture.copy()
    size, smooth = (whole_number("side", side),) * 2, Image.Resampling.BILINEAR
    return (picture.convert("L") if picture.mode == "1" else picture).resize(size, smooth)


def read_csv(path: str | os.PathLike[str]) -> Images:
    """Read square grey images from a CSV: in each line a label, then the pixels, from 0 to 255.
    A first line whose second field is no number is taken for headings. Other shapes and colours are
    read from a folder."""
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"{file} is no file: name a CSV with a label and pixels in each line")
    with open(file, newline="", encoding="utf-8-sig") as lines:
        rows = [(number, row) for number, row in enumerate(csv.reader(lines), start=1) if row]
    try:
        float(rows[0][1][1])
    except IndexError:
        pass  # said below
    except ValueError:
        del rows[0]
    if not rows:
        raise ValueError(f"{file} has no line with a label and pixels")
    fields = len(rows[0][1])
    side = math.isqrt(fields - 1)
    if not side or side * side != fields - 1:
        raise ValueError(
            f"{file} has {fields - 1} pixels a line, which make no square: write other shapes as "
            "image files, and use read_folder"
        )
    pixels = np.stack([_pixels(row, fields, f"{file}, line {number}") for number, row in rows])
    classes = _ordered(row[0].strip() for _, row in rows)
    labels = np.array([classes.index(row[0].strip()) for _, row in rows])
    return Images(pixels.reshape(-1, side, side, 1), labels, classes)


def _pixels(row: list[str], fields: int, where: str) -> np.ndarray:
    if len(row) != fields:
        raise ValueError(f"{where} has {len(row)} fields, the lines before have {fields}")
    try:
        values = np.array(row[1:], dtype=float)
    except ValueError as error:
        raise ValueError(f"{where}: {error}; a pixel is a number from 0 to 255") from None
    if not ((values >= 0) & (values <= 255)).all():
        raise ValueError(f"{where} has a pixel outside of 0 to 255: scale them first")
    return values.round().astype(np.uint8)


def _ordered(names: Iterable[str]) -> tuple[str, ...]:
    """Class names without repetition, numbers by their value and before words."""
    different = sorted(set(names))
    numbers = [name for name in different if name.isascii() and name.isdigit()]
    return (*sorted(numbers, key=int), *(name for name in different if name not in numbers))


def save_png(pixels: np.ndarray, path: str | os.PathLike[str]) -> None:
    """Write an image, uint8 [height, width] or [height, width, 3], as a PNG file."""
    Image.fromarray(pixels).save(path, "PNG")


def equals(*parts: Images) -> list[list[tuple[int, int]]]:
    """Row and label of images that are equal, the first of them first; rows count on over parts."""
    found: dict[bytes, list[tuple[int, int]]] = {}
    keys = chain.from_iterable(part.keys for part in parts)
    labels = np.concatenate([part.labels for part in parts]).tolist()
    for row, (key, label) in enumerate(zip(keys, labels, strict=True)):
        found.setdefault(key, []).append((row, label))
    return list(found.values())


def without_copies(images: Images) -> Images:
    """The first of all equal images; where they have different labels, none of them."""
    return images.take([same[0][0] for same in equals(images) if not _torn(same)])


def _torn(same: list[tuple[int, int]]) -> bool:
    return len({label for _, label in same}) > 1


def split(
    images: Images, shares: tuple[float, float, float] = (0.6, 0.2, 0.2), *, seed: int = 0
) -> Splits:
    """Deal images to train, validation and test at random, each class in the same shares.
    Remove copies first (``without_copies``), or they end up on both sides."""
    if len(shares) != 3 or min(shares) <= 0 or not math.isclose(sum(shares), 1):
        raise ValueError(f"shares are three numbers above 0 with the sum 1, not {shares}")
    rng = np.random.default_rng(whole_number("seed", seed, least=0))
    parts: list[list[int]] = [[], [], []]
    for label, name in enumerate(images.classes):
        rows = rng.permutation(np.flatnonzero(images.labels == label))
        sizes = [max(1, round(share * len(rows))) for share in shares[1:]]
        if len(rows) <= sum(sizes):
            raise ValueError(
                f"class {name!r} has {len(rows)} image(s), too few for train, validation and "
                "test: find more, or leave the class out"
            )
        for part, chosen in zip((1, 2, 0), np.split(rows, np.cumsum(sizes)), strict=True):
            parts[part] += chosen.tolist()
    return Splits(*(images.take(rng.permutation(rows)) for rows in parts))


UNEVEN = 3.0  # so many times as many images in one class as in another are worth a word
FEW = 20  # training images of a class below which a score is luck
NEIGHBOURS = 5  # of the label hint; all of them have to agree
LOOKED_AT = 2_000  # training images that the label hint compares with each other, in N^2 steps
SUSPECT = 0.05  # share of suspicious labels that is worth a word; hard classes alone make some


class Finding(NamedTuple):
    """What one check found."""

    check: str
    good: bool  # nothing to look at
    words: str
    rows: tuple[int, ...] = ()  # training images to look at


def check_data(splits: Splits) -> tuple[Finding, ...]:
    """Ask the questions below of three splits, cheap ones first."""
    checks = (_shapes, _balance, _constant, _copies, _contradictions, _leakage, _labels)
    return tuple(check(splits) for check in checks)


def _shapes(splits: Splits) -> Finding:
    parts = ", ".join(f"{len(part):,} for {name}" for name, part in splits.parts.items())
    height, width, channels = splits.train.pixels.shape[1:]
    size = f"{height} x {width} x {channels}, {len(splits.train.classes)} classes"
    return Finding("shapes", True, f"{size}; {parts}")


def _balance(splits: Splits) -> Finding:
    empty = [name for name, part in splits.parts.items() if not part.counts.all()]
    counts, names = splits.train.counts, splits.train.classes
    least, most = int(np.argmin(counts)), int(np.argmax(counts))
    words = f"from {counts[least]:,} ({names[least]}) to {counts[most]:,} ({names[most]}) a class"
    if empty:
        words += f"; a class is missing in {', '.join(empty)}"
    even = counts[most] < UNEVEN * counts[least]
    return Finding("class balance", bool(even and counts[least] >= FEW and not empty), words)


def _constant(splits: Splits) -> Finding:
    grey = {
        name: np.flatnonzero(np.ptp(part.pixels.reshape(len(part), -1), axis=1) == 0).tolist()
        for name, part in splits.parts.items()
    }
    rows, others = grey["train"], len(grey["validation"]) + len(grey["test"])
    words = f"of a single grey: {len(rows)} training images, {others} others"
    return Finding("constant images", len(rows) + others == 0, words, tuple(rows))


def _copies(splits: Splits) -> Finding:
    rows = sorted(row for same in equals(splits.train) for row, _ in same[1:])
    words = f"training images that copy an earlier one: {len(rows)}"
    return Finding("copies", not rows, words, tuple(rows))


def _contradictions(splits: Splits) -> Finding:
    torn = sum(map(_torn, equals(*splits.parts.values())))
    return Finding("contradictions", torn == 0, f"images with different labels: {torn}")


def _leakage(splits: Splits) -> Finding:
    found = []
    for (a, one), (b, other) in combinations(splits.parts.items(), 2):
        known = set(one.keys)
        if shared := sum(key in known for key in other.keys):
            found.append(f"{shared} images of {b} are also in {a}")
    return Finding("leakage", not found, "; ".join(found) or "no image is in two splits")


def _labels(splits: Splits) -> Finding:
    """Images whose nearest neighbours all have one other label, by their pixels."""
    from sklearn.neighbors import NearestNeighbors

    labels = splits.train.labels[:LOOKED_AT]
    flat = splits.train.pixels[:LOOKED_AT].reshape(len(labels), -1).astype(np.float32)
    if len(flat) <= NEIGHBOURS:
        return Finding("labels", False, "too few images to compare with each other")
    near = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(flat).kneighbors(return_distance=False)
    around = labels[near]
    agree = (around == around[:, :1]).all(axis=1)
    rows = np.flatnonzero(agree & (around[:, 0] != labels))
    share = len(rows) / len(labels)
    words = f"{len(rows)} of {len(labels):,} training images ({share:.1%}) look like another class"
    return Finding("labels", share < SUSPECT, words, tuple(rows.tolist()))
