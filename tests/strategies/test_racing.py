"""The race: every number of it computed once more, by hand or by scipy."""

import itertools
from functools import partial

import numpy as np
import pytest
from scipy import stats

from nas_lab.history import Evaluation, Trial
from nas_lab.spaces import nasbench201
from nas_lab.strategies import (
    LocalSearch,
    RandomSearch,
    RegularizedEvolution,
    SuccessiveHalving,
    band,
    race,
)
from nas_lab.strategies.racing import Difference, RaceWarning
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


def test_every_strategy_has_every_seed(result):
    assert list(result) == list(NAMES)
    assert len(result) == 4
    assert result.seeds == tuple(range(SEEDS))
    for run in result.values():
        assert run.incumbent.shape == run.seconds.shape == run.regret.shape == (SEEDS, TRIALS)
        assert len(run.picks) == SEEDS
        assert run.best == invented().scores().max()


def test_random_search_is_the_running_maximum_of_its_draws(result):
    table, run = invented(), result["random search"]
    for seed in range(SEEDS):
        archs = [SPACE.sample(np.random.default_rng([seed, n])) for n in range(TRIALS)]
        scores = np.array([table.curve(arch)[-1] for arch in archs])
        np.testing.assert_array_equal(run.incumbent[seed], np.maximum.accumulate(scores))
        costs = [table.seconds[table.row(arch)] for arch in archs]
        np.testing.assert_allclose(run.seconds[seed], np.cumsum(costs))
        assert run.picks[seed] == archs[int(scores.argmax())]
        assert run.regret[seed, -1] == run.best - scores.max()


def test_an_incumbent_of_halving_is_judged_by_its_whole_training(result):
    table, strategy = invented(), SuccessiveHalving(SPACE, seed=1)
    scores, archs, seconds = [], [], []

    while len(archs) < TRIALS:
        rung = strategy.ask(1)
        epochs, paid = strategy.fidelity["epochs"], strategy.fidelity["paid"]
        score = table.curve(rung[0])[epochs - 1]
        strategy.tell([Trial(len(archs), rung[0], Evaluation(score))])
        archs += rung
        scores.append(score)
        seconds.append(table(rung[0]).cost * (epochs - paid) / 4)
    picks = [archs[int(np.argmax(scores[: t + 1]))] for t in range(TRIALS)]
    expected = [table.curve(pick)[-1] for pick in picks]
    np.testing.assert_array_equal(result["halving"].incumbent[1], expected)
    np.testing.assert_allclose(result["halving"].seconds[1], np.cumsum(seconds))


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
    table = invented()
    expected = [table.test(pick) for pick in result["evolution"].picks]
    assert result["evolution"].test_scores(table).tolist() == expected
    assert (result["evolution"].test_scores(table) != result["evolution"].incumbent[:, -1]).all()


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


def test_equal_strategies_do_not_differ():
    twins = race({"one": RandomSearch, "other": RandomSearch}, invented(), 10, 5)
    assert twins.against("one") == {"other": Difference(0.0, 1.0)}


def test_the_band_is_students_t():
    values = np.random.default_rng(0).normal(size=(9, 3))
    found = band(values)
    for column in range(3):
        expected = stats.ttest_1samp(values[:, column], 0).confidence_interval(0.95)
        assert found.mean[column] == pytest.approx(values[:, column].mean())
        assert found.low[column] == pytest.approx(expected.low)
        assert found.high[column] == pytest.approx(expected.high)
    with pytest.raises(ValueError, match="at least two"):
        band(values[:1])


def same(one, other):
    return one.seeds == other.seeds and all(
        np.array_equal(one[name].incumbent, other[name].incumbent)
        and np.array_equal(one[name].seconds, other[name].seconds)
        and one[name].picks == other[name].picks
        for name in {*one, *other}
    )


def test_seeds_are_a_number_or_any_of_them(result):
    some = race(NAMES, invented(), TRIALS, iter([4, 2, 4]))
    assert some.seeds == (2, 4)
    for name, run in some.items():
        np.testing.assert_array_equal(run.incumbent, result[name].incumbent[[2, 4]])
    assert same(race(NAMES, invented(), TRIALS, np.int64(SEEDS)), result)


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
    only_failures = race({"r": AlwaysNone}, Failing(), 3, 2)["r"]
    assert np.isnan(only_failures.regret).all()
    assert only_failures.picks == (None, None)
    against = race({"r": RandomSearch, "none": AlwaysNone}, Failing(), 3, 4).against("r")
    assert np.isnan([against["none"].regret, against["none"].p_value]).all()
    assert np.isnan(only_failures.test_scores(table)).all()


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
    ("change", "error", "message"),
    [
        ({"strategies": {}}, ValueError, "give at least one"),
        ({"strategies": {"r": RandomSearch(SPACE)}}, TypeError, "give the class, not a strategy"),
        ({"trials": 0}, ValueError, "trials must be at least 1"),
        ({"seeds": 0}, ValueError, "seeds must be at least 1"),
        ({"seeds": []}, ValueError, "no seeds"),
        ({"seeds": True}, TypeError, "seeds must be a whole number"),
        ({"seeds": [-1]}, ValueError, "seed must be at least 0"),
    ],
)
def test_bad_arguments_are_explained(change, error, message):
    arguments = {"strategies": NAMES, "table": invented(), "trials": 5, "seeds": 2, **change}
    with pytest.raises(error, match=message):
        race(**arguments)


def test_an_unknown_reference_is_explained(result):
    with pytest.raises(ValueError, match="has random search, evolution"):
        result.against("luck")
    with pytest.raises(ValueError, match="the race has 60 trials"):
        result.against("evolution", after=61)
    with pytest.raises(ValueError, match="at least two"):
        race(NAMES, invented(), 5, 1).against("random search")
