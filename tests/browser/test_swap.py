"""The swap widget under a reader's hand."""

import re

import pytest

from nas_lab.widgets import SwapState
from tests.browser.lab import ROOT, write_json
from tests.browser.test_cell_builder import THEMES, contrast, press, save
from tests.strategies.tables import invented

SOURCE = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from nas_lab.widgets import SwapParts
from tests.strategies.tables import invented
w = SwapParts(invented())
w
"""


@pytest.fixture
def swap(lab):
    save(lab.server, "swap.ipynb", SOURCE, "print(w.state)")
    lab.open("swap.ipynb")
    lab.run_all()
    assert lab.errors() == []
    return lab.output(0)


def test_a_swap_by_keyboard_is_explained(lab, swap):
    model = SwapState(invented())
    swap.get_by_text(model.swap_words).wait_for()
    swap.get_by_label("input → 1", exact=True).focus()
    press(lab, "Space", "ArrowUp", "Enter")  # from a 3x3 to a 1x1 convolution
    model.choose(0, 2)
    swap.get_by_text(model.swap_words).wait_for()
    swap.get_by_text(model.parts_words).wait_for()
    swap.get_by_role("img", name=re.compile("Parts of the change. over all cells")).wait_for()
    swap.get_by_role("button", name="Nearest better cell").focus()
    press(lab, "Enter")
    model.improve()
    swap.get_by_text(model.message).wait_for()
    swap.get_by_role("button", name="Reset").focus()
    press(lab, "Enter")
    swap.get_by_text(SwapState(invented()).swap_words).wait_for()
    assert lab.errors() == []


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_it_fits_a_laptop_and_reads_in_both_themes(lab, theme):
    themes = lab.server._folder / THEMES
    write_json(themes, {"theme": theme})
    try:
        save(lab.server, "swap.ipynb", SOURCE)
        lab.open("swap.ipynb")
        lab.page.set_viewport_size({"width": 1280, "height": 800})
        lab.run_all()
        swap = lab.output(0)
        line = swap.get_by_text(SwapState(invented()).swap_words)
        line.wait_for()
        assert swap.evaluate("e => e.scrollWidth <= e.clientWidth")
        assert contrast(line) > 4.5
        lab.screenshot(f"swap-{theme[-5:].strip().lower()}", swap)
        assert lab.errors() == []
    finally:
        themes.unlink()
