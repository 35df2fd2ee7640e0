"""Chain-shaped spaces: convolutions, dense and recurrent layers, mobile blocks, transformers.

The first is that of Zoph & Le 2017."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nas_lab.checks import whole_number
from nas_lab.spaces.base import Arch, Decision, Skeleton, Space, smallest_numbering
from nas_lab.spaces.network import GATES, Network

if TYPE_CHECKING:
    import networkx


def layers(space: Space, arch: Arch) -> list[dict[str, Any]]:
    """Options of each layer that exists, by the names of its decisions without its number."""
    found: dict[str, dict[str, Any]] = {}
    options = space.decode(arch)
    for name, option in options.items():
        choice, _, number = name.rpartition("_")
        if choice:
            found.setdefault(number, {})[choice] = option
    return list(found.values())[: options.get("layers", len(found))]


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


def positive(name: str, options: Sequence[int], least: int = 1) -> None:
    """Refuse an empty list of options, and what is no whole number of at least ``least``."""
    if not options:
        raise ValueError(f"{name} is empty: give at least one option")
    for option in options:
        whole_number(name, option, least=least)


class Chain(Space):
    """Layers in a row; where the first decision is their number, not all of them exist."""

    def canonical(self, arch: Arch) -> Arch:
        """Tokens of layers that do not exist are 0."""
        arch = self.check(arch)
        given = self.decisions[0].name == "layers"
        exist = given + sum(map(len, layers(self, arch)))
        return arch[:exist] + (0,) * (len(arch) - exist)


class ConvChain(Chain):
    """Zoph & Le's tokens (2017, section 3.3): convolutions with anchors for skip connections.
    A layer has an anchor to each layer before it, and reads the concatenation of those that its
    anchors point to; without any it reads the image. Layers that no one reads go to the output.
    Where sizes differ, the smaller are padded with zeros. Without skip connections there are no
    anchors, and each layer reads the one before it."""

    @property
    def skips(self) -> bool:
        """Whether layers have anchors."""
        return any(decision.name.startswith("anchor") for decision in self.decisions)

    def network(self, arch: Arch, skeleton: Skeleton) -> Network:
        """Convolution, normalisation, ReLU for each layer; pooled features of all unread layers."""
        net = Network(skeleton.image)
        outputs: list[int] = []
        for layer, read in zip(layers(self, arch), self.inputs(arch), strict=True):
            with net.scope(f"layer_{len(outputs) + 1}"):
                x = _gather(net, [outputs[i] for i in sorted(read)] or [net.image])
                kernel = (layer["height"], layer["width"])
                x = net.norm(net.conv(x, layer["filters"], kernel, stride=layer["stride"]))
                outputs.append(net.relu(x))
        with net.scope("output"):
            x = _gather(net, [outputs[i] for i in self.unread(arch)])
        net.classifier(x, skeleton.classes)
        return net

    def inputs(self, arch: Arch) -> list[frozenset[int]]:
        """For each layer, counted from 0, the layers that it reads; empty means the image."""
        rows = list(enumerate(layers(self, arch)))
        if not self.skips:
            return [frozenset({i - 1} if i else ()) for i, _ in rows]
        return [frozenset(j for j in range(i) if row[f"anchor_{j + 1}"]) for i, row in rows]

    def unread(self, arch: Arch) -> list[int]:
        """Layers, counted from 0, that no layer reads: they go to the output."""
        inputs = self.inputs(arch)
        return sorted(set(range(len(inputs))).difference(*inputs))

    def canonical(self, arch: Arch) -> Arch:
        """The first tokens, in their order, that renumbering the layers can give."""
        if not self.skips:
            return super().canonical(arch)
        arch, inputs = self.check(arch), self.inputs(arch)
        first = [4 * i + i * (i - 1) // 2 for i in range(len(inputs))]  # token of each layer

        def row(layer: int, placed: tuple[int, ...]) -> Arch:
            own = arch[first[layer] : first[layer] + 4]
            return (*own, *(int(p in inputs[layer]) for p in placed))

        def readers(layer: int) -> tuple[int, ...]:
            return tuple(i for i, read in enumerate(inputs) if layer in read)

        return smallest_numbering(inputs, row, readers)

    def graph(self, arch: Arch) -> networkx.DiGraph:
        """The image, the layers and the output."""
        import networkx

        graph = networkx.DiGraph(name=self.to_string(arch))
        graph.add_node(0, label="image", operation="image")
        rows = zip(layers(self, arch), self.inputs(arch), strict=True)
        for i, (layer, read) in enumerate(rows, start=1):
            label = "{height}x{width}, {filters}".format(**layer)
            label += f", stride {layer['stride']}" if layer["stride"] > 1 else ""
            graph.add_node(i, label=label, operation="conv")
            graph.add_edges_from((source, i) for source in [j + 1 for j in read] or [0])
        graph.add_node("output", label="output", operation="output")
        graph.add_edges_from((i + 1, "output") for i in self.unread(arch))
        return graph


def _gather(net: Network, parts: list[int]) -> int:
    """One after the other, the smaller ones padded to the largest height and width."""
    _, height, width = map(max, zip(*map(net.shape, parts), strict=True))
    return net.concat(*(net.pad(part, height, width) for part in parts))


class PlainChain(ConvChain):
    """Convolutions without skips: how many, and for each its height, width, stride and filters."""


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
    Filter heights and widths are odd, so that the size is kept."""
    choices = {"height": heights, "width": widths, "stride": strides, "filters": filters}
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
    return ConvChain("conv_chain", tuple(decisions))


