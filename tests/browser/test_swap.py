"""The swap widget under a reader's hand."""

import re

import pytest

from nas_lab.widgets import SwapState
from tests.browser.lab import ROOT
from tests.browser.reader import press, save
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
    swap.get_by_text(model.words).wait_for()
    swap.get_by_label("input → 1", exact=True).focus()
    press(lab, "Space", "ArrowUp", "Enter")  # from a 3x3 to a 1x1 convolution
    model.choose(0, 2)
    swap.get_by_text(model.words).wait_for()
    swap.get_by_text(model.details[0]).wait_for()
    swap.get_by_role("img", name=re.compile("Parts of the change. over all cells")).wait_for()
    swap.get_by_role("button", name="Nearest better cell").focus()
    press(lab, "Enter")
    model.improve()
    swap.get_by_text(model.message).wait_for()
    swap.get_by_role("button", name="Reset").focus()
    press(lab, "Enter")
    swap.get_by_text(SwapState(invented()).words).wait_for()
    assert lab.errors() == []
