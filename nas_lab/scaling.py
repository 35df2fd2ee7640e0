"""Compound scaling and EfficientNet: depth, width and resolution grow by one coefficient.

    stages, resolution = compound(B0, 224, phi=1, alpha=ALPHA, beta=BETA, gamma=GAMMA)
    budget(stages, resolution).macs / budget(B0, 224).macs      # 2.57, for layers are rounded up

Source: M. Tan and Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
Networks", ICML 2019, arXiv:1905.11946. Equations and tables below are those of that paper. Where
it leaves something open, the authors' implementation decides: ``efficientnet_builder.py`` and
``efficientnet_model.py`` in ``models/official/efficientnet`` of github.com/tensorflow/tpu.
"""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from numbers import Real
from typing import Literal, NamedTuple

import numpy as np

from nas_lab.checks import whole_number


def number(name: str, value: object) -> float:
    """``value`` as a float; TypeError for what is no number."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, not {value!r}")
    return float(value)


def factor(name: str, value: object) -> float:
    """A factor as a float; ValueError below 1, for infinity and for nan."""
    given = number(name, value)
    if not 1 <= given < math.inf:
        raise ValueError(
            f"{name}={value}: give a finite number of at least 1; scaling up makes no dimension "
            "smaller (equation 3)"
        )
    return given


class Factors(NamedTuple):
    """A number each for depth, width and resolution."""

    depth: float
    width: float
    resolution: float


def factors(phi: float, alpha: float, beta: float, gamma: float) -> Factors:
    """alpha^phi, beta^phi and gamma^phi, as equation 3 has them."""
    found, phi = [], number("phi", phi)
    if not 0 <= phi < math.inf:
        raise ValueError(f"phi={phi}: give 0 for the base network, or more for a larger one")
    for name, base in {"alpha": alpha, "beta": beta, "gamma": gamma}.items():
        try:
            # sqrt(2)^2 is a little above 2: no layer for that
            found.append(round(factor(name, base) ** phi, 12))
        except OverflowError:
            raise ValueError(f"{name}^phi = {base}^{phi} is beyond counting: lower one") from None
    return Factors(*found)


@dataclass(frozen=True)
class Stage:
    """Layers that follow each other and are alike: F_i and its number L_i in equation 1.
    The first layer takes the channels of the stage before and has the stride; the others keep
    channels and size. A convolution is followed by normalisation and SiLU. An ``mbconv`` is the
    mobile inverted bottleneck with squeeze-and-excitation: 1x1 to ``expansion`` times its input
    channels, depthwise k x k, squeeze-and-excitation, 1x1 to ``channels``."""

    operator: Literal["conv", "mbconv"]
    channels: int  # output channels
    layers: int = 1  # scaling the depth repeats an mbconv; a conv stays
    kernel: int = 3  # side of the (depthwise) convolution, odd
    stride: int = 1  # of the first layer
    expansion: int = 1  # inner channels of an mbconv over its input channels

    def __post_init__(self) -> None:
        if self.operator not in ("conv", "mbconv"):
            raise ValueError(f"operator={self.operator!r}: choose from conv, mbconv")
        for name in ("channels", "layers", "kernel", "stride", "expansion"):
            object.__setattr__(self, name, whole_number(f"{name} of a stage", getattr(self, name)))
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel={self.kernel} is even: only odd ones keep an image's size")
        if self.operator == "conv" and self.expansion != 1:
            raise ValueError(f"expansion={self.expansion}: only an mbconv expands its channels")


B0 = (
    Stage("conv", 32, kernel=3, stride=2),
    Stage("mbconv", 16, layers=1, kernel=3, stride=1, expansion=1),
    Stage("mbconv", 24, layers=2, kernel=3, stride=2, expansion=6),
    Stage("mbconv", 40, layers=2, kernel=5, stride=2, expansion=6),
    Stage("mbconv", 80, layers=3, kernel=3, stride=2, expansion=6),
    Stage("mbconv", 112, layers=3, kernel=5, stride=1, expansion=6),
    Stage("mbconv", 192, layers=4, kernel=5, stride=2, expansion=6),
    Stage("mbconv", 320, layers=1, kernel=3, stride=1, expansion=6),
    Stage("conv", 1280, kernel=1),
)
"""EfficientNet-B0, table 1. Pooling and the dense layer follow the last stage."""

B0_RESOLUTION = 224
ALPHA, BETA, GAMMA = 1.2, 1.1, 1.15
"""Depth, width and resolution for phi = 1, found by grid search from B0 (section 4)."""


def check_stages(stages: Iterable[Stage]) -> tuple[Stage, ...]:
    """Stages as a tuple; ValueError for none, TypeError for what is no stage."""
    checked = tuple(stages)
    if not checked:
        raise ValueError("a network needs at least one stage; B0 is the one of the paper")
    if not all(isinstance(stage, Stage) for stage in checked):
        raise TypeError(f"stages are a tuple of Stage, not {stages!r}")
    return checked


def check_resolution(stages: Sequence[Stage], resolution: int) -> int:
    """The resolution; ValueError below the stages' total stride."""
    side = whole_number("resolution", resolution)
    stride = math.prod(stage.stride for stage in stages)
    if side < stride:
        raise ValueError(
            f"resolution={side} is below the total stride {stride} of these stages: the last of "
            f"them would see less than a pixel. Give {stride} or more"
        )
    return side


