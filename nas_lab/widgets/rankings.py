"""Slide the fidelity of an estimate, and watch its rank correlation with the truth.
``FidelitySlider`` cuts trainings short; ``OneShotRanks`` does so for the training of a supernet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nas_lab import explain, plots
from nas_lab.estimation import OneShotRuns, ShortcutTable, Table
from nas_lab.widgets.base import MovingPicture, Play, State, View, Widget, pair, row

TOP = 0.1  # share of the architectures that counts as the best


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores [A, B, n] that n architectures get by cheap estimates, and their true accuracies."""

    scores: np.ndarray
    truth: np.ndarray

    @cached_property
    def tau(self) -> np.ndarray:
        """Kendall's tau with the truth, [A, B]."""
        return np.array([[explain.kendall(s, self.truth) for s in row] for row in self.scores])


@dataclass(frozen=True, eq=False)
class Fidelities(Scores):
    """Validation accuracies [rows, epochs, n] with few ``images`` (of each row) and epochs.
    ``cost`` [rows, epochs] is the share of a whole training's; the truth has another seed."""

    images: tuple[int, ...]
    cost: np.ndarray

    @classmethod
    def of(cls, table: Table, shortcuts: ShortcutTable) -> Fidelities:
        """The shortcuts with fewer images, and the table's trainings with the same seed."""
        rows = np.array([table.row(tuple(arch)) for arch in shortcuts.archs.tolist()])
        epochs = range(table.about["recipe"]["epochs"])
        names = {int(n.split()[0]): n for n in shortcuts.names if n.endswith(" images")}
        images = sorted(names)
        scores = [[shortcuts.scores(names[i], e) for e in epochs] for i in images]
        scores.append([table.scores(shortcuts.seed, e)[rows] for e in epochs])
        whole = table.seconds[rows].sum()
        paid = [shortcuts.seconds(names[i]).sum() / whole for i in images]
        cost = np.outer([*paid, 1.0], [(e + 1) / len(epochs) for e in epochs])
        all_images = (*images, table.about["images"]["train"])
        return cls(np.array(scores), table.scores(0)[rows], all_images, cost)


@dataclass(frozen=True, eq=False)
class Checkpoints(Scores):
    """Scores [S, T, n] with S seeds, after so many ``seconds`` [T] of training a supernet."""

    seconds: np.ndarray


@dataclass(frozen=True, eq=False)
class Rankings:
    """Several training methods of a supernet, each of which ranks the same ``archs`` [n, D]."""

    archs: np.ndarray
    truth: np.ndarray
    methods: Mapping[str, Checkpoints]

    @classmethod
    def of(cls, table: Table, runs: OneShotRuns) -> Rankings:
        """The stored runs, and the table's trainings with seed 0."""
        truth = table.scores(0)[[table.row(tuple(arch)) for arch in runs.archs.tolist()]]
        methods = {
            name: Checkpoints(runs.scores(name), truth, runs.seconds(name).mean(axis=0))
            for name in runs.names
        }
        return cls(runs.archs, truth, methods)

    def adding(self, name: str, seconds: np.ndarray, scores: np.ndarray) -> Rankings:
        """The same with one method more, which stands last.
        Its ``scores`` of ``archs`` are [T, n] at T checkpoints, or [S, T, n] with S seeds."""
        seconds, scores = np.asarray(seconds, dtype=float), np.asarray(scores, dtype=float)
        scores = scores[None] if scores.ndim == 2 else scores
        if scores.ndim != 3 or scores.shape[1:] != (len(seconds), len(self.archs)):
            here = f"[{len(seconds)}, {len(self.archs)}], not {list(scores.shape)}"
            raise ValueError(f"give scores [checkpoints, architectures], here {here}")
        added = Checkpoints(scores, self.truth, seconds)
        return replace(self, methods={**self.methods, name: added})


def one_of(proposal: traitlets.Bunch, values: Iterable[Any]) -> Any:
    """A proposed value that is among these; TraitError names them otherwise."""
    name, value, known = proposal["trait"].name, proposal["value"], list(values)
    if value not in known:
        raise traitlets.TraitError(f"{name}={value!r}: choose of {', '.join(map(str, known))}")
    return value


