"""Slide the training time of a supernet, and watch its ranking come close to the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import ipywidgets
import numpy as np
import traitlets

from nas_lab import explain, plots
from nas_lab.estimation import OneShotRuns, Table
from nas_lab.widgets.base import TOP, MovingPicture, State, View, first_choices, one_of, pair, row


@dataclass(frozen=True, eq=False)
class Checkpoints:
    """A training method of a supernet: T checkpoints, with S seeds.

    Attributes:
        seconds: of training before each checkpoint, rising, [T].
        scores: accuracies on inherited weights, [S, T, n].
        truth: accuracies of the same n architectures, trained alone, [n].
    """

    seconds: np.ndarray
    scores: np.ndarray
    truth: np.ndarray

    @cached_property
    def tau(self) -> np.ndarray:
        """Kendall's tau with the truth, [S, T]."""
        return np.array([[explain.kendall(s, self.truth) for s in run] for run in self.scores])


@dataclass(frozen=True, eq=False)
class Rankings:
    """Several training methods of a supernet, and n architectures that each of them ranks.

    Attributes:
        archs: those architectures, [n, D].
        truth: their accuracies, trained alone, [n].
        methods: the checkpoints of each, by name.
    """

    archs: np.ndarray
    truth: np.ndarray
    methods: Mapping[str, Checkpoints]

    @classmethod
    def of(cls, table: Table, runs: OneShotRuns) -> Rankings:
        """The stored runs, and the table's trainings with seed 0."""
        truth = table.scores(0)[[table.row(tuple(arch)) for arch in runs.archs.tolist()]]
        methods = {
            name: Checkpoints(runs.seconds(name).mean(axis=0), runs.scores(name), truth)
            for name in runs.names
        }
        return cls(runs.archs, truth, methods)

    def adding(self, name: str, seconds: np.ndarray, scores: np.ndarray) -> Rankings:
        """The same with one method more, which stands last.

        Args:
            name: of the method.
            seconds: of training before each checkpoint, [T].
            scores: of ``archs`` at each checkpoint, [T, n], or with S seeds [S, T, n].

        Raises:
            ValueError: the shapes do not fit.
        """
        seconds, scores = np.asarray(seconds, dtype=float), np.asarray(scores, dtype=float)
        scores = scores[None] if scores.ndim == 2 else scores
        if scores.ndim != 3 or scores.shape[1:] != (len(seconds), len(self.archs)):
            raise ValueError(
                f"give scores [checkpoints, architectures], here "
                f"[{len(seconds)}, {len(self.archs)}], not {list(scores.shape)}"
            )
        return replace(
            self, methods={**self.methods, name: Checkpoints(seconds, scores, self.truth)}
        )


class OneShotState(State):
    """A training method of a supernet, and a checkpoint.

    Args:
        method: one of ``rankings.methods``; None takes the first.
        checkpoint: number of the checkpoint, from 0; None takes the last.
        rankings: what was watched; None takes the runs that come with the kit.

    Raises:
        traitlets.TraitError: a method or a checkpoint that is not there.
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

    # ---- what follows ------------------------------------------------------------------------

    @property
    def checkpoints(self) -> Checkpoints:
        """All checkpoints of the chosen method."""
        return self.rankings.methods[self.method]

    @property
    def count(self) -> int:
        """How many checkpoints the chosen method has."""
        return len(self.checkpoints.seconds)

    @property
    def scores(self) -> np.ndarray:
        """Accuracies on inherited weights at this checkpoint, with the first seed, [n]."""
        return self.checkpoints.scores[0, self.checkpoint]

    @property
    def words(self) -> str:
        """How well it ranks now, in a sentence."""
        seconds = self.checkpoints.seconds[self.checkpoint]
        taus = self.checkpoints.tau[:, self.checkpoint]
        said = f"{self.method}: tau = {taus[0]:.2f} after {seconds:.0f} s"
        if len(taus) > 1:
            said += f" ({taus.min():.2f} to {taus.max():.2f} over {len(taus)} seeds)"
        return said

    @property
    def details(self) -> list[str]:
        """What its first choices are worth, and how far its accuracies are from the truth."""
        truth = self.rankings.truth
        return [
            f"{first_choices(self.scores, truth)}; mean accuracy {self.scores.mean():.0%} on "
            f"inherited weights, {truth.mean():.0%} trained alone"
        ]


class OneShotRanks(View):
    """A slider for the training time and a menu of training methods; ranks, and tau over time."""

    State = OneShotState
    HINT = (
        "Each mark is an architecture. Slide the training time: which marks reach the diagonal "
        "early? Then choose another way to train, and look at the right. (By keyboard: Tab, arrow "
        "keys.)"
    )

    def build(self) -> list[ipywidgets.Widget]:
        """A slider and a menu above words, the ranks and tau."""
        known = self.model.rankings
        controls = row(
            self.choice("checkpoint", lambda: range(self.model.count), "trained for", self._time),
            self.choice("method", lambda: list(known.methods), "method", str, ipywidgets.Dropdown),
            self.reset_button("back to the first picture"),
        )
        figure, left, right = pair(9.2, 3.9, 1, 1.15)
        plots.chart(left, "Do they rank alike?", "rank on inherited weights", "true rank")
        seconds, tau = "seconds of training (log scale)", "Kendall's tau with the truth"
        plots.chart(right, "How well do they rank?", seconds, tau)
        self._ranks = plots.RankScatter(left, len(known.truth), TOP)
        curves = {name: (run.seconds, run.tau) for name, run in known.methods.items()}
        self._curves = plots.RankingOverTime(right, curves)
        self._picture = MovingPicture(figure, self._ranks, self._curves)
        return [controls, self._words, self._picture]

    def _time(self, checkpoint: int) -> str:
        seconds = self.model.checkpoints.seconds[checkpoint]
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"

    def draw(self) -> None:
        """Draw the ranks, and the checkpoint on the curves."""
        model = self.model
        self._ranks.update(model.scores, model.rankings.truth)
        self._curves.point_at(model.method, model.checkpoint)
        alt = f"Ranks on inherited weights against true ranks, and tau over time. {model.words}"
        self._picture.draw(alt)
