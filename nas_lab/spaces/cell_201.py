"""The cell of NAS-Bench-201: small enough to train every one of its networks."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from nas_lab.spaces.base import Arch, Cost, Decision, Skeleton, Space, as_text, token_of
from nas_lab.spaces.cells import relu_conv_norm
from nas_lab.spaces.network import Network, classifier

if TYPE_CHECKING:
    import networkx

OPERATIONS_201 = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES_201 = tuple((source, node) for node in (1, 2, 3) for source in range(node))


@dataclass(frozen=True)
class NasBench201(Space):
    """The cell of NAS-Bench-201 (Dong & Yang 2020): 4 nodes, 6 edges, 5 operations.

    Node 0 is the input, node 3 the output. A node is the sum of its incoming edges. Tokens follow
    the order of the text form, ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``.
    """

    def to_string(self, arch: Arch) -> str:
        """The text form of the paper."""
        operations = self.decode(arch).values()
        edges = [f"{op}~{source}" for op, (source, _) in zip(operations, EDGES_201, strict=True)]
        return "|" + "|+|".join("|".join(part) for part in _triangle(edges)) + "|"

    def from_string(self, text: str) -> Arch:
        """Read the text form of the paper."""
        found = re.findall(r"([^|~+]+)~(\d)", as_text(text))
        sources = [int(source) for _, source in found]
        tokens = [token_of(d, op) for d, (op, _) in zip(self.decisions, found, strict=False)]
        if sources != [source for source, _ in EDGES_201] or self.to_string(tuple(tokens)) != text:
            raise ValueError(
                f"{text!r} is not of the form |op~0|+|op~0|op~1|+|op~0|op~1|op~2| "
                f"with operations {', '.join(OPERATIONS_201)}"
            )
        return tuple(tokens)

    def canonical(self, arch: Arch) -> Arch:
        """The first architecture, in the order of tokens, with the same ``expression``."""
        return _first_with_expression()[expression_201(self.check(arch))]

    def network(self, arch: Arch, skeleton: Skeleton) -> Network:
        """Stem, stages of equal cells with a residual reduction between them, classifier."""
        operations = list(self.decode(arch).values())
        net = Network(skeleton.image)
        with net.scope("stem"):
            x = net.norm(net.conv(net.image, skeleton.channels, 3, stride=skeleton.stem_stride))
        for stage in range(skeleton.stages):
            if stage:
                with net.scope(f"reduction_{stage}"):
                    x = residual_reduction(net, x, skeleton.channels * 2**stage)
            for cell in range(skeleton.cells):
                with net.scope(f"stage_{stage + 1}.cell_{cell + 1}"):
                    x = self.cell(net, x, operations)
        with net.scope("head"):
            x = net.relu(net.norm(x))
        classifier(net, x, skeleton.classes)
        return net

    def cell(self, net: Network, x: int, operations: Sequence[str]) -> int:
        """Write one cell that reads ``x``; six operations in the order of the edges."""
        nodes = [x]
        for node in (1, 2, 3):
            terms = []
            for op, (source, target) in zip(operations, EDGES_201, strict=True):
                if target == node and op != "none":
                    with net.scope(f"edge_{source}{target}"):
                        terms.append(operation_201(net, nodes[source], op))
            with net.scope(f"node_{node}"):
                nodes.append(net.add(*terms) if terms else net.zeros(x))
        return nodes[3]

    def cost(self, arch: Arch, skeleton: Skeleton) -> Cost:
        """Parameters and multiply-adds; every edge sees the same shapes, so they add up."""
        empty, extra = _operation_costs(self, skeleton)
        chosen = [extra[token] for token in self.check(arch)]
        return Cost(
            empty.params + sum(cost.params for cost in chosen),
            empty.macs + sum(cost.macs for cost in chosen),
        )

    def graph(self, arch: Arch) -> networkx.DiGraph:
        """Nodes 0 to 3; edges carry their ``operation``. Edges with 'none' are left out."""
        import networkx

        graph = networkx.DiGraph(name=self.to_string(arch))
        for node, label in enumerate(("input", "1", "2", "output")):
            graph.add_node(node, label=label)
        for op, (source, node) in zip(self.decode(arch).values(), EDGES_201, strict=True):
            if op != "none":
                graph.add_edge(source, node, operation=op)
        return graph


def residual_reduction(net: Network, x: int, channels: int) -> int:
    """NAS-Bench-201's block between stages: half the resolution, twice the channels."""
    with net.scope("residual"):
        branch = relu_conv_norm(net, x, channels, 3, stride=2)
        branch = relu_conv_norm(net, branch, channels, 3)
    with net.scope("shortcut"):
        shortcut = net.conv(net.halve(x), channels, 1)
    return net.add(branch, shortcut)


def operation_201(net: Network, x: int, op: str) -> int:
    """One of the four operations that give something; channels and size stay."""
    channels = net.shape(x)[0]
    if op == "skip_connect":
        return x
    if op == "avg_pool_3x3":
        return net.avg_pool(x, 3)
    return relu_conv_norm(net, x, channels, 1 if op == "nor_conv_1x1" else 3)


def expression_201(arch: Arch) -> str:
    """What a cell computes, as a text; cells with the same text count as the same network.

    ``0`` is the cell's input and ``#`` is zero. 'none', and any operation on zero, gives zero; a
    skip is what it reads; the terms of a sum are sorted. These are the rules of the authors' code
    (``to_unique_str``), which leave 6,466 texts.

    With one fixed map for each operation, cells with equal texts compute the same function. The
    reverse fails where a zero stays in a sum, a sum in a sum is not merged, or a pooled sum is not
    the sum of what is pooled: 4,660 functions are behind the texts. And a text does not tell
    whether two equal terms come from two convolutions or from one that is read twice.
    """
    nodes = ["0"]
    for tokens in _triangle(arch):
        terms = []
        for token, source in zip(tokens, nodes, strict=True):
            op = OPERATIONS_201[token]
            if op == "none" or source == "#":
                terms.append("#")
            else:
                terms.append(source if op == "skip_connect" else f"({source})@{op}")
        nodes.append("+".join(sorted(terms)))
    return nodes[3]


def _triangle(edges: Sequence) -> tuple[Sequence, Sequence, Sequence]:
    """Six edges, grouped by the node that they lead to."""
    return edges[:1], edges[1:3], edges[3:]


@lru_cache(maxsize=1)
def _first_with_expression() -> dict[str, Arch]:
    first: dict[str, Arch] = {}
    for arch in itertools.product(range(len(OPERATIONS_201)), repeat=len(EDGES_201)):
        first.setdefault(expression_201(arch), arch)
    return first


@lru_cache(maxsize=64)
def _operation_costs(space: NasBench201, skeleton: Skeleton) -> tuple[Cost, tuple[Cost, ...]]:
    """Cost of the network without operations, and what each operation on an edge adds."""
    empty = space.network((0,) * 6, skeleton).cost
    with_one = [space.network((token, 0, 0, 0, 0, 0), skeleton).cost for token in range(5)]
    extra = (Cost(one.params - empty.params, one.macs - empty.macs) for one in with_one)
    return empty, tuple(extra)


@lru_cache(maxsize=1)
def nasbench201() -> NasBench201:
    """The cell space of NAS-Bench-201 (Dong & Yang 2020, arXiv:2001.00326), 15,625 cells."""
    decisions = (Decision(f"edge_{a}{b}", OPERATIONS_201) for a, b in EDGES_201)
    return NasBench201("nasbench201", tuple(decisions))
