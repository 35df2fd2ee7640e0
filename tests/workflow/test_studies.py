"""Optuna and our strategies, each as a guest of the other; and studies that were interrupted."""

import math
from dataclasses import replace

import optuna
import pytest

from nas_lab.history import Evaluation
from nas_lab.spaces import Decision, darts, mlp
from nas_lab.strategies import Hyperband, RandomSearch, RegularizedEvolution, Reinforce, search
from nas_lab.training import Curve, EpochEvent
from nas_lab.workflow import OptunaSearch, StrategySampler, open_study, run_study
from nas_lab.workflow.studies import distributions, quietly
from tests import estimates
from tests.workflow import made

JOINT, SPACE = made.SPACE, made.SPACE.inner


class KilledError(BaseException):
    """In place of a signal that no one can catch."""


def by_tokens(arch, seed, on_epoch=None):
    """Four epochs on the way to a score that depends on the tokens."""
    score = estimates.by_tokens(arch, seed).score
    for epoch in range(1, 5):
        curve = Curve((1.0,), (1.0,), (score * epoch / 4,), (0.5 * epoch,))
        if on_epoch is not None:
            on_epoch(EpochEvent(epoch, 4, curve))
    return Evaluation(score, cost=2.0)


def evolution(seed=0):
    return RegularizedEvolution(SPACE, seed=seed, population=4, sample=2)


def results(trials):
    return [(trial.arch, trial.result.score) for trial in trials]


# ---- Optuna in our search


def test_numbers_have_an_order_and_names_have_none():
    found = distributions(JOINT)
    assert found["learning_rate"] == optuna.distributions.IntDistribution(0, 4)
    assert found["schedule"] == optuna.distributions.CategoricalDistribution(range(3))
    assert list(found) == [decision.name for decision in JOINT.decisions]


def test_its_sampler_proposes_what_it_proposes_in_a_study_of_its_own():
    with quietly():
        sampler = optuna.samplers.TPESampler(seed=3)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for found in search(OptunaSearch(SPACE, seed=3), estimates.by_tokens, 25):
            trial = study.ask()
            names = [decision.name for decision in SPACE.decisions]
            assert found.arch == tuple(trial.suggest_categorical(name, range(5)) for name in names)
            study.tell(trial, found.result.score)


@pytest.mark.parametrize("space", [JOINT, mlp()], ids=["joint", "mlp"])
def test_it_repeats_itself_and_heeds_its_seed(space):
    makers = [OptunaSearch(space, seed=seed) for seed in (0, 0, 1)]
    runs = [list(search(make, estimates.by_tokens, 16, batch=4)) for make in makers]
    assert runs[0] == runs[1] != runs[2]
    assert all(trial.arch in space for trial in runs[0])


def test_a_space_that_excludes_answers_is_refused():
    with pytest.raises(ValueError, match="excludes combinations"):
        OptunaSearch(darts())


# ---- our strategies in Optuna's study


@pytest.mark.parametrize("make", [RandomSearch, RegularizedEvolution, Reinforce])
def test_a_study_does_what_search_does(make):
    study = open_study(SPACE, StrategySampler(make(SPACE, seed=2)))
    expected = results(search(make(SPACE, seed=2), estimates.by_tokens, 20))
    assert results(run_study(study, SPACE, by_tokens, 20)) == expected
    assert [trial.user_attrs["cost"] for trial in study.trials] == [2.0] * 20


@pytest.mark.parametrize("pruned", [False, True])
@pytest.mark.parametrize("when", [0, 5])
def test_killed_in_the_middle_and_begun_again(tmp_path, when, pruned):
    calls, torn = [], tmp_path / "a.journal"

    def run(estimate, path=None):
        rule = optuna.pruners.HyperbandPruner(1, max_resource=4, reduction_factor=2)
        sampler, rule = StrategySampler(evolution()), rule if pruned else None
        study = open_study(SPACE, sampler, pruner=rule, path=path)
        return results(run_study(study, SPACE, estimate, 12))

    def honest(arch, seed, on_epoch):
        calls.append(arch)
        return by_tokens(arch, seed, on_epoch)

    def dying(arch, seed, on_epoch):
        """Die in the middle of a training, after the first epoch was told."""
        if len(calls) < when:
            return honest(arch, seed, on_epoch)
        score = estimates.by_tokens(arch, seed).score
        on_epoch(EpochEvent(1, 4, Curve((1.0,), (1.0,), (score / 4,), (0.5,))))
        raise KilledError

    with pytest.raises(KilledError):
        run(dying, torn)
    assert run(honest, torn) == run(by_tokens)
    assert len(calls) == 12


