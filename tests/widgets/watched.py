"""Invented rankings: longer training brings less noise, and one method has more of it."""

import numpy as np

from nas_lab.widgets.one_shot import Checkpoints, Rankings

N = 40
SECONDS = {"steady": np.array([1.0, 5.0, 20.0]), "hasty": np.array([2.0, 10.0])}
SEEDS = 2


def invented(seed=0):
    rng = np.random.default_rng(seed)
    archs = rng.integers(5, size=(N, 6))
    truth = rng.uniform(0.6, 0.9, N)
    methods = {}
    for more, (name, seconds) in enumerate(SECONDS.items(), start=1):
        noise = rng.normal(0, 0.2 * more, (SEEDS, len(seconds), N))
        methods[name] = Checkpoints(seconds, truth - 0.1 + noise / (1 + seconds[:, None]), truth)
    return Rankings(archs, truth, methods)
