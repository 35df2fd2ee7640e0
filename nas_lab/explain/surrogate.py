"""A forest that stands in for architectures nobody has trained."""

from __future__ import annotations

import numpy as np

from nas_lab.explain.numbering import one_hot_rows
from nas_lab.spaces.base import Space

TREES = 100
LEAST = 10
"""A forest of fewer architectures would tell little."""


def filled(space: Space, known: np.ndarray, seed: int = 0) -> np.ndarray:
    """Scores of every architecture: known ones as they are, others by a random forest.

    As in Hutter et al. (ICML 2014), but effects are computed on the forest's predictions for the
    whole space, not tree by tree. What it has not seen it predicts too close to the mean, so
    effects come out too small; compare with another seed or a smaller sample.

    Args:
        space: what ``known`` is about.
        known: [K_1, ..., K_D], NaN where an architecture is to be predicted.
        seed: of the forest.

    Raises:
        ValueError: fewer than ten scores are known.
    """
    from sklearn.ensemble import RandomForestRegressor

    flat, rows = known.ravel(), one_hot_rows(space)
    have = ~np.isnan(flat)
    if have.sum() < LEAST:
        raise ValueError(
            f"only {have.sum()} architectures have a score: a forest needs at least {LEAST}"
        )
    forest = RandomForestRegressor(TREES, random_state=seed).fit(rows[have], flat[have])
    return np.where(have, flat, forest.predict(rows)).reshape(known.shape)
