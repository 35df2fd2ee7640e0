"""Rank correlation of an estimate with the truth, and functional ANOVA: which decision mattered?

Rank correlation: M. G. Kendall, "The treatment of ties in ranking problems", Biometrika 33, 1945;
B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

Functional analysis of variance: G. Hooker, "Generalized functional ANOVA diagnostics", JCGS 16,
2007; F. Hutter, H. Hoos, K. Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter
Importance", ICML 2014, for searches; L. S. Shapley, "A value for n-person games", 1953; A. B. Owen,
"Sobol' indices and Shapley value", SIAM/ASA JUQ 2, 2014, for how the two belong together.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from nas_lab.checks import whole_number
from nas_lab.spaces.base import Arch, Space

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


# ---- rank correlations ---------------------------------------------------------------------------

Interval: TypeAlias = tuple[float, float]


class RankCorrelation(NamedTuple):
    """How far two rankings of n architectures agree; ``str`` says it in a line."""

    tau: float  # Kendall's tau-b, in [-1, 1]; see ``kendall``
    rho: float  # Spearman's rho, in [-1, 1]: the linear correlation of the ranks
    precision: float  # share of the first k that belong there, in [0, 1]; see ``precision_at``
    tau_interval: Interval  # low and high end; NaN where there are no resamples
    rho_interval: Interval
    precision_interval: Interval
    n: int
    k: int  # how many count as the top

    def __str__(self) -> str:
        names = ("tau", "rho", f"precision at {self.k} of {self.n}")
        return ", ".join(
            f"{name} = {value:.2f}" + (f" [{low:.2f}, {high:.2f}]" if low == low else "")
            for name, value, (low, high) in zip(names, self[:3], self[3:6], strict=True)
        )


def rank_correlation(
    a: ArrayLike, b: ArrayLike, *, top: float = 0.1, resamples: int = 500, seed: int = 0
) -> RankCorrelation:
    """Compare an estimate's ranking with the true one, with 95 % bootstrap intervals.

    Architectures are drawn anew with replacement, each with both of its scores; an interval holds
    the middle of what the draws give (the percentile interval). It says what another sample of
    architectures would change, not what another seed of their trainings would. A draw holds
    copies. They would pull a plain tau towards 0; tau-b leaves pairs of copies out, and
    ``precision_at`` lets all copies of the k-th best into the top.

    Args:
        a: the estimate, or any other score, [N].
        b: the truth, [N], in the same order.
        top: share of the architectures that counts as the top, in (0, 1].
        resamples: how often architectures are drawn anew; 0 gives no intervals, in milliseconds.
        seed: of the draws.
    """
    a, b = _pair(a, b)
    k = _top_of(top, len(a))
    resamples = whole_number("resamples", resamples, least=0)
    rng = np.random.default_rng(whole_number("seed", seed, least=0))
    values = _measures(a, b, k)
    draws = (rng.integers(len(a), size=len(a)) for _ in range(resamples))
    drawn = np.array([_measures(a[rows], b[rows], k) for rows in draws]).reshape(-1, 3)
    tau, rho, precision = map(_interval, values, drawn.T)
    return RankCorrelation(*values, tau, rho, precision, len(a), k)


def kendall(a: ArrayLike, b: ArrayLike) -> float:
    """Kendall's tau-b of two arrays [N]: pairs in the same order less pairs in the opposite one.
    The difference is divided by the geometric mean of the pairs that are not tied in ``a`` and of
    those that are not in ``b``. Without ties, the share of pairs in the same order is (1 + tau) /
    2. NaN where all scores of an array are equal."""
    from scipy.stats import kendalltau

    return float(kendalltau(*_pair(a, b), variant="b")[0])


def precision_at(a: ArrayLike, b: ArrayLike, top: float = 0.1) -> float:
    """Share of the k architectures that ``a`` puts first which are truly among the first k.
    k is ``top * N``, rounded, and at least 1. Truly among the first k is what has at least the k-th
    largest ``b``, so all that are tied there belong. Where equal scores of ``a`` straddle the k-th
    place, each of them is chosen with the same probability, and this is the mean share."""
    a, b = _pair(a, b)
    return _precision(a, b, _top_of(top, len(a)))


def _measures(a: np.ndarray, b: np.ndarray, k: int) -> tuple[float, float, float]:
    """tau, rho and precision of checked arrays."""
    from scipy.stats import kendalltau, rankdata

    with np.errstate(invalid="ignore"):  # NaN where all ranks are equal
        rho = np.corrcoef(rankdata(a), rankdata(b))[0, 1]
    return float(kendalltau(a, b, variant="b")[0]), float(rho), _precision(a, b, k)


def _precision(a: np.ndarray, b: np.ndarray, k: int) -> float:
    last_a, last_b = (np.partition(scores, -k)[-k] for scores in (a, b))
    best = b >= last_b
    sure, tied = a > last_a, a == last_a
    chance = (k - sure.sum()) / tied.sum()
    return float((sure & best).sum() + chance * (tied & best).sum()) / k


def _interval(value: float, drawn: np.ndarray) -> Interval:
    """Percentile interval; draws of one architecture alone have no tau and are left out."""
    known = drawn[~np.isnan(drawn)]
    if not len(known) or math.isnan(value):
        return math.nan, math.nan
    low, high = np.quantile(known, (0.025, 0.975)).tolist()
    return low, high


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


def _top_of(top: float, n: int) -> int:
    """How many of n architectures are a share ``top`` of them; at least 1."""
    if not 0 < top <= 1:
        raise ValueError(f"top is a share of the architectures, in (0, 1], not {top!r}")
    return max(1, round(top * n))


# ---- the scores of a whole space -----------------------------------------------------------------

LARGEST = 1_000_000  # spaces with more architectures are not written out


def tokens(space: Space) -> np.ndarray:
    """Every architecture, int [size, D], in the order of ``iter(space)``."""
    counts = space.mask.sum(axis=1)
    return np.indices(counts).reshape(len(counts), -1).T


def complete(space: Space, archs: ArrayLike, scores: ArrayLike) -> np.ndarray:
    """Scores of every architecture of the space, [K_1, ..., K_D]; NaN where none is known.
    An architecture [N, D] has the score [N] of its canonical form: both are one network."""
    counts = space.mask.sum(axis=1).tolist()
    if space.size > LARGEST:
        raise ValueError(
            f"{space.name} has {space.size:.1e} architectures, too many to write out "
            f"({LARGEST:,}): explain a smaller space"
        )
    if math.prod(counts) != space.size:
        raise ValueError(
            f"{space.name} excludes combinations of options, so its decisions cannot be varied "
            "one by one: the analysis of variance does not apply"
        )
    archs, scores = _arrays(space, archs, scores)
    if np.isnan(scores).any():
        raise ValueError(
            f"{np.isnan(scores).sum()} of {len(scores)} scores are NaN: leave these architectures "
            "out, with keep = ~np.isnan(scores)"
        )
    known: dict[Arch, float] = {}
    for arch, score in zip(map(tuple, archs.tolist()), scores.tolist(), strict=True):
        if known.setdefault(space.canonical(arch), score) != score:
            raise ValueError(
                f"two scores for one network, {arch} in its canonical form: give their mean"
            )
    values = [known.get(arch, np.nan) for arch in _canonical(space)]
    return np.array(values).reshape(counts)


@lru_cache(maxsize=1)
def _canonical(space: Space) -> list[Arch]:
    """Canonical form of every architecture, in the order of ``iter(space)``."""
    return [space.canonical(arch) for arch in space]


def _arrays(space: Space, archs: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Architectures [N, D] and their scores [N]; ValueError for other shapes."""
    given, values = np.asarray(archs), np.asarray(scores, dtype=float)
    if given.ndim != 2 or given.shape != (*values.shape, len(space.decisions)):
        raise ValueError(
            f"give archs [N, {len(space.decisions)}] and scores [N], not of shapes "
            f"{list(given.shape)} and {list(values.shape)}"
        )
    return given, values


