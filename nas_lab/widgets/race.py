"""Let strategies race on a table, step by step or by themselves, and watch the policy sharpen."""

from __future__ import annotations

import math
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

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
    Clock,
    MovingPicture,
    State,
    View,
    Words,
    button,
    checkbox,
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


@dataclass(frozen=True, eq=False)
class Runner:
    """A search under way.

    Attributes:
        strategy: what proposes.
        going: where its next trial comes from.
        trials: what it did so far.
    """

    strategy: Strategy
    going: Iterator[Trial]
    trials: list[Trial]


@dataclass(frozen=True, eq=False)
class Policy:
    """What a controller would write.

    Attributes:
        w: probability of each option of each decision, [D, K].
        entropy: of the distribution over architectures, in nats.
        arch: what it wrote last; None before the first trial.
    """

    w: np.ndarray
    entropy: float
    arch: Arch | None


class RaceState(State):
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

    strategies = traitlets.List(traitlets.Unicode()).tag(keep=True)
    learning_rate = traitlets.Float(0.01, min=0).tag(keep=True)
    entropy = traitlets.Float(0.01, min=0).tag(keep=True)
    batch = traitlets.Int(4, min=1).tag(keep=True)
    trials = traitlets.Int(30, min=0).tag(keep=True)
    seed = traitlets.Int(0, min=0).tag(keep=True)
    end = traitlets.Int(300, min=1).tag(keep=True)
    running = traitlets.Bool(False).tag(doc="whether the race goes on by itself")
    changes = traitlets.Int(0).tag(doc="how often a search did a trial or began anew")

    def __init__(
        self,
        table: Table | None = None,
        *,
        strategies: Iterable[str] = TICKED,
        **settings: Any,
    ) -> None:
        self.table = Table.load() if table is None else table
        self._runners: dict[str, Runner] = {}
        self.lock = threading.RLock()  # JupyterLab may handle clicks in another thread than cells
        super().__init__(strategies=list(strategies), **settings)
        self.catch_up()
        self.message = "Press Run, or Step."

    @traitlets.validate("strategies")
    def _check_strategies(self, proposal: traitlets.Bunch) -> list[str]:
        unknown = [name for name in proposal["value"] if name not in STRATEGIES]
        if unknown:
            raise ValueError(
                f"no strategy {unknown[0]!r} can race: choose of {', '.join(STRATEGIES)}"
            )
        return [name for name in STRATEGIES if name in proposal["value"]]

    @traitlets.validate("learning_rate", "entropy")
    def _check_finite(self, proposal: traitlets.Bunch) -> float:
        if not math.isfinite(proposal["value"]):
            raise traitlets.TraitError(f"{proposal['trait'].name} must be finite")
        return proposal["value"]

    @traitlets.validate("trials")
    def _check_trials(self, proposal: traitlets.Bunch) -> int:
        if proposal["value"] > self.end:
            raise traitlets.TraitError(f"the race ends after {self.end} trials")
        return proposal["value"]

    # ---- the searches ------------------------------------------------------------------------

    def runner(self, name: str) -> Runner:
        """The search of a strategy; a new one when it has not begun."""
        if name not in self._runners:
            strategy = self._strategy(name)
            self._runners[name] = Runner(strategy, search(strategy, self.table, self.end), [])
        return self._runners[name]

    def _strategy(self, name: str) -> Strategy:
        """A new one. As all have the same seed, evolution begins with random search's cells."""
        of = {"learning_rate": self.learning_rate, "entropy": self.entropy, "batch": self.batch}
        settings: dict[str, dict[str, Any]] = {
            "RandomSearch": {},
            "LocalSearch": {},
            "RegularizedEvolution": {"population": POPULATION, "sample": TOURNAMENT},
            "Reinforce": of,
        }
        return getattr(searching, name)(self.table.space, seed=self.seed, **settings[name])

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
                self._advance(min(self.strategies, key=lambda n: len(self.runner(n).trials)))
            return not self.missing

    def _advance(self, name: str) -> None:
        """One trial more of one strategy."""
        runner = self.runner(name)
        try:
            runner.trials.append(next(runner.going))
        except Exception:
            self._drop(name)  # what broke inside of a generator cannot go on
            raise
        self.changes += 1

    @traitlets.observe("seed")
    def _begin_anew(self, change: traitlets.Bunch) -> None:
        self._drop(*self._runners)

    @traitlets.observe("learning_rate", "entropy", "batch")
    def _begin_controller_anew(self, change: traitlets.Bunch) -> None:
        self._drop("Reinforce")
        self.message = "The controller begins anew with these settings, and catches up."

    @traitlets.observe("trials")
    def _go_back(self, change: traitlets.Bunch) -> None:
        self._drop(*(n for n, r in self._runners.items() if len(r.trials) > self.trials))

    def _drop(self, *names: str) -> None:
        for name in names:
            self._runners.pop(name, None)
        self.changes += 1

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

    def pause(self) -> None:
        """Stay where it is."""
        if self.running:
            with self.hold_trait_notifications():
                self.running, self.message = False, "Paused."

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

    def tick(self, seconds: float) -> None:
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
        if "Reinforce" not in self.strategies:
            return None
        runner = self.runner("Reinforce")
        w, entropy = _policy(runner.strategy.controller)
        return Policy(w, entropy, runner.trials[-1].arch if runner.trials else None)

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
    def cost_words(self) -> str:
        """What the trials would have cost without a table, and what there is to reach."""
        done = [trial for name in self.strategies for trial in self.runner(name).trials]
        minutes = sum(trial.result.cost for trial in done) / 60
        return (
            f"{len(done)} trainings, {minutes:.1f} minutes of one core by the table's record; "
            f"the best of the table has {self.best:.1%}"
        )

    def policy_words(self, policy: Policy | None) -> str:
        """How sure of itself the controller is."""
        if policy is None:
            return "tick REINFORCE to see its policy"
        size = self.table.space.size
        return (
            f"entropy of the policy {policy.entropy:.1f} of {math.log(size):.1f} nats, that of a "
            f"free choice among {math.exp(policy.entropy):,.0f} of {size:,} cells"
        )

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


