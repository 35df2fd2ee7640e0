"""Pick ten cells by hand, and see where your best stands among ten picks of searches."""

import html
from functools import cached_property, partial
from typing import Any

import ipywidgets
import numpy as np
import traitlets
from matplotlib.figure import Figure

from nas_lab import plots
from nas_lab import strategies as searching
from nas_lab.estimation import Table
from nas_lab.history import Evaluation
from nas_lab.plots import label
from nas_lab.spaces import Arch
from nas_lab.strategies import race
from nas_lab.widgets.base import Picture, Tokens, View, Widget, Words, column, row
from nas_lab.widgets.cell_builder import Cell

PICKS = 10  # trainings that the reader has, and each run of a search
SKIPS: Arch = (1,) * 6  # where the game begins: a cell that leaves everything to do

SEEDS = {"RandomSearch": 200, "RegularizedEvolution": 200, "Reinforce": 40}
"""Runs of each strategy, by the name of its class. REINFORCE takes a hundred times as long."""
SETTINGS: dict[str, dict[str, Any]] = {
    "RandomSearch": {},
    "RegularizedEvolution": {"population": 5, "sample": 3},
    "Reinforce": {"learning_rate": 0.1, "batch": 2},
}
"""Hyperparameters for so short a search."""
SETTINGS_WORDS = (
    "Here evolution has a population of 5, and the controller learns after every second training: "
    f"with their usual settings, nearly all of {PICKS} trials would be random."
)


class GameState(Cell):
    """Ten picks against searches with ten trials.

    Args:
        table: what evaluates; None takes the one that comes with the kit.
        arch: the cell that is clicked together: six tokens, or the text form.
        edge: the edge pointed at, by its place in ``arch``; None points at none.
        picks: the cells trained so far, ten at most. One that comes again later counts again.
    """

    arch = Tokens(SKIPS).tag(keep=True)
    picks = traitlets.Any(()).tag(keep=True)

    def __init__(self, table: Table | None = None, **settings: Any) -> None:
        self.table = table or Table.load()
        self.skeleton = self.table.skeleton
        super().__init__(**settings)
        self.message = self._status

    @traitlets.validate("picks")
    def _check_picks(self, proposal: traitlets.Bunch) -> list[Arch]:
        picks = [self.space.check(tuple(arch)) for arch in proposal["value"]]
        if len(picks) > PICKS:
            raise ValueError(f"{len(picks)} picks: the game has {PICKS}")
        return picks

    @property
    def results(self) -> list[Evaluation]:
        """Validation accuracies of the picks, and what their trainings cost."""
        return [self.table(arch) for arch in self.picks]

    @property
    def incumbent(self) -> np.ndarray:
        """The highest accuracy up to each pick."""
        return np.fmax.accumulate([result.score for result in self.results])

    @property
    def left(self) -> int:
        """Trainings that the reader still has."""
        return PICKS - len(self.picks)

    @property
    def best(self) -> tuple[int, float]:
        """Place of the pick with the highest accuracy, the first of them; and its accuracy."""
        scores = [result.score for result in self.results]
        place = int(np.nan_to_num(scores, nan=-1).argmax())
        return place, scores[place]

    def choose(self, edge: int, token: int) -> None:
        """Give an edge another operation, and point at it."""
        with self.hold_trait_notifications():
            super().choose(edge, token)
            self.message = self._status

    def train(self) -> None:
        """Spend a training on the cell in the menus: look it up in the table."""
        if not self.left:
            self.message = f"Your {PICKS} trainings are spent. Reset starts anew."
            return
        if self.known is not None and self.known == len(self.picks) - 1:  # a double click
            self.message = self._duplicate_note
            return
        result, note = self.table(self.arch), self._duplicate_note
        if self.left == 1:  # the searches take a moment, the first time
            self.message = f"The searches take their turn, with {PICKS} trials each …"
            _ = self.rivals
        with self.hold_trait_notifications():
            self.picks = [*self.picks, self.arch]
            found = f"validation accuracy {result.score:.1%}, {result.cost:.1f} s of training"
            self.message = f"Pick {len(self.picks)}: {found}. {note}".strip()

    def reset(self) -> None:
        """Start anew: no picks, and the first cell."""
        with self.hold_trait_notifications():
            self.update(arch=SKIPS, edge=None, picks=[])
            self.message = self._status

    @property
    def known(self) -> int | None:
        """Place of the last pick with the tokens of the cell in the menus; None without one."""
        places = [place for place, arch in enumerate(self.picks) if arch == self.arch]
        return places[-1] if places else None

    @property
    def _status(self) -> str:
        """What is known of the cell in the menus."""
        return self._duplicate_note or ("not trained yet" if self.left else "")

    @property
    def _duplicate_note(self) -> str:
        """Which pick was this cell already, if one was."""
        if self.known is not None:
            last = self.known == len(self.picks) - 1
            then = "change an edge first" if last else "it counts each time"
            return f"You had this cell as pick {self.known + 1}: {then}."
        canonical, this = [*map(self.space.canonical, self.picks)], self.space.canonical(self.arch)
        if this not in canonical:
            return ""
        place = canonical.index(this) + 1
        return f"Pick {place} has the same canonical form, and so the same entry in the table."

    @property
    def picks_words(self) -> str:
        """How many picks are spent, and the best so far."""
        if not self.picks:
            return f"{PICKS} trainings to spend"
        place, score = self.best
        spent = f"{len(self.picks)} of {PICKS} trainings spent"
        return f"{spent}; your best so far: {score:.1%} (pick {place + 1})"

    @cached_property
    def rivals(self) -> dict[str, np.ndarray]:
        """Best validation accuracy of each run of each strategy, ten trials a run."""
        bests = {}
        for name, seeds in SEEDS.items():
            make = partial(getattr(searching, name), **SETTINGS[name])
            bests[name] = race({name: make}, self.table, PICKS, seeds)[name].incumbent[:, -1]
        return bests

    @property
    def verdict(self) -> str:
        """Where the reader's best of ten stands among those of the searches."""
        _, yours = self.best
        *shares, last = (
            f"{100 * int((yours > bests).sum()) // len(bests)}% of {len(bests)} runs "
            f"of {label(name)}"  # rounded down: 100% are all of them
            for name, bests in self.rivals.items()
        )
        return f"Your best of ten, {yours:.1%}, beats {', '.join(shares)} and {last}."

    @property
    def truth_words(self) -> str:
        """How far the reader's best is from the best of all, and its test accuracy."""
        scores, (pick, yours) = self.table.scores(), self.best
        best, place = float(np.nanmax(scores)), 1 + int((scores > yours).sum())
        below = f"It is {100 * (best - yours):.1f} points below the best of the table ({best:.1%})"
        tested = f"On the test set, looked at once: {self.table.test(self.picks[pick]):.1%}."
        return f"{below}, number {place:,} of {len(scores):,} cells. {tested}"