@pytest.mark.parametrize("pruned", [False, True])
@pytest.mark.parametrize("name", ["RandomSampler", "TPESampler"])
def test_a_seeded_sampler_goes_on_where_it_stopped(tmp_path, name, pruned):
    """Also when the trial of a killed process is still to be ended."""

    def run(trials, path=None, estimate=by_tokens):
        sampler, pruner = getattr(optuna.samplers, name)(seed=1), optuna.pruners.MedianPruner(2)
        study = open_study(SPACE, sampler, pruner=pruner if pruned else None, path=path)
        return results(run_study(study, SPACE, estimate, trials))

    def dying(*_, **__):
        raise KilledError

    for trials in (5, 14):
        run(trials, tmp_path / "a.journal")
    with pytest.raises(KilledError):
        run(16, tmp_path / "a.journal", dying)
    whole = run(24)
    assert run(24, tmp_path / "a.journal") == whole
    assert len(set(whole)) > 15


def test_pruned_trials_end_early_and_are_told_with_their_last_score():
    study = open_study(SPACE, StrategySampler(evolution()), pruner=optuna.pruners.MedianPruner(2))
    done = list(run_study(study, SPACE, by_tokens, 20))
    pruned = [trial for trial in done if trial.result.metrics["pruned"]]
    assert 0 < len(pruned) < 18
    for trial in done:
        epochs = trial.result.metrics["epochs"]
        whole = estimates.by_tokens(trial.arch, 0).score
        assert trial.result.score == pytest.approx(whole * epochs / 4)
        assert (epochs < 4) == bool(trial.result.metrics["pruned"])
        assert trial.result.cost == 0.5 * epochs


def test_failures_are_failures():
    def failing(arch, seed, on_epoch=None):
        return Evaluation(math.nan)

    study = open_study(SPACE, StrategySampler(evolution()))
    ours = run_study(study, SPACE, failing, 3)
    theirs = search(OptunaSearch(SPACE, seed=0), failing, 12)
    assert all(math.isnan(trial.result.score) for trial in [*ours, *theirs])
    assert {trial.state for trial in study.trials} == {optuna.trial.TrialState.FAIL}


def test_what_does_not_belong_together_is_refused(tmp_path):
    with pytest.raises(TypeError, match="trains in steps"):
        StrategySampler(Hyperband(SPACE))
    path = tmp_path / "a.journal"
    study = open_study(SPACE, StrategySampler(evolution()), path=path)
    list(run_study(study, SPACE, by_tokens, 3))
    with pytest.raises(ValueError, match="this strategy asks for"):
        open_study(SPACE, StrategySampler(evolution(seed=1)), path=path)
    with pytest.raises(ValueError, match="not one of"):
        run_study(study, JOINT, by_tokens, 3)
    other = replace(JOINT, decisions=(*JOINT.decisions[:-1], Decision("augmentation", ("none",))))
    open_study(JOINT, optuna.samplers.RandomSampler(), path=path)
    with pytest.raises(ValueError, match="another space"):
        open_study(other, optuna.samplers.RandomSampler(), path=path)
    alone = StrategySampler(evolution())
    with quietly():
        bare = optuna.create_study(sampler=alone)
        bare.add_trial(optuna.trial.create_trial(value=1.0))
        with pytest.raises(ValueError, match="begin with open_study"):
            bare.ask(distributions(SPACE))
        with pytest.raises(ValueError, match="no decision 'depth'"):
            alone.sample_independent(bare, None, "depth", None)
