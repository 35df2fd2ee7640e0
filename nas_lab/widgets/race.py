"""Let strategies race on a table, step by step or by themselves, and watch the policy sharpen."""

from __future__ import annotations

import html
import weakref
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, ClassVar

import ipywidgets
import numpy as np
from matplotlib.figure import Figure

from nas_lab import plots
from nas_lab.estimation import Table
from nas_lab.widgets.clock import Clock
from nas_lab.widgets.race_state import STRATEGIES, TICKED, RaceState
from nas_lab.widgets.view import MovingPicture, View, Words, button, row

BUDGET = 0.05
"""Seconds of searching between two pictures, so that a click never waits for long."""
PERIOD = 0.12
"""Seconds from one picture to the next."""
SHOWN = 0.9
"""Share of the table's architectures whose accuracies have room in the picture."""

_HINT = (
    "Dots are trials, lines the best so far, rings the cell that the controller wrote last. Who is "
    "ahead early, who late, and with the next seed? A slider lets the controller begin anew: try "
    "entropy weight 0. (By keyboard: Tab, Space, arrow keys.)"
)
_RATES = (0.001, 0.003, 0.01, 0.03, 0.1)
_WEIGHTS = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1)
_BATCHES = (1, 2, 4, 8, 16, 32)


class LiveRace(View):
    """A race on a table: step, run, pause, reset, the next seed, and sliders for the controller.

    ``w.state`` is a plain dict, and ``LiveRace(**w.state)`` stands where ``w`` does. A strategy
    that is ticked in the middle, or a controller with other settings, catches up with the others.
    The race runs in the kernel's own event loop, between cells. A new one pauses those before it.

    Args:
        table: what evaluates; None takes the one that comes with the kit.
        strategies: those that are ticked: "RandomSearch", "RegularizedEvolution", "Reinforce",
            "LocalSearch".
        learning_rate, entropy, batch: of the controller, see ``strategies.Reinforce``.
        trials: how many each of them has done.
        seed: of all strategies.
        end: after so many trials the race is over.

    Raises:
        ValueError, traitlets.TraitError: a strategy that is not known, or a number out of range.
    """

    model: RaceState
    _before: ClassVar[weakref.WeakSet[LiveRace]] = weakref.WeakSet()

    def __init__(
        self,
        table: Table | None = None,
        *,
        strategies: Iterable[str] = TICKED,
        learning_rate: float = 0.01,
        entropy: float = 0.01,
        batch: int = 4,
        trials: int = 30,
        seed: int = 0,
        end: int = 300,
    ) -> None:
        super().__init__()
        self.model = RaceState(
            table,
            strategies=strategies,
            learning_rate=learning_rate,
            entropy=entropy,
            batch=batch,
            trials=trials,
            seed=seed,
            end=end,
        )
        self._pause_the_others()
        self._clock = Clock(self._tick, PERIOD)
        self._make_controls()
        self._picture = self._make_picture()
        self._drawn: object = None
        self._message, self._words, hint = Words(), ipywidgets.HTML(), Words()
        hint.say(_HINT)
        self.assemble(
            hint,
            row(*self._buttons, *self._boxes.values()),
            row(*self._sliders.values()),
            self._words,
            self._message,
            self._picture,
        )

    def _pause_the_others(self) -> None:
        """The same cell, run again, must not leave a race behind that nobody sees."""
        for other in list(self._before):
            other.model.pause()
        self._before.add(self)

    # ---- controls ----------------------------------------------------------------------------

    def _make_controls(self) -> None:
        model = self.model
        self._run = button("Run", self._run_or_pause, "let the race go on by itself", "primary")
        self._run.layout.width = "76px"
        self._buttons = (
            self._run,
            button("Step", model.step, "one trial more for each strategy"),
            button("Reset", model.reset, "back to trial 0 with these settings and this seed"),
            button("Next seed", model.next_seed, "the same race with other random numbers"),
        )
        self._boxes = {name: self._box(name) for name in STRATEGIES}
        self._sliders = {
            "learning_rate": _slider("learning rate", _RATES),
            "entropy": _slider("entropy weight", _WEIGHTS),
            "batch": _slider("batch", _BATCHES),
        }
        for slider in self._sliders.values():
            slider.observe(self._slide, "value")

    def _box(self, name: str) -> ipywidgets.Checkbox:
        made = ipywidgets.Checkbox(False, description=plots.label(name), indent=False)
        made.layout.width = "auto"
        made.layout.margin = "2px 2px 2px 16px"
        made.observe(partial(self._tick_box, name), "value")
        return made

    def _slide(self, change: Any) -> None:
        name = next(n for n, slider in self._sliders.items() if slider is change["owner"])
        setattr(self.model, name, change["new"])

    def _show(self, slider: ipywidgets.SelectionSlider, value: float) -> None:
        """Put a slider to a value, which it may not have offered so far."""
        values = {offered for _, offered in slider.options}
        if value not in values:
            slider.unobserve(self._slide, "value")  # new options move it to the first of them
            slider.options = [(f"{v:g}", v) for v in sorted({*values, value})]
            slider.value = value
            slider.observe(self._slide, "value")
        slider.value = value

    def _tick_box(self, name: str, change: Any) -> None:
        others = [ticked for ticked in self.model.strategies if ticked != name]
        self.model.strategies = [*others, name] if change["new"] else others

    def _run_or_pause(self) -> None:
        (self.model.pause if self.model.running else self.model.run)()

    # ---- by itself ---------------------------------------------------------------------------

    def _tick(self) -> bool:
        """Go on for a moment; whether there is more to do."""
        if self.comm is None:  # closed
            return False
        try:
            with self.model.lock:
                self.model.tick(BUDGET)
        except Exception as error:
            self._stop(f"The race stopped: {type(error).__name__}: {error}")
            raise
        return self.model.busy

    def _stop(self, why: str) -> None:
        self.model.running = False
        self.model.message = why

    def _go_on(self) -> None:
        """See to it that the clock ticks when there is something to do."""
        if not self.model.busy:
            return
        try:
            self._clock.start()
        except RuntimeError:  # no event loop: not in a notebook
            self.model.running = False
            self.model.catch_up()

    # ---- what is seen ------------------------------------------------------------------------

    def _make_picture(self) -> MovingPicture:
        model = self.model
        figure = Figure(figsize=(9.2, 3.9), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.35, 1))
        plots.chart(left, "Which search is ahead?", "trials", "validation accuracy")
        plots.chart(right, "What does the policy w favour?", "", "")
        low = float(np.nanquantile(model.table.scores(), 1 - SHOWN))
        self._lines = plots.RaceLines(left, STRATEGIES, model.end, model.best, low)
        self._w = plots.PolicyMatrix(right, model.table.space)
        return MovingPicture(figure, [*self._lines.moving, *self._w.moving], dpi=120)

    def redraw(self) -> None:
        """Bring controls, picture and words in line with the state."""
        model = self.model
        with model.lock:
            self._run.description = "Pause" if model.running else "Run"
            for name, box in self._boxes.items():
                box.value = name in model.strategies
            for name, slider in self._sliders.items():
                self._show(slider, getattr(model, name))
            self._message.say(html.escape(model.message))
            now = (model.changes, model.trials, tuple(model.strategies))
            if self._drawn != now:
                self._drawn = now
                self._draw()
            self._go_on()

    def _draw(self) -> None:
        model = self.model
        policy = model.policy
        w, arch = (None, None) if policy is None else (policy.w, policy.arch)
        self._lines.update({name: model.scores(name) for name in model.strategies})
        self._w.update(w, arch)
        sure = model.policy_words(policy)
        said = [f"<b>{html.escape(model.words)}</b>", model.cost_words, sure]
        lines = "".join(f"<div>{line}</div>" for line in said)
        self._words.value = f'<div class="nas-lab-words">{lines}</div>'
        self._picture.draw(f"Best accuracy by trials: {model.words}. The policy w: {sure}.")


def _slider(text: str, values: Sequence[float]) -> ipywidgets.SelectionSlider:
    return ipywidgets.SelectionSlider(
        options=[(f"{v:g}", v) for v in values],
        description=text,
        continuous_update=False,
        style={"description_width": "initial"},
        layout={"width": "270px", "max_width": "100%"},
    )
