"""Homework 1, search spaces: counting, reading, cost, dead edges and canonical forms."""

from __future__ import annotations

import re

import numpy as np

from nas_lab.homework.drivers import Plain
from nas_lab.homework.question import question


def _draw_sizes(rng: np.random.Generator) -> list[Plain]:
    return rng.integers([2, 1], [7, 9]).tolist()


@question(
    "hw1.q1",
    draw=_draw_sizes,
    points=1,
    hint="count the edges first: one for each pair of nodes, from the earlier to the later.",
    mistakes={
        "the choices on two edges are independent. Does every choice on one edge go "
        "together with every choice on the other?": lambda nodes, operations: (
            operations * (nodes * (nodes - 1) // 2)
        ),
        "no node has an edge to itself. How many edges has a cell with two nodes?": (
            lambda nodes, operations: operations ** (nodes * (nodes + 1) // 2)
        ),
        "edges have one direction. How many edges has a cell with two nodes?": (
            lambda nodes, operations: operations ** (nodes * (nodes - 1))
        ),
        "a node reads all earlier nodes, not only the one before it.": lambda nodes, operations: (
            operations ** (nodes - 1)
        ),
    },
)
def _number_of_cells(nodes: int, operations: int) -> int:
    return operations ** (nodes * (nodes - 1) // 2)


OPERATIONS = ("avg_pool_3x3", "conv_1x1", "conv_3x3", "none", "skip")


def _draw_text(rng: np.random.Generator) -> list[Plain]:
    nodes = int(rng.integers(1, 5))
    parts = [
        "|" + "".join(f"{rng.choice(OPERATIONS)}~{source}|" for source in range(node))
        for node in range(1, nodes + 1)
    ]
    return ["+".join(parts)]


def _parse_from_zero(text: str) -> list[list]:
    return [[source, target - 1, op] for source, target, op in _parse(text)]


@question(
    "hw1.q2",
    draw=_draw_text,
    points=2,
    hint="the parts between '+' belong to the nodes 1, 2, ... in this order; in each part, '|' "
    "separates the edges and '~' the operation from its source.",
    mistakes={
        "which node does the first part lead to? Node 0 is the input.": _parse_from_zero,
        "the order of an edge is source, target, operation.": lambda text: [
            [target, source, op] for source, target, op in _parse(text)
        ],
        "what is cut out of a text is a text. A source is a whole number.": lambda text: [
            [str(source), target, op] for source, target, op in _parse(text)
        ],
    },
)
def _parse(text: str) -> list[list]:
    return [
        [int(source), target, op]
        for target, part in enumerate(text.split("+"), start=1)
        for op, source in re.findall(r"(\w+)~(\d)", part)
    ]


def _draw_convolution(rng: np.random.Generator) -> list[Plain]:
    groups = int(rng.choice([1, 2, 4]))
    c_in, c_out = (groups * rng.integers(1, 9, size=2)).tolist()
    kernel, stride = int(rng.choice([1, 3, 5])), int(rng.choice([1, 2]))
    return [c_in, c_out, kernel, stride, groups, int(rng.integers(5, 40))]


@question(
    "hw1.q3",
    draw=_draw_convolution,
    points=2,
    hint="count the weights first; each is used once for each place of the output image.",
    mistakes={
        "look at the groups: an output channel reads only its share of the input channels.": (
            lambda c_in, c_out, k, stride, groups, side: _conv_cost(c_in, c_out, k, stride, 1, side)
        ),
        "look at the stride: how large is the output image?": (
            lambda c_in, c_out, k, stride, groups, side: _conv_cost(c_in, c_out, k, 1, groups, side)
        ),
        "look at the side of the output where the stride does not divide the input: with "
        "padding the last, partly covered place counts too.": (
            lambda c_in, c_out, k, stride, groups, side: [
                _conv_cost(c_in, c_out, k, stride, groups, side)[0],
                _conv_cost(c_in, c_out, k, 1, groups, side // stride)[1],
            ]
        ),
        "look at the bias: this convolution has one number for each output channel.": (
            lambda c_in, c_out, k, stride, groups, side: [
                _conv_cost(c_in, c_out, k, stride, groups, side)[0] - c_out,
                _conv_cost(c_in, c_out, k, stride, groups, side)[1],
            ]
        ),
        "a multiply-add counts once here, not as two operations.": lambda *sizes: [
            _conv_cost(*sizes)[0],
            2 * _conv_cost(*sizes)[1],
        ],
    },
)
def _conv_cost(c_in: int, c_out: int, kernel: int, stride: int, groups: int, side: int) -> list:
    weights = kernel**2 * (c_in // groups) * c_out
    out = -(-side // stride)
    return [weights + c_out, weights * out**2]


EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""Of a cell with four nodes, in the order of the text form."""


def _draw_cell(rng: np.random.Generator) -> list[Plain]:
    """Six operations, 'none' more often than the others: dead edges are what is asked for."""
    share = rng.choice([0.2, 0.5])
    p = [share if op == "none" else (1 - share) / 4 for op in OPERATIONS]
    return [rng.choice(OPERATIONS, size=6, p=p).tolist()]


def _from_input(ops: list[str]) -> set[int]:
    """Nodes that the input reaches."""
    reached = {0}
    for op, (source, target) in zip(ops, EDGES, strict=True):
        if op != "none" and source in reached:
            reached.add(target)
    return reached


def _to_output(ops: list[str]) -> set[int]:
    """Nodes that reach the output."""
    reaching = {3}
    for op, (source, target) in reversed(list(zip(ops, EDGES, strict=True))):
        if op != "none" and target in reaching:
            reaching.add(source)
    return reaching


def _edges_where(ops: list[str], first: set[int], last: set[int]) -> list[list[int]]:
    edges = zip(ops, EDGES, strict=True)
    return [[a, b] for op, (a, b) in edges if op != "none" and a in first and b in last]


@question(
    "hw1.q4",
    draw=_draw_cell,
    points=3,
    hint="an edge is alive when the input reaches its source and its target reaches the output.",
    mistakes={
        "look at where an edge leads: does its result ever arrive at the output?": lambda ops: (
            _edges_where(ops, _from_input(ops), {0, 1, 2, 3})
        ),
        "look at where an edge begins: does anything of the input arrive there?": lambda ops: (
            _edges_where(ops, {0, 1, 2, 3}, _to_output(ops))
        ),
        "an edge whose operation is not 'none' can be dead all the same.": lambda ops: _edges_where(
            ops, {0, 1, 2, 3}, {0, 1, 2, 3}
        ),
    },
)
def _live_edges(ops: list[str]) -> list[list[int]]:
    return _edges_where(ops, _from_input(ops), _to_output(ops))


def _without_dead(ops: list[str]) -> list[str]:
    live = _live_edges(ops)
    return [op if list(edge) in live else "none" for op, edge in zip(ops, EDGES, strict=True)]


def _exchanged(ops: list[str]) -> list[str]:
    """The cell with its nodes 1 and 2 exchanged."""
    return [ops[place] for place in (1, 0, 2, 3, 5, 4)]


def _exchange_before_pruning(ops: list[str]) -> list[str]:
    return _without_dead(min(ops, _exchanged(ops)) if ops[2] == "none" else ops)


DEAD: tuple[tuple[int, ...], ...] = ((2,), (2,), (0,), (5,), (0, 3), (), (), ())
"""Places of 'none' in a cell whose middle edge is dead most of the time."""


def _draw_middle(rng: np.random.Generator) -> list[Plain]:
    """Few dead edges, but the middle one often: it is 'none', or leads from or to nowhere."""
    live = [op for op in OPERATIONS if op != "none"]
    ops = rng.choice(live, size=6).tolist()
    for place in DEAD[int(rng.integers(len(DEAD)))]:
        ops[place] = "none"
    return [ops]


@question(
    "hw1.q5",
    draw=_draw_middle,
    points=3,
    hint="first write 'none' on every dead edge. Then ask whether nodes 1 and 2 may be exchanged, "
    "and which of the two lists comes first in the alphabet.",
    mistakes={
        "dead edges are right. Now exchange nodes 1 and 2, where no edge joins them: does "
        "the network change?": _without_dead,
        "in which order? The edge between nodes 1 and 2 may be dead without being 'none'.": (
            _exchange_before_pruning
        ),
        "where an edge leads from node 1 to node 2, an exchange would turn it round.": lambda ops: (
            min(_without_dead(ops), _exchanged(_without_dead(ops)))
        ),
        "what stands on a dead edge changes nothing: write 'none' there.": lambda ops: (
            min(ops, _exchanged(ops)) if ops[2] == "none" else ops
        ),
    },
)
def _canonical(ops: list[str]) -> list[str]:
    ops = _without_dead(ops)
    return min(ops, _exchanged(ops)) if ops[2] == "none" else ops


def _draw_cell_and_size(rng: np.random.Generator) -> list[Plain]:
    return [*_draw_cell(rng), int(rng.integers(1, 33)), int(rng.integers(1, 33))]


def _cell_macs_with_dead(ops: list[str], channels: int, side: int) -> int:
    kernels = {"conv_1x1": 1, "conv_3x3": 9}
    return sum(kernels.get(op, 0) for op in ops) * channels**2 * side**2


@question(
    "hw1.q6",
    draw=_draw_cell_and_size,
    points=3,
    hint="only convolutions on live edges count; all see the same number of channels and the same "
    "size of image.",
    mistakes={
        "look at the dead edges: nobody computes them.": _cell_macs_with_dead,
        "look at the channels: each output channel reads all input channels.": (
            lambda ops, channels, side: _cell_macs(ops, 1, side) * channels
        ),
        "look at the kernel: how many weights has a 3x3 one?": lambda ops, channels, side: (
            sum({"conv_1x1": 1, "conv_3x3": 3}.get(op, 0) for op in _without_dead(ops))
            * channels**2
            * side**2
        ),
    },
)
def _cell_macs(ops: list[str], channels: int, side: int) -> int:
    kernels = {"conv_1x1": 1, "conv_3x3": 9}
    return sum(kernels.get(op, 0) for op in _without_dead(ops)) * channels**2 * side**2
