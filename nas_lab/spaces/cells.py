"""Cells: NAS-Bench-201 (Dong & Yang 2020) and DARTS (Liu et al. 2019)."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, TypeAlias

from nas_lab.spaces.base import Arch, Decision, Skeleton, Space, as_generator, smallest_numbering
from nas_lab.spaces.network import Cost, Network

if TYPE_CHECKING:
    import networkx
    import numpy as np

Inputs: TypeAlias = list[tuple[str, int]]  # a node sums operations, each with what it reads


def relu_conv_norm(net: Network, x: int, channels: int, kernel: int, stride: int = 1) -> int:
    """ReLU, convolution, batch normalisation: the order that all cells use."""
    return net.norm(net.conv(net.relu(x), channels, kernel, stride=stride))


def depthwise_separable(
    net: Network, x: int, channels: int, kernel: int, stride: int, dilation: int = 1
) -> int:
    """ReLU, a convolution of each channel by itself, a 1x1 convolution, normalisation."""
    given = net.shape(x)[0]
    depthwise = net.conv(net.relu(x), given, kernel, stride=stride, dilation=dilation, groups=given)
    return net.norm(net.conv(depthwise, channels, 1))


def factorized_reduce(net: Network, x: int, channels: int) -> int:
    """Half the resolution without losing pixels: two strided 1x1 convolutions, one pixel apart."""
    x = net.relu(x)
    first = net.conv(x, channels // 2, 1, stride=2)
    second = net.conv(net.shift(x), channels - channels // 2, 1, stride=2)
    return net.norm(net.concat(first, second))


def residual_reduction(net: Network, x: int, channels: int) -> int:
    """NAS-Bench-201's block between stages: half the resolution, twice the channels."""
    with net.scope("residual"):
        branch = relu_conv_norm(net, x, channels, 3, stride=2)
        branch = relu_conv_norm(net, branch, channels, 3)
    with net.scope("shortcut"):
        shortcut = net.conv(net.pool("avg_pool", x, 2, stride=2), channels, 1)
    return net.add(branch, shortcut)


def operation(net: Network, x: int, op: str, stride: int = 1) -> int:
    """One operation on an edge of either cell; channels stay."""
    channels = net.shape(x)[0]
    if op == "skip_connect":
        return x if stride == 1 else factorized_reduce(net, x, channels)
    kernel = int(op[-1])
    if "pool" in op:
        return net.pool(op[:8], x, kernel, stride=stride)
    if op.startswith("nor_conv"):
        return relu_conv_norm(net, x, channels, kernel)
    if op.startswith("dil_conv"):
        return depthwise_separable(net, x, channels, kernel, stride, dilation=2)
    x = depthwise_separable(net, x, channels, kernel, stride)  # sep_conv: twice
    return depthwise_separable(net, x, channels, kernel, 1)


def write_cell(net: Network, *given: int, nodes: Iterable[Inputs], stride: int = 1) -> list[int]:
    """Write a cell, edges from ``given`` with the stride; returns these and its nodes' sums."""
    states = list(given)
    for node, inputs in enumerate(nodes, start=len(given)):
        terms = []
        for op, source in inputs:
            with net.scope(f"edge_{source}{node}"):
                step = stride if source < len(given) else 1
                terms.append(operation(net, states[source], op, step))
        with net.scope(f"node_{node}"):
            states.append(net.add(*terms) if terms else net.zeros(given[0]))
    return states


def node_inputs(
    tokens: Arch, edges: Sequence[tuple[int, int]], operations: Sequence[str]
) -> list[Inputs]:
    """For each node, what it sums; 'none' has the token 0 and is left out."""
    chosen = [(operations[t], *edge) for t, edge in zip(tokens, edges, strict=True) if t]
    nodes = sorted({node for _, node in edges})
    return [[(op, source) for op, source, node in chosen if node == n] for n in nodes]


def read_form(form: str, operations: Sequence[str], text: str) -> tuple[str, ...]:
    """What ``text`` has where ``form`` has 'op' or, for a digit, 'k'; ValueError if they differ."""
    pattern = re.escape(form).replace("op", "([^|~+]+)").replace("k", r"(\d)")
    found = re.fullmatch(pattern, text)
    if not found:
        raise ValueError(f"{text!r} is not of the form {form}, op one of {', '.join(operations)}")
    return found.groups()


OPERATIONS_201 = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES_201 = tuple((source, node) for node in (1, 2, 3) for source in range(node))
NODES_201 = ("input", "1", "2", "output")
FORM_201 = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"


