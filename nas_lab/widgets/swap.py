"""Swap an operation of a cell, and see the change of its accuracy split into parts."""

from __future__ import annotations

import html

import ipywidgets
from matplotlib.figure import Figure

from nas_lab import plots
from nas_lab.estimation import Table
from nas_lab.spaces import Arch
from nas_lab.widgets.menus import EdgeMenus
from nas_lab.widgets.swap_state import FIRST, SwapState
from nas_lab.widgets.view import MovingPicture, Picture, View, Words, button, row

_HINT = (
    "Change one edge. Its effect is split: what such a swap does on average over all cells, and "
    "what it does together with the edges of this cell. Look for a swap that helps on average and "
    "hurts here. (By keyboard: Space opens a menu.)"
)
_IMPROVE = "swap towards the nearest cell that is better by more than the noise"


class SwapParts(View):
    """A cell with a menu for each edge; bars show why its accuracy moves.

    ``w.state`` is a plain dict, and ``SwapParts(**w.state)`` continues there.

    Args:
        table: the truth; None takes the one that comes with the kit.
        arch: the cell before the swap: six tokens, or the text form.
        edge: which edge is swapped, by its place in ``arch``.
        token: its new operation.

    Raises:
        TypeError, ValueError: ``arch`` is no cell, before or after the swap.
    """

    model: SwapState

    def __init__(
        self,
        table: Table | None = None,
        *,
        arch: Arch | str = FIRST,
        edge: int = 2,
        token: int = 0,
    ) -> None:
        super().__init__()
        self.model = SwapState(table, arch=arch, edge=edge, token=token)
        edges = [name.removeprefix("with ") for name in self.model.names[1:-2]]
        self._menus = EdgeMenus(edges, self.model.choose)
        self._cell, self._bars = Picture(5.6, 2.14), self._make_bars()
        self._words, self._message, hint = Words(), Words(), Words()
        self._drawn: object = None
        hint.say(_HINT)
        better = button("Nearest better cell", self.model.improve, _IMPROVE)
        reset = button("Reset", self.model.reset, "back to the first swap")
        picture = ipywidgets.VBox([self._cell, self._words, self._message], layout=_PICTURE)
        menus = ipywidgets.VBox([self._menus, row(better, reset)])
        self.assemble(hint, row(menus, picture), self._bars)

    def _make_bars(self) -> MovingPicture:
        figure = Figure(figsize=(7.6, 3.1), layout="constrained")
        title = "Why does the accuracy move? (points)"
        self._parts = plots.PartBars(figure.subplots(), self.model.names, title)
        return MovingPicture(figure, self._parts.moving)

    def redraw(self) -> None:
        """Bring menus, pictures and words in line with the state."""
        model = self.model
        self._message.say(html.escape(model.message))
        swapped = (model.arch, model.edge, model.token)
        if self._drawn == swapped:
            return
        self._drawn = swapped
        self._menus.show(model.after, model.edge)
        self._words.say(f"<b>{html.escape(model.swap_words)}</b>", html.escape(model.parts_words))
        drawn = f"Graph of the cell after the swap. {model.swap_words}"
        self._cell.draw(lambda ax: plots.cell(model.space, model.after, ax, model.edge), drawn)
        self._parts.update(model.values)
        self._bars.draw(f"Parts of the change. {model.parts_words}")


_PICTURE = {"max_width": "548px"}
