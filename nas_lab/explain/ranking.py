"""Whether an estimate puts architectures in the order of the truth: only the ranking matters.

Sources: M. G. Kendall, "The treatment of ties in ranking problems", Biometrika 33, 1945; B. Efron
and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from nas_lab._arguments import whole_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Interval: TypeAlias = tuple[float, float]
Measures: TypeAlias = tuple[float, float, float]
_UNKNOWN: Interval = (math.nan, math.nan)


@dataclass(frozen=True)
class RankCorrelation:
    """How far two rankings of N architectures agree; ``str`` says it in a line.

    Attributes:
        tau: Kendall's tau-b, in [-1, 1]; see ``kendall``.
        rho: Spearman's rho, in [-1, 1]; see ``spearman``.
        precision: share of the first k that belong there, in [0, 1]; see ``precision_at``.
        tau_interval, rho_interval, precision_interval: low and high end; NaN where there are no
            resamples.
        n: number of architectures, N.
        k: how many of them count as the top.
        confidence: of the intervals.
    """

    tau: float
    rho: float
    precision: float
    tau_interval: Interval
    rho_interval: Interval
    precision_interval: Interval
    n: int
    k: int
    confidence: float

    def __str__(self) -> str:
        parts = [
            f"tau = {_words(self.tau, self.tau_interval)}",
            f"rho = {_words(self.rho, self.rho_interval)}",
            f"precision at the top {self.k} of {self.n} = "
            f"{_words(self.precision, self.precision_interval)}",
        ]
        return ", ".join(parts)


def rank_correlation(
    a: ArrayLike,
    b: ArrayLike,
    *,
    top: float = 0.1,
    confidence: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
) -> RankCorrelation:
    """Compare an estimate's ranking with the true one, with bootstrap intervals.

    Architectures are drawn anew with replacement, each with both of its scores; an interval holds
    the middle of what the draws give (the percentile interval). It says what another sample of
    architectures would change, not what another seed of their trainings would. The more accurate
    BCa interval would ask for N more evaluations, seconds where N is in the thousands. A draw
    holds copies. They would pull a plain tau towards 0; tau-b leaves pairs of copies out, and
    ``precision_at`` lets all copies of the k-th best into the top.

    Args:
        a: the estimate, or any other score, [N].
        b: the truth, [N], in the same order.
        top: share of the architectures that counts as the top, in (0, 1].
        confidence: of the intervals, in (0, 1).
        resamples: how often architectures are drawn anew; 0 gives no intervals and takes
            milliseconds.
        seed: of the draws.

    Where all scores of an array are equal, tau and rho are NaN.

    Raises:
        TypeError: ``resamples`` or ``seed`` is no whole number.
        ValueError: the arrays differ in length, are not [N] with N at least 2, or hold a NaN;
            another argument is out of its range.
    """
    a, b = _pair(a, b)
    k = top_of(top, len(a))
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), not {confidence!r}")
    resamples = whole_number("resamples", resamples, least=0)
    rng = np.random.default_rng(whole_number("seed", seed, least=0))
    x, y = _codes(a), _codes(b)
    values = _measures(x, y, k)
    draws = (rng.integers(len(x), size=len(x)) for _ in range(resamples))
    drawn = [_measures(x[rows], y[rows], k) for rows in draws]
    intervals = _intervals(values, np.array(drawn).reshape(-1, 3), confidence)
    return RankCorrelation(
        *values,
        tau_interval=intervals[0],
        rho_interval=intervals[1],
        precision_interval=intervals[2],
        n=len(x),
        k=k,
        confidence=confidence,
    )


def kendall(a: ArrayLike, b: ArrayLike) -> float:
    """Kendall's tau-b of two arrays [N]: pairs in the same order less pairs in the opposite one.

    The difference is divided by the geometric mean of the pairs that are not tied in ``a`` and of
    those that are not in ``b``. Without ties, the share of pairs in the same order is
    (1 + tau) / 2. NaN where all scores of an array are equal.

    Raises:
        ValueError: as for ``rank_correlation``.
    """
    return _kendall(*_pair(a, b))


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rho of two arrays [N]: the linear correlation of the ranks.

    Equal scores share the mean of their ranks. NaN where all scores of an array are equal.

    Raises:
        ValueError: as for ``rank_correlation``.
    """
    a, b = _pair(a, b)
    return _spearman(_codes(a), _codes(b))


