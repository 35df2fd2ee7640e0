"""Training from scratch as an estimate, whole and shortened, over the families of spaces."""

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from nas_lab import nets, spaces
from nas_lab.data import FashionMNIST
from nas_lab.estimation import Evaluation, lower_resolution
from nas_lab.estimation.training import TrainFromScratch, fewer_channels, fewer_epochs, fewer_images
from nas_lab.spaces import Skeleton
from nas_lab.training import Recipe, evaluate
from tests.spaces.families import FAMILIES

SKELETON = Skeleton(channels=4, cells=1, stages=2, stem_stride=2, resolution=8, in_channels=1)
SPACE, DATA = spaces.nasbench201(), FashionMNIST(8, 64, images=640)
ESTIMATE = TrainFromScratch(SPACE, SKELETON, DATA, Recipe(epochs=2))
CELL = SPACE.from_string("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|")


def test_the_score_is_the_trained_networks_accuracy():
    net, curve = ESTIMATE.fit(CELL, seed=1)
    result = ESTIMATE(CELL, 1)
    assert isinstance(result, Evaluation)
    assert result.score == curve.accuracy == evaluate(net, DATA.val_dataloader())
    assert result.score > 0.3
    assert 0 < result.cost < 600
    assert result.metrics == {
        "params": sum(p.numel() for p in net.parameters()),
        "macs": SPACE.cost(CELL, SKELETON).macs,
        "diverged": 0,
        "train_loss": curve.train_loss[-1],
        "val_loss": curve.val_loss[-1],
        "epochs": 2,
    }
    assert result.score != ESTIMATE(CELL, 0).score


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_can_be_trained(family):
    skeleton = Skeleton(channels=4, cells=3, resolution=8, in_channels=1)
    few, arch = FashionMNIST(8, 64, images=128), FAMILIES[family].sample(np.random.default_rng(0))
    result = TrainFromScratch(FAMILIES[family], skeleton, few, Recipe(epochs=1))(arch, 0)
    assert 0 <= result.score <= 1


def test_a_diverged_training_has_no_score_and_an_interrupt_gives_no_result(monkeypatch):
    recipe = Recipe(epochs=2, learning_rate=1e20, schedule="constant")
    result = replace(ESTIMATE, recipe=recipe)(CELL, 0)
    assert math.isnan(result.score)
    assert result.metrics["diverged"] == 1

    def interrupt(self, closure=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(torch.optim.SGD, "step", interrupt)
    with pytest.raises(KeyboardInterrupt, match="interrupted"):
        ESTIMATE(CELL, 0)


@pytest.mark.parametrize(
    ("field", "value"), [("resolution", 16), ("in_channels", 3), ("classes", 7)]
)
def test_data_and_skeleton_have_to_fit(field, value):
    with pytest.raises(ValueError, match=rf"skeleton\.{field} is {value}"):
        replace(ESTIMATE, skeleton=replace(SKELETON, **{field: value}))


# ---- cheaper trainings differ in what their name says, and in nothing else ---------------------

WIDE = Skeleton(channels=4, cells=1, stages=2, resolution=8, in_channels=1)
FEW = FashionMNIST(8, 100, seed=3, images=200)
WHOLE = TrainFromScratch(SPACE, WIDE, FEW, Recipe(epochs=2, warmup=0.2))

every_fidelity = pytest.mark.parametrize(
    ("change", "most"),
    [(fewer_epochs, 2), (fewer_images, 200), (lower_resolution, 8), (fewer_channels, 4)],
    ids=lambda value: getattr(value, "__name__", None),
)


def shape_of_training(estimate):
    """Epochs, images, resolution and channels as the training itself shows them."""
    net, curve = estimate.fit(CELL, seed=0)
    loader = estimate.data.train_dataloader()
    assert loader.images.shape[-2:] == next(iter(estimate.data.val_dataloader()))[0].shape[-2:]
    channels = next(p for p in net.parameters() if p.ndim == 4).shape[0]
    return len(curve), len(loader.labels), loader.images.shape[-1], channels


@every_fidelity
def test_one_thing_changes_in_the_training_itself(change, most):
    before = np.array([2, 200, 8, 4])
    after = np.where(before == most, most // 2, before)
    assert shape_of_training(WHOLE) == tuple(before)
    assert shape_of_training(change(WHOLE, most // 2)) == tuple(after)


def test_fewer_images_are_the_first_ones_of_all():
    few = fewer_images(WHOLE, 30).data.train_dataloader()
    assert (few.images == FEW.train_dataloader().images[:30]).all()
    assert np.bincount(few.labels.numpy()).tolist() == [3] * 10
    whole = replace(WHOLE, data=FashionMNIST(8, 64))
    assert len(fewer_images(whole, 9_999).data.train_dataloader().labels) == 9_999
    with pytest.raises(ValueError, match=r"images=10,001, but there are only 10,000"):
        fewer_images(whole, 10_001)


def test_they_compose_in_any_order():
    one = fewer_epochs(fewer_images(lower_resolution(fewer_channels(WHOLE, 2), 4), 50), 1)
    other = fewer_channels(lower_resolution(fewer_images(fewer_epochs(WHOLE, 1), 50), 4), 2)
    assert shape_of_training(one) == shape_of_training(other) == (1, 50, 4, 2)
    sent = pickle.loads(pickle.dumps(one))
    assert one(CELL, 1).score == other(CELL, 1).score == sent(CELL, 1).score


def test_a_short_training_has_a_schedule_of_its_own():
    """It anneals within its epochs, so it is not the beginning of the long one."""
    _, long = WHOLE.fit(CELL, seed=0)
    _, short = fewer_epochs(WHOLE, 1).fit(CELL, seed=0)
    assert len(short) == 1
    assert short.train_loss != long.train_loss[:1]
    flat = replace(WHOLE, recipe=replace(WHOLE.recipe, schedule="constant"))
    assert fewer_epochs(flat, 1).fit(CELL, 0)[1].train_loss == flat.fit(CELL, 0)[1].train_loss[:1]


@every_fidelity
def test_the_full_value_changes_nothing_and_a_smaller_one_nothing_else(change, most):
    same = change(WHOLE, most)
    assert same.data.hparams == WHOLE.data.hparams
    assert (same.recipe, same.skeleton) == (WHOLE.recipe, WIDE)
    less = change(WHOLE, most // 2)
    kept = {"batch_size": 100, "seed": 3}
    assert kept.items() <= less.data.hparams.items()
    assert replace(less.recipe, epochs=2) == WHOLE.recipe
    assert replace(less.skeleton, channels=4, resolution=8) == WIDE
    with pytest.raises(ValueError, match="must be at least 1"):
        change(WHOLE, 0)


@pytest.mark.parametrize("family", ["nasbench201", "darts", "mobile"])
def test_channels_shrink_networks(family):
    space = FAMILIES[family]
    estimate = replace(WHOLE, space=space)
    assert fewer_channels(estimate, 4) == estimate
    arch, thin = space.sample(np.random.default_rng(0)), fewer_channels(estimate, 2)
    built = nets.build(space, arch, thin.skeleton), nets.build(space, arch, WIDE)
    small, large = (sum(p.numel() for p in net.parameters()) for net in built)
    assert small < large