LEAST = 10  # a forest of fewer architectures would tell little


def filled(space: Space, known: np.ndarray, seed: int = 0) -> np.ndarray:
    """Scores [K_1, ..., K_D], where NaN is replaced by the prediction of a random forest.
    As in Hutter et al. (ICML 2014), but effects are computed on the forest's predictions for the
    whole space, not tree by tree. What it has not seen it predicts too close to the mean, so
    effects come out too small; compare with another seed or a smaller sample."""
    from sklearn.ensemble import RandomForestRegressor

    w = tokens(space)[:, :, None] == np.arange(space.mask.shape[1])
    flat, rows = known.ravel(), w[:, space.mask].astype(np.float32)  # without what is no option
    have = ~np.isnan(flat)
    if have.sum() < LEAST:
        raise ValueError(
            f"only {have.sum()} architectures have a score: a forest needs at least {LEAST}"
        )
    forest = RandomForestRegressor(random_state=seed).fit(rows[have], flat[have])
    return np.where(have, flat, forest.predict(rows)).reshape(known.shape)


# ---- effects of decisions ------------------------------------------------------------------------

Group = tuple[int, ...]  # places of some decisions, rising


def decompose(values: np.ndarray) -> dict[Group, np.ndarray]:
    """Effects of all groups of axes, smaller groups first (Hooker 2007, equation 2).
    The effect of a group is the mean over all other axes, less the effects of its subgroups. So its
    own mean is zero along each of its axes. ``values`` has an axis for each decision."""
    axes = range(values.ndim)
    effects: dict[Group, np.ndarray] = {}
    for size in range(values.ndim + 1):
        for group in itertools.combinations(axes, size):
            effect = values.mean(axis=tuple(set(axes) - set(group)))
            for axis in range(size):
                effect = effect - effect.mean(axis, keepdims=True)
            effects[group] = effect
    return effects