def precision_at(a: ArrayLike, b: ArrayLike, top: float = 0.1) -> float:
    """Share of the k architectures that ``a`` puts first which are truly among the first k.

    k is ``top * N``, rounded, and at least 1. Truly among the first k is what has at least the
    k-th largest ``b``, so all that are tied there belong. Where equal scores of ``a`` straddle the
    k-th place, each of them is chosen with the same probability, and this is the mean share.

    Raises:
        ValueError: as for ``rank_correlation``.
    """
    a, b = _pair(a, b)
    return _precision(a, b, top_of(top, len(a)))


# ---- on checked arrays -----------------------------------------------------------------------


def _measures(a: np.ndarray, b: np.ndarray, k: int) -> Measures:
    """The three measures of dense ranks, see ``_codes``."""
    return _kendall(a, b), _spearman(a, b), _precision(a, b, k)


def _kendall(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import kendalltau

    return float(kendalltau(a, b, variant="b")[0])


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    x, y = (ranks - ranks.mean() for ranks in (_mean_ranks(a), _mean_ranks(b)))
    scale = math.sqrt((x @ x) * (y @ y))
    return float(x @ y) / scale if scale else math.nan


def _mean_ranks(codes: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal codes sharing the mean of theirs; no sorting."""
    count = np.bincount(codes)
    return (np.cumsum(count) - (count - 1) / 2)[codes]


def _precision(a: np.ndarray, b: np.ndarray, k: int) -> float:
    last_a, last_b = (np.partition(scores, -k)[-k] for scores in (a, b))
    best = b >= last_b
    sure, tied = a > last_a, a == last_a
    chance = (k - sure.sum()) / tied.sum()
    return float((sure & best).sum() + chance * (tied & best).sum()) / k


def _codes(scores: np.ndarray) -> np.ndarray:
    """Dense ranks from 0: equal scores have one code, larger ones a larger."""
    return np.unique(scores, return_inverse=True)[1].reshape(-1)


def _intervals(values: Measures, drawn: np.ndarray, confidence: float) -> list[Interval]:
    """Percentile intervals; draws of one architecture alone have no tau and are left out."""
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    intervals = []
    for value, column in zip(values, drawn.T, strict=True):
        known = column[~np.isnan(column)]
        some = len(known) > 0 and not math.isnan(value)
        intervals.append(tuple(np.quantile(known, ends).tolist()) if some else _UNKNOWN)
    return intervals


def _pair(a: ArrayLike, b: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if x.ndim != 1 or x.shape != y.shape or len(x) < 2:
        raise ValueError(
            f"give two arrays [N] of scores in the same order, N at least 2, "
            f"not of shapes {list(x.shape)} and {list(y.shape)}"
        )
    missing = np.isnan(x) | np.isnan(y)
    if missing.any():
        raise ValueError(
            f"{missing.sum()} of {len(x)} architectures have no score (NaN) in one of the arrays: "
            "leave them out of both, with keep = ~(np.isnan(a) | np.isnan(b))"
        )
    return x, y


def top_of(top: float, n: int) -> int:
    """How many of n architectures are a share ``top`` of them; at least 1."""
    if not 0 < top <= 1:
        raise ValueError(f"top is a share of the architectures, in (0, 1], not {top!r}")
    return max(1, round(top * n))


def _words(value: float, interval: Interval) -> str:
    if math.isnan(interval[0]):
        return f"{value:.2f}"
    return f"{value:.2f} [{interval[0]:.2f}, {interval[1]:.2f}]"
