"""Play a search by gradient: watch operations win, beside what their argmax is truly worth."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import traitlets
from matplotlib.figure import Figure

from nas_lab import plots
from nas_lab.estimation import Table
from nas_lab.plots import label
from nas_lab.plots.theme import TEXT
from nas_lab.spaces import Arch, Space, nasbench201
from nas_lab.spaces.cells import CELLS_DARTS, Darts, NasBench201
from nas_lab.strategies.darts import strongest
from nas_lab.widgets.base import MovingPicture, Number, Playing, PlayingView, Words, row

PATIENCE = 8
"""While a run grows, so many times as long as a picture takes goes to the run before the next."""
FRAMES = 60
"""Pictures of an exported film."""
SHOWN = 0.9
"""Share of the table's architectures whose accuracies have room in the picture."""

SECONDS = 12.0
"""How long the whole run takes to play at speed 1."""
SPEEDS = (0.5, 1.0, 2.0, 4.0)


class AlphaState(Playing):
    """A search by gradient, step by step, as a film that can still be growing.

    Args:
        w: weights after each step so far, [T, D, K]; or steps that have such a ``w``, [D, K].
        space: whose decisions the rows are; None is ``spaces.nasbench201()``.
        table: what knows the truth; None takes the one that comes with the kit, for its space.
        at: the step that is shown, from 1; None is the last one.
        speed: how fast to play; at 1 the whole run takes 12 seconds.

    Raises:
        ValueError: w has another shape than the space's.
        traitlets.TraitError: there is no such step, or a speed that is not positive.
    """

    at = traitlets.Int(0, min=0).tag(keep=True)
    speed = Number(1.0, 0.01).tag(keep=True)
    steps = traitlets.Int(0).tag(doc="how many steps there are so far")

    def __init__(
        self,
        w: Iterable[Any] = (),
        *,
        space: Space | None = None,
        table: Table | None = None,
        at: int | None = None,
        speed: float = 1.0,
    ) -> None:
        self.space = space or nasbench201()
        known = isinstance(self.space, NasBench201)
        self.table = Table.load() if table is None and known else table
        self._w: list[np.ndarray] = []
        self._archs: list[Arch] = []
        self._accuracies: list[float] = []
        for weights in w:
            self._add(weights)
        super().__init__(at=len(self._w) if at is None else at, speed=speed)
        self.steps, self._position = len(self._w), float(self.at)

    @traitlets.validate("at")
    def _check_at(self, proposal: traitlets.Bunch) -> int:
        if not min(1, len(self._w)) <= proposal["value"] <= len(self._w):
            raise traitlets.TraitError(f"at={proposal['value']}: steps go from 1 to {len(self._w)}")
        return proposal["value"]

    # ---- what can be done --------------------------------------------------------------------

    def append(self, w: Any) -> None:
        """Add the weights [D, K] after one step more; who looks at the last step goes with it.

        Raises:
            ValueError: w has another shape.
        """
        with self.hold_trait_notifications():
            follow = self.at == self.steps and not self.running
            self._add(w)
            self.steps = len(self._w)
            if follow:
                self._go(self.steps)

    def run(self) -> None:
        """Go on by itself, as far as someone calls ``tick``; after the end, from the start."""
        if not self.steps:
            self.message = "There is no step to play yet."
            return
        with self.hold_trait_notifications():
            if self.at == self.steps:
                self._go(1)
            self.running, self.message = True, "Playing."

    def move(self, name: str, value: Any) -> None:
        """Set the speed; or pause, and show a step."""
        with self.hold_trait_notifications():
            super().move(name, min(value, self.steps) if name == "at" else value)
            if name == "at":
                self.pause()
                self._position = float(self.at)

    def reset(self) -> None:
        """Go back to the first step, and to the first speed."""
        with self.hold_trait_notifications():
            self.running, self.speed = False, 1.0
            self._go(min(1, self.steps))
            self.message = "Back at the first step."

    def tick(self, passed: float) -> None:
        """When it is running, go on by what so many seconds are worth."""
        if not self.running:
            return
        with self.hold_trait_notifications():
            self._position += passed * self.speed * self.steps / SECONDS
            self.at = min(self.steps, math.floor(self._position))
            if self.at == self.steps:
                self.running, self.message = False, "The end. Play begins anew."

    # ---- what follows ------------------------------------------------------------------------

    @property
    def w(self) -> np.ndarray:
        """Weights after each step, [T, D, K]."""
        return np.array(self._w).reshape(-1, *self.space.mask.shape)

    @property
    def true_accuracies(self) -> np.ndarray:
        """The table's accuracy of the architecture of each step, [T]; NaN without a table."""
        return np.array(self._accuracies)

    def weights(self, at: int) -> np.ndarray:
        """Weights [D, K] after a step from 1; before the first, all alike."""
        mask = self.space.mask
        return self._w[at - 1] if at else mask / mask.sum(axis=1, keepdims=True)

    def arch_at(self, at: int) -> Arch | None:
        """The architecture of a step from 1; None before the first."""
        return self._archs[at - 1] if at else None

    @property
    def arch(self) -> Arch | None:
        """The architecture of the step that is shown."""
        return self.arch_at(self.at)

    @cached_property
    def scores(self) -> np.ndarray:
        """Accuracies of all architectures of the table, [N]; empty without a table."""
        return np.empty(0) if self.table is None else self.table.scores()

    @property
    def words(self) -> str:
        """What the architecture of this step is worth, in a sentence."""
        if not self.at:
            return "no step yet: all operations weigh the same"
        where = f"step {self.at:,} of {self.steps:,}"
        if self.table is None:
            return where
        accuracy = self._accuracies[self.at - 1]
        rank = 1 + int((self.scores > accuracy).sum())
        missing = 100 * (float(np.nanmax(self.scores)) - accuracy)
        return (
            f"{where}: trained alone, the argmax has {accuracy:.1%} by the table, rank {rank:,} of "
            f"{len(self.scores):,}, {missing:.1f} points below the best"
        )

    @property
    def details(self) -> list[str]:
        """The operations of the architecture, in the order of the edges, and how sure they are."""
        if self.arch is None:
            return []
        names, chosen = self.space.labels, self.space.decode(self.arch)
        said = [
            f"{name} {label(str(option))}"
            for name, option in zip(names, chosen.values(), strict=True)
            if option != "none"
        ]
        sure = f"mean of the largest weights {self.weights(self.at).max(axis=1).mean():.2f}"
        return [f"{', '.join(said)}; {sure}"]

    # ---- inside ------------------------------------------------------------------------------

    def _add(self, w: Any) -> None:
        weights, expected = np.array(getattr(w, "w", w), dtype=float), self.space.mask.shape
        if weights.shape != expected:
            raise ValueError(f"w of a step has shape {weights.shape}; {expected} was expected")
        arch = strongest(self.space, weights)
        self._w.append(weights)
        self._archs.append(arch)
        known = math.nan if self.table is None else self.scores[self.table.row(arch)]
        self._accuracies.append(float(known))

    def _go(self, at: int) -> None:
        self.at, self._position = at, float(at)


