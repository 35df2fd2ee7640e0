"""Training from scratch as an estimate, whole and shortened, over the families of spaces."""

import math
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest
import torch

from nas_lab import nets, spaces
from nas_lab.data import FashionMNIST
from nas_lab.estimation import (
    Evaluation,
    TrainFromScratch,
    fewer_channels,
    fewer_epochs,
    fewer_images,
    lower_resolution,
)
from nas_lab.spaces import Skeleton
from nas_lab.training import Recipe, evaluate

SKELETON = Skeleton(
    channels=4, cells=1, stages=2, stem_stride=2, resolution=8, in_channels=1, classes=10
)
TEXT = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|"


@pytest.fixture(scope="module")
def data():
    return FashionMNIST(8, 64, images=640)


@pytest.fixture(scope="module")
def space():
    return spaces.nasbench201()


@pytest.fixture(scope="module")
def estimate(space, data):
    return TrainFromScratch(space, SKELETON, data, Recipe(epochs=2))


@pytest.fixture(scope="module")
def arch(space):
    return space.from_string(TEXT)


def test_the_score_is_the_trained_networks_accuracy(estimate, arch, data):
    net, curve = estimate.fit(arch, seed=1)
    result = estimate(arch, 1)
    assert isinstance(result, Evaluation)
    assert result.score == curve.accuracy == evaluate(net, data.val_dataloader())
    assert result.score > 0.3
    assert 0 < result.cost < 600
    assert result.metrics["params"] == sum(p.numel() for p in net.parameters())
    assert result.metrics["macs"] == estimate.space.cost(arch, SKELETON).macs
    assert (result.metrics["epochs"], result.metrics["diverged"]) == (2, 0)
    assert 0 < result.metrics["train_loss"] < math.log(10)
    assert 0 < result.metrics["val_loss"] < math.log(10)


def scores(results):
    return [result.score for result in results]


def test_seeds_repeat_and_differ(estimate, arch):
    one, two, other = scores(map(estimate, [arch] * 3, [0, 0, 1]))
    assert one == two != other


def test_workers_give_the_same_scores(estimate, space):
    archs = [space.sample(np.random.default_rng(i)) for i in range(3)]
    alone = scores(map(estimate, archs, range(3)))
    with ThreadPoolExecutor(2) as pool:
        assert scores(pool.map(estimate, archs, range(3))) == alone
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert scores(pool.map(estimate, archs, range(3))) == alone


def test_it_pickles_without_the_images(estimate):
    assert len(pickle.dumps(estimate)) < 20_000


@pytest.mark.parametrize(
    "family",
    [
        spaces.nasbench201(),
        spaces.darts(),
        spaces.conv_chain(2, skips=True),
        spaces.mlp(),
        spaces.rnn(),
        spaces.mobile(),
    ],
    ids=lambda family: family.name,
)
def test_every_family_can_be_trained(family, data):
    few = FashionMNIST(8, 64, images=128)
    skeleton = Skeleton(channels=4, cells=3, resolution=8, in_channels=1)
    arch = family.sample(np.random.default_rng(0))
    result = TrainFromScratch(family, skeleton, few, Recipe(epochs=1))(arch, 0)
    assert 0 <= result.score <= 1


def test_a_diverged_training_has_no_score(space, arch, data):
    recipe = Recipe(epochs=2, learning_rate=1e20, schedule="constant")
    result = TrainFromScratch(space, SKELETON, data, recipe)(arch, 0)
    assert math.isnan(result.score)
    assert result.metrics["diverged"] == 1


def test_an_interrupt_gives_no_result(estimate, arch, monkeypatch):
    monkeypatch.setattr(torch.optim.SGD, "step", _interrupt)
    with pytest.raises(KeyboardInterrupt, match="interrupted"):
        estimate(arch, 0)


def _interrupt(self, closure=None):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("field", "value"), [("resolution", 16), ("in_channels", 3), ("classes", 7)]
)
def test_data_and_skeleton_have_to_fit(space, data, field, value):
    skeleton = Skeleton(**(vars(SKELETON) | {field: value}))
    with pytest.raises(ValueError, match=rf"skeleton\.{field} is {value}"):
        TrainFromScratch(space, skeleton, data)


