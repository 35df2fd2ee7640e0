"""The smallest change that makes an architecture better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nas_lab.explain.complete import complete
from nas_lab.explain.numbering import tokens
from nas_lab.spaces.base import Arch, Space

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Better:
    """An architecture that is better, and near.

    Attributes:
        arch: its tokens.
        changes: places of the decisions that differ.
        gain: what its score is higher.
    """

    arch: Arch
    changes: tuple[int, ...]
    gain: float


def nearest_better(
    space: Space, archs: ArrayLike, scores: ArrayLike, arch: Arch, *, margin: float = 0.0
) -> Better | None:
    """The best of the nearest architectures whose score is higher by more than ``margin``.

    Near means few decisions that differ. Only architectures with a known score count.

    Args:
        space: whose decisions exclude nothing, with at most a million architectures.
        archs: int [N, D].
        scores: [N], in the same order.
        arch: whose score is known.
        margin: take the noise of a training, or what a change must be worth.

    Returns:
        The counterfactual, or None where no architecture is better.

    Raises:
        TypeError, ValueError: as for ``anova``; or the score of ``arch`` is not known, or the
            margin is negative.
    """
    if not margin >= 0:
        raise ValueError(f"margin must be a number from 0, not {margin!r}")
    arch = space.check(arch)
    known = complete(space, archs, scores)
    if np.isnan(known[arch]):
        raise ValueError(f"the score of {arch} is not known: no architecture can be called better")
    gains = (known - known[arch]).ravel()
    every = tokens(space)
    changed = (every != np.array(arch)).sum(axis=1)
    better = np.flatnonzero(gains > margin)  # a NaN is not
    if not len(better):
        return None
    near = better[changed[better] == changed[better].min()]
    found = near[np.argmax(gains[near])]
    there = tuple(every[found].tolist())
    places = tuple(np.flatnonzero(every[found] != np.array(arch)).tolist())
    return Better(there, places, float(gains[found]))
