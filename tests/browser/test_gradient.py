"""The gradient sliders under a reader's hand: by keyboard, with words that the kernel computed."""

import pytest

from nas_lab.widgets import GradientState
from tests.browser.lab import ROOT
from tests.browser.reader import press, save
from tests.strategies.tables import invented

SOURCE = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from nas_lab.widgets import GradientSliders
from tests.strategies.tables import invented
w = GradientSliders(invented())
w
"""


def words(**setting):
    return GradientState(invented(), **setting).words


@pytest.fixture
def sliders(lab):
    save(lab.server, "gradient.ipynb", SOURCE, "print(w.state)")
    lab.open("gradient.ipynb")
    lab.run_all()
    assert lab.errors() == []
    return lab.output(0)


def test_arrow_keys_move_every_slider(lab, sliders):
    sliders.get_by_text(words()).wait_for()
    baseline, batch, learnt, entropy = sliders.get_by_role("slider").all()
    now = {}
    moves = {
        "batch": (batch, "ArrowRight", 8),
        "learnt": (learnt, "ArrowRight", 30),
        "entropy": (entropy, "ArrowRight", 0.001),
        "baseline": (baseline, "ArrowRight", 0.01),
    }
    for name, (slider, key, value) in moves.items():
        slider.focus()
        press(lab, key)
        now[name] = value
        sliders.get_by_text(words(**now)).wait_for()
    sliders.get_by_role("button", name="Mean reward").focus()
    press(lab, "Enter")
    state = GradientState(invented(), **now)
    state.take_mean()
    sliders.get_by_text(state.words).wait_for()
    sliders.get_by_role("img", name=state.words).wait_for()
    lab.screenshot("gradient", sliders)
    sliders.get_by_role("button", name="Reset").focus()
    press(lab, "Enter")
    sliders.get_by_text(words()).wait_for()
    assert lab.errors() == []
