"""Click a cell of NAS-Bench-201 together and see what network it gives."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

import ipywidgets
import networkx
import numpy as np
import traitlets

from nas_lab import plots
from nas_lab.history import Evaluation, Trial
from nas_lab.plots import decision_labels, label, quantity
from nas_lab.spaces import Arch, Cost, Skeleton, nasbench201
from nas_lab.widgets.base import Html, Picture, State, View, Words, button, column, row, table

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


@dataclass(frozen=True)
class Tried:
    """A cell that was trained, once or with several seeds.

    Attributes:
        arch: the cell.
        macs: multiply-adds of its network.
        accuracies: one for each training that did not diverge, in their order.
        diverged: how many did.
    """

    arch: Arch
    macs: int
    accuracies: tuple[float, ...]
    diverged: int

    @property
    def mean(self) -> float:
        """Mean accuracy; NaN when all trainings diverged."""
        known = self.accuracies
        return sum(known) / len(known) if known else math.nan

    @property
    def words(self) -> str:
        """Mean, range over seeds, and how many: ``78.2% (77.6 to 78.9, 3 seeds)``."""
        seeds, known = _seeds(len(self.accuracies)), self.accuracies
        if not known:
            return f"diverged ({_seeds(self.diverged)})"
        spread = f"{100 * min(known):.1f} to {100 * max(known):.1f}, " if len(known) > 1 else ""
        failed = f"; {self.diverged} more diverged" if self.diverged else ""
        return f"{self.mean:.1%} ({spread}{seeds}{failed})"


class CellState(State):
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
        TypeError, ValueError: ``arch`` is no cell, ``edge`` no edge, or ``skeleton`` none.
    """

    arch = traitlets.Any().tag(keep=True)
    edge = traitlets.Int(None, allow_none=True).tag(keep=True)
    tried = traitlets.List(traitlets.Dict()).tag(keep=True)
    draws = traitlets.Int(0, min=0).tag(keep=True)
    skeleton = traitlets.Any(SKELETON).tag(keep=True)
    seed = traitlets.Int(0, min=0).tag(keep=True)
    first = traitlets.Any().tag(keep=True)

    def __init__(
        self,
        arch: Arch | str = RESIDUAL,
        *,
        tried: Iterable[Mapping[str, Any]] = (),
        estimate: Estimate | None = None,
        first: Arch | str | None = None,
        **settings: Any,
    ) -> None:
        self.space = nasbench201()
        self._given = estimate
        first = arch if first is None else first
        super().__init__(arch=arch, tried=list(map(dict, tried)), first=first, **settings)

    @traitlets.validate("arch", "first")
    def _check_arch(self, proposal: Any) -> Arch:
        arch = proposal["value"]
        return self.space.from_string(arch) if isinstance(arch, str) else self.space.check(arch)

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

    @traitlets.validate("edge")
    def _check_edge(self, proposal: Any) -> int | None:
        edge = proposal["value"]
        if edge is not None and not 0 <= edge < len(self.space.decisions):
            raise ValueError(f"edge={edge}: a cell has edges 0 to {len(self.space.decisions) - 1}")
        return edge

    # ---- what follows from the cell ----------------------------------------------------------

    @property
    def text(self) -> str:
        """The text form of the cell."""
        return self.space.to_string(self.arch)

    @property
    def cost(self) -> Cost:
        """Parameters and multiply-adds of the whole network."""
        return self.space.cost(self.arch, self.skeleton)

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

    @cached_property
    def edges(self) -> list[str]:
        """What the six edges are called: ``input → 1``."""
        return decision_labels(self.space)

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

    # ---- in words ----------------------------------------------------------------------------

    @property
    def size_words(self) -> str:
        """Parameters and multiply-adds, to read aloud."""
        return f"{self.cost.params:,} parameters, {quantity(self.cost.macs)} multiply-adds"

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

    @property
    def path_words(self) -> str:
        """What is wrong with the cell, if something is."""
        if not self.connected:
            return "No path leads from input to output: nothing of the image gets there."
        dead = [self.edges[i] for i in self.dead_edges]
        if not dead:
            return ""
        they, lie = ("them", "lie") if len(dead) > 1 else ("it", "lies")
        return (
            f"{' and '.join(dead)} {lie} on no path from input to output: "
            f"nothing of the image gets through {they}."
        )

    @property
    def cell_words(self) -> str:
        """The operation of every edge, for those who cannot see the picture."""
        chosen = zip(self.edges, self.space.decode(self.arch).values(), strict=True)
        return "; ".join(f"{edge}: {label(op)}" for edge, op in chosen)

    def operations(self, arch: Arch) -> str:
        """The operations of a cell, in the order of its edges."""
        return ", ".join(label(op) for op in self.space.decode(arch).values())

    # ---- what can be done --------------------------------------------------------------------

    def choose(self, edge: int, token: int) -> None:
        """Give an edge another operation, and point at it."""
        with self.hold_trait_notifications():
            self.edge = edge
            self.arch = (*self.arch[:edge], token, *self.arch[edge + 1 :])

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
    def cells(self) -> list[Tried]:
        """The cells tried so far, each with all its trainings, best mean first."""
        cells = []
        for arch in dict.fromkeys(tuple(entry["arch"]) for entry in self.tried):
            entries = [entry for entry in self.tried if tuple(entry["arch"]) == arch]
            known = tuple(e["accuracy"] for e in entries if e["accuracy"] is not None)
            cells.append(Tried(arch, entries[0]["macs"], known, len(entries) - len(known)))
        return sorted(cells, key=lambda cell: -cell.mean if cell.accuracies else 1)

    @property
    def result(self) -> Tried | None:
        """What is known of this cell; None before it was trained."""
        return next((cell for cell in self.cells if cell.arch == self.arch), None)

    @property
    def next_seed(self) -> int:
        """The first seed, from ``seed`` on, that this cell was not trained with."""
        used = {entry["seed"] for entry in self.tried if tuple(entry["arch"]) == self.arch}
        return next(seed for seed in count(self.seed) if seed not in used)

    @property
    def trials(self) -> list[Trial]:
        """The trainings so far, as trials of a search: one for each cell and seed."""
        return [
            Trial(i, tuple(e["arch"]), Evaluation(_score(e), e["seconds"], sizes))
            for i, e in enumerate(self.tried)
            for sizes in [{"params": e["params"], "macs": e["macs"]}]
        ]

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

    @cached_property
    def estimate(self) -> Estimate:
        """What ``train`` asks; torch and the images are loaded at the first time."""
        if self._given is not None:
            return self._given
        from nas_lab.data import FashionMNIST
        from nas_lab.estimation import TrainFromScratch
        from nas_lab.training import Recipe

        data = FashionMNIST(resolution=self.skeleton.resolution)
        return TrainFromScratch(self.space, self.skeleton, data, Recipe(epochs=1))

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
        self.tried = [*self.tried, entry]
        found = "the training diverged" if failed else f"validation accuracy {evaluation.score:.1%}"
        self.message = f"After one epoch with seed {seed}: {found}, {evaluation.cost:.1f} s"
        known = self.result
        if known is not None and len(known.accuracies) + known.diverged > 1:
            self.message += f". Together: {known.words}"


