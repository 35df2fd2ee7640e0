"""From an architecture to a module: operations as torch modules, initialised by a seed."""

from collections.abc import Callable

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from nas_lab import runtime
from nas_lab.checks import whole_number
from nas_lab.spaces.base import Arch, Skeleton, Space
from nas_lab.spaces.network import Network, Op

runtime.one_thread()


class Add(nn.Module):
    """Sum of its inputs."""

    def forward(self, first: Tensor, *others: Tensor) -> Tensor:
        """Add tensors of one shape."""
        return sum(others, start=first)


class Concat(nn.Module):
    """Channels of its inputs, one after the other."""

    def forward(self, *parts: Tensor) -> Tensor:
        """Join ``[B, C_i, H, W]`` to ``[B, sum C_i, H, W]``."""
        return torch.cat(parts, dim=1)


class GlobalPool(nn.Module):
    """The average of each channel."""

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` or ``[B, tokens, C]`` to ``[B, C]``."""
        return x.mean(dim=(2, 3)) if x.dim() == 4 else x.mean(dim=1)


class Patches(nn.Module):
    """Squares of an image as tokens, each with the position that it learns."""

    def __init__(self, in_channels: int, features: int, size: int, tokens: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, features, size, stride=size)
        self.position = nn.Parameter(torch.empty(tokens, features))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` to ``[B, tokens, features]``."""
        return self.conv(x).flatten(2).transpose(1, 2) + self.position


def by_head(x: Tensor, heads: int) -> Tensor:
    """``[B, N, heads * 3 * d]`` to queries, keys and values ``[3, B, heads, N, d]``."""
    return x.unflatten(2, (heads, 3, -1)).permute(3, 0, 2, 1, 4)


class Heads(nn.Module):
    """A part of attention, done in each head by itself."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads


class Scores(Heads):
    """How well each query fits each key, over the square root of their features."""

    def forward(self, x: Tensor) -> Tensor:
        """``[B, N, heads * 3 * d]`` to ``[B, heads, N, N]``."""
        query, key, _ = by_head(x, self.heads)
        return query @ key.transpose(2, 3) * query.shape[3] ** -0.5


class Values(Heads):
    """The values of all tokens, weighted."""

    def forward(self, weights: Tensor, x: Tensor) -> Tensor:
        """``[B, heads, N, N]`` and ``[B, N, heads * 3 * d]`` to ``[B, N, heads * d]``."""
        return (weights @ by_head(x, self.heads)[2]).transpose(1, 2).flatten(2)


class Shift(nn.Module):
    """Move an image up and left by one pixel; zeros enter at the other side."""

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` to the same shape."""
        return functional.pad(x[:, :, 1:, 1:], (0, 1, 0, 1))


class Zeros(nn.Module):
    """Zeros in the shape of the input."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return torch.zeros_like(x)


class RowByRow(nn.Module):
    """A recurrent net that reads an image one row at a time."""

    def __init__(self, cell: str, input_size: int, hidden_size: int, num_layers: int) -> None:
        super().__init__()
        layers = getattr(nn, cell.upper())  # RNN, GRU or LSTM
        self.layers = layers(input_size, hidden_size, num_layers, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]``, read as ``H`` steps of ``C * W``, to the last state ``[B, hidden]``."""
        rows = x.permute(0, 2, 1, 3).flatten(2)
        outputs, _ = self.layers(rows)
        return outputs[:, -1]


BUILDERS: dict[str, Callable[[Op], nn.Module]] = {
    "conv": lambda op: nn.Conv2d(**op.settings),
    "norm": lambda op: nn.BatchNorm2d(**op.settings),
    "linear": lambda op: nn.Linear(**op.settings),
    "recurrent": lambda op: RowByRow(**op.settings),
    "patches": lambda op: Patches(**op.settings),
    "scores": lambda op: Scores(**op.settings),
    "softmax": lambda op: nn.Softmax(dim=-1),
    "values": lambda op: Values(**op.settings),
    "layer_norm": lambda op: nn.LayerNorm(**op.settings),
    "relu": lambda op: nn.ReLU(),
    "gelu": lambda op: nn.GELU(),
    "avg_pool": lambda op: nn.AvgPool2d(**op.settings, count_include_pad=False),
    "max_pool": lambda op: nn.MaxPool2d(**op.settings),
    "global_pool": lambda op: GlobalPool(),
    "flatten": lambda op: nn.Flatten(),
    "add": lambda op: Add(),
    "concat": lambda op: Concat(),
    "pad": lambda op: nn.ZeroPad2d(**op.settings),
    "shift": lambda op: Shift(),
    "zeros": lambda op: Zeros(),
}
"""From the kind of an operation to the module that does it."""


def initialize(module: nn.Module, generator: torch.Generator) -> None:
    """Draw the parameters of one module from ``generator``.
    Convolutions: He normal over their inputs (He et al. 2015, equation 10). Dense and recurrent
    layers: uniform within one over the square root of their inputs or of their state.
    Positions: normal with deviation 0.02. Normalisation: scale 1, shift 0."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear | nn.RNNBase):
        fan = module.in_features if isinstance(module, nn.Linear) else module.hidden_size
        for parameter in module.parameters():
            nn.init.uniform_(parameter, -(fan**-0.5), fan**-0.5, generator=generator)
    elif isinstance(module, Patches):
        nn.init.normal_(module.position, std=0.02, generator=generator)
    elif isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
        module.reset_parameters()


def build(space: Space, arch: Arch, skeleton: Skeleton, seed: int = 0) -> fx.GraphModule:
    """Build the network of an architecture, with parameters drawn from the seed.
    It takes images ``[B, in_channels, resolution, resolution]`` to logits ``[B, classes]``;
    ``print(net.code)`` shows its forward pass line by line. The global generator is left alone."""
    generator = torch.Generator().manual_seed(whole_number("seed", seed, least=0))
    net = assemble(space.network(arch, skeleton)).to_empty(device="cpu")
    for module in net.modules():
        initialize(module, generator)
    return net


def assemble(network: Network) -> fx.GraphModule:
    """The modules of a network and its forward pass, without memory for parameters."""
    graph, modules = fx.Graph(), dict[str, nn.Module]()
    values: list[fx.Node] = []
    for op in network.ops:
        if op.kind == "image":
            values.append(graph.placeholder(op.name))
            continue
        with torch.device("meta"):  # no memory, no random numbers yet
            module = BUILDERS[op.kind](op)
        modules[op.name] = module
        values.append(graph.call_module(op.name, tuple(values[i] for i in op.inputs)))
    graph.output(values[-1])
    return fx.GraphModule(modules, graph, class_name="Net")
