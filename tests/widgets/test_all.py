"""What every widget does: state and view say the same, whichever way a reader came there.
Each is walked once, and tests look at what the walk saw. Its states and words are recorded in
``walks.json``, words as a hash; ``python -m tests.widgets.test_all`` records them anew.
"""

import asyncio
import gc
import hashlib
import inspect
import json
import math
import threading
import weakref
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import ipywidgets
import numpy as np
import pytest
import traitlets

from nas_lab import widgets
from nas_lab.widgets import game
from nas_lab.widgets.base import MovingPicture, Picture, View
from tests.plots.readable import covered
from tests.widgets.reading import find, images, in_loop, lit, parts, press, shown, until, words
from tests.widgets.walks import WALKS, catch_up, do

RECORDED = Path(__file__).with_name("walks.json")
VIEWS = [getattr(widgets, name) for name in sorted({name.split()[0] for name in WALKS})]
# Where Reset is no way back to the very beginning: trials are kept, or it begins at step 1.
ONE_WAY = {"CellBuilder", "PickTen", "LiveRace", "AlphaPlayer"}
# What lays a figure out anew: another device, a higher cost, and a longer run.
LAID_OUT = {"EdgeDevices", "CompoundScaling", "AlphaPlayer"}
HOSTILE = "<img src=x onerror=alert(1)>"
every_widget = pytest.mark.parametrize("name", WALKS)


def remade(make, w):
    state = json.loads(json.dumps(w.state))
    run = {"steps": w.model.w} if isinstance(w, widgets.AlphaPlayer) else {}
    return make(**run, **state)


def controls(w):
    """What a reader can move, and where it stands."""
    return [
        (p.description, p.value)
        for p in parts(w)
        if isinstance(p, ipywidgets.ValueWidget) and not isinstance(p, ipywidgets.HTML)
    ]


def seen(w):
    return {"state": w.state, "words": words(w), "images": images(w), "controls": controls(w)}


class Step(NamedTuple):
    """What is seen after a move, and in a widget made from the state; what the move drew."""

    seen: dict
    again: dict
    drawn: list[str]
    laid_out: bool
    missing: int


@lru_cache
def walked(name):
    """A widget after all that the reader does, its steps, and how many threads they left."""
    make, moves = WALKS[name]
    steps, drawn, laid_out, before = [], [], [], threading.active_count()

    def spy(kind, method, calls):
        real = getattr(kind, method)
        patch.setattr(kind, method, lambda self, *a: calls.append(a[-1]) or real(self, *a))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(game, "SEEDS", dict.fromkeys(game.SEEDS, 3))
        spy(Picture, "draw", drawn)
        spy(MovingPicture, "draw", drawn)
        spy(MovingPicture, "lay_out", laid_out)
        w = make()
        for move in [lambda w: None, *moves]:
            drawn.clear()
            laid_out.clear()
            do(w, move)
            alts, new_figure = list(drawn), bool(laid_out)
            again = remade(make, w)
            again.model.message = w.model.message
            missing = getattr(w.model, "missing", 0)
            steps.append(Step(seen(w), seen(again), alts, new_figure, missing))
    return w, steps, threading.active_count() - before


def recorded(name):
    """[state, hash of the words] at the beginning and after each move."""
    return [
        [step.seen["state"], hashlib.sha256(step.seen["words"].encode()).hexdigest()[:16]]
        for step in walked(name)[1]
    ]


@every_widget
def test_state_and_words_are_those_recorded(name):
    expected = json.loads(RECORDED.read_text("utf-8"))[name]
    for step, now, then in zip(walked(name)[1], recorded(name), expected, strict=True):
        assert now == then, step.seen["words"]


@every_widget
def test_a_state_is_plain_and_makes_the_same_widget(name):
    for step in walked(name)[1]:
        now, again = step.seen, step.again
        assert json.loads(json.dumps(now["state"])) == now["state"]
        exact = name != "CompoundScaling"  # a locked point is projected again
        assert again["state"] == (now["state"] if exact else pytest.approx(now["state"]))
        for what in ["controls"] if step.missing else ["controls", "words", "images"]:
            assert again[what] == now[what]


@every_widget
def test_each_move_changes_what_is_said_draws_it_once_and_reset_goes_back(name):
    steps = walked(name)[1]
    for before, step, move in zip(steps[:-1], steps[1:], WALKS[name][1], strict=True):
        changed = any(before.seen[what] != step.seen[what] for what in ("state", "words"))
        assert changed or step.missing or name == "LiveRace" or step is steps[-1]
        assert len(set(step.drawn)) == len(step.drawn) or move is catch_up
        assert not step.laid_out or name in LAID_OUT
    if name not in ONE_WAY:
        assert steps[-1].seen == steps[0].seen


