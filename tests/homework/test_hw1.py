"""Homework 1: right answers written differently earn all points, and the references are right."""

from itertools import product

import networkx as nx
import numpy as np
import torch

from nas_lab.homework.homeworks import QUESTIONS
from nas_lab.homework.homeworks.hw1 import EDGES, OPERATIONS
from tests.homework.variants import right

REFERENCE = {q.answer: q.reference for q in QUESTIONS.values() if q.name.startswith("hw1.")}


def graph(ops):
    """The live part of a cell, as networkx finds it."""
    whole = nx.DiGraph()
    whole.add_nodes_from(range(4))
    for op, (a, b) in zip(ops, EDGES, strict=True):
        if op != "none":
            whole.add_edge(a, b, op=op)
    alive = nx.DiGraph()
    alive.add_nodes_from(range(4))
    for path in nx.all_simple_paths(whole, 0, 3):
        alive.add_edges_from((a, b, whole[a][b]) for a, b in nx.utils.pairwise(path))
    return alive


def live_by_paths(ops):
    edges = graph(ops).edges
    return [[a, b] for a, b in EDGES if (a, b) in edges]


def live_by_matrices(ops):
    matrix = np.eye(4)
    for op, edge in zip(ops, EDGES, strict=True):
        matrix[edge] += op != "none"
    reach = np.linalg.matrix_power(matrix, 4) > 0
    return [
        list(edge)
        for op, edge in zip(ops, EDGES, strict=True)
        if op != "none" and reach[0, edge[0]] and reach[edge[1], 3]
    ]


def canonical_by_search(ops):
    """The first of all cells with the same live graph, by brute force over node orders."""
    alive, found = graph(ops), []
    for order in ([0, 1, 2, 3], [0, 2, 1, 3]):
        moved = nx.relabel_nodes(alive, dict(enumerate(order)))
        if all(edge in EDGES for edge in moved.edges):
            found.append([moved.edges[e]["op"] if e in moved.edges else "none" for e in EDGES])
    return np.array(min(found))


def canonical_tuple(ops):
    live = {tuple(edge) for edge in live_by_matrices(ops)}
    cell = {e: op if e in live else "none" for e, op in zip(EDGES, ops, strict=True)}
    swap = {0: 0, 1: 2, 2: 1, 3: 3}
    other = {tuple(sorted((swap[a], swap[b]))): op for (a, b), op in cell.items()}
    both = [tuple(c[e] for e in EDGES) for c in (cell, other)]
    return min(both) if cell[1, 2] == "none" else both[0]


def cost_by_torch(c_in, c_out, kernel, stride, groups, side):
    layer = torch.nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups)
    image = layer(torch.zeros(1, c_in, side, side))
    return [
        sum(p.numel() for p in layer.parameters()),
        layer.weight[0].numel() * image.numel(),
    ]


def cost_by_counting(c_in, c_out, kernel, stride, groups, side):
    places = len(range(0, side, stride)) ** 2
    weights = sum(kernel * kernel * (c_in / groups) for _ in range(c_out))
    return int(weights) + c_out, int(weights * places)


def parse_by_splitting(text):
    edges, target = [], 0
    for part in text.split("|"):
        if part in ("", "+"):
            target += part == "+" or not edges
            continue
        op, _, source = part.partition("~")
        edges.append((int(source), max(1, target), op))
    return edges


def parse_by_count(text):
    tokens = text.replace("+", "").strip("|").replace("||", "|").split("|")
    places = [(a, b) for b in range(1, 6) for a in range(b)]
    return [[a, b, t.split("~")[0]] for (a, b), t in zip(places, tokens, strict=False)]


def macs_by_kernels(ops, channels, side):
    total = 0
    for edge in live_by_paths(ops):
        op = ops[EDGES.index(tuple(edge))]
        if op.startswith("conv"):
            total += int(op[-1]) ** 2 * channels * channels * side * side
    return total


VARIANTS = {
    "hw1.q1": [
        lambda n, k: k ** len([1 for b in range(n) for a in range(b)]),
        lambda n, k: np.prod([k] * (n * (n - 1) // 2), dtype=object),
        lambda n, k: pow(k, sum(range(n))),
    ],
    "hw1.q2": [parse_by_splitting, parse_by_count],
    "hw1.q3": [
        cost_by_torch,
        cost_by_counting,
        lambda i, o, k, s, g, n: np.array(
            [k * k * i * o // g + o, k * k * i * o // g * ((n - 1) // s + 1) ** 2]
        ),
    ],
    "hw1.q4": [live_by_paths, live_by_matrices],
    "hw1.q5": [canonical_by_search, canonical_tuple],
    "hw1.q6": [
        macs_by_kernels,
        lambda ops, c, s: np.int64(macs_by_kernels(ops, 1, s)) * c * c,
    ],
}

test_right_answers_written_differently_are_right = right(VARIANTS)


def test_equal_networks_are_those_with_the_same_canonical_form():
    """On a thinned space, against networkx' isomorphism that keeps input and output."""
    cells = [list(ops) for ops in product(["none", "skip", "conv_1x1"], repeat=6)][::5]
    forms = [tuple(REFERENCE["canonical"](ops)) for ops in cells]
    first = {}
    for ops, form in zip(cells, forms, strict=True):
        first.setdefault(form, ops)
        assert same(graph(ops), graph(first[form]))
    unlike = list(first.values())[:60]
    for i, one in enumerate(unlike):
        assert not any(same(graph(one), graph(other)) for other in unlike[:i])


def same(one, other):
    for g in (one, other):
        nx.set_node_attributes(g, {0: "input", 1: "", 2: "", 3: "output"}, "role")
    match = nx.isomorphism.categorical_node_match("role", "")
    edges = nx.isomorphism.categorical_edge_match("op", "")
    return nx.is_isomorphic(one, other, node_match=match, edge_match=edges)


def test_the_operations_are_those_of_the_notebook():
    assert sorted(OPERATIONS) == list(OPERATIONS)
