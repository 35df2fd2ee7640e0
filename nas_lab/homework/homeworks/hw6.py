"""Homework 6, scaling and edge: compound scaling, rooflines, fronts, the lecture's objective."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from nas_lab.homework.drivers import Plain
from nas_lab.homework.question import as_floats, question


def _draw_constraint(rng: np.random.Generator) -> list[Plain]:
    """A target, and an alpha and a beta that leave something to gamma."""
    target = float(rng.choice([1.5, 2.0, 3.0]))
    depth, width, _ = rng.dirichlet([1, 1, 1]).tolist()
    return [round(target**depth, 4), round(target ** (width / 2), 4), target]


@question(
    "hw6.q1",
    draw=_draw_constraint,
    points=1,
    hint="depth counts once in the cost, width and resolution count twice. Solve for gamma.",
    mistakes={
        "look at the power of gamma: an image has two sides.": lambda alpha, beta, target: (
            target / (alpha * beta**2)
        ),
        "look at the power of beta: input and output channels both grow.": (
            lambda alpha, beta, target: math.sqrt(target / (alpha * beta))
        ),
        "look at the target: it is not always 2.": lambda alpha, beta, target: math.sqrt(
            2 / (alpha * beta**2)
        ),
    },
)
def _gamma_for(alpha: float, beta: float, target: float) -> float:
    return math.sqrt(target / (alpha * beta**2))


def _draw_width(rng: np.random.Generator) -> list[Plain]:
    channels = int(rng.integers(4, int(rng.choice([24, 200]))))
    return [channels, float(rng.choice([1.0, 1.1, 1.2, 1.4, 1.6, 2.0])), int(rng.choice([4, 8]))]


def _width_down(channels: int, factor: float, divisor: int) -> int:
    return max(divisor, int(channels * factor) // divisor * divisor)


@question(
    "hw6.q2",
    draw=_draw_width,
    points=2,
    hint="the nearest multiple first, half way up, at least the divisor; then compare it with 90% "
    "of what was wanted.",
    mistakes={
        "look at the rounding: the width was rounded down. The nearest multiple is asked "
        "for, and never less than 90% of the wanted width.": _width_down,
        "look at the 90%: the nearest multiple may lose too much of a narrow layer.": (
            lambda channels, factor, divisor: max(
                divisor, math.floor(channels * factor / divisor + 0.5) * divisor
            )
        ),
        "look at the rounding: the nearest multiple, not always the next larger one.": (
            lambda channels, factor, divisor: max(
                divisor, math.ceil(channels * factor / divisor) * divisor
            )
        ),
    },
)
def _round_width(channels: int, factor: float, divisor: int) -> int:
    wanted = channels * factor
    rounded = max(divisor, math.floor(wanted / divisor + 0.5) * divisor)
    return rounded + divisor if rounded < 0.9 * wanted else rounded


def _draw_compound(rng: np.random.Generator) -> list[Plain]:
    """Stages [depth, width], a resolution, phi, and three factors."""
    stages = [
        [int(rng.integers(1, 5)), int(8 * rng.integers(1, 20))] for _ in range(rng.integers(1, 5))
    ]
    alpha, beta, gamma = np.round(rng.uniform([1.05, 1.02, 1.02], [1.4, 1.3, 1.3]), 3).tolist()
    return [stages, int(32 * rng.integers(3, 8)), int(rng.integers(0, 5)), alpha, beta, gamma]


@question(
    "hw6.q3",
    draw=_draw_compound,
    points=3,
    hint="the factors are alpha^phi, beta^phi and gamma^phi. What is rounded up, what to a "
    "multiple of 8, and what to the nearest whole number?",
    mistakes={
        "look at the depth: a part of a layer counts as a whole one.": lambda *given: _compound(
            *given, depth=math.floor
        ),
        "look at the width: it is rounded as in question 2, not down.": lambda *given: _compound(
            *given, width=_width_down
        ),
        "look at the width: multiples of 8.": lambda *given: _compound(
            *given, width=lambda w, f, _: round(w * f)
        ),
        "which factor is for the depth, and which for the width?": (
            lambda stages, resolution, phi, alpha, beta, gamma: _compound(
                stages, resolution, phi, beta, alpha, gamma
            )
        ),
        "where is phi? With phi = 0 nothing changes.": (
            lambda stages, resolution, phi, alpha, beta, gamma: _compound(
                stages, resolution, 1, alpha, beta, gamma
            )
        ),
    },
)
def _compound(
    stages: Plain,
    resolution: int,
    phi: int,
    alpha: float,
    beta: float,
    gamma: float,
    depth: Callable = math.ceil,
    width: Callable = _round_width,
) -> list:
    scaled = [
        [depth(round(d * alpha**phi, 9)), width(w, round(beta**phi, 9), 8)] for d, w in stages
    ]
    return [scaled, round(resolution * gamma**phi)]


def _draw_layers(rng: np.random.Generator) -> list[Plain]:
    """Layers [macs, bytes] on both sides of the ridge, and a device."""
    peak, bandwidth = float(rng.choice([1e9, 1e10, 1e12])), float(rng.choice([1e8, 3e8, 1e9]))
    layers = []
    for _ in range(int(rng.integers(1, 6))):
        size = float(rng.integers(10_000_000, 1_000_000_000))
        intensity = peak / bandwidth * float(rng.choice([0.1, 0.5, 2.0, 10.0]))
        layers.append([round(size * intensity), round(size)])
    return [layers, peak, bandwidth]


@question(
    "hw6.q4",
    draw=_draw_layers,
    points=2,
    hint="each layer waits for the slower of two things: arithmetic and memory.",
    normal=as_floats,
    mistakes={
        "a device computes and moves data at the same time: not the sum of both.": (
            lambda layers, peak, bandwidth: sum(m / peak + b / bandwidth for m, b in layers)
        ),
        "look at the order of sum and maximum: layers run one after the other, each with "
        "a bottleneck of its own.": lambda layers, peak, bandwidth: max(
            sum(m for m, _ in layers) / peak, sum(b for _, b in layers) / bandwidth
        ),
        "look at the bytes: a layer can wait for memory.": lambda layers, peak, bandwidth: (
            sum(m for m, _ in layers) / peak
        ),
        "the slower one decides, not the faster one.": lambda layers, peak, bandwidth: sum(
            min(m / peak, b / bandwidth) for m, b in layers
        ),
    },
)
def _latency(layers: Plain, peak: float, bandwidth: float) -> float:
    return sum(max(macs / peak, size / bandwidth) for macs, size in layers)


def _draw_points(rng: np.random.Generator) -> list[Plain]:
    """Points [loss, latency] on a coarse grid, so that ties are there, but no equal points."""
    n = int(rng.integers(3, 12))
    places = rng.choice(36, size=n, replace=False)
    return [[[int(p) // 6 / 10 + 0.2, float(5 + p % 6)] for p in places]]


def _weak_front(points: Plain) -> list[int]:
    return [
        i
        for i, (loss, latency) in enumerate(points)
        if not any(l < loss and t < latency for l, t in points)  # noqa: E741
    ]


@question(
    "hw6.q5",
    draw=_draw_points,
    points=3,
    hint="a point is dominated when another one is at least as good in both and better in one.",
    mistakes={
        "look at ties: with an equal loss, the faster one dominates.": _weak_front,
        "a front has more than one point. Who beats the fastest one?": lambda points: [
            _pareto_front(points)[0]
        ],
        "both a loss and a latency are better when they are smaller.": lambda points: _pareto_front(
            [[-a, -b] for a, b in points]
        ),
        "look at the first number: it is a loss, so smaller is better.": lambda points: (
            _pareto_front([[-a, b] for a, b in points])
        ),
    },
)
def _pareto_front(points: Plain) -> list[int]:
    return [
        i
        for i, (loss, latency) in enumerate(points)
        if not any(
            other_loss <= loss and other <= latency and j != i
            for j, (other_loss, other) in enumerate(points)
        )
    ]


def _draw_objective(rng: np.random.Generator) -> list[Plain]:
    n = int(rng.integers(3, 9))
    losses = np.round(rng.uniform(0.2, 0.9, size=n), 3)
    latencies = np.round(np.exp(rng.uniform(1.2, 5, size=n)), 2)
    return [losses.tolist(), latencies.tolist(), float(rng.choice([0.1, 0.3, 0.6, 1.0, 2.0]))]


def _scores(losses: Plain, latencies: Plain, beta: float) -> list[float]:
    return [loss * math.log(t) ** beta for loss, t in zip(losses, latencies, strict=True)]


def _choose(scores: list[float], losses: Plain) -> list:
    return [int(np.argmin(scores)), scores]


def _power_inside(losses: Plain, latencies: Plain, beta: float) -> list:
    return _choose(
        [loss * math.log(t**beta) for loss, t in zip(losses, latencies, strict=True)], losses
    )


def _without_log(losses: Plain, latencies: Plain, beta: float) -> list:
    return _choose([loss * t**beta for loss, t in zip(losses, latencies, strict=True)], losses)


@question(
    "hw6.q6",
    draw=_draw_objective,
    points=3,
    hint="the logarithm of the latency in milliseconds, then the power, then times the loss. Which "
    "network has the smallest value?",
    mistakes={
        "look at the power: it is taken of the logarithm, not inside it.": _power_inside,
        "look at the latency: its logarithm counts.": _without_log,
        "look at the choice: a loss is better when it is smaller.": (
            lambda losses, latencies, beta: [
                int(np.argmax(_scores(losses, latencies, beta))),
                _scores(losses, latencies, beta),
            ]
        ),
        "the network with the smallest loss need not have the smallest product.": (
            lambda losses, latencies, beta: [
                int(np.argmin(losses)),
                _scores(losses, latencies, beta),
            ]
        ),
    },
)
def _objective(losses: Plain, latencies: Plain, beta: float) -> list:
    return _choose(_scores(losses, latencies, beta), losses)


def _draw_grid(rng: np.random.Generator) -> list[Plain]:
    """Scores [depths, widths, resolutions] with effects of each factor and of all together."""
    sides = rng.integers(2, 5, size=3).tolist()
    scores = 0.7 + rng.normal(0, 0.01, size=sides)
    for axis, side in enumerate(sides):
        effect = rng.normal(0, float(rng.choice([0.01, 0.05])), size=side)
        scores += np.expand_dims(effect, [other for other in range(3) if other != axis])
    return [np.round(scores, 4).tolist()]


def _alone(scores: Plain, ddof: int = 0) -> np.ndarray:
    """Variance of the mean scores along each of the three axes."""
    values = np.asarray(scores)
    others = ((1, 2), (0, 2), (0, 1))
    return np.array([values.mean(axis=axes).var(ddof=ddof) for axes in others])


def _shares_of_deviations(scores: Plain) -> list[float]:
    alone = np.sqrt(_alone(scores)) / np.std(scores)
    return [*alone.tolist(), 1 - float(alone.sum())]


def _shares_of_samples(scores: Plain) -> list[float]:
    alone = _alone(scores, ddof=1) / np.var(scores, ddof=1)
    return [*alone.tolist(), 1 - float(alone.sum())]


def _shares_of_the_parts(scores: Plain) -> list[float]:
    alone = _alone(scores) / _alone(scores).sum()
    return [*alone.tolist(), 0.0]


def _shares_with_the_others_held(scores: Plain) -> list[float]:
    """The mean of variances in place of the variance of means."""
    values = np.asarray(scores)
    alone = [float(values.var(axis=axis).mean() / values.var()) for axis in range(3)]
    return [*alone, 1 - sum(alone)]


@question(
    "hw6.q7",
    draw=_draw_grid,
    points=2,
    hint="for each factor, the mean score for each of its values, and the variance of these means; "
    "then divide by the variance of all scores. What is left to 1?",
    mistakes={
        "look at the square: variances add up, standard deviations do not.": _shares_of_deviations,
        "the grid is complete, no sample: divide by the number, not by the number minus 1.": (
            _shares_of_samples
        ),
        "look at the last number: the whole is the variance of all scores, and what the "
        "factors do alone need not be all of it.": _shares_of_the_parts,
        "look at the order: first the mean over the other two factors, then the variance.": (
            _shares_with_the_others_held
        ),
    },
)
def _shares(scores: Plain) -> list[float]:
    alone = _alone(scores) / np.var(scores)
    return [*alone.tolist(), 1 - float(alone.sum())]
