"""All architectures of a space side by side."""

from __future__ import annotations

import numpy as np

from nas_lab.spaces.base import Space


def tokens(space: Space) -> np.ndarray:
    """Every architecture, int [size, D], in the order of ``iter(space)``."""
    counts = [len(decision.options) for decision in space.decisions]
    return np.indices(counts).reshape(len(counts), -1).T


def one_hot_rows(space: Space) -> np.ndarray:
    """The ``w`` of every architecture without the entries that stand for no option."""
    columns = [
        np.eye(len(decision.options), dtype=np.float32)[column]
        for decision, column in zip(space.decisions, tokens(space).T, strict=True)
    ]
    return np.concatenate(columns, axis=1)