@dataclass(frozen=True, eq=False)
class Anova:
    """The effects of every group of decisions, over all architectures with the same weight.
    The score of an architecture x is the sum of ``effects[u]`` at x over all groups u, the empty
    one included, which holds the mean. Each effect has mean zero along each of its axes, which are
    those of its decisions."""

    space: Space
    effects: Mapping[Group, np.ndarray]

    @property
    def mean(self) -> float:
        """Mean score of the space."""
        return float(self.effects[()])

    @property
    def main(self) -> np.ndarray:
        """What each option changes on average, ``w``-shaped [D, K]; 0 where there is no option."""
        main = np.zeros(self.space.mask.shape)
        main[self.space.mask] = np.concatenate([self.effects[(d,)] for d in range(len(main))])
        return main

    def pair(self, first: int, second: int) -> np.ndarray:
        """What two decisions do together beyond what each does alone, [K_first, K_second]."""
        effect = self.effects.get((min(first, second), max(first, second)))
        if effect is None:
            last = len(self.space.decisions) - 1
            raise ValueError(
                f"a pair is two different decisions from 0 to {last}, not {first} and {second}"
            )
        return effect if first < second else effect.T

    @cached_property
    def shares(self) -> dict[Group, float]:
        """Each group's share of the variance (Sobol' indices); they sum to 1, or all are 0."""
        variances = {u: float((effect**2).mean()) for u, effect in self.effects.items() if u}
        total = sum(variances.values())
        return {u: variance / total if total else 0.0 for u, variance in variances.items()}

    def importance(self) -> np.ndarray:
        """Share of the variance that is due to each decision, [D]; they add up to 1.
        The share of a group is divided among its decisions alike: these are the Shapley values of
        explained variance (Owen 2014, theorem 1)."""
        return self._divided(self.shares)

    def shapley(self, arch: Arch) -> np.ndarray:
        """What each decision of an architecture adds to the mean, [D].
        They are exact Shapley values of the game in which a coalition of decisions is worth the
        mean score of all architectures that share them. The mean and these values add up to the
        score."""
        arch = self.space.check(arch)
        return self._divided({group: self._at(group, arch) for group in self.effects if group})

    def swap(self, arch: Arch, decision: int, token: int) -> Swap:
        """What happens when one decision of an architecture changes."""
        before, last = self.space.check(arch), len(self.space.decisions) - 1
        if not 0 <= decision <= last:
            raise ValueError(f"decision={decision}: {self.space.name} has decisions 0 to {last}")
        after = self.space.check((*before[:decision], token, *before[decision + 1 :]))
        groups = [group for group in self.effects if decision in group]
        moved = {group: self._at(group, after) - self._at(group, before) for group in groups}
        alone, pairs = moved.pop((decision,)), np.zeros(len(before))
        for group in [group for group in moved if len(group) == 2]:
            pairs[sum(group) - decision] = moved.pop(group)  # at the place of the other one
        return Swap(before, after, alone, pairs, sum(moved.values()))

    def _at(self, group: Group, arch: Arch) -> float:
        return float(self.effects[group][tuple(arch[d] for d in group)])

    def _divided(self, values: Mapping[Group, float]) -> np.ndarray:
        """The values of groups, each divided among its decisions alike, [D]."""
        due = np.zeros(len(self.space.decisions))
        for group, value in values.items():
            due[list(group)] += value / len(group)
        return due


