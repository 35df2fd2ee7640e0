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

    Options that are numbers in rising order have an order for Optuna too; others are categories.

    Raises:
        ValueError: some answers of this space exclude others, or two decisions share a name.
    """
    if space.size != math.prod(len(decision.options) for decision in space.decisions):
        raise ValueError(
            f"{space.name} excludes combinations of answers, which Optuna's samplers do not know: "
            "choose another space"
        )
    drawn: dict[str, optuna.distributions.BaseDistribution] = {}
    for decision in space.decisions:
        options = decision.options
        numbers = all(type(option) in (int, float) for option in options)
        if numbers and list(options) == sorted(options):
            drawn[decision.name] = optuna.distributions.IntDistribution(0, len(options) - 1)
        else:
            drawn[decision.name] = optuna.distributions.CategoricalDistribution(range(len(options)))
    return drawn


class OptunaSearch(SeededStrategy):
    """Optuna's tree-structured Parzen estimator as a strategy.

    J. Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NIPS 2011::

        search(OptunaSearch(space, seed=0), estimate, 100)

    Args:
        space: the space to search, without excluded combinations.
        seed: of the sampler.

    A failed trial, with a score of NaN, is told as failed.
    """

    def __init__(self, space: Space, *, seed: int = 0) -> None:
        super().__init__(space, seed=seed)
        self._distributions = distributions(space)
        with quietly():
            sampler = optuna.samplers.TPESampler(seed=self.seed)
            self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._asked: list[optuna.Trial] = []

    def ask(self, n: int) -> list[Arch]:
        """Trials of the study, as architectures."""
        with quietly():
            self._asked = [
                self._study.ask(self._distributions) for _ in range(whole_number("n", n))
            ]
        return [_tokens(self.space, trial.params) for trial in self._asked]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Hand the scores to the study."""
        for asked, trial in zip(self._asked, trials, strict=True):
            _tell(self._study, asked.number, trial.result.score)


class StrategySampler(optuna.samplers.BaseSampler):
    """One of our strategies as an Optuna sampler.

    Trials that a study holds already are asked for again, and told, before it goes on
    (``catch_up``, which ``open_study`` calls); so a study from a file continues as if it had never
    stopped.

    Args:
        strategy: asked for one architecture at a time. One that trains in steps, as Hyperband
            does, has no place here: give the study a pruner.

    Raises:
        TypeError: the strategy trains in steps.
    """

    def __init__(self, strategy: Strategy) -> None:
        if getattr(strategy, "fidelity", {}):
            raise TypeError(
                f"{type(strategy).__name__} trains in steps: take optuna.pruners.HyperbandPruner"
            )
        self.strategy = strategy
        self._asked: list[Arch] = []
        self._told = 0

    def catch_up(self, study: optuna.Study) -> None:
        """Ask for, and tell, what the study holds already.

        Raises:
            ValueError: it holds what this strategy would not have asked for.
        """
        for trial in study.get_trials(deepcopy=False)[self._told :]:
            if not trial.state.is_finished():
                return
            self._tell(trial, _score(trial, trial.state, trial.values))

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
        """All decisions are drawn at once."""
        return distributions(self.strategy.space)

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
        """Ask the strategy.

        Raises:
            ValueError: the study holds trials that the strategy was not told of.
        """
        if trial.number != len(self._asked):
            raise ValueError(f"trial {trial.number} comes too early: begin with open_study")
        names = (decision.name for decision in self.strategy.space.decisions)
        return dict(zip(names, self._ask(), strict=True))

    def sample_independent(self, study: Any, trial: Any, param_name: str, _: Any) -> Any:
        """Refuse: the objective asks for a decision that the space does not have.

        Raises:
            ValueError: always.
        """
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
    """A study that maximises, in memory or in a file to which every step is written at once.

    Args:
        space: what is searched.
        sampler: one of Optuna's, or a ``StrategySampler``.
        pruner: ends trainings that promise little; None lets all go to the end.
        path: a journal; where it exists, its study is continued.

    Raises:
        ValueError: the file holds a study of another space, or of another strategy.
    """
    with quietly():
        storage = None
        if path is not None:
            backend = JournalFileBackend(os.fspath(path))
            storage = optuna.storages.JournalStorage(backend)
        study = optuna.create_study(
            storage=storage,
            sampler=sampler,
            pruner=pruner or optuna.pruners.NopPruner(),
            study_name=space.name,
            direction="maximize",
            load_if_exists=True,
        )
    known = study.user_attrs.get(FINGERPRINT)
    if known is None:
        study.set_user_attr(FINGERPRINT, space.fingerprint)
    elif known != space.fingerprint:
        raise ValueError(
            f"{path} holds a study of another space named {space.name!r}: choose another path"
        )
    if isinstance(sampler, StrategySampler):
        sampler.catch_up(study)
    return study


