"""The live race under a reader's hand: it runs, pauses, and survives what notebooks go through."""

import re

import pytest

from nas_lab.widgets import RaceState
from tests.strategies.tables import invented

END = 5_000  # far away, however long the page takes for an answer
SOURCE = f"""
from nas_lab.widgets import LiveRace
from tests.strategies.tables import invented
races = globals().get("races", [])
races.append(LiveRace(invented(), trials=12, end={END}))
races[-1]
"""
TELL = "print([(race.model.running, race.model.trials) for race in races])"
RESTARTED = """() => {
    const panel = window.jupyterapp.shell.currentWidget;
    return panel.content.model.cells.get(0).executionCount === null
        || panel.sessionContext.session.kernel.status === "idle";
}"""


@pytest.fixture
def race(show):
    return show(SOURCE, TELL)


def words(**setting):
    return RaceState(invented(), end=END, **({"trials": 12} | setting)).words


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


def pause(lab, race):
    """Pause by keyboard; then neither the page nor the kernel counts on."""
    lab.press("Enter", on=button(race, "Pause"))
    race.get_by_text("Paused.", exact=True).wait_for()
    is_still(lab, race)


def is_still(lab, race):
    shown, told = trials(race), lab.tell()
    for _ in range(5):  # each is a way to the kernel and back
        assert lab.tell() == told
    assert trials(race) == shown


def test_it_stands_runs_and_pauses_by_keyboard(lab, race):
    race.get_by_text(words()).wait_for()
    picture = race.get_by_role("img", name=re.compile("Best accuracy by trials: after 12 trials"))
    assert picture.evaluate("image => image.complete && image.naturalWidth > image.width")
    is_still(lab, race)
    lab.screenshot("race", race)
    lab.press("Enter", on=button(race, "Run"))
    wait_for_trials(lab, race, 30)
    assert button(race, "Run").count() == 0
    pause(lab, race)
    there = trials(race)
    lab.press("Tab", "Enter", on=button(race, "Run"))
    race.get_by_text(f"Trial {there + 1} alone: ").wait_for()
    assert wait_for_trials(lab, race, there + 1) == there + 1
    race.get_by_text(words(trials=there + 1)).wait_for()  # as a race that went there in one go
    lab.screenshot("race-paused", race)
    lab.press("Tab", "Enter")
    race.get_by_text("after 0 trials with seed 0").wait_for()
    lab.press("Tab", "Enter")
    race.get_by_text("after 0 trials with seed 1").wait_for()


def test_sliders_and_boxes_by_keyboard(lab, race):
    two = ["RegularizedEvolution", "Reinforce"]
    lab.press("Space", on=race.get_by_label("random search"))
    race.get_by_text(words(strategies=two)).wait_for()
    sliders = race.get_by_role("slider")
    lab.press("ArrowRight", on=sliders.first)  # the learning rate
    lab.press("Home", on=sliders.last)  # the batch
    setting = {"strategies": two, "learning_rate": 0.03, "batch": 1}
    race.get_by_text(words(**setting)).wait_for()
    expected = RaceState(invented(), end=END, trials=12, **setting)
    race.get_by_text(expected.details[1]).wait_for()
    lab.press("Space", on=race.get_by_label("REINFORCE"))
    race.get_by_text("tick REINFORCE to see its policy").wait_for()
    lab.screenshot("race-evolution-alone", race)


def test_cells_run_while_it_runs_run_again_leave_one_race_and_a_restart_is_survived(lab, race):
    button(race, "Run").click()
    wait_for_trials(lab, race, 18)
    first = int(re.search(r"\(True, (\d+)\)", lab.tell())[1])
    wait_for_trials(lab, race, first + 1)  # it went on after the cell
    lab.run_all()
    assert trials(race) == 12
    first = lab.tell()
    assert first.startswith("[(False, ")
    assert first.endswith("(False, 12)]")
    button(race, "Run").click()
    wait_for_trials(lab, race, 24)
    pause(lab, race)
    assert lab.tell().startswith(first.removesuffix("(False, 12)]"))  # the first did not go on
    button(race, "Run").click()
    wait_for_trials(lab, race, trials(race) + 1)
    lab.choose("Kernel", "Restart Kernel…")
    lab.page.get_by_role("button", name="Confirm Kernel Restart").click()
    lab.page.wait_for_function(RESTARTED)
    lab.run_all()
    race.get_by_text("after 12 trials with seed 0").wait_for()
    assert lab.tell() == "[(False, 12)]"
    button(race, "Run").click()
    wait_for_trials(lab, race, 18)
    pause(lab, race)