class PickTen(View):
    """A game: ten trainings for the reader, and for each run of random search and others.
    After the tenth pick the reader's best is placed among the bests of many runs, and tested once.
    """

    State = GameState
    HINT = (
        f"You have {PICKS} trainings. Change the edges of the cell, press Train, and find as good "
        "a cell as you can; then searches with as many trainings are your rivals. Look for what "
        "helps alone and what helps together. (By keyboard: Space opens a menu.)"
    )
    DRAWN = ("arch", "edge")

    def _build(self) -> list[Widget]:
        model = self.model
        hint = "look its validation accuracy up in the table; that costs one of your trainings"
        train = self.button("Train", model.train, hint, "primary")
        self._cell, self._end, self._picks = Picture(), ipywidgets.HTML(), ipywidgets.HTML()
        self._verdict = Words()
        self.shows(lambda: setattr(train, "description", f"Train ({model.left} left)"), "left")
        self.shows(self._draw_end, "picks")
        self.shows(self._list_picks, "picks", "arch")
        buttons = row(train, self.reset_button("start anew with ten trainings"))
        cell = row(self.edge_menus(), column(self._cell, self._message, self._words))
        return [buttons, cell, self._verdict, self._end, self._picks]

    def _say(self) -> None:
        self._words.say(self.model.words, *self.model.details)

    def _draw(self) -> None:
        model, alt = self.model, f"Graph of the cell. {self.model.cell_words}"
        self._cell.draw(plots.architecture, model.space, model.arch, model.edge, alt)

    def _draw_end(self) -> None:
        """After the tenth pick: the verdict, and a picture of all rivals."""
        model = self.model
        if model.left:
            self._verdict.say()
            self._end.value = ""
            return
        self._verdict.say(model.verdict, model.truth_words, strong=True)
        figure = Figure(figsize=(8.6, 2.9), layout="constrained")
        best = float(np.nanmax(model.table.scores()))
        ax = plots.bests(model.rivals, model.best[1], best, figure.subplots())
        picture = plots.image_html(ax, f"Bests of {PICKS} trainings. {model.verdict}")
        self._end.value = f'{picture}<div class="nas-lab-words">{SETTINGS_WORDS}</div>'

    def _list_picks(self) -> None:
        model = self.model
        heads = ["pick", "validation accuracy", "best so far", "seconds"]
        heads += ["operations, in the order of the menus"]
        picked = zip(model.picks, model.results, model.incumbent, strict=True)
        rows = [
            [f"{n}", f"{r.score:.1%}", f"{best:.1%}", f"{r.cost:.1f}", model.operations(arch)]
            for n, (arch, r, best) in enumerate(picked, start=1)
        ]
        listed = plots.table(rows, heads, model.known).html if rows else ""
        self._picks.value = html.escape(model.picks_words) + listed
