"""Successive halving and Hyperband: who is trained for how long, and what it costs."""

import itertools
import math

import pytest

from nas_lab.history import Evaluation
from nas_lab.spaces import mlp, nasbench201
from nas_lab.strategies import Continued, Hyperband, SuccessiveHalving, search
from tests import estimates
from tests.strategies.epochs import AtAnyEpoch
from tests.strategies.tables import invented

SPACE = nasbench201()


def plan(strategy):
    return [[(rung.archs, rung.epochs) for rung in bracket] for bracket in strategy.brackets]


def test_hyperband_has_the_brackets_of_the_paper():
    """Table 1 of Li et al. 2018: R = 81, eta = 3."""
    assert plan(Hyperband(SPACE, epochs=81, eta=3)) == [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(34, 3), (11, 9), (3, 27), (1, 81)],
        [(15, 9), (5, 27), (1, 81)],
        [(8, 27), (2, 81)],
        [(5, 81)],
    ]


@pytest.mark.parametrize(
    ("arguments", "rungs"),
    [
        ({}, [(16, 1), (8, 2), (4, 4)]),
        ({"archs": 3}, [(3, 2), (1, 4)]),
        ({"archs": 1}, [(1, 4)]),
        ({"archs": 9, "epochs": 10, "eta": 3}, [(9, 1), (3, 3), (1, 10)]),
        ({"epochs": 1}, [(16, 1)]),
    ],
)
def test_halving_stops_at_one_epoch_or_one_architecture(arguments, rungs):
    assert plan(SuccessiveHalving(SPACE, **arguments)) == [rungs]


def by_rung(trials):
    """Groups of trials that were trained to the same epoch one after the other."""
    return [list(g) for _, g in itertools.groupby(trials, lambda t: t.result.metrics["epochs"])]


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_only_the_best_go_on(batch):
    table, strategy = invented(), SuccessiveHalving(SPACE, seed=2)
    rungs = by_rung(search(strategy, Continued(table), 28 + 16, batch=batch))
    assert [len(rung) for rung in rungs] == [16, 8, 4, 16]
    for before, after in itertools.pairwise(rungs[:3]):
        scores = {t.arch: t.result.score for t in before}
        went_on = {t.arch for t in after}
        stayed = set(scores) - went_on
        assert went_on < set(scores)
        assert min(scores[a] for a in went_on) >= max(scores[a] for a in stayed)
    assert {t.arch for t in rungs[3]} != {t.arch for t in rungs[0]}, "new ones begin again"


def test_continued_is_the_curve_of_the_table():
    table = invented()
    estimate, arch = Continued(table), (3, 1, 2, 0, 4, 3)
    assert [estimate(arch, 0, epochs=e).score for e in (1, 2, 3, 4)] == table.curve(arch).tolist()
    assert estimate(arch).score == estimate(arch, 0, epochs=4).score == table(arch).score
    assert estimate(arch).cost == table(arch).cost
    assert estimate(arch, epochs=3, paid=1).cost == pytest.approx(table(arch).cost / 2)
    for epochs, paid in ((5, 0), (2, 2), (1, -1), (0, 0)):
        with pytest.raises(ValueError, match="the table's trainings have 4 epochs"):
            estimate(arch, 0, epochs=epochs, paid=paid)


@pytest.mark.parametrize("make", [SuccessiveHalving, Hyperband])
def test_failed_trials_go_no_further(make):
    def failing(arch, seed, *, epochs, paid):
        score = math.nan if arch[0] < 2 else sum(arch) + epochs
        return Evaluation(score, metrics={"paid": paid})

    trials = list(search(make(SPACE, seed=1), failing, 200, batch=4))
    continued = [t for t in trials if t.result.metrics["paid"]]
    assert continued
    assert all(t.arch[0] >= 2 for t in continued)


def test_a_bracket_in_which_all_fail_is_given_up():
    def failing(arch, seed, *, epochs, paid):
        return Evaluation(math.nan, metrics={"epochs": epochs})

    trials = list(search(SuccessiveHalving(SPACE, archs=8, seed=1), failing, 24))
    assert [t.result.metrics["epochs"] for t in trials] == [1] * 24
    assert len({t.arch for t in trials}) > 16


def test_what_is_drawn_twice_is_trained_once():
    space = mlp(layers=(1,), hidden=(4, 8))
    estimate = AtAnyEpoch(estimates.by_tokens)
    asked = SuccessiveHalving(space, archs=16).ask(16)
    assert len(asked) == len(set(asked)) == 2
    trials = list(search(SuccessiveHalving(space, archs=16), estimate, 40, batch=7))
    assert len(trials) == 40


@pytest.mark.parametrize("make", [SuccessiveHalving, Hyperband])
def test_bad_hyperparameters_are_explained(make):
    with pytest.raises(ValueError, match="eta must be at least 2"):
        make(SPACE, eta=1)
    with pytest.raises(ValueError, match="give the strategy epochs=4"):
        list(search(make(SPACE, epochs=9), Continued(invented()), 50))
