"""Let strategies race on a table, step by step or by themselves, and watch the policy sharpen."""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from typing import Any, ClassVar, NamedTuple

import ipywidgets
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
    Playing,
    PlayingView,
    Words,
    button,
    pair,
    row,
)

BUDGET = 0.05
"""Seconds of searching between two pictures, so that a click never waits for long."""
SHOWN = 0.9
"""Share of the table's architectures whose accuracies have room in the picture."""

POPULATION, TOURNAMENT = 10, 3
"""Of evolution, as in NAS-Bench-201 (Dong & Yang 2020): a short race has no time for more."""
PACE = 3
"""Trials between two pictures of a running race."""
DRAWN = 256
"""Architectures over which the policy is averaged: a standard error of at most 0.03."""

TICKED = ("RandomSearch", "RegularizedEvolution", "Reinforce")
"""What races unless told otherwise, by the names of the classes."""
STRATEGIES = (*TICKED, "LocalSearch")
"""What can race."""


class Runner(NamedTuple):
    """A search under way: where its next trial comes from, and those that it did so far."""

    strategy: Strategy
    going: Iterator[Trial]
    trials: list[Trial]


class Policy(NamedTuple):
    """What a controller would write: mean probabilities w [D, K], with its entropy in nats.

    ``arch`` is what it wrote last; None before the first trial.
    """

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

    Raises:
        ValueError, traitlets.TraitError: a strategy that is not known, or a number out of range.
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
        self,
        table: Table | None = None,
        *,
        strategies: Iterable[str] = TICKED,
        **settings: Any,
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

    # ---- the searches ------------------------------------------------------------------------

    def runner(self, name: str) -> Runner:
        """The search of a strategy; a new one when it has not begun.

        As all have the same seed, evolution begins with random search's cells.
        """
        if name not in self._runners:
            settings: dict[str, Any] = {}
            if name == "RegularizedEvolution":
                settings = {"population": POPULATION, "sample": TOURNAMENT}
            if name == "Reinforce":
                settings = {n: getattr(self, n) for n in ("learning_rate", "entropy", "batch")}
            strategy = getattr(searching, name)(self.table.space, seed=self.seed, **settings)
            self._runners[name] = Runner(strategy, search(strategy, self.table, self.end), [])
        return self._runners[name]

    def scores(self, name: str) -> list[float]:
        """Validation accuracies of a strategy's trials, in their order."""
        return [trial.result.score for trial in self.runner(name).trials]

    @property
    def missing(self) -> int:
        """Trials that the ticked strategies have still to do."""
        done = (len(self.runner(name).trials) for name in self.strategies)
        return sum(max(0, self.trials - trials) for trials in done)

    @property
    def busy(self) -> bool:
        """Whether there is something to do for ``tick``."""
        return self.running or self.missing > 0

    def catch_up(self, seconds: float = math.inf) -> bool:
        """Do what is missing, the hindmost first; stop after about so many seconds.

        Returns:
            Whether nothing is missing any more.

        Raises:
            Exception: what a strategy or the table raised; that strategy begins anew.
        """
        with self.lock:
            stop = time.monotonic() + seconds
            while self.missing and time.monotonic() < stop:
                name = min(self.strategies, key=lambda n: len(self.runner(n).trials))
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
            self._drop(*(n for n, r in self._runners.items() if len(r.trials) > self.trials))
        elif change["name"] == "seed":
            self._drop(*self._runners)
        else:
            self._drop("Reinforce")
            self.message = "The controller begins anew with these settings, and catches up."

    def _drop(self, *names: str) -> None:
        for name in names:
            self._runners.pop(name, None)
        self.changes += len(names)

    # ---- what can be done --------------------------------------------------------------------

    def step(self) -> None:
        """Pause, and let each ticked strategy do one trial more."""
        with self.hold_trait_notifications():
            self.running = False
            if self._can_go_on():
                self.trials += 1
                self.catch_up()
                self.message = self._last_words

    def run(self) -> None:
        """Go on by itself, as far as someone calls ``tick``; after the end, from the start."""
        if self.trials == self.end:
            self.reset()
        if self._can_go_on():
            with self.hold_trait_notifications():
                self.running, self.message = True, "Running."

    def halt(self) -> None:
        """Do at once what is missing, where no clock ticks."""
        super().halt()
        self.catch_up()

    def reset(self) -> None:
        """Go back to the start; settings, seed and ticks stay."""
        with self.hold_trait_notifications():
            self._drop(*self._runners)
            self.running, self.trials = False, 0
            self.message = "Back at the start."

    def next_seed(self) -> None:
        """Take the next seed: the race is run again, to where it is."""
        with self.hold_trait_notifications():
            self.seed += 1
            self.message = f"The same race with seed {self.seed}. Does the same one win?"

    def tick(self, passed: float, seconds: float = BUDGET) -> None:
        """Catch up, and when it is running go on, for about so many seconds."""
        with self.hold_trait_notifications():
            if self.running and not self.missing:
                self.trials = min(self.trials + PACE, self.end)
            if self.catch_up(seconds) and self.running and self.trials == self.end:
                self.running, self.message = False, f"The race is over: {self.end} trials."

    def _can_go_on(self) -> bool:
        if not self.strategies:
            self.message = "Tick a strategy first."
        elif self.trials == self.end:
            self.message = f"The race is over: {self.end} trials. Reset, or take the next seed."
        return bool(self.strategies) and self.trials < self.end

    # ---- what follows ------------------------------------------------------------------------

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
        bests = {name: _best(self.scores(name)) for name in self.strategies}
        ranked = sorted(bests, key=lambda name: -np.nan_to_num(bests[name]))
        said = ", ".join(f"{label(n)} {_percent(bests[n])}{self._behind(n)}" for n in ranked)
        return f"after {self.trials} trials with seed {self.seed}: {said}"

    @property
    def details(self) -> list[str]:
        """What the trials would have cost without a table, and how sure the controller is."""
        done = [trial for name in self.strategies for trial in self.runner(name).trials]
        minutes = sum(trial.result.cost for trial in done) / 60
        paid = (
            f"{len(done)} trainings, {minutes:.1f} minutes of one core by the table's record; "
            f"the best of the table has {self.best:.1%}"
        )
        if self.policy is None:
            return [paid, "tick REINFORCE to see its policy"]
        size, nats = self.table.space.size, self.policy.entropy
        sure = (
            f"entropy of the policy {nats:.1f} of {math.log(size):.1f} nats, that of a "
            f"free choice among {math.exp(nats):,.0f} of {size:,} cells"
        )
        return [paid, sure]

    def _behind(self, name: str) -> str:
        done = len(self.runner(name).trials)
        return f" (catching up: trial {done})" if done < self.trials else ""

    @property
    def _last_words(self) -> str:
        last = {name: self.scores(name)[-1] for name in self.strategies}
        said = ", ".join(f"{label(name)} {_percent(score)}" for name, score in last.items())
        return f"Trial {self.trials} alone: {said}."


