"""What every widget does: state and view say the same, whichever way a reader came there."""

import inspect
import json
import threading

import ipywidgets
import pytest

from nas_lab import widgets
from nas_lab.widgets.base import MovingPicture, Picture, View
from tests.strategies.tables import invented
from tests.widgets.reading import find, images, lit, parts, press, shown, words
from tests.widgets.walks import WALKS, film

VIEWS = [getattr(widgets, name) for name in sorted({name.split()[0] for name in WALKS})]
# Where Reset is no way back to the very beginning: trials are kept, or it begins at step 1.
ONE_WAY = {"CellBuilder", "PickTen", "LiveRace", "AlphaPlayer", "AlphaPlayer of DARTS"}
# What lays a figure out anew: another device, and a longer run.
LAID_OUT = {"EdgeDevices", "AlphaPlayer", "AlphaPlayer of DARTS"}
every_widget = pytest.mark.parametrize("name", WALKS)


@pytest.fixture(autouse=True)
def _few_rivals(monkeypatch):
    from nas_lab.widgets import game

    monkeypatch.setattr(game, "SEEDS", dict.fromkeys(game.SEEDS, 3))


@pytest.fixture
def drawn(monkeypatch):
    """The alternative text of each picture that is drawn."""
    alts = []
    for kind in (Picture, MovingPicture):
        draw = kind.draw
        monkeypatch.setattr(
            kind, "draw", lambda self, *a, _do=draw: alts.append(a) or _do(self, *a)
        )
    return alts


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


@every_widget
def test_a_state_is_plain_and_makes_the_same_widget(name):
    make, moves = WALKS[name]
    w = make()
    for go in moves:
        go(w)
        assert json.loads(json.dumps(w.state)) == w.state
        again = remade(make, w)
        exact = name != "CompoundScaling"  # a locked point is projected again
        assert again.state == (w.state if exact else pytest.approx(w.state))
        assert controls(again) == controls(w)
        again.model.message = w.model.message
        if getattr(w.model, "missing", 0) == 0:
            assert (words(again), images(again)) == (words(w), images(w))
    w.model.message = "something new"
    assert again.model.message != w.model.message  # they share nothing


@every_widget
def test_each_move_changes_what_is_said_and_reset_goes_back(name):
    make, moves = WALKS[name]
    w = make()
    first = w.state, words(w), images(w), controls(w)
    for go in moves:
        before = w.state, words(w)
        go(w)
        if getattr(w.model, "missing", 0) == 0 and go is not moves[-1]:
            assert (w.state, words(w)) != before or name == "LiveRace"
    if name not in ONE_WAY:
        press(w, "Reset")
        assert (w.state, words(w), images(w), controls(w)) == first


@every_widget
def test_what_stays_is_not_drawn_again(name, drawn, monkeypatch):
    make, moves = WALKS[name]
    w, laid_out = make(), []
    del drawn[:]
    w.model.message = "said, not drawn"
    w.redraw()
    assert not drawn
    for picture in parts(w):
        if isinstance(picture, MovingPicture):
            monkeypatch.setattr(picture._canvas, "draw", lambda: laid_out.append(1))
    for go in moves if name not in LAID_OUT else moves[:1]:
        go(w)
    assert not laid_out


@every_widget
def test_all_can_be_read_and_nothing_runs_beside_it(name):
    before = threading.active_count()
    make, moves = WALKS[name]
    w = make()
    assert len(images(w)) == " ".join(shown(w)).count('alt="') > 0
    for go in moves[:2]:
        go(w)
    labels = [text for text, _ in controls(w)]
    assert all(labels)
    assert len(set(labels)) == len(labels)
    assert threading.active_count() == before


@every_widget
def test_words_from_outside_are_not_read_as_html(name):
    w = WALKS[name][0]()
    w.model.message = "<img src=x onerror=alert(1)>"
    assert "<img src=x" not in " ".join(shown(w))


@pytest.mark.parametrize("view", VIEWS)
def test_the_signature_is_that_of_the_state(view):
    assert issubclass(view, View)
    assert inspect.signature(view) == inspect.signature(view.State)
    for argument in inspect.signature(view.State).parameters:
        assert argument in view.__doc__.partition("Args:")[2]
    with pytest.raises(TypeError, match="unexpected keyword"):
        view(colour="red")


@pytest.mark.parametrize(
    ("make", "name", "text", "value"),
    [
        (lambda **s: widgets.GradientSliders(invented(), **s), "batch", "batch m", 3),
        (lambda **s: widgets.GradientSliders(invented(), **s), "entropy", "entropy weight", 0.02),
        (lambda **s: widgets.AlphaPlayer(film(), table=invented(), **s), "speed", "speed", 1.5),
        (lambda **s: widgets.LiveRace(invented(), trials=0, **s), "batch", "batch", 7),
        (lambda **s: widgets.TemperatureSlider(film()[0], **s), "tau", "temperature tau", 0.3),
    ],
)
def test_a_value_that_no_slider_offered_joins_the_others(make, name, text, value):
    w = make(**{name: value})
    assert find(w, text).value == w.state[name] == value
    w = make()
    offered = [number for _, number in find(w, text).options]
    setattr(w.model, name, value)
    assert find(w, text).value == w.state[name] == value
    assert [number for _, number in find(w, text).options] == sorted([*offered, value])
    find(w, text).value = offered[0]
    assert w.state[name] == offered[0]


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
        assert f"{edge}: avg pool" in words(w) or f"{edge}: " in words(w)
    assert images(w) != before
    w.model.choose(2, 2)
    assert find(w, "1 → 2").value == 2
