"""Homework 5, DARTS: the relaxation, the mixed operation, the bilevel step, discretisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax

from nas_lab.homework.drivers import Plain, bilevel, hessian, mixture
from nas_lab.homework.question import as_floats, hints, question

if TYPE_CHECKING:
    from torch import Tensor


def _draw_alphas(rng: np.random.Generator) -> list[Plain]:
    """Logits [E, K], never square, some of them large."""
    edges = rng.choice([2, 3, 5])
    return [np.round(rng.normal(0, rng.choice([1, 300]), size=(edges, 4)), 2)]


@question("hw5.q1", _draw_alphas, points=1, normal=as_floats)
@hints(
    "each row becomes positive numbers that add up to 1. What happens to exp of a large one?",
    lambda alphas: softmax(alphas, axis=0),
    "look at the axis of the softmax: the operations of one edge share its weight.",
    lambda alphas: np.eye(4)[np.argmax(alphas, axis=1)],
    "that is the choice at the end. Its soft form is asked for.",
)
def _relax(alphas: Plain) -> np.ndarray:
    return softmax(alphas, axis=1)


def _draw_mixture(rng: np.random.Generator) -> list[Plain]:
    k = rng.integers(2, 5)
    x = np.round(rng.normal(size=rng.integers(2, 5)), 2)
    return [x, *np.round(rng.normal(size=(2, k)), 2)]


def _mix(x: Tensor, weights: Tensor, operations: list[Callable]) -> Tensor:
    return sum(w * op(x) for w, op in zip(weights, operations, strict=True))


@question("hw5.q2", _draw_mixture, points=2, drive=mixture)
@hints(
    "the sum over operations of weight times output, with weights by a softmax of alpha.",
    _mix,
    "look at the weights: alpha has to go through a softmax.",
    lambda x, alphas, operations: operations[alphas.argmax()](x) + 0 * alphas.sum(),
    "look at the argmax: no gradient comes through it. All operations take part.",
    lambda x, alphas, operations: _mixed_operation(x, alphas, operations) / len(operations),
    "the weights add up to 1 already; a sum, not a mean.",
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


def _detached(w: Tensor, alpha: Tensor, train: Callable, valid: Callable, rate: float) -> Tensor:
    return _grad(valid((w - rate * _grad(train(w, alpha), w)).detach(), alpha), alpha)


@question("hw5.q3", _draw_bilevel, points=4, drive=bilevel)
@hints(
    "the weights after the step depend on alpha too. Keep the graph of the inner gradient.",
    lambda w, alpha, train, valid, rate: _alpha_gradient(w, alpha, train, valid, 0.0),
    "that is the first order: alpha also moves the weights that training leads to.",
    _detached,
    "look at the inner step: is its graph kept (create_graph), or was it detached?",
    lambda w, alpha, train, valid, rate: _alpha_gradient(w, alpha, train, train, rate),
    "look at the data: alpha is judged by the validation loss.",
    lambda w, alpha, train, valid, rate: _alpha_gradient(w, alpha, valid, train, rate),
    "look at the data: which loss trains the weights, and which one judges alpha?",
    lambda w, alpha, train, valid, rate: _alpha_gradient(w, alpha, train, valid, -rate),
    "look at the sign of the inner step: training goes downhill.",
    lambda *given: _alpha_gradient(*given) - _detached(*given),
    "alpha acts twice: through the weights, and in the validation loss itself.",
)
def _alpha_gradient(w: Tensor, alpha: Tensor, train: Any, valid: Any, rate: float) -> Tensor:
    return _grad(valid(w - rate * _grad(train(w, alpha), w), alpha), alpha)


def _draw_hessian(rng: np.random.Generator) -> list[Plain]:
    n, m = rng.integers(2, 4, size=2)
    w, alpha, v = (np.round(rng.normal(size=size), 2) for size in (n, m, n))
    return [w, alpha, v, rng.choice([0.01, 0.1]), _loss_numbers(rng, n, m)]


@question("hw5.q4", _draw_hessian, points=2, drive=hessian)
@hints(
    "two gradients, at w plus and at w minus a small multiple of v, and their distance.",
    lambda f, w, v, epsilon: _hessian_product(f, w, v, epsilon * np.linalg.norm(v)),
    "look at the step: epsilon is divided by the length of v.",
    lambda *given: 2 * _hessian_product(*given),
    "look at the denominator: how far apart are the two points?",
    lambda *given: _hessian_product(*given, behind=0),
    "the difference is central: from w minus to w plus the step.",
    lambda f, w, v, epsilon: _hessian_product(f, w, v, epsilon) / np.linalg.norm(v),
    "look at the denominator: it is the step that was taken, not epsilon itself.",
)
def _hessian_product(gradient: Callable, w: Any, v: Any, epsilon: float, behind: int = 1) -> Any:
    e = epsilon / np.linalg.norm(v)
    return (gradient(w + e * v) - gradient(w - behind * e * v)) / ((1 + behind) * e)


OPERATIONS = ("none", "skip", "sep_conv_3x3", "max_pool_3x3")
EDGES = ((0, 2), (1, 2), (0, 3), (1, 3), (2, 3), (0, 4), (1, 4), (2, 4), (3, 4))
"""Two inputs 0 and 1, and three nodes that read all earlier ones."""
INTO = ((0, 1), (2, 3, 4), (5, 6, 7, 8))
"""Places of the edges into each node."""
NONE = "look at 'none': it is not among the operations that can be chosen."


def _draw_weights(rng: np.random.Generator) -> list[Plain]:
    """Mixing weights [9, 4] of a cell in which 'none' is large, as it is in truth."""
    logits = rng.normal(0, 1, size=(len(EDGES), len(OPERATIONS)))
    logits[:, 0] += 1
    return [np.round(softmax(logits, axis=1), 6)]


@question("hw5.q5", _draw_weights, points=2)
@hints(
    "on each edge, the operation with the largest weight, 'none' left out.",
    lambda weights: [OPERATIONS[np.argmax(row)] for row in weights],
    NONE,
    lambda weights: [OPERATIONS[np.argmax(row[1:])] for row in weights],
    "look at the places: when 'none' is cut off, the others move up by one.",
)
def _choose_operations(weights: Plain) -> list[str]:
    return [OPERATIONS[1 + np.argmax(row[1:])] for row in weights]


@question("hw5.q6", _draw_weights, points=3)
@hints(
    "for each node, the two edges into it whose best operation is strongest.",
    lambda weights: _genotype(weights, [max(row) for row in weights]),
    NONE,
    lambda weights: _genotype(weights, keep=6, into=[range(len(EDGES))]),
    "two edges for each node, not six for the whole cell.",
    lambda weights: _genotype(weights, [-max(row[1:]) for row in weights]),
    "look at the order: the strongest edges stay.",
    lambda weights: _genotype(weights, keep=4),
    "look at the number of edges: every node keeps two.",
)
def _genotype(weights: Plain, strengths: Plain = None, keep: int = 2, into: Plain = INTO) -> list:
    """Edges [source, node, operation] that stay, in the order of EDGES."""
    strengths = strengths or [max(row[1:]) for row in weights]
    operations = _choose_operations(weights)
    kept = [p for places in into for p in sorted(places, key=lambda p: -strengths[p])[:keep]]
    return [[*EDGES[place], operations[place]] for place in sorted(kept)]
