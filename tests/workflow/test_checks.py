"""Checks of data: planted faults are found, and counted rightly; sound data pass."""

from dataclasses import replace

import numpy as np
import pytest

from nas_lab.workflow import Images, Splits, check_data
from nas_lab.workflow.images import NEIGHBOURS


def blobs(n, seed):
    """Images of three classes that lie far from each other, and are all different."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    pixels = 80 * labels[:, None, None, None] + rng.integers(0, 40, (n, 5, 5, 1))
    return Images(pixels.astype(np.uint8), labels, ("a", "b", "c"))


SOUND = Splits(blobs(90, 0), blobs(30, 1), blobs(30, 2))


def checked(**parts):
    return {finding.check: finding for finding in check_data(replace(SOUND, **parts))}


def changed(images, rows=(), pixels=0, labels=None):
    """The same with other pixels in some rows, or with other labels."""
    new = images.pixels.copy()
    new[list(rows)] = pixels
    return Images(new, images.labels if labels is None else labels, images.classes)


def test_leaks_are_counted_between_each_pair():
    assert all(finding.good for finding in checked().values())
    test = changed(SOUND.test, (3, 6), SOUND.train.pixels[3])  # one twice, with its label
    found = checked(test=changed(test, (9,), SOUND.validation.pixels[0]))
    assert [name for name in found if not found[name].good] == ["leakage"]
    words = "2 images of test are also in train; 1 images of test are also in validation"
    assert found["leakage"].words == words


def test_copies_and_contradictions():
    found = checked(train=changed(SOUND.train, (6, 10), SOUND.train.pixels[0]))  # labels 0 and 1
    assert found["copies"].rows == (6, 10)
    assert found["contradictions"].words.endswith(": 1")
    assert not found["contradictions"].good


def test_constant_images():
    grey = np.array([12, 13])[:, None, None, None]
    found = checked(train=changed(SOUND.train, (4, 7), grey))["constant images"]
    assert (found.good, found.rows) == (False, (4, 7))


def test_uneven_and_missing_classes():
    few = SOUND.train.take([*np.flatnonzero(SOUND.train.labels != 2), 2, 5])
    found = checked(train=few)["class balance"]
    assert (found.good, found.words[:23]) == (False, "from 2 (c) to 30 (a) a ")
    none = SOUND.validation.take(np.flatnonzero(SOUND.validation.labels != 1))
    missing = checked(validation=none)["class balance"]
    assert not missing.good
    assert missing.words.endswith("a class is missing in validation")


@pytest.mark.parametrize("seed", range(3))
def test_labels_that_all_neighbours_deny_are_named(seed):
    """Against distances by hand, and against what was planted."""
    wrong = np.sort(np.random.default_rng(seed).choice(90, 8, replace=False))
    labels = SOUND.train.labels.copy()
    labels[wrong] = (labels[wrong] + 1) % 3
    found = checked(train=changed(SOUND.train, labels=labels))["labels"]
    flat = SOUND.train.pixels.reshape(90, -1).astype(float)
    distance = ((flat[:, None] - flat[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distance, np.inf)
    around = labels[np.argsort(distance, axis=1)[:, :NEIGHBOURS]]
    denied = (around == around[:, :1]).all(axis=1) & (around[:, 0] != labels)
    assert list(found.rows) == np.flatnonzero(denied).tolist()
    assert set(found.rows) <= set(wrong.tolist())
    assert found.good == (denied.mean() < 0.05)
