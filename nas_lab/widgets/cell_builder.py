"""Click a cell of NAS-Bench-201 together and see what network it gives."""

import html
import math
import re
from collections.abc import Callable, Mapping
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
from nas_lab.widgets.base import Html, Picture, State, Tokens, View, Words, column, row

Estimate = Callable[[Arch, int], Evaluation]

SKELETON = Skeleton(channels=8, cells=1, stages=2, stem_stride=2, resolution=16, in_channels=1)
"""A network that trains for an epoch in about a second on one core."""

RESIDUAL: Arch = (3, 0, 3, 1, 0, 1)  # two 3×3 convolutions beside a skip

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

    arch = Tokens(RESIDUAL).tag(keep=True)
    edge = traitlets.Int(None, allow_none=True, min=0, max=5).tag(keep=True)
    space = nasbench201()
    skeleton: Any

    def choose(self, edge: int, token: int) -> None:
        """Give an edge another operation, and point at it."""
        self.update(edge=edge, arch=(*self.arch[:edge], token, *self.arch[edge + 1 :]))

    @property
    def cost(self) -> Cost:
        """Parameters and multiply-adds of the whole network."""
        return self.space.cost(self.arch, self.skeleton)

    @property
    def dead_edges(self) -> list[int]:
        """Places of edges with an operation that lie on no path from input to output."""
        graph, places = self.space.graph(self.arch), self.space.edges
        alive = ({0} | networkx.descendants(graph, 0)) & ({3} | networkx.ancestors(graph, 3))
        return [i for i, edge in enumerate(places) if edge in graph.edges and set(edge) - alive]

    @property
    def words(self) -> str:
        """Parameters and multiply-adds, to read aloud."""
        return f"{self.cost.params:,} parameters, {quantity(self.cost.macs)} multiply-adds"

    @property
    def details(self) -> list[str]:
        """What is wrong with the cell, if something is."""
        if not networkx.has_path(self.space.graph(self.arch), 0, 3):
            return ["No path leads from input to output: nothing of the image gets there."]
        dead = [self.space.labels[i] for i in self.dead_edges]
        they, lie = ("them", "lie") if len(dead) > 1 else ("it", "lies")
        said = f"{' and '.join(dead)} {lie} on no path from input to output"
        return [f"{said}: nothing of the image gets through {they}."] if dead else []

    @property
    def cell_words(self) -> str:
        """The operation of every edge, for those who cannot see the picture."""
        chosen = zip(self.space.labels, self.space.decode(self.arch).values(), strict=True)
        return "; ".join(f"{edge}: {label(op)}" for edge, op in chosen)

    def operations(self, arch: Arch) -> str:
        """The operations of a cell, in the order of its edges."""
        return ", ".join(label(op) for op in self.space.decode(arch).values())


def mean(accuracies: list[float]) -> float:
    """Of the trainings that did not diverge; -inf when all did."""
    return -math.inf if np.isnan(accuracies).all() else float(np.nanmean(accuracies))


