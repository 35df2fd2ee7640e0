"""Homework 2, estimation and ranking: rankings, halving, a predictor, and what a choice costs."""

import math

import numpy as np

from nas_lab import explain
from nas_lab.homework.drivers import Plain
from nas_lab.homework.question import as_floats, hints, question
from nas_lab.spaces import nasbench201
from nas_lab.strategies import Hyperband


@question(
    "hw2.q1", lambda rng: [np.round(rng.random(rng.integers(1, 12)), 2)], points=1, normal=as_floats
)
@hints(
    "after each trial, the best of all trials so far.",
    lambda scores: [max(scores)] * len(scores),
    "after the third trial nobody knows the fourth.",
    np.minimum.accumulate,
    "scores are accuracies: larger is better.",
)
def _incumbent(scores: list[float]) -> np.ndarray:
    return np.maximum.accumulate(scores)


def _draw_choice(rng: np.random.Generator) -> list[Plain]:
    """Estimates on another scale than the truth."""
    n = rng.integers(2, 12)
    truth = np.round(rng.permutation(n) / n, 3)
    estimate = np.round(3 + truth * rng.choice([-1, 1]) + rng.permutation(n) / n, 3)
    return [estimate + rng.permutation(n) * 1e-5, truth]


@question("hw2.q2", _draw_choice, points=1, normal=as_floats)
@hints(
    "the estimate chooses, the truth judges. Compare the chosen one with the best one.",
    lambda estimate, truth: max(truth) - max(estimate),
    "scales may differ. What is the true score of the architecture that the estimate likes best?",
    lambda estimate, truth: max(truth) - truth[np.argmin(estimate)],
    "larger estimates are better.",
    lambda estimate, truth: truth[np.argmax(estimate)] - max(truth),
    "a regret is never below zero. What is subtracted from what?",
    lambda estimate, truth: truth[np.argmax(estimate)],
    "that is the score of the choice. How much better could it have been?",
)
def _regret(estimate: list[float], truth: list[float]) -> float:
    return max(truth) - truth[np.argmax(estimate)]


def _draw_ties(rng: np.random.Generator) -> list[Plain]:
    """Two lists with ties in both, neither of them constant."""
    n = rng.integers(4, 12)
    a = rng.integers(0, 4, size=n)
    b = np.where(rng.random(n) < 0.5, a, rng.integers(0, 6, size=n))
    a[:2], b[1:3] = (0, 3), (0, 4)
    return [a / 4, b / 8]


def _signs(a: list[float], b: list[float]) -> tuple[np.ndarray, float]:
    """Each pair as concordant, 1, discordant, -1, or tied, 0; and the denominator of tau-b."""
    pairs = np.triu_indices(len(a), 1)
    x, y = (np.sign(np.subtract.outer(values, values))[pairs] for values in (a, b))
    return x * y, math.sqrt(np.abs(x).sum() * np.abs(y).sum())


@question("hw2.q3", _draw_ties, points=3, normal=as_floats)
@hints(
    "count the pairs of each kind in a table first: concordant, discordant, tied in a, tied in b. "
    "A pair that is tied in both counts as a tie in each.",
    lambda a, b: _signs(a, b)[0].mean(),
    "look at the denominator: tied pairs are taken out of it.",
    lambda a, b: _signs(a, b)[0].sum() / max(1, np.abs(_signs(a, b)[0]).sum()),
    "look at the denominator: a pair tied in one list only stays under the root of the other.",
    lambda a, b: np.where(_signs(a, b)[0] > 0, 1, -1).sum() / _signs(a, b)[1],
    "look at the numerator: a tied pair is neither concordant nor discordant.",
    lambda a, b: np.corrcoef([np.argsort(np.argsort(v, kind="stable")) for v in (a, b)])[0, 1],
    "a correlation of ranks is Spearman's rho. Kendall counts pairs.",
)
def _kendall_tau(a: list[float], b: list[float]) -> float:
    return explain.kendall(a, b)


def _draw_top(rng: np.random.Generator) -> list[Plain]:
    n = rng.integers(4, 16)
    truth = rng.permutation(n)
    estimate = truth + rng.permutation(n) * rng.choice([0.41, 1.13])
    return [estimate / n, truth / n, rng.integers(1, n)]


@question("hw2.q4", _draw_top, points=2, normal=as_floats)
@hints(
    "two sets of k places, one by the estimate and one by the truth. How many do they share?",
    lambda estimate, truth, k: _precision_at(*np.negative([estimate, truth]), k),
    "look at the order: sorting begins with the smallest, and here the largest count.",
    lambda estimate, truth, k: _precision_at(estimate, truth, k) * k / len(truth),
    "look at the denominator: a share of the k chosen ones.",
    lambda estimate, truth, k: _precision_at(estimate, truth, k) * k,
    "a share, not a number of architectures.",
    lambda *given: np.equal(*np.argsort(given[:2])[:, -given[2] :]).mean(),
    "the order among the first k does not matter, only who is there.",
)
def _precision_at(estimate: Plain, truth: Plain, k: int) -> float:
    return explain.precision_at(estimate, truth, k / len(truth))


def _draw_curves(rng: np.random.Generator) -> list[Plain]:
    """Learning curves without ties, as long as the last rung needs."""
    eta, rungs = rng.choice([2, 3]), rng.integers(2, 4)
    n = epochs = eta ** (rungs - 1)
    rises = rng.permutation(n * epochs).reshape(n, epochs) / (n * epochs)
    return [np.round(np.cumsum(rises, axis=1), 4) + 1e-5 * np.arange(n)[:, None], eta]


