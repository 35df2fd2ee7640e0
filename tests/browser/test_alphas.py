"""The player of alphas under a reader's hand: it plays, is scrubbed, and follows a run."""

import re

import pytest

from nas_lab.widgets import AlphaState
from tests.browser.lab import ROOT
from tests.browser.reader import press, save, tell
from tests.strategies.tables import invented
from tests.widgets.walks import film

SOURCE = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from nas_lab.widgets import AlphaPlayer
from tests.strategies.tables import invented
from tests.widgets.walks import film
player = AlphaPlayer(film(), table=invented())
player
"""
GROW = """
import time
for w in film(30, seed=1):
    player.append(w)
    time.sleep(0.05)
print(player.model.steps, "steps")
"""


@pytest.fixture
def player(lab):
    save(lab.server, "alphas.ipynb", SOURCE, "print(player.state)")
    lab.open("alphas.ipynb")
    lab.run_all()
    assert lab.errors() == []
    return lab.output(0)


def words(at, run=None):
    return AlphaState(film() if run is None else run, table=invented(), at=at).words


def button(player, name):
    return player.get_by_role("button", name=name, exact=True)


def test_it_is_scrubbed_played_and_reset_by_keyboard(lab, player):
    player.get_by_text(words(40)).wait_for()
    picture = player.get_by_role("img", name=re.compile("^Edges of the cell as wide as"))
    assert picture.evaluate("image => image.complete && image.naturalWidth > image.width")
    lab.screenshot("alphas", player)
    player.get_by_role("slider").first.focus()
    press(lab, "ArrowLeft", "ArrowLeft")
    player.get_by_text(words(38)).wait_for()
    press(lab, "Home")
    player.get_by_text(words(1)).wait_for()
    button(player, "Play").focus()
    press(lab, "Enter")
    button(player, "Pause").wait_for()
    player.get_by_text(re.compile(r"step ([5-9]|\d\d) of 40")).wait_for()
    button(player, "Pause").focus()
    press(lab, "Enter")
    player.get_by_text("Paused.", exact=True).wait_for()
    lab.screenshot("alphas-paused", player)
    shown = player.get_by_text(re.compile(r"^step \d+ of 40")).inner_text()
    tell(lab)
    tell(lab)
    assert player.get_by_text(re.compile(r"^step \d+ of 40")).inner_text() == shown
    at = int(re.match(r"step (\d+)", shown)[1])
    assert shown == words(at)
    button(player, "Reset").focus()
    press(lab, "Enter")
    player.get_by_text(words(1)).wait_for()
    player.get_by_role("slider").last.focus()  # the speed
    press(lab, "End")
    button(player, "Play").focus()
    press(lab, "Enter")
    player.get_by_text("The end. Play begins anew.").wait_for()
    player.get_by_text(words(40)).wait_for()
    assert lab.errors() == []


def test_it_follows_a_run_while_the_cell_is_busy(lab):
    save(lab.server, "growing.ipynb", SOURCE.replace("film(), table", "table"), GROW)
    lab.open("growing.ipynb")
    lab.run_all()
    player = lab.output(0)
    player.get_by_text(words(30, film(30, seed=1))).wait_for()
    lab.output(1).get_by_text("30 steps").wait_for()
    assert float(player.get_by_role("slider").first.get_attribute("aria-valuemax")) == 30
    lab.screenshot("alphas-grown", player)
    assert lab.errors() == []


def test_the_temperature_is_moved_by_keyboard(lab):
    source = "from nas_lab.widgets import TemperatureSlider\n"
    source += "import numpy as np\nTemperatureSlider(np.eye(6, 5))"
    save(lab.server, "temperature.ipynb", source)
    lab.open("temperature.ipynb")
    lab.run_all()
    shown = lab.output(0)
    shown.get_by_text("tau = 1: ").wait_for()
    shown.get_by_role("slider").focus()
    press(lab, "ArrowLeft")
    shown.get_by_text("tau = 0.5: the largest weight of a row is ").wait_for()
    lab.screenshot("temperature", shown)
    button(shown, "Reset").focus()
    press(lab, "Enter")
    shown.get_by_text("tau = 1: ").wait_for()
    assert lab.errors() == []
