"""One numbering for all numberings of the same graph.

The nodes of a cell or a chain carry numbers only because tokens are written one after the other.
Where two nodes do not read each other, swapping their numbers gives other tokens and the same
network. ``smallest_order`` finds the numbering whose rows of tokens come first.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

Row = tuple[int, ...]


def smallest_order(
    inputs: Sequence[frozenset[int]],
    row: Callable[[int, tuple[int, ...]], Row],
    twin: Callable[[int], Hashable],
) -> tuple[int, ...]:
    """Order nodes so that their rows, read one after the other, are lexicographically smallest.

    Args:
        inputs: for each node, the nodes that it reads; they have to come before it.
        row: ``row(node, placed)`` gives the tokens of ``node`` when it follows the nodes
            ``placed``, which hold all its inputs.
        twin: nodes with equal rows and equal ``twin(node)`` are interchangeable, so only one
            of them is tried first. What reads a node, and how, tells twins apart.

    Returns:
        The nodes in their new order.
    """
    best: list[tuple[tuple[Row, ...], tuple[int, ...]]] = []

    def extend(placed: tuple[int, ...], rows: tuple[Row, ...]) -> None:
        if len(placed) == len(inputs):
            best[:] = [min([*best, (rows, placed)])]
            return
        ready = {
            node: row(node, placed)
            for node in range(len(inputs))
            if node not in placed and inputs[node].issubset(placed)
        }
        smallest = min(ready.values())
        tied = {twin(node): node for node in ready if ready[node] == smallest}
        for node in tied.values():
            extend((*placed, node), (*rows, smallest))

    extend((), ())
    return best[0][1]
