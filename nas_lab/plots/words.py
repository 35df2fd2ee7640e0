"""Words and numbers in pictures and beside them."""

from __future__ import annotations

from nas_lab.spaces.base import Space
from nas_lab.spaces.cells import EDGES_201, EDGES_DARTS, Darts, NasBench201

_NODES_201 = ("input", "1", "2", "output")
_NODES_DARTS = ("k−2", "k−1", "0", "1", "2", "3")


def decision_labels(space: Space) -> list[str]:
    """What a picture calls each decision of a space: ``input → 1`` for an edge of a cell."""
    if isinstance(space, NasBench201):
        return [f"{_NODES_201[a]} → {_NODES_201[b]}" for a, b in EDGES_201]
    if isinstance(space, Darts):
        edges = [f"{_NODES_DARTS[a]} → {_NODES_DARTS[b]}" for a, b in EDGES_DARTS]
        return [f"{cell}: {edge}" for cell in ("normal", "reduce") for edge in edges]
    return [decision.name.replace("_", " ") for decision in space.decisions]


def quantity(number: float) -> str:
    """A number to read aloud: 7.81 million, 969 thousand, 4,096."""
    rounded = float(f"{number:.3g}")
    unit, word = unit_of(number)
    if word:
        digits = max(0, 3 - len(f"{rounded / unit:.0f}"))
        return f"{rounded / unit:.{digits}f} {word}"
    return f"{number:,.0f}" if rounded >= 1000 else f"{number:.3g}"


def unit_of(number: float) -> tuple[float, str]:
    """The unit that a number is read in: 1e6 and ``million``, or 1 and no word."""
    rounded = float(f"{number:.3g}")
    for least, unit, word in ((1e9, 1e9, "billion"), (1e6, 1e6, "million"), (1e4, 1e3, "thousand")):
        if rounded >= least:
            return unit, word
    return 1.0, ""