def first_choices(scores: np.ndarray, truth: np.ndarray) -> str:
    """How many of the architectures that a ranking puts first truly are among the best."""
    k = max(1, round(TOP * len(truth)))
    right = explain.precision_at(scores, truth, TOP) * k
    return f"of the {k} it puts first, {right:.0f} are among the true first {k} of {len(truth)}"


class FidelityState(State):
    """How far trainings are cut short, and how well they rank then.

    Args:
        epochs: after how many epochs to look, from 1.
        images: how many training images, one of ``fidelities.images``.
        fidelities: the measured trainings; None takes those that come with the kit.
    """

    epochs = traitlets.Int(1, min=1).tag(keep=True)
    images = traitlets.Int().tag(keep=True)

    def __init__(
        self, epochs: int = 1, images: int = 2_500, *, fidelities: Fidelities | None = None
    ) -> None:
        self.known = fidelities or Fidelities.of(Table.load(), ShortcutTable.load())
        self.all_epochs = self.known.scores.shape[1]
        super().__init__(epochs=epochs, images=images)

    @traitlets.validate("epochs")
    def _check_epochs(self, proposal: traitlets.Bunch) -> int:
        return one_of(proposal, range(1, self.all_epochs + 1))

    @traitlets.validate("images")
    def _check_images(self, proposal: traitlets.Bunch) -> int:
        return one_of(proposal, self.known.images)

    @property
    def place(self) -> tuple[int, int]:
        """Row and column of the setting in the grid."""
        return self.known.images.index(self.images), self.epochs - 1

    @property
    def scores(self) -> np.ndarray:
        """Accuracies of the cheap trainings, [n]."""
        return self.known.scores[self.place]

    @property
    def words(self) -> str:
        """The setting and what it is worth, in a sentence."""
        cost, tau = self.known.cost[self.place], self.known.tau[self.place]
        setting = f"{self.images:,} images, {self.epochs} of {self.all_epochs} epochs"
        return f"{setting}: {cost:.0%} of the cost, tau = {tau:.2f}"

    @property
    def details(self) -> list[str]:
        """What a search would get that believed this ranking; ties share the first choice."""
        truth, best = self.known.truth, self.scores == self.scores.max()
        missing = 100 * float(truth.max() - truth[best].mean())
        said = f"{first_choices(self.scores, truth)}; its first choice is"
        return [f"{said} {missing:.1f} points below the best"]


class OneShotState(State):
    """A training method of a supernet, and a checkpoint.

    Args:
        method: one of ``rankings.methods``; None takes the first.
        checkpoint: number of the checkpoint, from 0; None takes the last.
        rankings: what was watched; None takes the runs that come with the kit.
    """

    method = traitlets.Unicode().tag(keep=True)
    checkpoint = traitlets.Int(0, min=0).tag(keep=True)

    def __init__(
        self,
        method: str | None = None,
        checkpoint: int | None = None,
        *,
        rankings: Rankings | None = None,
    ) -> None:
        self.rankings = rankings or Rankings.of(Table.load(), OneShotRuns.load())
        super().__init__(method=next(iter(self.rankings.methods)) if method is None else method)
        self.checkpoint = self.count - 1 if checkpoint is None else checkpoint
        self._first["checkpoint"] = self.checkpoint

    @traitlets.validate("method")
    def _check_method(self, proposal: traitlets.Bunch) -> str:
        return one_of(proposal, self.rankings.methods)

    @traitlets.validate("checkpoint")
    def _check_checkpoint(self, proposal: traitlets.Bunch) -> int:
        return one_of(proposal, range(self.count))

    @traitlets.observe("method")
    def _keep_to_its_checkpoints(self, change: traitlets.Bunch) -> None:
        self.checkpoint = min(self.checkpoint, self.count - 1)

    @property
    def known(self) -> Checkpoints:
        """All checkpoints of the chosen method."""
        return self.rankings.methods[self.method]

    @property
    def count(self) -> int:
        """How many checkpoints the chosen method has."""
        return len(self.known.seconds)

    @property
    def place(self) -> tuple[str, int]:
        """Method and checkpoint."""
        return self.method, self.checkpoint

    @property
    def scores(self) -> np.ndarray:
        """Accuracies on inherited weights at this checkpoint, with the first seed, [n]."""
        return self.known.scores[0, self.checkpoint]

    @property
    def words(self) -> str:
        """How well it ranks now, in a sentence."""
        seconds, taus = self.known.seconds[self.checkpoint], self.known.tau[:, self.checkpoint]
        said = f"{self.method}: tau = {taus[0]:.2f} after {seconds:.0f} s"
        if len(taus) > 1:
            said += f" ({taus.min():.2f} to {taus.max():.2f} over {len(taus)} seeds)"
        return said

    @property
    def details(self) -> list[str]:
        """What its first choices are worth, and how far its accuracies are from the truth."""
        truth = self.rankings.truth
        mean = f"mean accuracy {self.scores.mean():.0%} on inherited weights"
        return [f"{first_choices(self.scores, truth)}; {mean}, {truth.mean():.0%} trained alone"]


