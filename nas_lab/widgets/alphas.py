"""Play a DARTS search beside the true accuracy of its argmax; slide a softmax's temperature."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import traitlets
from matplotlib.figure import Figure
from scipy.special import softmax
from scipy.stats import entropy

from nas_lab import plots
from nas_lab.estimation import DartsRuns, Table
from nas_lab.plots import label
from nas_lab.plots.theme import TEXT
from nas_lab.spaces import Arch, nasbench201
from nas_lab.strategies.darts import discretise
from nas_lab.widgets.base import (
    MovingPicture,
    Number,
    Offer,
    Play,
    Playing,
    PlayingView,
    State,
    View,
    row,
)

PATIENCE = 8
"""While a run grows, so many times as long as a picture takes goes to the run before the next."""
FRAMES = 60  # pictures of an exported film
SHOWN = 0.9  # share of the table's architectures whose accuracies have room in the picture
SECONDS = 12.0  # how long the whole run takes to play at speed 1
SPEEDS = (0.5, 1.0, 2.0, 4.0)
SEARCHES = ("first order", "second order", "joint", "Gumbel")
TEMPERATURES = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class AlphaState(Playing):
    """A search by gradient, step by step, as a film that can still be growing.

    ``weights`` [D, K] and ``archs`` are those before the first step, where all weigh the same and
    there is no architecture, and after each step; ``true_accuracies`` [T] are the table's.

    Args:
        w: weights after each step so far, [T, D, K]; or steps that have such a ``w``, [D, K].
        table: what knows the truth; None takes the one that comes with the kit.
        at: the step that is shown, from 1; the last one if it is not given.
        speed: how fast to play; at 1 the whole run takes 12 seconds.
    """

    at = traitlets.Int(0, min=0).tag(keep=True)
    speed = Number(1.0, 0.01).tag(keep=True)
    steps = traitlets.Int(0).tag(doc="how many steps there are so far")

    def __init__(self, w: Any = (), *, table: Table | None = None, **kept: Any) -> None:
        self.table = table or Table.load()
        self.space, self.scores = self.table.space, self.table.scores()
        self.weights = [self.space.mask / self.space.mask.sum(axis=1, keepdims=True)]
        self.archs: list[Arch | None] = [None]
        self.true_accuracies = np.empty(0)
        for weights in w:
            self._add(weights)
        super().__init__(**{"at": len(self.true_accuracies), **kept})
        self.steps, self._position = len(self.true_accuracies), float(self.at)

    @traitlets.validate("at")
    def _check_at(self, proposal: traitlets.Bunch) -> int:
        steps = len(self.true_accuracies)
        if not min(1, steps) <= proposal["value"] <= steps:
            raise traitlets.TraitError(f"at={proposal['value']}: steps go from 1 to {steps}")
        return proposal["value"]

    def append(self, w: Any) -> None:
        """Add the weights [D, K] after one step more; who looks at the last step goes with it."""
        with self.hold_trait_notifications():
            follow = self.at == self.steps and not self.running
            self._add(w)
            self.steps += 1
            if follow:
                self._go(self.steps)

    def _add(self, w: Any) -> None:
        weights, expected = np.array(getattr(w, "w", w), dtype=float), self.space.mask.shape
        if weights.shape != expected:
            raise ValueError(f"w of a step has shape {weights.shape}; {expected} was expected")
        arch = discretise(self.space, weights)
        known = self.scores[self.table.row(arch)]
        self.weights.append(weights)
        self.archs.append(arch)
        self.true_accuracies = np.append(self.true_accuracies, known)

    def _go(self, at: int) -> None:
        self.at, self._position = at, float(at)

    def run(self) -> None:
        """Go on by itself, as far as someone calls ``tick``; after the end, from the start."""
        if not self.steps:
            self.message = "There is no step to play yet."
            return
        with self.hold_trait_notifications():
            if self.at == self.steps:
                self._go(1)
            self.update(running=True, message="Playing.")

    def move(self, name: str, value: Any) -> None:
        """Set the speed; or pause, and show a step."""
        with self.hold_trait_notifications():
            if name == "at":
                self._go(min(value, self.steps))
                self.pause()
            else:
                super().move(name, value)

    def reset(self) -> None:
        """Go back to the first step, and to the first speed."""
        with self.hold_trait_notifications():
            self._go(min(1, self.steps))
            self.update(running=False, speed=1.0, message="Back at the first step.")

    def tick(self, passed: float) -> None:
        """When it is running, go on by what so many seconds are worth."""
        if self.running:
            with self.hold_trait_notifications():
                self._position += passed * self.speed * self.steps / SECONDS
                self.at = min(self.steps, math.floor(self._position))
                if self.at == self.steps:
                    self.update(running=False, message="The end. Play begins anew.")

    @property
    def w(self) -> np.ndarray:
        """Weights after each step, [T, D, K]."""
        return np.array(self.weights)[1:]

    @property
    def words(self) -> str:
        """What the architecture of this step is worth, in a sentence."""
        if not self.at:
            return "no step yet: all operations weigh the same"
        where = f"step {self.at:,} of {self.steps:,}"
        accuracy = self.true_accuracies[self.at - 1]
        rank = 1 + int((self.scores > accuracy).sum())
        missing = 100 * (float(np.nanmax(self.scores)) - accuracy)
        ranked = f"rank {rank:,} of {len(self.scores):,}, {missing:.1f} points below the best"
        return f"{where}: trained alone, the argmax has {accuracy:.1%} by the table, {ranked}"

    @property
    def details(self) -> list[str]:
        """The operations of the architecture, in the order of the edges, and how sure they are."""
        arch = self.archs[self.at]
        if arch is None:
            return []
        chosen = zip(self.space.labels, self.space.decode(arch).values(), strict=True)
        said = ", ".join(f"{name} {label(op)}" for name, op in chosen if op != "none")
        sure = f"mean of the largest weights {self.weights[self.at].max(axis=1).mean():.2f}"
        return [f"{said}; {sure}"]


class TemperatureState(State):
    """Parameters alpha, and w = softmax(alpha / tau), row by row.

    Args:
        alpha: parameters of the options, [D, K].
        tau: the temperature, at least 0.001.
    """

    tau = Number(1.0, 1e-3).tag(keep=True)
    details = ()
    space = nasbench201()

    def __init__(self, alpha: Any, tau: float = 1.0) -> None:
        self.alpha = np.array(alpha, dtype=float)
        if self.alpha.shape != self.space.mask.shape or not np.isfinite(self.alpha).all():
            raise ValueError(f"alpha must be {self.space.mask.shape} finite numbers")
        super().__init__(tau=tau)

    @property
    def w(self) -> np.ndarray:
        """Weights [D, K]."""
        return softmax(self.alpha / self.tau, axis=1)

    @property
    def arch(self) -> Arch:
        """The largest of each row: the same at every temperature."""
        return tuple(self.alpha.argmax(axis=1).tolist())

    @property
    def words(self) -> str:
        """How far the mixture is from a choice."""
        w, most = self.w, math.log(self.alpha.shape[1])
        largest = f"the largest weight of a row is {w.max(axis=1).mean():.2f} on average"
        nats = f"the entropy {entropy(w, axis=1).mean():.2f} of {most:.2f} nats"
        return f"tau = {self.tau:g}: {largest}, {nats}"


class AlphaPlayer(PlayingView):
    """Play, pause, scrub, speed and reset, for the weights of a search by gradient.
    ``AlphaPlayer(w, **w.state)`` stands where the player does. The run may still be growing: show
    the player, then ``player.append(step)`` in the loop that trains."""

    State = AlphaState
    HINT = (
        "An edge is as wide as the weights of its operations; 'none' has no width. Does the line "
        "of the true accuracy rise as the weights sharpen, and where does it fall? (By keyboard: "
        "Tab to the slider, then the arrow keys.)"
    )
    QUIET = "message"
    DRAWN = ("at", "steps")
    PLAY = Play(
        "Watch the alphas",
        "A search by gradient sharpens the weights of the operations; a step here is ten of its "
        "400. Does its argmax become truly better meanwhile, and does it with another seed?",
        "05_darts.ipynb#3-Two-learners,-two-sets-of-images",
        {"at": range(2, 41, 2)},
        lambda search, seed: AlphaPlayer(DartsRuns.load().w(search)[seed]),
        {
            "search": Offer("search", {name: name for name in SEARCHES}),
            "seed": Offer("seed", {str(seed): seed for seed in range(3)}),
        },
        track="at",
    )

    def _build(self) -> list[Any]:
        model = self.model
        self._growing, self._next, self._room = False, 0.0, (0, 0.0)

        def ends() -> tuple[int, int]:
            return min(1, model.steps), max(1, model.steps)

        controls = row(
            self.play_button("let the film go on by itself"),
            self.slider("at", 1, "step", ends, width="420px"),
            self.choice("speed", SPEEDS, "speed", "{:g}×".format, width="220px"),
            self.reset_button("back to the first step, and to speed 1"),
        )
        self._picture = MovingPicture(*self._make_film(), dpi=120)
        return [controls, self._picture, self._words, self._message]

    def append(self, step: Any) -> None:
        """Add one step more; pictures take turns with the run, which gets most of the time.
        It can be moved and played when the cell is through."""
        self._growing = True
        self.freeze(self.keep_ticking())
        try:
            self.model.append(step)
        finally:
            self._growing = False

    def save(self, path: str | Path, *, seconds: float = SECONDS) -> Path:
        """Save the film as .gif or .html, see ``plots.save_film``; returns its path."""
        model = self.model
        if not model.steps:
            raise ValueError("there is no step yet: train first")
        steps = np.unique(np.linspace(1, model.steps, FRAMES).round().astype(int))
        alt = f"Weights of the operations over {model.steps:,} steps. {model.words}"
        try:
            return plots.save_film(_Pictures(self, steps.tolist()), path, seconds=seconds, alt=alt)
        finally:
            self._show(model.at)

    def picture_of(self, step: int) -> Any:
        """The picture of a step."""
        self._show(step)
        return self._picture.image()

    def _tick(self, passed: float) -> bool:
        self.freeze(False)
        return super()._tick(passed)

    def redraw(self) -> None:
        """Bring all in line with the state; while a run grows, only when that leaves time."""
        if not self._growing or time.monotonic() >= self._next or not self.keep_ticking():
            super().redraw()

    def _draw(self) -> None:
        """On a new figure where the old one has no room for the step that is shown."""
        model, began = self.model, time.monotonic()
        if self._room != self._needed():
            self._picture.lay_out(*self._make_film())
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

    def _make_film(self) -> list[Any]:
        """A figure, and the drawings in it that move; ``_show`` lets them show a step."""
        self._room = self._needed()
        *drawings, self._show = cell_and_lines(self.model, *self._room)
        return drawings


def cell_and_lines(model: AlphaState, steps: int, high: float) -> list[Any]:
    """The cell above the true accuracy, beside the lines of its six edges.
    Gives the figure, the drawings in it that move, and a function that shows a step."""
    figure = Figure(figsize=(9.2, 5.0), facecolor="white")
    cell = plots.MixedCell(figure.add_axes((0.0, 0.46, 0.56, 0.5)), model.space)
    ax = figure.add_axes((0.072, 0.11, 0.47, 0.26))
    plots.chart(ax, "What is the argmax truly worth?", "steps", "")
    best, low = np.nanmax(model.scores), np.nanquantile(model.scores, 1 - SHOWN)
    truth = plots.TruthLine(ax, steps, float(best), float(low))
    place = {"left": 0.615, "right": 0.985, "top": 0.9, "bottom": 0.2, "hspace": 0.5}
    grid = figure.subplots(3, 2, sharex=True, sharey=True, gridspec_kw=place | {"wspace": 0.12})
    lines = plots.AlphaLines(grid.ravel(), model.space, steps=steps, high=high)
    for x, title in ((0.015, "The cell now"), (0.595, "Weights of the operations by steps")):
        figure.text(x, 0.99, title, fontsize=TEXT + 1, va="top")
    look: dict[str, Any] = {"fontsize": TEXT - 1, "frameon": False, "columnspacing": 1.2}
    at: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.79, 0.0), "ncols": 3}
    figure.legend(handles=lines.handles, **at, **look)

    def show(at: int) -> None:
        cell.update(model.weights[at])
        lines.update(model.w, at)
        truth.update(model.true_accuracies, at)

    return [figure, cell, lines, truth, show]


class _Pictures(Sequence[Any]):
    """The pictures of some steps, each drawn when it is asked for: all at once are 200 MB."""

    def __init__(self, player: AlphaPlayer, steps: Sequence[int]) -> None:
        self._player, self._steps = player, steps

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, place: Any) -> Any:
        return self._player.picture_of(self._steps[place])


def _round_up(number: float) -> int:
    """To two digits, the second of them even."""
    unit = 2 * 10 ** max(0, math.floor(math.log10(number)) - 1)
    return unit * math.ceil(number / unit)


class TemperatureSlider(View):
    """A slider for tau; the cell and the matrix w = softmax(alpha / tau).
    ``TemperatureSlider(alpha, **w.state)`` continues where ``w`` stands."""

    State = TemperatureState
    HINT = (
        "Lower the temperature: where does a mixture become a choice? Raise it: what is left of "
        "the differences? Which thing never changes? (By keyboard: Tab to the slider, then the "
        "arrow keys.)"
    )
    PLAY = Play(
        "From mixture to choice",
        "A softmax turns parameters into weights. At which temperature does a mixture become a "
        "choice, and which thing never changes?",
        "05_darts.ipynb#1-Relax:-a-choice-becomes-a-mixture",
        {"tau": None},
        lambda: TemperatureSlider(np.log(DartsRuns.load().w("first order")[0, -1].clip(1e-3))),
    )

    def _build(self) -> list[Any]:
        slider = self.choice("tau", TEMPERATURES, "temperature tau", width="420px")
        figure = Figure(figsize=(9.2, 3.5), facecolor="white")
        self._cell = plots.MixedCell(figure.add_axes((0, 0.03, 0.55, 0.94)), self.model.space)
        matrix = plots.chart(figure.add_axes((0.7, 0.15, 0.29, 0.83)), "", "", "")
        self._w = plots.PolicyMatrix(matrix, self.model.space)
        self._picture = MovingPicture(figure, self._cell, self._w, dpi=120)
        reset = self.reset_button("back to the first temperature")
        return [row(slider, reset), self._words, self._picture]

    def _draw(self) -> None:
        self._cell.update(self.model.w)
        self._w.update(self.model.w, self.model.arch)
        self._picture.draw(f"The cell and the matrix w as mixtures. {self.model.words}")
