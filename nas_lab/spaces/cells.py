"""Building blocks that the cells of NAS-Bench-201 and of DARTS share."""

from __future__ import annotations

from nas_lab.spaces.network import Network


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


def separable_twice(net: Network, x: int, channels: int, kernel: int, stride: int) -> int:
    """``sep_conv``: the separable convolution twice; only the first has the stride."""
    first = depthwise_separable(net, x, net.shape(x)[0], kernel, stride)
    return depthwise_separable(net, first, channels, kernel, 1)


def factorized_reduce(net: Network, x: int, channels: int) -> int:
    """Half the resolution without losing pixels: two strided 1x1 convolutions, one pixel apart."""
    x = net.relu(x)
    halves = (
        net.conv(x, channels // 2, 1, stride=2),
        net.conv(net.shift(x), channels - channels // 2, 1, stride=2),
    )
    return net.norm(net.concat(*halves))
