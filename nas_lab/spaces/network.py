"""A network as a list of operations: parameters and multiply-adds, counted before it is built.

``cost`` adds up its parameters and multiply-adds, ``nas_lab.devices`` its seconds and joules, and
``nas_lab.nets.modules`` turns each entry into a torch module.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

Ints: TypeAlias = tuple[int, ...]

GATES = {"rnn": 1, "gru": 3, "lstm": 4}
"""Matrix products of input and of state in one step of each recurrent cell."""


class Cost(NamedTuple):
    """Size of a network: trainable parameters, and multiply-adds for one image.
    Multiply-adds (``macs``) are what the papers call FLOPs. Convolutions, dense layers, recurrent
    layers and the two matrix products of attention count; normalisation, activation, pooling,
    addition and biases do not."""

    params: int
    macs: int


class Op(NamedTuple):
    """One operation of a network."""

    kind: str  # a key of ``nas_lab.nets.modules.BUILDERS``
    name: str  # where it stands, such as ``cell_3.edge_01.conv``; unique in its network
    inputs: Ints  # positions of the operations whose outputs it reads
    shape: Ints  # of its output: ``(C, H, W)``, ``(tokens, features)`` or ``(features,)``
    params: int
    macs: int  # for one image
    settings: Mapping[str, Any]  # what else ``kind`` needs, by the names that torch uses


class Network:
    """A growing list of operations. Each method adds one and returns its position.
    An operation without parameters that already stands in the list with the same inputs is not
    added again: two edges that read the ReLU of one node share it."""

    def __init__(self, image: tuple[int, int, int]) -> None:
        self.ops: list[Op] = []
        self._scope = ""
        self._shared: dict[tuple, int] = {}
        self._names: Counter[str] = Counter()
        self.image = self._add("image", (), image)

    @property
    def cost(self) -> Cost:
        """Parameters and multiply-adds of all operations."""
        return Cost(sum(op.params for op in self.ops), sum(op.macs for op in self.ops))

    def shape(self, x: int) -> Ints:
        """Output shape of operation ``x``, without the batch."""
        return self.ops[x].shape

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Operations added inside carry ``name.`` in front of their own."""
        outside, self._scope = self._scope, f"{self._scope}{name}."
        try:
            yield
        finally:
            self._scope = outside

    def conv(
        self,
        x: int,
        channels: int,
        kernel: int | tuple[int, int],
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
    ) -> int:
        """Convolution without bias; odd kernels keep the size, rounded up after a stride."""
        given, height, width = self.shape(x)
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        shape = (channels, -(-height // stride), -(-width // stride))
        weights = math.prod(kernel) * given // groups * channels
        padding = tuple(dilation * (k // 2) for k in kernel)
        settings = {"in_channels": given, "out_channels": channels, "kernel_size": kernel}
        settings |= {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        macs = weights * math.prod(shape[1:])
        return self._add("conv", (x,), shape, weights, macs, bias=False, **settings)

    def norm(self, x: int) -> int:
        """Batch normalisation with learnt scale and shift."""
        channels = self.shape(x)[0]
        return self._add("norm", (x,), self.shape(x), params=2 * channels, num_features=channels)

    def linear(self, x: int, features: int) -> int:
        """Dense layer with bias, the same for each token where there are some."""
        *tokens, given = self.shape(x)
        weights, settings = given * features, {"in_features": given, "out_features": features}
        macs = weights * math.prod(tokens)
        shape = (*tokens, features)
        return self._add("linear", (x,), shape, weights + features, macs, **settings)

    def patches(self, x: int, features: int, size: int) -> int:
        """Tokens: each square of ``size`` pixels times one matrix, plus a learnt position.
        Zeros around the image complete the squares at its rim."""
        height, width = (-(-pixels // size) * size for pixels in self.shape(x)[1:])
        x = self.pad(x, height, width)
        tokens, given = (height // size) * (width // size), self.shape(x)[0]
        weights = given * size**2 * features
        settings = {"in_channels": given, "features": features, "size": size, "tokens": tokens}
        params, macs = weights + (1 + tokens) * features, weights * tokens
        return self._add("patches", (x,), (tokens, features), params, macs, **settings)

    def attention(self, x: int, heads: int, width: int) -> int:
        """Self-attention (Vaswani et al. 2017, equation 1) in heads of one width, side by side.
        Two of its matrix products, and the softmax, grow with the square of the tokens."""
        (tokens, _), settings = self.shape(x), {"heads": heads}
        qkv = self.linear(x, 3 * heads * width)  # query, key and value of the first head come first
        macs, square = heads * tokens**2 * width, (heads, tokens, tokens)
        scores = self._add("scores", (qkv,), square, 0, macs, **settings)
        weights = self._add("softmax", (scores,), square)
        return self._add("values", (weights, qkv), (tokens, heads * width), 0, macs, **settings)

    def layer_norm(self, x: int) -> int:
        """Normalisation of each token by itself, with learnt scale and shift."""
        features = self.shape(x)[-1]
        settings = {"normalized_shape": features}
        return self._add("layer_norm", (x,), self.shape(x), 2 * features, **settings)

    def recurrent(self, x: int, cell: str, hidden: int, layers: int) -> int:
        """Recurrent layers that read ``x`` row by row; gives the last state of the last layer.
        Each row of the image, with its channels one after the other, is one step."""
        channels, steps, width = self.shape(x)
        inputs = [channels * width] + [hidden] * (layers - 1)
        weights = sum(GATES[cell] * hidden * (given + hidden) for given in inputs)
        params = weights + layers * 2 * GATES[cell] * hidden
        settings = {"input_size": inputs[0], "hidden_size": hidden, "num_layers": layers}
        return self._add(
            "recurrent", (x,), (hidden,), params, steps * weights, cell=cell, **settings
        )

    def classifier(self, x: int, classes: int) -> int:
        """Global average pooling, where there is still an image or tokens, and a dense layer."""
        pooled = self.global_pool(x) if len(self.shape(x)) > 1 else x
        with self.scope("classifier"):
            return self.linear(pooled, classes)

    def relu(self, x: int) -> int:
        """max(x, 0)."""
        return self._add("relu", (x,), self.shape(x))

    def gelu(self, x: int) -> int:
        """x times the normal distribution function of x."""
        return self._add("gelu", (x,), self.shape(x))

    def pool(self, kind: str, x: int, kernel: int, *, stride: int = 1) -> int:
        """``avg_pool`` or ``max_pool`` over a window; what is padded does not count in an average.
        An even window has no padding; where it does not fit, the size is rounded up."""
        channels, height, width = self.shape(x)
        shape = (channels, -(-height // stride), -(-width // stride))
        window = {"kernel_size": kernel, "stride": stride, "padding": (kernel - 1) // 2}
        return self._add(kind, (x,), shape, ceil_mode=kernel % 2 == 0, **window)

    def global_pool(self, x: int) -> int:
        """Average of each channel: ``(C, H, W)`` or ``(tokens, C)`` to ``(C,)``."""
        shape = self.shape(x)
        return self._add("global_pool", (x,), shape[:1] if len(shape) == 3 else shape[1:])

    def flatten(self, x: int) -> int:
        """``(C, H, W)`` to ``(C * H * W,)``."""
        return self._add("flatten", (x,), (math.prod(self.shape(x)),))

    def add(self, *terms: int) -> int:
        """Sum of outputs of one shape; a single term is returned as it is."""
        return terms[0] if len(terms) == 1 else self._add("add", terms, self.shape(terms[0]))

    def concat(self, *parts: int) -> int:
        """Channels one after the other; a single part is returned as it is."""
        if len(parts) == 1:
            return parts[0]
        channels = sum(self.shape(part)[0] for part in parts)
        return self._add("concat", parts, (channels, *self.shape(parts[0])[1:]))

    def pad(self, x: int, height: int, width: int) -> int:
        """Zeros around ``x`` up to the given size, the odd one at the end."""
        channels, *size = self.shape(x)
        if (height, width) == tuple(size):
            return x
        down, across = height - size[0], width - size[1]
        padding = (across // 2, across - across // 2, down // 2, down - down // 2)
        return self._add("pad", (x,), (channels, height, width), padding=padding)

    def shift(self, x: int) -> int:
        """``x`` moved up and left by one pixel, zeros entering at the other side."""
        return self._add("shift", (x,), self.shape(x))

    def zeros(self, x: int) -> int:
        """Zeros in the shape of ``x``."""
        return self._add("zeros", (x,), self.shape(x))

    def _add(
        self, kind: str, inputs: Ints, shape: Ints, params: int = 0, macs: int = 0, **settings: Any
    ) -> int:
        key = (kind, inputs, *settings.items())
        if not params and key in self._shared:
            return self._shared[key]
        name = self._scope + kind
        self._names[name] += 1
        if self._names[name] > 1:
            name = f"{name}_{self._names[name]}"
        self.ops.append(Op(kind, name, inputs, shape, params, macs, settings))
        self._shared[key] = len(self.ops) - 1
        return len(self.ops) - 1