TOTAL = 2.0  # what alpha beta^2 gamma^2 should be, so that phi counts doublings (equation 3)
EXPONENTS = {"alpha": 1, "beta": 2, "gamma": 2}


def product(alpha: float, beta: float, gamma: float) -> float:
    """alpha beta^2 gamma^2: how many times the multiply-adds for each step of phi, ideally.
    Depth counts once, for a layer more costs what a layer costs. Width counts twice, for a
    convolution has input and output channels, and so does resolution, for an image has two sides.
    """
    return factor("alpha", alpha) * factor("beta", beta) ** 2 * factor("gamma", gamma) ** 2


def residual(alpha: float, beta: float, gamma: float) -> float:
    """alpha beta^2 gamma^2 - 2: 0 on the constraint, -0.08 for the paper's 1.2, 1.1 and 1.15."""
    return product(alpha, beta, gamma) - TOTAL


class Coefficients(NamedTuple):
    """Depth, width and resolution for one step of phi."""

    alpha: float
    beta: float
    gamma: float


def project(alpha: float, beta: float, gamma: float, *, keep: str | None = None) -> Coefficients:
    """The nearest coefficients on the constraint, none below 1; the one named ``keep`` stays.

    Nearest in log space: in x = (ln alpha, ln beta, ln gamma) the constraint is the plane
    n x = ln 2 with n = (1, 2, 2). The foot of the perpendicular is ``x - n (n x - ln 2) / |n|^2``.
    Where a coordinate would fall below 0 (a coefficient below 1), the nearest point is
    ``max(0, x - n step)`` with the step that reaches the plane. What is reached falls with the
    step in straight lines, so the step is interpolated between its corners (as in P. Brucker, "An
    O(n) algorithm for quadratic knapsack problems", 1984).
    """
    given = dict(zip(EXPONENTS, (alpha, beta, gamma), strict=True))
    logs = {name: math.log(factor(name, value)) for name, value in given.items()}
    rest = math.log(TOTAL)
    if keep is not None:
        if keep not in logs:
            raise ValueError(f"keep={keep!r}: choose from {', '.join(logs)}, or None")
        rest -= EXPONENTS[keep] * logs.pop(keep)
        if rest < -1e-12:
            raise ValueError(
                f"{keep}={given[keep]} is over the constraint alone: alpha beta^2 gamma^2 = 2 "
                f"needs {keep} <= {TOTAL ** (1 / EXPONENTS[keep]):.4g}"
            )
    x, n = np.array(list(logs.values())), np.array([EXPONENTS[name] for name in logs])
    steps = np.sort([-TOTAL, *(x / n)])
    reached = [n @ np.maximum(x - n * step, 0) for step in steps]  # falls to 0, in straight lines
    step = np.interp(rest, reached[::-1], steps[::-1])
    nearest = np.exp(np.maximum(x - n * step, 0)).tolist()
    return Coefficients(**{**given, **dict(zip(logs, nearest, strict=True))})


class Budget(NamedTuple):
    """What a network, or a part of it, costs."""

    params: int = 0  # trainable parameters
    macs: int = 0
    """Multiply-adds for one image, "FLOPs" in the paper. Convolutions and dense layers count;
    normalisation, activation, pooling, products and sums do not."""
    activations: int = 0
    """Numbers that the convolutions put out for one image (I. Radosavovic et al., "Designing
    Network Design Spaces", CVPR 2020, section 4, defines them so)."""

    def __add__(self, other: Budget) -> Budget:  # type: ignore[override]
        return Budget(*map(operator.add, self, other))

    def __rmul__(self, times: int) -> Budget:  # type: ignore[override]
        return Budget(*(times * count for count in self))


