"""The budget's sliders under a reader's hand: by keyboard, with words that the kernel computed."""

import pytest

from tests.browser.lab import ROOT
from tests.browser.reader import press, save, tell

SOURCE = """
import sys
sys.path.insert(0, {root!r})
from nas_lab.widgets import BudgetDivider
w = BudgetDivider(27, 3)
w
"""


@pytest.fixture
def divider(lab):
    save(lab.server, "budget.ipynb", SOURCE.format(root=str(ROOT)), "print(w.state)")
    lab.open("budget.ipynb")
    lab.run_all()
    assert lab.errors() == []
    return lab.output(0)


def test_arrow_keys_divide_the_budget(lab, divider):
    # Li et al. 2018: with R = 27 and eta = 3 the boldest bracket has 27, 9, 3 and 1.
    divider.get_by_text("Bracket 1 trains 27 to epoch 1, then 9 to epoch 3").wait_for()
    epochs, eta, bracket = divider.get_by_role("slider").all()
    bracket.focus()
    press(lab, "End")
    divider.get_by_text("Bracket 4 trains 4 to epoch 27: 108 epochs.").wait_for()
    lab.screenshot("budget", divider)
    epochs.focus()
    press(lab, "ArrowLeft")
    divider.get_by_text("Bracket 3 trains 3 to epoch 16").wait_for()
    eta.focus()
    press(lab, "ArrowLeft")
    divider.get_by_text("5 brackets").wait_for()
    lab.screenshot("budget-16", divider)
    divider.get_by_role("button", name="Reset").click()
    divider.get_by_text("Bracket 1 trains 27 to epoch 1, then 9 to epoch 3").wait_for()
    epochs.focus()  # fast moves leave the last one
    press(lab, *["ArrowRight", "ArrowLeft"] * 10, "End")
    divider.get_by_text("Bracket 1 trains 81 to epoch 1").wait_for()
    tell(lab)
    divider.get_by_text("Bracket 1 trains 81 to epoch 1").wait_for()
    assert lab.errors() == []
