"""The player of alphas: a film that plays by time, grows, and knows what its argmax is worth."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from nas_lab import plots, spaces
from nas_lab.widgets import AlphaPlayer, AlphaState, TemperatureSlider
from nas_lab.widgets.alphas import SECONDS
from tests.strategies.tables import invented
from tests.widgets.reading import find, in_loop, press, until, words
from tests.widgets.walks import film

TABLE, SPACE = invented(), spaces.nasbench201()


@pytest.fixture
def state():
    return AlphaState(film(), table=TABLE)


def test_worth_and_rank_are_those_of_the_table(state):
    scores = TABLE.scores()
    for at in (1, 7, 40):
        state.at = at
        arch = tuple(film()[at - 1].argmax(axis=1).tolist())
        worth = TABLE(arch, 0).score
        rank = int(stats.rankdata(-scores, method="min")[TABLE.row(arch)])
        assert state.archs[at] == arch
        assert state.true_accuracies[at - 1] == worth
        assert state.words == (
            f"step {at} of 40: trained alone, the argmax has {worth:.1%} by the table, rank "
            f"{rank:,} of 6,466, {100 * (scores.max() - worth):.1f} points below the best"
        )


def test_the_operations_are_named_and_none_is_passed_over():
    w = np.full((1, 6, 5), 0.1)
    w[0, range(6), [3, 0, 1, 2, 4, 0]] = 0.6
    w[0, [1, 5], 3] = 0.2  # the strongest beside 'none'
    assert AlphaState(w, table=TABLE).details[0] == (
        "input → 1 conv 3×3, input → 2 conv 3×3, 1 → 2 skip, input → output conv 1×1, "
        "1 → output avg pool, 2 → output conv 3×3; mean of the largest weights 0.60"
    )


def test_it_plays_by_time_and_stops_at_the_end(state):
    state.run()
    assert (state.at, state.running) == (1, True)
    for _ in range(100):  # many short ticks are one long one
        state.tick(0.0025 * SECONDS + 1e-9)
    assert state.at == 11
    for speed, share, at in ((2.0, 0.25, 31), (2.0, 1, 40), (2.0, 1, 40)):
        state.speed = speed
        state.tick(share * SECONDS)
        assert (state.at, state.running) == (at, at < 40)
    assert "The end" in state.message


def test_pause_scrub_and_reset(state):
    state.run()
    state.tick(1)
    state.pause()
    there = state.at
    state.tick(1)
    assert (state.at, state.running) == (there, False)
    state.run()
    assert state.at == there  # it goes on where it was
    state.move("at", 20)
    assert (state.at, state.running) == (20, False)
    state.run()
    state.tick(SECONDS / 40)
    assert state.at == 21
    state.speed = 4.0
    state.reset()
    assert (state.at, state.running, state.speed) == (1, False, 1.0)


def test_who_looks_at_the_last_step_goes_with_a_run_that_grows():
    w, state, seen = film(11), AlphaState(table=TABLE), []
    assert (state.at, state.words) == (0, "no step yet: all operations weigh the same")
    np.testing.assert_allclose(state.weights[0], 0.2)
    state.run()
    assert not state.running
    state.reset()
    for weights in w[:9]:
        state.append(weights)
    state.observe(lambda change: seen.append((state.at, state.steps)), ["at", "steps"])
    state.append(w[9])
    assert set(seen) == {(10, 10)}  # a step is said once
    state.move("at", 4)
    state.append(w[10])
    assert (state.at, state.steps) == (4, 11)
    whole = AlphaState(w, table=TABLE)
    w[:] = 0  # what was given is kept as it was then
    np.testing.assert_array_equal(state.w, whole.w)
    np.testing.assert_array_equal(state.true_accuracies, whole.true_accuracies)
    assert state.w.sum() == pytest.approx(66)


def test_weights_of_another_space_are_refused(state):
    with pytest.raises(ValueError, match=r"\(28, 8\); \(6, 5\)"):
        state.append(np.ones((28, 8)))
    assert (state.steps, len(state.w), len(state.true_accuracies)) == (40, 40, 40)


@pytest.mark.parametrize("alpha", [np.zeros((5, 6)), np.full((6, 5), np.nan)])
def test_what_is_no_alpha_is_refused(alpha):
    with pytest.raises(ValueError, match="finite numbers"):
        TemperatureSlider(alpha)


# ---- the view -------------------------------------------------------------------------------


@pytest.fixture
def player():
    return AlphaPlayer(film(), table=TABLE)


def picture(w):
    return w._picture.value


def alt(w):
    return re.search('alt="([^"]*)"', picture(w))[1]


@in_loop
async def test_it_plays_to_the_end_and_pauses(player):
    said = AlphaState(film(), table=TABLE).words
    assert said in words(player)  # untouched it shows the end and stands
    assert said in alt(player)
    assert find(player, "step").value == find(player, "step").max == 40
    assert not player.model.running

    press(player, "Play")
    assert find(player, "Pause")
    await until(lambda: player.model.at > 2)
    press(player, "Pause")
    at, shown = player.model.at, picture(player)
    await until(player._task.done)
    assert (player.model.at, picture(player)) == (at, shown)
    press(player, "Play")
    await until(lambda: player.model.at > at)
    find(player, "step").value = 30  # the slider pauses what plays
    assert (player.model.at, player.model.running) == (30, False)
    await until(player._task.done)
    player.model.speed = 100.0
    press(player, "Play")
    await until(lambda: not player.model.running)
    assert player.model.at == find(player, "step").value == 40
    assert "The end." in words(player)
    assert player._start.description == "Play"


@in_loop
async def test_a_run_that_grows_is_drawn_now_and_then_and_its_last_step_in_the_end(monkeypatch):
    player, drawn = AlphaPlayer(table=TABLE), []
    draw = player._picture.draw
    monkeypatch.setattr(
        player._picture, "draw", lambda alt: drawn.append(player.model.at) or draw(alt)
    )
    player._next = 0.0
    for weights in film(60):
        player.append(SimpleNamespace(w=weights))
    assert player.model.steps == 60
    assert 1 <= len(drawn) < 60  # most of the time goes to the run
    assert "nas-lab-frozen" in player._dom_classes
    await until(lambda: drawn[-1] == 60)
    assert "nas-lab-frozen" not in player._dom_classes
    await until(player._task.done)
    whole = AlphaPlayer(film(60), table=TABLE)
    assert picture(player) == picture(whole)
    assert player._words.value == whole._words.value


def test_while_a_run_grows_there_is_room_for_more_and_who_looks_back_stays(player):
    player.model.move("at", 5)
    for weights in film(30, seed=1):
        player.append(weights)
        assert player._room[0] >= player.model.steps
    assert player._room[0] > 70
    assert (find(player, "step").value, find(player, "step").max) == (5, 70)
    assert "step 5 of 70" in words(player)


def test_a_film_is_saved_and_the_player_stands_where_it_stood(player, tmp_path):
    player.model.move("at", 9)
    before = picture(player)
    path = player.save(tmp_path / "film.gif")
    with Image.open(path) as saved:
        assert saved.n_frames == 40
        assert saved.size == player._picture.image().size
    player._picture.draw(alt(player))
    assert picture(player) == before
    with pytest.raises(ValueError, match="no step yet"):
        AlphaPlayer(table=TABLE).save(tmp_path / "none.gif")


def test_a_long_film_is_thinned_and_small(tmp_path):
    player = AlphaPlayer(film(500), table=TABLE)
    for name in ("film.gif", "film.html"):
        assert player.save(tmp_path / name).stat().st_size <= plots.films.LIMIT
