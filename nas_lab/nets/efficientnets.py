"""EfficientNets in torch, built from the stages of `nas_lab.scaling`.

Sources: M. Tan and Q. V. Le, 2019, arXiv:1905.11946; the inverted bottleneck, M. Sandler et al.,
2018, arXiv:1801.04381; squeeze-and-excitation, J. Hu et al., 2018, arXiv:1709.01507; stochastic
depth, G. Huang et al., 2016, arXiv:1603.09382.
"""

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

import d2l.torch as d2l
import torch
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation, SqueezeExcitation, StochasticDepth

from nas_lab.checks import whole_number
from nas_lab.scaling import EFFICIENTNETS, Stage, squeezed_channels

conv_norm = partial(Conv2dNormActivation, activation_layer=nn.SiLU)
"""Convolution, batch normalisation and SiLU; an odd kernel keeps the size."""


class MBConv(nn.Module):
    """Mobile inverted bottleneck: widen, convolve each channel alone, weigh, narrow.
    Inner channels are ``expansion`` times ``c_in``; 1 leaves the first convolution out. The input
    is added where it has the shape of the output; all but it is dropped with probability ``drop``
    in training, for each image by itself."""

    def __init__(
        self, c_in: int, c_out: int, kernel: int, stride: int, expansion: int, drop: float
    ) -> None:
        super().__init__()
        inner = expansion * c_in
        self.expand = conv_norm(c_in, inner, 1) if expansion > 1 else nn.Identity()
        self.depthwise = conv_norm(inner, inner, kernel, stride, groups=inner)
        self.excitation = SqueezeExcitation(inner, squeezed_channels(c_in), nn.SiLU)
        self.project = conv_norm(inner, c_out, 1, activation_layer=None)
        self.drop = StochasticDepth(drop, "row")
        self.shortcut = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        """`[B, c_in, H, W]` to `[B, c_out, H / stride, W / stride]`, rounded up."""
        y = self.project(self.excitation(self.depthwise(self.expand(x))))
        return self.drop(y) + x if self.shortcut else y


class EfficientNet(d2l.Classifier):
    """A network of stages, an average over the image, and a dense layer.
    Stages are such as `scaling.B0`, or what `scaling.compound` returns. In training, a share
    `dropout` of features is dropped before the dense layer, and a block is skipped with a
    probability that rises from 0 at the first to `drop_depth`. Under `torch.device("meta")` it has
    shapes but no numbers, which is enough to count."""

    lr = 0.1  # of plain gradient descent, for `d2l.Trainer`

    def __init__(
        self,
        stages: Sequence[Stage],
        *,
        classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.2,
        drop_depth: float = 0.2,
        seed: int = 0,
    ) -> None:
        if not stages:
            raise ValueError("a network needs at least one stage, such as those of scaling.B0")
        classes = whole_number("classes", classes)
        c_in = whole_number("in_channels", in_channels)
        seed = whole_number("seed", seed, least=0)
        super().__init__()
        device = torch.empty(0).device
        with torch.device("meta"):  # no memory, no random numbers yet
            self.net = nn.Sequential(
                OrderedDict(
                    stages=build_stages(stages, c_in, drop_depth),
                    pool=nn.AdaptiveAvgPool2d(1),
                    flatten=nn.Flatten(),
                    dropout=nn.Dropout(dropout),
                    classifier=nn.Linear(stages[-1].channels, classes),
                )
            )
        if device.type != "meta":
            self.to_empty(device="cpu")
            initialize(self, torch.Generator().manual_seed(seed))
            self.to(device)


def build_stages(stages: Sequence[Stage], c_in: int, drop_depth: float) -> nn.Sequential:
    """The layers of each stage, as modules `[stage][layer]`."""
    blocks = sum(stage.layers for stage in stages if stage.operator == "mbconv")
    drops = iter(drop_depth * i / blocks for i in range(blocks))
    built = []
    for stage in stages:
        layers: list[nn.Module] = []
        for layer in range(stage.layers):
            shape = (c_in, stage.channels, stage.kernel, 1 if layer else stage.stride)
            if stage.operator == "conv":
                layers.append(conv_norm(*shape))
            else:
                layers.append(MBConv(*shape, stage.expansion, next(drops)))
            c_in = stage.channels
        built.append(nn.Sequential(*layers))
    return nn.Sequential(*built)


def initialize(net: nn.Module, generator: torch.Generator) -> None:
    """Draw the parameters as the reference does.
    Convolutions: normal, with variance 2 over the outputs that an input reaches, k^2 times the
    output channels of its group (He et al. 2015, equation 14). Dense layer: uniform within one over
    the square root of its outputs. Biases and shifts: 0."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.weight[:, 0].numel() / module.groups
            nn.init.normal_(module.weight, std=(2 / fan_out) ** 0.5, generator=generator)
        elif isinstance(module, nn.Linear):
            bound = module.out_features**-0.5
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)


def efficientnet(name: str, **options: int) -> EfficientNet:
    """Build a published network, with the dropout and normalisation that it has in torchvision.
    The name is "b0" to "b7". Images may be of any size; those of the paper have a height and width
    of `scaling.EFFICIENTNETS[name].resolution`."""
    if name not in EFFICIENTNETS:
        raise ValueError(f"no EfficientNet is called {name!r}; choose from b0, b1, ... b7")
    variant = EFFICIENTNETS[name]
    net = EfficientNet(variant.stages, dropout=variant.dropout, **options)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d) and name >= "b5":  # as torchvision has it from B5 on
            module.eps, module.momentum = 1e-3, 0.01
    return net
