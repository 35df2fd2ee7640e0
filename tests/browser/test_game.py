"""The game under a reader's hand: ten cells by keyboard, and a place among the searches."""

import re

import pytest

from nas_lab.widgets import GameState
from tests.browser.lab import ROOT
from tests.browser.reader import press, save
from tests.strategies.tables import invented

SOURCE = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from nas_lab.widgets import PickTen
from tests.strategies.tables import invented
w = PickTen(invented())
w
"""
PICKS = [(3, *(1,) * 5), *[(3, 3, *(1,) * 4)] * 8]


def train(game):
    return game.get_by_role("button", name=re.compile("^Train"))


def said(picks):
    """What the kernel has to say of so many picks."""
    return GameState(invented(), picks=picks).picks_words


@pytest.fixture
def game(lab):
    save(lab.server, "game.ipynb", SOURCE, "print(w.state)")
    lab.open("game.ipynb")
    lab.run_all()
    assert lab.errors() == []
    return lab.output(0)


def test_ten_picks_by_keyboard(lab, game):
    game.get_by_text("10 trainings to spend").wait_for()
    game.get_by_text("not trained yet").wait_for()
    picture = game.get_by_role("img", name="Graph of the cell. input → 1: skip; input → 2: skip")
    assert picture.evaluate("image => image.complete && image.naturalWidth > image.width")
    assert game.get_by_role("row").count() == 0
    lab.screenshot("game", game)
    game.get_by_label("input → 1", exact=True).focus()
    press(lab, "Space", "ArrowDown", "ArrowDown", "Enter")  # from skip to a 3x3 convolution
    game.get_by_role("img", name=re.compile("input → 1: conv 3×3")).wait_for()
    train(game).focus()
    press(lab, "Enter")
    game.get_by_text(said(PICKS[:1])).wait_for()
    game.get_by_label("input → 2", exact=True).focus()
    press(lab, "Space", "ArrowDown", "ArrowDown", "Enter")
    for n in range(2, 10):
        train(game).focus()
        press(lab, "Enter")
        game.get_by_text(said(PICKS[:n])).wait_for()
    game.get_by_text("You had this cell as pick 8: it counts each time.").wait_for()
    assert game.get_by_role("row").count() == 10
    game.get_by_label("2 → output", exact=True).select_option("conv 3×3: nearby")
    train(game).focus()
    press(lab, "Enter")
    end = GameState(invented(), picks=[*PICKS, (3, 3, 1, 1, 1, 3)])
    game.get_by_text(end.verdict, exact=True).wait_for()
    game.get_by_text(end.truth_words).wait_for()
    picture = game.get_by_role("img", name=f"Bests of 10 trainings. {end.verdict}")
    assert picture.evaluate("image => image.complete && image.naturalWidth > image.width")
    lab.page.set_viewport_size({"width": 1280, "height": 800})
    menu = game.get_by_label("1 → 2", exact=True).bounding_box()
    graph = game.get_by_role("img").first.bounding_box()
    assert graph["x"] > menu["x"] + menu["width"]  # beside each other, not below
    top, bottom = train(game).bounding_box(), picture.bounding_box()
    assert bottom["y"] + bottom["height"] - top["y"] < 720  # together in sight
    lab.screenshot("game-ended", game)
    press(lab, "Enter")
    game.get_by_text("Your 10 trainings are spent. Reset starts anew.").wait_for()
    press(lab, "Tab", "Enter")
    game.get_by_text("10 trainings to spend").wait_for()
    assert game.get_by_text("Your best of ten").count() == 0
    assert game.get_by_role("img").count() == 1
    assert lab.errors() == []
