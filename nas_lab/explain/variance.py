"""Functional analysis of variance: a score, taken apart into what decisions do alone and together.

Sources: G. Hooker, "Generalized functional ANOVA diagnostics", JCGS 16, 2007; F. Hutter, H. Hoos,
K. Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014, for
searches; L. S. Shapley, "A value for n-person games", 1953; A. B. Owen, "Sobol' indices and Shapley
value", SIAM/ASA JUQ 2, 2014, for how the two belong together.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nas_lab.explain.complete import complete
from nas_lab.explain.surrogate import filled
from nas_lab.spaces.base import Arch, Space

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Group = tuple[int, ...]
"""Places of some decisions, rising."""


@dataclass(frozen=True, eq=False)
class Anova:
    """The effects of every group of decisions, over all architectures with the same weight.

    The score of an architecture x is the sum of ``effects[u]`` at x over all groups u, the empty
    one included, which holds the mean. Each effect has mean zero along each of its axes.

    Attributes:
        space: of D decisions with K_1, ..., K_D options.
        effects: of each group u, an array with the axes of its decisions.
    """

    space: Space
    effects: Mapping[Group, np.ndarray]

    @property
    def mean(self) -> float:
        """Mean score of the space."""
        return float(self.effects[()])

    @property
    def main(self) -> np.ndarray:
        """What each option changes on average, ``w``-shaped [D, K]; 0 where there is no option."""
        effects = np.zeros(self.space.mask.shape)
        effects[self.space.mask] = np.concatenate([self.effects[(d,)] for d in self._places])
        return effects

    def pair(self, first: int, second: int) -> np.ndarray:
        """What two decisions do together beyond what each does alone, [K_first, K_second].

        Raises:
            ValueError: these are not the places of two decisions.
        """
        group = tuple(sorted((first, second)))
        if group not in self.effects or first == second:
            raise ValueError(
                f"a pair is two different decisions from 0 to {len(self._places) - 1}, "
                f"not {first} and {second}"
            )
        effect = self.effects[group]
        return effect if first < second else effect.T

    @cached_property
    def shares(self) -> dict[Group, float]:
        """Share of the variance that each group explains; they add up to 1 (Sobol' indices).

        All are 0 where the scores do not vary.
        """
        variances = {u: float((effect**2).mean()) for u, effect in self.effects.items() if u}
        total = sum(variances.values())
        return {u: variance / total if total else 0.0 for u, variance in variances.items()}

    def importance(self) -> np.ndarray:
        """Share of the variance that is due to each decision, [D]; they add up to 1.

        The share of a group is divided among its decisions alike: these are the Shapley values of
        explained variance (Owen 2014, theorem 1).
        """
        due = np.zeros(len(self._places))
        for group, share in self.shares.items():
            due[list(group)] += share / len(group)
        return due

    # ---- one architecture --------------------------------------------------------------------

    def shapley(self, arch: Arch) -> np.ndarray:
        """What each decision of an architecture adds to the mean, [D].

        They are exact Shapley values of the game in which a coalition of decisions is worth the
        mean score of all architectures that share them. The mean and these values add up to the
        score.

        Raises:
            TypeError, ValueError: no architecture of the space.
        """
        arch = self.space.check(arch)
        values = np.zeros(len(arch))
        for group in filter(None, self.effects):
            values[list(group)] += self._at(group, arch) / len(group)
        return values

    def swap(self, arch: Arch, decision: int, token: int) -> Swap:
        """What happens when one decision of an architecture changes.

        Raises:
            TypeError, ValueError: no architecture of the space, before or after.
        """
        before = self.space.check(arch)
        if decision not in self._places:
            raise ValueError(
                f"decision={decision}: {self.space.name} has decisions 0 to {len(before) - 1}"
            )
        after = self.space.check((*before[:decision], token, *before[decision + 1 :]))
        moved = {
            group: self._at(group, after) - self._at(group, before)
            for group in self.effects
            if decision in group
        }
        alone, pairs = moved.pop((decision,)), np.zeros(len(before))
        for group in [group for group in moved if len(group) == 2]:
            (other,) = set(group) - {decision}
            pairs[other] = moved.pop(group)
        return Swap(before, after, alone, pairs, sum(moved.values()))

    def score(self, arch: Arch) -> float:
        """The sum of all effects: the score that was taken apart.

        Raises:
            TypeError, ValueError: no architecture of the space.
        """
        arch = self.space.check(arch)
        return sum(self._at(group, arch) for group in self.effects)

    def _at(self, group: Group, arch: Arch) -> float:
        return float(self.effects[group][tuple(arch[d] for d in group)])

    @property
    def _places(self) -> range:
        return range(len(self.space.decisions))


@dataclass(frozen=True, eq=False)
class Swap:
    """A change of one decision, and the parts of what it does to the score.

    Attributes:
        before, after: the architectures.
        alone: what the new option does on average, everything else averaged.
        pairs: what it does together with each other decision as it is, [D]; 0 for its own.
        rest: what it does together with several others at once.
    """

    before: Arch
    after: Arch
    alone: float
    pairs: np.ndarray
    rest: float

    @property
    def change(self) -> float:
        """Change of the score, everything else held."""
        return self.alone + float(self.pairs.sum()) + self.rest


def anova(space: Space, archs: ArrayLike, scores: ArrayLike, *, seed: int = 0) -> Anova:
    """Take scores apart into effects of decisions.

    It is exact where every architecture of the space is known, or its canonical form is. Where
    some are not, a random forest stands in for them: see ``surrogate.filled``.

    Args:
        space: whose decisions exclude nothing, with at most a million architectures.
        archs: int [N, D].
        scores: [N], in the same order.
        seed: of the forest, where one is needed.

    Raises:
        TypeError: ``archs`` holds something else than whole numbers.
        ValueError: the arrays do not fit each other or the space; a score is NaN; or the space
            excludes combinations, or is too large.
    """
    known = complete(space, archs, scores)
    values = filled(space, known, seed) if np.isnan(known).any() else known
    return Anova(space, decompose(values))


def main_effects(space: Space, archs: ArrayLike, scores: ArrayLike, *, seed: int = 0) -> np.ndarray:
    """What each option of each decision changes on average, [D, K], in the unit of the scores.

    Entry (d, k) is the mean score of all architectures with option k in decision d, less the mean
    of all; 0 where there is no option. Arguments and errors are those of ``anova``.
    """
    return anova(space, archs, scores, seed=seed).main


def decompose(values: np.ndarray) -> dict[Group, np.ndarray]:
    """Effects of all groups of axes, smaller groups first (Hooker 2007, equation 2).

    The effect of a group is the mean over all other axes, less the effects of its subgroups.

    Args:
        values: an axis for each decision, [K_1, ..., K_D].
    """
    axes = range(values.ndim)
    effects: dict[Group, np.ndarray] = {}
    for size in range(values.ndim + 1):
        for group in itertools.combinations(axes, size):
            others = tuple(axis for axis in axes if axis not in group)
            effect = values.mean(axis=others) if others else values.copy()
            for smaller in _subgroups(group):
                effect = effect - _along(effects[smaller], smaller, group)
            effects[group] = effect
    return effects


def _subgroups(group: Group) -> list[Group]:
    return [u for size in range(len(group)) for u in itertools.combinations(group, size)]


def _along(effect: np.ndarray, group: Group, larger: Group) -> np.ndarray:
    """The effect with axes of length one where the larger group has more."""
    shape = iter(effect.shape)
    return effect.reshape([next(shape) if axis in group else 1 for axis in larger])
