"""The edge-device slider under a reader's hand: by keyboard, with words that the kernel counted."""

import re

import pytest

from nas_lab.widgets.edge import EdgeState
from tests.browser.lab import ROOT
from tests.browser.reader import press, save
from tests.strategies.tables import invented

SOURCE = """
import sys
sys.path.insert(0, {root!r})
from nas_lab.widgets import EdgeDevices
from tests.strategies.tables import invented
w = EdgeDevices("raspberry_pi_4", 0.6, table=invented())
w
"""


def words(device, beta):
    return EdgeState(device, beta, table=invented()).words


@pytest.fixture
def widget(lab):
    save(lab.server, "edge.ipynb", SOURCE.format(root=str(ROOT)), "print(w.state)")
    lab.open("edge.ipynb")
    lab.run_all()
    assert lab.errors() == []
    return lab.output(0)


def test_arrow_keys_move_the_network_along_the_front(lab, widget):
    widget.get_by_text(words("raspberry_pi_4", 0.6)).wait_for()
    (beta,) = widget.get_by_role("slider").all()
    beta.focus()
    press(lab, "ArrowRight")
    widget.get_by_text(words("raspberry_pi_4", 0.7)).wait_for()
    press(lab, "End")
    widget.get_by_text(words("raspberry_pi_4", 8.0)).wait_for()
    widget.get_by_role("img", name=re.compile("Accuracy against latency")).wait_for()
    lab.screenshot("edge", widget)
    widget.get_by_role("button", name="Reset").click()
    widget.get_by_text(words("raspberry_pi_4", 0.6)).wait_for()
    widget.get_by_role("combobox").select_option("server GPU: Tesla V100")
    widget.get_by_text(words("v100", 0.6)).wait_for()
    widget.get_by_text("Loading widget").wait_for(state="detached")
    lab.screenshot("edge-v100", widget)
    assert lab.errors() == []