def plain_chain(layers: Sequence[int] = (1, 2, 3, 4), **options: Sequence[int]) -> PlainChain:
    """Plain convolutional networks, which a search can make deeper: no skips, no branches.
    It is ``conv_chain`` without skips, for each number of layers out of ``layers``; ``options`` are
    those of ``conv_chain``."""
    positive("layers", layers)
    longest = conv_chain(max(layers), False, **options)
    return PlainChain("plain_chain", (Decision("layers", tuple(layers)), *longest.decisions))


class DenseChain(Chain):
    """Dense layers: how many, and how many hidden outputs each has."""

    def network(self, arch: Arch, skeleton: Skeleton) -> Network:
        """Flattened image, dense layers with ReLU, classifier."""
        net = Network(skeleton.image)
        x = net.flatten(net.image)
        for number, layer in enumerate(layers(self, arch), start=1):
            with net.scope(f"layer_{number}"):
                x = net.relu(net.linear(x, layer["hidden"]))
        net.classifier(x, skeleton.classes)
        return net

    def graph(self, arch: Arch) -> networkx.DiGraph:
        """The image, the dense layers and the output."""
        drawn = [(f"dense {layer['hidden']}", "linear") for layer in layers(self, arch)]
        return path_graph(self.to_string(arch), drawn)


def mlp(
    layers: Sequence[int] = (1, 2, 3, 4), hidden: Sequence[int] = (16, 32, 64, 128, 256)
) -> DenseChain:
    """Dense networks: a number of layers out of ``layers``, hidden outputs out of ``hidden``."""
    positive("layers", layers)
    positive("hidden", hidden)
    widths = (Decision(f"hidden_{i}", tuple(hidden)) for i in range(1, max(layers) + 1))
    return DenseChain("mlp", (Decision("layers", tuple(layers)), *widths))


class RecurrentChain(Space):
    """Recurrent layers that read an image row by row."""

    def network(self, arch: Arch, skeleton: Skeleton) -> Network:
        """Recurrent layers, and a classifier on the state after the last row."""
        net = Network(skeleton.image)
        net.classifier(net.recurrent(net.image, **self.decode(arch)), skeleton.classes)
        return net

    def graph(self, arch: Arch) -> networkx.DiGraph:
        """The rows of the image, the recurrent layers and the output."""
        cell, hidden, count = self.decode(arch).values()
        return path_graph(self.to_string(arch), [(f"{cell} {hidden}", "recurrent")] * count, "rows")


def rnn() -> RecurrentChain:
    """Recurrent networks: cell type, hidden outputs and number of layers."""
    options = {"cell": tuple(GATES), "hidden": (16, 32, 64, 128), "layers": (1, 2, 3)}
    return RecurrentChain("rnn", tuple(Decision(name, o) for name, o in options.items()))


