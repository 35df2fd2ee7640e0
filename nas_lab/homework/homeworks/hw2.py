"""Homework 2, estimation and ranking: rankings, halving, a predictor, and what a choice costs."""

from __future__ import annotations

import itertools
import math

import numpy as np

from nas_lab.homework.drivers import Plain
from nas_lab.homework.question import as_floats, question
from nas_lab.spaces import nasbench201
from nas_lab.strategies.halving import Hyperband, Rung


def _draw_scores(rng: np.random.Generator) -> list[Plain]:
    return [np.round(rng.random(int(rng.integers(1, 12))), 2).tolist()]


@question(
    "hw2.q1",
    draw=_draw_scores,
    points=1,
    hint="after each trial, the best of all trials so far.",
    normal=as_floats,
    mistakes={
        "after the third trial nobody knows the fourth.": lambda scores: (
            [max(scores)] * len(scores)
        ),
        "scores are accuracies: larger is better.": lambda scores: list(
            itertools.accumulate(scores, min)
        ),
    },
)
def _incumbent(scores: list[float]) -> list[float]:
    return list(itertools.accumulate(scores, max))


def _draw_choice(rng: np.random.Generator) -> list[Plain]:
    """Estimates on another scale than the truth."""
    n = int(rng.integers(2, 12))
    truth = np.round(rng.permutation(n) / n, 3)
    estimate = np.round(3 + truth * rng.choice([-1, 1]) + rng.permutation(n) / n, 3)
    return [(estimate + rng.permutation(n) * 1e-5).tolist(), truth.tolist()]


@question(
    "hw2.q2",
    draw=_draw_choice,
    points=1,
    hint="the estimate chooses, the truth judges. Compare the chosen one with the best one.",
    normal=as_floats,
    mistakes={
        "an estimate may have another scale than the truth. What is the true score of the "
        "architecture that it likes best?": lambda estimate, truth: max(truth) - max(estimate),
        "larger estimates are better.": lambda estimate, truth: (
            max(truth) - truth[int(np.argmin(estimate))]
        ),
        "a regret is never below zero. What is subtracted from what?": lambda estimate, truth: (
            truth[int(np.argmax(estimate))] - max(truth)
        ),
        "that is the score of the choice. How much better could it have been?": (
            lambda estimate, truth: truth[int(np.argmax(estimate))]
        ),
    },
)
def _regret(estimate: list[float], truth: list[float]) -> float:
    return max(truth) - truth[int(np.argmax(estimate))]


def _draw_ties(rng: np.random.Generator) -> list[Plain]:
    """Two lists with ties in both, neither of them constant."""
    n = int(rng.integers(4, 12))
    a = rng.integers(0, 4, size=n)
    b = np.where(rng.random(n) < 0.5, a, rng.integers(0, 6, size=n))
    a[:2], b[1:3] = (0, 3), (0, 4)
    return [(a / 4).tolist(), (b / 8).tolist()]


def _pairs(a: list[float], b: list[float]) -> tuple[int, int, int, int, int]:
    """Concordant and discordant pairs, ties in a, ties in b, all."""
    signs = [
        (np.sign(a[i] - a[j]), np.sign(b[i] - b[j]))
        for i, j in itertools.combinations(range(len(a)), 2)
    ]
    return (
        sum(x * y > 0 for x, y in signs),
        sum(x * y < 0 for x, y in signs),
        sum(x == 0 for x, _ in signs),
        sum(y == 0 for _, y in signs),
        len(signs),
    )


def _tau_a(a: list[float], b: list[float]) -> float:
    concordant, discordant, _, _, n = _pairs(a, b)
    return (concordant - discordant) / n


def _tau_gamma(a: list[float], b: list[float]) -> float:
    concordant, discordant, _, _, _ = _pairs(a, b)
    return (concordant - discordant) / max(1, concordant + discordant)


def _ties_as_discordant(a: list[float], b: list[float]) -> float:
    concordant, _, ties_a, ties_b, n = _pairs(a, b)
    return (2 * concordant - n) / math.sqrt((n - ties_a) * (n - ties_b))


