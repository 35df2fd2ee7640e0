"""Cut trainings short by a slider, and watch the ranking of the architectures fall apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import ipywidgets
import numpy as np
import traitlets

from nas_lab import explain, plots
from nas_lab.estimation import ShortcutTable, Table
from nas_lab.widgets.base import MovingPicture, State, View, Words, pair, row

TOP = 0.1
"""Share of the architectures that counts as the best."""


@dataclass(frozen=True, eq=False)
class Fidelities:
    """Measured trainings of n architectures at every fidelity of a grid.

    Attributes:
        images: training images of each row, rising.
        scores: validation accuracies [rows, epochs, n] after every epoch.
        cost: share of the cost of a whole training, [rows, epochs].
        truth: accuracies of whole trainings with another seed, [n].
    """

    images: tuple[int, ...]
    scores: np.ndarray
    cost: np.ndarray
    truth: np.ndarray

    @classmethod
    def of(cls, table: Table, shortcuts: ShortcutTable) -> Fidelities:
        """The shortcuts with fewer images, and the table's trainings with the same seed."""
        rows = np.array([table.row(tuple(arch)) for arch in shortcuts.archs.tolist()])
        all_images, seed = table.about["images"]["train"], shortcuts.seed
        epochs = range(table.about["recipe"]["epochs"])
        names = {int(n.split()[0]): n for n in shortcuts.names if n.endswith(" images")}
        scores = [[shortcuts.scores(names[i], e) for e in epochs] for i in sorted(names)]
        scores.append([table.scores(seed, e)[rows] for e in epochs])
        whole = table.seconds[rows].sum()
        paid = [shortcuts.seconds(names[i]).sum() / whole for i in sorted(names)]
        cost = np.outer([*paid, 1.0], [(e + 1) / len(epochs) for e in epochs])
        images = (*sorted(names), all_images)
        return cls(images, np.array(scores), cost, table.scores(0)[rows])

    @cached_property
    def tau(self) -> np.ndarray:
        """Kendall's tau with the truth, [rows, epochs]."""
        return np.array([[explain.kendall(s, self.truth) for s in row] for row in self.scores])


class FidelityState(State):
    """How far trainings are cut short, and how well they rank then.

    Args:
        epochs: after how many epochs to look, from 1.
        images: how many training images, one of ``fidelities.images``.
        fidelities: the measured trainings; None takes those that come with the kit.

    Raises:
        traitlets.TraitError: a fidelity that was not measured.
    """

    epochs = traitlets.Int(1, min=1).tag(keep=True)
    images = traitlets.Int().tag(keep=True)

    def __init__(
        self, epochs: int = 1, images: int = 2_500, *, fidelities: Fidelities | None = None
    ) -> None:
        self.fidelities = fidelities or Fidelities.of(Table.load(), ShortcutTable.load())
        super().__init__(epochs=epochs, images=images)

    @traitlets.validate("epochs")
    def _check_epochs(self, proposal: traitlets.Bunch) -> int:
        if proposal["value"] > self.all_epochs:
            raise traitlets.TraitError(f"epochs go from 1 to {self.all_epochs}")
        return proposal["value"]

    @traitlets.validate("images")
    def _check_images(self, proposal: traitlets.Bunch) -> int:
        if proposal["value"] not in self.fidelities.images:
            known = ", ".join(f"{n:,}" for n in self.fidelities.images)
            raise traitlets.TraitError(f"trainings were measured with {known} images")
        return proposal["value"]

    # ---- what follows from the setting -------------------------------------------------------

    @property
    def all_epochs(self) -> int:
        """Epochs of a whole training."""
        return self.fidelities.scores.shape[1]

    @property
    def place(self) -> tuple[int, int]:
        """Row and column of the setting in the grid."""
        return self.fidelities.images.index(self.images), self.epochs - 1

    @property
    def scores(self) -> np.ndarray:
        """Accuracies of the cheap trainings, [n]."""
        return self.fidelities.scores[self.place]

    @property
    def tau(self) -> float:
        """Kendall's tau with the truth."""
        return float(self.fidelities.tau[self.place])

    @property
    def precision(self) -> float:
        """Share of the chosen tenth that truly belongs to the best tenth."""
        return explain.precision_at(self.scores, self.fidelities.truth, TOP)

    @property
    def regret(self) -> float:
        """What the truth of the first choice lacks to the best; ties share the choice."""
        truth, best = self.fidelities.truth, self.scores == self.scores.max()
        return float(truth.max() - truth[best].mean())

    @property
    def words(self) -> str:
        """The setting and what it is worth, in a sentence."""
        cost = self.fidelities.cost[self.place]
        return (
            f"{self.images:,} images, {self.epochs} of {self.all_epochs} epochs: "
            f"{cost:.0%} of the cost, tau = {self.tau:.2f}"
        )

    @property
    def choice_words(self) -> str:
        """What a search would get that believed this ranking."""
        n = len(self.fidelities.truth)
        k = max(1, round(TOP * n))
        return (
            f"of the {k} it puts first, {self.precision * k:.0f} are among the true first {k} "
            f"of {n}; its first choice is {100 * self.regret:.1f} points below the best"
        )


class FidelitySlider(View):
    """Sliders for epochs and images; the rank scatter, and what every setting costs."""

    State = FidelityState
    HINT = (
        "Each mark is an architecture. Move a slider, and look for the cheapest setting whose best "
        "tenth you would trust. (By keyboard: Tab to a slider, then the arrow keys.)"
    )

    def build(self) -> list[ipywidgets.Widget]:
        """Two sliders above words, the ranks and the costs."""
        known, epochs = self.model.fidelities, self.model.all_epochs
        controls = row(
            self.choice("images", known.images, "images", "{:,}".format),
            self.slider("epochs", 1, epochs, 1, "epochs"),
            self.reset_button("back to the first setting"),
        )
        figure, left, right = pair(9.2, 3.9, 1, 1.15)
        plots.chart(left, "Do they rank alike?", "rank by the cheap training", "true rank")
        cost = f"share of the full cost (log scale); points: epochs 1 to {epochs}"
        plots.chart(right, "What does a ranking cost?", cost, "Kendall's tau with the truth")
        names = [f"{n:,} images" for n in known.images]
        self._ranks = plots.RankScatter(left, len(known.truth), TOP)
        self._costs = plots.CostOfRanking(right, known.cost, known.tau, names)
        self._picture, self._words = MovingPicture(figure, self._ranks, self._costs), Words()
        self.shows(self._draw)
        return [controls, self._words, self._picture]

    def _draw(self) -> None:
        model = self.model
        self._ranks.update(model.scores, model.fidelities.truth)
        self._costs.point_at(*model.place)
        self._words.say(model.words, model.choice_words, strong=True)
        alt = f"Ranks by the cheap training against true ranks, and tau against cost. {model.words}"
        self._picture.draw(alt)
