"""The one-shot slider's view draws its state and hands moves to it."""

import re

import numpy as np
import pytest

from nas_lab.widgets import OneShotRanks
from tests.widgets.watched import SECONDS, invented


@pytest.fixture
def ranks():
    return OneShotRanks(rankings=invented())


def test_controls_move_words_and_picture(ranks):
    words, picture = ranks._words.value, ranks._picture.value
    ranks._time.value = 0
    assert ranks.state == {"way": "steady", "look": 0}
    assert ranks._words.value != words
    assert ranks._picture.value != picture
    ranks._way.value = "hasty"
    assert ranks.state == {"way": "hasty", "look": 0}
    said = f"hasty: tau = {ranks.model.tau:.2f} after 2 s"
    assert said in ranks._words.value
    assert said in re.search('alt="([^"]*)"', ranks._picture.value)[1]


def test_the_state_moves_the_controls_and_back_gives_the_same_picture(ranks):
    picture = ranks._picture.value
    ranks.model.way = "hasty"
    assert ranks._way.value == "hasty"
    assert [label for label, _ in ranks._time.options] == ["2.0 s", "10 s"]
    assert ranks._time.value == 1
    ranks.model.reset()
    assert (ranks._way.value, ranks._time.value) == ("steady", 2)
    assert ranks._picture.value == picture


def test_the_ring_stands_on_the_first_seed(ranks):
    ranks.model.look = 1
    x, y = ranks._curves._ring.get_data()
    assert (x[0], y[0]) == (SECONDS["steady"][1], pytest.approx(ranks.model.tau))


def test_what_stays_is_drawn_once(ranks, monkeypatch):
    drawn = []
    monkeypatch.setattr(ranks._picture._canvas, "draw", lambda: drawn.append(1))
    ranks._time.value = 0
    ranks._way.value = "hasty"
    assert not drawn


def test_it_continues_from_its_state(ranks):
    ranks.model.look = 1
    again = OneShotRanks(**ranks.state, rankings=invented())
    assert again._words.value == ranks._words.value
    assert np.array_equal(again.model.scores, ranks.model.scores)