@question(
    "hw2.q3",
    draw=_draw_ties,
    points=3,
    hint="count the pairs of each kind in a table first: concordant, discordant, tied in a, tied "
    "in b. A pair that is tied in both counts as a tie in each.",
    normal=as_floats,
    mistakes={
        "look at the denominator: tied pairs are taken out of it.": _tau_a,
        "look at the denominator: a pair that is tied in one list only stays under the "
        "root of the other.": _tau_gamma,
        "look at the numerator: a tied pair is neither concordant nor discordant.": (
            _ties_as_discordant
        ),
        "a correlation of ranks is Spearman's rho. Kendall counts pairs.": lambda a, b: float(
            np.corrcoef([np.argsort(np.argsort(v, kind="stable")) for v in (a, b)])[0, 1]
        ),
    },
)
def _kendall_tau(a: list[float], b: list[float]) -> float:
    concordant, discordant, ties_a, ties_b, n = _pairs(a, b)
    return (concordant - discordant) / math.sqrt((n - ties_a) * (n - ties_b))


def _draw_top(rng: np.random.Generator) -> list[Plain]:
    n = int(rng.integers(4, 16))
    truth = rng.permutation(n)
    estimate = truth + rng.permutation(n) * rng.choice([0.41, 1.13])
    return [(estimate / n).tolist(), (truth / n).tolist(), int(rng.integers(1, n))]


def _top(scores: list[float], k: int, sign: int = 1) -> set[int]:
    return set(np.argsort(-sign * np.asarray(scores), kind="stable")[:k].tolist())


@question(
    "hw2.q4",
    draw=_draw_top,
    points=2,
    hint="two sets of k places, one by the estimate and one by the truth. How many do they share?",
    normal=as_floats,
    mistakes={
        "look at the order: sorting begins with the smallest, and here the largest count.": (
            lambda estimate, truth, k: len(_top(estimate, k, -1) & _top(truth, k, -1)) / k
        ),
        "look at the denominator: a share of the k chosen ones.": lambda estimate, truth, k: (
            len(_top(estimate, k) & _top(truth, k)) / len(truth)
        ),
        "a share, not a number of architectures.": lambda estimate, truth, k: float(
            len(_top(estimate, k) & _top(truth, k))
        ),
        "the order among the first k does not matter, only who is there.": (
            lambda estimate, truth, k: (
                sum(
                    a == b
                    for a, b in zip(
                        np.argsort(-np.asarray(estimate))[:k],
                        np.argsort(-np.asarray(truth))[:k],
                        strict=True,
                    )
                )
                / k
            )
        ),
    },
)
def _precision_at(estimate: list[float], truth: list[float], k: int) -> float:
    return len(_top(estimate, k) & _top(truth, k)) / k


def _draw_curves(rng: np.random.Generator) -> list[Plain]:
    """Learning curves without ties, as long as the last rung needs."""
    eta, rungs = int(rng.choice([2, 3])), int(rng.integers(2, 4))
    n, epochs = eta ** (rungs - 1), eta ** (rungs - 1)
    rises = rng.permutation(n * epochs).reshape(n, epochs) / (n * epochs)
    curves = np.round(np.cumsum(rises, axis=1), 4) + 1e-5 * np.arange(n)[:, None]
    return [curves.tolist(), eta]