class RankView(View):
    """Ranks by a cheap estimate against true ranks; beside them, tau against its cost."""

    ALT = ""

    def _axes(self, by: str, title: str, cost: str) -> tuple[Figure, Axes]:
        """Draw the ranks at the left; the figure, and its axes for tau."""
        figure, left, right = pair(9.2, 3.9, 1, 1.15)
        plots.chart(left, "Do they rank alike?", by, "true rank")
        plots.chart(right, title, cost, "Kendall's tau with the truth")
        self._ranks = plots.RankScatter(left, len(self.model.known.truth), TOP)
        return figure, right

    def _draw(self) -> None:
        model = self.model
        self._ranks.update(model.scores, model.known.truth)
        self._tau.point_at(*model.place)
        self._picture.draw(f"{self.ALT}. {model.words}")


class FidelitySlider(RankView):
    """Sliders for epochs and images; the rank scatter, and what every setting costs."""

    State = FidelityState
    HINT = (
        "Each mark is an architecture. Move a slider, and look for the cheapest setting whose best "
        "tenth you would trust. (By keyboard: Tab to a slider, then the arrow keys.)"
    )
    ALT = "Ranks by the cheap training against true ranks, and tau against cost"
    PLAY = Play(
        "Train less",
        "A short training on few images is cheap. Which is the cheapest one whose best tenth of "
        "the networks you would trust?",
        "02_performance_estimation.ipynb#3-Train-less",
        {"images": None, "epochs": None},
    )

    def _build(self) -> list[Widget]:
        known, epochs = self.model.known, self.model.all_epochs
        controls = row(
            self.choice("images", known.images, "images", "{:,}".format),
            self.slider("epochs", 1, "epochs", lambda: (1, epochs)),
            self.reset_button("back to the first setting"),
        )
        names = [f"{n:,} images" for n in known.images]
        cost = f"share of the full cost (log scale); points: epochs 1 to {epochs}"
        figure, ax = self._axes("rank by the cheap training", "What does a ranking cost?", cost)
        self._tau = plots.CostOfRanking(ax, known.cost, known.tau, names)
        self._picture = MovingPicture(figure, self._ranks, self._tau)
        return [controls, self._words, self._picture]


class OneShotRanks(RankView):
    """A slider for the training time and a menu of training methods; ranks, and tau over time."""

    State = OneShotState
    HINT = (
        "Each mark is an architecture. Slide the training time: which marks reach the diagonal "
        "early? Then choose another way to train, and look at the right. (By keyboard: Tab, arrow "
        "keys.)"
    )
    ALT = "Ranks on inherited weights against true ranks, and tau over time"
    PLAY = Play(
        "Rank with one network",
        "One supernet lends its weights to all networks. How long must it train until it ranks "
        "them as if each were trained alone, and which way of training gets there?",
        "04_one_shot.ipynb#4-Rank-by-the-hundred",
        {"method": None, "checkpoint": None},
        track="checkpoint",
    )

    def _build(self) -> list[Widget]:
        methods = self.model.rankings.methods
        controls = row(
            self.choice("checkpoint", lambda: range(self.model.count), "trained for", self._time),
            self.choice("method", list(methods), "method", str, menu=True),
            self.reset_button("back to the first picture"),
        )
        curves = {name: (run.seconds, run.tau) for name, run in methods.items()}
        seconds = "seconds of training (log scale)"
        figure, ax = self._axes("rank on inherited weights", "How well do they rank?", seconds)
        self._tau = plots.RankingOverTime(ax, curves)
        self._picture = MovingPicture(figure, self._ranks, self._tau)
        return [controls, self._words, self._picture]

    def _time(self, checkpoint: int) -> str:
        seconds = self.model.known.seconds[checkpoint]
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
