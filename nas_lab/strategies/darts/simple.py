"""The lecture's form of a differentiable choice, on one page.

Every layer has several candidates o_1 ... o_n and computes

    sum_i alpha_i o_i(x)     with     alpha = softmax(a)

and ``a`` is a parameter like the weights of the candidates: one loss, one optimiser, one data
set. In the end every layer keeps its argmax.

    net = MixedChain(layers=4, channels=8)
    train(net, data, Recipe(epochs=4))
    net.alphas                             # [layers, candidates]
    net.discrete()                         # the network that was chosen, with its weights
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from nas_lab import runtime
from nas_lab.checks import whole_number
from nas_lab.nets.modules import initialize


def conv(given: int, channels: int, kernel: int) -> nn.Module:
    """Convolution, normalisation by the batch's own statistics, ReLU; the size stays."""
    return nn.Sequential(
        nn.Conv2d(given, channels, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(channels, track_running_stats=False),
        nn.ReLU(),
    )


CANDIDATES: Mapping[str, Callable[[int], nn.Module]] = {
    "conv_1x1": lambda channels: conv(channels, channels, 1),
    "conv_3x3": lambda channels: conv(channels, channels, 3),
    "conv_5x5": lambda channels: conv(channels, channels, 5),
    "max_pool_3x3": lambda channels: nn.MaxPool2d(3, stride=1, padding=1),
    "skip": lambda channels: nn.Identity(),
}
"""What a layer can be, made for a number of channels."""


class MixedLayer(nn.Module):
    """Candidates side by side; the output is their weighted sum.

    Args:
        candidates: by name; all give the same shape.
    """

    def __init__(self, candidates: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.candidates = nn.ModuleDict(candidates)
        self.a = nn.Parameter(torch.zeros(len(candidates)))

    @property
    def alpha(self) -> Tensor:
        """Weights of the candidates; they add up to one."""
        return self.a.softmax(dim=0)

    def forward(self, x: Tensor) -> Tensor:
        """``sum_i alpha_i o_i(x)``."""
        outputs = [candidate(x) for candidate in self.candidates.values()]
        return sum(alpha * o for alpha, o in zip(self.alpha, outputs, strict=True))

    @property
    def choice(self) -> str:
        """Name of the argmax."""
        return list(self.candidates)[int(self.a.argmax())]


class MixedChain(nn.Module):
    """A chain of mixed layers between a first convolution and a classifier.

    Args:
        layers: how many.
        channels: of all layers.
        candidates: what each layer can be, made for a number of channels.
        in_channels: channels of the images.
        classes: outputs.
        seed: of the initial weights; all ``a`` begin at zero.

    Raises:
        TypeError, ValueError: a number is no whole number, or too low.
    """

    def __init__(
        self,
        layers: int = 4,
        channels: int = 8,
        candidates: Mapping[str, Callable[[int], nn.Module]] = CANDIDATES,
        in_channels: int = 1,
        classes: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__()
        generator = runtime.generator(whole_number("seed", seed, least=0))
        channels = whole_number("channels", channels)
        self.stem = conv(whole_number("in_channels", in_channels), channels, 3)
        self.layers = nn.Sequential(
            *(
                MixedLayer({name: make(channels) for name, make in candidates.items()})
                for _ in range(whole_number("layers", layers))
            )
        )
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(channels, whole_number("classes", classes)),
        )
        for module in self.modules():
            initialize(module, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, in_channels, H, W] to logits [B, classes]."""
        return self.head(self.layers(self.stem(x)))

    @property
    def alphas(self) -> np.ndarray:
        """Weights of the candidates of each layer, float32 [layers, candidates]."""
        return torch.stack([layer.alpha for layer in self._mixed]).detach().cpu().numpy()

    @property
    def choices(self) -> list[str]:
        """Names of the argmax of each layer."""
        return [layer.choice for layer in self._mixed]

    @property
    def _mixed(self) -> list[MixedLayer]:
        return list(self.layers.children())  # type: ignore[arg-type]

    def discrete(self) -> nn.Sequential:
        """The chosen candidates alone, with copies of their weights, as they are now."""
        chosen = (layer.candidates[layer.choice] for layer in self._mixed)
        return copy.deepcopy(nn.Sequential(self.stem, *chosen, self.head))