@every_widget
def test_all_can_be_read_and_nothing_runs_beside_it(name):
    w, steps, threads = walked(name)
    assert len(images(w)) == " ".join(shown(w)).count('alt="') > 0
    labels = [text for text, _ in steps[-1].seen["controls"]]
    assert all(labels)
    assert len(set(labels)) == len(labels)
    assert threads == 0


@every_widget
def test_words_from_outside_are_not_read_as_html_and_nothing_is_drawn_again(name, monkeypatch):
    w, *_ = walked(name)
    for kind in (Picture, MovingPicture):
        monkeypatch.setattr(kind, "draw", lambda *a: pytest.fail("drawn again"))
    w.model.message = HOSTILE
    w.redraw()
    assert HOSTILE[:10] not in " ".join(shown(w))


def offered(control):
    """The ends of what a control offers."""
    if isinstance(control, ipywidgets.Checkbox):
        return [True, False]
    if hasattr(control, "options"):
        values = [value for _, value in control.options if value != ""]
    else:
        values = np.arange(control.min, control.max + control.step / 2, control.step).tolist()
    return [type(control.value)(values[i]) for i in (-1, 0)]


@every_widget
def test_all_that_a_control_offers_is_taken_and_comes_back_from_the_state(name):
    make, _ = WALKS[name]
    for text, _ in controls(w := make()):
        for value in offered(find(w, text)) if text != "scale" else ["deeper only"]:
            find(w, text).value = value
            assert find(w, text).value == pytest.approx(value)
            w.redraw()
            assert find(w, text).value == pytest.approx(value)
    again = remade(make, w)
    assert again.state == (w.state if name != "CompoundScaling" else pytest.approx(w.state))
    assert controls(again) == controls(w)


@every_widget
def test_no_text_of_a_picture_covers_another_at_the_ends_of_a_control(name):
    w = WALKS[name][0]()
    pictures = [p for p in parts(w) if hasattr(p, "_moving")]
    for text, _ in controls(w):
        every = [v for _, v in find(w, text).options] if text in ("device", "method") else None
        for value in every or offered(find(w, text)):
            find(w, text).value = value
            assert [covered(p.figure) for p in pictures] == [[]] * len(pictures)


@pytest.mark.parametrize(
    ("name", "trait", "text", "value"),
    [
        ("GradientSliders", "batch", "batch m", 3),
        ("AlphaPlayer", "speed", "speed", 1.5),
        ("LiveRace", "entropy", "entropy weight", 0.02),
        ("TemperatureSlider", "tau", "temperature tau", 0.3),
    ],
)
def test_a_value_that_no_slider_offered_joins_the_others(name, trait, text, value):
    make, _ = WALKS[name]
    assert find(make(**{trait: value}), text).value == value
    w = make()
    before = [number for _, number in find(w, text).options]
    setattr(w.model, trait, value)
    assert find(w, text).value == w.state[trait] == value
    assert [number for _, number in find(w, text).options] == sorted([*before, value])
    find(w, text).value = before[0]
    assert w.state[trait] == before[0]
    assert [number for _, number in find(w, text).options] == before


BAD = [
    ("CellBuilder", {"arch": (3,) * 5}, "has 6 tokens"),
    ("CellBuilder", {"arch": (5,) * 6}, "choose from 0 to 4"),
    ("CellBuilder", {"arch": "|none|"}, "none"),
    ("CellBuilder", {"edge": -1}, "edge.*less than 0"),
    ("CellBuilder", {"edge": 6}, "edge.*greater than 5"),
    ("CellBuilder", {"skeleton": 8}, "must be a Skeleton or a dict"),
    ("CellBuilder", {"skeleton": {"channels": 0}}, "channels"),
    ("CellBuilder", {"skeleton": {"colours": 3}}, "colours"),
    ("PickTen", {"picks": [(5,) * 6]}, "choose from 0 to 4"),
    ("PickTen", {"picks": [(1,) * 6] * 11}, "11 picks: the game has 10"),
    ("LiveRace", {"strategies": ["Darts"]}, "RandomSearch.*RegularizedEvolution.*Reinforce"),
    ("LiveRace", {"trials": 41}, "ends after 40"),
    ("LiveRace", {"learning_rate": -0.1}, "a finite number of at least 0"),
    ("LiveRace", {"entropy": math.nan}, "entropy=nan: give a finite"),
    ("LiveRace", {"seed": -1}, "less than"),
    ("GradientSliders", {"baseline": -0.1}, r"baseline=-0\.1: give 0 to 11"),
    ("GradientSliders", {"baseline": 12.0}, "give 0 to"),
    ("GradientSliders", {"batch": 0}, "less than 1"),
    ("GradientSliders", {"learnt": 201}, "greater than 200"),
    ("OneShotRanks", {"method": "lazy"}, "'lazy': choose of steady, hasty"),
    ("OneShotRanks", {"method": "hasty", "checkpoint": 2}, "checkpoint=2: choose of 0, 1"),
    ("BudgetDivider", {"epochs": 5}, "epochs"),
    ("BudgetDivider", {"bracket": -1}, "bracket"),
    ("FidelitySlider", {"epochs": 4}, "epochs=4: choose of 1, 2, 3"),
    ("FidelitySlider", {"images": 150}, "choose of 100, 200, 400"),
    ("SwapParts", {"token": 5}, "choose from 0 to 4"),
    ("SwapParts", {"edge": 6}, "decisions 0 to 5"),
    ("CompoundScaling", {"alpha": 0.9}, "alpha=0.9: give 1 to 2; scaling up makes nothing smaller"),
    ("CompoundScaling", {"beta": 1.5, "locked": True}, r"beta=1\.5: give 1 to 1\.414"),
    ("CompoundScaling", {"gamma": math.nan}, "gamma=nan: give 1"),
    ("CompoundScaling", {"phi": -0.1}, "phi=-0.1: give 0 to 3; 0 is the base network"),
    ("CompoundScaling", {"base": "b0"}, "base"),
    ("CompoundScaling", {"alpha": "deep"}, "alpha"),
    ("EdgeDevices", {"device": "toaster"}, "no device is called 'toaster'"),
    ("EdgeDevices", {"beta": math.inf}, "give 0 to 8"),
    ("ElasticSlices", {"width": 40}, "width=40: choose of 16, 32, 48"),
    ("ElasticSlices", {"heads": 3}, "heads=3: choose of 1, 2, 4"),
    ("ElasticSlices", {"device": "toaster"}, "no device is called 'toaster'"),
    ("AlphaPlayer", {"at": 0}, "steps go from 1 to 40"),
    ("AlphaPlayer", {"speed": 0}, "speed=0: give a finite number of at least 0.01"),
    ("AlphaPlayer", {"speed": math.inf}, "speed"),
    ("TemperatureSlider", {"tau": 0}, "tau=0: give a finite number of at least 0.001"),
]