@question("hw2.q5", _draw_curves, points=3)
@hints(
    "entry 0: the best of each rung by their scores at its end go on; the place is that in "
    "`curves`. Entry 1: survivors go on from where they stopped. Which epochs are new?",
    lambda curves, eta: _successive_halving(curves, eta, again=True),
    "look at the epochs: a survivor goes on where it stopped and is not trained anew.",
    lambda curves, eta: _successive_halving(curves, eta, best=-1),
    "look at who survives: larger scores are better.",
    lambda curves, eta: [np.argmax(curves, 0)[0], _successive_halving(curves, eta)[1]],
    "who leads after one epoch need not survive the later rungs.",
    lambda curves, eta: [np.argmax(curves, 0)[-1], _successive_halving(curves, eta)[1]],
    "the end of a curve is only known for who was trained that far.",
    lambda curves, eta: [0, _successive_halving(curves, eta)[1]],
    "look at the place: it is the one in `curves`, not the one among the survivors.",
)
def _successive_halving(curves: Plain, eta: int, best: int = 1, again: bool = False) -> list[int]:
    """The chosen curve and the epochs spent; ``best`` -1 keeps the worse, ``again`` starts anew."""
    alive, spent, paid, epochs = list(range(len(curves))), 0, 0, 1
    while True:
        spent += len(alive) * (epochs if again else epochs - paid)
        if len(alive) == 1:
            return [alive[0], spent]
        alive.sort(key=lambda i: -best * curves[i][epochs - 1])
        alive, paid, epochs = alive[: len(alive) // eta], epochs, epochs * eta


def _draw_regression(rng: np.random.Generator) -> list[Plain]:
    n, features, unseen = rng.integers([7, 2, 1], [12, 5, 4])
    x = np.round(rng.normal(1, 1, size=(n, features)), 3)
    y = np.round(x @ rng.normal(size=features) + rng.normal(5, 1, size=n), 3)
    new = np.round(rng.normal(1, 1, size=(unseen, features)), 3)
    return [x, y, rng.choice([0.1, 1.0, 10.0]), new]


@question("hw2.q6", _draw_regression, points=3, normal=as_floats)
@hints(
    "centre features and scores by the training means, solve, and add the mean score again.",
    lambda x, y, penalty, new: _ridge(x, y, penalty, new, center=False),
    "look at the means: without centring, the penalty pulls all predictions to zero.",
    lambda x, y, penalty, new: _ridge(x, y, 0.0, new),
    "look at the penalty.",
    lambda x, y, penalty, new: _ridge(x, y, penalty, new) - np.mean(y),
    "the predictions are of centred scores. What has to be added?",
)
def _ridge(x: Plain, y: Plain, penalty: float, new: Plain, center: bool = True) -> np.ndarray:
    from sklearn.linear_model import Ridge

    return Ridge(alpha=penalty, fit_intercept=center).fit(x, y).predict(new)


def _draw_noise(rng: np.random.Generator) -> list[Plain]:
    """Scores of several architectures [N] with several seeds [S]."""
    n, seeds = rng.integers([2, 2], [6, 5])
    level = rng.normal(0.8, 0.05, size=(n, 1))
    return [np.round(level + rng.normal(0, 0.02, size=(n, seeds)), 4)]


@question("hw2.q7", _draw_noise, points=2, normal=as_floats)
@hints(
    "a row holds one architecture with several seeds. Within a row only luck differs.",
    lambda scores: _noise_and_spread(scores, ddof=0),
    "a standard deviation out of a sample divides by one less than the number.",
    lambda scores: _noise_and_spread(np.transpose(scores)),
    "look at the axis: a row is one architecture.",
    lambda scores: [np.std(scores, axis=1, ddof=1).mean(), _noise_and_spread(scores)[1]],
    "what is averaged over architectures are the variances; the root comes last.",
    lambda scores: [_noise_and_spread(scores)[0], np.std(scores, ddof=1)],
    "the spread is that of the means, one for each architecture.",
)
def _noise_and_spread(scores: Plain, ddof: int = 1) -> list[float]:
    within = math.sqrt(np.var(scores, axis=1, ddof=ddof).mean())
    return [within, np.mean(scores, axis=1).std(ddof=ddof)]


def _draw_hyperband(rng: np.random.Generator) -> list[Plain]:
    """A length of a whole training, not always a power of eta; math.log(243, 3) is below 5."""
    if rng.random() < 0.2:
        return [243, 3]
    eta = int(rng.integers(2, 5))
    return [rng.choice([eta ** int(rng.integers(1, 5)), int(rng.integers(4, 90))]), eta]


@question("hw2.q8", _draw_hyperband, points=2)
@hints(
    "write down the rungs of each bracket first. What does each add to what was trained before?",
    lambda *given: _bill(*given, lambda rungs: sum(r.archs * r.epochs for r in rungs)),
    "look at the second rung: its architectures go on from where the first rung stopped.",
    lambda *given: _bill(*given, lambda rungs: rungs[0].cost),
    "look at what comes after the first rung.",
    lambda *given: _bill(*given)[::-1],
    "look at the order: the longest bracket is first.",
)
def _bill(epochs: int, eta: int, spent: Plain = lambda rungs: sum(r.cost for r in rungs)) -> list:
    brackets = Hyperband(nasbench201(), epochs=epochs, eta=eta).brackets
    return [[rungs[0].archs, spent(rungs)] for rungs in brackets]
