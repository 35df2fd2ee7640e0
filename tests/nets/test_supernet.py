"""A supernet says what a plain one and what stand-alone networks say, for all of its w."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nas_lab import spaces
from nas_lab.nets import build, calibrated, supernet
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
PLAIN = {"nasbench201": plain_201, "darts": plain_darts}
every_net = pytest.mark.parametrize("name", SPACES)
examples = settings(max_examples=5, deadline=None)
any_seed = given(seed=st.integers(0, 10_000))


def used(space, skeleton):
    """In float64; scales and shifts are not one and zero, so it shows where they are applied."""
    net, generator = supernet(space, skeleton, seed=1).double(), torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "norm" in name:
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return net


NETS = {name: used(*pair) for name, pair in SPACES.items()}


def images(net, count=8):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, *net.skeleton.image, generator=generator, dtype=torch.float64)


def sampled(net, seed):
    arch = net.space.sample(np.random.default_rng(seed))
    return arch, net.one_hot(arch)


def soft(space, seed):
    """Any weights of most options, at least one of each decision."""
    rng = np.random.default_rng(seed)
    logits = np.where(space.mask, rng.normal(size=space.mask.shape), -np.inf)
    dropped = rng.random(space.mask.shape) < 0.2
    dropped[np.arange(len(logits)), logits.argmax(axis=1)] = False
    return torch.softmax(torch.from_numpy(np.where(dropped, -np.inf, logits)), dim=1)


def assert_close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@every_net
@examples
@any_seed
def test_soft_rows_mix_as_the_plain_one_does_gradients_included(name, seed):
    net = NETS[name]
    x, w = images(net), soft(net.space, seed).requires_grad_()
    ours, theirs = net(x, w), PLAIN[net.space.name](net, x, w)
    assert_close(ours, theirs)
    by = [w, *net.parameters()]
    grads, expected = (
        torch.autograd.grad(y.square().mean(), by, materialize_grads=True) for y in (ours, theirs)
    )
    options = w != 0  # options without a weight may not have been run
    torch.testing.assert_close(grads[0][options], expected[0][options], rtol=1e-6, atol=1e-9)
    for a, b in zip(grads[1:], expected[1:], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)


@every_net
@examples
@any_seed
def test_one_hot_rows_are_the_network_that_stands_alone(name, seed):
    """``nets.build``, its weights cut out of the supernet: same outputs, same gradients.

    So are the outputs of the mixture, and, once it is calibrated, those for other images: torch
    averages over all batches, and here there is one.
    """
    net = NETS[name]
    arch, w = sampled(net, seed)
    (x, others), single = images(net, 12).split([8, 4]), alone(net, arch).train()
    for module in single.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    ours, theirs = net(x, w), single(x)
    assert_close(ours, theirs)
    assert_close(ours, net(x, w.double().requires_grad_()))
    lengths = [
        sum(
            grad.square().sum()
            for grad in torch.autograd.grad(
                y.square().mean(), list(module.parameters()), materialize_grads=True
            )
        )
        for y, module in ((ours, net), (theirs, single))
    ]
    torch.testing.assert_close(*lengths, rtol=1e-6, atol=1e-12)
    with torch.no_grad():
        torch.testing.assert_close(calibrated(net, [(x, w)])(others, w), single.eval()(others))


def test_in_single_precision_channels_last_changes_nothing():
    for space in (spaces.nasbench201(), spaces.darts()):
        net = supernet(space, CELLS)
        x, w = images(net).float(), soft(space, 0).float()
        theirs = PLAIN[space.name](net, x, w)
        torch.testing.assert_close(net(x, w), theirs, rtol=1e-4, atol=1e-5)


@every_net
def test_a_bad_w_is_refused(name):
    net = NETS[name]
    x, (_, w) = images(net), sampled(net, 0)
    for bad, error, message in (
        (torch.zeros_like(w), ValueError, "no weight at all"),
        (w[1:], ValueError, "takes w of shape"),
        (w.long(), TypeError, "tensor of floats"),
        (w.numpy(), TypeError, "tensor of floats"),
    ):
        with pytest.raises(error, match=message):
            net(x, bad)


@every_net
def test_weights_depend_on_the_seed_alone(name):
    state = torch.get_rng_state()
    one, same, other = (supernet(*SPACES[name], seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


def test_a_space_without_a_supernet_is_refused():
    for space in (Space("mine", (Decision("a", (0, 1)),)), spaces.mlp()):
        with pytest.raises(TypeError, match=f"no supernet of {type(space).__name__}"):
            supernet(space, CELLS)
    with pytest.raises(ValueError, match="seed"):
        supernet(spaces.darts(), CELLS, seed=-1)


# ---- slices --------------------------------------------------------------------------------------

SLICED = spaces.transformer((1, 2), (8, 16), (1, 2), (1, 2))


MIXED = spaces.transformer_blocks(2, 8, (0, 1, 2), (0, 8, 16))
ARCHS = [*((SLICED, arch) for arch in SLICED), *((MIXED, arch) for arch in [*MIXED][::9])]


@pytest.mark.parametrize(("space", "arch"), ARCHS)
def test_a_slice_is_the_network_that_has_its_numbers(space, arch):
    """Gradients reach the first rows and columns of each matrix, and nothing else."""
    net = supernet(space, CELLS, seed=1)
    alone = build(space, arch, CELLS)
    with torch.no_grad():
        for name, mine in alone.named_parameters():
            whole = net.largest.get_parameter(name)
            mine.copy_(
                whole[: mine.shape[0], : mine.shape[1]]
                if mine.dim() == 2
                else whole[: mine.shape[0]]
            )
    x = images(net).float()
    logits = net(x, net.one_hot(arch))
    torch.testing.assert_close(logits, alone(x))
    logits.square().sum().backward()
    alone(x).square().sum().backward()
    own = dict(alone.named_parameters())
    for name, whole in net.largest.named_parameters():
        if name not in own:
            assert whole.grad is None
            continue
        mine = own[name]
        inside = tuple(map(slice, mine.shape))
        torch.testing.assert_close(whole.grad[inside], mine.grad)
        assert whole.grad.count_nonzero() == mine.grad.count_nonzero()


def test_the_largest_is_the_supernet_itself_and_slices_do_not_mix():
    net = supernet(SLICED, CELLS)
    parameters = sum(weight.numel() for weight in net.parameters())
    assert parameters == SLICED.cost(SLICED.largest, CELLS).params
    w = torch.full((4, 2), 0.5)
    with pytest.raises(ValueError, match="every row of w has to be one-hot"):
        net(images(net).float(), w)