def _policy(controller: searching.Controller) -> tuple[np.ndarray, float]:
    """Mean probabilities [D, K] and entropy in nats, over what the controller draws."""
    import torch

    from nas_lab import runtime
    from nas_lab.strategies.reinforce import entropy

    with torch.no_grad(), runtime.threads(1):
        log_p = controller(controller.sample(DRAWN, np.random.default_rng(0)))
        return log_p.exp().mean(dim=0).numpy(), float(entropy(log_p).mean())


class LiveRace(View):
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
    _before: ClassVar[weakref.WeakSet[LiveRace]] = weakref.WeakSet()

    def build(self) -> list[ipywidgets.Widget]:
        """Buttons, boxes and sliders above words and charts."""
        for other in list(self._before):
            other.model.pause()  # the same cell, run again, leaves no race that nobody sees
        self._before.add(self)
        self._clock = Clock(self._tick)
        model = self.model
        self._run = button("Run", self._run_or_pause, "let the race go on by itself", "primary")
        self._run.layout.width = "76px"
        buttons = (
            self._run,
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
        self._message, self._words = Words(), Words(aloud=False)
        boxes = [self._box(name) for name in STRATEGIES]
        self.shows(lambda: self._message.say(model.message), "message")
        self.shows(self._draw, "changes", "trials", "strategies")
        return [row(*buttons, *boxes), row(*sliders), self._words, self._message, self._picture]

    def _box(self, name: str) -> ipywidgets.Checkbox:
        model = self.model

        def tick(ticked: bool) -> None:
            others = [other for other in model.strategies if other != name]
            model.strategies = [*others, name] if ticked else others

        box = checkbox(label(name), "2px 2px 2px 16px")
        return self.bind(box, lambda: name in model.strategies, tick)

    def _run_or_pause(self) -> None:
        (self.model.pause if self.model.running else self.model.run)()

    def _tick(self) -> bool:
        """Go on for a moment; whether there is more to do."""
        model = self.model
        if self.comm is None:  # closed
            return False
        try:
            with model.lock:
                model.tick(BUDGET)
        except Exception as error:
            model.running = False
            model.message = f"The race stopped: {type(error).__name__}: {error}"
            raise
        return model.busy

    def redraw(self) -> None:
        """Bring controls, picture and words in line with the state, and see that it goes on."""
        model = self.model
        with model.lock:
            self._run.description = "Pause" if model.running else "Run"
            super().redraw()
            if model.busy and not self._clock.start():  # not in a notebook
                model.running = False
                model.catch_up()

    def _draw(self) -> None:
        model = self.model
        policy = model.policy
        w, arch = (None, None) if policy is None else (policy.w, policy.arch)
        self._lines.update({name: model.scores(name) for name in model.strategies})
        self._w.update(w, arch)
        sure = model.policy_words(policy)
        self._words.say(model.words, model.cost_words, sure, strong=True)
        self._picture.draw(f"Best accuracy by trials: {model.words}. The policy w: {sure}.")
