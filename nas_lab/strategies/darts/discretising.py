"""From a matrix w to the architecture that it prefers."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from nas_lab.spaces.base import Arch, Space
from nas_lab.spaces.cell_darts import Darts
from nas_lab.strategies.darts.edges import incoming

NONE = 0
"""Token of 'none' in a DARTS cell."""


@singledispatch
def strongest(space: Space, w: np.ndarray) -> Arch:
    """The strongest option of each decision, the lecture's argmax.

    On ``nasbench201()`` 'none' is an option like any other, as in the experiments of its authors
    (Dong & Yang 2020). On ``darts()`` each node keeps its two strongest inputs, where the
    strength of an edge is its largest weight but that of 'none' (Liu et al. 2019, section 2.4).
    Of equal weights the first wins.

    Args:
        space: of the architecture.
        w: weights [D, K].

    Raises:
        ValueError: ``w`` has another shape, or the space excludes the combination.
    """
    return space.check(np.where(space.mask, _checked(space, w), -np.inf).argmax(axis=1).tolist())


@strongest.register
def _two_inputs(space: Darts, w: np.ndarray) -> Arch:
    candidates = _checked(space, w).copy()
    candidates[:, NONE] = -np.inf
    tokens, strength = candidates.argmax(axis=1), candidates.max(axis=1)
    arch = np.full(len(w), NONE)
    for edges in incoming(space):
        kept = sorted(edges, key=lambda edge: -strength[edge])[:2]
        arch[kept] = tokens[kept]
    return space.check(arch.tolist())


def _checked(space: Space, w: np.ndarray) -> np.ndarray:
    w = np.asarray(w, dtype=float)
    if w.shape != space.mask.shape:
        raise ValueError(f"{space.name} takes w of shape {space.mask.shape}, not {w.shape}")
    return w