class AlphaPlayer(PlayingView):
    """Play, pause, scrub, speed and reset, for the weights of a search by gradient.

    ``AlphaPlayer(w, **w.state)`` stands where the player does. The run may still be growing: show
    the player, then ``player.append(step)`` in the loop that trains.
    """

    State = AlphaState
    HINT = (
        "An edge is as wide as the weights of its operations; 'none' has no width. Does the line "
        "of the true accuracy rise as the weights sharpen, and where does it fall? (By keyboard: "
        "Tab to the slider, then the arrow keys.)"
    )
    DRAWN = ("at", "steps")

    def build(self) -> list[ipywidgets.Widget]:
        """Controls above the film and its words."""
        self._growing, self._next, self._room = False, 0.0, (0, 0.0)
        controls = row(
            self.play_button("let the film go on by itself"),
            self.slider("at", 1, "step", 1, self._make_room, width="420px"),
            self.choice("speed", SPEEDS, "speed", "{:g}×".format, width="220px"),
            self.reset_button("back to the first step, and to speed 1"),
        )
        self._message = Words(aloud=False)
        figure, drawings, self._show = self._make_film()
        self._picture = MovingPicture(figure, *drawings, dpi=120)
        return [controls, self._picture, self._words, self._message]

    def append(self, step: Any) -> None:
        """Add one step more: weights [D, K], or something that has them as ``w``.

        Pictures take turns with the run: most of the time goes to the run.

        Raises:
            ValueError: w has another shape.
        """
        self._growing = True
        try:
            self.model.append(step)
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
        try:
            alt = f"Weights of the operations over {model.steps:,} steps. {model.words}"
            pictures = _Pictures(self._at_step, steps.tolist())
            return plots.save_film(pictures, path, seconds=seconds, alt=alt)
        finally:
            self._show(model.at)

    def _at_step(self, step: int) -> Any:
        """The picture of a step."""
        self._show(step)
        return self._picture.image()

    def _make_room(self, slider: Any) -> None:
        slider.max, slider.min = max(1, self.model.steps), min(1, self.model.steps)

    def redraw(self) -> None:
        """Bring all in line with the state; while a run grows, only when that leaves time."""
        if not self._growing or time.monotonic() >= self._next or not self._clock.start():
            super().redraw()

    def draw(self) -> None:
        """Draw the step that is shown, on a new figure where there is no room for it."""
        model, began = self.model, time.monotonic()
        if self._room != self._needed():
            figure, drawings, self._show = self._make_film()
            self._picture.lay_out(figure, *drawings)
        self._show(model.at)
        self._picture.draw(f"Edges of the cell as wide as their weights. {model.words}")
        self._next = began + (1 + PATIENCE) * (time.monotonic() - began)

    def _needed(self) -> tuple[int, float]:
        """Steps and weight that the axes have room for: while a run grows, more than it has."""
        model, room = self.model, self._room[0]
        steps = model.steps
        if self._growing:
            steps = room if room >= steps else _round_up(1.4 * steps)
        return steps, plots.weight_limits(model.w)[1] if model.steps else 1.0

    def _make_film(self) -> Film:
        self._room = self._needed()
        space = self.model.space
        if isinstance(space, Darts):
            return two_cells(self.model)
        if isinstance(space, NasBench201):
            return cell_and_lines(self.model, *self._room)
        raise TypeError(f"the player shows cells, and {space.name} has none")


