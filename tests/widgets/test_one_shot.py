"""The one-shot slider's state: what it computes, checked against scipy and by counting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nas_lab.estimation import OneShotRuns
from nas_lab.widgets import OneShotRanks
from nas_lab.widgets.one_shot import OneShotState, Rankings
from tests.widgets.walks import SECONDS, N, rankings

KNOWN = rankings()
CHECKPOINTS = st.sampled_from(
    [(method, checkpoint) for method, s in SECONDS.items() for checkpoint in range(len(s))]
)


@given(CHECKPOINTS)
def test_tau_and_precision_are_scipys_and_counted(place):
    method, checkpoint = place
    state = OneShotState(method, checkpoint, rankings=KNOWN)
    seeds = KNOWN.methods[method].scores[:, checkpoint]
    taus = [stats.kendalltau(scores, KNOWN.truth)[0] for scores in seeds]
    chosen, best = (set(np.argsort(-s)[: N // 10].tolist()) for s in (seeds[0], KNOWN.truth))
    assert f"{method}: tau = {taus[0]:.2f} after {SECONDS[method][checkpoint]:.0f} s" in state.words
    assert f"({min(taus):.2f} to {max(taus):.2f} over 2 seeds)" in state.words
    assert f"{len(chosen & best)} are among the true first {N // 10} of {N}" in state.details[0]


def test_it_begins_at_the_last_look_and_reset_goes_back():
    state = OneShotState(rankings=KNOWN)
    assert (state.method, state.checkpoint) == ("steady", 2)
    state.method = "hasty"
    assert state.checkpoint == 1  # which has no third
    state.checkpoint = 0
    state.reset()
    assert (state.method, state.checkpoint) == ("steady", 2)


def test_a_training_of_ones_own_can_be_added():
    scores = KNOWN.truth + np.zeros((4, 1))
    mine = KNOWN.adding("mine", [1, 2, 3, 4], scores)
    state = OneShotState("mine", rankings=mine)
    assert state.words == "mine: tau = 1.00 after 4 s"
    assert list(mine.methods) == ["steady", "hasty", "mine"]
    with pytest.raises(ValueError, match=r"here \[3, 40\], not \[1, 4, 40\]"):
        KNOWN.adding("mine", [1, 2, 3], scores)


class Made:
    """A table as far as ``Rankings.of`` looks at it."""

    def row(self, arch):
        return arch[0]

    def scores(self, seed):
        return np.array([0.1, 0.2, 0.3]) + seed


def test_stored_runs_are_aligned_with_the_table():
    archs = np.array([(2,), (0,)])
    arrays = {
        "archs": archs,
        "correct": np.arange(2 * 3 * 2 * 2).reshape(2, 3, 2, 2),
        "seconds": np.array([[[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]] * 2),
    }
    about = {"images": {"validation": 10}, "names": ["a", "b"], "steps": [5, 9]}
    known = Rankings.of(Made(), OneShotRuns(arrays, about))
    assert known.truth == pytest.approx(np.array([0.3, 0.1]))
    assert known.methods["b"].seconds == pytest.approx(np.array([2.0, 5.0]))
    assert known.methods["b"].scores[0] == pytest.approx(np.array([[1.2, 1.3], [1.4, 1.5]]))
    assert known.methods["a"].tau.shape == (3, 2)


# ---- the view -------------------------------------------------------------------------------


def test_the_ring_stands_on_the_first_seed():
    ranks = OneShotRanks(rankings=KNOWN)
    ranks.model.checkpoint = 1
    x, y = ranks._curves._ring.get_data()
    assert (x[0], y[0]) == (SECONDS["steady"][1], KNOWN.methods["steady"].tau[0, 1])