def run_study(
    study: optuna.Study,
    space: Space,
    estimate: Callable[..., Evaluation],
    trials: int,
    *,
    seed: int = 0,
) -> Iterator[Trial]:
    """Run a study until it holds so many trials, and yield each, those that were there first.

    A trial that a killed process left unfinished is evaluated before new ones. After every epoch
    the study's pruner is told, and may end the training: its score is then the last one, and its
    metric ``pruned`` is 1.

    Args:
        study: of ``open_study``, with the same space.
        space: what is searched.
        estimate: called as ``estimate(arch, seed, on_epoch=...)``, a ``TrainJointly`` for one.
        trials: of the study in all.
        seed: handed to every ``estimate``.

    Raises:
        ValueError: the study does not belong to this space.
    """
    if study.user_attrs.get(FINGERPRINT) != space.fingerprint:
        raise ValueError(f"this study is not one of {space.name}: open it with open_study")
    trials = whole_number("trials", trials, least=0)
    return _run(study, space, estimate, trials, seed)


def _run(
    study: optuna.Study, space: Space, estimate: Callable[..., Evaluation], trials: int, seed: int
) -> Iterator[Trial]:
    drawn = distributions(space)
    for number in range(trials):
        held = study.get_trials(deepcopy=False)
        if number < len(held) and held[number].state.is_finished():
            yield _as_trial(space, held[number])
            continue
        with quietly():
            if number < len(held):  # begun, and never told
                trial = optuna.trial.Trial(study, held[number]._trial_id)
                for name, distribution in drawn.items():
                    _suggest(trial, name, distribution)
            else:
                trial = study.ask(drawn)
            _evaluate(study, trial, estimate, _tokens(space, trial.params), seed)
        yield _as_trial(space, study.get_trials(deepcopy=False)[number])


def _suggest(trial: optuna.Trial, name: str, distribution: Any) -> None:
    """Answer a decision; where the trial has its answer already, that is the one."""
    if isinstance(distribution, optuna.distributions.IntDistribution):
        trial.suggest_int(name, distribution.low, distribution.high)
    else:
        trial.suggest_categorical(name, distribution.choices)


def _evaluate(
    study: optuna.Study,
    trial: optuna.Trial,
    estimate: Callable[..., Evaluation],
    arch: Arch,
    seed: int,
) -> None:
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
        result = estimate(arch, seed, on_epoch=on_epoch)
    except optuna.TrialPruned:
        trial.set_user_attr(COST, spent)
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        return
    trial.set_user_attr(COST, result.cost)
    _tell(study, trial.number, result.score)


def _tell(study: optuna.Study, number: int, score: float) -> None:
    with quietly():
        if math.isnan(score):
            study.tell(number, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(number, score)


def _tokens(space: Space, params: dict[str, Any]) -> Arch:
    return tuple(int(params[decision.name]) for decision in space.decisions)


def _score(trial: Any, state: Any, values: Sequence[float] | None) -> float:
    """The final score; the last one that was reported where it was cut short; NaN if it failed."""
    if state == optuna.trial.TrialState.PRUNED:
        return float(trial.intermediate_values[max(trial.intermediate_values)])
    return float(values[0]) if values else math.nan


def _as_trial(space: Space, trial: Any) -> Trial:
    pruned = trial.state == optuna.trial.TrialState.PRUNED
    metrics = {"pruned": float(pruned), "epochs": max(trial.intermediate_values, default=0)}
    score = _score(trial, trial.state, trial.values)
    result = Evaluation(score, trial.user_attrs.get(COST, 0.0), metrics)
    return Trial(trial.number, _tokens(space, trial.params), result)
