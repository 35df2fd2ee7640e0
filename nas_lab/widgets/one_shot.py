"""Slide the training time of a supernet, and watch its ranking come close to the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import ipywidgets
import numpy as np
import traitlets

from nas_lab import explain, plots
from nas_lab.estimation import Table
from nas_lab.strategies.one_shot_runs import OneShotRuns
from nas_lab.widgets.base import MovingPicture, State, View, Words, pair, row

TOP = 0.1
"""Share of the architectures that counts as the best."""


@dataclass(frozen=True, eq=False)
class Checkpoints:
    """A way to train a supernet, looked at T times, with S seeds.

    Attributes:
        seconds: of training before each look, rising, [T].
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
    """Several ways to train a supernet, and n architectures that each of them ranks.

    Attributes:
        archs: those architectures, [n, D].
        truth: their accuracies, trained alone, [n].
        ways: what was watched, by name.
    """

    archs: np.ndarray
    truth: np.ndarray
    ways: Mapping[str, Checkpoints]

    @classmethod
    def of(cls, table: Table, runs: OneShotRuns) -> Rankings:
        """The stored runs, and the table's trainings with seed 0."""
        truth = table.scores(0)[[table.row(tuple(arch)) for arch in runs.archs.tolist()]]
        ways = {
            name: Checkpoints(runs.seconds(name).mean(axis=0), runs.scores(name), truth)
            for name in runs.names
        }
        return cls(runs.archs, truth, ways)

    def adding(self, name: str, seconds: np.ndarray, scores: np.ndarray) -> Rankings:
        """The same with one way more, which stands last.

        Args:
            name: of the way.
            seconds: of training before each look, [T].
            scores: of ``archs`` at each look, [T, n], or with S seeds [S, T, n].

        Raises:
            ValueError: the shapes do not fit.
        """
        seconds, scores = np.asarray(seconds, dtype=float), np.asarray(scores, dtype=float)
        scores = scores[None] if scores.ndim == 2 else scores
        if scores.ndim != 3 or scores.shape[1:] != (len(seconds), len(self.archs)):
            raise ValueError(
                f"give scores [looks, architectures], here [{len(seconds)}, {len(self.archs)}], "
                f"not {list(scores.shape)}"
            )
        return replace(self, ways={**self.ways, name: Checkpoints(seconds, scores, self.truth)})


class OneShotState(State):
    """Which way to train a supernet, and when it is looked at.

    Args:
        way: one of ``rankings.ways``; None takes the first.
        look: number of the look, from 0; None takes the last.
        rankings: what was watched; None takes the runs that come with the kit.

    Raises:
        traitlets.TraitError: a way or a look that is not there.
    """

    way = traitlets.Unicode().tag(keep=True)
    look = traitlets.Int(0, min=0).tag(keep=True)

    def __init__(
        self,
        way: str | None = None,
        look: int | None = None,
        *,
        rankings: Rankings | None = None,
    ) -> None:
        self.rankings = rankings or Rankings.of(Table.load(), OneShotRuns.load())
        super().__init__(way=next(iter(self.rankings.ways)) if way is None else way)
        self.look = self.looks - 1 if look is None else look
        self._first["look"] = self.look

    @traitlets.validate("way")
    def _check_way(self, proposal: traitlets.Bunch) -> str:
        if proposal["value"] not in self.rankings.ways:
            known = ", ".join(self.rankings.ways)
            raise traitlets.TraitError(f"no way is called {proposal['value']!r}: {known}")
        return proposal["value"]

    @traitlets.validate("look")
    def _check_look(self, proposal: traitlets.Bunch) -> int:
        if proposal["value"] >= self.looks:
            raise traitlets.TraitError(f"looks go from 0 to {self.looks - 1}")
        return proposal["value"]

    @traitlets.observe("way")
    def _keep_to_its_looks(self, change: traitlets.Bunch) -> None:
        self.look = min(self.look, self.looks - 1)

    # ---- what follows ------------------------------------------------------------------------

    @property
    def checkpoints(self) -> Checkpoints:
        """The chosen way."""
        return self.rankings.ways[self.way]

    @property
    def looks(self) -> int:
        """How often the chosen way was looked at."""
        return len(self.checkpoints.seconds)

    @property
    def scores(self) -> np.ndarray:
        """Accuracies on inherited weights at this look, with the first seed, [n]."""
        return self.checkpoints.scores[0, self.look]

    @property
    def tau(self) -> float:
        """Kendall's tau with the truth, with the first seed."""
        return float(self.checkpoints.tau[0, self.look])

    @property
    def precision(self) -> float:
        """Share of the chosen tenth that truly belongs to the best tenth."""
        return explain.precision_at(self.scores, self.rankings.truth, TOP)

    @property
    def words(self) -> str:
        """How well it ranks now, in a sentence."""
        said = f"{self.way}: tau = {self.tau:.2f} after {self.checkpoints.seconds[self.look]:.0f} s"
        taus = self.checkpoints.tau[:, self.look]
        if len(taus) > 1:
            said += f" ({taus.min():.2f} to {taus.max():.2f} over {len(taus)} seeds)"
        return said

    @property
    def choice_words(self) -> str:
        """What its first choices are worth, and how far its accuracies are from the truth."""
        truth = self.rankings.truth
        k = max(1, round(TOP * len(truth)))
        return (
            f"of the {k} it puts first, {self.precision * k:.0f} are among the true first {k} of "
            f"{len(truth)}; mean accuracy {self.scores.mean():.0%} on inherited weights, "
            f"{truth.mean():.0%} trained alone"
        )


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
            self.choice("look", lambda: range(self.model.looks), "trained for", self._time),
            self.choice("way", lambda: list(known.ways), "way", str, ipywidgets.Dropdown),
            self.reset_button("back to the first picture"),
        )
        figure, left, right = pair(9.2, 3.9, 1, 1.15)
        plots.chart(left, "Do they rank alike?", "rank on inherited weights", "true rank")
        seconds, tau = "seconds of training (log scale)", "Kendall's tau with the truth"
        plots.chart(right, "How well do they rank?", seconds, tau)
        self._ranks = plots.RankScatter(left, len(known.truth), TOP)
        curves = {name: (run.seconds, run.tau) for name, run in known.ways.items()}
        self._curves = plots.RankingOverTime(right, curves)
        self._picture, self._words = MovingPicture(figure, self._ranks, self._curves), Words()
        self.shows(self._draw)
        return [controls, self._words, self._picture]

    def _time(self, look: int) -> str:
        seconds = self.model.checkpoints.seconds[look]
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"

    def _draw(self) -> None:
        model = self.model
        self._ranks.update(model.scores, model.rankings.truth)
        self._curves.point_at(model.way, model.look)
        self._words.say(model.words, model.choice_words, strong=True)
        alt = f"Ranks on inherited weights against true ranks, and tau over time. {model.words}"
        self._picture.draw(alt)
