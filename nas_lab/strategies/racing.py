"""The race: many strategies, many seeds, one table that knows the truth."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass

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


@dataclass(frozen=True, eq=False)
class Run:
    """What one strategy did; S seeds, T trials.

    The *incumbent* is the architecture with the best score so far: what the search would return
    if it stopped now. It is judged by its whole training, however long the search trained it.

    Attributes:
        incumbent: validation accuracy of the incumbent after each trial, [S, T]; nan until a
            trial has a score. A strategy that ends early keeps its last one.
        seconds: recorded seconds spent after each trial, [S, T].
        picks: the last incumbent of each seed; None where no trial had a score.
        best: the highest validation accuracy in the table.
    """

    incumbent: np.ndarray
    seconds: np.ndarray
    picks: tuple[Arch | None, ...]
    best: float

    @property
    def regret(self) -> np.ndarray:
        """How far the incumbent is below the best of the table, [S, T]."""
        return self.best - self.incumbent

    def by_seconds(self, seconds: np.ndarray) -> np.ndarray:
        """Validation accuracy of the incumbent when so many recorded seconds are spent.

        Args:
            seconds: rising or not, [G].

        Returns:
            [S, G]; nan before the first trial is over.
        """
        seconds = np.asarray(seconds, dtype=float)
        return np.stack(
            [
                np.append(np.nan, row)[np.searchsorted(spent, seconds, side="right")]
                for row, spent in zip(self.incumbent, self.seconds, strict=True)
            ]
        )

    def test_scores(self, table: Table) -> np.ndarray:
        """Test accuracy of each seed's pick, [S]. Look once, when the race is over."""
        return np.array([np.nan if pick is None else table.test(pick) for pick in self.picks])


@dataclass(frozen=True)
class Difference:
    """A strategy's mean regret minus that of another, below 0 where it is the better one.

    Both are nan where a seed of either had no score yet.

    Attributes:
        regret: the difference.
        p_value: how often chance alone gives one at least as large, in either direction.
    """

    regret: float
    p_value: float


@dataclass(frozen=True, eq=False)
class Race(Mapping[str, Run]):
    """Strategies by name, each run with the same seeds.

    Attributes:
        seeds: S seeds that all strategies finished.
        runs: what each did.
    """

    seeds: tuple[int, ...]
    runs: Mapping[str, Run]

    def __getitem__(self, name: str) -> Run:
        return self.runs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)

    def against(self, reference: str, after: int | None = None) -> dict[str, Difference]:
        """Compare every other strategy with one, usually random search.

        The test changes the signs of the seeds' differences at random: were both equally good,
        each seed could as well have favoured the other (``scipy.stats.permutation_test``).

        Args:
            reference: the strategy to compare with.
            after: number of trials, from 1 to T; None for all.

        Raises:
            ValueError: no such strategy, ``after`` is out of range, or there is one seed only.
        """
        _check_enough(self.seeds)
        if reference not in self.runs:
            raise ValueError(f"no strategy {reference!r} in this race; it has {', '.join(self)}")
        trials = self[reference].incumbent.shape[1]
        after = trials if after is None else whole_number("after", after)
        if after > trials:
            raise ValueError(f"after={after}, but the race has {trials} trials")
        regret = {name: run.regret[:, after - 1] for name, run in self.runs.items()}
        return {
            name: _difference(regret[name], regret[reference]) for name in self if name != reference
        }


def _difference(ours: np.ndarray, theirs: np.ndarray) -> Difference:
    """Of paired regrets [S]."""
    if np.isnan(ours - theirs).any():  # the test would call that significant
        return Difference(np.nan, np.nan)
    test = stats.permutation_test(
        (ours, theirs),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        n_resamples=RESAMPLES,
        vectorized=True,
        random_state=np.random.default_rng(0),
    )
    return Difference(float(test.statistic), float(test.pvalue))


@dataclass(frozen=True, eq=False)
class Band:
    """A mean over seeds, and the interval that holds the true one with 95 % confidence."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def band(values: np.ndarray) -> Band:
    """Mean over the first axis, [S, ...] of S seeds, with Student's t interval of 95 % for it.

    Raises:
        ValueError: fewer than two seeds.
    """
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

    Args:
        strategies: by name, each called as ``make(space, seed=seed)``: a class, or
            ``functools.partial`` of it with hyperparameters.
        table: what evaluates. All architectures have their training with seed 0, so that one is
            used. One that trains in steps pays for each step alone; an architecture that is asked
            for again counts, and costs, like a new one.
        trials: for each strategy and seed, T.
        seeds: of the strategies, each counted once; a number S means 0 to S - 1. They are taken
            one by one, so ``tqdm(range(100))`` shows how far it is.

    Returns:
        What each strategy did, seeds in rising order. When it is interrupted, the
        seeds that are finished, with a ``RaceWarning``.

    Raises:
        TypeError, ValueError: an argument is wrong.
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
    done: dict[int, list[Trace]] = {}
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
    columns = zip(*(done[seed] for seed in sorted(done)), strict=True)
    runs = {}
    for name, traces in zip(strategies, columns, strict=True):
        incumbents, seconds, picks = zip(*traces, strict=True)
        runs[name] = Run(np.stack(incumbents), np.stack(seconds), picks, best)
    return Race(tuple(sorted(done)), runs)


# ---- one seed --------------------------------------------------------------------------------

Trace = tuple[np.ndarray, np.ndarray, Arch | None]
"""One strategy with one seed: incumbent [T], seconds [T], and the last incumbent."""


def _trace(strategy: Strategy, table: Table, trials: int) -> Trace:
    done = list(search(strategy, Continued(table), trials))
    archs = [trial.arch for trial in done]
    scores = np.array([trial.result.score for trial in done])
    final = np.array([table(arch).score for arch in archs])
    best = _best_so_far(scores)
    incumbent = np.where(best < 0, np.nan, final[best])
    seconds = np.cumsum([trial.result.cost for trial in done])
    ended = (0, trials - len(done))
    return (
        np.pad(incumbent, ended, mode="edge"),
        np.pad(seconds, ended, mode="edge"),
        archs[best[-1]] if best[-1] >= 0 else None,
    )


def _best_so_far(scores: np.ndarray) -> np.ndarray:
    """Index of the first highest score up to each place, -1 while there is none."""
    best = np.fmax.accumulate(np.append(-np.inf, scores))
    places = np.flatnonzero(best[1:] > best[:-1])
    found = np.full(len(scores), -1)
    found[places] = places
    return np.maximum.accumulate(found)
