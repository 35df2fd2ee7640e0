"""The game's view: menus, picks and the end follow the state."""

import html
import re

import ipywidgets
import pytest

from nas_lab.widgets import PickTen
from nas_lab.widgets.game import SEEDS, SKIPS, GameState
from tests.strategies.tables import SPACE, invented
from tests.widgets.test_cell_builder import find, menu, parts, pictures, words

TABLE = invented()


@pytest.fixture(scope="module", autouse=True)
def _short_races():
    """Few runs of each rival: what they find is tested without the view."""
    with pytest.MonkeyPatch.context() as patch:
        for name in SEEDS:
            patch.setitem(SEEDS, name, 5)
        yield


@pytest.fixture
def w():
    return PickTen(TABLE)


def train(w):
    next(p for p in parts(w) if getattr(p, "description", "").startswith("Train")).click()


def rows(w):
    return re.findall(r"<tr.*?</tr>", w._table.value)


def test_the_first_picture_invites(w):
    assert w.state == {"arch": list(SKIPS), "edge": None, "picks": []}
    assert "10 trainings to spend" in words(w)
    assert "not trained yet" in words(w)
    assert "Graph of the cell. input → 1: skip" in words(w)
    assert find(w, ipywidgets.Button, "Train (10 left)")
    assert w._end.value == ""


def test_a_menu_changes_the_cell_and_lights_it_up(w):
    before = pictures(w)
    menu(w, "1 → output").value = 4
    assert w.state["arch"] == [1, 1, 1, 1, 4, 1]
    assert w.state["edge"] == 4
    assert pictures(w) != before
    assert "1 → output: avg pool" in words(w)
    lit = [p.description for p in parts(w) if "nas-lab-pointed" in getattr(p, "_dom_classes", ())]
    assert lit == ["1 → output"]
    cost = SPACE.cost((1, 1, 1, 1, 4, 1), TABLE.skeleton)
    assert f"{cost.params:,} parameters" in words(w)


def test_the_state_moves_the_menus(w):
    w.model.arch = (0, 1, 2, 3, 4, 0)
    edges = ["input → 1", "input → 2", "1 → 2", "input → output", "1 → output", "2 → output"]
    assert [menu(w, edge).value for edge in edges] == [0, 1, 2, 3, 4, 0]


def test_each_training_is_listed_with_the_best_so_far(w):
    train(w)
    menu(w, "input → 1").value = 3
    train(w)
    menu(w, "input → 1").value = 0
    train(w)
    cells = [(1, 1, 1, 1, 1, 1), (3, 1, 1, 1, 1, 1), (0, 1, 1, 1, 1, 1)]
    scores = [TABLE(cell).score for cell in cells]
    assert len(rows(w)) == 4
    for row, score, best in zip(rows(w)[1:], scores, (scores[0], *[scores[1]] * 2), strict=True):
        assert re.findall(r"[\d.]+%", row) == [f"{score:.1%}", f"{best:.1%}"]
    assert "nas-lab-pointed" in rows(w)[3]
    menu(w, "input → 1").value = 3
    assert "You had this cell as pick 2" in words(w)
    assert "nas-lab-pointed" in rows(w)[2]
    assert find(w, ipywidgets.Button, "Train (7 left)")


def test_the_tenth_training_ends_the_game(w):
    for _ in range(9):
        train(w)
    assert "test set" not in words(w)
    train(w)
    assert "Your best of ten, " in words(w)
    assert "On the test set, looked at once: " in words(w)
    picture = html.unescape(re.search('alt="([^"]*)"', w._end.value)[1])
    assert picture == f"Bests of 10 trainings. {w.model.verdict}"
    ended, shown = w.state, w._end.value
    train(w)
    assert w.state == ended
    menu(w, "input → 1").value = 3
    assert w._end.value is shown  # not drawn again
    find(w, ipywidgets.Button, "Reset").click()
    assert w.state == PickTen(TABLE).state
    assert w._end.value == ""
    assert "best of ten" not in words(w)


def test_a_state_makes_the_same_widget(w):
    menu(w, "1 → 2").value = 2
    train(w)
    again = PickTen(TABLE, **w.state)
    assert again.state == w.state
    assert menu(again, "1 → 2").value == 2
    assert pictures(again) == pictures(w)
    assert again._table.value == w._table.value
    ended = PickTen(TABLE, picks=[SKIPS] * 10)
    assert "Your best of ten, " in words(ended)


def test_training_draws_no_cell(w):
    before = pictures(w)
    drawn = []
    w._cell.observe(drawn.append, "value")
    train(w)
    assert pictures(w) == before
    assert drawn == []


def test_words_from_outside_are_not_read_as_html(w):
    w.model.message = "<img src=x onerror=alert(1)>"
    assert "<img src=x" in words(w)
    assert "<img src=x" not in w._message.value


def test_a_wrong_pick_is_refused():
    with pytest.raises(ValueError, match="11 picks"):
        PickTen(TABLE, picks=[SKIPS] * 11)
    assert GameState(TABLE).left == 10