@dataclass(frozen=True, eq=False)
class Swap:
    """A change of one decision, and the parts of what it does to the score."""

    before: Arch
    after: Arch
    alone: float  # what the new option does on average, everything else averaged
    pairs: np.ndarray  # what it does together with each other decision as it is, [D]; 0 for its own
    rest: float  # what it does together with several others at once

    @property
    def change(self) -> float:
        """Change of the score, everything else held."""
        return self.alone + float(self.pairs.sum()) + self.rest


def anova(space: Space, archs: ArrayLike, scores: ArrayLike, *, seed: int = 0) -> Anova:
    """Take scores [N] of architectures [N, D] apart into effects of decisions.
    It is exact where every architecture of the space is known, or its canonical form is. Where some
    are not, a random forest with this seed stands in for them: see ``filled``. The decisions
    exclude nothing, and the space has at most a million architectures."""
    known = complete(space, archs, scores)
    values = filled(space, known, seed) if np.isnan(known).any() else known
    return Anova(space, decompose(values))


def main_effects(space: Space, archs: ArrayLike, scores: ArrayLike, *, seed: int = 0) -> np.ndarray:
    """What each option of each decision changes on average, [D, K], in the unit of the scores.
    Entry (d, k) is the mean score of all architectures with option k in decision d, less the mean
    of all; 0 where there is no option. Arguments and errors are those of ``anova``."""
    return anova(space, archs, scores, seed=seed).main


# ---- counterfactuals and motifs ------------------------------------------------------------------


class Better(NamedTuple):
    """An architecture that is better, and near."""

    arch: Arch
    changes: tuple[int, ...]  # places of the decisions that differ
    gain: float  # of the score


def nearest_better(
    space: Space, archs: ArrayLike, scores: ArrayLike, arch: Arch, *, margin: float = 0.0
) -> Better | None:
    """The best of the nearest architectures whose score is higher by more than ``margin``.
    Near means few decisions that differ. Only architectures with a known score count; None where
    none is better. As a margin take the noise of a training, or what a change must be worth."""
    if not margin >= 0:
        raise ValueError(f"margin must be a number from 0, not {margin!r}")
    arch = space.check(arch)
    known = complete(space, archs, scores)
    if np.isnan(known[arch]):
        raise ValueError(f"the score of {arch} is not known: no architecture can be called better")
    gains = (known - known[arch]).ravel()
    every = tokens(space)
    changed = every != arch
    better = np.flatnonzero(gains > margin)  # a NaN is not
    if not len(better):
        return None
    distances = changed[better].sum(axis=1)
    near = better[distances == distances.min()]
    found = near[np.argmax(gains[near])]
    places = np.flatnonzero(changed[found])
    return Better(tuple(every[found].tolist()), tuple(places.tolist()), float(gains[found]))


class Motif(NamedTuple):
    """Two options that the best share more often than others do."""

    places: tuple[int, int]  # of the two decisions
    options: tuple  # what they chose
    top: float  # share of the best that have both, in [0, 1]
    all: float  # share of all that have both
    p: float
    """Chance of so large a share, or a larger one, among as many architectures drawn at random
    (hypergeometric); not corrected for the number of motifs."""


def motifs(space: Space, archs: ArrayLike, scores: ArrayLike, *, top: float = 0.01) -> list[Motif]:
    """Every pair of options of two decisions, by how typical it is of the best share ``top``."""
    from scipy.stats import hypergeom

    archs, scores = _arrays(space, archs, scores)
    n = _top_of(top, len(scores))
    best = np.zeros(len(scores), dtype=bool)
    best[np.argsort(-scores, kind="stable")[:n]] = True
    found = []
    for places in itertools.combinations(range(len(space.decisions)), 2):
        pair = [space.decisions[place].options for place in places]
        for tokens in itertools.product(*(range(len(options)) for options in pair)):
            both = (archs[:, places] == tokens).all(axis=1)
            hits = int((both & best).sum())
            p = float(hypergeom.sf(hits - 1, len(best), int(both.sum()), n))
            chosen = tuple(options[token] for options, token in zip(pair, tokens, strict=True))
            found.append(Motif(places, chosen, hits / n, float(both.mean()), p))
    return sorted(found, key=lambda motif: motif.p)
