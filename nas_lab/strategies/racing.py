"""The race: a comparison of strategies over seeds, on a tabular benchmark that knows the truth."""

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sized
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from nas_lab.checks import whole_number
from nas_lab.estimation.tables import Table
from nas_lab.spaces.base import Arch
from nas_lab.strategies.base import Strategy, search
from nas_lab.strategies.halving import Continued

RESAMPLES = 9999
"""Sign changes that a significance test draws where they are too many to try all."""


class RaceWarning(UserWarning):
    """A race was not run to its end."""


class Run(NamedTuple):
    """What one strategy did; S seeds, T trials.

    The *incumbent* is the architecture with the best score so far: what the search would return
    if it stopped now. It is judged by its whole training, however long the search trained it.

    It is nan until a trial has a score; where a strategy ends early, the last one stays.
    """

    incumbent: np.ndarray  # its validation accuracy after each trial, [S, T]
    seconds: np.ndarray  # recorded seconds spent after each trial, [S, T]
    picks: tuple[Arch | None, ...]  # the last incumbent of each seed
    best: float  # the highest validation accuracy in the table

    @property
    def regret(self) -> np.ndarray:
        """How far the incumbent is below the best of the table, [S, T]."""
        return self.best - self.incumbent

    def by_seconds(self, seconds: np.ndarray) -> np.ndarray:
        """Accuracy of the incumbent when so many recorded seconds [G] are spent: [S, G].
        It is nan before the first trial is over."""
        over = [np.searchsorted(spent, seconds, side="right") for spent in self.seconds]
        nothing = np.full((len(over), 1), np.nan)
        return np.take_along_axis(np.hstack([nothing, self.incumbent]), np.array(over), axis=1)

    def test_scores(self, table: Table) -> np.ndarray:
        """Test accuracy of each seed's pick, [S]. Look once, when the race is over."""
        return np.array([np.nan if pick is None else table.test(pick) for pick in self.picks])


class Difference(NamedTuple):
    """A strategy's mean regret minus that of another, below 0 where it is the better one.
    ``p_value`` says how often chance alone gives one at least as large, in either direction. Both
    are nan where a seed of either had no score yet."""

    regret: float
    p_value: float


class Race(dict[str, Run]):
    """What each strategy did, by its name; all with the same ``seeds``, those that all finished."""

    def __init__(self, runs: Mapping[str, Run], seeds: Iterable[int]) -> None:
        super().__init__(runs)
        self.seeds = tuple(seeds)

    def against(self, reference: str, after: int | None = None) -> dict[str, Difference]:
        """Compare every other strategy with one, usually random search, ``after`` so many trials.
        The test changes the signs of the seeds' differences at random: were both equally good, each
        seed could as well have favoured the other (``scipy.stats.permutation_test``)."""
        _check_enough(self.seeds)
        if reference not in self:
            raise ValueError(f"no strategy {reference!r} in this race; it has {', '.join(self)}")
        trials = self[reference].incumbent.shape[1]
        after = trials if after is None else whole_number("after", after)
        if after > trials:
            raise ValueError(f"after={after}, but the race has {trials} trials")
        regret = {name: run.regret[:, after - 1] for name, run in self.items()}
        theirs = regret.pop(reference)
        return {name: _difference(ours, theirs) for name, ours in regret.items()}


def _difference(ours: np.ndarray, theirs: np.ndarray) -> Difference:
    """Of paired regrets [S]."""
    gaps, flips = ours - theirs, {"permutation_type": "samples", "n_resamples": RESAMPLES}
    if np.isnan(gaps).any():  # the test would call that significant
        return Difference(np.nan, np.nan)
    rng = np.random.default_rng(0)
    test = stats.permutation_test((gaps,), np.mean, **flips, vectorized=True, random_state=rng)
    return Difference(float(test.statistic), float(test.pvalue))


class Band(NamedTuple):
    """A mean over seeds, and the interval that holds the true one with 95 % confidence."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def band(values: np.ndarray) -> Band:
    """Mean over the first axis, [S, ...] of S seeds, with Student's t interval of 95 % for it."""
    values = np.asarray(values, dtype=float)
    _check_enough(values)
    mean, error = values.mean(axis=0), stats.sem(values, axis=0)
    half = stats.t.ppf(0.975, df=len(values) - 1) * error
    return Band(mean, mean - half, mean + half)


def _check_enough(seeds: Sized) -> None:
    if len(seeds) < 2:
        raise ValueError("one seed says nothing of the spread: race with at least two")


def race(
    strategies: Mapping[str, Callable[..., Strategy]],
    table: Table,
    trials: int,
    seeds: int | Iterable[int],
) -> Race:
    """Run every strategy with every seed on a table, one trial after the other.

        race({"random search": RandomSearch, "evolution": RegularizedEvolution}, table, 300, 100)

    A strategy is called as ``make(space, seed=seed)``: a class, or ``functools.partial`` of it with
    hyperparameters. The table evaluates by its trainings with seed 0; a strategy that trains in
    steps pays for each step alone, and what is asked for again costs like a new one. ``trials`` are
    those of each strategy and seed. A number S of ``seeds`` means 0 to S - 1; they are taken one by
    one, so ``tqdm(range(100))`` shows how far it is. An interrupt returns what is finished.
    """
    if not strategies:
        raise ValueError("no strategies: give at least one, as {'random search': RandomSearch}")
    for name, make in strategies.items():
        if not callable(make):
            raise TypeError(
                f"{name!r} is called as make(space, seed=seed), but {make!r} is not callable: "
                "give the class, not a strategy"
            )
    trials = whole_number("trials", trials)
    if isinstance(seeds, int | np.integer):
        seeds = range(whole_number("seeds", seeds))
    done: dict[int, list[tuple[Any, ...]]] = {}
    try:
        for seed in seeds:
            done[seed] = [
                _trace(make(table.space, seed=seed), table, trials) for make in strategies.values()
            ]
    except KeyboardInterrupt:
        if not done:
            raise
        warnings.warn(
            f"interrupted: the race holds the {len(done)} seeds that are finished",
            RaceWarning,
            stacklevel=2,
        )
    if not done:
        raise ValueError("no seeds: give a number of them, or at least one")
    best = float(np.nanmax(table.scores()))
    runs = {}
    for i, name in enumerate(strategies):
        incumbents, seconds, picks = zip(*(done[seed][i] for seed in sorted(done)), strict=True)
        runs[name] = Run(np.stack(incumbents), np.stack(seconds), picks, best)
    return Race(runs, sorted(done))


def _trace(strategy: Strategy, table: Table, trials: int) -> tuple[Any, ...]:
    """Incumbent [T], seconds [T], and the last incumbent."""
    best, pick, judged = -math.inf, None, np.nan
    incumbent, costs = [], []
    for trial in search(strategy, Continued(table), trials):
        if trial.result.score > best:  # never true of NaN
            best, pick = trial.result.score, trial.arch
            judged = table(pick).score
        incumbent.append(judged)
        costs.append(trial.result.cost)
    early = (0, trials - len(costs))  # where it ended early, the last ones stay
    return np.pad(incumbent, early, "edge"), np.pad(np.cumsum(costs), early, "edge"), pick
