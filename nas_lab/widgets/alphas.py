"""Play a search by gradient: watch operations win, beside what their argmax is truly worth."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np

from nas_lab import plots
from nas_lab.estimation import Table
from nas_lab.spaces import Space
from nas_lab.widgets.alphas_picture import Film, film
from nas_lab.widgets.alphas_state import SECONDS, SPEEDS, AlphaState, Derive
from nas_lab.widgets.clock import Clock
from nas_lab.widgets.view import MovingPicture, View, Words, button, row

PERIOD = 0.12
"""Seconds from one picture to the next."""
PATIENCE = 8
"""While a run grows, so many times as long as a picture takes goes to the run before the next."""
FRAMES = 60
"""Pictures of an exported film."""

_HINT = (
    "An edge is as wide as the weights of its operations; 'none' has no width. Does the line of "
    "the true accuracy rise as the weights sharpen, and where does it fall? (By keyboard: Tab to "
    "the slider, then the arrow keys.)"
)


class AlphaPlayer(View):
    """Play, pause, scrub, speed and reset, for the weights of a search by gradient.

    ``w.state`` is a plain dict, and ``AlphaPlayer(w, **w.state)`` stands where ``w`` does. The run
    may still be growing: show the player, then ``player.append(step)`` in the loop that trains.

    Args:
        w: weights after each step so far, [T, D, K]; or steps that have such a ``w``, [D, K].
        space: whose decisions the rows are; None is ``spaces.nasbench201()``.
        table: what knows the truth; None takes the one that comes with the kit, for its space.
        derive: ``derive(w[D, K]) -> Arch``; None is ``strategies.darts.strongest``.
        at: the step that is shown, from 1; None is the last one.
        speed: how fast to play; at 1 the whole run takes 12 seconds.

    Raises:
        ValueError: w has another shape than the space's.
        TypeError: a space without cells.
        traitlets.TraitError: there is no such step, or a speed that is not positive.
    """

    model: AlphaState

    def __init__(
        self,
        w: Iterable[Any] = (),
        *,
        space: Space | None = None,
        table: Table | None = None,
        derive: Derive | None = None,
        at: int | None = None,
        speed: float = 1.0,
    ) -> None:
        super().__init__()
        self.model = AlphaState(
            (_weights(step) for step in w),
            space=space,
            table=table,
            derive=derive,
            at=at,
            speed=speed,
        )
        self._clock = Clock(self._tick, PERIOD)
        self._drawn: object = None
        self._growing, self._next, self._last = False, 0.0, time.monotonic()
        self._make_controls()
        self._room = (0, 0.0)
        self._film = self._make_film()
        self._picture = MovingPicture(self._film.figure, self._film.moving, dpi=120)
        self._words, self._message, hint = Words(), ipywidgets.HTML(), Words()
        hint.say(_HINT)
        self.assemble(
            hint,
            row(self._play, self._at, self._speed, button("Reset", self.model.reset, _RESET)),
            self._picture,
            self._words,
            self._message,
        )

    def append(self, step: Any) -> None:
        """Add one step more: weights [D, K], or something that has them as ``w``.

        Pictures take turns with the run: most of the time goes to the run.

        Raises:
            ValueError: w has another shape.
        """
        self._growing = True
        try:
            self.model.append(_weights(step))
        finally:
            self._growing = False

    def save(self, path: str | Path, *, seconds: float = SECONDS) -> Path:
        """Save the film as .gif, .mp4 or .html, see ``plots.save_film``; returns its path.

        Raises:
            ValueError: there is no step yet, or another suffix.
            RuntimeError: an .mp4 without ffmpeg.
        """
        model = self.model
        if not model.steps:
            raise ValueError("there is no step yet: train first")
        steps = np.unique(np.linspace(1, model.steps, FRAMES).round().astype(int))
        here = model.at
        try:
            alt = f"Weights of the operations over {model.steps:,} steps. {model.words}"
            pictures = _Pictures(self._at_step, steps.tolist())
            return plots.save_film(pictures, path, seconds=seconds, alt=alt)
        finally:
            self._move(here)

    def _at_step(self, step: int) -> Any:
        """The picture of a step."""
        self._move(step)
        return self._picture.image()

    # ---- controls ----------------------------------------------------------------------------

    def _make_controls(self) -> None:
        model = self.model
        self._play = button("Play", self._play_or_pause, "let the film go on by itself", "primary")
        self._play.layout.width = "76px"
        self._at = ipywidgets.IntSlider(
            model.at,
            0,
            max(1, model.steps),
            description="step",
            style={"description_width": "initial"},
            layout={"width": "420px", "max_width": "100%"},
        )
        self._at.observe(self._scrub, "value")
        self._speed = ipywidgets.SelectionSlider(
            options=_speeds({*SPEEDS, model.speed}),
            value=model.speed,
            description="speed",
            style={"description_width": "initial"},
            layout={"width": "220px", "max_width": "100%"},
        )
        self._speed.observe(self._set_speed, "value")

    def _set_speed(self, change: Any) -> None:
        self.model.speed = change["new"]

    def _show_speed(self) -> None:
        """Put the slider to the speed, which it may not have offered so far."""
        speeds = {speed for _, speed in self._speed.options}
        if self.model.speed not in speeds:
            self._speed.unobserve(self._set_speed, "value")  # new options move it to the first
            self._speed.options = _speeds({*speeds, self.model.speed})
            self._speed.value = self.model.speed
            self._speed.observe(self._set_speed, "value")
        self._speed.value = self.model.speed

    def _scrub(self, change: Any) -> None:
        if change["new"] != self.model.at:
            self.model.scrub(min(max(change["new"], min(1, self.model.steps)), self.model.steps))

    def _play_or_pause(self) -> None:
        (self.model.pause if self.model.playing else self.model.play)()

    # ---- by itself ---------------------------------------------------------------------------

    def _tick(self) -> bool:
        """Go on by the time that has passed; whether there is more to do."""
        if self.comm is None:  # closed
            return False
        now = time.monotonic()
        passed, self._last = now - self._last, now
        self.model.tick(passed)
        self.redraw()
        return self.model.playing

    def _start(self) -> bool:
        """See to it that the clock ticks; False when there is no event loop."""
        try:
            self._clock.start()
        except RuntimeError:  # not in a notebook
            return False
        return True

    # ---- what is seen ------------------------------------------------------------------------

    def redraw(self) -> None:
        """Bring controls, picture and words in line with the state."""
        model = self.model
        if self._growing and time.monotonic() < self._next and self._start():
            return  # the clock draws it when the run leaves time
        if model.playing and self._play.description == "Play":
            self._last = time.monotonic()
            if not self._start():
                model.playing = False
        self._play.description = "Pause" if model.playing else "Play"
        self._show_speed()
        self._message.value = html.escape(model.message)
        if self._drawn != (model.at, model.steps):
            self._drawn = (model.at, model.steps)
            self._draw()

    def _draw(self) -> None:
        model, began = self.model, time.monotonic()
        self._at.max = max(1, model.steps)
        self._at.min, self._at.value = min(1, model.steps), model.at
        if self._room != self._needed():
            self._film = self._make_film()
            self._picture.lay_out(self._film.figure, self._film.moving)
        self._move(model.at)
        self._words.say(f"<b>{html.escape(model.words)}</b>", html.escape(model.arch_words))
        self._picture.draw(f"Edges of the cell as wide as their weights. {model.words}")
        took = time.monotonic() - began
        self._next = began + (1 + PATIENCE) * took

    def _needed(self) -> tuple[int, float]:
        """Steps and weight that the axes have room for: while a run grows, more than it has."""
        model, room = self.model, self._room[0]
        steps = model.steps
        if self._growing:
            steps = room if room >= steps else _round_up(1.4 * steps)
        return steps, plots.weight_limits(model.w)[1] if model.steps else 1.0

    def _make_film(self) -> Film:
        self._room = self._needed()
        return film(self.model, *self._room)

    def _move(self, at: int) -> None:
        """Bring the artists to a step."""
        self._film.update(self.model, at)


class _Pictures(Sequence[Any]):
    """The pictures of some steps, each drawn when it is asked for: all at once are 200 MB."""

    def __init__(self, draw: Callable[[int], Any], steps: Sequence[int]) -> None:
        self._draw, self._steps = draw, steps

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, place: Any) -> Any:
        return self._draw(self._steps[place])


def _weights(step: Any) -> np.ndarray:
    return np.asarray(getattr(step, "w", step), dtype=float)


def _speeds(values: Iterable[float]) -> list[tuple[str, float]]:
    return [(f"{v:g}×", v) for v in sorted(values)]


def _round_up(number: float) -> int:
    """To two digits, the second of them even."""
    unit = 2 * 10 ** max(0, math.floor(math.log10(number)) - 1)
    return unit * math.ceil(number / unit)


_RESET = "back to the first step, and to speed 1"