def _best(scores: list[float]) -> float:
    return max((score for score in scores if not math.isnan(score)), default=math.nan)


def _percent(score: float) -> str:
    return "none" if math.isnan(score) else f"{score:.1%}"


class LiveRace(PlayingView):
    """A race on a table: step, run, pause, reset, the next seed, and sliders for the controller.

    A strategy that is ticked in the middle, or a controller with other settings, catches up with
    the others. The race runs in the kernel's own event loop, between cells. A new one pauses those
    before it.
    """

    State = RaceState
    HINT = (
        "Dots are trials, lines the best so far, rings the cell that the controller wrote last. "
        "Who is ahead early, who late, and with the next seed? A slider lets the controller begin "
        "anew: try entropy weight 0. (By keyboard: Tab, Space, arrow keys.)"
    )
    START = "Run"
    THING = "race"
    DRAWN = ("changes", "trials", "strategies")
    _before: ClassVar[weakref.WeakSet[LiveRace]] = weakref.WeakSet()

    def build(self) -> list[ipywidgets.Widget]:
        """Buttons, boxes and sliders above words and charts."""
        for other in list(self._before):
            other.model.pause()  # the same cell, run again, leaves no race that nobody sees
        self._before.add(self)
        model = self.model
        buttons = (
            self.play_button("let the race go on by itself"),
            button("Step", model.step, "one trial more for each strategy"),
            self.reset_button("back to trial 0 with these settings and this seed"),
            button("Next seed", model.next_seed, "the same race with other random numbers"),
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
        self._words = Words(aloud=False)
        boxes = [self._box(name) for name in STRATEGIES]
        return [row(*buttons, *boxes), row(*sliders), self._words, self._message, self._picture]

    def _box(self, name: str) -> ipywidgets.ValueWidget:
        model = self.model

        def tick(ticked: bool) -> None:
            others = [other for other in model.strategies if other != name]
            model.strategies = [*others, name] if ticked else others

        return self.checkbox(
            label(name), "2px 2px 2px 16px", lambda: name in model.strategies, tick
        )

    def draw(self) -> None:
        """Draw the lines of the strategies, and the policy."""
        model, policy = self.model, self.model.policy
        self._lines.update({name: model.scores(name) for name in model.strategies})
        self._w.update(*(policy.w, policy.arch) if policy else (None, None))
        self._picture.draw(
            f"Best accuracy by trials: {model.words}. The policy w: {model.details[-1]}."
        )
