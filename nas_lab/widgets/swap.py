"""Swap an operation of a cell, and see its change of accuracy split by functional ANOVA."""

from functools import cached_property
from typing import Any

import ipywidgets
import numpy as np
import traitlets
from matplotlib.figure import Figure

from nas_lab import explain, plots
from nas_lab.estimation import Table
from nas_lab.plots import label
from nas_lab.spaces import Arch, nasbench201
from nas_lab.widgets.base import (
    OPERATIONS,
    MovingPicture,
    Offer,
    Picture,
    Play,
    State,
    Tokens,
    View,
    Widget,
    column,
    row,
)
from nas_lab.widgets.cell_builder import PRESETS

FIRST: Arch = (3, 1, 3, 1, 0, 3)
"""Where it begins: three convolutions in a row, with skips beside them."""
CELLS = {"three 3×3 in a row, skips beside them": FIRST} | {
    name: PRESETS[name] for name in PRESETS if "3×3 conv" in name or name == "only skips"
}


class SwapState(State):
    """A cell, and one decision of it that was swapped.

    Args:
        table: the truth; None takes the one that comes with the kit.
        arch: the cell before the swap: six tokens, or the text form.
        edge: which edge is swapped, by its place in ``arch``.
        token: its new operation.
    """

    arch = Tokens(FIRST).tag(keep=True)
    edge = traitlets.Int(2, min=0).tag(keep=True)
    token = traitlets.Int(0, min=0).tag(keep=True)

    def __init__(self, table: Table | None = None, **settings: Any) -> None:
        self.table = table or Table.load()
        self.space = self.table.space
        super().__init__(**settings)
        _ = self.swap  # or an error, now

    def choose(self, edge: int, token: int) -> None:
        """Swap an operation of the cell as it is now."""
        self.update(arch=self.after, edge=edge, token=token, message="")

    def improve(self) -> None:
        """Swap towards the nearest cell that is better by more than the noise."""
        found = explain.nearest_better(
            self.space, self.table.archs, self.table.scores(), self.after, margin=self.noise
        )
        if found is None:
            self.message = "No cell is better by more than the noise of a training."
            return
        edge, distance = found.changes[0], len(found.changes)
        self.choose(edge, found.arch[edge])
        swaps = "one swap" if distance == 1 else f"the first of {distance} swaps"
        self.message = f"{swaps} towards a cell that is {100 * found.gain:.1f} points better"

    @cached_property
    def anova(self) -> explain.Anova:
        """The scores of all cells, taken apart."""
        return explain.anova(self.space, self.table.archs, self.table.scores())

    @cached_property
    def noise(self) -> float:
        """Standard deviation of an accuracy over the seeds of a training; 0 where none is known."""
        table = self.table
        repeated = [a for a in map(tuple, table.archs.tolist()) if len(table.seeds(a)) > 1]
        scores = ([table(a, seed).score for seed in table.seeds(a)] for a in repeated)
        variances = [np.var(each, ddof=1) for each in scores]
        return float(np.sqrt(np.mean(variances))) if variances else 0.0

    @property
    def swap(self) -> explain.Swap:
        """The change, and its parts."""
        return self.anova.swap(self.arch, self.edge, self.token)

    @property
    def after(self) -> Arch:
        """The cell after the swap."""
        return (*self.arch[: self.edge], self.token, *self.arch[self.edge + 1 :])

    @property
    def parts(self) -> dict[str, float]:
        """The parts of the change by name, and the change; an edge does nothing with itself."""
        swap, names = self.swap, [f"with {edge}" for edge in self.space.labels]
        pairs = dict(zip(names, swap.pairs.tolist(), strict=True))
        ends = {"several at once": swap.rest, "change": swap.change}
        return {"on average": swap.alone, **pairs, **ends}

    @property
    def words(self) -> str:
        """The swap and its effect."""
        name, options = self.space.labels[self.edge], self.space.decisions[self.edge].options
        old, new = (label(str(options[arch[self.edge]])) for arch in (self.arch, self.after))
        if self.arch == self.after:
            return f"{name}: {new}, as before: nothing changes"
        scores = (self.table(arch).score for arch in (self.arch, self.after))
        before, after = (round(100 * score, 2) for score in scores)  # as shown, so they add up
        change = f"{before:.2f}% becomes {after:.2f}%, {after - before:+.2f} points"
        return f"{name}: {old} becomes {new}: {change}"

    @property
    def details(self) -> list[str]:
        """What the swap does on average, and what is due to the rest of this cell."""
        swap, strongest = self.swap, int(np.argmax(np.abs(self.swap.pairs)))
        alone = f"over all cells this swap is worth {100 * swap.alone:+.1f} points"
        rest = f"in this cell {100 * (swap.change - swap.alone):+.1f} are due to its other edges"
        most = f"most of all {100 * swap.pairs[strongest]:+.1f} with {self.space.labels[strongest]}"
        noise = f"Another seed changes an accuracy by {100 * self.noise:.1f} (standard deviation)."
        return [f"{alone}; {rest}, {most}. {noise}"]


class SwapParts(View):
    """A cell with a menu for each edge; bars show why its accuracy moves."""

    State = SwapState
    HINT = (
        "Change one edge. Its effect is split: what such a swap does on average over all cells, "
        "and what it does together with the edges of this cell. Look for a swap that helps on "
        "average and hurts here. (By keyboard: Space opens a menu.)"
    )
    PLAY = Play(
        "Swap an operation",
        "Change one edge of a cell. Its effect is split: what such a swap does on average, and "
        "what it does together with the other edges. Which swap helps on average and hurts here?",
        "08_explainability.ipynb#1-One-swap,-taken-apart",
        {
            "arch": Offer("cell", CELLS),
            "edge": Offer("edge", {name: n for n, name in enumerate(nasbench201().labels)}),
            "token": Offer("becomes", dict(OPERATIONS)),
        },
        first={"arch": FIRST, "edge": 2, "token": 0},
    )

    def _build(self) -> list[Widget]:
        why = "swap towards the nearest cell that is better by more than the noise"
        better = self.button("Nearest better cell", self.model.improve, why)
        reset = self.reset_button("back to the first swap")
        figure = Figure(figsize=(7.6, 3.1), layout="constrained")
        title = "Why does the accuracy move? (points)"
        self._parts = plots.PartBars(figure.subplots(), list(self.model.parts), title)
        self._bars, self._cell = MovingPicture(figure, self._parts), Picture()
        left = ipywidgets.VBox([self.edge_menus("after"), row(better, reset)])
        return [row(left, column(self._cell, self._words, self._message)), self._bars]

    def _draw(self) -> None:
        model, alt = self.model, f"Graph of the cell after the swap. {self.model.words}"
        self._cell.draw(plots.architecture, model.space, model.after, model.edge, alt)
        self._parts.update(list(model.parts.values()))
        self._bars.draw(f"Parts of the change. {model.details[0]}")