# ---- cheaper trainings differ in what their name says, and in nothing else ---------------------

WIDE = Skeleton(channels=4, cells=1, stages=2, resolution=8, in_channels=1)
WHOLE = TrainFromScratch(
    spaces.nasbench201(),
    WIDE,
    FashionMNIST(8, 100, seed=3, images=200),
    Recipe(epochs=2, warmup=0.2),
)
CELL = spaces.nasbench201().from_string(TEXT)

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


def test_fewer_images_are_the_first_ones():
    few = fewer_images(WHOLE, 30).data.train_dataloader()
    all_ = WHOLE.data.train_dataloader()
    assert (few.images == all_.images[:30]).all()
    assert np.bincount(few.labels.numpy()).tolist() == [3] * 10


def test_without_a_number_of_images_all_are_counted():
    whole = replace(WHOLE, data=FashionMNIST(8, 64))
    assert len(fewer_images(whole, 9_999).data.train_dataloader().labels) == 9_999
    with pytest.raises(ValueError, match=r"images=10,001 is more than the 10,000"):
        fewer_images(whole, 10_001)


def test_they_compose_in_any_order():
    one = fewer_epochs(fewer_images(lower_resolution(fewer_channels(WHOLE, 2), 4), 50), 1)
    other = fewer_channels(lower_resolution(fewer_images(fewer_epochs(WHOLE, 1), 50), 4), 2)
    assert shape_of_training(one) == shape_of_training(other) == (1, 50, 4, 2)
    assert (
        one(CELL, 1).score == other(CELL, 1).score == pickle.loads(pickle.dumps(one))(CELL, 1).score
    )


def test_a_short_training_has_a_schedule_of_its_own():
    """It anneals within its epochs, so it is not the beginning of the long one."""
    _, long = WHOLE.fit(CELL, seed=0)
    _, short = fewer_epochs(WHOLE, 1).fit(CELL, seed=0)
    assert len(short) == 1
    assert short.train_loss != long.train_loss[:1]
    flat = replace(WHOLE, recipe=replace(WHOLE.recipe, schedule="constant"))
    assert fewer_epochs(flat, 1).fit(CELL, 0)[1].train_loss == flat.fit(CELL, 0)[1].train_loss[:1]


@every_fidelity
def test_the_full_value_changes_nothing_and_more_is_refused(change, most):
    same = change(WHOLE, most)
    assert same.data.hparams == WHOLE.data.hparams
    assert (same.recipe, same.skeleton) == (WHOLE.recipe, WIDE)
    less = change(WHOLE, most // 2)
    kept = {"batch_size": 100, "seed": 3, "full": False}
    assert kept.items() <= less.data.hparams.items()
    assert replace(less.recipe, epochs=2) == WHOLE.recipe
    assert replace(less.skeleton, channels=4, resolution=8) == WIDE
    with pytest.raises(ValueError, match=f"{most + 1} is more than the {most} of the estimate"):
        change(WHOLE, most + 1)
    with pytest.raises(ValueError, match="must be at least 1"):
        change(WHOLE, 0)
    with pytest.raises(TypeError, match="must be a whole number"):
        change(WHOLE, 1.5)


@pytest.mark.parametrize(
    "space", [spaces.conv_chain(2, False), spaces.mlp(), spaces.rnn()], ids=lambda s: s.name
)
def test_channels_that_a_space_does_not_read_are_no_fidelity(space):
    estimate = replace(WHOLE, space=space)
    with pytest.raises(ValueError, match="choose their own channels"):
        fewer_channels(estimate, 2)
    assert fewer_channels(estimate, 4) == estimate


@pytest.mark.parametrize("space", [spaces.darts(), spaces.mobile()], ids=lambda s: s.name)
def test_channels_of_the_other_spaces_shrink(space):
    estimate = replace(WHOLE, space=space)
    arch = space.sample(np.random.default_rng(0))
    thin, thick = (
        nets.build(space, arch, e.skeleton) for e in (fewer_channels(estimate, 2), estimate)
    )
    assert sum(p.numel() for p in thin.parameters()) < sum(p.numel() for p in thick.parameters())
