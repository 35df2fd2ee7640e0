"""Let strategies race on a table, step by step or by themselves, and watch the policy sharpen."""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache, partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
import traitlets

from nas_lab import plots
from nas_lab import strategies as searching
from nas_lab.estimation import Table
from nas_lab.history import Trial
from nas_lab.plots import label
from nas_lab.spaces import Arch
from nas_lab.strategies import Strategy, search
from nas_lab.widgets.base import (
    MovingPicture,
    Number,
    Offer,
    Play,
    Playing,
    PlayingView,
    Widget,
    pair,
    row,
)

BUDGET = 0.05  # seconds of searching between two pictures, so that a click never waits for long
SHOWN = 0.9  # share of the table's architectures whose accuracies have room in the picture
EVOLUTION = {"population": 10, "sample": 3}
"""As in NAS-Bench-201 (Dong & Yang 2020): a short race has no time for more."""
PACE = 3  # trials between two pictures of a running race
DRAWN = 256  # architectures over which the policy is averaged: a standard error of at most 0.03
TICKED = ("RandomSearch", "RegularizedEvolution", "Reinforce")
"""What races unless told otherwise, by the names of the classes."""
STRATEGIES = (*TICKED, "LocalSearch")  # what can race


class Runner(NamedTuple):
    """A search under way: where its next trial comes from, and those that it did so far."""

    strategy: Strategy
    going: Iterator[Trial]
    trials: list[Trial]


class Policy(NamedTuple):
    """Mean probabilities [D, K] of a controller, its entropy in nats, and what it wrote last."""

    w: np.ndarray
    entropy: float
    arch: Arch | None


