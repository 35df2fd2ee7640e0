"""Homework 1, search spaces: counting, reading, cost, dead edges and canonical forms."""

import re

import numpy as np

from nas_lab.homework.drivers import Plain
from nas_lab.homework.question import hints, question


@question("hw1.q1", lambda rng: rng.integers([2, 1], [7, 9]), points=1)
@hints(
    "count the edges first: one for each pair of nodes, from the earlier to the later.",
    lambda n, k: k * (n * (n - 1) // 2),
    "edges are independent. Does each choice on one edge go together with each on another?",
    lambda n, k: k ** (n * (n + 1) // 2),
    "no node has an edge to itself. How many edges has a cell with two nodes?",
    lambda n, k: k ** (n * (n - 1)),
    "edges have one direction. How many edges has a cell with two nodes?",
    lambda n, k: k ** (n - 1),
    "a node reads all earlier nodes, not only the one before it.",
)
def _number_of_cells(nodes: int, operations: int) -> int:
    return operations ** (nodes * (nodes - 1) // 2)


OPERATIONS = ("avg_pool_3x3", "conv_1x1", "conv_3x3", "none", "skip")


def _draw_text(rng: np.random.Generator) -> list[Plain]:
    nodes = range(1, rng.integers(1, 5) + 1)
    parts = [[f"{rng.choice(OPERATIONS)}~{source}|" for source in range(node)] for node in nodes]
    return ["+".join("|" + "".join(part) for part in parts)]


@question("hw1.q2", _draw_text, points=2)
@hints(
    "the parts between '+' belong to the nodes 1, 2, ... in this order; in each part, '|' "
    "separates the edges and '~' the operation from its source.",
    lambda text: [[source, target - 1, op] for source, target, op in _parse(text)],
    "which node does the first part lead to? Node 0 is the input.",
    lambda text: [[target, source, op] for source, target, op in _parse(text)],
    "the order of an edge is source, target, operation.",
    lambda text: [[str(source), target, op] for source, target, op in _parse(text)],
    "what is cut out of a text is a text. A source is a whole number.",
)
def _parse(text: str) -> list[list]:
    return [
        [int(source), target, op]
        for target, part in enumerate(text.split("+"), start=1)
        for op, source in re.findall(r"(\w+)~(\d)", part)
    ]


def _draw_convolution(rng: np.random.Generator) -> list[Plain]:
    groups = rng.choice([1, 2, 4])
    channels = groups * rng.integers(1, 9, size=2)
    return [*channels, rng.choice([1, 3, 5]), rng.choice([1, 2]), groups, rng.integers(5, 40)]


@question("hw1.q3", _draw_convolution, points=2)
@hints(
    "count the weights first; each is used once for each place of the output image.",
    lambda i, o, k, stride, groups, side: _conv_cost(i, o, k, stride, 1, side),
    "look at the groups: an output channel reads only its share of the input channels.",
    lambda i, o, k, stride, groups, side: _conv_cost(i, o, k, 1, groups, side),
    "look at the stride: how large is the output image?",
    lambda i, o, k, stride, groups, side: _conv_cost(i, o, k, 1, groups, side // stride),
    "if the stride does not divide the input, padding makes the last, partly covered place count.",
    lambda i, o, *sizes: np.subtract(_conv_cost(i, o, *sizes), [o, 0]),
    "look at the bias: this convolution has one number for each output channel.",
    lambda *sizes: np.multiply(_conv_cost(*sizes), [1, 2]),
    "a multiply-add counts once here, not as two operations.",
)
def _conv_cost(c_in: int, c_out: int, kernel: int, stride: int, groups: int, side: int) -> list:
    weights = kernel**2 * (c_in // groups) * c_out
    return [weights + c_out, weights * (-(-side // stride)) ** 2]


EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""Of a cell with four nodes, in the order of the text form."""


def _draw_cell(rng: np.random.Generator) -> list[Plain]:
    """Six operations, 'none' more often than the others: dead edges are what is asked for."""
    share = rng.choice([0.2, 0.5])
    p = [share if op == "none" else (1 - share) / 4 for op in OPERATIONS]
    return [rng.choice(OPERATIONS, size=6, p=p)]


def _reached(start: int, edges: list[tuple[int, int]]) -> set[int]:
    """Nodes to which edges lead, each edge listed after those that lead to its source."""
    nodes = {start}
    for source, target in edges:
        nodes |= {target} if source in nodes else set()
    return nodes


@question("hw1.q4", _draw_cell, points=3)
@hints(
    "an edge is alive when the input reaches its source and its target reaches the output.",
    lambda ops: _live_edges(ops, to_output={0, 1, 2, 3}),
    "look at where an edge leads: does its result ever arrive at the output?",
    lambda ops: _live_edges(ops, from_input={0, 1, 2, 3}),
    "look at where an edge begins: does anything of the input arrive there?",
    lambda ops: [[a, b] for op, (a, b) in zip(ops, EDGES, strict=True) if op != "none"],
    "an edge whose operation is not 'none' can be dead all the same.",
)
def _live_edges(ops: list[str], from_input: Plain = None, to_output: Plain = None) -> list:
    edges = [edge for op, edge in zip(ops, EDGES, strict=True) if op != "none"]
    from_input = from_input or _reached(0, edges)
    to_output = to_output or _reached(3, [(b, a) for a, b in reversed(edges)])
    return [[a, b] for a, b in edges if a in from_input and b in to_output]


def _without_dead(ops: list[str]) -> list[str]:
    live = _live_edges(ops)
    return [op if list(edge) in live else "none" for op, edge in zip(ops, EDGES, strict=True)]


def _exchanged(ops: list[str]) -> list[str]:
    """The cell with its nodes 1 and 2 exchanged."""
    return [ops[place] for place in (1, 0, 2, 3, 5, 4)]


def _first(ops: list[str]) -> list[str]:
    """The cell, or the exchanged one where that is the same and comes first in the alphabet."""
    return min(ops, _exchanged(ops)) if ops[2] == "none" else ops


DEAD: tuple[tuple[int, ...], ...] = ((2,), (2,), (0,), (5,), (0, 3), (), (), ())
"""Places of 'none' in a cell whose middle edge is dead most of the time."""


def _draw_middle(rng: np.random.Generator) -> list[Plain]:
    """Few dead edges, but the middle one often: it is 'none', or leads from or to nowhere."""
    ops = rng.choice([op for op in OPERATIONS if op != "none"], size=6).tolist()
    dead = DEAD[rng.integers(len(DEAD))]
    return [["none" if place in dead else op for place, op in enumerate(ops)]]


@question("hw1.q5", _draw_middle, points=3)
@hints(
    "first write 'none' on every dead edge. Then ask whether nodes 1 and 2 may be exchanged, and "
    "which of the two lists comes first in the alphabet.",
    _without_dead,
    "dead edges are right. Now exchange nodes 1 and 2, if no edge joins them: the same network?",
    lambda ops: _without_dead(_first(ops)),
    "in which order? The edge between nodes 1 and 2 may be dead without being 'none'.",
    lambda ops: min(_without_dead(ops), _exchanged(_without_dead(ops))),
    "where an edge leads from node 1 to node 2, an exchange would turn it round.",
    _first,
    "what stands on a dead edge changes nothing: write 'none' there.",
)
def _canonical(ops: list[str]) -> list[str]:
    return _first(_without_dead(ops))


KERNELS = {"conv_1x1": 1, "conv_3x3": 9}


@question("hw1.q6", lambda rng: [*_draw_cell(rng), *rng.integers(1, 33, size=2)], points=3)
@hints(
    "only convolutions on live edges count; all see the same channels and the same image size.",
    lambda ops, c, n: sum(KERNELS.get(op, 0) for op in ops) * c**2 * n**2,
    "look at the dead edges: nobody computes them.",
    lambda ops, c, n: _cell_macs(ops, 1, n) * c,
    "look at the channels: each output channel reads all input channels.",
    lambda ops, c, n: _cell_macs(ops, c, n, KERNELS | {"conv_3x3": 3}),
    "look at the kernel: how many weights has a 3x3 one?",
)
def _cell_macs(ops: list[str], channels: int, side: int, weights: dict[str, int] = KERNELS) -> int:
    return sum(weights.get(op, 0) for op in _without_dead(ops)) * channels**2 * side**2
