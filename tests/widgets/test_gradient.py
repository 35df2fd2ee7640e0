"""The gradient sliders' view draws its state and hands moves to it."""

import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from nas_lab import plots
from nas_lab.widgets import GradientSliders
from tests.strategies.tables import invented


@pytest.fixture
def sliders():
    return GradientSliders(invented())


def test_sliders_move_words_and_picture(sliders):
    words, picture = sliders._words.value, sliders._picture.value
    for name, value in {"baseline": 0.5, "batch": 16, "learnt": 60, "entropy": 0.01}.items():
        sliders._sliders[name].value = value
        assert getattr(sliders.model, name) == value
        assert sliders._words.value != words
        assert sliders._picture.value != picture
        words, picture = sliders._words.value, sliders._picture.value
    assert sliders.model.words in re.search('alt="([^"]*)"', picture)[1]


def test_buttons_move_sliders_and_picture(sliders):
    first = sliders._picture.value
    mean, draw, reset = sliders._buttons
    mean.click()
    assert sliders._sliders["baseline"].value == sliders.model.baseline > 0.3
    draw.click()
    assert sliders.state["draw"] == 1
    reset.click()
    assert sliders._picture.value == first


def test_a_state_leads_back_also_with_values_that_no_slider_offered():
    sliders = GradientSliders(invented(), batch=3, entropy=0.02)
    again = GradientSliders(invented(), **sliders.state)
    assert again.state == sliders.state
    assert again._picture.value == sliders._picture.value


def test_what_stays_is_drawn_once(sliders, monkeypatch):
    drawn = []
    monkeypatch.setattr(sliders._picture._canvas, "draw", lambda: drawn.append(1))
    sliders._sliders["baseline"].value = 0.5
    assert not drawn


def test_bars_count_the_steps_and_limits_stay():
    ax = Figure().add_subplot()
    bars = plots.CosineBars(ax)
    limits = ax.get_xlim(), ax.get_ylim()
    cosines = np.linspace(-0.99, 0.99, 400)
    bars.update(cosines)
    boxes = [path.get_extents() for path in bars._bars.get_paths()]
    counted = [((box.x0 <= cosines) & (cosines < box.x1)).mean() for box in boxes]
    np.testing.assert_allclose([box.height for box in boxes], counted)
    assert bars._said.get_text() == f"mean {cosines.mean():.2f}"
    bars.update(np.ones(10))
    assert (ax.get_xlim(), ax.get_ylim()) == limits