def summary(accuracies: list[float]) -> str:
    """Mean, range over seeds, and how many: ``78.2% (77.6 to 78.9, 3 seeds)``."""
    found = [accuracy for accuracy in accuracies if not math.isnan(accuracy)]
    diverged = len(accuracies) - len(found)
    if not found:
        return f"diverged ({diverged} seed{'s' * (diverged > 1)})"
    spread = f"{100 * min(found):.1f} to {100 * max(found):.1f}, " if len(found) > 1 else ""
    failed = f"; {diverged} more diverged" if diverged else ""
    seeds = f"{len(found)} seed{'s' * (len(found) > 1)}"
    return f"{mean(found):.1%} ({spread}{seeds}{failed})"


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
    """

    tried = traitlets.List(traitlets.Dict()).tag(keep=True)
    draws = traitlets.Int(0, min=0).tag(keep=True)
    skeleton = traitlets.Any(SKELETON).tag(keep=True)
    seed = traitlets.Int(0, min=0).tag(keep=True)
    first = Tokens(None, allow_none=True).tag(keep=True)

    def __init__(
        self, arch: Arch | str = RESIDUAL, *, estimate: Estimate | None = None, **settings: Any
    ) -> None:
        if estimate is not None:
            self.estimate = estimate
        super().__init__(arch=arch, **settings)
        self.first = self.first or self.arch

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

    @property
    def preset(self) -> str:
        """The name of this cell, if it is one of ``PRESETS``; setting it shows another."""
        return next((name for name, arch in PRESETS.items() if arch == self.arch), "")

    @preset.setter
    def preset(self, name: str) -> None:
        if name:  # 'your own' is what a cell is, not a choice
            self.update(edge=None, arch=PRESETS[name])

    @property
    def canonical_words(self) -> str:
        """Which cell is the canonical form of this one, and by how much their sizes differ.
        They can: one form stands for two convolutions in one cell and one, read twice, in another.
        """
        canonical = self.space.canonical(self.arch)
        if canonical == self.arch:
            return "already canonical"
        spared = self.cost.params - self.space.cost(canonical, self.skeleton).params
        form = f"canonical form: {self.space.to_string(canonical)}"
        more = "fewer" if spared > 0 else "more"
        return f"{form}, with {abs(spared):,} parameters {more}" if spared else form

    def randomize(self) -> None:
        """Draw a random cell: the n-th one depends on the seed and n alone."""
        rng = np.random.default_rng([self.seed, self.draws])
        self.update(draws=self.draws + 1, edge=None, arch=self.space.sample(rng))

    def reset(self) -> None:
        """Return to the first cell; the cells tried so far stay."""
        self.update(message="", edge=None, arch=self.first)

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

    @cached_property
    def estimate(self) -> Estimate:
        """What ``train`` asks; torch and the images are loaded at the first time."""
        from nas_lab.data import FashionMNIST
        from nas_lab.estimation import TrainFromScratch
        from nas_lab.training import Recipe

        data = FashionMNIST(resolution=self.skeleton.resolution)
        return TrainFromScratch(self.space, self.skeleton, data, Recipe(epochs=1))

    def train(self) -> None:
        """Train this cell with the first seed that it was not trained with; keep the accuracy.
        An interrupt loses nothing that was there, and uses up no seed."""
        used = {entry["seed"] for entry in self.tried if tuple(entry["arch"]) == self.arch}
        seed = next(seed for seed in count(self.seed) if seed not in used)
        try:
            self.message = f"Training with seed {seed} …"
            evaluation = self.estimate(self.arch, seed)
        except KeyboardInterrupt:
            self.message = "Interrupted: nothing was measured. Your cells so far are kept."
            return
        except Exception as error:
            self.message = f"This cell could not be trained: {error}"
            raise
        failed = math.isnan(evaluation.score)
        costs = {"seconds": evaluation.cost, "params": self.cost.params, "macs": self.cost.macs}
        accuracy = None if failed else evaluation.score
        entry = {"arch": list(self.arch), "seed": seed, "accuracy": accuracy, **costs}
        before, self.tried = self.result, [*self.tried, entry]
        found = "the training diverged" if failed else f"validation accuracy {evaluation.score:.1%}"
        self.message = f"After one epoch with seed {seed}: {found}, {evaluation.cost:.1f} s"
        if before:
            self.message += f". Together: {self.result}"


class CellBuilder(View):
    """A cell of NAS-Bench-201 to click together: a menu for each edge, presets, one epoch.
    ``CellBuilder(**w.state)`` continues where ``w`` stands; an ``estimate`` of one's own is given
    again."""

    State = CellState
    HINT = (
        "Change an edge, and watch picture and size. Look for the smallest cell that still learns, "
        "and for what another seed changes: train a cell again. (By keyboard: Space opens a menu.)"
    )
    DRAWN = ("arch", "edge")

    def _build(self) -> list[ipywidgets.Widget]:
        model, names = self.model, ["", *PRESETS]
        look: dict[str, Any] = {"menu": True, "width": "480px", "label": "98px"}
        train = "on 10,000 images; pressed again, with the next seed"
        controls = row(
            self.choice("preset", names, "cell", lambda name: name or "your own", **look),
            self.button("Train one epoch", model.train, train, "primary", slow=True),
            self.button("Random cell", model.randomize, "draw one of the 15,625 cells"),
            self.reset_button("back to the first cell; your cells are kept"),
        )
        self._cell, self._w = Picture(), Picture(5.6, 1.95)
        self._result, self._tokens, self._tried = Words(), Words(), ipywidgets.HTML()
        self.shows(self._say_result, "arch", "message", "tried")
        heading = ipywidgets.HTML('<h4 class="nas-lab-heading">The same cell as tokens</h4>')
        cell = row(self.edge_menus(), column(self._cell, self._result, self._words))
        return [controls, cell, self._tried, heading, self._tokens, self._w]

    def _draw(self) -> None:
        model = self.model
        shown = model.space, model.arch, model.edge
        self._cell.draw(plots.architecture, *shown, f"Graph of the cell. {model.cell_words}")
        w = f"Matrix w, a row for each edge with a single 1. {model.cell_words}"
        self._w.draw(plots.one_hot, *shown, w)
        text = html.escape(model.space.to_string(model.arch))
        self._tokens.say(
            f"tokens: {model.arch}, the place of each menu's choice, from 0 (none) to 4 (avg pool)",
            Html(f"text form: <code>{text}</code>"),
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
        macs = (quantity(model.space.cost(arch, model.skeleton).macs) for arch in cells)
        rows = [
            [summary(accuracies), size, model.operations(arch)]
            for (arch, accuracies), size in zip(cells.items(), macs, strict=True)
        ]
        heads = ["validation accuracy", "multiply-adds", "operations, in the order of the menus"]
        pointed = list(cells).index(model.arch) if model.result else None
        listed = plots.table(rows, heads, pointed).html if cells else ": none"
        self._tried.value = "Your cells so far" + listed
