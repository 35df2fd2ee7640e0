"""The race: every number of it computed once more, by hand or by scipy."""

import itertools
from functools import partial

import numpy as np
import pytest
from scipy import stats

from nas_lab.history import Evaluation, Trial
from nas_lab.spaces import nasbench201
from nas_lab.strategies import LocalSearch, RandomSearch, RegularizedEvolution, SuccessiveHalving
from nas_lab.strategies.racing import RaceWarning, band, race
from tests.strategies.tables import invented

SPACE = nasbench201()
NAMES = {
    "random search": RandomSearch,
    "evolution": partial(RegularizedEvolution, population=10, sample=3),
    "local search": LocalSearch,
    "halving": SuccessiveHalving,
}
SEEDS, TRIALS = 6, 60


@pytest.fixture(scope="module")
def result():
    return race(NAMES, invented(), TRIALS, SEEDS)


def replayed(make, seed, table):
    """What a strategy asks for with the scores that the search sees and the seconds, by a loop."""
    strategy, rows = make(SPACE, seed=seed), []
    while len(rows) < TRIALS:
        (arch,) = strategy.ask(1)
        epochs, paid = (strategy.fidelity.get(name, d) for name, d in (("epochs", 4), ("paid", 0)))
        score = table.curve(arch)[epochs - 1]
        strategy.tell([Trial(len(rows), arch, Evaluation(score))])
        rows.append((arch, score, table(arch).cost * (epochs - paid) / 4))
    return zip(*rows, strict=True)


@pytest.mark.parametrize("name", ["random search", "halving"])
def test_an_incumbent_is_the_best_so_far_judged_by_its_whole_training(result, name):
    table, run = invented(), result[name]
    assert run.best == table.scores().max()
    for seed in range(SEEDS):
        archs, scores, seconds = replayed(NAMES[name], seed, table)
        picks = [archs[int(np.argmax(scores[: t + 1]))] for t in range(TRIALS)]
        expected = [table.curve(pick)[-1] for pick in picks]
        np.testing.assert_array_equal(run.incumbent[seed], expected)
        np.testing.assert_allclose(run.seconds[seed], np.cumsum(seconds))
        np.testing.assert_array_equal(run.regret[seed], run.best - np.array(expected))
        assert run.picks[seed] == picks[-1]


def test_by_seconds_is_the_last_trial_that_was_over(result):
    run = result["evolution"]
    grid = np.append(np.linspace(0, run.seconds.max() * 1.1, 30), run.seconds[0, :20])
    found = run.by_seconds(grid)
    assert found.shape == (SEEDS, 50)
    for s, g in itertools.product(range(SEEDS), range(50)):
        over = np.flatnonzero(run.seconds[s] <= grid[g])
        expected = run.incumbent[s, over[-1]] if len(over) else np.nan
        np.testing.assert_equal(found[s, g], expected)
    assert np.isnan(found[:, 0]).all()


def test_test_scores_are_those_of_the_last_incumbents(result):
    table, run = invented(), result["evolution"]
    assert run.test_scores(table).tolist() == [table.test(pick) for pick in run.picks]
    assert (run.test_scores(table) != run.incumbent[:, -1]).all()


def test_the_significance_is_that_of_all_changes_of_signs(result):
    """Exact for six seeds: 64 ways to change the signs of the differences."""
    for after in (20, TRIALS):
        against = result.against("random search", after=after)
        assert list(against) == ["evolution", "local search", "halving"]
        for name, difference in against.items():
            ours, theirs = (result[n].regret[:, after - 1] for n in (name, "random search"))
            d = ours - theirs
            means = [np.mean(d * signs) for signs in itertools.product([1, -1], repeat=SEEDS)]
            larger = np.mean(np.abs(means) >= abs(d.mean()) - 1e-12)
            assert difference.regret == pytest.approx(d.mean())
            assert difference.p_value == pytest.approx(min(1, larger))
    assert result.against("random search") == result.against("random search", after=TRIALS)


def test_the_band_is_students_t():
    values = np.random.default_rng(0).normal(size=(9, 3))
    found, expected = band(values), stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose(found.mean, values.mean(axis=0))
    np.testing.assert_allclose([found.low, found.high], expected)
    with pytest.raises(ValueError, match="at least two"):
        band(values[:1])


