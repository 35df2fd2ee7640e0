"""The game without a browser: what it says, counted and computed in other ways."""

import html
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import strategies as st

from nas_lab import plots
from nas_lab.strategies import RandomSearch, RegularizedEvolution, Reinforce
from nas_lab.widgets import PickTen
from nas_lab.widgets.game import SEEDS, SKIPS, GameState
from tests.strategies.tables import SPACE, invented
from tests.widgets.reading import find, press, words
from tests.widgets.walks import broken, by_hand

TABLE = invented()
CELLS = st.tuples(*[st.integers(0, 4)] * 6)
GOOD = (3, 3, 3, 3, 3, 3)


RUNS = {"RandomSearch": 20, "RegularizedEvolution": 20, "Reinforce": 8}


@pytest.fixture(scope="module")
def ended():
    """A game with ten different picks, the best of them the seventh, and few runs of rivals."""
    picks = [(1, 1, 1, 1, 1, k % 5) if k < 5 else (2, 1, 1, 1, 1, k % 5) for k in range(10)]
    picks[6] = GOOD
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas_lab.widgets.game.SEEDS", RUNS)
        game = GameState(TABLE, picks=picks)
        _ = game.rivals
    return game


def spend(game, *cells):
    for cell in cells:
        game.arch = cell
        game.train()


# ---- the picks -------------------------------------------------------------------------------


def test_a_training_is_a_look_into_the_table():
    game = GameState(TABLE)
    spend(game, (0,) * 6, GOOD, SKIPS)
    scores = [TABLE(arch).score for arch in ((0,) * 6, GOOD, SKIPS)]
    assert game.results == [TABLE(arch) for arch in game.picks]
    assert list(game.incumbent) == [scores[0], scores[1], scores[1]]
    assert (game.left, game.best) == (7, (1, scores[1]))
    assert game.message.startswith(f"Pick 3: validation accuracy {scores[2]:.1%}, ")
    assert game.picks_words == (
        f"3 of 10 trainings spent; your best so far: {scores[1]:.1%} (pick 2)"
    )


def test_a_cell_that_comes_again_counts_and_is_said():
    game = GameState(TABLE)
    spend(game, GOOD, SKIPS, GOOD)
    assert game.message.endswith("You had this cell as pick 1: it counts each time.")
    assert game.left == 7
    game.choose(0, 1)
    assert game.message == "not trained yet"
    game.choose(0, 3)
    game.train()  # as by a double click
    assert game.message == "You had this cell as pick 3: change an edge first."
    assert (game.known, game.left) == (2, 7)


def test_other_tokens_for_the_same_entry_are_said():
    once, twice = (3, 0, 0, 1, 1, 0), (1, 0, 0, 3, 1, 0)
    assert SPACE.canonical(once) == SPACE.canonical(twice)
    game = GameState(TABLE, arch=twice, picks=[SKIPS, once])
    expected = "Pick 2 has the same canonical form, and so the same entry in the table."
    assert game.message == expected
    assert game.known is None
    game.train()
    assert game.message.endswith(expected)
    assert game.results[1] == game.results[2]


# ---- the end ---------------------------------------------------------------------------------


def test_rivals_are_runs_of_each_strategy(ended):
    assert {name: len(bests) for name, bests in ended.rivals.items()} == RUNS
    for seed in (0, 3, 7):
        alone = {
            "RandomSearch": RandomSearch(SPACE, seed=seed),
            "RegularizedEvolution": RegularizedEvolution(SPACE, seed=seed, population=5, sample=3),
            "Reinforce": Reinforce(SPACE, seed=seed, learning_rate=0.1, batch=2),
        }
        for name, strategy in alone.items():
            assert ended.rivals[name][seed] == max(by_hand(strategy, 10))