class RaceState(Playing):
    """A race of strategies on a table, trial by trial.

    All follows from the kept traits: a strategy that is ticked in the middle, a controller with
    other settings, or another seed begin anew and catch up to ``trials``. So a state of which
    nothing is ``missing`` is the same whichever way it was come by.

    Args:
        table: what evaluates; None takes the one that comes with the kit.
        strategies: those that are ticked, names of ``STRATEGIES``.
        learning_rate, entropy, batch: of the controller, see ``strategies.Reinforce``.
        trials: how many each of them has done.
        seed: of all strategies.
        end: after so many trials the race is over.
    """

    strategies = traitlets.List(traitlets.Enum(STRATEGIES)).tag(keep=True)
    learning_rate = Number(0.01, 0.0).tag(keep=True)
    entropy = Number(0.01, 0.0).tag(keep=True)
    batch = traitlets.Int(4, min=1).tag(keep=True)
    trials = traitlets.Int(30, min=0).tag(keep=True)
    seed = traitlets.Int(0, min=0).tag(keep=True)
    end = traitlets.Int(300, min=1).tag(keep=True)
    changes = traitlets.Int(0).tag(doc="how often a search did a trial or began anew")

    def __init__(
        self, table: Table | None = None, *, strategies: Iterable[str] = TICKED, **settings: Any
    ) -> None:
        self.table = table or Table.load()
        self._runners: dict[str, Runner] = {}
        self._policy = lru_cache(maxsize=1)(self._mean_policy)
        super().__init__(strategies=list(strategies), **settings)
        self.catch_up()
        self.message = "Press Run, or Step."

    @traitlets.validate("strategies")
    def _in_order(self, proposal: traitlets.Bunch) -> list[str]:
        return [name for name in STRATEGIES if name in proposal["value"]]

    @traitlets.validate("trials")
    def _check_trials(self, proposal: traitlets.Bunch) -> int:
        if proposal["value"] > self.end:
            raise traitlets.TraitError(f"the race ends after {self.end} trials")
        return proposal["value"]

    def move(self, name: str, value: Any) -> None:
        """Set a trait; or tick or untick the strategy of that name."""
        (self.toggle if name in STRATEGIES else super().move)(name, value)

    def toggle(self, name: str, ticked: bool) -> None:
        """Tick or untick a strategy."""
        others = [other for other in self.strategies if other != name]
        self.strategies = [*others, name] if ticked else others

    def runner(self, name: str) -> Runner:
        """The search of a strategy. With the same seed, evolution begins as random search does."""
        if name not in self._runners:
            learner = {n: getattr(self, n) for n in ("learning_rate", "entropy", "batch")}
            settings = {"RegularizedEvolution": EVOLUTION, "Reinforce": learner}.get(name, {})
            strategy = getattr(searching, name)(self.table.space, seed=self.seed, **settings)
            self._runners[name] = Runner(strategy, search(strategy, self.table, self.end), [])
        return self._runners[name]

    def scores(self, name: str) -> list[float]:
        """Validation accuracies of a strategy's trials, in their order."""
        return [trial.result.score for trial in self.runner(name).trials]

    def _done(self, name: str) -> int:
        return len(self.runner(name).trials)

    @property
    def missing(self) -> int:
        """Trials that the ticked strategies have still to do."""
        return sum(max(0, self.trials - self._done(name)) for name in self.strategies)

    @property
    def busy(self) -> bool:
        """Whether there is something to do for ``tick``."""
        return self.running or self.missing > 0

    def catch_up(self, seconds: float = math.inf) -> bool:
        """Do what is missing, the hindmost first, for about so long; whether all is done."""
        with self.lock:
            stop = time.monotonic() + seconds
            while self.missing and time.monotonic() < stop:
                name = min(self.strategies, key=self._done)
                try:
                    self.runner(name).trials.append(next(self.runner(name).going))
                except Exception:
                    self._drop(name)  # what broke inside of a generator cannot go on
                    raise
                self.changes += 1
            return not self.missing

    @traitlets.observe("seed", "learning_rate", "entropy", "batch", "trials")
    def _begin_anew(self, change: traitlets.Bunch) -> None:
        """Drop the searches that another setting makes wrong, or that are ahead."""
        if change["name"] == "trials":
            self._drop(*(name for name in self._runners if self._done(name) > self.trials))
        elif change["name"] == "seed":
            self._drop(*self._runners)
        else:
            self._drop("Reinforce")
            self.message = "The controller begins anew with these settings, and catches up."

    def _drop(self, *names: str) -> None:
        for name in names:
            self._runners.pop(name, None)
        self.changes += len(names)

    def step(self) -> None:
        """Pause, and let each ticked strategy do one trial more."""
        with self.hold_trait_notifications():
            self.running = False
            if self._can_go_on():
                self.trials += 1
                self.catch_up()
                last = ((label(name), self.scores(name)[-1]) for name in self.strategies)
                said = ", ".join(f"{name} {_percent(score)}" for name, score in last)
                self.message = f"Trial {self.trials} alone: {said}."

    def run(self) -> None:
        """Go on by itself, as far as someone calls ``tick``; after the end, from the start."""
        if self.trials == self.end:
            self.reset()
        if self._can_go_on():
            self.update(running=True, message="Running.")

    def _can_go_on(self) -> bool:
        if not self.strategies:
            self.message = "Tick a strategy first."
        elif self.trials == self.end:
            self.message = f"The race is over: {self.end} trials. Reset, or take the next seed."
        return bool(self.strategies) and self.trials < self.end

    def halt(self) -> None:
        """Do at once what is missing, where no event loop ticks."""
        super().halt()
        self.catch_up()

    def reset(self) -> None:
        """Go back to the start; settings, seed and ticks stay."""
        with self.hold_trait_notifications():
            self._drop(*self._runners)
            self.update(running=False, trials=0, message="Back at the start.")

    def next_seed(self) -> None:
        """Take the next seed: the race is run again, to where it is."""
        said = f"The same race with seed {self.seed + 1}. Does the same one win?"
        self.update(seed=self.seed + 1, message=said)

    def tick(self, passed: float, seconds: float = BUDGET) -> None:
        """Catch up, and when it is running go on, for about so many seconds."""
        with self.hold_trait_notifications():
            if self.running and not self.strategies:
                self.update(running=False, message="Tick a strategy first.")
            if self.running and not self.missing:
                self.trials = min(self.trials + PACE, self.end)
            if self.catch_up(seconds) and self.running and self.trials == self.end:
                self.update(running=False, message=f"The race is over: {self.end} trials.")

    @cached_property
    def best(self) -> float:
        """The highest validation accuracy in the table."""
        return float(np.nanmax(self.table.scores()))

    @property
    def policy(self) -> Policy | None:
        """What the controller wrote its last trial with; None when it is not ticked."""
        return self._policy(self.changes) if "Reinforce" in self.strategies else None

    def _mean_policy(self, changes: int) -> Policy:
        """Means over what the controller draws."""
        import torch

        from nas_lab.strategies.reinforce import entropy

        runner: Any = self.runner("Reinforce")
        controller = runner.strategy.controller
        with torch.no_grad():
            log_p = controller(controller.sample(DRAWN, np.random.default_rng(0)))
            w, nats = log_p.exp().mean(dim=0).numpy(), float(entropy(log_p).mean())
        return Policy(w, nats, runner.trials[-1].arch if runner.trials else None)

    @property
    def words(self) -> str:
        """How far the race is, and how good each strategy's best is, the best first."""
        if not self.strategies:
            return "no strategy is ticked"
        bests = {name: np.fmax.reduce(self.scores(name) or [math.nan]) for name in self.strategies}
        said = []
        for name in sorted(bests, key=lambda name: -np.nan_to_num(bests[name])):
            done = self._done(name)
            behind = f" (catching up: trial {done})" if done < self.trials else ""
            said.append(f"{label(name)} {_percent(bests[name])}{behind}")
        return f"after {self.trials} trials with seed {self.seed}: {', '.join(said)}"

    @property
    def details(self) -> list[str]:
        """What the trials would have cost without a table, and how sure the controller is."""
        done = [trial for name in self.strategies for trial in self.runner(name).trials]
        minutes = sum(trial.result.cost for trial in done) / 60
        paid = f"{len(done):,} trainings, {minutes:.1f} minutes of one core by the table's record"
        paid += f"; the best of the table has {self.best:.1%}"
        policy, size = self.policy, self.table.space.size
        if policy is None:
            return [paid, "tick REINFORCE to see its policy"]
        nats = f"{policy.entropy:.1f} of {math.log(size):.1f} nats"
        free = f"a free choice among {math.exp(policy.entropy):,.0f} of {size:,} cells"
        return [paid, f"entropy of the policy {nats}, that of {free}"]