def test_seeds_are_a_number_or_any_of_them(result):
    some = race(NAMES, invented(), TRIALS, iter([4, 2, 4]))
    assert (list(some), some.seeds) == (list(NAMES), (2, 4))
    everything = race({"halving": SuccessiveHalving}, invented(), TRIALS, np.int64(SEEDS))
    assert everything.seeds == result.seeds == tuple(range(SEEDS))
    for runs, rows in ((some, [2, 4]), (everything, slice(None))):
        for name, run in runs.items():
            np.testing.assert_array_equal(run.incumbent, result[name].incumbent[rows])
            np.testing.assert_array_equal(run.seconds, result[name].seconds[rows])


class Interrupted(RandomSearch):
    """The third seed is interrupted."""

    def ask(self, n):
        if self.seed == 2:
            raise KeyboardInterrupt
        return super().ask(n)


def test_an_interrupt_keeps_finished_seeds(result):
    runners = {"random search": RandomSearch, "interrupted": Interrupted}
    with pytest.warns(RaceWarning, match="interrupted: the race holds the 2 seeds"):
        some = race(runners, invented(), TRIALS, SEEDS)
    assert some.seeds == (0, 1)
    np.testing.assert_array_equal(
        some["interrupted"].incumbent, result["random search"].incumbent[:2]
    )
    with pytest.raises(KeyboardInterrupt):
        race(runners, invented(), TRIALS, [2, 0])


class Failing:
    """A table in which cells with 'none' on their first edge have no score."""

    space, archs, scores = SPACE, invented().archs, invented().scores

    def __call__(self, arch, seed=0):
        result = invented()(arch, seed)
        return Evaluation(np.nan, result.cost) if arch[0] == 0 else result

    def curve(self, arch, seed=0):
        return np.full(4, np.nan) if arch[0] == 0 else invented().curve(arch, seed)


def test_failed_trials_leave_no_incumbent():
    table = invented()
    run = race({"r": RandomSearch}, Failing(), 30, 40)["r"]
    for seed in range(40):
        archs = [SPACE.sample(np.random.default_rng([seed, n])) for n in range(30)]
        scores = np.array([np.nan if a[0] == 0 else table(a).score for a in archs])
        np.testing.assert_array_equal(run.incumbent[seed], np.fmax.accumulate(scores))
    assert np.isnan(run.incumbent[:, 0]).any()
    assert not np.isnan(run.incumbent[:, -1]).any()
    both = race({"r": RandomSearch, "none": AlwaysNone}, Failing(), 3, 4)
    found = both.against("r")["none"]
    assert np.isnan([found.regret, found.p_value]).all()
    assert np.isnan(both["none"].regret).all()
    assert both["none"].picks == (None,) * 4
    assert np.isnan(both["none"].test_scores(table)).all()


class AlwaysNone(RandomSearch):
    def ask(self, n):
        return [(0,) * 6] * n


class Short(RandomSearch):
    """Ends after four trials."""

    def ask(self, n):
        return super().ask(n) if self._asks < 4 else []


def test_a_strategy_that_ends_early_keeps_what_it_has(result):
    run = race({"short": Short}, invented(), TRIALS, SEEDS)["short"]
    whole = result["random search"]
    np.testing.assert_array_equal(run.incumbent[:, :4], whole.incumbent[:, :4])
    assert (run.incumbent[:, 3:] == whole.incumbent[:, 3:4]).all()
    assert (run.seconds[:, 3:] == whole.seconds[:, 3:4]).all()


@pytest.mark.parametrize(
    ("strategies", "seeds", "error", "message"),
    [
        ({}, 2, ValueError, "give at least one"),
        ({"r": RandomSearch(SPACE)}, 2, TypeError, "give the class, not a strategy"),
        ({"r": RandomSearch}, [], ValueError, "no seeds"),
    ],
)
def test_nothing_to_race_is_explained(strategies, seeds, error, message):
    with pytest.raises(error, match=message):
        race(strategies, invented(), 5, seeds)


def test_what_cannot_be_compared_is_explained(result):
    for call, message in {
        (lambda: result.against("luck")): "has random search, evolution",
        (lambda: result.against("evolution", after=61)): "the race has 60 trials",
        (lambda: race(NAMES, invented(), 5, 1).against("random search")): "at least two",
    }.items():
        with pytest.raises(ValueError, match=message):
            call()
