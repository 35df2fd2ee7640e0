"""The view of the cell builder: controls and state follow each other."""

import html
import re
import threading

import ipywidgets
import pytest

from nas_lab import spaces
from nas_lab.history import Evaluation
from nas_lab.widgets import PRESETS, CellBuilder, Picture

SPACE = spaces.nasbench201()


def parts(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def find(widget, kind, text):
    return next(p for p in parts(widget) if isinstance(p, kind) and p.description == text)


def menu(w, edge):
    return find(w, ipywidgets.Dropdown, edge)


def press(w, text):
    find(w, ipywidgets.Button, text).click()


def words(w):
    """All that a reader sees or hears, without tags."""
    shown = " ".join(p.value for p in parts(w) if isinstance(p, ipywidgets.HTML))
    alternative = " ".join(re.findall(r'alt="([^"]*)"', shown))
    return " ".join(html.unescape(alternative + " " + re.sub("<[^>]+>", " ", shown)).split())


def pictures(w):
    return [p.value for p in parts(w) if isinstance(p, Picture)]


@pytest.fixture
def w():
    return CellBuilder(estimate=lambda arch, seed: Evaluation(sum(arch) / 100, 1.5))


def test_the_first_picture_says_something_already(w):
    cost = SPACE.cost((3, 0, 3, 1, 0, 1), w.model.skeleton)
    assert f"{cost.params:,} parameters" in words(w)
    assert "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|" in words(w)
    assert "canonical form: |nor_conv_3x3~0|" in words(w)
    assert "Your cells so far: none" in words(w)
    assert len(pictures(w)) == 2
    for picture in pictures(w):
        assert "input → 1: conv 3×3; input → 2: none" in html.unescape(picture)
        assert picture.count("<img") == 1


def test_there_is_a_labelled_menu_for_each_edge(w):
    edges = ["input → 1", "input → 2", "1 → 2", "input → output", "1 → output", "2 → output"]
    chosen = [menu(w, edge).value for edge in edges]
    assert chosen == w.state["arch"]
    for edge in edges:
        assert [value for _, value in menu(w, edge).options] == [0, 1, 2, 3, 4]


def test_a_menu_changes_the_cell_and_lights_it_up_everywhere(w):
    before = pictures(w)
    menu(w, "1 → output").value = 4
    assert w.state["arch"] == [3, 0, 3, 1, 4, 1]
    assert w.state["edge"] == 4
    assert all(a != b for a, b in zip(before, pictures(w), strict=True))
    assert "1 → output: avg pool" in words(w)
    lit = [p.description for p in parts(w) if "nas-lab-pointed" in getattr(p, "_dom_classes", ())]
    assert lit == ["1 → output"]
    menu(w, "input → 1").value = 1
    lit = [p.description for p in parts(w) if "nas-lab-pointed" in getattr(p, "_dom_classes", ())]
    assert lit == ["input → 1"]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_sets_every_menu(w, preset):
    menu(w, "cell").value = preset
    assert tuple(w.state["arch"]) == PRESETS[preset]
    assert menu(w, "2 → output").value == PRESETS[preset][5]
    assert w.state["edge"] is None


def test_a_cell_of_the_reader_is_named_so_and_a_known_one_by_its_name(w):
    menu(w, "cell").value = "only skips"
    menu(w, "input → 1").value = 0
    assert menu(w, "cell").label == "your own"
    assert w.state["arch"] == [0, 1, 1, 1, 1, 1]
    menu(w, "input → 1").value = 1
    assert menu(w, "cell").label == "only skips"


@pytest.mark.parametrize("preset", ["only skips", ""])
def test_your_own_is_no_choice_for_a_known_cell(w, preset):
    w.model.show(PRESETS[preset] if preset else (4, 0, 1, 2, 0, 1))
    before = w.state
    menu(w, "cell").value = ""
    assert menu(w, "cell").value == preset
    assert w.state == before


def test_what_is_explained_later_stands_under_a_heading_of_its_own(w):
    press(w, "Train one epoch")
    shown = re.sub(
        'alt="[^"]*"',
        "",
        " ".join(p.value for p in parts(w) if hasattr(p, "value") and isinstance(p.value, str)),
    )
    first, later = re.sub("<[^>]+>", " ", shown).split("The same cell as tokens")
    assert re.search(r"\b(tokens?|canonical|w)\b|\|", first) is None
    for word in ("tokens: (3, 0, 3, 1, 0, 1)", "text form: ", "canonical form: ", " w : "):
        assert word in later
    assert "conv 3×3, none, conv 3×3, skip, none, skip" in first


def test_no_menu_speaks_of_neighbours(w):
    said = [text for p in parts(w) if isinstance(p, ipywidgets.Dropdown) for text, _ in p.options]
    assert "neighb" not in " ".join([*said, words(w)]).lower()


def test_the_state_moves_the_controls(w):
    w.model.show((2, 2, 2, 2, 2, 2))
    assert menu(w, "input → 2").value == 2
    assert menu(w, "cell").value == "all 1×1 convolutions"


def test_buttons_draw_and_reset(w):
    first = w.state["arch"]
    press(w, "Random cell")
    assert w.state["draws"] == 1
    assert w.state["arch"] != first
    press(w, "Reset")
    assert w.state["arch"] == first


def test_training_is_shown_and_listed_best_first(w):
    press(w, "Train one epoch")
    assert "After one epoch with seed 0: validation accuracy 8.0%, 1.5 s" in words(w)
    menu(w, "input → 1").value = 4
    assert "not trained yet" in words(w)
    press(w, "Train one epoch")
    table = words(w).split("Your cells so far")[1]
    assert re.findall(r"[\d.]+%", table) == ["9.0%", "8.0%"]
    menu(w, "input → 1").value = 3
    assert "trained: validation accuracy 8.0% (1 seed)" in words(w)
    assert [trial.result.score for trial in w.trials] == [0.08, 0.09]


def test_a_cell_trained_again_shows_mean_and_range_over_seeds(w):
    w.model.estimate = lambda arch, seed: Evaluation((0.776, 0.789, 0.781)[seed], 1.5)
    for _ in range(3):
        press(w, "Train one epoch")
    together = "78.2% (77.6 to 78.9, 3 seeds)"
    said = f"After one epoch with seed 2: validation accuracy 78.1%, 1.5 s. Together: {together}"
    assert said in words(w)
    table = words(w).split("Your cells so far")[1]
    assert table.count("seeds)") == 1
    assert together in table
    assert [trial.result.score for trial in w.trials] == [0.776, 0.789, 0.781]


def test_while_it_trains_the_widget_says_so(w):
    heard = []
    w.model.estimate = lambda arch, seed: heard.append(words(w)) or Evaluation(0.5)
    press(w, "Train one epoch")
    assert "Training with seed 0 …" in heard[0]


def test_training_redraws_no_picture(w):
    drawn = []
    for picture in (p for p in parts(w) if isinstance(p, Picture)):
        picture.observe(drawn.append, "value")
    press(w, "Train one epoch")
    assert drawn == []
    menu(w, "input → 1").value = 0
    assert len(drawn) == 2


def test_an_interrupted_training_leaves_the_widget_usable(w):
    def interrupted(arch, seed):
        raise KeyboardInterrupt

    press(w, "Train one epoch")
    good, w.model.estimate = w.model.estimate, interrupted
    menu(w, "input → 1").value = 0
    press(w, "Train one epoch")
    assert "Interrupted" in words(w)
    assert len(w.trials) == 1
    w.model.estimate = good
    press(w, "Train one epoch")
    assert len(w.trials) == 2


def test_a_state_makes_the_same_widget(w):
    menu(w, "1 → 2").value = 2
    press(w, "Train one epoch")
    again = CellBuilder(**w.state)
    assert again.state == w.state
    assert menu(again, "1 → 2").value == 2
    assert pictures(again) == pictures(w)


def test_a_state_brings_its_skeleton_along():
    w = CellBuilder((1,) * 6, skeleton=spaces.Skeleton())
    w.model.choose(0, 3)
    again = CellBuilder(**w.state)
    assert words(again) == words(w)
    press(again, "Reset")
    assert "73,306 parameters, 7.78 million multiply-adds" in words(again)


def test_words_from_outside_are_not_read_as_html(w):
    def broken(arch, seed):
        raise ValueError("<img src=x onerror=alert(1)>")

    w.model.estimate = broken
    press(w, "Train one epoch")
    assert "could not be trained: <img src=x" in words(w)
    assert "<img src=x" not in "".join(p.value for p in parts(w) if isinstance(p, ipywidgets.HTML))


def test_the_skeleton_can_be_chosen():
    w = CellBuilder((1,) * 6, skeleton=spaces.Skeleton())
    assert "73,306 parameters, 7.78 million multiply-adds" in words(w)


def test_everything_happens_in_the_thread_of_the_kernel(w):
    before = threading.active_count()
    menu(w, "input → 1").value = 0
    press(w, "Train one epoch")
    assert threading.active_count() == before
