"""The one-shot slider under a reader's hand: by keyboard, with words that the kernel computed."""

import re

import numpy as np
import pytest
from scipy import stats

from tests.browser.lab import ROOT
from tests.browser.reader import press, save, tell
from tests.widgets.walks import SECONDS, rankings

SOURCE = """
import sys
sys.path.insert(0, {root!r})
from nas_lab.widgets import OneShotRanks
from tests.widgets.walks import rankings
w = OneShotRanks(checkpoint=0, rankings=rankings())
w
"""
KNOWN = rankings()


def words(method, checkpoint):
    tau = stats.kendalltau(KNOWN.methods[method].scores[0, checkpoint], KNOWN.truth)[0]
    return f"{method}: tau = {tau:.2f} after {SECONDS[method][checkpoint]:.0f} s"


@pytest.fixture
def ranks(lab):
    save(lab.server, "one_shot.ipynb", SOURCE.format(root=str(ROOT)), "print(w.state)")
    lab.open("one_shot.ipynb")
    lab.run_all()
    assert lab.errors() == []
    return lab.output(0)


def test_arrow_keys_move_the_training_time_and_the_way(lab, ranks):
    ranks.get_by_text(words("steady", 0)).wait_for()
    ranks.get_by_role("slider").focus()
    press(lab, "ArrowRight", "ArrowRight")
    ranks.get_by_text(words("steady", 2)).wait_for()
    ranks.get_by_role("img", name=re.compile("tau = ")).wait_for()
    lab.screenshot("one-shot", ranks)
    ranks.get_by_role("combobox").select_option("hasty")
    ranks.get_by_text(words("hasty", 1)).wait_for()
    lab.screenshot("one-shot-hasty", ranks)
    ranks.get_by_role("button", name="Reset").click()
    ranks.get_by_text(words("steady", 0)).wait_for()
    ranks.get_by_role("slider").focus()  # fast moves leave the last one
    for key in np.random.default_rng(0).choice(["ArrowLeft", "ArrowRight"], 30).tolist():
        press(lab, key)
    press(lab, "End")
    ranks.get_by_text(words("steady", 2)).wait_for()
    tell(lab)
    ranks.get_by_text(words("steady", 2)).wait_for()
    assert lab.errors() == []
