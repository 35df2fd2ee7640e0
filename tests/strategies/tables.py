"""A table with invented numbers that a search can learn from: smooth, with noise and failures."""

from functools import lru_cache

import numpy as np

from nas_lab.estimation import Table
from nas_lab.spaces import Skeleton, nasbench201

SPACE = nasbench201()
EPOCHS, IMAGES = 4, 4_000
SKELETON = {"channels": 4, "cells": 1, "stages": 1, "resolution": 8, "in_channels": 1}
WORTH = np.array([0.0, 0.3, 0.6, 1.0, 0.2])  # of an operation, in the order of the space
WEIGHT = np.array([1.0, 0.6, 0.8, 0.7, 0.6, 1.2])  # of an edge


@lru_cache(maxsize=1)
def invented() -> Table:
    """All canonical cells: accuracy grows with the worth of the operations, and with epochs."""
    canonical = [SPACE.canonical(arch) for arch in SPACE]
    archs = sorted(set(canonical))
    row = {arch: i for i, arch in enumerate(archs)}
    codes = np.array(archs)
    quality = _quality(codes)
    rng = np.random.default_rng(0)
    epochs = np.arange(1, EPOCHS + 1)
    curves = quality[:, None] * (1 - 0.3 * np.exp(-0.7 * epochs * (0.7 + quality[:, None])))
    noise = 0.02 / epochs
    accuracy = 0.1 + 0.8 * curves + noise * rng.normal(size=curves.shape) * (curves > 0)
    costs = [SPACE.cost(arch, Skeleton(**SKELETON)) for arch in archs]
    arrays = {
        "archs": codes.astype(np.int8),
        "row_of_code": np.array([row[arch] for arch in canonical], dtype=np.int16),
        "val_correct": np.rint(accuracy * IMAGES).astype(np.int16)[None],
        "test_correct": np.rint((accuracy[:, -1] - 0.01) * IMAGES).astype(np.int16)[None],
        "train_loss": (1 - accuracy).astype(np.float16)[None],
        "thread_seconds": (1 + 0.5 * (codes > 1).sum(axis=1)).astype(np.float16)[None],
        "params": np.array([cost.params for cost in costs], dtype=np.int32),
        "macs": np.array([cost.macs for cost in costs], dtype=np.int32),
    }
    about = {
        "fingerprint": SPACE.fingerprint,
        "images": {"validation": IMAGES, "test": IMAGES},
        "skeleton": SKELETON,
    }
    return Table(arrays, about)


def _quality(codes: np.ndarray) -> np.ndarray:
    """In [0, 1): 0 where nothing gets from the input to the output; two edges interact."""
    a, b, c, d, e, f = (codes > 0).T
    connected = d | (a & e) | (b & f) | (a & c & f)
    worth = WORTH[codes] @ WEIGHT + 0.8 * ((codes[:, 3] == 1) & (codes[:, 0] > 1))
    return np.where(connected, 1 - 0.6 * np.exp(-0.7 * worth), 0.0)
