"""What DARTS has to know of a cell: which edges lead to the same node."""

from __future__ import annotations

from functools import singledispatch

from nas_lab.spaces.base import Space
from nas_lab.spaces.cell_201 import EDGES_201, NasBench201
from nas_lab.spaces.cell_darts import CELLS_DARTS, EDGES_DARTS, Darts


@singledispatch
def nodes(space: Space) -> tuple[int, ...]:
    """For each decision, the number of the node that its edge leads to.

    Edges with the same number are those that a node sums. For ``darts()`` nodes of the reduction
    cell have numbers of their own.

    Raises:
        TypeError: the decisions of this kind of space are no edges.
    """
    raise TypeError(
        f"the decisions of {space.name} are no edges of a cell: use nasbench201() or darts()"
    )


@nodes.register
def _nodes_201(space: NasBench201) -> tuple[int, ...]:
    return tuple(node for _, node in EDGES_201)


@nodes.register
def _nodes_darts(space: Darts) -> tuple[int, ...]:
    per_cell = 1 + max(node for _, node in EDGES_DARTS)
    return tuple(i * per_cell + node for i in range(len(CELLS_DARTS)) for _, node in EDGES_DARTS)


def incoming(space: Space) -> list[list[int]]:
    """For each node, the positions of the edges that lead to it; TypeError as ``nodes``."""
    reached = nodes(space)
    return [[i for i, n in enumerate(reached) if n == node] for node in sorted(set(reached))]


def skips(space: Space) -> list[int | None]:
    """For each decision, the token of its ``skip_connect``; None where it has none."""
    return [
        decision.options.index("skip_connect") if "skip_connect" in decision.options else None
        for decision in space.decisions
    ]