CHOICES: dict[str, tuple[Any, ...]] = {
    "block": ("resnet", "mobilenet"),
    "depth": (1, 2, 3),
    "kernel": (3, 5),
    "width": (0.5, 1.0, 1.5),
    "expansion": (2, 4),
}
"""What a stage chooses."""


class Mobile(Space):
    """A stem and stages; every stage chooses its block, depth, kernel, width and expansion.
    ``width`` multiplies ``skeleton.channels``, doubled with each stage. The first block of every
    stage but the first has stride 2."""

    def network(self, arch: Arch, skeleton: Skeleton) -> Network:
        """Stem, stages of blocks, classifier."""
        net = Network(skeleton.image)
        with net.scope("stem"):
            x = net.conv(net.image, skeleton.channels, 3, stride=skeleton.stem_stride)
            x = net.relu(net.norm(x))
        for i, stage in enumerate(layers(self, arch)):
            channels = max(1, round(stage["width"] * skeleton.channels * 2**i))
            for block in range(stage["depth"]):
                stride = 2 if i and not block else 1
                with net.scope(f"stage_{i + 1}.block_{block + 1}"):
                    x = write_block(net, x, channels, stride, stage)
        net.classifier(x, skeleton.classes)
        return net

    def graph(self, arch: Arch) -> networkx.DiGraph:
        """The image, every block in a row, and the output."""
        blocks = []
        for stage in layers(self, arch):
            sign = "÷" if stage["block"] == "resnet" else "×"  # the middle is narrower, or wider
            text = "{block} {kernel}x{kernel}, {}{expansion}".format(sign, **stage)
            blocks += [(text, stage["block"])] * stage["depth"]
        return path_graph(self.to_string(arch), blocks)


