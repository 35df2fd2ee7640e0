"""Checks of data: planted faults are found, and counted rightly; sound data pass."""

from dataclasses import replace

import numpy as np
import pytest

from nas_lab.workflow import Images, Splits, check_data
from nas_lab.workflow.images import NEIGHBOURS

CLASSES = ("a", "b", "c")


def blobs(n, seed):
    """Images of three classes that lie far from each other, and are all different."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    pixels = 80 * labels[:, None, None, None] + rng.integers(0, 40, (n, 5, 5, 1))
    return Images(pixels.astype(np.uint8), labels, CLASSES)


def sound():
    return Splits(blobs(90, 0), blobs(30, 1), blobs(30, 2))


def by_name(splits):
    return {finding.check: finding for finding in check_data(splits)}


def bad(splits):
    return {finding.check for finding in check_data(splits) if not finding.good}


def changed(images, rows=(), pixels=0, labels=None):
    """The same with other pixels in some rows, or with other labels."""
    new = images.pixels.copy()
    new[list(rows)] = pixels
    return Images(new, images.labels if labels is None else labels, images.classes)


def test_leaks_are_counted_between_each_pair():
    splits = sound()
    assert bad(splits) == set()
    test = changed(splits.test, (3, 6), splits.train.pixels[3])  # one twice, with its label
    leaky = replace(splits, test=changed(test, (9,), splits.validation.pixels[0]))
    assert bad(leaky) == {"leakage"}
    words = by_name(leaky)["leakage"].words
    assert "2 images of test are also in train" in words
    assert "1 images of test are also in validation" in words


def test_copies_and_contradictions():
    splits = sound()
    train = changed(splits.train, (6, 10), splits.train.pixels[0])  # labels 0 and 1
    found = by_name(replace(splits, train=train))
    assert found["copies"].rows == (6, 10)
    assert found["contradictions"].words.endswith(": 1")
    assert not found["contradictions"].good


def test_constant_images():
    splits = sound()
    train = changed(splits.train, (4, 7), np.array([12, 13])[:, None, None, None])
    found = by_name(replace(splits, train=train))["constant images"]
    assert (found.good, found.rows) == (False, (4, 7))


def test_uneven_and_missing_classes():
    splits = sound()
    few = splits.train.take([*np.flatnonzero(splits.train.labels != 2), 2, 5])
    found = by_name(replace(splits, train=few))["class balance"]
    assert (found.good, found.words[:23]) == (False, "from 2 (c) to 30 (a) a ")
    none = splits.validation.take(np.flatnonzero(splits.validation.labels != 1))
    missing = by_name(replace(splits, validation=none))["class balance"]
    assert not missing.good
    assert missing.words.endswith("a class is missing in validation")


@pytest.mark.parametrize("seed", range(3))
def test_labels_that_all_neighbours_deny_are_named(seed):
    """Against distances by hand, and against what was planted."""
    splits = sound()
    rng = np.random.default_rng(seed)
    wrong = np.sort(rng.choice(90, 8, replace=False))
    labels = splits.train.labels.copy()
    labels[wrong] = (labels[wrong] + 1) % 3
    found = by_name(replace(splits, train=changed(splits.train, labels=labels)))["labels"]
    flat = splits.train.pixels.reshape(90, -1).astype(float)
    distance = ((flat[:, None] - flat[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distance, np.inf)
    around = labels[np.argsort(distance, axis=1)[:, :NEIGHBOURS]]
    expected = [
        row
        for row in range(90)
        if len(set(around[row].tolist())) == 1 and around[row, 0] != labels[row]
    ]
    assert list(found.rows) == expected
    assert set(expected) <= set(wrong.tolist())
    assert found.good == (len(expected) / 90 < 0.05)
