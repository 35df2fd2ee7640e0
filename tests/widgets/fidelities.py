"""Invented fidelities: what is cheaper is noisier."""

import numpy as np

from nas_lab.widgets.fidelity import Fidelities

IMAGES = (100, 200, 400)
EPOCHS = 3
N = 40


def invented(seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0.6, 0.9, N)
    share = np.outer(np.array(IMAGES) / IMAGES[-1], np.arange(1, EPOCHS + 1) / EPOCHS)
    noise = rng.normal(0, 0.02, (len(IMAGES), EPOCHS, N)) / share[:, :, None]
    return Fidelities(IMAGES, truth + noise, share, truth)