def _seeds(number: int) -> str:
    return f"{number} seed" if number == 1 else f"{number} seeds"


def _score(entry: Mapping[str, Any]) -> float:
    return math.nan if entry["accuracy"] is None else entry["accuracy"]


class CellBuilder(View):
    """A cell of NAS-Bench-201 to click together: a menu for each edge, presets, one epoch.

    ``CellBuilder(**w.state)`` continues where ``w`` stands; an ``estimate`` of one's own is given
    again. ``w.trials`` has a trial for each training so far.
    """

    State = CellState
    HINT = (
        "Change an edge, and watch picture and size. Look for the smallest cell that still learns, "
        "and for what another seed changes: train a cell again. (By keyboard: Space opens a menu.)"
    )

    @property
    def trials(self) -> list[Trial]:
        """The trainings so far: ``plots.cost_accuracy(w.trials)`` draws them."""
        return self.model.trials

    def build(self) -> list[ipywidgets.Widget]:
        """Presets and buttons above menus and cell, then what was tried, then the tokens."""
        model = self.model
        preset = ipywidgets.Dropdown(
            options=[("your own", ""), *((name, name) for name in PRESETS)],
            description="cell",
            style={"description_width": "98px"},
            layout={"width": "450px", "max_width": "100%"},
        )
        train = "on 10,000 images; pressed again, with the next seed"
        controls = row(
            self.bind(preset, lambda: model.preset or "", self._choose),
            button("Train one epoch", model.train, train, "primary"),
            button("Random cell", model.randomize, "draw one of the 15,625 cells"),
            self.reset_button("back to the first cell; your cells are kept"),
        )
        self._cell, self._w = Picture(), Picture(5.6, 1.95)
        self._result, self._words, self._tokens = Words(), Words(), Words()
        self._tried = ipywidgets.HTML()
        menus = self.edge_menus(model.edges)
        self.shows(self._draw_cell, "arch", "edge")
        self.shows(self._say_result, "arch", "message", "tried")
        heading = ipywidgets.HTML('<h4 class="nas-lab-heading">The same cell as tokens</h4>')
        cell = column(self._cell, self._result, self._words)
        return [controls, row(menus, cell), self._tried, heading, self._tokens, self._w]

    def _choose(self, preset: str) -> None:
        if preset:  # 'your own' is what a cell is, not a choice
            self.model.show(PRESETS[preset])

    def _draw_cell(self) -> None:
        model = self.model
        self._cell.draw(
            lambda ax: plots.architecture(model.space, model.arch, ax, model.edge),
            f"Graph of the cell. {model.cell_words}",
        )
        self._w.draw(
            lambda ax: plots.one_hot(model.space, model.arch, ax, model.edge),
            f"Matrix w, a row for each edge with a single 1. {model.cell_words}",
        )
        self._words.say(model.size_words, model.path_words, strong=True)
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
        cells, known = self.model.cells, self.model.result
        trained = f"trained: validation accuracy {known.words}" if known else "not trained yet"
        self._result.say(self.model.message or trained)
        rows = [
            [cell.words, quantity(cell.macs), self.model.operations(cell.arch)] for cell in cells
        ]
        heads = ["validation accuracy", "multiply-adds", "operations, in the order of the menus"]
        listed = table(heads, rows, cells.index(known) if known else None)
        self._tried.value = "Your cells so far" + (listed if cells else ": none")