class Row(NamedTuple):
    """One stage of a stage table, as in table 1."""

    stage: Stage
    in_channels: int  # channels that it reads
    resolution: int  # side of the image that it reads
    out_resolution: int  # side of the image that it puts out
    budget: Budget  # of all its layers; the last row has the dense layer too


def table(
    stages: Sequence[Stage], resolution: int, *, in_channels: int = 3, classes: int = 1000
) -> tuple[Row, ...]:
    """The stage table of a network. Nothing is built: arithmetic on nine rows or so."""
    stages, side = check_stages(stages), check_resolution(stages, resolution)
    channels = whole_number("in_channels", in_channels)
    rows = []
    for stage in stages:
        out = -(-side // stage.stride)
        first = _layer(stage, channels, side, out)
        others = (stage.layers - 1) * _layer(stage, stage.channels, out, out)
        rows.append(Row(stage, channels, side, out, first + others))
        channels, side = stage.channels, out
    classes = whole_number("classes", classes)
    dense = Budget(channels * classes + classes, channels * classes)
    rows[-1] = rows[-1]._replace(budget=rows[-1].budget + dense)
    return tuple(rows)


def budget(stages: Sequence[Stage], resolution: int, **sizes: int) -> Budget:
    """Parameters, multiply-adds and activations of a network; ``sizes`` as of ``table``."""
    return sum((row.budget for row in table(stages, resolution, **sizes)), Budget())


def _layer(stage: Stage, c_in: int, side: int, out: int) -> Budget:
    """One layer of a stage, from ``c_in`` channels of side x side to its own of out x out."""
    if stage.operator == "conv":
        return _conv(c_in, stage.channels, stage.kernel, out)
    inner, squeezed = stage.expansion * c_in, squeezed_channels(c_in)
    expand = _conv(c_in, inner, 1, side) if stage.expansion > 1 else Budget()
    depthwise = _conv(1, inner, stage.kernel, out)
    squeeze = _conv(inner, squeezed, 1, 1, per_channel=1)
    excite = _conv(squeezed, inner, 1, 1, per_channel=1)
    project = _conv(inner, stage.channels, 1, out)
    return expand + depthwise + squeeze + excite + project


def squeezed_channels(c_in: int) -> int:
    """Channels between squeeze and excitation: a quarter of the block's input, at least 1."""
    return max(1, c_in // 4)


def _conv(c_in: int, c_out: int, kernel: int, out: int, per_channel: int = 2) -> Budget:
    """A convolution; ``c_in`` counts per group. Per channel: scale and shift, or a bias alone."""
    weights = c_in * c_out * kernel**2
    return Budget(weights + per_channel * c_out, weights * out**2, c_out * out**2)


def round_filters(channels: int, width: float, divisor: int = 8) -> int:
    """Channels times ``width``, as a multiple of ``divisor``: ``round_filters`` of the reference.
    The nearest multiple, but at least one, and the next one where that would lose more than 10%."""
    wanted = channels * width
    if not 0 < wanted < math.inf:
        raise ValueError(f"channels={channels}, width={width}: give finite numbers above 0")
    rounded = max(divisor, int(wanted + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * wanted else rounded


def scale(
    stages: Sequence[Stage], *, width: float = 1.0, depth: float = 1.0, divisor: int = 8
) -> tuple[Stage, ...]:
    """Widen every stage to multiples of ``divisor``, and repeat the layers of every ``mbconv``."""
    width, depth = factor("width", width), factor("depth", depth)
    divisor = whole_number("divisor", divisor)
    scaled = []
    for stage in check_stages(stages):
        channels = round_filters(stage.channels, width, divisor)
        repeats = depth if stage.operator == "mbconv" else 1.0
        scaled.append(replace(stage, channels=channels, layers=math.ceil(repeats * stage.layers)))
    return tuple(scaled)


def compound(
    stages: Sequence[Stage],
    resolution: int,
    phi: float,
    alpha: float,
    beta: float,
    gamma: float,
    *,
    divisor: int = 8,
) -> tuple[tuple[Stage, ...], int]:
    """Scale depth by alpha^phi, width by beta^phi and resolution by gamma^phi (equation 3).
    Multiply-adds grow about (alpha beta^2 gamma^2)^phi times, for phi from 0 and coefficients from
    1. Channels are multiples of ``divisor``. Returns the scaled stages, and the side of their
    images, rounded to the nearest whole number."""
    stages, side = check_stages(stages), check_resolution(stages, resolution)
    depth, width, larger = factors(phi, alpha, beta, gamma)
    return scale(stages, width=width, depth=depth, divisor=divisor), int(side * larger + 0.5)


def fit_phi(
    stages: Sequence[Stage],
    resolution: int,
    macs: float,
    alpha: float,
    beta: float,
    gamma: float,
    *,
    divisor: int = 8,
    **sizes: int,
) -> float:
    """The phi, in thousandths, whose network comes nearest to a budget of multiply-adds.
    Layers, channels and pixels are whole, so the multiply-adds of ``compound`` jump, and 2^phi is
    only near them. This finds the phi on the better side of the jump, by ratio."""

    def counted(thousandths: int) -> int:
        phi = thousandths / 1000
        larger, side = compound(stages, resolution, phi, alpha, beta, gamma, divisor=divisor)
        return budget(larger, side, **sizes).macs

    target, base = number("macs", macs), counted(0)
    if not base <= target < math.inf:
        raise ValueError(f"macs={macs}: the base network alone has {base:,}, a budget has more")
    if product(alpha, beta, gamma) == 1:
        raise ValueError("alpha, beta and gamma are all 1, so no phi makes the network larger")
    beyond = next(1000 * 2**i for i in count() if counted(1000 * 2**i) > target)
    over = bisect_right(range(beyond), target, key=counted)
    nearer = min((over - 1, over), key=lambda k: abs(math.log(counted(k) / target)))
    return nearer / 1000


class Published(NamedTuple):
    """What table 2 of the paper prints: top-1 accuracy on ImageNet, parameters, multiply-adds."""

    accuracy: float
    params: float
    macs: float


@dataclass(frozen=True)
class Variant:
    """One of the published EfficientNets, as ``efficientnet_params`` of the reference has it."""

    name: str
    width: float  # factor on the channels of B0
    depth: float  # factor on the layers of B0
    resolution: int  # side of its images, in pixels
    dropout: float  # share of features that is dropped before the dense layer in training
    published: Published

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """B0's stages, scaled by ``width`` and ``depth``."""
        return scale(B0, width=self.width, depth=self.depth)

    @cached_property
    def budget(self) -> Budget:
        """Counted, for 1000 classes at its resolution."""
        return budget(self.stages, self.resolution)

    @property
    def params(self) -> int:
        """Trainable parameters, counted."""
        return self.budget.params

    @property
    def macs(self) -> int:
        """Multiply-adds for one image, counted."""
        return self.budget.macs

    @property
    def phi(self) -> Factors:
        """The phi at which equation 3 gives its depth, width, resolution; equal by the rule."""
        found = (self.depth, self.width, self.resolution / B0_RESOLUTION)
        return Factors(*map(math.log, found, (ALPHA, BETA, GAMMA)))


EFFICIENTNETS: Mapping[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant("b0", 1.0, 1.0, 224, 0.2, Published(0.771, 5.3e6, 0.39e9)),
        Variant("b1", 1.0, 1.1, 240, 0.2, Published(0.791, 7.8e6, 0.70e9)),
        Variant("b2", 1.1, 1.2, 260, 0.3, Published(0.801, 9.2e6, 1.0e9)),
        Variant("b3", 1.2, 1.4, 300, 0.3, Published(0.816, 12e6, 1.8e9)),
        Variant("b4", 1.4, 1.8, 380, 0.4, Published(0.829, 19e6, 4.2e9)),
        Variant("b5", 1.6, 2.2, 456, 0.4, Published(0.836, 30e6, 9.9e9)),
        Variant("b6", 1.8, 2.6, 528, 0.5, Published(0.840, 43e6, 19e9)),
        Variant("b7", 2.0, 3.1, 600, 0.5, Published(0.843, 66e6, 37e9)),
    )
}
"""The published networks. No single phi gives them: compare ``variant.phi`` and ``rule``."""


def rule(phi: float) -> Factors:
    """What the paper's rule asks at ``phi``: depth and width over B0's, and pixels, unrounded."""
    depth, width, larger = factors(phi, ALPHA, BETA, GAMMA)
    return Factors(depth, width, B0_RESOLUTION * larger)
