"""The game without a browser: what it says, counted and computed in other ways."""

import html
import math
import re

import numpy as np
import pytest
from hypothesis import strategies as st

from nas_lab.estimation import Table
from nas_lab.history import Trial
from nas_lab.strategies import RandomSearch, RegularizedEvolution, Reinforce
from nas_lab.widgets import PickTen
from nas_lab.widgets.game import PICKS, SEEDS, SKIPS, GameState
from tests.strategies.tables import SPACE, invented
from tests.widgets.reading import find, parts, words

TABLE = invented()
CELLS = st.tuples(*[st.integers(0, 4)] * 6)
GOOD = (3, 3, 3, 3, 3, 3)


@pytest.fixture(scope="module")
def ended():
    """A game with ten different picks, the best of them the seventh."""
    picks = [(1, 1, 1, 1, 1, k % 5) if k < 5 else (2, 1, 1, 1, 1, k % 5) for k in range(10)]
    picks[6] = GOOD
    return GameState(TABLE, picks=picks)


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
    assert (game.left, game.picks[game.best]) == (7, GOOD)
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
    assert game.message == "You had this cell as pick 3: it counts each time."
    assert game.known == 2


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


def test_the_eleventh_training_is_refused(ended):
    game = GameState(TABLE, picks=ended.picks)
    game.train()
    assert len(game.picks) == PICKS
    assert "spent" in game.message


# ---- the end ---------------------------------------------------------------------------------


def best_of_ten(strategy):
    """By hand: ask, look up, tell."""
    scores = []
    for i in range(10):
        (arch,) = strategy.ask(1)
        scores.append(TABLE(arch).score)
        strategy.tell([Trial(i, arch, TABLE(arch))])
    return max(scores)


def test_rivals_are_runs_of_each_strategy(ended):
    assert {name: len(bests) for name, bests in ended.rivals.items()} == {
        "RandomSearch": 200,
        "RegularizedEvolution": 200,
        "Reinforce": 40,
    }
    for seed in (0, 7, 39):
        alone = {
            "RandomSearch": RandomSearch(SPACE, seed=seed),
            "RegularizedEvolution": RegularizedEvolution(SPACE, seed=seed, population=5, sample=3),
            "Reinforce": Reinforce(SPACE, seed=seed, learning_rate=0.1, batch=2),
        }
        for name, strategy in alone.items():
            assert ended.rivals[name][seed] == best_of_ten(strategy)


def test_random_search_follows_the_law_of_the_largest_of_ten(ended):
    scores = np.array([TABLE(arch).score for arch in SPACE])
    bests = ended.rivals["RandomSearch"]
    for level in np.quantile(bests, [0.1, 0.5, 0.9]):
        law = (scores <= level).mean() ** 10
        error = math.sqrt(law * (1 - law) / len(bests))
        assert abs((bests <= level).mean() - law) < 4 * error


def test_the_verdict_counts_the_beaten(ended):
    yours = TABLE(GOOD).score
    beaten = [
        f"{100 * sum(best < yours for best in bests) // len(bests)}% of {len(bests)} runs"
        for bests in ended.rivals.values()
    ]
    assert re.findall(r"\d+% of \d+ runs", ended.verdict) == beaten
    assert ended.verdict.startswith(f"Your best of ten, {yours:.1%}, beats ")


def test_the_truth_is_told_at_the_end(ended):
    ranked = sorted(TABLE.scores(), reverse=True)
    place = ranked.index(TABLE(GOOD).score) + 1
    regret = 100 * (ranked[0] - TABLE(GOOD).score)
    assert ended.truth_words.startswith(f"It is {regret:.1f} points below the best of the table")
    assert f"number {place:,} of {len(ranked):,} cells" in ended.truth_words
    assert ended.truth_words.endswith(f"looked at once: {TABLE.test(GOOD):.1%}.")


def test_the_test_accuracy_is_asked_once_at_the_end(ended, monkeypatch):
    asked = []
    monkeypatch.setattr(type(TABLE), "test", lambda self, arch, seed=0: asked.append(arch) or 0.5)
    game = GameState(TABLE, picks=ended.picks[:-1])
    game.rivals = ended.rivals
    spend(game, ended.picks[-1])
    assert game.verdict
    assert asked == []
    assert "50.0%" in game.truth_words
    assert asked == [GOOD]


def test_rivals_are_said_to_take_their_turn_before_they_do(ended, monkeypatch):
    game = GameState(TABLE, picks=ended.picks[:-1])
    heard = []
    monkeypatch.setattr(GameState, "_bests", lambda self, name: heard.append(self.message) or [0.5])
    game.train()
    assert len(heard) == 3
    assert set(heard) == {"The searches take their turn, with 10 trials each …"}
    assert game.message.startswith("Pick 10: ")
    game.reset()
    spend(game, *[SKIPS] * 10)
    assert len(heard) == 3  # they are the same for every game


def test_a_failed_training_is_no_best():
    correct = TABLE._arrays["val_correct"].copy()
    correct[0, TABLE.row(GOOD), -1] = -1
    table = Table({**TABLE._arrays, "val_correct": correct}, TABLE.about)
    game = GameState(table, picks=[GOOD, SKIPS])
    assert math.isnan(game.incumbent[0])
    assert game.picks[game.best] == SKIPS
    assert "(pick 2)" in game.picks_words


# ---- the view -------------------------------------------------------------------------------


@pytest.fixture
def w(monkeypatch):
    """With few runs of each rival: what they find is tested without the view."""
    for name in SEEDS:
        monkeypatch.setitem(SEEDS, name, 5)
    return PickTen(TABLE)


def train(w):
    next(p for p in parts(w) if getattr(p, "description", "").startswith("Train")).click()


def rows(w):
    return re.findall(r"<tr.*?</tr>", w._picks.value)


def test_each_training_is_listed_with_the_best_so_far(w):
    train(w)
    find(w, "input → 1").value = 3
    train(w)
    find(w, "input → 1").value = 0
    train(w)
    cells = [(1, 1, 1, 1, 1, 1), (3, 1, 1, 1, 1, 1), (0, 1, 1, 1, 1, 1)]
    scores = [TABLE(cell).score for cell in cells]
    assert len(rows(w)) == 4
    for row, score, best in zip(rows(w)[1:], scores, (scores[0], *[scores[1]] * 2), strict=True):
        assert re.findall(r"[\d.]+%", row) == [f"{score:.1%}", f"{best:.1%}"]
    assert "nas-lab-pointed" in rows(w)[3]
    find(w, "input → 1").value = 3
    assert "You had this cell as pick 2" in words(w)
    assert "nas-lab-pointed" in rows(w)[2]
    assert find(w, "Train (7 left)")


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
    find(w, "input → 1").value = 3
    assert w._end.value is shown  # not drawn again
    find(w, "Reset").click()
    assert w.state == PickTen(TABLE).state
    assert w._end.value == ""
    assert "best of ten" not in words(w)
