"""The swap widget: its state splits a change rightly, its view follows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_lab.widgets import SwapState
from nas_lab.widgets.swap import FIRST
from tests.strategies.tables import SPACE, invented

TABLE = invented()


@pytest.fixture(scope="module")
def model():
    return SwapState(TABLE)


@given(st.sampled_from(list(SPACE)[::97]), st.integers(0, 5), st.integers(0, 4))
@settings(max_examples=20, deadline=None)
def test_parts_add_up_to_the_change_in_the_table(model, arch, edge, token):
    model.arch, model.edge, model.token = arch, edge, token
    *parts, change = model.parts.values()
    assert sum(parts) == pytest.approx(change)
    assert change == pytest.approx(TABLE(model.after).score - TABLE(arch).score)


def test_a_choice_swaps_the_cell_as_it_is_now():
    model = SwapState(TABLE, arch=(1, 1, 1, 1, 1, 1), edge=0, token=3)
    model.choose(5, 2)
    assert model.as_dict() == {"arch": [3, 1, 1, 1, 1, 1], "edge": 5, "token": 2}
    assert "2 → output: skip becomes conv 1×1" in model.words
    model.choose(5, 2)
    assert "nothing changes" in model.words
    model.reset()
    assert model.as_dict() == {"arch": [1] * 6, "edge": 0, "token": 3}


def test_improving_again_and_again_ends_at_the_top():
    model, steps = SwapState(TABLE), 0
    while "No cell is better" not in model.message:
        before = TABLE(model.after).score
        model.improve()
        steps += 1
        assert steps < 60
    best = np.nanmax(TABLE.scores())
    assert before >= best - model.noise


def test_on_average_is_the_mean_over_all_cells(model):
    model.arch, model.edge, model.token = FIRST, 2, 0
    scores = {arch: TABLE(arch).score for arch in SPACE}
    means = [
        np.mean([score for arch, score in scores.items() if arch[2] == token])
        for token in (0, FIRST[2])
    ]
    assert model.parts["on average"] == pytest.approx(means[0] - means[1])
