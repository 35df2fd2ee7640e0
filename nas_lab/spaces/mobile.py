"""Stages of blocks, each resnet-ish or mobilenet-ish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nas_lab.checks import whole_number
from nas_lab.spaces.base import Arch, Decision, Skeleton, Space
from nas_lab.spaces.chains import layers, path_graph
from nas_lab.spaces.network import Network, classifier

if TYPE_CHECKING:
    import networkx

CHOICES: dict[str, tuple[Any, ...]] = {
    "block": ("resnet", "mobilenet"),
    "depth": (1, 2, 3),
    "kernel": (3, 5),
    "width": (0.5, 1.0, 1.5),
    "expansion": (2, 4),
}
"""What a stage chooses."""


@dataclass(frozen=True)
class Mobile(Space):
    """A stem and stages; every stage chooses its block, depth, kernel, width and expansion.

    Both blocks are a 1x1, a kxk and a 1x1 convolution beside a shortcut. The resnet-ish block
    (He et al. 2016, figure 5) narrows to ``width / expansion`` channels for a dense kxk
    convolution; the mobilenet-ish one (Sandler et al. 2018, figure 3) widens to ``expansion``
    times its input for a depthwise one and has no ReLU at its end.

    ``width`` multiplies ``skeleton.channels``, doubled with each stage. The first block of every
    stage but the first has stride 2.
    """

    def network(self, arch: Arch, skeleton: Skeleton) -> Network:
        """Stem, stages of blocks, classifier."""
        net = Network(skeleton.image)
        with net.scope("stem"):
            x = net.conv(net.image, skeleton.channels, 3, stride=skeleton.stem_stride)
            x = net.relu(net.norm(x))
        for i, stage in enumerate(layers(self, arch)):
            channels = max(1, round(stage["width"] * skeleton.channels * 2**i))
            write = resnet_block if stage["block"] == "resnet" else mobilenet_block
            for block in range(stage["depth"]):
                stride = 2 if i and not block else 1
                with net.scope(f"stage_{i + 1}.block_{block + 1}"):
                    x = write(net, x, channels, stage["kernel"], stage["expansion"], stride)
        classifier(net, x, skeleton.classes)
        return net

    def graph(self, arch: Arch) -> networkx.DiGraph:
        """The image, every block in a row, and the output."""
        blocks = [
            (f"{s['block']} {s['kernel']}x{s['kernel']}, x{s['expansion']}", s["block"])
            for s in layers(self, arch)
            for _ in range(s["depth"])
        ]
        return path_graph(self.to_string(arch), blocks)


def resnet_block(
    net: Network, x: int, channels: int, kernel: int, expansion: int, stride: int
) -> int:
    """Narrow, convolve densely, widen; add the input, or a 1x1 convolution of it; ReLU."""
    inner = max(1, channels // expansion)
    y = net.relu(net.norm(net.conv(x, inner, 1)))
    y = net.relu(net.norm(net.conv(y, inner, kernel, stride=stride)))
    y = net.norm(net.conv(y, channels, 1))
    if net.shape(y) != net.shape(x):
        with net.scope("shortcut"):
            x = net.norm(net.conv(x, channels, 1, stride=stride))
    return net.relu(net.add(y, x))


def mobilenet_block(
    net: Network, x: int, channels: int, kernel: int, expansion: int, stride: int
) -> int:
    """Widen, convolve each channel by itself, narrow; add the input where shapes allow."""
    inner = net.shape(x)[0] * expansion
    y = net.relu(net.norm(net.conv(x, inner, 1)))
    y = net.relu(net.norm(net.conv(y, inner, kernel, stride=stride, groups=inner)))
    y = net.norm(net.conv(y, channels, 1))
    return net.add(y, x) if net.shape(y) == net.shape(x) else y


def mobile(stages: int = 3) -> Mobile:
    """Stages of resnet-ish and mobilenet-ish blocks; ValueError below one stage."""
    return Mobile(
        "mobile",
        tuple(
            Decision(f"{name}_{stage}", options)
            for stage in range(1, whole_number("stages", stages) + 1)
            for name, options in CHOICES.items()
        ),
    )
