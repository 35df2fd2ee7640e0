"""Cut trainings short by a slider, and watch the ranking of the architectures fall apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import ipywidgets
import numpy as np
import traitlets

from nas_lab import explain, plots
from nas_lab.estimation import ShortcutTable, Table
from nas_lab.widgets.base import TOP, MovingPicture, State, View, first_choices, one_of, pair, row


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
        return one_of(proposal, range(1, self.all_epochs + 1))

    @traitlets.validate("images")
    def _check_images(self, proposal: traitlets.Bunch) -> int:
        return one_of(proposal, self.fidelities.images)

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
            f"{cost:.0%} of the cost, tau = {self.fidelities.tau[self.place]:.2f}"
        )

    @property
    def details(self) -> list[str]:
        """What a search would get that believed this ranking."""
        return [
            f"{first_choices(self.scores, self.fidelities.truth)}; "
            f"its first choice is {100 * self.regret:.1f} points below the best"
        ]


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
            self.slider("epochs", 1, "epochs", epochs),
            self.reset_button("back to the first setting"),
        )
        figure, left, right = pair(9.2, 3.9, 1, 1.15)
        plots.chart(left, "Do they rank alike?", "rank by the cheap training", "true rank")
        cost = f"share of the full cost (log scale); points: epochs 1 to {epochs}"
        plots.chart(right, "What does a ranking cost?", cost, "Kendall's tau with the truth")
        names = [f"{n:,} images" for n in known.images]
        self._ranks = plots.RankScatter(left, len(known.truth), TOP)
        self._costs = plots.CostOfRanking(right, known.cost, known.tau, names)
        self._picture = MovingPicture(figure, self._ranks, self._costs)
        return [controls, self._words, self._picture]

    def draw(self) -> None:
        """Draw the ranks, and the setting among the costs."""
        model = self.model
        self._ranks.update(model.scores, model.fidelities.truth)
        self._costs.point_at(*model.place)
        alt = f"Ranks by the cheap training against true ranks, and tau against cost. {model.words}"
        self._picture.draw(alt)
