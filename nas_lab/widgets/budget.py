"""Divide a budget between Hyperband's brackets: many architectures briefly, or few to the end."""

import traitlets
from matplotlib.figure import Figure

from nas_lab import plots
from nas_lab.spaces import nasbench201
from nas_lab.strategies.halving import Hyperband, Rung
from nas_lab.widgets.base import MovingPicture, Play, State, View, Widget, row

EPOCHS = (1, 2, 4, 8, 9, 16, 27, 32, 64, 81)
"""Lengths of a whole training to choose from: powers of 2 and of 3, which divide evenly."""
ETAS = (2, 3, 4)  # one of so many goes on
MOST = 7  # brackets that there can be: as often can the longest training be halved, and once more


class BudgetState(State):
    """A whole training's length, how many are halved, and the bracket that is looked at.

    Args:
        epochs: of a whole training, one of ``EPOCHS``.
        eta: one of ``ETAS``.
        bracket: the one that is lit up, counted from 0, the boldest; the last one where there
            are not as many.
    """

    epochs = traitlets.Enum(EPOCHS, 27).tag(keep=True)
    eta = traitlets.Enum(ETAS, 3).tag(keep=True)
    bracket = traitlets.Int(0, min=0).tag(keep=True)

    def __init__(self, epochs: int = 27, eta: int = 3, bracket: int = 0) -> None:
        super().__init__(epochs=epochs, eta=eta, bracket=bracket)

    @property
    def brackets(self) -> tuple[tuple[Rung, ...], ...]:
        """The rungs of each bracket, the boldest first."""
        return Hyperband(nasbench201(), epochs=self.epochs, eta=self.eta).brackets

    @property
    def number(self) -> int:
        """Of the bracket that is looked at, from 1."""
        return min(self.bracket + 1, len(self.brackets))

    @number.setter
    def number(self, value: int) -> None:
        self.bracket = value - 1

    @property
    def words(self) -> str:
        """All brackets in a sentence."""
        brackets = self.brackets
        started = sum(rungs[0].archs for rungs in brackets)
        finished = sum(rungs[-1].archs for rungs in brackets)
        total = sum(rung.cost for rungs in brackets for rung in rungs)
        begun = f"{len(brackets)} bracket{'s' * (len(brackets) > 1)}: {started:,} architecture"
        spent = f"{finished} trained to the end, for {total:,} epoch{'s' * (total > 1)}"
        whole = f"That is as much as {total / self.epochs:.1f} whole trainings."
        return f"{begun}{'s' * (started > 1)} started, {spent}. {whole}"

    @property
    def details(self) -> list[str]:
        """The bracket that is looked at, rung by rung."""
        rungs = self.brackets[self.number - 1]
        steps = ", then ".join(f"{rung.archs} to epoch {rung.epochs}" for rung in rungs)
        spent = sum(rung.cost for rung in rungs)
        return [f"Bracket {self.number} trains {steps}: {spent:,} epoch{'s' * (spent > 1)}."]


class BudgetDivider(View):
    """Sliders for the length of a training and for eta; what each bracket of Hyperband spends."""

    State = BudgetState
    HINT = (
        "Each row is a bracket, each box a rung: how many architectures are trained up to which "
        "epoch. Move a slider, and look for what the top row risks and what the bottom row pays. "
        "(By keyboard: Tab to a slider, then the arrow keys.)"
    )
    PLAY = Play(
        "Divide a budget",
        "Train many architectures briefly, or few to the end? Each row is a bracket, each box a "
        "rung. What does the top row risk, and what does the bottom row pay?",
        "09_automated_workflow.ipynb#3-A-budget,-divided",
        {"epochs": None, "eta": None, "number": None},
    )

    def _build(self) -> list[Widget]:
        controls = row(
            self.choice("epochs", EPOCHS, "epochs"),
            self.choice("eta", ETAS, "eta"),
            self.choice("number", lambda: range(1, len(self.model.brackets) + 1), "bracket"),
            self.reset_button("back to the first setting"),
        )
        figure = Figure(figsize=(8.6, 3.9), facecolor="white")
        self._boxes = plots.BracketBoxes(figure.add_axes((0.09, 0.14, 0.9, 0.77)), MOST)
        self._picture = MovingPicture(figure, self._boxes, dpi=120)
        return [controls, self._words, self._picture]

    def _draw(self) -> None:
        model = self.model
        self._boxes.update(model.brackets, model.number - 1)
        said = " ".join([model.words, *model.details])
        self._picture.draw(f"What each bracket spends. {said}")
