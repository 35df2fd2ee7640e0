"""Homework 4, one-shot: sampling paths, one set of weights for all, and statistics for each."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import log_softmax, softmax
from scipy.stats import entropy

from nas_lab.homework.drivers import Plain, arrays, edge
from nas_lab.homework.question import as_floats, hints, question


def _draw_uniforms(rng: np.random.Generator) -> list[Plain]:
    decisions = rng.integers(2, 6)
    uniforms = np.round(rng.random(decisions) * 0.9999, 4)
    return [uniforms, rng.integers(2, 6, size=decisions)]


@question("hw4.q1", _draw_uniforms, points=1)
@hints(
    "divide [0, 1) into as many equal parts as there are options. In which part does u lie?",
    lambda uniforms, options: np.rint(np.multiply(uniforms, np.subtract(options, 1))).astype(int),
    "look at the rounding: the first and the last option would be drawn half as often.",
    lambda *given: np.add(_sample_path(*given), 1),
    "options are counted from 0.",
    lambda uniforms, options: [int(u * max(options)) for u in uniforms],
    "each decision has its own number of options.",
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
    weights[rng.integers(k)] += 0.5
    return [x, weights, factors]


class Operations:
    """Operations x -> factor * x^2 of some cases, with ids, and how often each was called."""

    drive = staticmethod(edge)

    def __init__(self, cases: list[list[Plain]]) -> None:
        self.factors = [factor for *_, factors in cases for factor in factors]
        self.called, ids = [0] * len(self.factors), iter(range(len(self.factors)))
        self.inputs = [[x, w, [next(ids) for _ in factors]] for x, w, factors in cases]
        self.budget = 20 * len(cases)

    def evaluate(self, id: Plain) -> float:
        """The factor of an operation that is called."""
        if type(id) is not int or not 0 <= id < len(self.factors):
            raise ValueError("there is no such operation")
        self.called[id] += 1
        return self.factors[id]

    def results(self, given: list[Plain]) -> list[Plain]:
        """The output of each case, and how often its operations were called."""
        called = [[self.called[id] for id in ids] for *_, ids in self.inputs]
        pairs = zip(given, called, strict=True)
        return [got if got is None else {"output": got, "called": n} for got, n in pairs]


def _counted(answer: Callable[..., Any], *case: Plain) -> Plain:
    operations = Operations([[*case]])
    return operations.results([edge(answer, operations.evaluate, *operations.inputs[0])])[0]


@question("hw4.q2", _draw_edge, points=2, drive=_counted, outside=Operations)
@hints(
    "the weighted sum of the outputs. What does an operation with weight 0 have to compute?",
    lambda x, weights, ops: sum(w * op(x) for w, op in zip(weights, ops, strict=True)),
    "the output is right, but operations with weight 0 were called: a path must stay cheap.",
    lambda x, weights, ops: ops[np.argmax(weights)](x),
    "that runs one operation. When several weights are not 0, all of those take part.",
    lambda x, weights, ops: _edge_output(x, np.array(weights) > 0, ops),
    "look at the weights: each output is multiplied by its own.",
)
def _edge_output(x: Any, weights: Plain, operations: list[Callable]) -> Any:
    return sum(w * op(x) for w, op in zip(weights, operations, strict=True) if w)


def _draw_orders(rng: np.random.Generator) -> list[Plain]:
    """For each of D decisions an order of its K options; D and K differ."""
    decisions, k = rng.choice([2, 4, 6]), rng.choice([3, 5])
    return [[rng.permutation(k) for _ in range(decisions)]]


@question("hw4.q3", _draw_orders, points=2)
@hints(
    "the first path takes the first option of every order, the second path the second.",
    lambda orders: orders,
    "a row of the result is a path: one option for each decision.",
    lambda orders: [[k] * len(orders) for k in range(len(orders[0]))],
    "that is fair, but all paths take the same option everywhere. Use the orders.",
    lambda orders: np.argsort(orders, axis=1).T,
    "the orders list options; where an option stands in them is not asked for.",
)
def _fair_paths(orders: Plain) -> np.ndarray:
    return np.transpose(orders)


def _draw_paths(rng: np.random.Generator) -> list[Plain]:
    """Paths [N, D] and the number of options, which is not D."""
    options = rng.integers(2, 5)
    decisions = rng.choice([d for d in (2, 3, 5) if d != options])
    return [rng.integers(options, size=(rng.integers(2, 9), decisions)), options]


@question("hw4.q4", _draw_paths, points=2)
@hints(
    "one row for each decision: how many of the paths took option 0, option 1, ...",
    lambda paths, options: _updates(paths, options).T,
    "look at the shape: a row is a decision, a column an option.",
    lambda paths, options: np.minimum(_updates(paths, options), 1),
    "how often, not whether.",
    lambda paths, options: np.bincount(np.ravel(paths), minlength=options),
    "the same option of two decisions is two operations with weights of their own.",
)
def _updates(paths: Plain, options: int) -> np.ndarray:
    return np.eye(options, dtype=int)[np.array(paths)].sum(axis=0)


def _draw_kernel(rng: np.random.Generator) -> list[Plain]:
    """A kernel [out, in, 5, 5] or [out, in, 7, 7], and the smaller sizes that are wanted."""
    most = rng.choice([5, 7])
    out, inner = rng.integers(2, 4, size=2)
    weight = np.round(rng.normal(size=(out, inner, most, most)), 2)
    return [weight, rng.integers(1, out + 1), rng.integers(1, inner + 1), rng.choice([1, 3, 5])]


@question("hw4.q5", _draw_kernel, points=3, drive=arrays, normal=as_floats)
@hints(
    "the first channels, and the middle of each kernel.",
    lambda weight, out, inner, kernel: weight[:out, :inner, :kernel, :kernel],
    "look at the place: a smaller kernel lies in the middle of the larger one, not in its corner.",
    lambda weight, out, inner, kernel: _slice_weight(weight[-out:, -inner:], out, inner, kernel),
    "look at the channels: the first ones are kept.",
    lambda weight, out, inner, kernel: _slice_weight(weight, *weight.shape[:2], kernel),
    "look at the channels: only some are wanted.",
)
def _slice_weight(weight: np.ndarray, out: int, inner: int, kernel: int) -> np.ndarray:
    start = (weight.shape[-1] - kernel) // 2
    return weight[:out, :inner, start : start + kernel, start : start + kernel]


def _draw_batches(rng: np.random.Generator) -> list[Plain]:
    """Batches [N, C] of unequal sizes, with unlike means."""
    channels = rng.integers(1, 4)
    sizes = [2, 5, *rng.integers(1, 7, size=rng.integers(0, 3))]
    batches = [rng.normal(rng.normal(0, 2), 1, size=(n, channels)) for n in sizes]
    return [[np.round(batch, 3) for batch in batches]]


def _average(batches: Plain, sizes: list[int] | None = None) -> np.ndarray:
    """The mean of the means and of the variances of the batches, weighted by their sizes."""
    statistics = [[np.mean(batch, axis=0), np.var(batch, axis=0)] for batch in batches]
    return np.average(statistics, axis=0, weights=sizes)


@question("hw4.q6", _draw_batches, points=3, normal=as_floats)
@hints(
    "as if all batches were one. The mean of two unequal batches is not the mean of their means.",
    _average,
    "look at the sizes of the batches: each image counts once.",
    lambda batches: _average(batches, [len(batch) for batch in batches]),
    "look at the variance: batches have unlike means, and that is variance too.",
    lambda batches: _recalibrate(batches, ddof=1),
    "look at the variance: batch normalisation divides by the number of images.",
    lambda batches: [_recalibrate(batches)[0], np.sqrt(_recalibrate(batches)[1])],
    "a variance, not a standard deviation.",
)
def _recalibrate(batches: Plain, ddof: int = 0) -> list[np.ndarray]:
    values = np.concatenate(batches)
    return [values.mean(axis=0), values.var(axis=0, ddof=ddof)]


def _draw_logits(rng: np.random.Generator) -> list[Plain]:
    """Logits of some networks for one image, the largest network first, and the label."""
    networks, classes = rng.integers(2, 6), rng.integers(2, 6)
    return [np.round(rng.normal(0, 2, (networks, classes)), 2), rng.integers(classes)]


def _losses(logits: Plain, label: int, taught: np.ndarray) -> np.ndarray:
    """Cross-entropy of the first with the label, of the others with what they are taught."""
    targets = [np.eye(len(taught))[label], *[taught] * (len(logits) - 1)]
    return -(np.array(targets) * log_softmax(logits, axis=1)).sum(axis=1)


def _one_hot(logits: Plain, k: int) -> np.ndarray:
    return np.eye(len(logits[0]))[k]


@question("hw4.q7", _draw_logits, points=2, normal=as_floats)
@hints(
    "the largest has a label. For the others its probabilities stand in the label's place.",
    lambda logits, label: _losses(logits, label, _one_hot(logits, label)),
    "look at the second network: it learns what the largest says, not the label.",
    lambda logits, label: _losses(logits, label, _one_hot(logits, int(np.argmax(logits[0])))),
    "all probabilities of the largest, not only its most likely class.",
    lambda logits, label: [
        loss - (i > 0) * entropy(softmax(logits[0]))
        for i, loss in enumerate(_distilled_losses(logits, label))
    ],
    "that is the divergence; the cross-entropy is larger by the entropy of the target.",
    lambda logits, label: -log_softmax(logits, axis=1) @ softmax(logits[0]),
    "look at the first network: the largest learns the label.",
)
def _distilled_losses(logits: Plain, label: int) -> np.ndarray:
    return _losses(logits, label, softmax(logits[0]))
