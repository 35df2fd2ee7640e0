"""EfficientNets in torch, built from the stages of `nas_lab.scaling`.

Sources: M. Tan and Q. V. Le, 2019, arXiv:1905.11946; the inverted bottleneck, M. Sandler et al.,
2018, arXiv:1801.04381; squeeze-and-excitation, J. Hu et al., 2018, arXiv:1709.01507; stochastic
depth, G. Huang et al., 2016, arXiv:1603.09382.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import d2l.torch as d2l
import torch
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from nas_lab.checks import whole_number
from nas_lab.scaling import EFFICIENTNETS, Stage, squeezed_channels


class ConvNorm(nn.Sequential):
    """Convolution, batch normalisation, and SiLU if `active`; an odd kernel keeps the size."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        active: bool = True,
    ) -> None:
        conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
        layers = OrderedDict[str, nn.Module](conv=conv, norm=nn.BatchNorm2d(c_out))
        super().__init__(layers | ({"activation": nn.SiLU()} if active else {}))


class SqueezeExcitation(nn.Module):
    """Weigh each channel by a number in [0, 1] that depends on the averages of all channels."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to the same shape."""
        s = nn.functional.silu(self.squeeze(x.mean(dim=(2, 3), keepdim=True)))
        return self.excite(s).sigmoid() * x


class MBConv(nn.Module):
    """Mobile inverted bottleneck: widen, convolve each channel alone, weigh, narrow.

    Args:
        c_in, c_out: channels of input and output.
        kernel, stride: of the depthwise convolution.
        expansion: inner channels over `c_in`; 1 leaves the first convolution out.
        drop: probability that training leaves out all but the shortcut, for each image by itself.

    The input is added where it has the shape of the output.
    """

    def __init__(
        self, c_in: int, c_out: int, kernel: int, stride: int, expansion: int, drop: float
    ) -> None:
        super().__init__()
        inner = expansion * c_in
        self.expand = ConvNorm(c_in, inner) if expansion > 1 else nn.Identity()
        self.depthwise = ConvNorm(inner, inner, kernel, stride, groups=inner)
        self.excitation = SqueezeExcitation(inner, squeezed_channels(c_in))
        self.project = ConvNorm(inner, c_out, active=False)
        self.drop = StochasticDepth(drop, "row")
        self.shortcut = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        """`[B, c_in, H, W]` to `[B, c_out, H / stride, W / stride]`, rounded up."""
        y = self.project(self.excitation(self.depthwise(self.expand(x))))
        return self.drop(y) + x if self.shortcut else y


class EfficientNet(d2l.Classifier):
    """A network of stages, an average over the image, and a dense layer.

    Args:
        stages: such as `scaling.B0`, or what `scaling.compound` returns.
        classes: outputs.
        in_channels: channels of the images.
        dropout: share of features dropped before the dense layer in training.
        drop_depth: probability that training skips a block; it rises from 0 at the first block.
        seed: of the initial parameters; the global generator is left alone.

    Attributes:
        lr: learning rate of plain gradient descent, for `d2l.Trainer`; `nas_lab.training` has its
            own.

    Under `torch.device("meta")` it has shapes but no numbers, which is enough to count.

    Raises:
        TypeError: a number is not whole.
        ValueError: there are no stages, a number is below 1, or the seed below 0.
    """

    lr = 0.1

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
    built, before = [], 0
    for stage in stages:
        layers: list[nn.Module] = []
        for layer in range(stage.layers):
            stride = 1 if layer else stage.stride
            if stage.operator == "conv":
                layers.append(ConvNorm(c_in, stage.channels, stage.kernel, stride))
            else:
                drop = drop_depth * before / blocks
                layers.append(
                    MBConv(c_in, stage.channels, stage.kernel, stride, stage.expansion, drop)
                )
                before += 1
            c_in = stage.channels
        built.append(nn.Sequential(*layers))
    return nn.Sequential(*built)


def initialize(net: nn.Module, generator: torch.Generator) -> None:
    """Draw the parameters as the reference does.

    Convolutions: normal, with variance 2 over the outputs that an input reaches, k^2 times the
    output channels of its group (He et al. 2015, equation 14). Dense layer: uniform within one over
    the square root of its outputs. Biases and shifts: 0.
    """
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


def efficientnet(
    name: str, *, classes: int = 1000, in_channels: int = 3, seed: int = 0
) -> EfficientNet:
    """Build a published network, with the dropout and normalisation that it has in torchvision.

    Args:
        name: "b0" to "b7".
        classes, in_channels, seed: as in `EfficientNet`.

    Returns:
        A module from images `[B, in_channels, H, W]` to logits `[B, classes]`; it takes any size of
        image, and was published for `scaling.EFFICIENTNETS[name].resolution`.

    Raises:
        ValueError: there is no such network, or what `EfficientNet` raises.
    """
    if name not in EFFICIENTNETS:
        raise ValueError(f"no EfficientNet is called {name!r}; choose from b0, b1, ... b7")
    variant = EFFICIENTNETS[name]
    options = {"classes": classes, "in_channels": in_channels, "seed": seed}
    net = EfficientNet(variant.stages, dropout=variant.dropout, **options)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d) and name >= "b5":  # as torchvision has it from B5 on
            module.eps, module.momentum = 1e-3, 0.01
    return net
