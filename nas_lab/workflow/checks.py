"""Look at the data before a machine does: what can be seen without a network.

Each check asks one question and answers in a sentence. None of them proves data to be good; all
of them have found data to be bad. C. G. Northcutt, A. Athalye, J. Mueller, "Pervasive Label
Errors in Test Sets Destabilize Machine Learning Benchmarks", 2021, arXiv:2103.14749; B. Barz,
J. Denzler, "Do We Train on Test Data?", 2020, arXiv:1902.00423, found one in thirty test images
of CIFAR-10 among those for training.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from nas_lab.workflow.images import Images, Splits, first_of_equals, labels_of_equals

UNEVEN = 3.0
"""So many times as many images in one class as in another are worth a word."""
FEW = 20
"""Training images of a class below which a score is luck."""
NEIGHBOURS = 5
"""Of the label hint; all of them have to agree."""
LOOKED_AT = 2_000
"""Training images that the label hint compares with each other: it takes N^2 steps."""
SUSPECT = 0.05
"""Share of suspicious labels that is worth a word; hard classes alone make some."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: its name.
        good: whether there is nothing to look at.
        words: what it saw, in a sentence.
        rows: places of training images to look at, where it names some.
    """

    check: str
    good: bool
    words: str
    rows: tuple[int, ...] = ()


def check_data(splits: Splits) -> tuple[Finding, ...]:
    """Ask the questions below of three splits, cheap ones first."""
    return (
        _shapes(splits),
        _balance(splits),
        _constant(splits),
        _copies(splits.train),
        _contradictions(splits),
        _leakage(splits),
        _labels(splits.train),
    )


def _shapes(splits: Splits) -> Finding:
    parts = ", ".join(f"{len(part):,} for {name}" for name, part in splits.parts.items())
    height, width, channels = splits.train.pixels.shape[1:]
    words = f"{height} x {width} pixels, {channels} channel(s), "
    words += f"{len(splits.train.classes)} classes; images: {parts}"
    return Finding("shapes", True, words)


def _balance(splits: Splits) -> Finding:
    empty = [name for name, part in splits.parts.items() if not part.counts.all()]
    counts = splits.train.counts
    least, most = int(np.argmin(counts)), int(np.argmax(counts))
    names = splits.train.classes
    words = f"from {counts[least]:,} ({names[least]}) to {counts[most]:,} ({names[most]}) a class"
    if empty:
        words += f"; a class is missing in {', '.join(empty)}"
    even = counts[most] < UNEVEN * counts[least]
    return Finding("class balance", bool(even and counts[least] >= FEW and not empty), words)


def _constant(splits: Splits) -> Finding:
    rows = _of_one_grey(splits.train)
    others = len(_of_one_grey(splits.validation)) + len(_of_one_grey(splits.test))
    words = f"of a single grey: {len(rows)} training images, {others} others"
    return Finding("constant images", len(rows) + others == 0, words, tuple(rows.tolist()))


def _of_one_grey(images: Images) -> np.ndarray:
    """Places of images whose numbers are all the same."""
    flat = images.pixels.reshape(len(images), -1)
    return np.flatnonzero(flat.min(axis=1) == flat.max(axis=1))


def _copies(train: Images) -> Finding:
    rows = sorted(set(range(len(train))) - set(first_of_equals(train).values()))
    words = f"training images that copy an earlier one: {len(rows)}"
    return Finding("copies", not rows, words, tuple(rows))


def _contradictions(splits: Splits) -> Finding:
    torn = sum(len(found) > 1 for found in labels_of_equals(*splits.parts.values()).values())
    return Finding("contradictions", torn == 0, f"images with different labels: {torn}")


def _leakage(splits: Splits) -> Finding:
    keys = {name: Counter(part.keys) for name, part in splits.parts.items()}
    shared = {
        (a, b): sum(keys[b][key] for key in keys[a].keys() & keys[b].keys())
        for a, b in combinations(keys, 2)
    }
    found = [f"{n} images of {b} are also in {a}" for (a, b), n in shared.items() if n]
    return Finding("leakage", not found, "; ".join(found) or "no image is in two splits")


def _labels(train: Images) -> Finding:
    """Images whose nearest neighbours all have one other label, by their pixels."""
    from sklearn.neighbors import NearestNeighbors

    flat = train.pixels[:LOOKED_AT].reshape(min(len(train), LOOKED_AT), -1).astype(np.float32)
    labels = train.labels[:LOOKED_AT]
    if len(flat) <= NEIGHBOURS:
        return Finding("labels", False, "too few images to compare with each other")
    near = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(flat).kneighbors(return_distance=False)
    around = labels[near]
    agree = (around == around[:, :1]).all(axis=1)
    rows = np.flatnonzero(agree & (around[:, 0] != labels))
    share = len(rows) / len(labels)
    words = f"{len(rows)} of {len(labels):,} training images ({share:.1%}) look like another class"
    return Finding("labels", share < SUSPECT, words, tuple(rows.tolist()))
