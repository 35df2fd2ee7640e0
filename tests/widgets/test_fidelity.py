"""The fidelity slider's state: what it computes, checked against scipy and by counting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nas_lab.estimation import ShortcutTable
from nas_lab.widgets.fidelity import Fidelities, FidelityState
from tests.widgets.walks import EPOCHS, IMAGES, N, fidelities

KNOWN = fidelities()
SETTINGS = st.tuples(st.integers(1, EPOCHS), st.sampled_from(IMAGES))


@given(SETTINGS)
def test_tau_and_precision_are_scipys_and_counted(setting):
    epochs, images = setting
    state = FidelityState(epochs, images, fidelities=KNOWN)
    scores = KNOWN.scores[IMAGES.index(images), epochs - 1]
    tau = stats.kendalltau(scores, KNOWN.truth)[0]
    chosen, best = (set(np.argsort(-s)[: N // 10].tolist()) for s in (scores, KNOWN.truth))
    assert f"{len(chosen & best)} are among the true first {N // 10} of {N}" in state.details[0]
    assert state.regret == pytest.approx(KNOWN.truth.max() - KNOWN.truth[scores.argmax()])
    assert f"tau = {tau:.2f}" in state.words
    assert f"{images:,} images, {epochs} of {EPOCHS} epochs" in state.words


class Made:
    """A table as far as ``Fidelities.of`` looks at it."""

    def __init__(self):
        self.about = {"images": {"train": 400}, "recipe": {"epochs": 2}}
        self.seconds = np.array([4.0, 8.0, 4.0])

    def row(self, arch):
        return arch[0]

    def scores(self, seed, epoch=-1):
        return np.array([0.1, 0.2, 0.3]) * (seed + 1) + (0.01 if epoch else 0)


def test_rows_are_aligned_and_cost_is_a_share():
    archs = np.array([(0,), (2,)])
    arrays = {
        "archs": archs,
        "val_correct": np.array([[[1, 2], [3, 4]], [[5, -1], [6, -1]]]),
        "thread_seconds": np.array([[1.0, 3.0], [1.0, 1.0]]),
    }
    about = {"images": {"validation": 10}, "names": ["100 images", "1 epoch"], "seed": 1}
    shortcuts = ShortcutTable(arrays, about)
    found = Fidelities.of(Made(), shortcuts)
    assert found.images == (100, 400)
    assert found.scores == pytest.approx(
        np.array([[[0.1, 0.3], [0.2, 0.4]], [[0.2, 0.6], [0.21, 0.61]]])
    )
    assert found.cost == pytest.approx(np.array([[0.25, 0.5], [0.5, 1.0]]))
    assert found.truth == pytest.approx(np.array([0.11, 0.31]))