@pytest.mark.parametrize(("name", "setting", "says"), BAD)
def test_a_bad_value_is_explained_and_changes_nothing(name, setting, says):
    make, _ = WALKS[name]
    errors = (TypeError, ValueError, traitlets.TraitError)
    with pytest.raises(errors, match=says):
        make(**setting)
    model = walked(name)[0].model
    before = model.as_dict()
    if name != "SwapParts" and len(setting) == 1:
        with pytest.raises(errors):
            setattr(model, *next(iter(setting.items())))
        assert model.as_dict() == before


@pytest.mark.parametrize(("name", "start"), [("LiveRace", "Run"), ("AlphaPlayer", "Play")])
@in_loop
async def test_what_is_closed_while_it_runs_stops_and_can_be_forgotten(name, start):
    async def closed():
        w = WALKS[name][0]()
        press(w, start)
        before = w.state
        await until(lambda: w.state != before)
        w.close()
        there = w.state
        await until(w._task.done)
        assert w.state == there
        for part in list(parts(w)):
            part.close()
        return weakref.ref(w)

    gone = await closed()
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("view", VIEWS)
def test_the_signature_is_that_of_the_state(view):
    assert issubclass(view, View)
    assert inspect.signature(view) == inspect.signature(view.State)
    for argument in inspect.signature(view.State).parameters:
        assert argument in view.__doc__.partition("Args:")[2]
    with pytest.raises(TypeError, match="unexpected keyword"):
        view(colour="red")


@pytest.mark.parametrize("name", ["CellBuilder", "PickTen", "SwapParts"])
def test_a_menu_of_an_edge_changes_the_cell_and_is_lit_up(name):
    w = WALKS[name][0]()
    before = images(w)
    for edge, place in (("1 → output", 4), ("input → 1", 0)):
        menu = find(w, edge)
        assert [token for _, token in menu.options] == [0, 1, 2, 3, 4]
        menu.value = 4
        assert w.state["edge"] == place
        assert lit(w) == [edge]
        assert f"{edge}: " in words(w)
    assert images(w) != before
    w.model.choose(2, 2)
    assert find(w, "1 → 2").value == 2


def test_what_plays_goes_on_in_the_loop_of_the_last_start():
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    w = WALKS["AlphaPlayer"][0]()

    async def play():
        at = w.model.at
        press(w, "Play")
        await until(lambda: w.model.at != at)

    first.run_until_complete(play())
    old = w._task
    w.model.running = False
    second.run_until_complete(play())  # the first loop has stopped with its task in it
    assert w._task is not old
    at = w.model.at
    first.run_until_complete(until(old.done))  # when it wakes up again, it has nothing to do
    assert w.model.at == at
    w.close()
    second.run_until_complete(until(w._task.done))
    first.close()
    second.close()


if __name__ == "__main__":
    rows = (f"{json.dumps(name)}: {json.dumps(recorded(name))}" for name in WALKS)
    RECORDED.write_text("{\n" + ",\n".join(rows) + "\n}\n")
