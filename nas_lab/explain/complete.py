"""The scores of a whole space as one array with an axis for each decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nas_lab.spaces.base import Arch, Space

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

LARGEST = 1_000_000
"""Spaces with more architectures are not written out."""


def complete(space: Space, archs: ArrayLike, scores: ArrayLike) -> np.ndarray:
    """Scores of every architecture of the space, [K_1, ..., K_D]; NaN where none is known.

    An architecture has the score of its canonical form: both are one network.

    Args:
        space: whose decisions exclude nothing, with at most a million architectures.
        archs: int [N, D].
        scores: [N], in the same order.

    Raises:
        TypeError: ``archs`` holds something else than whole numbers.
        ValueError: the arrays do not fit each other or the space; a score is NaN; two scores are
            given for one network; or the space excludes combinations, or is too large.
    """
    _check_space(space)
    known = scores_by_canonical(space, archs, scores)
    values = [known.get(space.canonical(arch), np.nan) for arch in space]
    return np.array(values).reshape([len(decision.options) for decision in space.decisions])


def scores_by_canonical(space: Space, archs: ArrayLike, scores: ArrayLike) -> dict[Arch, float]:
    """The score of each canonical architecture that is known; errors are those of ``complete``."""
    archs, scores = np.asarray(archs), np.asarray(scores, dtype=float)
    if archs.ndim != 2 or scores.shape != archs.shape[:1]:
        raise ValueError(
            f"give archs [N, {len(space.decisions)}] and scores [N], not of shapes "
            f"{list(archs.shape)} and {list(scores.shape)}"
        )
    if np.isnan(scores).any():
        raise ValueError(
            f"{np.isnan(scores).sum()} of {len(scores)} scores are NaN: leave these architectures "
            "out, with keep = ~np.isnan(scores)"
        )
    known: dict[Arch, float] = {}
    for arch, score in zip(archs.tolist(), scores.tolist(), strict=True):
        if known.setdefault(space.canonical(tuple(arch)), score) != score:
            raise ValueError(
                f"two scores for one network, {tuple(arch)} in its canonical form: give their mean"
            )
    return known


def _check_space(space: Space) -> None:
    if space.size > LARGEST:
        raise ValueError(
            f"{space.name} has {space.size:.1e} architectures, too many to write out "
            f"({LARGEST:,}): explain a smaller space"
        )
    if np.prod([len(decision.options) for decision in space.decisions]) != space.size:
        raise ValueError(
            f"{space.name} excludes combinations of options, so its decisions cannot be varied "
            "one by one: the analysis of variance does not apply"
        )
