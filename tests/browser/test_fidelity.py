"""The fidelity slider under a reader's hand: by keyboard, with words that the kernel computed."""

import re

import numpy as np
import pytest
from scipy import stats

from tests.browser.lab import ROOT
from tests.browser.reader import press, save, tell
from tests.widgets.walks import EPOCHS, IMAGES, fidelities

SOURCE = """
import sys
sys.path.insert(0, {root!r})
from nas_lab.widgets import FidelitySlider
from tests.widgets.walks import fidelities
w = FidelitySlider(1, 100, fidelities=fidelities())
w
"""
KNOWN = fidelities()


def words(row, column):
    tau = stats.kendalltau(KNOWN.scores[row, column], KNOWN.truth)[0]
    setting = f"{IMAGES[row]:,} images, {column + 1} of {EPOCHS} epochs"
    return f"{setting}: {KNOWN.cost[row, column]:.0%} of the cost, tau = {tau:.2f}"


@pytest.fixture
def slider(lab):
    save(lab.server, "fidelity.ipynb", SOURCE.format(root=str(ROOT)), "print(w.state)")
    lab.open("fidelity.ipynb")
    lab.run_all()
    assert lab.errors() == []
    return lab.output(0)


def test_arrow_keys_move_the_fidelity(lab, slider):
    slider.get_by_text(words(0, 0)).wait_for()
    images, epochs = slider.get_by_role("slider").all()
    epochs.focus()
    press(lab, "ArrowRight")
    slider.get_by_text(words(0, 1)).wait_for()
    images.focus()
    press(lab, "ArrowRight", "ArrowRight")
    slider.get_by_text(words(2, 1)).wait_for()
    slider.get_by_role("img", name=re.compile("tau = ")).wait_for()
    lab.screenshot("fidelity", slider)
    slider.get_by_role("button", name="Reset").click()
    slider.get_by_text(words(0, 0)).wait_for()
    epochs.focus()  # fast moves leave the last one
    for key in np.random.default_rng(0).choice(["ArrowLeft", "ArrowRight"], 30).tolist():
        press(lab, key)
    press(lab, "End")
    slider.get_by_text(words(0, 2)).wait_for()
    tell(lab)
    slider.get_by_text(words(0, 2)).wait_for()
    assert lab.errors() == []
