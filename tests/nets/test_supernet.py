"""A supernet says what a plain one and what stand-alone networks say, for all of its w."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nas_lab import spaces
from nas_lab.nets import calibrated, supernet
from nas_lab.spaces import Skeleton
from nas_lab.spaces.base import Decision, Space
from tests.nets.alone import alone
from tests.nets.plain import plain_201, plain_darts

CELLS = Skeleton(channels=4, cells=3, stages=2, resolution=8, in_channels=1)
ODD = Skeleton(channels=4, cells=3, stages=2, resolution=9, in_channels=2, classes=3)
SPACES = {
    "nasbench201": (spaces.nasbench201(), CELLS),
    "darts": (spaces.darts(), CELLS),
    "nasbench201 of odd images": (spaces.nasbench201(), ODD),
}
NETS = {name: supernet(*pair, seed=1) for name, pair in SPACES.items()}
EXACT = {name: copy.deepcopy(net).double() for name, net in NETS.items()}
EXAMPLES = settings(max_examples=12, deadline=None)
SEEDS = st.integers(0, 10_000)


def plain(net, x, w):
    return {"nasbench201": plain_201, "darts": plain_darts}[net.space.name](net, x, w)


def images(net, count=8):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, *net.skeleton.image, generator=generator)


def sampled(net, seed):
    return net.space.sample(np.random.default_rng(seed))


def soft(space, seed):
    """Any weights of most options, at least one of each decision."""
    rng = np.random.default_rng(seed)
    logits = np.where(space.mask, rng.normal(size=space.mask.shape), -np.inf)
    dropped = rng.random(space.mask.shape) < 0.2
    dropped[np.arange(len(logits)), logits.argmax(axis=1)] = False
    return torch.softmax(torch.from_numpy(np.where(dropped, -np.inf, logits)), dim=1)


@pytest.fixture(autouse=True, scope="module")
def trained_norms():
    """Scales and shifts that are not one and zero, so that it shows where they are applied."""
    for nets in (NETS, EXACT):
        for net in nets.values():
            generator = torch.Generator().manual_seed(2)
            for name, parameter in net.named_parameters():
                if "norm" in name:
                    with torch.no_grad():
                        parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))


@pytest.mark.parametrize("name", SPACES)
@EXAMPLES
@given(seed=SEEDS)
def test_one_hot_rows_choose_what_soft_rows_would_mix(name, seed):
    net = NETS[name]
    x, w = images(net), net.one_hot(sampled(net, seed))
    with torch.no_grad():
        chosen = net(x, w)
    mixed = net(x, w.clone().requires_grad_()).detach()
    torch.testing.assert_close(chosen, mixed, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(chosen, plain(net, x, w), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SPACES)
@EXAMPLES
@given(seed=SEEDS)
def test_soft_rows_mix_as_the_plain_one_does_gradients_included(name, seed):
    net = EXACT[name]
    x, w = images(net).double(), soft(net.space, seed).requires_grad_()
    ours, theirs = net(x, w), plain(net, x, w)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    by = [w, *net.parameters()]
    grads, expected = (
        torch.autograd.grad(y.square().mean(), by, materialize_grads=True) for y in (ours, theirs)
    )
    options = w != 0  # options without a weight may not have been run
    torch.testing.assert_close(grads[0][options], expected[0][options], rtol=1e-6, atol=1e-9)
    for a, b in zip(grads[1:], expected[1:], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", SPACES)
@EXAMPLES
@given(seed=SEEDS)
def test_one_hot_rows_are_the_network_that_stands_alone(name, seed):
    """``nets.build``, its weights cut out of the supernet: same outputs, same gradients."""
    net = EXACT[name]
    arch = sampled(net, seed)
    x, w, single = images(net).double(), net.one_hot(arch), alone(net, arch).train()
    ours, theirs = net(x, w), single(x)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    length, expected = (
        sum(
            grad.square().sum()
            for grad in torch.autograd.grad(
                y.square().mean(), list(module.parameters()), materialize_grads=True
            )
        )
        for y, module in ((ours, net), (theirs, single))
    )
    torch.testing.assert_close(length, expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name", SPACES)
def test_a_bad_w_is_refused(name):
    net = NETS[name]
    x, w = images(net), net.one_hot(sampled(net, 0))
    with pytest.raises(ValueError, match="no weight at all"):
        net(x, torch.zeros_like(w))
    with pytest.raises(ValueError, match="takes w of shape"):
        net(x, w[1:])
    with pytest.raises(TypeError, match="tensor of floats"):
        net(x, w.long())
    with pytest.raises(TypeError, match="tensor of floats"):
        net(x, w.numpy())


@pytest.mark.parametrize("name", SPACES)
def test_every_weight_is_of_use(name):
    """Each belongs to an option: soft rows give all of them a gradient."""
    net = EXACT[name]
    logits = torch.from_numpy(np.where(net.space.mask, 0.0, -np.inf))
    net.zero_grad()
    net(images(net).double(), torch.softmax(logits, dim=1)).square().mean().backward()
    without = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize("name", SPACES)
@EXAMPLES
@given(seed=SEEDS)
def test_statistics_are_those_that_torch_keeps(name, seed):
    """The network that stands alone averages over all batches; here there is one."""
    net = EXACT[name]
    arch = sampled(net, seed)
    w, single = net.one_hot(arch), alone(net, arch).train()
    for module in single.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    x, others = images(net, 12).double().split([8, 4])
    with torch.no_grad():
        single(x)
        expected = single.eval()(others)
        torch.testing.assert_close(calibrated(net, [(x, w)])(others, w), expected)


@pytest.mark.parametrize("name", SPACES)
def test_weights_depend_on_the_seed_alone(name):
    space, skeleton = SPACES[name]
    state = torch.get_rng_state()
    one, same, other = (supernet(space, skeleton, seed) for seed in (3, 3, 4))
    assert torch.equal(state, torch.get_rng_state())
    pairs = list(zip(one.parameters(), same.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs)


def test_a_space_without_a_supernet_is_refused():
    with pytest.raises(TypeError, match="no supernet of Space"):
        supernet(Space("mine", (Decision("a", (0, 1)),)), CELLS)
    with pytest.raises(TypeError, match="no supernet of"):
        supernet(spaces.mlp(), CELLS)
    with pytest.raises(ValueError, match="seed"):
        supernet(spaces.darts(), CELLS, seed=-1)
