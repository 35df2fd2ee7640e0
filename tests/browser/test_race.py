"""The live race under a reader's hand: it runs, pauses, and survives what notebooks go through."""

import re

import pytest

from nas_lab.widgets import RaceState
from tests.browser.lab import ROOT
from tests.browser.reader import press, save, tell
from tests.strategies.tables import invented

END = 5_000  # far away, however long the page takes for an answer
SOURCE = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from nas_lab.widgets import LiveRace
from tests.strategies.tables import invented
races = globals().get("races", [])
races.append(LiveRace(invented(), trials=12, end={END}))
races[-1]
"""
TELL = "print([(race.model.running, race.model.trials) for race in races])"


@pytest.fixture
def race(lab):
    save(lab.server, "race.ipynb", SOURCE, TELL)
    lab.open("race.ipynb")
    lab.run_all()
    assert lab.errors() == []
    return lab.output(0)


def button(race, name):
    return race.get_by_role("button", name=name, exact=True)


def trials(race):
    said = race.get_by_text(re.compile(r"^after \d+ trials with seed")).inner_text()
    return int(re.match(r"after (\d+)", said)[1])


def wait_for_trials(lab, race, least):
    """Wait until the page shows that many, and return how many it shows."""
    lab.page.wait_for_function(
        "([e, n]) => n <= +(e.innerText.match(/after ([0-9]+) trials/) ?? [0, 0])[1]",
        arg=[race.element_handle(), least],
    )
    return trials(race)


def is_still(lab, race):
    """The race stands: neither the page nor the kernel counts on."""
    shown, told = trials(race), tell(lab)
    for _ in range(5):  # each is a way to the kernel and back
        assert tell(lab) == told
    assert trials(race) == shown


def test_it_stands_runs_and_pauses_by_keyboard(lab, race):
    race.get_by_text(RaceState(invented(), end=END, trials=12).words).wait_for()
    picture = race.get_by_role("img", name=re.compile("Best accuracy by trials: after 12 trials"))
    assert picture.evaluate("image => image.complete && image.naturalWidth > image.width")
    is_still(lab, race)
    lab.screenshot("race", race)
    button(race, "Run").focus()
    press(lab, "Enter")
    wait_for_trials(lab, race, 30)
    assert button(race, "Run").count() == 0
    button(race, "Pause").focus()
    press(lab, "Enter")
    race.get_by_text("Paused.", exact=True).wait_for()
    is_still(lab, race)
    there = trials(race)
    button(race, "Run").focus()
    press(lab, "Tab", "Enter")
    race.get_by_text(f"Trial {there + 1} alone: ").wait_for()
    assert wait_for_trials(lab, race, there + 1) == there + 1
    words = RaceState(invented(), end=END, trials=there + 1).words
    race.get_by_text(words).wait_for()  # as a race that went there in one go
    lab.screenshot("race-paused", race)
    press(lab, "Tab", "Enter")
    race.get_by_text("after 0 trials with seed 0").wait_for()
    press(lab, "Tab", "Enter")
    race.get_by_text("after 0 trials with seed 1").wait_for()
    assert lab.errors() == []


def test_sliders_and_boxes_by_keyboard(lab, race):
    race.get_by_label("random search").focus()
    press(lab, "Space")
    two = ["RegularizedEvolution", "Reinforce"]
    race.get_by_text(RaceState(invented(), end=END, trials=12, strategies=two).words).wait_for()
    sliders = race.get_by_role("slider")
    sliders.first.focus()  # the learning rate
    press(lab, "ArrowRight")
    sliders.last.focus()  # the batch
    press(lab, "Home")
    expected = RaceState(
        invented(), end=END, trials=12, strategies=two, learning_rate=0.03, batch=1
    )
    race.get_by_text(expected.words).wait_for()
    race.get_by_text(expected.details[1]).wait_for()
    race.get_by_label("REINFORCE").focus()
    press(lab, "Space")
    race.get_by_text("tick REINFORCE to see its policy").wait_for()
    lab.screenshot("race-evolution-alone", race)
    assert lab.errors() == []


def test_cells_run_while_it_runs_and_run_again_leave_one_race(lab, race):
    button(race, "Run").click()
    wait_for_trials(lab, race, 18)
    first = int(re.search(r"\(True, (\d+)\)", tell(lab))[1])
    wait_for_trials(lab, race, first + 1)  # it went on after the cell
    lab.run_all()
    again = lab.output(0)
    assert trials(again) == 12
    first = tell(lab)
    assert first.startswith("[(False, ")
    assert first.endswith("(False, 12)]")
    button(again, "Run").click()
    wait_for_trials(lab, again, 24)
    button(again, "Pause").click()
    again.get_by_text("Paused.", exact=True).wait_for()
    assert tell(lab).startswith(first.removesuffix("(False, 12)]"))  # the first did not go on
    is_still(lab, again)
    assert lab.errors() == []


def test_it_survives_a_restart_of_the_kernel(lab, race):
    button(race, "Run").click()
    wait_for_trials(lab, race, 18)
    lab.page.get_by_role("menubar").get_by_role("menuitem", name="Kernel", exact=True).click()
    lab.page.get_by_role("menuitem", name=re.compile("^Restart Kernel…")).click()
    lab.page.get_by_role("button", name="Confirm Kernel Restart").click()
    lab.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.content.model.cells.get(0).executionCount"
        " === null || window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status"
        " === 'idle'",
    )
    lab.run_all()
    again = lab.output(0)
    again.get_by_text("after 12 trials with seed 0").wait_for()
    assert tell(lab) == "[(False, 12)]"
    button(again, "Run").click()
    wait_for_trials(lab, again, 18)
    button(again, "Pause").click()
    again.get_by_text("Paused.", exact=True).wait_for()
    is_still(lab, again)
    assert lab.errors() == []
