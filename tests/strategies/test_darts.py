"""DARTS: its gradients against automatic differentiation, its choice against brute force."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from nas_lab.nets import supernet
from nas_lab.spaces import Skeleton, conv_chain, darts, nasbench201
from nas_lab.strategies import Darts
from nas_lab.strategies import darts as module
from nas_lab.strategies.darts import (
    SHORT,
    Schedule,
    discretise,
    first_order,
    gradient,
    mixed_product,
    norm,
    second_order,
)
from tests.strategies.test_learners import DATA, SKELETON, SPACE, equal, make, weights

# ---- gradients ---------------------------------------------------------------------------------


def slopes(loss, weights):
    return torch.autograd.grad(loss, weights, create_graph=True, materialize_grads=True)


def distance(ours, exact):
    """Of two gradients, relative to the second."""
    return norm([a - b for a, b in zip(ours, exact, strict=True)]) / norm(exact)


@pytest.mark.parametrize(
    ("space", "skeleton"),
    [
        (nasbench201(), Skeleton(4, 1, 1, resolution=6, in_channels=1)),
        (darts(), Skeleton(4, 3, resolution=8, in_channels=1)),
    ],
)
def test_the_gradients_are_those_of_automatic_differentiation(monkeypatch, space, skeleton):
    """Through the step in second order; of the validation loss alone in first order.

    The distance is so short that no ReLU switches.
    """
    generator, net = torch.Generator().manual_seed(0), supernet(space, skeleton).double()
    named = dict(net.named_parameters())
    weights = list(named.values())

    def draw(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    def loss(batch, weights):
        w = alpha.softmax(dim=1)
        logits = torch.func.functional_call(net, dict(zip(named, weights, strict=True)), (batch, w))
        return functional.cross_entropy(logits, torch.arange(6))

    train, val = draw(6, *skeleton.image), draw(6, *skeleton.image)
    alpha = draw(*space.mask.shape).requires_grad_()
    before = [weight.detach().clone() for weight in weights]
    monkeypatch.setattr(module, "DISTANCE", 1e-5)
    losses = [partial(loss, batch, weights) for batch in (train, val)]
    first = first_order(*losses, [alpha], weights, 0.1)
    assert distance(first.parts, torch.autograd.grad(losses[1](), alpha)) < 1e-9
    for xi in (0.025, 0.1):
        pairs = zip(weights, slopes(losses[0](), weights), strict=True)
        value = loss(val, [w - xi * slope for w, slope in pairs])
        exact = torch.autograd.grad(value, alpha)
        ours = second_order(*losses, [alpha], weights, xi)
        assert ours.loss == pytest.approx(value.item())
        assert distance(ours.parts, exact) < 1e-6
        assert distance(first.parts, exact) > 1e-3, "so that the test above says something"
    assert equal(before, weights)


def test_what_a_loss_does_not_depend_on_has_gradient_zero():
    used, unused = torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True)
    found = gradient(lambda: used.square().sum(), [used, unused])
    assert found.loss == 2
    assert found.parts[0].tolist() == [2, 2]
    assert found.parts[1].tolist() == [0, 0, 0]
    (flat,) = mixed_product(lambda: used.sum() + unused.sum(), [used], [unused], [torch.zeros(3)])
    assert flat.tolist() == [0, 0]


# ---- the choice --------------------------------------------------------------------------------


def probabilities(space, seed):
    w = np.random.default_rng(seed).random(space.mask.shape) * space.mask
    return w / w.sum(axis=1, keepdims=True)


def best_genotype(space, w):
    """Of all pairs of edges and operations of every node, the one with the largest sum."""
    names = [decision.name for decision in space.decisions]
    best = dict.fromkeys(names, "none")
    for cell in ("normal", "reduce"):
        for node in (2, 3, 4, 5):
            choices = [
                (w[names.index(edge), k], op, edge)
                for edge in (f"{cell}_{source}_{node}" for source in range(node))
                for k, op in enumerate(space.decisions[0].options)
                if op != "none"
            ]
            pairs = (p for p in itertools.combinations(choices, 2) if p[0][2] != p[1][2])
            chosen = max(pairs, key=lambda pair: pair[0][0] + pair[1][0])
            best |= {edge: op for _, op, edge in chosen}
    return space.encode(best)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_strongest_is_the_best_genotype_and_elsewhere_the_argmax(seed):
    w = probabilities(darts(), seed)
    assert discretise(darts(), w) == best_genotype(darts(), w)
    for space in (nasbench201(), conv_chain(3, skips=False)):
        w = probabilities(space, seed)
        expected = tuple(max(range(len(row)), key=row.__getitem__) for row in w)
        assert discretise(space, w, keep_none=True) == expected
    for space in (nasbench201(), darts(), conv_chain(3, skips=False)):
        arch = space.sample(np.random.default_rng(seed))
        assert discretise(space, space.one_hot(arch), keep_none=True) == arch


@pytest.mark.parametrize(
    ("space", "keep_none", "wins"),
    [
        (nasbench201(), False, False),
        (nasbench201(), True, True),
        (darts(), False, False),
        (darts(), True, False),
    ],
)
def test_none_wins_only_where_it_is_kept_as_on_nas_bench_201(space, keep_none, wins):
    w = np.full(space.mask.shape, 0.1)
    w[:, 0] = 0.9
    w[:2, 3] = 0.2
    arch = discretise(space, w, keep_none=keep_none)
    names = [space.decisions[i].options[token] for i, token in enumerate(arch[:2])]
    assert names == (["none"] * 2 if wins else [space.decisions[0].options[3]] * 2)


@pytest.mark.parametrize("w", [np.zeros((6, 5)), np.full(darts().mask.shape, np.nan)])
def test_w_of_another_shape_or_with_nan_is_refused(w):
    with pytest.raises(ValueError, match=r"takes w of shape .* NaN"):
        discretise(darts(), w)


# ---- the search --------------------------------------------------------------------------------


def search(**options):
    return Darts(SPACE, SKELETON, DATA, **{"schedule": SHORT} | options)


@pytest.mark.parametrize("name", ["first order", "second order", "joint"])
def test_w_is_the_softmax_of_alpha_after_each_step(name):
    found = make(name).fit(steps=3)
    assert found.alphas.shape == found.w.shape == (3, 6, 5)
    assert found.alphas.dtype == found.w.dtype == np.float32
    assert not (found.alphas[0] == found.alphas[1]).all()
    exp = np.exp(found.alphas.astype(float))
    np.testing.assert_allclose(found.w, exp / exp.sum(axis=2, keepdims=True), rtol=1e-5)
    assert np.array_equal(found.strengths(), found.w[-1])


def test_alphas_and_weights_learn_on_halves_that_share_no_image():
    found = search()
    seen = []
    for batches in (found.train_batches, found.val_batches):
        images = torch.cat([next(batches)[0] for _ in range(7)])  # one pass: 200 images
        seen.append({image.numpy().tobytes() for image in images})
    assert len(seen[0]) == len(seen[1]) == 200
    assert not seen[0] & seen[1]


def test_while_the_weights_warm_up_alphas_rest():
    found = search(schedule=Schedule(alpha_rate=0.1, warmup=0.5)).fit(steps=4)
    assert (found.alphas[:2] == 0).all()
    assert (found.alphas[2:] != 0).any()


def test_the_rate_falls_along_a_cosine():
    schedule = Schedule(weight_rate=0.5, last_weight_rate=0.1)
    rates = [schedule.rate(progress) for progress in (0, 0.25, 0.5, 1)]
    assert rates == pytest.approx([0.5, 0.1 + 0.4 * math.cos(math.pi / 8) ** 2, 0.3, 0.1])


def test_the_defaults_are_those_of_the_paper():
    schedule = Schedule()
    (adam,) = schedule.alpha_optimiser([torch.zeros(1)]).param_groups
    assert (adam["lr"], adam["betas"], adam["weight_decay"]) == (3e-4, (0.5, 0.999), 1e-3)
    (sgd,) = schedule.weight_optimiser([torch.zeros(1)]).param_groups
    assert (sgd["lr"], sgd["momentum"], sgd["weight_decay"]) == (0.025, 0.9, 3e-4)


def test_the_architecture_of_an_earlier_step_can_be_asked_for():
    found = search(schedule=Schedule(alpha_rate=1.0))
    assert found.alphas.shape == (0, 6, 5)
    assert found.arch() in SPACE
    found.fit(steps=3)
    for i, w in enumerate(found.w):
        assert found.arch(i) == tuple(1 + w[:, 1:].argmax(axis=1))
        assert found.arch(i, keep_none=True) == tuple(w.argmax(axis=1))
    with pytest.raises(IndexError):
        found.arch(3)


def test_an_interrupt_leaves_no_virtual_step(monkeypatch):
    found = search(order=2).fit(steps=2)
    before, loss, calls = weights(found), Darts.loss, []

    def interrupted(self, *arguments):
        calls.append(arguments)
        if len(calls) == 2:  # while the weights are a step ahead
            raise KeyboardInterrupt
        return loss(self, *arguments)

    monkeypatch.setattr(Darts, "loss", interrupted)
    found.fit(steps=5)
    assert len(calls) == 2
    assert equal(before, weights(found))


def test_alphas_move_before_the_weights(monkeypatch):
    moves = []
    for name in ("move_alphas", "move_weights"):
        monkeypatch.setattr(Darts, name, lambda self, *_, name=name: moves.append(name))
    search().fit(steps=1)
    assert moves == ["move_alphas", "move_weights"]


@pytest.mark.parametrize(
    "bad", [{"momentum": 1.0}, {"clip": 0}, {"alpha_betas": (0.5, 1.0)}, {"weight_rate": -1.0}]
)
def test_bad_schedules_and_orders_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        Schedule(**bad)
    with pytest.raises(ValueError, match="order is 1 or 2"):
        search(order=3)
