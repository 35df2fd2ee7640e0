"""Optuna as an engine for our spaces, and our strategies as peers in its race.

Both directions are an adapter of a few lines, for both sides ask and tell:

- ``OptunaSearch`` lends one of Optuna's samplers to our ``search`` and ``race``;
- ``StrategySampler`` lends one of our strategies to an Optuna study, with its pruners and its
  storage.

T. Akiba et al., "Optuna: A Next-generation Hyperparameter Optimization Framework", KDD 2019,
arXiv:1907.10902. Needs ``pip install 'nas-lab[automl]'``.
"""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from nas_lab.checks import whole_number
from nas_lab.history import Evaluation, Trial
from nas_lab.spaces.base import Arch, Space
from nas_lab.strategies.base import SeededStrategy, Strategy

try:
    import optuna
    from optuna.storages.journal import JournalFileBackend
except ImportError as error:
    raise ImportError("studies need optuna: pip install 'nas-lab[automl]'") from error

if TYPE_CHECKING:
    from nas_lab.training import EpochEvent

COST, FINGERPRINT = "cost", "fingerprint"


@contextmanager
def quietly() -> Iterator[None]:
    """Run the block without Optuna's notes on new studies and on what it calls experimental."""
    logger = logging.getLogger("optuna")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        logger.setLevel(level)


def distributions(space: Space) -> dict[str, optuna.distributions.BaseDistribution]:
    """What Optuna draws from for each decision: its tokens.
    Options that are numbers in rising order have an order for Optuna too; others are categories."""
    if space.size != math.prod(len(decision.options) for decision in space.decisions):
        raise ValueError(
            f"{space.name} excludes combinations of answers, which Optuna's samplers do not know: "
            "choose another space"
        )
    drawn: dict[str, optuna.distributions.BaseDistribution] = {}
    for decision in space.decisions:
        options, tokens = list(decision.options), range(len(decision.options))
        if all(type(o) in (int, float) for o in options) and options == sorted(options):
            drawn[decision.name] = optuna.distributions.IntDistribution(0, tokens[-1])
        else:
            drawn[decision.name] = optuna.distributions.CategoricalDistribution(tokens)
    return drawn


