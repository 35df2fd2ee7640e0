"""Net2Net leaves the function alone: with chains, filters, places and seeds of any kind."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from nas_lab import runtime
from nas_lab.nets import Chain, build, deepen, widen
from nas_lab.nets.morphisms import identities, layers, remap, to_arch
from nas_lab.spaces import Skeleton, nasbench201, plain_chain

SKELETON = Skeleton(resolution=7, in_channels=2, classes=3)
SIZES = {"heights": (1, 3, 5), "widths": (1, 3), "strides": (1, 2), "filters": (1, 2, 5, 9)}
SPACE = plain_chain((1, 2, 3, 4), **SIZES)
SEEDS = st.integers(0, 2**32)


def pictures(n, seed=0):
    return torch.randn(n, *SKELETON.image, generator=runtime.generator(seed, 99))


def used(arch, seed):
    """A network that looks as if it was trained: nothing is 0, 1, or as it was initialised."""
    chain = Chain.build(SPACE, arch, SKELETON, seed)
    generator = runtime.generator(seed, 1)
    with torch.no_grad():
        for name, value in chain.net.state_dict().items():
            if value.dim() and "var" not in name:
                value += 0.5 * torch.randn(value.shape, generator=generator)
            elif value.dim():
                value *= 0.5 + torch.rand(value.shape, generator=generator)
    chain.net.eval()
    return chain


@st.composite
def used_chains(draw):
    rng = np.random.default_rng(draw(SEEDS))
    return used(SPACE.sample(rng), draw(st.integers(0, 1000)))


def assert_same_function(one, other, images):
    with torch.no_grad():
        expected = one(images)
        assert expected.abs().max() > 1e-3
        torch.testing.assert_close(other(images), expected, rtol=1e-5, atol=1e-5)


def assert_of_the_space(child):
    """Its network has the parameters that the space counts, and the names that `build` gives."""
    cost = child.space.cost(child.arch, SKELETON)
    assert sum(p.numel() for p in child.net.parameters()) == cost.params
    fresh = build(child.space, child.arch, SKELETON).state_dict()
    assert {n: v.shape for n, v in child.net.state_dict().items()} == {
        n: v.shape for n, v in fresh.items()
    }
    assert child.space.canonical(child.arch) == child.arch


def draw_growth(data, chain, *kinds):
    """Some growth that the space allows, with what it should make of the layers."""
    rows, choices = chain.layers, []
    for i, row in enumerate(rows, 1):
        choices += [("widen", i, n) for n in SIZES["filters"] if n > row["filters"]]
        if len(rows) < 4:
            choices.append(("deepen", i, data.draw(st.sampled_from(identities(chain.space)))))
    choices = [choice for choice in choices if choice[0] in kinds]
    assume(choices)
    kind, i, how = growth = data.draw(st.sampled_from(choices))
    if kind == "widen":
        rows[i - 1]["filters"] = how
    else:
        rows.insert(i, {**how, "stride": 1, "filters": rows[i - 1]["filters"]})
    return growth, rows


def grow(chain, growth, seed, images):
    kind, layer, how = growth
    if kind == "widen":
        return widen(chain, layer, how, np.random.default_rng(seed))
    return deepen(chain, layer, images, **how)


@given(data=st.data(), seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_growing_again_and_again_preserves_the_function(data, seed):
    first = child = data.draw(used_chains())
    state, numbers = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    before = {name: value.clone() for name, value in first.net.state_dict().items()}
    for step in range(data.draw(st.integers(1, 3))):
        growth, expected = draw_growth(data, child, "widen", "deepen")
        child = grow(child, growth, seed + step, pictures(5))
        assert child.layers == expected
        assert not child.net.training
    assert_of_the_space(child)
    assert_same_function(first.net, child.net, pictures(11, seed))
    after = first.net.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert torch.equal(torch.get_rng_state(), state), "no global generator is used"
    assert (np.random.get_state()[1] == numbers).all()  # noqa: NPY002


@given(data=st.data(), seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_in_training_mode_widening_preserves_the_function_of_every_batch(data, seed):
    chain = data.draw(used_chains())
    growth, _ = draw_growth(data, chain, "widen")
    chain.net.train().double()  # a channel that hardly varies magnifies what is rounded
    child = grow(chain, growth, seed, pictures(5))
    assert child.net.training
    assert_same_function(chain.net, child.net, pictures(11, seed).double())


@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_in_training_mode_deepening_preserves_the_function_of_the_batch_it_saw(data):
    chain, images = data.draw(used_chains()), pictures(64)
    growth, _ = draw_growth(data, chain, "deepen")
    chain.net.train().double()
    child = grow(chain, growth, 0, images)
    assert_same_function(chain.net, child.net, images.double())


# ---- wider -----------------------------------------------------------------------------------


def test_the_mapping_keeps_old_units_and_draws_the_rest_uniformly_of_them():
    g = remap(4, 4004, np.random.default_rng(0)).tolist()
    assert g[:4] == [0, 1, 2, 3]
    counts = np.bincount(g[4:], minlength=4)
    assert counts.sum() == 4000
    assert abs(counts - 1000).max() < 4 * np.sqrt(4000 * 0.25 * 0.75)


def steps(net, n=5):
    """A few steps of gradient descent on fixed images."""
    optimiser = torch.optim.SGD(net.train().parameters(), lr=0.1, momentum=0.9)
    for _ in range(n):
        optimiser.zero_grad()
        functional.cross_entropy(net(pictures(30)), torch.arange(30) % 3).backward()
        optimiser.step()


def test_copies_learn_the_same_unless_noise_tells_them_apart():
    """Units 5 to 8 of the first layer are copies of some of the first 5."""

    def differences(net):
        weight = net.layer_1.conv.weight.detach().flatten(1)
        return torch.cdist(weight[5:], weight[:5]).min(dim=1).values

    chain = used((0, 1, 1, 0, 2, *(0,) * 12), 4)
    silent, noisy = (
        widen(chain, 1, 9, np.random.default_rng(1), noise=noise).net for noise in (0.0, 0.1)
    )
    begin = silent.layer_1.conv.weight.clone()
    assert (differences(noisy) > 0).all()
    steps(silent)
    steps(noisy)
    assert (silent.layer_1.conv.weight - begin).abs().max() > 0.01, "it learnt nothing"
    assert differences(silent).max() < 1e-5
    assert differences(noisy).min() > 0.01


# ---- chains ----------------------------------------------------------------------------------


@given(seed=SEEDS)
def test_layers_lead_back_to_the_architecture(seed):
    arch = SPACE.sample(np.random.default_rng(seed))
    assert to_arch(SPACE, layers(SPACE, arch)) == SPACE.canonical(arch)


def test_bad_input_is_explained():
    rng, chain = np.random.default_rng(0), used((3, *(0, 0, 0, 1) * 4), 0)
    for call, message in {
        (lambda: widen(chain, 5, 9, rng)): "has layers 1 to 4",
        (lambda: widen(chain, 1, 2, rng)): "more are wider",
        (lambda: widen(chain, 1, 7, rng)): "filters_1 has no option 7",
        (lambda: widen(chain, 1, 9, rng, noise=-1)): "noise must be a number of at least 0",
        (lambda: deepen(chain, 1, pictures(4), height=3, width=3)): "no networks of 5 layers",
        (lambda: deepen(chain, 1, pictures(4), height=3)): "no size of a new layer",
        (lambda: deepen(chain, 1, pictures(1), height=3, width=3)): "B of at least 2",
        (lambda: deepen(chain, 1, pictures(4)[:, :1], height=3, width=3)): "images have to be",
        (lambda: Chain.build(SPACE, (0, 1), SKELETON)): "tokens",
    }.items():
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match=r"inherited along spaces\.plain_chain"):
        Chain.build(nasbench201(), (0,) * 6, SKELETON)
    with pytest.raises(TypeError, match="numpy Generator"):
        widen(chain, 1, 9, 0)