class NasBench201(Space):
    """The cell of NAS-Bench-201 (Dong & Yang 2020): 4 nodes, 6 edges, 5 operations.
    Node 0 is the input, node 3 the output. A node is the sum of its incoming edges. Tokens follow
    the order of the text form, ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``."""

    edges = EDGES_201

    @property
    def labels(self) -> list[str]:
        """The two ends of each edge."""
        return [f"{NODES_201[source]} → {NODES_201[node]}" for source, node in EDGES_201]

    def to_string(self, arch: Arch) -> str:
        """The text form of the paper."""
        return FORM_201.replace("op", "{}").format(*self.decode(arch).values())

    def from_string(self, text: str) -> Arch:
        """Read the text form of the paper."""
        names = (decision.name for decision in self.decisions)
        return self.encode(dict(zip(names, read_form(FORM_201, OPERATIONS_201, text), strict=True)))

    def canonical(self, arch: Arch) -> Arch:
        """The first architecture, in the order of tokens, with the same ``expression``."""
        return _first_with_expression()[expression_201(self.check(arch))]

    def network(self, arch: Arch, skeleton: Skeleton) -> Network:
        """Stem, stages of equal cells with a residual reduction between them, classifier."""
        nodes = node_inputs(self.check(arch), EDGES_201, OPERATIONS_201)
        net = Network(skeleton.image)
        with net.scope("stem"):
            x = net.norm(net.conv(net.image, skeleton.channels, 3, stride=skeleton.stem_stride))
        for stage in range(skeleton.stages):
            if stage:
                with net.scope(f"reduction_{stage}"):
                    x = residual_reduction(net, x, skeleton.channels * 2**stage)
            for cell in range(skeleton.cells):
                with net.scope(f"stage_{stage + 1}.cell_{cell + 1}"):
                    x = write_cell(net, x, nodes=nodes)[-1]
        with net.scope("head"):
            x = net.relu(net.norm(x))
        net.classifier(x, skeleton.classes)
        return net

    def cost(self, arch: Arch, skeleton: Skeleton) -> Cost:
        """Parameters and multiply-adds; every edge sees the same shapes, so they add up."""
        one_edge = _costs_of_one_edge(self, skeleton)
        six = [one_edge[token] for token in self.check(arch)]  # each with the stem and the rest
        return Cost(*(sum(s) - 5 * rest for rest, *s in zip(one_edge[0], *six, strict=True)))

    def graph(self, arch: Arch) -> networkx.DiGraph:
        """Nodes 0 to 3; edges carry their ``operation``. Edges with 'none' are left out."""
        import networkx

        graph = networkx.DiGraph(name=self.to_string(arch))
        graph.add_nodes_from((node, {"label": label}) for node, label in enumerate(NODES_201))
        for op, edge in zip(self.decode(arch).values(), EDGES_201, strict=True):
            if op != "none":
                graph.add_edge(*edge, operation=op)
        return graph


def expression_201(arch: Arch) -> str:
    """What a cell computes, as a text; cells with the same text count as the same network.
    ``0`` is the cell's input and ``#`` is zero. 'none', and any operation on zero, gives zero; a
    skip is what it reads; the terms of a sum are sorted. These are the rules of the authors' code
    (``to_unique_str``), which leave 6,466 texts. With one fixed map for each operation, 4,660
    functions are behind them, as ``0+#`` and ``0`` are one. And a text does not tell whether two
    equal terms come from two convolutions or from one."""
    nodes = ["0"]
    for tokens in (arch[:1], arch[1:3], arch[3:]):
        terms = []
        for token, source in zip(tokens, nodes, strict=True):
            op = OPERATIONS_201[token]
            if op == "none" or source == "#":
                terms.append("#")
            else:
                terms.append(source if op == "skip_connect" else f"({source})@{op}")
        nodes.append("+".join(sorted(terms)))
    return nodes[3]


@lru_cache(maxsize=1)
def _first_with_expression() -> dict[str, Arch]:
    archs = itertools.product(range(len(OPERATIONS_201)), repeat=len(EDGES_201))
    return {expression_201(arch): arch for arch in reversed([*archs])}


@lru_cache(maxsize=64)
def _costs_of_one_edge(space: NasBench201, skeleton: Skeleton) -> list[Cost]:
    return [space.network((token, 0, 0, 0, 0, 0), skeleton).cost for token in range(5)]


@lru_cache(maxsize=1)
def nasbench201() -> NasBench201:
    """The cell space of NAS-Bench-201 (Dong & Yang 2020, arXiv:2001.00326), 15,625 cells."""
    decisions = (Decision(f"edge_{a}{b}", OPERATIONS_201) for a, b in EDGES_201)
    return NasBench201("nasbench201", tuple(decisions))


