"""The live race without a browser: every state is what its settings say, by another route."""

import json
import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_lab.strategies import LocalSearch, RandomSearch, RegularizedEvolution, Reinforce
from nas_lab.widgets import LiveRace
from nas_lab.widgets.race import DRAWN, PACE, STRATEGIES, TICKED, RaceState
from tests.strategies.tables import SPACE, invented
from tests.widgets.reading import find, in_loop, press, until, words
from tests.widgets.walks import broken, by_hand

TABLE = invented()
BOTH = ("RandomSearch", "RegularizedEvolution")


def test_a_race_is_each_strategy_by_itself():
    taught = {"learning_rate": 0.03, "entropy": 0.02, "batch": 3}
    race = RaceState(TABLE, strategies=STRATEGIES, trials=20, seed=5, **taught)
    alone = {
        "RandomSearch": RandomSearch(SPACE, seed=5),
        "RegularizedEvolution": RegularizedEvolution(SPACE, seed=5, population=10, sample=3),
        "Reinforce": Reinforce(SPACE, seed=5, **taught),
        "LocalSearch": LocalSearch(SPACE, seed=5),
    }
    for name, strategy in alone.items():
        assert race.scores(name) == by_hand(strategy, 20)


def test_the_policy_is_the_one_that_wrote_the_last_cell():
    race = RaceState(TABLE, learning_rate=0.05, batch=3, trials=31)
    alone, seen = Reinforce(SPACE, seed=0, learning_rate=0.05, batch=3), []
    by_hand(alone, 31, seen=lambda: seen.append(alone.w))
    assert np.abs(race.policy.w - seen[0]).max() < 5 * math.sqrt(0.25 / DRAWN + 0.25 / 1000)
    assert race.policy.w.sum(axis=1) == pytest.approx(np.ones(6))
    assert race.policy.arch == race.runner("Reinforce").trials[-1].arch


def test_entropy_and_w_are_those_of_the_enumerated_distribution():
    race = RaceState(TABLE, learning_rate=0.05, entropy=0, batch=4, trials=61)
    cells = list(SPACE)
    with torch.no_grad():
        log_p = race.runner("Reinforce").strategy.controller.log_prob(cells).double().numpy()
    p = np.exp(log_p)
    marginal = np.array([[p[np.array(cells)[:, d] == k].sum() for k in range(5)] for d in range(6)])
    assert np.abs(race.policy.w - marginal).max() < 4 * 0.5 / math.sqrt(DRAWN)
    spread = math.sqrt((p * log_p**2).sum() - (p * log_p).sum() ** 2)
    assert abs(race.policy.entropy + (p * log_p).sum()) < 4 * spread / math.sqrt(DRAWN)


def test_a_new_controller_chooses_freely():
    race = RaceState(TABLE, trials=0)
    assert race.policy.w == pytest.approx(np.full((6, 5), 0.2))
    assert race.policy.entropy == pytest.approx(6 * math.log(5), rel=1e-5)
    assert race.policy.arch is None
    assert "9.7 of 9.7 nats" in race.details[1]


ACTIONS = st.lists(
    st.one_of(
        st.sampled_from([("step",), ("reset",), ("next_seed",), ("run",), ("pause",)]),
        st.tuples(st.just("tick"), st.just(0.0), st.sampled_from([0.0, 0.002, math.inf])),
        st.tuples(st.just("learning_rate"), st.sampled_from([0.01, 0.1])),
        st.tuples(st.just("batch"), st.sampled_from([1, 4])),
        st.tuples(st.just("trials"), st.integers(0, 12)),
        st.tuples(st.just("strategies"), st.lists(st.sampled_from(STRATEGIES))),
    ),
    max_size=8,
)


@settings(max_examples=20, deadline=None)
@given(ACTIONS)
def test_whatever_was_done_a_state_repeats_itself(actions):
    race = RaceState(TABLE, trials=3, end=12)
    for name, *values in actions:
        if name in race.traits():
            setattr(race, name, *values)
        else:
            getattr(race, name)(*values)
    race.running = False
    assert race.catch_up()
    again = RaceState(TABLE, **json.loads(json.dumps(race.as_dict())))
    assert again.as_dict() == race.as_dict()
    assert again.words == race.words
    for name in race.strategies:
        assert len(race.scores(name)) == race.trials
        assert again.scores(name) == race.scores(name)
    if race.policy is not None:
        assert np.array_equal(again.policy.w, race.policy.w)


def test_a_tick_goes_on_only_while_it_runs_and_until_the_end():
    race = RaceState(TABLE, strategies=BOTH, trials=4, end=10)
    race.tick(0, math.inf)
    assert race.trials == 4
    race.run()
    race.tick(0, 0)  # without time it only says what is to be done
    assert (race.trials, race.missing) == (4 + PACE, 2 * PACE)
    race.tick(0, 0)  # no further before all are there
    race.pause()
    assert race.busy
    race.tick(0, math.inf)
    assert (race.trials, race.missing, race.busy) == (4 + PACE, 0, False)
    race.run()
    race.tick(0, math.inf)
    assert (race.running, race.trials) == (False, 10)
    assert "over" in race.message
    race.step()
    assert race.trials == 10
    race.run()
    assert (race.running, race.trials) == (True, 0)


