"""Gradients of DARTS against automatic differentiation through the step of the weights."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from nas_lab.nets import supernet
from nas_lab.spaces import Skeleton, darts, nasbench201
from nas_lab.strategies.darts.updates import (
    first_order,
    gradient,
    mixed_product,
    moved,
    norm,
    second_order,
)

EXAMPLES = settings(max_examples=25, deadline=None)


def problem(seed):
    """Two candidates mixed in a network of two dense layers, on data of its own: all in float64."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    alphas = [draw(3).requires_grad_(), draw(2, 2).requires_grad_()]
    weights = [(0.3 * draw(*shape)).requires_grad_() for shape in ((4, 5), (5, 3), (3,))]
    data = [(draw(7, 4), draw(7, 3)) for _ in range(2)]

    def loss(batch, alphas, weights):
        x, y = batch
        a, b = alphas[0].softmax(0), alphas[1].softmax(1)
        hidden = x @ weights[0]
        hidden = a[0] * hidden.tanh() + a[1] * hidden.square() + a[2] * hidden
        out = b[0, 0] * hidden @ weights[1] + b[1, 1] * (hidden @ weights[1]).sin() + weights[2]
        return (out - y).square().mean()

    return loss, data, alphas, weights


@EXAMPLES
@given(seed=st.integers(0, 10_000), xi=st.sampled_from([0.001, 0.025, 0.1]))
def test_second_order_is_the_gradient_through_the_step(seed, xi):
    loss, (train, val), alphas, weights = problem(seed)
    slopes = torch.autograd.grad(loss(train, alphas, weights), weights, create_graph=True)
    ahead = [w - xi * slope for w, slope in zip(weights, slopes, strict=True)]
    value = loss(val, alphas, ahead)
    exact = torch.autograd.grad(value, alphas)
    ours = second_order(
        partial(loss, train, alphas, weights),
        partial(loss, val, alphas, weights),
        alphas,
        weights,
        xi,
    )
    assert ours.loss == pytest.approx(value.item())
    error = norm([a - b for a, b in zip(ours.parts, exact, strict=True)])
    assert error < 1e-3 * norm(exact)


@EXAMPLES
@given(seed=st.integers(0, 10_000))
def test_the_mixed_product_is_a_hessian_times_a_vector(seed):
    loss, (train, _), alphas, weights = problem(seed)
    along = [torch.linspace(-1, 2, w.numel(), dtype=w.dtype).view_as(w) for w in weights]
    slopes = torch.autograd.grad(loss(train, alphas, weights), weights, create_graph=True)
    inner = sum((slope * v).sum() for slope, v in zip(slopes, along, strict=True))
    exact = torch.autograd.grad(inner, alphas)
    ours = mixed_product(partial(loss, train, alphas, weights), alphas, weights, along)
    error = norm([a - b for a, b in zip(ours, exact, strict=True)])
    assert error < 1e-3 * norm(exact) + 1e-9


@EXAMPLES
@given(seed=st.integers(0, 10_000))
def test_first_order_is_the_gradient_of_the_validation_loss_alone(seed):
    loss, (train, val), alphas, weights = problem(seed)
    exact = torch.autograd.grad(loss(val, alphas, weights), alphas)
    ours = first_order(
        partial(loss, train, alphas, weights),
        partial(loss, val, alphas, weights),
        alphas,
        weights,
        0.1,
    )
    for a, b in zip(ours.parts, exact, strict=True):
        torch.testing.assert_close(a, b)
    without_a_step = second_order(
        partial(loss, train, alphas, weights),
        partial(loss, val, alphas, weights),
        alphas,
        weights,
        0.0,
    )
    for a, b in zip(without_a_step.parts, exact, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    ("space", "skeleton"),
    [
        (nasbench201(), Skeleton(4, 1, 1, resolution=6, in_channels=1)),
        (darts(), Skeleton(4, 3, resolution=8, in_channels=1)),
    ],
)
def test_on_a_supernet_too(space, skeleton):
    """The exact one by double backward, through `torch.func.functional_call`.

    The distance is so short that no ReLU switches.
    """
    generator = torch.Generator().manual_seed(0)
    net = supernet(space, skeleton).double()
    weights = dict(net.named_parameters())
    shape = (6, 1, skeleton.resolution, skeleton.resolution)
    batches = [
        (
            torch.randn(shape, generator=generator, dtype=torch.float64),
            torch.randint(10, (6,), generator=generator),
        )
        for _ in range(2)
    ]
    alpha = torch.randn(space.mask.shape, generator=generator, dtype=torch.float64)
    alpha.requires_grad_()

    def loss(batch, weights):
        w = alpha.softmax(dim=1)
        logits = torch.func.functional_call(net, weights, (batch[0], w))
        return functional.cross_entropy(logits, batch[1])

    xi = 0.025
    slopes = torch.autograd.grad(
        loss(batches[0], weights), list(weights.values()), create_graph=True, materialize_grads=True
    )
    ahead = {
        name: weight - xi * slope
        for (name, weight), slope in zip(weights.items(), slopes, strict=True)
    }
    (exact,) = torch.autograd.grad(loss(batches[1], ahead), alpha)
    train, val = (partial(loss, batch, weights) for batch in batches)
    before = [weight.detach().clone() for weight in weights.values()]
    (ours,) = second_order(train, val, [alpha], list(weights.values()), xi, 1e-5).parts
    assert norm([ours - exact]) < 1e-6 * norm([exact])
    (first,) = first_order(train, val, [alpha], list(weights.values()), xi).parts
    assert norm([first - exact]) > 1e-3 * norm([exact])  # so that the test above says something
    assert all(torch.equal(a, b) for a, b in zip(before, weights.values(), strict=True))


def test_weights_come_back_to_the_last_bit_after_an_error():
    weights = [torch.linspace(0, 1, 5), torch.linspace(2, 3, 6).view(2, 3)]
    before = [weight.clone() for weight in weights]

    def interrupted():
        assert not torch.equal(weights[0], before[0])
        raise KeyboardInterrupt

    def move():
        with moved(weights, [torch.full_like(weight, 0.1) for weight in weights], 0.3):
            interrupted()

    with pytest.raises(KeyboardInterrupt):
        move()
    assert all(torch.equal(a, b) for a, b in zip(before, weights, strict=True))


def test_what_a_loss_does_not_depend_on_has_gradient_zero():
    used, unused = torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True)
    found = gradient(lambda: used.square().sum(), [used, unused])
    assert found.loss == 2
    assert found.parts[0].tolist() == [2, 2]
    assert found.parts[1].tolist() == [0, 0, 0]
    (flat,) = mixed_product(lambda: used.sum() + unused.sum(), [used], [unused], [torch.zeros(3)])
    assert flat.tolist() == [0, 0]
