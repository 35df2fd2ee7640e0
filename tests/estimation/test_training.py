"""Training from scratch as an estimate, over the families of spaces."""

import math
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import torch

from nas_lab import nets, spaces
from nas_lab.data import FashionMNIST
from nas_lab.estimation import Evaluation, TrainFromScratch
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


def test_metrics_tell_size_and_loss(estimate, arch):
    result = estimate(arch, 0)
    net = nets.build(estimate.space, arch, SKELETON)
    assert result.metrics["params"] == sum(p.numel() for p in net.parameters())
    assert result.metrics["macs"] == estimate.space.cost(arch, SKELETON).macs
    assert result.metrics["epochs"] == 2
    assert result.metrics["diverged"] == 0
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
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
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


def test_evaluation_alone_does_not_load_torch():
    code = "import sys; from nas_lab.estimation import Evaluation; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
