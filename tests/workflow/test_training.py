"""Batches of a reader's images, augmented by chance, and trainings with chosen settings."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from nas_lab import nets, runtime
from nas_lab.training import Recipe, train
from nas_lab.workflow import ImageData, TrainJointly, split
from nas_lab.workflow.joint import augment
from tests.workflow import made

ARCH = (3, 1, 2, 1, 0, 3, 3, 1, 1, 0)  # rate 0.3, decay 1e-4, cosine, none


def test_pixels_are_normalised_by_the_training_images_alone():
    splits = split(made.images())
    data = ImageData(splits, 8)
    raw, other = (
        torch.from_numpy(part.pixels).permute(0, 3, 1, 2).double() / 255
        for part in (splits.train, splits.test)
    )
    seen = data.train_dataloader().images
    assert (seen.mean(), seen.std()) == pytest.approx((0, 1), abs=1e-5)
    expected = (other - raw.mean()) / raw.std()
    assert torch.allclose(data.test_dataloader().images.double(), expected, atol=1e-5)


def test_colours_are_normalised_each_by_itself_and_resized_by_torch():
    splits = split(made.images(channels=3))
    data = ImageData(splits, 5)
    assert (data.channels, data.classes, data.resolution) == (3, 3, 5)
    seen = data.val_dataloader().images
    raw = torch.from_numpy(splits.validation.pixels).permute(0, 3, 1, 2).float() / 255
    smaller = F.interpolate(raw, (5, 5), mode="bilinear", antialias=True)
    for channel in range(3):  # the same up to a scale and a shift
        pair = torch.stack([seen[:, channel].ravel(), smaller[:, channel].ravel()])
        assert torch.corrcoef(pair)[0, 1] == pytest.approx(1, abs=1e-5)


def test_a_shift_moves_an_image_and_a_flip_mirrors_it():
    images = torch.rand(40, 2, 16, 16, generator=runtime.generator(0))
    wide = F.pad(images, (2, 2, 2, 2), mode="replicate")
    moves = set()
    for before, after in zip(wide, augment(images, "shift", runtime.generator(1)), strict=True):
        windows = {(y, x): before[:, y : y + 16, x : x + 16] for y, x in np.ndindex(5, 5)}
        (found,) = [move for move, window in windows.items() if torch.equal(window, after)]
        moves.add(found)
    assert len(moves) > 10
    flipped = augment(images, "flip", runtime.generator(1))
    as_before = [torch.equal(a, b) for a, b in zip(images, flipped, strict=True)]
    mirrored = [torch.equal(a.flip(2), b) for a, b in zip(images, flipped, strict=True)]
    assert all(a != b for a, b in zip(as_before, mirrored, strict=True))
    assert 8 < sum(mirrored) < 32
    assert torch.equal(augment(images, "none", runtime.generator(1)), images)


def test_every_pass_is_new_and_every_seed_repeats_itself():
    plain, data = made.data(), made.data().augmented("shift+flip")
    loader = data.train_dataloader()
    first, second = ([x.clone() for x, _ in loader] for _ in range(2))
    assert all(map(torch.equal, first, [x for x, _ in data.train_dataloader()]))
    assert not all(map(torch.equal, first, second))
    reseeded = [x for x, _ in data.train_dataloader().reseeded(7)]
    assert not all(map(torch.equal, first, reseeded))
    assert torch.equal(plain.val_dataloader().images, data.val_dataloader().images)
    assert torch.equal(plain.test_dataloader().images, data.test_dataloader().images)


def test_the_score_is_that_of_a_training_with_the_chosen_settings():
    net = nets.build(made.SPACE.inner, ARCH[:6], made.SKELETON, seed=4)
    recipe = Recipe(epochs=3, learning_rate=0.3, weight_decay=1e-4, schedule="cosine")
    expected = train(net, made.data(), recipe, seed=4)
    result = made.estimate(epochs=3)(ARCH, 4)
    assert (result.score, result.metrics["epochs"]) == (expected.accuracy, 3)
    assert made.estimate(epochs=7)(ARCH, 4, epochs=3).score == expected.accuracy


def test_it_learns_and_repeats_itself():
    estimate = made.estimate(epochs=8)
    arch = (3, 3, 3, 3, 3, 3, 2, 1, 0, 0)
    assert estimate(arch, 0).score > 0.7
    augmented = (*arch[:9], 1)
    assert estimate(augmented, 1).score == estimate(augmented, 1).score


def test_what_on_epoch_raises_ends_the_training():
    seen = []

    def stop(event):
        seen.append(event.epoch)
        raise StopIteration("enough")

    with pytest.raises(StopIteration, match="enough"):
        made.estimate(epochs=5)(ARCH, 0, on_epoch=stop)
    assert seen == [1]


def test_data_of_another_size_are_refused():
    with pytest.raises(ValueError, match="resolution is 5, but skeleton"):
        TrainJointly(made.SPACE, made.SKELETON, ImageData(split(made.images()), 5))


def test_a_training_that_diverges_scores_nan():
    blown = made.data()
    blown.train_dataloader().images.mul_(np.inf)
    estimate = TrainJointly(made.SPACE, made.SKELETON, blown, Recipe(epochs=1))
    assert np.isnan(estimate(ARCH, 0).score)
