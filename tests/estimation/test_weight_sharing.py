"""Inherited weights measured, against stand-alone networks and torch's own normalisation."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from nas_lab import nets, spaces
from nas_lab.data import FashionMNIST
from nas_lab.estimation import SharedWeights
from nas_lab.spaces import Skeleton
from nas_lab.strategies import OneShot
from tests.nets.alone import alone

SKELETON = Skeleton(channels=4, cells=1, stages=2, stem_stride=2, resolution=8, in_channels=1)
DATA = FashionMNIST(8, 32, images=400)


@pytest.fixture(scope="module", params=["nasbench201", "darts"])
def net(request):
    space = getattr(spaces, request.param)()
    return OneShot(space, SKELETON, DATA).fit(steps=10).net.requires_grad_(False)


@pytest.fixture(scope="module")
def small():
    """A supernet that has learnt nothing yet."""
    return nets.supernet(spaces.nasbench201(), SKELETON)


def calibrated(net, arch, images):
    """The stand-alone network, its statistics averaged over ``images`` by torch."""
    single = alone(net, arch)
    for module in single.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # a cumulative average
    with torch.no_grad():
        single.train()(images)
    return single.eval()


@pytest.mark.parametrize("seed", range(2))
def test_the_score_is_the_accuracy_of_the_network_that_stands_alone(net, seed):
    arch = net.space.sample(np.random.default_rng(seed))
    estimate = SharedWeights(net, DATA, calibration=200, validation=600)
    result = estimate(arch, seed)
    single = calibrated(net, arch, estimate._training_images(seed))
    loader = DATA.val_dataloader()
    with torch.no_grad():
        logits = single(loader.images[:600])
    right = (logits.argmax(1) == loader.labels[:600]).float().mean().item()
    assert result.score == pytest.approx(right, abs=1.5 / 600)  # a tie may fall either way
    chosen = logits.log_softmax(1)[torch.arange(600), loader.labels[:600]]
    assert result.metrics["val_loss"] == pytest.approx(-chosen.mean().item(), rel=1e-3)
    assert result.cost > 0


def test_images_for_the_statistics_are_drawn_by_the_seed_without_repeats(small):
    estimate = SharedWeights(small, DATA, calibration=150)
    drawn = [estimate._training_images(seed) for seed in (0, 0, 1)]
    assert drawn[0].equal(drawn[1])
    assert not drawn[0].equal(drawn[2])
    whole = SharedWeights(small, DATA, calibration=400)._training_images(0)
    drawn_, whole_, train = (
        sorted(image.numpy().tobytes() for image in images)
        for images in (drawn[0], whole, DATA.train_dataloader().images)
    )
    assert len(drawn_) == 150
    assert set(drawn_) <= set(train)
    assert whole_ == train


def test_it_is_read_never_changed_and_says_the_same_in_another_process(net):
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    state = torch.get_rng_state()
    arch = net.space.sample(np.random.default_rng(1))
    estimate = SharedWeights(net, DATA, calibration=20, validation=100)
    sent = pickle.loads(pickle.dumps(estimate))
    found = [run(arch, seed).metrics for run, seed in ((estimate, 0), (sent, 0), (estimate, 1))]
    assert found[0] == found[1] != found[2]
    assert all(before[name].equal(value) for name, value in net.state_dict().items())
    assert modes == [module.training for module in net.modules()]
    assert torch.equal(state, torch.get_rng_state())


def test_evaluating_keeps_nothing_alive(small, tensors):
    estimate = SharedWeights(small, DATA, calibration=64, validation=100)
    rng, counts = np.random.default_rng(0), []
    for _ in range(3):
        estimate(small.space.sample(rng), 0)
        counts.append(tensors())
    assert len(set(counts)) == 1


def test_bad_input_is_refused_at_the_call(small):
    for name in ("calibration", "validation"):
        with pytest.raises(ValueError, match=name):
            SharedWeights(small, DATA, **{name: 0})
        with pytest.raises(TypeError, match=name):
            SharedWeights(small, DATA, **{name: 1.5})
    with pytest.raises(ValueError, match="resolution"):
        SharedWeights(small, FashionMNIST(10, 32, images=400))
    estimate = SharedWeights(small, DATA, calibration=64)
    with pytest.raises(ValueError, match="6 tokens"):
        estimate((0, 1), 0)
    with pytest.raises(ValueError, match="seed"):
        estimate((3,) * 6, -1)