def _percent(score: float) -> str:
    return "none" if math.isnan(score) else f"{score:.1%}"


class LiveRace(PlayingView):
    """A race on a table: step, run, pause, reset, the next seed, and sliders for the controller.
    A strategy that is ticked in the middle, or a controller with other settings, catches up with
    the others. The race runs in the kernel's own event loop, between cells. A new one pauses those
    before it."""

    State = RaceState
    HINT = (
        "Dots are trials, lines the best so far, rings the cell that the controller wrote last. "
        "Who is ahead early, who late, and with the next seed? A slider lets the controller begin "
        "anew: try entropy weight 0. (By keyboard: Tab, Space, arrow keys.)"
    )
    START = "Run"
    THING = "race"
    QUIET = "words"
    DRAWN = ("changes", "trials", "strategies")
    PLAY = Play(
        "A race of searches",
        "Dots are trials, lines the best so far. Who is ahead early, who late, and who with "
        "another seed?",
        "03_reinforce.ipynb#6-A-race-to-watch",
        {
            "trials": Offer("trials", {str(n): n for n in range(0, 301, 10)}),
            **{name: Offer(label(name), {"": False, "ticked": True}) for name in STRATEGIES},
        },
        lambda seed: LiveRace(seed=seed, trials=0),
        {"seed": Offer("seed", {str(seed): seed for seed in range(3)})},
        track="trials",
        layers=STRATEGIES,
        first={"trials": 60, **{name: name in TICKED for name in STRATEGIES}},
    )
    _before: ClassVar[weakref.WeakSet[LiveRace]] = weakref.WeakSet()

    def _build(self) -> list[Widget]:
        for other in list(self._before):
            other.model.pause()  # the same cell, run again, leaves no race that nobody sees
        self._before.add(self)
        model = self.model
        buttons = (
            self.play_button("let the race go on by itself"),
            self.button("Step", model.step, "one trial more for each strategy"),
            self.reset_button("back to trial 0 with these settings and this seed"),
            self.button("Next seed", model.next_seed, "the same race with other random numbers"),
        )
        look: dict[str, Any] = {"width": "270px", "continuous_update": False}
        weights = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1)
        sliders = (
            self.choice("learning_rate", weights[1:], "learning rate", **look),
            self.choice("entropy", weights, "entropy weight", **look),
            self.choice("batch", (1, 2, 4, 8, 16, 32), "batch", **look),
        )
        figure, left, right = pair(9.2, 3.9, 1.35, 1)
        plots.chart(left, "Which search is ahead?", "trials", "validation accuracy")
        plots.chart(right, "What does the policy w favour?", "", "")
        low = float(np.nanquantile(model.table.scores(), 1 - SHOWN))
        self._lines = plots.RaceLines(left, STRATEGIES, model.end, model.best, low)
        self._w = plots.PolicyMatrix(right, model.table.space)
        self._picture = MovingPicture(figure, self._lines, self._w, dpi=120)
        boxes = [self._box(name) for name in STRATEGIES]
        return [row(*buttons, *boxes), row(*sliders), self._words, self._message, self._picture]

    def _box(self, name: str) -> Widget:
        model, margin = self.model, "2px 2px 2px 16px"
        toggle = partial(model.toggle, name)
        return self.checkbox(label(name), margin, lambda: name in model.strategies, toggle)

    def _draw(self) -> None:
        model, policy = self.model, self.model.policy
        self._lines.update({name: model.scores(name) for name in model.strategies})
        self._w.update(*(policy.w, policy.arch) if policy else (None, None))
        said = f"{model.words}. The policy w: {model.details[-1]}."
        self._picture.draw(f"Best accuracy by trials: {said}")
