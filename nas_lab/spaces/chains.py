"""Spaces of chains: convolutions (Zoph & Le 2017), plain chains, dense and recurrent networks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nas_lab.checks import whole_number
from nas_lab.spaces.base import Arch, Decision, Skeleton, Space, smallest_order
from nas_lab.spaces.network import GATES, Network, classifier

if TYPE_CHECKING:
    import networkx

FILTER_TOKENS = ("height", "width", "stride", "filters")


@dataclass(frozen=True)
class ConvChain(Space):
    """Zoph & Le's tokens (2017, section 3.3): convolutions with anchors for skip connections.

    Each layer chooses filter height, filter width, stride and number of filters, and layer ``i``
    has an anchor to each of the ``i - 1`` layers before it. A layer reads the layers that its
    anchors point to, one after the other; without any it reads the image. Layers that no one
    reads go to the output. Where sizes differ, the smaller are padded with zeros.
    """

    layers: int
    skips: bool

    def network(self, arch: Arch, skeleton: Skeleton) -> Network:
        """Convolution, normalisation, ReLU for each layer; pooled features of all unread layers."""
        options = self.decode(arch)
        net = Network(skeleton.image)
        outputs: list[int] = []
        for layer, read in enumerate(self.inputs(arch), start=1):
            with net.scope(f"layer_{layer}"):
                x = _gather(net, [outputs[i] for i in sorted(read)] or [net.image])
                height, width, stride, filters = (options[f"{t}_{layer}"] for t in FILTER_TOKENS)
                x = net.norm(net.conv(x, filters, (height, width), stride=stride))
                outputs.append(net.relu(x))
        with net.scope("output"):
            x = _gather(net, [outputs[i] for i in self.unread(arch)])
        classifier(net, x, skeleton.classes)
        return net

    def inputs(self, arch: Arch) -> list[frozenset[int]]:
        """For each layer, counted from 0, the layers that it reads; empty means the image."""
        options = self.decode(arch)
        if not self.skips:
            return [frozenset({i - 1} if i else ()) for i in range(self.layers)]
        return [
            frozenset(j for j in range(i) if options[f"anchor_{j + 1}_{i + 1}"])
            for i in range(self.layers)
        ]

    def unread(self, arch: Arch) -> list[int]:
        """Layers, counted from 0, that no layer reads: they go to the output."""
        read = frozenset().union(*self.inputs(arch))
        return [i for i in range(self.layers) if i not in read]

    def canonical(self, arch: Arch) -> Arch:
        """The first tokens, in their order, that renumbering the layers can give."""
        arch = self.check(arch)
        if not self.skips:
            return arch
        inputs = self.inputs(arch)
        filters = [arch[first : first + 4] for first in self._first_tokens]

        def row(layer: int, placed: tuple[int, ...]) -> Arch:
            return (*filters[layer], *(int(p in inputs[layer]) for p in placed))

        def readers(layer: int) -> tuple[int, ...]:
            return tuple(i for i in range(self.layers) if layer in inputs[i])

        order = smallest_order(inputs, row, readers)
        rows = (row(layer, order[:i]) for i, layer in enumerate(order))
        return tuple(itertools.chain.from_iterable(rows))

    @property
    def _first_tokens(self) -> list[int]:
        """Position of each layer's first token."""
        return [4 * i + i * (i - 1) // 2 for i in range(self.layers)]

    def graph(self, arch: Arch) -> networkx.DiGraph:
        """The image, the layers and the output."""
        import networkx

        options = self.decode(arch)
        graph = networkx.DiGraph(name=self.to_string(arch))
        graph.add_node(0, label="image", operation="image")
        for i, read in enumerate(self.inputs(arch)):
            height, width, stride, filters = (options[f"{t}_{i + 1}"] for t in FILTER_TOKENS)
            label = f"{height}x{width}, {filters}" + (f", stride {stride}" if stride > 1 else "")
            graph.add_node(i + 1, label=label, operation="conv")
            graph.add_edges_from((source, i + 1) for source in [j + 1 for j in read] or [0])
        graph.add_node("output", label="output", operation="output")
        graph.add_edges_from((i + 1, "output") for i in self.unread(arch))
        return graph


def conv_chain(
    layers: int = 4,
    skips: bool = True,
    *,
    heights: Sequence[int] = (1, 3, 5, 7),
    widths: Sequence[int] = (1, 3, 5, 7),
    strides: Sequence[int] = (1, 2, 3),
    filters: Sequence[int] = (24, 36, 48, 64),
) -> ConvChain:
    """The space of Zoph & Le (2017, arXiv:1611.01578): ``layers`` convolutions, with skips or not.

    Raises:
        ValueError: ``layers`` below 1, an option below 1, or an even filter size.
    """
    choices = dict(zip(FILTER_TOKENS, (heights, widths, strides, filters), strict=True))
    positive("layers", [layers])
    for name, options in choices.items():
        positive(name if name.endswith("s") else f"{name}s", options)
    if any(size % 2 == 0 for size in (*heights, *widths)):
        raise ValueError("filter heights and widths have to be odd, so that the size is kept")
    decisions: list[Decision] = []
    for layer in range(1, layers + 1):
        decisions += [Decision(f"{name}_{layer}", tuple(o)) for name, o in choices.items()]
        if skips:
            decisions += [Decision(f"anchor_{i}_{layer}", (0, 1)) for i in range(1, layer)]
    return ConvChain("conv_chain", tuple(decisions), layers, bool(skips))


@dataclass(frozen=True)
class DenseChain(Space):
    """Dense layers: how many, and how many hidden outputs each has."""

    def hidden(self, arch: Arch) -> list[int]:
        """Hidden outputs of the layers that exist."""
        layers, *hidden = self.decode(arch).values()
        return hidden[:layers]

    def canonical(self, arch: Arch) -> Arch:
        """Tokens of layers that do not exist are 0."""
        arch = self.check(arch)
        exist = 1 + len(self.hidden(arch))
        return arch[:exist] + (0,) * (len(arch) - exist)

    def network(self, arch: Arch, skeleton: Skeleton) -> Network:
        """Flattened image, dense layers with ReLU, classifier."""
        net = Network(skeleton.image)
        x = net.flatten(net.image)
        for layer, hidden in enumerate(self.hidden(arch), start=1):
            with net.scope(f"layer_{layer}"):
                x = net.relu(net.linear(x, hidden))
        classifier(net, x, skeleton.classes)
        return net

    def graph(self, arch: Arch) -> networkx.DiGraph:
        """The image, the dense layers and the output."""
        layers = [(f"dense {hidden}", "linear") for hidden in self.hidden(arch)]
        return path_graph(self.to_string(arch), layers)


def mlp(
    layers: Sequence[int] = (1, 2, 3, 4), hidden: Sequence[int] = (16, 32, 64, 128, 256)
) -> DenseChain:
    """Dense networks: a number of layers out of ``layers``, hidden outputs out of ``hidden``."""
    positive("layers", layers)
    positive("hidden", hidden)
    widths = (Decision(f"hidden_{i}", tuple(hidden)) for i in range(1, max(layers) + 1))
    return DenseChain("mlp", (Decision("layers", tuple(layers)), *widths))


@dataclass(frozen=True)
class RecurrentChain(Space):
    """Recurrent layers that read an image row by row."""

    def network(self, arch: Arch, skeleton: Skeleton) -> Network:
        """Recurrent layers, and a classifier on the state after the last row."""
        net = Network(skeleton.image)
        options = self.decode(arch)
        state = net.recurrent(net.image, options["cell"], options["hidden"], options["layers"])
        classifier(net, state, skeleton.classes)
        return net

    def graph(self, arch: Arch) -> networkx.DiGraph:
        """The rows of the image, the recurrent layers and the output."""
        options = self.decode(arch)
        label = f"{options['cell']} {options['hidden']}"
        layers = [(label, "recurrent")] * options["layers"]
        return path_graph(self.to_string(arch), layers, start="rows")


def rnn() -> RecurrentChain:
    """Recurrent networks: cell type, hidden outputs and number of layers."""
    options = {"cell": tuple(GATES), "hidden": (16, 32, 64, 128), "layers": (1, 2, 3)}
    return RecurrentChain("rnn", tuple(Decision(name, o) for name, o in options.items()))


def positive(name: str, options: Sequence[int]) -> None:
    """Refuse an empty list of options, and options that are not whole numbers of at least 1."""
    if not options:
        raise ValueError(f"{name} is empty: give at least one option")
    for option in options:
        whole_number(name, option)


def path_graph(
    name: str, layers: Sequence[tuple[str, str]], start: str = "image"
) -> networkx.DiGraph:
    """A graph of layers in a row, each given by its label and its operation."""
    import networkx

    nodes = [(start, "image"), *layers, ("output", "output")]
    graph = networkx.DiGraph(name=name)
    graph.add_nodes_from((i, {"label": a, "operation": b}) for i, (a, b) in enumerate(nodes))
    graph.add_edges_from(itertools.pairwise(range(len(nodes))))
    return graph


def _gather(net: Network, parts: list[int]) -> int:
    """One after the other, the smaller ones padded to the largest height and width."""
    height = max(net.shape(part)[1] for part in parts)
    width = max(net.shape(part)[2] for part in parts)
    return net.concat(*(net.pad(part, height, width) for part in parts))


@dataclass(frozen=True)
class PlainChain(Space):
    """Convolutions without skips: how many, and for each its height, width, stride and filters."""

    def fixed(self, arch: Arch) -> tuple[ConvChain, Arch]:
        """The same network in ``conv_chain``, where all architectures have as many layers."""
        arch = self.check(arch)
        layers = self.decisions[0].options[arch[0]]
        tokens = slice(1, 1 + 4 * layers)
        return ConvChain("conv_chain", self.decisions[tokens], layers, False), arch[tokens]

    def canonical(self, arch: Arch) -> Arch:
        """Tokens of layers that do not exist are 0."""
        arch = self.check(arch)
        exist = 1 + len(self.fixed(arch)[1])
        return arch[:exist] + (0,) * (len(arch) - exist)

    def network(self, arch: Arch, skeleton: Skeleton) -> Network:
        """Convolution, normalisation, ReLU for each layer; pooled features of the last."""
        chain, tokens = self.fixed(arch)
        return chain.network(tokens, skeleton)

    def graph(self, arch: Arch) -> networkx.DiGraph:
        """The image, the layers and the output."""
        chain, tokens = self.fixed(arch)
        graph = chain.graph(tokens)
        graph.name = self.to_string(arch)
        return graph


def plain_chain(
    layers: Sequence[int] = (1, 2, 3, 4),
    *,
    heights: Sequence[int] = (1, 3, 5, 7),
    widths: Sequence[int] = (1, 3, 5, 7),
    strides: Sequence[int] = (1, 2, 3),
    filters: Sequence[int] = (24, 36, 48, 64),
) -> PlainChain:
    """Plain convolutional networks, which a search can make deeper: no skips, no branches.

    It is ``conv_chain`` without skips, for each number of layers out of ``layers``.

    Raises:
        ValueError: no options, an option below 1, or an even filter size.
    """
    positive("layers", layers)
    options = {"heights": heights, "widths": widths, "strides": strides, "filters": filters}
    longest = conv_chain(max(layers), False, **options)
    return PlainChain("plain_chain", (Decision("layers", tuple(layers)), *longest.decisions))
