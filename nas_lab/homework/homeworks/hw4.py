"""Homework 4, one-shot: sampling paths, one set of weights for all, and statistics for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nas_lab.homework.drivers import Plain, arrays, edge
from nas_lab.homework.question import as_floats, question


def _draw_uniforms(rng: np.random.Generator) -> list[Plain]:
    decisions = int(rng.integers(2, 6))
    uniforms = np.round(rng.random(decisions) * 0.9999, 4)
    return [uniforms.tolist(), rng.integers(2, 6, size=decisions).tolist()]


@question(
    "hw4.q1",
    draw=_draw_uniforms,
    points=1,
    hint="divide [0, 1) into as many equal parts as there are options. In which part does u lie?",
    mistakes={
        "look at the rounding: the first and the last option would be drawn half as often.": (
            lambda uniforms, options: [
                round(u * (k - 1)) for u, k in zip(uniforms, options, strict=True)
            ]
        ),
        "options are counted from 0.": lambda uniforms, options: [
            int(u * k) + 1 for u, k in zip(uniforms, options, strict=True)
        ],
        "each decision has its own number of options.": lambda uniforms, options: [
            int(u * max(options)) for u in uniforms
        ],
    },
)
def _sample_path(uniforms: list[float], options: list[int]) -> list[int]:
    return [int(u * k) for u, k in zip(uniforms, options, strict=True)]


def _draw_edge(rng: np.random.Generator) -> list[Plain]:
    """Weights of which some are zero, often all but one."""
    k = int(rng.integers(2, 5))
    x, factors = np.round(rng.normal(size=3), 2), np.round(rng.uniform(1, 3, size=k), 2)
    weights = np.round(rng.dirichlet(np.ones(k)), 3) * (rng.random(k) < 0.5)
    if rng.random() < 0.5:
        weights = np.eye(k)[rng.integers(k)]
    weights[int(rng.integers(k))] += 0.5
    return [x.tolist(), weights.tolist(), factors.tolist()]


def _edge_all(x: Any, weights: Plain, operations: list[Callable]) -> Any:
    return sum(w * op(x) for w, op in zip(weights, operations, strict=True))


def _edge_best(x: Any, weights: Plain, operations: list[Callable]) -> Any:
    return operations[int(np.argmax(weights))](x)


def _edge_unweighted(x: Any, weights: Plain, operations: list[Callable]) -> Any:
    return sum(op(x) for w, op in zip(weights, operations, strict=True) if w)


@question(
    "hw4.q2",
    draw=_draw_edge,
    points=2,
    hint="the weighted sum of the outputs. What does an operation with weight 0 have to compute?",
    drive=edge,
    mistakes={
        "the output is right, but operations with weight 0 were called: a path would cost "
        "as much as the whole supernet.": _edge_all,
        "that runs one operation. When several weights are not 0, all of those take part.": (
            _edge_best
        ),
        "look at the weights: each output is multiplied by its own.": _edge_unweighted,
    },
)
def _edge_output(x: Any, weights: Plain, operations: list[Callable]) -> Any:
    return sum(w * op(x) for w, op in zip(weights, operations, strict=True) if w)


def _draw_orders(rng: np.random.Generator) -> list[Plain]:
    """For each of D decisions an order of its K options; D and K differ."""
    decisions, k = int(rng.choice([2, 4, 6])), int(rng.choice([3, 5]))
    return [[rng.permutation(k).tolist() for _ in range(decisions)]]


@question(
    "hw4.q3",
    draw=_draw_orders,
    points=2,
    hint="the first path takes the first option of every order, the second path the second.",
    mistakes={
        "a row of the result is a path: one option for each decision.": lambda orders: orders,
        "that is fair, but all paths take the same option everywhere. Use the orders.": (
            lambda orders: [[k] * len(orders) for k in range(len(orders[0]))]
        ),
        "the orders list options; where an option stands in them is not asked for.": (
            lambda orders: np.argsort(orders, axis=1).T
        ),
    },
)
def _fair_paths(orders: Plain) -> list[list[int]]:
    return np.transpose(orders).tolist()


def _draw_paths(rng: np.random.Generator) -> list[Plain]:
    """Paths [N, D] and the number of options, which is not D."""
    options = int(rng.integers(2, 5))
    decisions = int(rng.choice([d for d in (2, 3, 5) if d != options]))
    paths = rng.integers(options, size=(int(rng.integers(2, 9)), decisions))
    return [paths.tolist(), options]


@question(
    "hw4.q4",
    draw=_draw_paths,
    points=2,
    hint="one row for each decision: how many of the paths took option 0, option 1, ...",
    mistakes={
        "look at the shape: a row is a decision, a column an option.": lambda paths, options: (
            np.transpose(_updates(paths, options))
        ),
        "how often, not whether.": lambda paths, options: np.minimum(_updates(paths, options), 1),
        "the same option of two decisions is two operations with weights of their own.": (
            lambda paths, options: np.bincount(np.ravel(paths), minlength=options)
        ),
    },
)
def _updates(paths: Plain, options: int) -> list[list[int]]:
    return np.eye(options, dtype=int)[np.asarray(paths)].sum(axis=0).tolist()


def _draw_kernel(rng: np.random.Generator) -> list[Plain]:
    """A kernel [out, in, 5, 5] or [out, in, 7, 7], and the smaller sizes that are wanted."""
    most = int(rng.choice([5, 7]))
    out, inner = rng.integers(2, 4, size=2).tolist()
    weight = np.round(rng.normal(size=(out, inner, most, most)), 2)
    wanted = [int(rng.integers(1, out + 1)), int(rng.integers(1, inner + 1))]
    return [weight.tolist(), *wanted, int(rng.choice([1, 3, 5]))]


@question(
    "hw4.q5",
    draw=_draw_kernel,
    points=3,
    hint="the first channels, and the middle of each kernel.",
    drive=arrays,
    normal=as_floats,
    mistakes={
        "look at the place: a smaller kernel lies in the middle of the larger one, not in "
        "its corner.": lambda weight, out, inner, kernel: weight[:out, :inner, :kernel, :kernel],
        "look at the channels: the first ones are kept.": lambda weight, out, inner, kernel: (
            _slice_weight(weight[-out:, -inner:], out, inner, kernel)
        ),
        "look at the channels: only some are wanted.": lambda weight, out, inner, kernel: (
            _slice_weight(weight, weight.shape[0], weight.shape[1], kernel)
        ),
    },
)
def _slice_weight(weight: np.ndarray, out: int, inner: int, kernel: int) -> np.ndarray:
    start = (weight.shape[-1] - kernel) // 2
    return weight[:out, :inner, start : start + kernel, start : start + kernel]


def _draw_batches(rng: np.random.Generator) -> list[Plain]:
    """Batches [N, C] of unequal sizes, with unlike means."""
    channels = int(rng.integers(1, 4))
    sizes = [2, 5, *rng.integers(1, 7, size=int(rng.integers(0, 3))).tolist()]
    batches = [rng.normal(rng.normal(0, 2), 1, size=(n, channels)) for n in sizes]
    return [[np.round(batch, 3).tolist() for batch in batches]]


def _mean_of_means(batches: Plain) -> list[list[float]]:
    each = [np.asarray(batch) for batch in batches]
    means, variances = [b.mean(axis=0) for b in each], [b.var(axis=0) for b in each]
    return [np.mean(means, axis=0).tolist(), np.mean(variances, axis=0).tolist()]


def _weighted_variances(batches: Plain) -> list[list[float]]:
    each = [np.asarray(batch) for batch in batches]
    variances = np.average([b.var(axis=0) for b in each], axis=0, weights=list(map(len, each)))
    return [_recalibrate(batches)[0], variances.tolist()]


@question(
    "hw4.q6",
    draw=_draw_batches,
    points=3,
    hint="as if all batches were one. The mean of two unequal batches is not the mean of their "
    "means.",
    normal=as_floats,
    mistakes={
        "look at the sizes of the batches: each image counts once.": _mean_of_means,
        "look at the variance: batches have unlike means, and that is variance too.": (
            _weighted_variances
        ),
        "look at the variance: batch normalisation divides by the number of images.": (
            lambda batches: _recalibrate(batches, ddof=1)
        ),
        "a variance, not a standard deviation.": lambda batches: [
            _recalibrate(batches)[0],
            np.sqrt(_recalibrate(batches)[1]).tolist(),
        ],
    },
)
def _recalibrate(batches: Plain, ddof: int = 0) -> list[list[float]]:
    values = np.concatenate([np.asarray(batch) for batch in batches])
    return [values.mean(axis=0).tolist(), values.var(axis=0, ddof=ddof).tolist()]
