"""Tables with invented learning curves, for tests of what reads them."""

from functools import lru_cache

import numpy as np

from nas_lab.estimation import Table
from nas_lab.estimation.tables import MISSING
from nas_lab.spaces import nasbench201

SPACE = nasbench201()
ARCHS = sorted({SPACE.canonical(arch) for arch in SPACE})
IMAGES = 10**9
"""So many that an accuracy is rounded in the ninth digit."""


@lru_cache(maxsize=1)
def rows_of_codes():
    rows = {arch: i for i, arch in enumerate(ARCHS)}
    return np.array([rows[SPACE.canonical(arch)] for arch in SPACE], dtype=np.int16)


def table_of(curves, seconds=None):
    """A table with accuracies [S, N, E], N of all canonical cells; NaN where not trained."""
    curves = np.asarray(curves, dtype=float)
    missing = np.isnan(curves)
    correct = np.where(missing, MISSING, np.rint(np.nan_to_num(curves) * IMAGES))
    sizes = np.random.default_rng(0).integers(100, 9_999, (2, len(ARCHS)))
    arrays = {
        "archs": np.array(ARCHS, dtype=np.int8),
        "row_of_code": rows_of_codes(),
        "params": sizes[0],
        "macs": sizes[1],
        "val_correct": correct.astype(np.int64),
        "test_correct": correct[:, :, -1].astype(np.int64),
        "thread_seconds": np.ones(curves.shape[:2]) if seconds is None else seconds,
    }
    return Table(arrays, {"images": {"validation": IMAGES, "test": IMAGES}})
