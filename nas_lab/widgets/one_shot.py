"""Slide the training time of a supernet, and watch its ranking come close to the truth."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets
from matplotlib.figure import Figure

from nas_lab import plots
from nas_lab.widgets.one_shot_state import TOP, OneShotState, Rankings
from nas_lab.widgets.view import MovingPicture, View, Words, button, row

_HINT = (
    "Each mark is an architecture. Slide the training time: which marks reach the diagonal early? "
    "Then choose another way to train, and look at the right. (By keyboard: Tab, arrow keys.)"
)
_WIDE = {"width": "330px", "max_width": "100%"}


class OneShotRanks(View):
    """A slider for the training time and a menu of ways to train; ranks, and tau over time.

    ``w.state`` is a plain dict, and ``OneShotRanks(**w.state)`` continues there.

    Args:
        way: to train the supernet, one of ``rankings.ways``; None takes the first.
        look: number of the look, from 0; None takes the last.
        rankings: what was watched; None takes the runs that come with the kit.
    """

    model: OneShotState

    def __init__(
        self,
        way: str | None = None,
        look: int | None = None,
        *,
        rankings: Rankings | None = None,
    ) -> None:
        super().__init__()
        self.model = OneShotState(way, look, rankings=rankings)
        self._make_controls()
        self._picture = self._make_picture()
        self._drawn: object = None
        self._words, hint = Words(), Words()
        hint.say(_HINT)
        reset = button("Reset", self.model.reset, "back to the first picture")
        self.assemble(hint, row(self._time, self._way, reset), self._words, self._picture)

    def _make_controls(self) -> None:
        model = self.model
        self._time = ipywidgets.SelectionSlider(
            options=self._times(), value=model.look, description="trained for", layout=_WIDE
        )
        self._way = ipywidgets.Dropdown(
            options=list(model.rankings.ways), value=model.way, description="way", layout=_WIDE
        )
        self._time.observe(self._slide, "value")
        self._way.observe(self._choose, "value")

    def _times(self) -> list[tuple[str, int]]:
        seconds = self.model.watched.seconds
        return [(f"{s:.0f} s" if s >= 10 else f"{s:.1f} s", i) for i, s in enumerate(seconds)]

    def _slide(self, change: Any) -> None:
        self.model.look = change["new"]

    def _choose(self, change: Any) -> None:
        self.model.way = change["new"]

    def _make_picture(self) -> MovingPicture:
        known = self.model.rankings
        figure = Figure(figsize=(9.2, 3.9), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
        plots.chart(left, "Do they rank alike?", "rank on inherited weights", "true rank")
        plots.chart(
            right,
            "How well do they rank?",
            "seconds of training (log scale)",
            "Kendall's tau with the truth",
        )
        self._ranks = plots.RankScatter(left, len(known.truth), TOP)
        curves = {name: (watched.seconds, watched.tau) for name, watched in known.ways.items()}
        self._curves = plots.RankingOverTime(right, curves)
        return MovingPicture(figure, [*self._ranks.moving, *self._curves.moving])

    def redraw(self) -> None:
        """Bring slider, menu, picture and words in line with the state."""
        model = self.model
        self._show_times()
        self._way.value = model.way
        now = (model.way, model.look)
        if self._drawn == now:
            return
        self._drawn = now
        self._ranks.update(model.scores, model.rankings.truth)
        self._curves.point_at(*now)
        self._words.say(f"<b>{html.escape(model.words)}</b>", html.escape(model.choice_words))
        alt = f"Ranks on inherited weights against true ranks, and tau over time. {model.words}"
        self._picture.draw(alt)

    def _show_times(self) -> None:
        """Offer the looks of the chosen way, and put the slider to the present one."""
        times = self._times()
        if list(self._time.options) != times:
            self._time.unobserve(self._slide, "value")  # new options move it to the first
            self._time.options = times
            self._time.value = self.model.look
            self._time.observe(self._slide, "value")
        self._time.value = self.model.look
