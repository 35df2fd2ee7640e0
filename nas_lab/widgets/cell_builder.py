"""Click a cell of NAS-Bench-201 together and see what network it gives."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from itertools import count
from typing import Any

import ipywidgets
import networkx
import numpy as np
import traitlets

from nas_lab import plots
from nas_lab.history import Evaluation
from nas_lab.plots import label, quantity
from nas_lab.spaces import Arch, Cost, Skeleton, nasbench201
from nas_lab.widgets.base import (
    Architecture,
    Html,
    Picture,
    State,
    View,
    Words,
    button,
    column,
    row,
    table,
)

Estimate = Callable[[Arch, int], Evaluation]

SKELETON = Skeleton(channels=8, cells=1, stages=2, stem_stride=2, resolution=16, in_channels=1)
"""A network that trains for an epoch in about a second on one core."""

RESIDUAL: Arch = (3, 0, 3, 1, 0, 1)
"""Two 3×3 convolutions beside a skip."""

PRESETS: dict[str, Arch] = {
    "residual: two 3×3 convolutions beside a skip": RESIDUAL,
    "one 3×3 convolution beside a skip": (3, 0, 0, 1, 1, 0),
    "one 3×3 beside a skip, written with other tokens": (1, 0, 0, 3, 1, 0),
    "chain: three 3×3 convolutions": (3, 0, 3, 0, 0, 3),
    "all 3×3 convolutions": (3, 3, 3, 3, 3, 3),
    "all 1×1 convolutions": (2, 2, 2, 2, 2, 2),
    "only skips": (1, 1, 1, 1, 1, 1),
    "only pooling": (4, 4, 4, 4, 4, 4),
    "a dead end: node 2 leads nowhere": (3, 3, 3, 1, 3, 0),
    "broken: no path to the output": (3, 3, 3, 0, 0, 0),
}
"""Cells worth a look, by what they show."""


class Cell(State):
    """A cell of NAS-Bench-201, perhaps with an edge pointed at, and the words for it."""

    arch = Architecture(RESIDUAL).tag(keep=True)
    edge = traitlets.Int(None, allow_none=True, min=0, max=5).tag(keep=True)
    space = nasbench201()
    skeleton: Any

    def choose(self, edge: int, token: int) -> None:
        """Give an edge another operation, and point at it."""
        with self.hold_trait_notifications():
            self.edge = edge
            self.arch = (*self.arch[:edge], token, *self.arch[edge + 1 :])

    @property
    def cost(self) -> Cost:
        """Parameters and multiply-adds of the whole network."""
        return self.space.cost(self.arch, self.skeleton)

    @cached_property
    def edges(self) -> list[str]:
        """What the six edges are called: ``input → 1``."""
        return self.space.labels

    @property
    def connected(self) -> bool:
        """Whether a path leads from input to output."""
        return networkx.has_path(self.space.graph(self.arch), 0, 3)

    @property
    def dead_edges(self) -> list[int]:
        """Places of edges with an operation that lie on no path from input to output."""
        graph = self.space.graph(self.arch)
        alive = ({0} | networkx.descendants(graph, 0)) & ({3} | networkx.ancestors(graph, 3))
        places = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
        return [i for i, edge in enumerate(places) if edge in graph.edges and set(edge) - alive]

    @property
    def words(self) -> str:
        """Parameters and multiply-adds, to read aloud."""
        return f"{self.cost.params:,} parameters, {quantity(self.cost.macs)} multiply-adds"

    @property
    def details(self) -> list[str]:
        """What is wrong with the cell, if something is."""
        if not self.connected:
            return ["No path leads from input to output: nothing of the image gets there."]
        dead = [self.edges[i] for i in self.dead_edges]
        they, lie = ("them", "lie") if len(dead) > 1 else ("it", "lies")
        on_no_path = (
            f"{' and '.join(dead)} {lie} on no path from input to output: "
            f"nothing of the image gets through {they}."
        )
        return [on_no_path] if dead else []

    @property
    def cell_words(self) -> str:
        """The operation of every edge, for those who cannot see the picture."""
        chosen = zip(self.edges, self.space.decode(self.arch).values(), strict=True)
        return "; ".join(f"{edge}: {label(op)}" for edge, op in chosen)

    def operations(self, arch: Arch) -> str:
        """The operations of a cell, in the order of its edges."""
        return ", ".join(label(op) for op in self.space.decode(arch).values())


def known(accuracies: list[float]) -> list[float]:
    """Those of the trainings that did not diverge."""
    return [accuracy for accuracy in accuracies if not math.isnan(accuracy)]


def mean(accuracies: list[float]) -> float:
    """Of the trainings that did not diverge; -inf when all did."""
    return float(np.mean(known(accuracies))) if known(accuracies) else -math.inf


def summary(accuracies: list[float]) -> str:
    """Mean, range over seeds, and how many: ``78.2% (77.6 to 78.9, 3 seeds)``."""
    found, diverged = known(accuracies), len(accuracies) - len(known(accuracies))
    if not found:
        return f"diverged ({_seeds(diverged)})"
    spread = f"{100 * min(found):.1f} to {100 * max(found):.1f}, " if len(found) > 1 else ""
    failed = f"; {diverged} more diverged" if diverged else ""
    return f"{mean(found):.1%} ({spread}{_seeds(len(found))}{failed})"


def _seeds(number: int) -> str:
    return f"{number} seed" if number == 1 else f"{number} seeds"


class CellState(Cell):
    """A cell of NAS-Bench-201, and what was found out about cells so far.

    Args:
        arch: six tokens, or the text form.
        edge: the edge pointed at, by its place in ``arch``; None points at none.
        tried: what ``train`` found, as ``as_dict`` gives it.
        draws: how many random cells were drawn before.
        skeleton: what surrounds the cell, also as a dict of its fields.
        estimate: ``estimate(arch, seed) -> Evaluation``, called by the button; None trains for
            one epoch on Fashion-MNIST.
        seed: of random cells, and of the first training of each cell; the next takes the next.
        first: the cell that ``reset`` returns to; None is ``arch``.

    Raises:
        TypeError, ValueError: ``arch`` is no cell, or ``skeleton`` none.
        traitlets.TraitError: ``edge`` is no edge.
    """

    tried = traitlets.List(traitlets.Dict()).tag(keep=True)
    draws = traitlets.Int(0, min=0).tag(keep=True)
    skeleton = traitlets.Any(SKELETON).tag(keep=True)
    seed = traitlets.Int(0, min=0).tag(keep=True)
    first = Architecture().tag(keep=True)

    def __init__(
        self,
        arch: Arch | str = RESIDUAL,
        *,
        tried: Iterable[Mapping[str, Any]] = (),
        estimate: Estimate | None = None,
        first: Arch | str | None = None,
        **settings: Any,
    ) -> None:
        if estimate is not None:
            self.estimate = estimate
        first = arch if first is None else first
        super().__init__(arch=arch, tried=list(map(dict, tried)), first=first, **settings)

    @traitlets.validate("skeleton")
    def _check_skeleton(self, proposal: Any) -> Skeleton:
        skeleton = proposal["value"]
        if isinstance(skeleton, Mapping):
            return Skeleton(**skeleton)
        if not isinstance(skeleton, Skeleton):
            raise TypeError(f"skeleton must be a Skeleton or a dict of its fields: {skeleton!r}")
        return skeleton

    @traitlets.observe("arch")
    def _forget(self, change: Any) -> None:
        self.message = ""

    # ---- what follows from the cell ----------------------------------------------------------

    @property
    def text(self) -> str:
        """The text form of the cell."""
        return self.space.to_string(self.arch)

    @property
    def canonical(self) -> Arch:
        """What stands for all cells with the same text, by the rules of the space's authors.

        A convention: equal texts can hide two convolutions in one cell and one, read twice, in
        the other.
        """
        return self.space.canonical(self.arch)

    @property
    def preset(self) -> str | None:
        """The name of this cell, if it is one of ``PRESETS``."""
        return next((name for name, arch in PRESETS.items() if arch == self.arch), None)

    @property
    def canonical_words(self) -> str:
        """Which cell is the canonical form of this one, and by how much their sizes differ."""
        if self.canonical == self.arch:
            return "already canonical"
        spared = self.cost.params - self.space.cost(self.canonical, self.skeleton).params
        form = f"canonical form: {self.space.to_string(self.canonical)}"
        if spared == 0:
            return form
        return f"{form}, with {abs(spared):,} parameters {'fewer' if spared > 0 else 'more'}"

    # ---- what can be done --------------------------------------------------------------------

    def show(self, arch: Arch) -> None:
        """Put another cell in place, and point at nothing."""
        with self.hold_trait_notifications():
            self.edge = None
            self.arch = arch

    def randomize(self) -> None:
        """Draw a random cell: the n-th one depends on the seed and n alone."""
        rng = np.random.default_rng([self.seed, self.draws])
        self.draws += 1
        self.show(self.space.sample(rng))

    def reset(self) -> None:
        """Return to the first cell; the cells tried so far stay."""
        self.message = ""
        self.show(self.first)

    # ---- training ----------------------------------------------------------------------------

    @property
    def cells(self) -> dict[Arch, list[float]]:
        """The cells tried so far, best mean first, with an accuracy for each training."""
        found: dict[Arch, list[float]] = {}
        for entry in self.tried:
            accuracy = math.nan if entry["accuracy"] is None else entry["accuracy"]
            found.setdefault(tuple(entry["arch"]), []).append(accuracy)
        return dict(sorted(found.items(), key=lambda cell: -mean(cell[1])))

    @property
    def result(self) -> str | None:
        """What is known of this cell; None before it was trained."""
        return summary(self.cells[self.arch]) if self.arch in self.cells else None

    @property
    def next_seed(self) -> int:
        """The first seed, from ``seed`` on, that this cell was not trained with."""
        used = {entry["seed"] for entry in self.tried if tuple(entry["arch"]) == self.arch}
        return next(seed for seed in count(self.seed) if seed not in used)

    @cached_property
    def estimate(self) -> Estimate:
        """What ``train`` asks; torch and the images are loaded at the first time."""
        from nas_lab.data import FashionMNIST
        from nas_lab.estimation import TrainFromScratch
        from nas_lab.training import Recipe

        data = FashionMNIST(resolution=self.skeleton.resolution)
        return TrainFromScratch(self.space, self.skeleton, data, Recipe(epochs=1))

    def train(self) -> None:
        """Train this cell with its next seed and keep the accuracy.

        An interrupt loses nothing that was there, and uses up no seed.
        """
        seed = self.next_seed
        try:
            self.message = f"Training with seed {seed} …"
            evaluation = self.estimate(self.arch, seed)
        except KeyboardInterrupt:
            self.message = "Interrupted: nothing was measured. Your cells so far are kept."
        except Exception as error:
            self.message = f"This cell could not be trained: {error}"
            raise
        else:
            self._keep(seed, evaluation)

    def _keep(self, seed: int, evaluation: Evaluation) -> None:
        failed = math.isnan(evaluation.score)
        entry = {
            "arch": list(self.arch),
            "seed": seed,
            "accuracy": None if failed else evaluation.score,
            "seconds": evaluation.cost,
            "params": self.cost.params,
            "macs": self.cost.macs,
        }
        before, self.tried = self.result, [*self.tried, entry]
        found = "the training diverged" if failed else f"validation accuracy {evaluation.score:.1%}"
        self.message = f"After one epoch with seed {seed}: {found}, {evaluation.cost:.1f} s"
        if before:
            self.message += f". Together: {self.result}"


class CellBuilder(View):
    """A cell of NAS-Bench-201 to click together: a menu for each edge, presets, one epoch.

    ``CellBuilder(**w.state)`` continues where ``w`` stands; an ``estimate`` of one's own is given
    again.
    """

    State = CellState
    HINT = (
        "Change an edge, and watch picture and size. Look for the smallest cell that still learns, "
        "and for what another seed changes: train a cell again. (By keyboard: Space opens a menu.)"
    )
    DRAWN = ("arch", "edge")

    def build(self) -> list[ipywidgets.Widget]:
        """Presets and buttons above menus and cell, then what was tried, then the tokens."""
        model = self.model
        presets = [("your own", ""), *((name, name) for name in PRESETS)]
        look: dict[str, Any] = {"width": "450px", "label": "98px"}
        train = "on 10,000 images; pressed again, with the next seed"
        controls = row(
            self.menu(presets, "cell", lambda: model.preset or "", self._choose, **look),
            button("Train one epoch", model.train, train, "primary"),
            button("Random cell", model.randomize, "draw one of the 15,625 cells"),
            self.reset_button("back to the first cell; your cells are kept"),
        )
        self._cell, self._w = Picture(), Picture(5.6, 1.95)
        self._result, self._tokens, self._tried = Words(), Words(), ipywidgets.HTML()
        self.shows(self._say_result, "arch", "message", "tried")
        heading = ipywidgets.HTML('<h4 class="nas-lab-heading">The same cell as tokens</h4>')
        cell = row(self.edge_menus(model.edges), column(self._cell, self._result, self._words))
        return [controls, cell, self._tried, heading, self._tokens, self._w]

    def _choose(self, preset: str) -> None:
        if preset:  # 'your own' is what a cell is, not a choice
            self.model.show(PRESETS[preset])

    def draw(self) -> None:
        """Draw the cell and its matrix w, and say its tokens."""
        model = self.model
        shown = model.space, model.arch, model.edge
        self._cell.draw(plots.architecture, *shown, f"Graph of the cell. {model.cell_words}")
        w = f"Matrix w, a row for each edge with a single 1. {model.cell_words}"
        self._w.draw(plots.one_hot, *shown, w)
        self._tokens.say(
            f"tokens: {model.arch}, the place of each menu's choice, from 0 (none) to 4 (avg pool)",
            Html(f"text form: <code>{html.escape(model.text)}</code>"),
            Html(re.sub(r"(\|\S+\|)", r"<code>\1</code>", html.escape(model.canonical_words))),
            Html(
                "<i>w</i>: a row for each edge, a column for each operation, and a single 1 in "
                "each row. Look for two cells with one canonical form."
            ),
        )

    def _say_result(self) -> None:
        model, cells = self.model, self.model.cells
        found = f"trained: validation accuracy {model.result}" if model.result else ""
        self._result.say(model.message or found or "not trained yet")
        macs = (model.space.cost(arch, model.skeleton).macs for arch in cells)
        rows = [
            [summary(accuracies), quantity(count), model.operations(arch)]
            for (arch, accuracies), count in zip(cells.items(), macs, strict=True)
        ]
        heads = ["validation accuracy", "multiply-adds", "operations, in the order of the menus"]
        listed = table(heads, rows, list(cells).index(model.arch) if model.result else None)
        self._tried.value = "Your cells so far" + (listed if cells else ": none")
