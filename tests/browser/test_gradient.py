"""The gradient sliders under a reader's hand: by keyboard, with words that the kernel computed."""

import pytest

from nas_lab.widgets import GradientState
from tests.browser.lab import ROOT, write_json
from tests.browser.test_cell_builder import THEMES, contrast, press, save
from tests.strategies.tables import invented

SOURCE = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from nas_lab.widgets import GradientSliders
from tests.strategies.tables import invented
w = GradientSliders(invented())
w
"""
SECONDS = 120_000


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
    sliders.get_by_text(words()).wait_for(timeout=SECONDS)
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
        sliders.get_by_text(words(**now)).wait_for(timeout=SECONDS)
    sliders.get_by_role("button", name="Mean reward").focus()
    press(lab, "Enter")
    state = GradientState(invented(), **now)
    state.take_mean()
    sliders.get_by_text(state.words).wait_for(timeout=SECONDS)
    sliders.get_by_role("img", name=state.words).wait_for(timeout=SECONDS)
    lab.screenshot("gradient", sliders)
    sliders.get_by_role("button", name="Reset").focus()
    press(lab, "Enter")
    sliders.get_by_text(words()).wait_for(timeout=SECONDS)
    assert lab.errors() == []


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_it_fits_a_laptop_and_reads_in_both_themes(lab, theme):
    themes = lab.server._folder / THEMES
    write_json(themes, {"theme": theme})
    try:
        save(lab.server, "gradient.ipynb", SOURCE, "print(w.state)")
        lab.open("gradient.ipynb")
        lab.page.set_viewport_size({"width": 1280, "height": 800})
        lab.run_all()
        sliders = lab.output(0)
        line = sliders.get_by_text(words())
        line.wait_for(timeout=SECONDS)
        assert sliders.evaluate("e => e.scrollWidth <= e.clientWidth")
        assert contrast(line) > 4.5
        lab.screenshot(f"gradient-{theme[-5:].strip().lower()}", sliders)
        assert lab.errors() == []
    finally:
        themes.unlink()
