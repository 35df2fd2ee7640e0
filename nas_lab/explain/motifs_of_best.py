"""What the best architectures have in common."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nas_lab.explain.ranking import top_of
from nas_lab.spaces.base import Space

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Motif:
    """Two options that the best share more often than others do.

    Attributes:
        places: of the two decisions.
        options: what they chose.
        top: share of the best that have both, in [0, 1].
        all: share of all that have both.
        p: chance of so large a share, or a larger one, among as many architectures drawn at
            random (hypergeometric); not corrected for the number of motifs.
    """

    places: tuple[int, int]
    options: tuple
    top: float
    all: float
    p: float


def motifs(space: Space, archs: ArrayLike, scores: ArrayLike, *, top: float = 0.01) -> list[Motif]:
    """Every pair of options of two decisions, those most typical of the best first.

    Args:
        space: of the architectures.
        archs: int [N, D].
        scores: [N], in the same order.
        top: share of the architectures that counts as the best, in (0, 1].

    Raises:
        ValueError: the arrays do not fit each other or the space, or ``top`` is out of its range.
    """
    archs, best = _best(space, archs, scores, top)
    found = []
    for first, second in itertools.combinations(range(len(space.decisions)), 2):
        for a, b in itertools.product(*(_tokens(space, d) for d in (first, second))):
            both = (archs[:, first] == a) & (archs[:, second] == b)
            options = tuple(
                space.decisions[d].options[token] for d, token in ((first, a), (second, b))
            )
            found.append(_motif((first, second), options, both, best))
    return sorted(found, key=lambda motif: motif.p)


def _motif(places: tuple[int, int], options: tuple, both: np.ndarray, best: np.ndarray) -> Motif:
    from scipy.stats import hypergeom

    hits = int((both & best).sum())
    p = float(hypergeom.sf(hits - 1, len(best), int(both.sum()), int(best.sum())))
    return Motif(places, options, hits / int(best.sum()), float(both.mean()), p)


def _best(
    space: Space, archs: ArrayLike, scores: ArrayLike, top: float
) -> tuple[np.ndarray, np.ndarray]:
    """The architectures, and which of them are the best: bool [N]."""
    archs, scores = np.asarray(archs), np.asarray(scores, dtype=float)
    if archs.ndim != 2 or archs.shape != (len(scores), len(space.decisions)):
        raise ValueError(
            f"give archs [N, {len(space.decisions)}] and scores [N], not of shapes "
            f"{list(archs.shape)} and {list(scores.shape)}"
        )
    best = np.zeros(len(scores), dtype=bool)
    best[np.argsort(-scores, kind="stable")[: top_of(top, len(scores))]] = True
    return archs, best


def _tokens(space: Space, decision: int) -> range:
    return range(len(space.decisions[decision].options))
