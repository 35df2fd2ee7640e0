"""Homework 5, DARTS: the relaxation, the mixed operation, the bilevel step, discretisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from nas_lab.homework.drivers import Plain, bilevel, hessian, mixture
from nas_lab.homework.question import as_floats, question

if TYPE_CHECKING:
    from torch import Tensor


def _draw_alphas(rng: np.random.Generator) -> list[Plain]:
    """Logits [E, K], never square, some of them large."""
    edges = int(rng.choice([2, 3, 5]))
    return [np.round(rng.normal(0, rng.choice([1, 300]), size=(edges, 4)), 2).tolist()]


@question(
    "hw5.q1",
    draw=_draw_alphas,
    points=1,
    hint="each row becomes positive numbers that add up to 1. What happens to exp of a large one?",
    normal=as_floats,
    mistakes={
        "look at the axis of the softmax: the operations of one edge share its weight.": (
            lambda alphas: _relax(alphas, axis=0)
        ),
        "that is the choice at the end. Its soft form is asked for.": lambda alphas: np.eye(4)[
            np.argmax(alphas, axis=1)
        ],
    },
)
def _relax(alphas: Plain, axis: int = -1) -> list[list[float]]:
    a = np.asarray(alphas)
    e = np.exp(a - a.max(axis=axis, keepdims=True))
    return (e / e.sum(axis=axis, keepdims=True)).tolist()


def _draw_mixture(rng: np.random.Generator) -> list[Plain]:
    k = int(rng.integers(2, 5))
    x = np.round(rng.normal(size=int(rng.integers(2, 5))), 2)
    alphas, factors = np.round(rng.normal(size=(2, k)), 2)
    return [x.tolist(), alphas.tolist(), factors.tolist()]


def _mix_logits(x: Tensor, alphas: Tensor, operations: list[Callable]) -> Tensor:
    return sum(a * op(x) for a, op in zip(alphas, operations, strict=True))


def _mix_hard(x: Tensor, alphas: Tensor, operations: list[Callable]) -> Tensor:
    return operations[int(alphas.argmax())](x) + 0 * alphas.sum()


@question(
    "hw5.q2",
    draw=_draw_mixture,
    points=2,
    hint="the sum over operations of weight times output, with weights by a softmax of alpha.",
    drive=mixture,
    mistakes={
        "look at the weights: alpha has to go through a softmax.": _mix_logits,
        "look at the argmax: no gradient comes through it. All operations take part.": _mix_hard,
        "the weights add up to 1 already; a sum, not a mean.": lambda x, alphas, operations: (
            _mixed_operation(x, alphas, operations) / len(operations)
        ),
    },
)
def _mixed_operation(x: Tensor, alphas: Tensor, operations: list[Callable]) -> Tensor:
    weights = alphas.softmax(dim=0)
    return sum(w * op(x) for w, op in zip(weights, operations, strict=True))


def _loss_numbers(rng: np.random.Generator, n: int, m: int) -> list[Plain]:
    curvature = np.round(rng.uniform(0.5, 2, size=n), 2)
    coupling = np.round(rng.normal(size=(n, m)), 2)
    return [curvature.tolist(), coupling.tolist(), np.round(rng.normal(size=n), 2).tolist()]


def _draw_bilevel(rng: np.random.Generator) -> list[Plain]:
    n, m = rng.integers(2, 4, size=2).tolist()
    w, alpha = (np.round(rng.normal(size=size), 2).tolist() for size in (n, m))
    rate = float(rng.choice([0.05, 0.1, 0.2]))
    return [w, alpha, rate, _loss_numbers(rng, n, m), _loss_numbers(rng, n, m)]


def _grad(loss: Tensor, at: Tensor, again: bool = False) -> Tensor:
    import torch

    return torch.autograd.grad(loss, at, create_graph=again)[0]


def _first_order(w: Tensor, alpha: Tensor, train: Callable, valid: Callable, rate: float) -> Tensor:
    return _grad(valid(w, alpha), alpha)


def _stepped_only(
    w: Tensor, alpha: Tensor, train: Callable, valid: Callable, rate: float
) -> Tensor:
    stepped = (w - rate * _grad(train(w, alpha), w)).detach()
    return _grad(valid(stepped, alpha), alpha)


def _on_training(w: Tensor, alpha: Tensor, train: Callable, valid: Callable, rate: float) -> Tensor:
    return _alpha_gradient(w, alpha, train, train, rate)


def _exchanged(w: Tensor, alpha: Tensor, train: Callable, valid: Callable, rate: float) -> Tensor:
    return _alpha_gradient(w, alpha, valid, train, rate)


def _uphill(w: Tensor, alpha: Tensor, train: Callable, valid: Callable, rate: float) -> Tensor:
    return _alpha_gradient(w, alpha, train, valid, -rate)


def _through_weights_only(
    w: Tensor, alpha: Tensor, train: Callable, valid: Callable, rate: float
) -> Tensor:
    stepped = w - rate * _grad(train(w, alpha), w, again=True)
    return _grad(valid(stepped, alpha.detach()), alpha)


@question(
    "hw5.q3",
    draw=_draw_bilevel,
    points=4,
    hint="the weights after the step depend on alpha too. Keep the graph of the inner gradient.",
    drive=bilevel,
    mistakes={
        "that is the first order: alpha also moves the weights that training leads to.": (
            _first_order
        ),
        "look at the inner step: is its graph kept (create_graph), or was it detached?": (
            _stepped_only
        ),
        "look at the data: alpha is judged by the validation loss.": _on_training,
        "look at the data: which loss trains the weights, and which one judges alpha?": _exchanged,
        "look at the sign of the inner step: training goes downhill.": _uphill,
        "alpha acts twice: through the weights, and in the validation loss itself.": (
            _through_weights_only
        ),
    },
)
def _alpha_gradient(
    w: Tensor, alpha: Tensor, train: Callable, valid: Callable, rate: float
) -> Tensor:
    stepped = w - rate * _grad(train(w, alpha), w, again=True)
    return _grad(valid(stepped, alpha), alpha)


def _draw_hessian(rng: np.random.Generator) -> list[Plain]:
    n, m = rng.integers(2, 4, size=2).tolist()
    w, alpha, v = (np.round(rng.normal(size=size), 2).tolist() for size in (n, m, n))
    return [w, alpha, v, float(rng.choice([0.01, 0.1])), _loss_numbers(rng, n, m)]


def _without_norm(gradient: Callable, w: Any, v: Any, epsilon: float) -> Any:
    return (gradient(w + epsilon * v) - gradient(w - epsilon * v)) / (2 * epsilon)


def _divided_by_one(gradient: Callable, w: Any, v: Any, epsilon: float) -> Any:
    return 2 * _hessian_product(gradient, w, v, epsilon)


def _one_sided(gradient: Callable, w: Any, v: Any, epsilon: float) -> Any:
    e = epsilon / np.linalg.norm(v)
    return (gradient(w + e * v) - gradient(w)) / e


def _divided_by_epsilon(gradient: Callable, w: Any, v: Any, epsilon: float) -> Any:
    e = epsilon / np.linalg.norm(v)
    return (gradient(w + e * v) - gradient(w - e * v)) / (2 * epsilon)


@question(
    "hw5.q4",
    draw=_draw_hessian,
    points=2,
    hint="two gradients, at w plus and at w minus a small multiple of v, and their distance.",
    drive=hessian,
    mistakes={
        "look at the step: epsilon is divided by the length of v.": _without_norm,
        "look at the denominator: how far apart are the two points?": _divided_by_one,
        "the difference is central: from w minus to w plus the step.": _one_sided,
        "look at the denominator: it is the step that was taken, not epsilon itself.": (
            _divided_by_epsilon
        ),
    },
)
def _hessian_product(gradient: Callable, w: Any, v: Any, epsilon: float) -> Any:
    e = epsilon / np.linalg.norm(v)
    return (gradient(w + e * v) - gradient(w - e * v)) / (2 * e)


OPERATIONS = ("none", "skip", "sep_conv_3x3", "max_pool_3x3")


EDGES = ((0, 2), (1, 2), (0, 3), (1, 3), (2, 3), (0, 4), (1, 4), (2, 4), (3, 4))
"""Two inputs 0 and 1, and three nodes that read all earlier ones."""


def _draw_weights(rng: np.random.Generator) -> list[Plain]:
    """Mixing weights [9, 4] of a cell in which 'none' is large, as it is in truth."""
    logits = rng.normal(0, 1, size=(len(EDGES), len(OPERATIONS)))
    logits[:, 0] += 1
    return [np.round(_relax(logits.tolist()), 6).tolist()]


NONE = "look at 'none': it is not among the operations that can be chosen."


@question(
    "hw5.q5",
    draw=_draw_weights,
    points=2,
    hint="on each edge, the operation with the largest weight, 'none' left out.",
    mistakes={
        NONE: lambda weights: _choose_operations(weights, first=0),
        "look at the places: when 'none' is cut off, the others move up by one.": lambda weights: [
            OPERATIONS[int(np.argmax(row[1:]))] for row in weights
        ],
    },
)
def _choose_operations(weights: Plain, first: int = 1) -> list[str]:
    return [OPERATIONS[first + int(np.argmax(row[first:]))] for row in weights]


def _genotype_over_all(weights: Plain) -> list[list]:
    strengths = [max(row[1:]) for row in weights]
    kept = sorted(np.argsort(strengths)[-6:].tolist())
    return [[*EDGES[place], _choose_operations(weights)[place]] for place in kept]


@question(
    "hw5.q6",
    draw=_draw_weights,
    points=3,
    hint="for each node, the two edges into it whose best operation is strongest.",
    mistakes={
        NONE: lambda weights: _genotype(weights, first=0),
        "two edges for each node, not six for the whole cell.": _genotype_over_all,
        "look at the order: the strongest edges stay.": lambda weights: _genotype(weights, best=-1),
        "look at the number of edges: every node keeps two.": lambda weights: _genotype(
            weights, keep=4
        ),
    },
)
def _genotype(weights: Plain, first: int = 1, keep: int = 2, best: int = 1) -> list[list]:
    """Edges [source, node, operation] that stay, in the order of EDGES."""
    strengths = [max(row[first:]) for row in weights]
    kept = []
    for node in (2, 3, 4):
        into = [place for place, (_, target) in enumerate(EDGES) if target == node]
        kept += sorted(into, key=lambda place: -best * strengths[place])[:keep]
    chosen = _choose_operations(weights)
    return [[*EDGES[place], chosen[place]] for place in sorted(kept)]
