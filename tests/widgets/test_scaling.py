"""The scaling widget's view draws its state and hands moves to it."""

import html
import re

import ipywidgets
import pytest

from nas_lab.widgets import CompoundScaling
from tests.widgets.test_cell_builder import find, press, words


@pytest.fixture
def w():
    return CompoundScaling()


def alt(w):
    return html.unescape(re.search('alt="([^"]*)"', w._picture.value)[1])


def lock(w):
    return find(w, ipywidgets.Checkbox, "keep α β² γ² = 2")


def slider(w, name):
    return find(w, ipywidgets.FloatSlider, name)


def test_sliders_move_words_and_picture(w):
    for name, trait, value in (
        ("α depth", "alpha", 1.5),
        ("β width", "beta", 1.3),
        ("γ resolution", "gamma", 1.25),
        ("φ steps", "phi", 2.2),
    ):
        said, picture = words(w), w._picture.value
        slider(w, name).value = value
        assert w.state[trait] == value
        assert words(w) != said
        assert w._picture.value != picture
        assert w.model.cost_words in alt(w)
        assert html.escape(w.model.constraint_words) in w._words.value


def test_the_lock_moves_the_other_sliders(w):
    lock(w).value = True
    slider(w, "α depth").value = 2.0
    assert slider(w, "β width").value == pytest.approx(1)
    assert slider(w, "γ resolution").value == pytest.approx(1)
    assert "residual 0" in words(w)
    assert "(to keep it: β = 1, γ = 1)" in words(w)


def test_sliders_stand_on_steps_and_the_state_between_them(w):
    """A browser moves a slider to its next step, and what it says then is no move of a reader."""
    lock(w).value = True
    state = w.state
    assert state["gamma"] == pytest.approx(1.1604, abs=1e-4)
    assert slider(w, "γ resolution").value == 1.16
    slider(w, "γ resolution").value = 1.1600000000000001
    assert w.state == state
    slider(w, "γ resolution").value = 1.1700000000000002
    assert w.state["gamma"] == pytest.approx(1.17)
    assert slider(w, "γ resolution").value == 1.1700000000000002  # a hand may be on it
    find(w, ipywidgets.Dropdown, "scale").value = "wider only"
    assert slider(w, "β width").value == 2**0.5
    slider(w, "β width").value = 1.41
    assert w.state["beta"] == 1.41


def test_menus_choose_the_base_and_the_way(w):
    find(w, ipywidgets.Dropdown, "base").value = "B0"
    assert "images 224 → 258 pixels" in words(w)
    way = find(w, ipywidgets.Dropdown, "scale")
    assert way.value == "the paper's"
    way.value = "wider only"
    assert w.state["beta"] == 2**0.5
    assert slider(w, "α depth").value == 1
    slider(w, "α depth").value = 1.3
    assert way.value == "your own"
    way.value = "your own"
    assert w.state["alpha"] == 1.3
    press(w, "Reset")
    assert way.value == "the paper's"


def test_your_own_cannot_be_chosen_for_a_way_that_has_a_name(w):
    way = find(w, ipywidgets.Dropdown, "scale")
    way.value = "your own"
    assert way.value == "the paper's"


def test_reset_gives_the_first_picture_again(w):
    picture, state = w._picture.value, w.state
    slider(w, "φ steps").value = 3.0
    lock(w).value = True
    press(w, "Reset")
    assert w.state == state
    assert w._picture.value == picture


def test_a_state_makes_the_same_widget(w):
    lock(w).value = True
    slider(w, "β width").value = 1.3
    again = CompoundScaling(**w.state)
    assert again._picture.value == w._picture.value
    assert again.model.cost_words in alt(again)
    assert again.state == pytest.approx(w.state)


def test_a_move_is_drawn_once_and_what_stays_never(w, monkeypatch):
    drawn, whole = [], []
    draw = w._picture.draw
    monkeypatch.setattr(w._picture, "draw", lambda alt: drawn.append(alt) or draw(alt))
    monkeypatch.setattr(w._picture._canvas, "draw", lambda: whole.append(1))
    slider(w, "α depth").value = 1.4
    assert len(drawn) == 1
    lock(w).value = True
    slider(w, "γ resolution").value = 1.3
    find(w, ipywidgets.Dropdown, "scale").value = "deeper only"
    press(w, "Reset")
    assert len(drawn) == 5
    assert not whole


@pytest.mark.parametrize("base", ["small", "B0"])
@pytest.mark.parametrize("at_most", [("alpha",), ("beta",), ("gamma",), ("alpha", "beta", "gamma")])
def test_the_largest_networks_have_room(base, at_most):
    """All boxes are inside of their axes and below the other network."""
    most = {"alpha": 2.0, "beta": 2**0.5, "gamma": 2**0.5}
    least = dict.fromkeys(most, 1.0)
    w = CompoundScaling(base, **(least | {name: most[name] for name in at_most}), phi=3)
    (before, _, _), (after, _, name) = w._before.moving, w._boxes.moving
    renderer = w._picture._canvas.get_renderer()
    boxes = [corner for path in after.get_paths() for corner in path.vertices]
    lowest = min(corner[1] for path in before.get_paths() for corner in path.vertices)
    assert max(y for _, y in boxes) < lowest
    assert max(x for x, _ in boxes) < after.axes.get_xlim()[1]
    assert name.get_window_extent(renderer).y1 < after.axes.transData.transform((0, lowest))[1]