class OptunaSearch(SeededStrategy):
    """Optuna's tree-structured Parzen estimator as a strategy.
    J. Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NIPS 2011. The space has no
    excluded combinations. A failed trial, with a score of NaN, is told as failed."""

    def __init__(self, space: Space, *, seed: int = 0) -> None:
        super().__init__(space, seed=seed)
        self._distributions = distributions(space)
        with quietly():
            sampler = optuna.samplers.TPESampler(seed=self.seed)
            self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._asked: list[optuna.Trial] = []

    def ask(self, n: int) -> list[Arch]:
        """Trials of the study, as architectures."""
        count = whole_number("n", n)
        with quietly():
            self._asked = [self._study.ask(self._distributions) for _ in range(count)]
        return [_tokens(self.space, trial.params) for trial in self._asked]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Hand the scores to the study."""
        for asked, trial in zip(self._asked, trials, strict=True):
            _tell(self._study, asked.number, trial.result.score)


class StrategySampler(optuna.samplers.BaseSampler):
    """One of our strategies as an Optuna sampler.
    Trials that a study holds already are asked for again, and told, before it goes on
    (``catch_up``, which ``open_study`` calls); so a study from a file continues as if it had never
    stopped. A strategy that trains in steps, as Hyperband does, has no place here."""

    def __init__(self, strategy: Strategy) -> None:
        if getattr(strategy, "fidelity", {}):
            raise TypeError(
                f"{type(strategy).__name__} trains in steps: take optuna.pruners.HyperbandPruner"
            )
        self.strategy = strategy
        self._asked: list[Arch] = []
        self._told = 0

    def catch_up(self, study: optuna.Study) -> None:
        """Ask for, and tell, what the study holds already."""
        for trial in study.get_trials(deepcopy=False)[self._told :]:
            if not trial.state.is_finished():
                return
            self._tell(trial, _score(trial, trial.state, trial.values))

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
        """All decisions are drawn at once."""
        return distributions(self.strategy.space)

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
        """Ask the strategy, which was told of all earlier trials."""
        if trial.number != len(self._asked):
            raise ValueError(f"trial {trial.number} comes too early: begin with open_study")
        names = (decision.name for decision in self.strategy.space.decisions)
        return dict(zip(names, self._ask(), strict=True))

    def sample_independent(self, study: Any, trial: Any, param_name: str, _: Any) -> Any:
        """Refuse: the objective asks for a decision that the space does not have."""
        raise ValueError(f"{self.strategy.space.name} has no decision {param_name!r}")

    def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
        """Tell the strategy; a trial that was cut short is told with its last score."""
        self._tell(trial, _score(trial, state, values))

    def _ask(self) -> Arch:
        self._asked += self.strategy.ask(1)
        return self._asked[-1]

    def _tell(self, trial: Any, score: float) -> None:
        """Tell the next trial, which is asked for first where the study had it already."""
        arch = self._asked[trial.number] if trial.number < len(self._asked) else self._ask()
        if arch != _tokens(self.strategy.space, trial.params):
            raise ValueError(
                f"trial {trial.number} of the study is {trial.params}, this strategy asks for "
                f"{arch}: go on with the strategy, seed and hyperparameters that began it"
            )
        self.strategy.tell([Trial(trial.number, arch, Evaluation(score))])
        self._told = trial.number + 1


def open_study(
    space: Space,
    sampler: optuna.samplers.BaseSampler,
    *,
    pruner: optuna.pruners.BasePruner | None = None,
    path: str | os.PathLike[str] | None = None,
) -> optuna.Study:
    """A study that maximises, in memory or in a journal, to which every step is written at once.
    The sampler is one of Optuna's, or a ``StrategySampler``. Without a pruner all trainings go to
    the end. Where the path of the journal exists, its study is continued, and by a sampler with the
    same seed as if it had never stopped."""
    with quietly():
        storage = None
        if path is not None:
            storage = optuna.storages.JournalStorage(JournalFileBackend(os.fspath(path)))
        named: dict[str, Any] = {"study_name": space.name, "load_if_exists": True}
        named |= {"pruner": pruner or optuna.pruners.NopPruner(), "sampler": sampler}
        study = optuna.create_study(direction="maximize", storage=storage, **named)
    known = study.user_attrs.get(FINGERPRINT)
    if known is None:
        study.set_user_attr(FINGERPRINT, space.fingerprint)
    elif known != space.fingerprint:
        raise ValueError(
            f"{path} holds a study of another space named {space.name!r}: choose another path"
        )
    if isinstance(sampler, StrategySampler):
        sampler.catch_up(study)
    else:
        _draw_again(study, sampler, space)
    return study


def _draw_again(study: optuna.Study, sampler: Any, space: Space) -> None:
    """Let a sampler propose what the study holds, so that its random numbers go on from there."""
    with quietly():
        before = optuna.create_study(direction="maximize", sampler=sampler)
        for held in study.get_trials(deepcopy=False):
            trial = before.ask(distributions(space))
            for epoch, score in held.intermediate_values.items():
                trial.report(score, epoch)
            if held.state.is_finished():
                complete = held.state == optuna.trial.TrialState.COMPLETE
                before.tell(trial, held.values if complete else None, state=held.state)


def run_study(
    study: optuna.Study, space: Space, estimate: Callable[..., Evaluation], trials: int
) -> Iterator[Trial]:
    """Run a study until it holds so many trials, and yield each, those that were there first.

    A trial that a killed process left unfinished is evaluated before new ones. After every epoch
    the study's pruner is told, and may end the training: its score is then the last one, and its
    metric ``pruned`` is 1.

    The study is one of ``open_study``, with the same space. The estimate is called as
    ``estimate(arch, 0, on_epoch=...)``, a ``TrainJointly`` for one.
    """
    if study.user_attrs.get(FINGERPRINT) != space.fingerprint:
        raise ValueError(f"this study is not one of {space.name}: open it with open_study")
    numbers = range(whole_number("trials", trials, least=0))
    return (_trial(study, space, estimate, number) for number in numbers)


def _trial(
    study: optuna.Study, space: Space, estimate: Callable[..., Evaluation], number: int
) -> Trial:
    """The trial of this number: as the study holds it, or evaluated now."""
    held = study.get_trials(deepcopy=False)
    if number == len(held) or not held[number].state.is_finished():
        with quietly():
            drawn = distributions(space)
            if number == len(held):
                trial = study.ask(drawn)
            else:  # begun, and never told
                trial = optuna.trial.Trial(study, held[number]._trial_id)
                for name, distribution in drawn.items():
                    trial._suggest(name, distribution)  # as ``ask`` does: what it has, it keeps
            _evaluate(study, trial, partial(estimate, _tokens(space, trial.params), 0))
        held = study.get_trials(deepcopy=False)
    ended = held[number]
    pruned = ended.state == optuna.trial.TrialState.PRUNED
    metrics = {"pruned": float(pruned), "epochs": max(ended.intermediate_values, default=0)}
    score = _score(ended, ended.state, ended.values)
    result = Evaluation(score, ended.user_attrs.get(COST, 0.0), metrics)
    return Trial(number, _tokens(space, ended.params), result)


def _evaluate(study: optuna.Study, trial: optuna.Trial, train: Callable[..., Evaluation]) -> None:
    spent = 0.0
    reported = set(study.get_trials(deepcopy=False)[trial.number].intermediate_values)

    def on_epoch(event: EpochEvent) -> None:
        nonlocal spent
        spent = event.curve.seconds[-1]
        if event.epoch not in reported:
            trial.report(event.curve.accuracy, event.epoch)
        if event.epoch < event.epochs and trial.should_prune():
            raise optuna.TrialPruned

    try:
        result = train(on_epoch=on_epoch)
    except optuna.TrialPruned:
        trial.set_user_attr(COST, spent)
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        return
    trial.set_user_attr(COST, result.cost)
    _tell(study, trial.number, result.score)


def _tell(study: optuna.Study, number: int, score: float) -> None:
    state = optuna.trial.TrialState.FAIL if math.isnan(score) else None
    with quietly():
        study.tell(number, score if state is None else None, state=state)


def _tokens(space: Space, params: dict[str, Any]) -> Arch:
    return tuple(int(params[decision.name]) for decision in space.decisions)


def _score(trial: Any, state: Any, values: Sequence[float] | None) -> float:
    """The final score; the last one that was reported where it was cut short; NaN if it failed."""
    if state == optuna.trial.TrialState.PRUNED:
        return float(trial.intermediate_values[max(trial.intermediate_values)])
    return float(values[0]) if values else math.nan