@question(
    "hw2.q5",
    draw=_draw_curves,
    points=3,
    hint="in each rung the survivors go on from where they stopped. Which epochs are new?",
    mistakes={
        "look at the epochs: a survivor goes on where it stopped and is not trained anew.": (
            lambda curves, eta: _successive_halving(curves, eta, again=True)
        ),
        "look at who survives: larger scores are better.": lambda curves, eta: _successive_halving(
            curves, eta, best=-1
        ),
        "who leads after one epoch need not survive the later rungs.": lambda curves, eta: [
            int(np.argmax([curve[0] for curve in curves])),
            _successive_halving(curves, eta)[1],
        ],
        "the end of a curve is only known for who was trained that far.": lambda curves, eta: [
            int(np.argmax([curve[-1] for curve in curves])),
            _successive_halving(curves, eta)[1],
        ],
    },
)
def _successive_halving(
    curves: list[list[float]], eta: int, best: int = 1, again: bool = False
) -> list[int]:
    """The chosen curve and the epochs spent; ``best`` -1 keeps the worse, ``again`` starts anew."""
    alive, spent, paid, epochs = list(range(len(curves))), 0, 0, 1
    while True:
        spent += len(alive) * (epochs if again else epochs - paid)
        if len(alive) == 1:
            return [alive[0], spent]
        alive.sort(key=lambda i: -best * curves[i][epochs - 1])
        alive, paid, epochs = alive[: len(alive) // eta], epochs, epochs * eta


def _draw_regression(rng: np.random.Generator) -> list[Plain]:
    n, features, unseen = rng.integers([7, 2, 1], [12, 5, 4]).tolist()
    x = np.round(rng.normal(1, 1, size=(n, features)), 3)
    y = np.round(x @ rng.normal(size=features) + rng.normal(5, 1, size=n), 3)
    new = np.round(rng.normal(1, 1, size=(unseen, features)), 3)
    return [x.tolist(), y.tolist(), float(rng.choice([0.1, 1.0, 10.0])), new.tolist()]


def _ridge_without_mean(x: Plain, y: Plain, penalty: float, new: Plain) -> list[float]:
    found = np.asarray(_ridge(x, y, penalty, new)) - np.mean(y)
    return found.tolist()


@question(
    "hw2.q6",
    draw=_draw_regression,
    points=3,
    hint="centre features and scores by the means of the training data, solve, and add the mean "
    "of the scores again.",
    normal=as_floats,
    mistakes={
        "look at the means: without centring, the penalty pulls all predictions to zero.": (
            lambda x, y, penalty, new: _ridge(x, y, penalty, new, center=False)
        ),
        "look at the penalty.": lambda x, y, penalty, new: _ridge(x, y, 0.0, new),
        "the predictions are of centred scores. What has to be added?": _ridge_without_mean,
    },
)
def _ridge(x: Plain, y: Plain, penalty: float, new: Plain, center: bool = True) -> list[float]:
    x, y, new = np.asarray(x), np.asarray(y), np.asarray(new)
    x_mean, y_mean = (x.mean(axis=0), y.mean()) if center else (0 * x[0], 0.0)
    x, y = x - x_mean, y - y_mean
    beta = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    return ((new - x_mean) @ beta + y_mean).tolist()


def _draw_noise(rng: np.random.Generator) -> list[Plain]:
    """Scores of several architectures [N] with several seeds [S]."""
    n, seeds = rng.integers([2, 2], [6, 5]).tolist()
    level = rng.normal(0.8, 0.05, size=(n, 1))
    return [np.round(level + rng.normal(0, 0.02, size=(n, seeds)), 4).tolist()]


@question(
    "hw2.q7",
    draw=_draw_noise,
    points=2,
    hint="a row holds one architecture with several seeds. Within a row only luck differs.",
    normal=as_floats,
    mistakes={
        "a standard deviation out of a sample divides by one less than the number.": (
            lambda scores: [
                math.sqrt(np.var(scores, axis=1).mean()),
                float(np.std(np.mean(scores, axis=1))),
            ]
        ),
        "look at the axis: a row is one architecture.": lambda scores: _noise_and_spread(
            np.transpose(scores)
        ),
        "what is averaged over architectures are the variances; the root comes last.": (
            lambda scores: [
                float(np.std(scores, axis=1, ddof=1).mean()),
                _noise_and_spread(scores)[1],
            ]
        ),
        "the spread is that of the means, one for each architecture.": lambda scores: [
            _noise_and_spread(scores)[0],
            float(np.std(scores, ddof=1)),
        ],
    },
)
def _noise_and_spread(scores: Plain) -> list[float]:
    values = np.asarray(scores)
    within = math.sqrt(values.var(axis=1, ddof=1).mean())
    return [within, values.mean(axis=1).std(ddof=1)]


def _draw_hyperband(rng: np.random.Generator) -> list[Plain]:
    """A length of a whole training, not always a power of eta."""
    eta = int(rng.integers(2, 5))
    return [int(rng.choice([eta ** int(rng.integers(1, 5)), int(rng.integers(4, 90))])), eta]


def _brackets(epochs: int, eta: int) -> tuple[tuple[Rung, ...], ...]:
    return Hyperband(nasbench201(), epochs=epochs, eta=eta).brackets


def _bill_from_scratch(epochs: int, eta: int) -> list[list[int]]:
    return [[b[0].archs, sum(r.archs * r.epochs for r in b)] for b in _brackets(epochs, eta)]


def _bill_of_the_first_rung(epochs: int, eta: int) -> list[list[int]]:
    return [[b[0].archs, b[0].cost] for b in _brackets(epochs, eta)]


def _bill_backwards(epochs: int, eta: int) -> list[list[int]]:
    return _bill(epochs, eta)[::-1]


@question(
    "hw2.q8",
    draw=_draw_hyperband,
    points=2,
    hint="write down the rungs of each bracket first: architectures, and up to which epoch. What "
    "does each rung add to what was trained before?",
    mistakes={
        "look at the second rung: its architectures have been trained already, and go on "
        "from where they stopped.": _bill_from_scratch,
        "look at what comes after the first rung.": _bill_of_the_first_rung,
        "look at the order: the longest bracket is first.": _bill_backwards,
    },
)
def _bill(epochs: int, eta: int) -> list[list[int]]:
    return [[b[0].archs, sum(rung.cost for rung in b)] for b in _brackets(epochs, eta)]
