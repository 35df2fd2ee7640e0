"""The player's view draws its state, hands moves to it, and lets a run that grows go first."""

import asyncio
import gc
import re
import weakref
from dataclasses import dataclass

import ipywidgets
import numpy as np
import pytest
from PIL import Image

from nas_lab import plots, spaces
from nas_lab.widgets import AlphaPlayer, AlphaState
from tests.widgets.test_alphas_state import TABLE, film
from tests.widgets.test_cell_builder import find, parts, press, words
from tests.widgets.test_race import until


@pytest.fixture
def player():
    return AlphaPlayer(film(), table=TABLE)


def picture(w):
    return w._picture.value


def alt(w):
    return re.search('alt="([^"]*)"', picture(w))[1]


@dataclass
class Step:
    """What a search yields, as far as the player is concerned."""

    w: np.ndarray


def test_untouched_it_shows_the_end_and_stands(player):
    assert AlphaState(film(), table=TABLE).words in words(player)
    assert AlphaState(film(), table=TABLE).words in alt(player)
    assert player._at.value == player._at.max == 40
    assert not player.model.playing


def test_the_slider_scrubs_and_the_state_moves_the_slider(player):
    before = picture(player)
    player._at.value = 7
    assert player.state == {"at": 7, "speed": 1.0}
    assert "step 7 of 40" in words(player)
    assert picture(player) != before
    player.model.scrub(40)
    assert player._at.value == 40
    assert picture(player) == before


def test_speed_and_reset(player):
    player._speed.value = 4.0
    assert player.state["speed"] == 4.0
    press(player, "Reset")
    assert player.state == {"at": 1, "speed": 1.0}
    assert (player._at.value, player._speed.value) == (1, 1.0)
    assert "Back at the first step." in words(player)


def test_a_speed_between_those_of_the_slider_is_kept():
    player = AlphaPlayer(film(), table=TABLE, speed=1.5)
    assert player._speed.value == player.state["speed"] == 1.5
    player.model.reset()
    assert player._speed.value == 1.0


def test_a_state_makes_the_same_widget(player):
    player.model.scrub(12)
    again = AlphaPlayer(film(), table=TABLE, **player.state)
    assert picture(again) == picture(player)
    assert again._words.value == player._words.value


def test_what_stays_is_drawn_once(player, monkeypatch):
    drawn = []
    monkeypatch.setattr(player._picture._canvas, "draw", lambda: drawn.append(1))
    player._at.value = 3
    player._speed.value = 2.0
    assert not drawn


def test_it_plays_to_the_end_and_pauses(player):
    async def main():
        press(player, "Play")
        assert find(player, ipywidgets.Button, "Pause")
        await until(lambda: player.model.at > 2)
        press(player, "Pause")
        at, shown = player.model.at, picture(player)
        await until(player._clock._task.done)
        assert (player.model.at, picture(player)) == (at, shown)
        player.model.speed = 100.0
        press(player, "Play")
        await until(lambda: not player.model.playing)
        assert player.model.at == player._at.value == 40
        assert "The end." in words(player)
        assert player._play.description == "Play"

    asyncio.run(main())


def test_the_slider_pauses_what_plays(player):
    async def main():
        press(player, "Play")
        await until(lambda: player.model.at > 2)
        player._at.value = 30
        assert (player.model.at, player.model.playing) == (30, False)
        await until(player._clock._task.done)
        assert player.model.at == 30

    asyncio.run(main())


def test_without_an_event_loop_it_does_not_play(player):
    press(player, "Play")
    assert not player.model.playing
    assert player._play.description == "Play"


def test_a_run_that_grows_is_drawn_now_and_then_and_its_last_step_in_the_end(monkeypatch):
    player, drawn = AlphaPlayer(table=TABLE), []
    draw = player._draw
    monkeypatch.setattr(player, "_draw", lambda: drawn.append(player.model.at) or draw())

    async def main():
        player._next = 0.0
        for weights in film(60):
            player.append(Step(weights))
        assert player.model.steps == 60
        assert 1 <= len(drawn) < 60  # most of the time goes to the run
        await until(lambda: drawn[-1] == 60)
        await until(player._clock._task.done)

    asyncio.run(main())
    whole = AlphaPlayer(film(60), table=TABLE)
    assert picture(player) == picture(whole)
    assert player._words.value == whole._words.value


def test_while_a_run_grows_there_is_room_for_more(player):
    for weights in film(30, seed=1):
        player.append(weights)
        assert player._room[0] >= player.model.steps
    assert player._room[0] > 70


def test_a_longer_run_does_not_move_who_looks_back(player):
    player.model.scrub(5)
    player.append(film(1)[0])
    assert (player._at.value, player._at.max) == (5, 41)
    assert "step 5 of 41" in words(player)


def test_the_two_cells_of_darts(tmp_path):
    space = spaces.darts()
    player = AlphaPlayer(film(3, space=space), space=space)
    assert "step 3 of 3" in words(player)
    before = picture(player)
    player._at.value = 1
    assert picture(player) != before


def test_a_space_without_cells_is_refused():
    with pytest.raises(TypeError, match="shows cells, and mlp has none"):
        AlphaPlayer(space=spaces.mlp())


def test_a_film_is_saved_and_the_player_stands_where_it_stood(player, tmp_path):
    player.model.scrub(9)
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


def test_a_closed_player_stops_and_can_be_forgotten():
    async def closed():
        player = AlphaPlayer(film(), table=TABLE)
        press(player, "Play")
        await until(lambda: player.model.at > 1)
        player.close()
        await until(player._clock._task.done)
        for part in list(parts(player)):
            part.close()
        return weakref.ref(player)

    async def main():
        gone = await closed()
        gc.collect()
        assert gone() is None

    asyncio.run(main())


def test_words_from_outside_are_not_read_as_html(player):
    player.model.message = "<img src=x onerror=alert(1)>"
    assert "<img src=x" in words(player)
    assert "<img src=x" not in player._message.value
