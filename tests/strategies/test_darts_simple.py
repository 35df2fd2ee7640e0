"""The lecture's form: a weighted sum of candidates, learnt like all else."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nas_lab.data import FashionMNIST
from nas_lab.strategies.darts import CANDIDATES, MixedChain, MixedLayer
from nas_lab.training import Recipe, train

DATA = FashionMNIST(8, 32, images=400)
IMAGES = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@settings(max_examples=25, deadline=None)
@given(a=st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_a_layer_is_the_weighted_sum_of_its_candidates(a):
    layer = MixedLayer({"same": nn.Identity(), "steep": nn.LeakyReLU(2.0), "relu": nn.ReLU()})
    with torch.no_grad():
        layer.a[:] = torch.tensor(a)
    exp = np.exp(a)
    alpha = exp / exp.sum()
    x = torch.tensor([[-2.0, 3.0]])
    expected = torch.tensor([[alpha[0] * -2 + alpha[1] * -4, 3.0]], dtype=torch.float32)
    torch.testing.assert_close(layer(x), expected)
    assert layer.choice == ["same", "steep", "relu"][int(np.argmax(np.float32(a)))]


def test_choices_and_weights_are_learnt_together():
    net = MixedChain(layers=3, channels=4)
    np.testing.assert_allclose(net.alphas, np.full((3, len(CANDIDATES)), 1 / len(CANDIDATES)))
    curve = train(net, DATA, Recipe(epochs=2))
    assert curve.train_loss[1] < curve.train_loss[0]
    assert net.alphas.shape == (3, len(CANDIDATES))
    assert not np.allclose(net.alphas, 1 / len(CANDIDATES), atol=1e-3)
    np.testing.assert_allclose(net.alphas.sum(axis=1), 1, rtol=1e-5)


def test_the_discrete_network_runs_the_chosen_candidates():
    net = MixedChain(layers=2, channels=4)
    with torch.no_grad():
        net.layers[0].a[1] = 40.0  # so that the mixture is the choice, up to rounding
        net.layers[1].a[3] = 40.0
    assert net.choices == ["conv_3x3", "max_pool_3x3"]
    chosen = net.discrete()
    torch.testing.assert_close(chosen(IMAGES), net(IMAGES))
    before = net(IMAGES).detach()
    with torch.no_grad():
        for weight in chosen.parameters():
            weight.zero_()
    assert torch.equal(net(IMAGES), before)  # copies


def test_a_choice_for_the_task_is_found():
    """After the first convolution alone, with nothing to add, a skip learns less than another."""
    candidates = {"skip": CANDIDATES["skip"], "conv_3x3": CANDIDATES["conv_3x3"]}
    net = MixedChain(layers=1, channels=8, candidates=candidates)
    train(net, FashionMNIST(8, 32, images=2000), Recipe(epochs=3))
    assert net.choices == ["conv_3x3"]


def test_a_seed_repeats_and_another_differs():
    nets = [MixedChain(2, 4, seed=seed) for seed in (0, 0, 1)]
    outputs = [net(IMAGES) for net in nets]
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


@pytest.mark.parametrize("bad", ["layers", "channels", "classes", "in_channels"])
def test_bad_numbers_are_refused(bad):
    with pytest.raises(ValueError, match=bad):
        MixedChain(**{bad: 0})