WITHOUT_CONVOLUTION = ("none", "max_pool_3x3", "avg_pool_3x3", "skip_connect")
CONVOLUTIONS_DARTS = ("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5")
OPERATIONS_DARTS = WITHOUT_CONVOLUTION + CONVOLUTIONS_DARTS
CELLS_DARTS = ("normal", "reduce")
NODES_DARTS = 4
EDGES_DARTS = tuple((source, node) for node in range(2, 6) for source in range(node))
STATES_DARTS = ("k−2", "k−1", "0", "1", "2", "3")
FORM_DARTS = ";".join(cell + "+".join(["|op~k|op~k|"] * NODES_DARTS) for cell in CELLS_DARTS)


class Darts(Space):
    """The cells of DARTS (Liu et al. 2019, section 2.1): a normal and a reduction cell.
    A cell reads the two cells before it (states 0 and 1) and has four nodes (states 2 to 5). Each
    node sums two edges from different earlier states; the cell's output is the four nodes, one
    after the other. A decision is an edge, so ``w`` is the paper's alpha: of the edges into a node
    exactly two are not 'none'."""

    # States 0 to 5 of the normal cell, 6 to 11 of the reduction cell.
    edges = EDGES_DARTS + tuple((source + 6, node + 6) for source, node in EDGES_DARTS)
    rule = "each node reads exactly two earlier states, two different ones, and neither by 'none'"
    # Two inputs and two of 7 operations for each node, two cells: 1.08e18.
    size = math.prod(math.comb(node, 2) * 7**2 for node in range(2, 6)) ** 2

    @property
    def labels(self) -> list[str]:
        """The cell and the two ends of each edge."""
        names = [f"{STATES_DARTS[source]} → {STATES_DARTS[node]}" for source, node in EDGES_DARTS]
        return [f"{cell}: {name}" for cell in CELLS_DARTS for name in names]

    def allowed(self, prefix: Arch) -> Sequence[int]:
        """'none' while two inputs can still be found, operations until two have been."""
        source, node = EDGES_DARTS[len(prefix) % len(EDGES_DARTS)]
        chosen = sum(token != 0 for token in prefix[len(prefix) - source :])
        later = node - source - 1
        return range(0 if chosen + later >= 2 else 1, 8 if chosen < 2 else 1)

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw two inputs and two operations for each node, uniformly."""
        tokens: list[int] = []
        for node in (2, 3, 4, 5) * 2:
            row = [0] * node
            for source in as_generator(rng).choice(node, size=2, replace=False):
                row[source] = int(rng.integers(1, 8))
            tokens += row
        return tuple(tokens)

    def neighbors(self, arch: Arch) -> list[Arch]:
        """All architectures with one other operation, or with one edge moved to another input."""
        arch = self.check(arch)
        found = []
        for edge in (i for i, token in enumerate(arch) if token):
            source, node = EDGES_DARTS[edge % len(EDGES_DARTS)]
            into_node = range(edge - source, edge - source + node)
            others = [(edge, op) for op in range(1, 8) if op != arch[edge]]
            moved = [(other, arch[edge]) for other in into_node if not arch[other]]
            for place, op in others + moved:
                changed = {edge: 0, place: op}
                found.append(tuple(changed.get(i, token) for i, token in enumerate(arch)))
        return found

    def halves(self, arch: Arch) -> tuple[Arch, Arch]:
        """Tokens of the normal and of the reduction cell."""
        arch, half = self.check(arch), len(EDGES_DARTS)
        return arch[:half], arch[half:]

    def canonical(self, arch: Arch) -> Arch:
        """The first tokens, in their order, that renumbering the four nodes can give."""
        normal, reduce = map(_renumbered, self.halves(arch))
        return normal + reduce

    def genotype(self, arch: Arch) -> dict[str, list[Inputs]]:
        """The paper's notation: for each cell and node, two pairs of an operation and its input."""
        nodes = (node_inputs(half, EDGES_DARTS, OPERATIONS_DARTS) for half in self.halves(arch))
        return dict(zip(CELLS_DARTS, nodes, strict=True))

    def to_string(self, arch: Arch) -> str:
        """``normal|op~0|op~1|+|...|;reduce|...|``, two edges for each node."""
        nodes = itertools.chain(*self.genotype(arch).values())
        pairs = (f"{op}~{source}" for node in nodes for op, source in node)
        return FORM_DARTS.replace("op~k", "{}").format(*pairs)

    def from_string(self, text: str) -> Arch:
        """Read the form that ``to_string`` writes; the two edges of a node in any order."""
        chosen = {decision.name: "none" for decision in self.decisions}
        found = iter(read_form(FORM_DARTS, OPERATIONS_DARTS, text))
        for i, (op, source) in enumerate(zip(found, found, strict=True)):
            chosen[f"{CELLS_DARTS[i // 8]}_{source}_{i % 8 // 2 + 2}"] = op
        return self.encode(chosen)

    def network(self, arch: Arch, skeleton: Skeleton) -> Network:
        """A stem of three times the channels, then cells; reductions at a third and two thirds."""
        normal, reduce = self.genotype(arch).values()
        net = Network(skeleton.image)
        with net.scope("stem"):
            stem = net.conv(net.image, 3 * skeleton.channels, 3, stride=skeleton.stem_stride)
            before = last = net.norm(stem)
        channels, reduced = skeleton.channels, False
        for i in range(skeleton.cells):
            reduction = i in (skeleton.cells // 3, 2 * skeleton.cells // 3)
            channels *= 2 if reduction else 1
            with net.scope(f"cell_{i + 1}"):
                with net.scope("read_0"):  # the two cells before, brought to the same shape
                    bring = factorized_reduce if reduced else partial(relu_conv_norm, kernel=1)
                    first = bring(net, before, channels)
                with net.scope("read_1"):
                    second = relu_conv_norm(net, last, channels, 1)
                nodes, stride = (reduce, 2) if reduction else (normal, 1)
                states = write_cell(net, first, second, nodes=nodes, stride=stride)
                before, last = last, net.concat(*states[2:])
            reduced = reduction
        net.classifier(last, skeleton.classes)
        return net

    def graph(self, arch: Arch) -> networkx.DiGraph:
        """Both cells, side by side; nodes carry their ``cell``, edges their ``operation``."""
        import networkx

        graph = networkx.DiGraph(name=self.to_string(arch))
        for cell, nodes in self.genotype(arch).items():
            labels = ("cell k-2", "cell k-1", "0", "1", "2", "3", "output")
            for state, label in enumerate(labels):
                graph.add_node((cell, state), label=label, cell=cell)
            for node, inputs in enumerate(nodes, start=2):
                for op, source in inputs:
                    graph.add_edge((cell, source), (cell, node), operation=op)
            for node in range(2, 6):
                graph.add_edge((cell, node), (cell, 6), operation="concat")
        return graph


def _renumbered(tokens: Arch) -> Arch:
    """One cell's tokens in the smallest numbering of its four nodes."""
    op = dict(zip(EDGES_DARTS, tokens, strict=True))
    nodes = range(NODES_DARTS)
    inputs = [frozenset(s for s in nodes if op.get((s + 2, n + 2))) for n in nodes]

    def row(node: int, placed: tuple[int, ...]) -> Arch:
        states = (0, 1, *(p + 2 for p in placed))
        return tuple(op.get((state, node + 2), 0) for state in states)

    def readers(node: int) -> tuple[tuple[int, int], ...]:
        return tuple((n, op[node + 2, n + 2]) for n in nodes if op.get((node + 2, n + 2)))

    return smallest_numbering(inputs, row, readers)


@lru_cache(maxsize=1)
def darts() -> Darts:
    """The cell space of DARTS (Liu et al. 2019, arXiv:1806.09055), about 10^18 pairs of cells."""
    names = (f"{cell}_{source}_{node}" for cell in CELLS_DARTS for source, node in EDGES_DARTS)
    return Darts("darts", tuple(Decision(name, OPERATIONS_DARTS) for name in names))


# The genotypes that the authors publish with their code, for CIFAR-10: first and second order.
DARTS_V1 = darts().from_string(
    "normal|sep_conv_3x3~1|sep_conv_3x3~0|+|skip_connect~0|sep_conv_3x3~1|"
    "+|skip_connect~0|sep_conv_3x3~1|+|sep_conv_3x3~0|skip_connect~2|;"
    "reduce|max_pool_3x3~0|max_pool_3x3~1|+|skip_connect~2|max_pool_3x3~0|"
    "+|max_pool_3x3~0|skip_connect~2|+|skip_connect~2|avg_pool_3x3~0|"
)
DARTS_V2 = darts().from_string(
    "normal|sep_conv_3x3~0|sep_conv_3x3~1|+|sep_conv_3x3~0|sep_conv_3x3~1|"
    "+|sep_conv_3x3~1|skip_connect~0|+|skip_connect~0|dil_conv_3x3~2|;"
    "reduce|max_pool_3x3~0|max_pool_3x3~1|+|skip_connect~2|max_pool_3x3~1|"
    "+|max_pool_3x3~0|skip_connect~2|+|skip_connect~2|max_pool_3x3~1|"
)