def test_a_setting_touches_the_controller_alone():
    race = RaceState(TABLE, trials=12)
    others = [race.runner(name) for name in BOTH]
    before = race.scores("Reinforce")
    race.learning_rate = 0.1
    assert race.missing == 12
    assert [race.runner(name) for name in BOTH] == others
    assert "begins anew" in race.message
    assert "REINFORCE none (catching up: trial 0)" in race.words
    race.catch_up()
    assert race.scores("Reinforce") != before
    race.learning_rate = 0.01
    race.catch_up()
    assert race.scores("Reinforce") == before


def test_the_next_seed_is_another_race_for_all_and_who_comes_late_catches_up():
    race = RaceState(TABLE, trials=12)
    before = {name: race.scores(name) for name in TICKED}
    race.next_seed()
    race.catch_up()
    for name in TICKED:
        assert len(race.scores(name)) == 12
        assert race.scores(name) != before[name]
    late = RaceState(TABLE, strategies=["RandomSearch"], trials=12)
    late.strategies = ["RegularizedEvolution", "RandomSearch"]
    assert (late.strategies, late.missing) == (list(BOTH), 12)
    late.catch_up()
    assert late.scores("RegularizedEvolution") == before["RegularizedEvolution"]


def test_with_nothing_ticked_it_says_so():
    race = RaceState(TABLE, strategies=[], trials=5)
    for act in (race.step, race.run):
        act()
        assert (race.running, race.trials) == (False, 5)
        assert race.message == "Tick a strategy first."
    for end in (5, 300):  # unticked while it runs
        race.update(end=end, running=True, message="")
        race.tick(0)
        assert (race.running, race.message) == (False, "Tick a strategy first.")
    assert race.words.startswith("no strategy is ticked")
    assert race.details[1] == "tick REINFORCE to see its policy"


def test_words_rank_the_bests():
    race = RaceState(TABLE, trials=40)
    bests = [max(race.scores(name)) for name in TICKED]
    said = [float(number) for number in re.findall(r"([\d.]+)%", race.words)]
    assert said == sorted((round(100 * best, 1) for best in bests), reverse=True)
    spent = [trial.result.cost for name in TICKED for trial in race.runner(name).trials]
    assert race.details[0].startswith(f"120 trainings, {sum(spent) / 60:.1f} minutes")
    assert race.details[0].endswith(f"{max(TABLE.scores()):.1%}")


HOLES = broken(test_correct=np.full_like(TABLE._arrays["test_correct"], -1))


def test_failed_trials_are_passed_over():
    correct = TABLE._arrays["val_correct"].copy()
    correct[:, ::2, -1] = -1  # trained, but without a score
    race = RaceState(broken(val_correct=correct), trials=30)
    for name in TICKED:
        known = [score for score in race.scores(name) if not math.isnan(score)]
        assert 0 < len(known) < 30
        assert f"{max(known):.1%}" in race.words
    assert np.isfinite(race.policy.w).all()


# ---- the view -------------------------------------------------------------------------------


@pytest.fixture
def w():
    return LiveRace(TABLE, strategies=BOTH, trials=5)


def picture(w):
    return w._picture.value


@in_loop
async def test_run_goes_on_and_pause_stops(w):
    press(w, "Run")
    assert "Running." in words(w)
    task = w._task
    for _ in range(3):  # at once, it is one race
        press(w, "Pause")
        press(w, "Run")
        w.model.run()
    assert w._task is task
    await until(lambda: w.model.trials > 12)
    press(w, "Pause")
    assert "Paused." in words(w)
    trials, shown = w.model.trials, picture(w)
    assert w.state["trials"] == trials
    await until(w._task.done)
    assert (w.model.trials, picture(w)) == (trials, shown)
    assert [len(w.model.scores(name)) for name in BOTH] == [trials] * 2


@in_loop
async def test_the_cell_run_again_pauses_the_race_before(w):
    press(w, "Run")
    await until(lambda: w.model.trials > 5)
    again = LiveRace(TABLE, strategies=BOTH, trials=5)
    trials = w.model.trials
    assert not w.model.running
    press(again, "Run")
    await until(lambda: again.model.trials > 12)
    assert w.model.trials == trials
    assert w._task.done()
    press(again, "Pause")


@in_loop
async def test_a_failure_stops_the_race_and_is_said(w):
    press(w, "Run")
    await until(lambda: w.model.trials > 5)
    w.model.table = HOLES
    press(w, "Next seed")
    await until(w._task.done)
    assert isinstance(w._task.exception(), ValueError)
    assert "The race stopped: ValueError: architecture" in words(w)
    assert not w.model.running
    w.model.table = TABLE
    press(w, "Reset")
    press(w, "Run")
    await until(lambda: w.model.trials > 5)
    press(w, "Pause")


def test_without_an_event_loop_run_only_catches_up(w):
    press(w, "Run")
    assert not w.model.running
    find(w, "REINFORCE").value = True
    assert w.model.missing == 0
