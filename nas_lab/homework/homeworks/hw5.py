"""Homework 5, DARTS: the relaxation, the mixed operation, the bilevel step, discretisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax

from nas_lab.homework.drivers import Plain, bilevel, hessian, mixture
from nas_lab.homework.question import as_floats, question

if TYPE_CHECKING:
    from torch import Tensor


def _draw_alphas(rng: np.random.Generator) -> list[Plain]:
    """Logits [E, K], never square, some of them large."""
    edges = rng.choice([2, 3, 5])
    return [np.round(rng.normal(0, rng.choice([1, 300]), size=(edges, 4)), 2)]


@question(
    "hw5.q1",
    draw=_draw_alphas,
    points=1,
    hint="each row becomes positive numbers that add up to 1. What happens to exp of a large one?",
    normal=as_floats,
    mistakes={
        "look at the axis of the softmax: the operations of one edge share its weight.": (
            lambda alphas: softmax(alphas, axis=0)
        ),
        "that is the choice at the end. Its soft form is asked for.": (
            lambda alphas: np.eye(4)[np.argmax(alphas, axis=1)]
        ),
    },
)
def _relax(alphas: Plain) -> np.ndarray:
    return softmax(alphas, axis=1)


def _draw_mixture(rng: np.random.Generator) -> list[Plain]:
    k = rng.integers(2, 5)
    x = np.round(rng.normal(size=rng.integers(2, 5)), 2)
    return [x, *np.round(rng.normal(size=(2, k)), 2)]


def _mix(x: Tensor, weights: Tensor, operations: list[Callable]) -> Tensor:
    return sum(w * op(x) for w, op in zip(weights, operations, strict=True))


@question(
    "hw5.q2",
    draw=_draw_mixture,
    points=2,
    hint="the sum over operations of weight times output, with weights by a softmax of alpha.",
    drive=mixture,
    mistakes={
        "look at the weights: alpha has to go through a softmax.": _mix,
        "look at the argmax: no gradient comes through it. All operations take part.": (
            lambda x, alphas, operations: operations[alphas.argmax()](x) + 0 * alphas.sum()
        ),
        "the weights add up to 1 already; a sum, not a mean.": (
            lambda x, alphas, operations: _mixed_operation(x, alphas, operations) / len(operations)
        ),
    },
)
def _mixed_operation(x: Tensor, alphas: Tensor, operations: list[Callable]) -> Tensor:
    return _mix(x, alphas.softmax(dim=0), operations)


def _loss_numbers(rng: np.random.Generator, n: int, m: int) -> list[Plain]:
    """Curvature [n], coupling [n, m] and target [n] of a loss, see ``drivers.losses``."""
    parts = [rng.uniform(0.5, 2, size=n), rng.normal(size=(n, m)), rng.normal(size=n)]
    return [np.round(part, 2) for part in parts]


def _draw_bilevel(rng: np.random.Generator) -> list[Plain]:
    n, m = rng.integers(2, 4, size=2)
    w, alpha = (np.round(rng.normal(size=size), 2) for size in (n, m))
    rate = rng.choice([0.05, 0.1, 0.2])
    return [w, alpha, rate, _loss_numbers(rng, n, m), _loss_numbers(rng, n, m)]


def _grad(loss: Tensor, at: Tensor) -> Tensor:
    import torch

    return torch.autograd.grad(loss, at, create_graph=True)[0]


def _at_the_stepped_weights(
    w: Tensor, alpha: Tensor, train: Callable, valid: Callable, rate: float
) -> Tensor:
    return _grad(valid((w - rate * _grad(train(w, alpha), w)).detach(), alpha), alpha)


@question(
    "hw5.q3",
    draw=_draw_bilevel,
    points=4,
    hint="the weights after the step depend on alpha too. Keep the graph of the inner gradient.",
    drive=bilevel,
    mistakes={
        "that is the first order: alpha also moves the weights that training leads to.": (
            lambda w, alpha, train, valid, rate: _alpha_gradient(w, alpha, train, valid, 0.0)
        ),
        "look at the inner step: is its graph kept (create_graph), or was it detached?": (
            _at_the_stepped_weights
        ),
        "look at the data: alpha is judged by the validation loss.": (
            lambda w, alpha, train, valid, rate: _alpha_gradient(w, alpha, train, train, rate)
        ),
        "look at the data: which loss trains the weights, and which one judges alpha?": (
            lambda w, alpha, train, valid, rate: _alpha_gradient(w, alpha, valid, train, rate)
        ),
        "look at the sign of the inner step: training goes downhill.": (
            lambda w, alpha, train, valid, rate: _alpha_gradient(w, alpha, train, valid, -rate)
        ),
        "alpha acts twice: through the weights, and in the validation loss itself.": (
            lambda *given: _alpha_gradient(*given) - _at_the_stepped_weights(*given)
        ),
    },
)
def _alpha_gradient(
    w: Tensor, alpha: Tensor, train: Callable, valid: Callable, rate: float
) -> Tensor:
    return _grad(valid(w - rate * _grad(train(w, alpha), w), alpha), alpha)


def _draw_hessian(rng: np.random.Generator) -> list[Plain]:
    n, m = rng.integers(2, 4, size=2)
    w, alpha, v = (np.round(rng.normal(size=size), 2) for size in (n, m, n))
    return [w, alpha, v, rng.choice([0.01, 0.1]), _loss_numbers(rng, n, m)]


def _one_sided(gradient: Callable, w: Any, v: Any, epsilon: float) -> Any:
    e = epsilon / np.linalg.norm(v)
    return (gradient(w + e * v) - gradient(w)) / e


@question(
    "hw5.q4",
    draw=_draw_hessian,
    points=2,
    hint="two gradients, at w plus and at w minus a small multiple of v, and their distance.",
    drive=hessian,
    mistakes={
        "look at the step: epsilon is divided by the length of v.": (
            lambda f, w, v, epsilon: _hessian_product(f, w, v, epsilon * np.linalg.norm(v))
        ),
        "look at the denominator: how far apart are the two points?": (
            lambda *given: 2 * _hessian_product(*given)
        ),
        "the difference is central: from w minus to w plus the step.": _one_sided,
        "look at the denominator: it is the step that was taken, not epsilon itself.": (
            lambda f, w, v, epsilon: _hessian_product(f, w, v, epsilon) / np.linalg.norm(v)
        ),
    },
)
def _hessian_product(gradient: Callable, w: Any, v: Any, epsilon: float) -> Any:
    e = epsilon / np.linalg.norm(v)
    return (gradient(w + e * v) - gradient(w - e * v)) / (2 * e)


OPERATIONS = ("none", "skip", "sep_conv_3x3", "max_pool_3x3")
EDGES = ((0, 2), (1, 2), (0, 3), (1, 3), (2, 3), (0, 4), (1, 4), (2, 4), (3, 4))
"""Two inputs 0 and 1, and three nodes that read all earlier ones."""
NONE = "look at 'none': it is not among the operations that can be chosen."


def _draw_weights(rng: np.random.Generator) -> list[Plain]:
    """Mixing weights [9, 4] of a cell in which 'none' is large, as it is in truth."""
    logits = rng.normal(0, 1, size=(len(EDGES), len(OPERATIONS)))
    logits[:, 0] += 1
    return [np.round(softmax(logits, axis=1), 6)]


@question(
    "hw5.q5",
    draw=_draw_weights,
    points=2,
    hint="on each edge, the operation with the largest weight, 'none' left out.",
    mistakes={
        NONE: lambda weights: [OPERATIONS[np.argmax(row)] for row in weights],
        "look at the places: when 'none' is cut off, the others move up by one.": (
            lambda weights: [OPERATIONS[np.argmax(row[1:])] for row in weights]
        ),
    },
)
def _choose_operations(weights: Plain) -> list[str]:
    return [OPERATIONS[1 + np.argmax(row[1:])] for row in weights]


def _strongest(places: list[int], strengths: list[float], number: int = 2) -> list[int]:
    return sorted(places, key=lambda place: -strengths[place])[:number]


def _genotype_over_all(weights: Plain) -> list[list]:
    kept = _strongest(list(range(9)), [max(row[1:]) for row in weights], 6)
    return [[*EDGES[place], _choose_operations(weights)[place]] for place in sorted(kept)]


@question(
    "hw5.q6",
    draw=_draw_weights,
    points=3,
    hint="for each node, the two edges into it whose best operation is strongest.",
    mistakes={
        NONE: lambda weights: _genotype(weights, [max(row) for row in weights]),
        "two edges for each node, not six for the whole cell.": _genotype_over_all,
        "look at the order: the strongest edges stay.": (
            lambda weights: _genotype(weights, [-max(row[1:]) for row in weights])
        ),
        "look at the number of edges: every node keeps two.": (
            lambda weights: _genotype(weights, keep=4)
        ),
    },
)
def _genotype(weights: Plain, strengths: list[float] | None = None, keep: int = 2) -> list[list]:
    """Edges [source, node, operation] that stay, in the order of EDGES."""
    strengths = strengths or [max(row[1:]) for row in weights]
    operations = _choose_operations(weights)
    into = [[p for p, (_, target) in enumerate(EDGES) if target == node] for node in (2, 3, 4)]
    kept = [place for places in into for place in _strongest(places, strengths, keep)]
    return [[*EDGES[place], operations[place]] for place in sorted(kept)]