Film = tuple[Figure, list[Any], Callable[[int], None]]
"""A figure, the drawings in it that move, and what shows a step."""


def cell_and_lines(model: AlphaState, steps: int, high: float) -> Film:
    """The cell above the true accuracy, beside the lines of its six edges.

    Args:
        model: the run.
        steps, high: how many steps and what weight there is room for.
    """
    figure = Figure(figsize=(9.2, 4.75), facecolor="white")
    cell = plots.MixedCell(figure.add_axes((0.0, 0.47, 0.56, 0.48)), model.space)
    ax = figure.add_axes((0.072, 0.115, 0.47, 0.275))
    plots.chart(ax, "What is the argmax truly worth?", "steps", "")
    best, low = np.nanmax(model.scores), np.nanquantile(model.scores, 1 - SHOWN)
    truth = plots.TruthLine(ax, steps, float(best), float(low))
    place, gaps = (
        {"left": 0.615, "right": 0.985, "top": 0.9, "bottom": 0.2},
        {"hspace": 0.5, "wspace": 0.12},
    )
    grid = figure.subplots(3, 2, sharex=True, sharey=True, gridspec_kw=place | gaps)
    lines = plots.AlphaLines(grid.ravel(), model.space, steps=steps, high=high)
    figure.text(0.015, 0.99, "The cell now", fontsize=TEXT + 1, va="top")
    title = "Weights of the operations by steps"
    figure.text(0.595, 0.99, title, fontsize=TEXT + 1, va="top")
    look: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.79, 0.0), "ncols": 3}
    look |= {"fontsize": TEXT - 1, "frameon": False, "columnspacing": 1.2}
    figure.legend(handles=lines.handles, **look)

    def show(at: int) -> None:
        cell.update(model.weights(at))
        lines.update(model.w, at)
        truth.update(model.true_accuracies, at)

    return figure, [cell, lines, truth], show


def two_cells(model: AlphaState) -> Film:
    """The normal cell and the reduction cell of DARTS, one above the other."""
    figure, cells = Figure(figsize=(6.4, 5.9), facecolor="white"), []
    for place, name in enumerate(CELLS_DARTS):
        ax = figure.add_axes((0, 0.52 - 0.47 * place, 1, 0.43))
        title = {"normal": "Normal cell", "reduce": "Reduction cell"}[name]
        ax.set_title(title, fontsize=TEXT + 1, loc="left", x=0.02)
        cells.append(plots.MixedCell(ax, model.space, name))
    plots.operation_key(ax, model.space)

    def show(at: int) -> None:
        for cell in cells:  # edges that the derived architecture leaves out are pale
            cell.update(model.weights(at), model.arch_at(at))

    return figure, cells, show


class _Pictures(Sequence[Any]):
    """The pictures of some steps, each drawn when it is asked for: all at once are 200 MB."""

    def __init__(self, draw: Callable[[int], Any], steps: Sequence[int]) -> None:
        self._draw, self._steps = draw, steps

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, place: Any) -> Any:
        return self._draw(self._steps[place])


def _round_up(number: float) -> int:
    """To two digits, the second of them even."""
    unit = 2 * 10 ** max(0, math.floor(math.log10(number)) - 1)
    return unit * math.ceil(number / unit)