def write_block(net: Network, x: int, channels: int, stride: int, stage: dict[str, Any]) -> int:
    """A 1x1, a kxk and a 1x1 convolution beside a shortcut.
    The resnet-ish block (He et al. 2016, figure 5) narrows to ``channels / expansion`` for a dense
    kxk convolution, and ends in a ReLU; the mobilenet-ish one (Sandler et al. 2018, figure 3)
    widens to ``expansion`` times its input for a depthwise one, and adds its input where shapes
    allow."""
    dense, expansion = stage["block"] == "resnet", stage["expansion"]
    inner = max(1, channels // expansion) if dense else net.shape(x)[0] * expansion
    groups = 1 if dense else inner
    y = net.relu(net.norm(net.conv(x, inner, 1)))
    y = net.relu(net.norm(net.conv(y, inner, stage["kernel"], stride=stride, groups=groups)))
    y = net.norm(net.conv(y, channels, 1))
    if dense and net.shape(y) != net.shape(x):
        with net.scope("shortcut"):
            x = net.norm(net.conv(x, channels, 1, stride=stride))
    y = net.add(y, x) if net.shape(y) == net.shape(x) else y
    return net.relu(y) if dense else y


def mobile(stages: int = 3) -> Mobile:
    """Stages of resnet-ish and mobilenet-ish blocks; ValueError below one stage."""
    numbers = range(1, whole_number("stages", stages) + 1)
    choices = ((f"{name}_{i}", options) for i in numbers for name, options in CHOICES.items())
    return Mobile("mobile", tuple(itertools.starmap(Decision, choices)))


PATCH, HEAD = 3, 8  # pixels along a side of a patch; features of an attention head


class Transformer(Space):
    """Small vision transformers (Dosovitskiy et al. 2021): patches, blocks, an average of tokens.
    They differ in depth, embedding width, heads and MLP ratio, as in AutoFormer (Chen et al. 2021,
    arXiv:2107.00651, table 1), here alike in all blocks. A head always has 8 features, so heads and
    width are decided apart. Options grow, so the last of each decision make the largest network."""

    @property
    def largest(self) -> Arch:
        """The network that contains all others as slices of its matrices."""
        return tuple(len(decision.options) - 1 for decision in self.decisions)

    def network(self, arch: Arch, skeleton: Skeleton) -> Network:
        """Tokens of 3x3 pixels; blocks of attention and MLP, each on normalised tokens."""
        depth, width, heads, ratio = self.decode(arch).values()
        return write_transformer(skeleton, width, [(heads, ratio * width)] * depth)

    def graph(self, arch: Arch) -> networkx.DiGraph:
        """The patches, attention and MLP of every block in a row, and the output."""
        depth, width, heads, ratio = self.decode(arch).values()
        plural = "s" if heads > 1 else ""
        block = [(f"{heads} head{plural}", "attention"), (f"MLP {ratio * width}", "linear")]
        tokens = [(f"patches, {width}", "conv")]
        return path_graph(self.to_string(arch), tokens + depth * block)


def write_transformer(skeleton: Skeleton, width: int, blocks: Sequence[tuple[int, int]]) -> Network:
    """Tokens, blocks and a classifier; a block has heads and hidden features, or 0 of them."""
    net = Network(skeleton.image)
    x = net.patches(net.image, width, PATCH)
    for block, (heads, hidden) in enumerate(blocks, start=1):
        if heads:
            with net.scope(f"block_{block}.attention"):
                y = net.linear(net.attention(net.layer_norm(x), heads, HEAD), width)
                x = net.add(x, y)
        if hidden:
            with net.scope(f"block_{block}.mlp"):
                y = net.gelu(net.linear(net.layer_norm(x), hidden))
                x = net.add(x, net.linear(y, width))
    net.classifier(net.layer_norm(x), skeleton.classes)
    return net


class TransformerBlocks(Transformer):
    """Vision transformers of one width whose blocks differ: each chooses its heads, and the hidden
    features of its MLP. With 0 the block has no attention, or no MLP; what remains is a skip."""

    def network(self, arch: Arch, skeleton: Skeleton) -> Network:
        """Tokens of 3x3 pixels, and of every block the parts that it has."""
        return write_transformer(skeleton, *self._parts(arch))

    def graph(self, arch: Arch) -> networkx.DiGraph:
        """The patches, the parts of every block in a row, and the output."""
        width, blocks = self._parts(arch)
        parts = []
        for heads, hidden in blocks:
            parts += [(f"{heads} head{'s' if heads > 1 else ''}", "attention")] * (heads > 0)
            parts += [(f"MLP {hidden}", "linear")] * (hidden > 0)
        return path_graph(self.to_string(arch), [(f"patches, {width}", "conv"), *parts])

    def _parts(self, arch: Arch) -> tuple[int, list[tuple[int, int]]]:
        """Width, and of each block heads and hidden features."""
        width, *parts = self.decode(arch).values()
        return width, list(zip(parts[::2], parts[1::2], strict=True))


def transformer_blocks(
    depth: int = 3,
    width: int = 48,
    heads: Sequence[int] = (0, 1, 2, 4),
    hidden: Sequence[int] = (0, 24, 48, 96, 192),
) -> TransformerBlocks:
    """Vision transformers whose blocks choose for themselves, 0 for no attention or no MLP."""
    decisions = [Decision("width", (whole_number("width", width),))]
    options = {"heads": heads, "hidden": hidden}
    for name, given in options.items():
        positive(name, given, least=0)
    for block in range(1, whole_number("depth", depth) + 1):
        each = options.items()
        decisions += [Decision(f"{name}_{block}", tuple(sorted(set(o)))) for name, o in each]
    return TransformerBlocks("transformer_blocks", tuple(decisions))


def transformer(
    depths: Sequence[int] = (1, 2, 3),
    widths: Sequence[int] = (16, 32, 48),
    heads: Sequence[int] = (1, 2, 4),
    ratios: Sequence[int] = (1, 2, 4),
) -> Transformer:
    """Vision transformers: number of blocks, features of a token, heads, and how many times the
    MLP is wider than a token. Options are taken in growing order."""
    options = {"depth": depths, "width": widths, "heads": heads, "ratio": ratios}
    for name, given in options.items():
        positive(name, given)
    decisions = (Decision(name, tuple(sorted(set(given)))) for name, given in options.items())
    return Transformer("transformer", tuple(decisions))