def test_the_verdict_counts_the_beaten_and_the_truth_is_told(ended):
    yours = TABLE(GOOD).score
    beaten = [
        f"{100 * sum(best < yours for best in bests) // len(bests)}% of {len(bests)} runs"
        for bests in ended.rivals.values()
    ]
    assert re.findall(r"\d+% of \d+ runs", ended.verdict) == beaten
    assert ended.verdict.startswith(f"Your best of ten, {yours:.1%}, beats ")
    ranked = sorted(TABLE.scores(), reverse=True)
    regret, place = 100 * (ranked[0] - yours), ranked.index(yours) + 1
    assert ended.truth_words.startswith(f"It is {regret:.1f} points below the best of the table")
    assert f"number {place:,} of {len(ranked):,} cells" in ended.truth_words
    assert ended.truth_words.endswith(f"looked at once: {TABLE.test(GOOD):.1%}.")


def test_rivals_take_their_turn_and_the_test_accuracy_is_asked_at_the_end(ended, monkeypatch):
    asked, heard = [], []

    def race(strategies, *settings):
        heard.append(game.message)
        return dict.fromkeys(strategies, SimpleNamespace(incumbent=np.full((1, 10), 0.5)))

    monkeypatch.setattr("nas_lab.widgets.game.race", race)
    monkeypatch.setattr(type(TABLE), "test", lambda self, arch, seed=0: asked.append(arch) or 0.5)
    game = GameState(TABLE, picks=ended.picks[:-1])
    spend(game, ended.picks[-1])
    assert heard == ["The searches take their turn, with 10 trials each …"] * 3
    assert game.message.startswith("Pick 10: ")
    assert game.verdict
    assert asked == []
    assert "50.0%" in game.truth_words
    assert asked == [GOOD]
    game.reset()
    spend(game, *[SKIPS, GOOD] * 5)
    assert len(heard) == 3  # they are the same for every game


def test_a_failed_training_is_no_best():
    correct = TABLE._arrays["val_correct"].copy()
    correct[0, TABLE.row(GOOD), -1] = -1
    table = broken(val_correct=correct)
    game = GameState(table, picks=[GOOD, SKIPS])
    assert math.isnan(game.incumbent[0])
    assert game.best == (1, table(SKIPS).score)
    assert "(pick 2)" in game.picks_words


# ---- the view -------------------------------------------------------------------------------


@pytest.fixture
def w(monkeypatch):
    """With few runs of each rival: what they find is tested without the view."""
    for name in SEEDS:
        monkeypatch.setitem(SEEDS, name, 5)
    return PickTen(TABLE)


def rows(w):
    return re.findall(r"<tr.*?</tr>", w._picks.value)


def test_each_training_is_listed_with_the_best_so_far(w):
    press(w, "Train")
    find(w, "input → 1").value = 3
    press(w, "Train")
    find(w, "input → 1").value = 0
    press(w, "Train")
    cells = [(1, 1, 1, 1, 1, 1), (3, 1, 1, 1, 1, 1), (0, 1, 1, 1, 1, 1)]
    scores = [TABLE(cell).score for cell in cells]
    assert len(rows(w)) == 4
    for row, score, best in zip(rows(w)[1:], scores, (scores[0], *[scores[1]] * 2), strict=True):
        assert re.findall(r"[\d.]+%", row) == [f"{score:.1%}", f"{best:.1%}"]
    assert plots.HIGHLIGHT in rows(w)[3]
    find(w, "input → 1").value = 3
    assert "You had this cell as pick 2" in words(w)
    assert plots.HIGHLIGHT in rows(w)[2]
    assert find(w, "Train (7 left)")


def test_the_tenth_training_ends_the_game(w):
    for n in range(10):
        assert "test set" not in words(w)
        find(w, "input → 1").value = n % 2
        press(w, "Train")
    assert "Your best of ten, " in words(w)
    assert "On the test set, looked at once: " in words(w)
    picture = html.unescape(re.search('alt="([^"]*)"', w._end.value)[1])
    assert picture == f"Bests of 10 trainings. {w.model.verdict}"
    ended, shown = w.state, w._end.value
    press(w, "Train")
    assert "Your 10 trainings are spent." in words(w)
    assert w.state == ended
    find(w, "input → 1").value = 3
    assert w._end.value is shown  # not drawn again
    find(w, "Reset").click()
    assert w.state == PickTen(TABLE).state
    assert w._end.value == ""
    assert "best of ten" not in words(w)
