"""Homework 6, scaling and edge: compound scaling, rooflines, fronts, the lecture's objective."""

import math
from collections.abc import Callable

import numpy as np

from nas_lab import scaling
from nas_lab.estimation import pareto
from nas_lab.homework.drivers import Plain
from nas_lab.homework.question import as_floats, hints, question


def _draw_constraint(rng: np.random.Generator) -> list[Plain]:
    """A target, and an alpha and a beta that leave something to gamma."""
    target = float(rng.choice([1.5, 2.0, 3.0]))
    depth, width, _ = rng.dirichlet([1, 1, 1])
    return [round(target**depth, 4), round(target ** (width / 2), 4), target]


@question("hw6.q1", _draw_constraint, points=1)
@hints(
    "depth counts once in the cost, width and resolution count twice. Solve for gamma.",
    lambda alpha, beta, target: target / (alpha * beta**2),
    "look at the power of gamma: an image has two sides.",
    lambda alpha, beta, target: math.sqrt(target / (alpha * beta)),
    "look at the power of beta: input and output channels both grow.",
    lambda alpha, beta, target: math.sqrt(2 / (alpha * beta**2)),
    "look at the target: it is not always 2.",
)
def _gamma_for(alpha: float, beta: float, target: float) -> float:
    return math.sqrt(target / (alpha * beta**2))


def _draw_width(rng: np.random.Generator) -> list[Plain]:
    channels = rng.integers(4, rng.choice([24, 200]))
    return [channels, rng.choice([1.0, 1.1, 1.2, 1.4, 1.6, 2.0]), rng.choice([4, 8])]


def _multiple(round_to: Callable[[float], float]) -> Callable[..., int]:
    """A width as a multiple of the divisor, however much of it is lost."""
    return lambda w, factor, divisor: int(max(1, round_to(w * factor / divisor))) * divisor


@question("hw6.q2", _draw_width, points=2)
@hints(
    "the nearest multiple, half way up, at least the divisor; is it 90% of what was wanted?",
    _multiple(math.floor),
    "look at the rounding: the nearest multiple is asked for, not the one below.",
    _multiple(lambda x: math.floor(x + 0.5)),
    "look at the 90%: the nearest multiple may lose too much of a narrow layer.",
    _multiple(math.ceil),
    "look at the rounding: the nearest multiple, not always the next larger one.",
)
def _round_width(channels: int, factor: float, divisor: int) -> int:
    return scaling.round_filters(channels, factor, divisor)


def _draw_compound(rng: np.random.Generator) -> list[Plain]:
    """Stages [depth, width], a resolution, phi, and three factors."""
    number = rng.integers(1, 5)
    stages = [[rng.integers(1, 5), 8 * rng.integers(1, 20)] for _ in range(number)]
    factors = np.round(rng.uniform([1.05, 1.02, 1.02], [1.4, 1.3, 1.3]), 3)
    return [stages, 32 * rng.integers(3, 8), rng.integers(0, 5), *factors]


@question("hw6.q3", _draw_compound, points=3)
@hints(
    "the factors are alpha^phi, beta^phi and gamma^phi. What is rounded up, what to a multiple of "
    "8, and what to the nearest whole number?",
    lambda *given: _compound(*given, round_depth=math.floor),
    "look at the depth: a part of a layer counts as a whole one.",
    lambda *given: _compound(*given, round_width=_multiple(math.floor)),
    "look at the width: it is rounded as in question 2, not down.",
    lambda *given: _compound(*given, round_width=lambda w, factor, _: round(w * factor)),
    "look at the width: multiples of 8.",
    lambda stages, side, phi, alpha, beta, gamma: _compound(stages, side, phi, beta, alpha, gamma),
    "which factor is for the depth, and which for the width?",
    lambda stages, side, phi, *factors: _compound(stages, side, 1, *factors),
    "where is phi? With phi = 0 nothing changes.",
)
def _compound(
    stages: Plain,
    resolution: int,
    phi: int,
    *factors: float,
    round_depth: Callable[[float], int] = math.ceil,
    round_width: Callable[[int, float, int], int] = scaling.round_filters,
) -> list:
    depth, width, larger = (factor**phi for factor in factors)
    width = round(width, 9)
    scaled = [[round_depth(round(d * depth, 9)), round_width(w, width, 8)] for d, w in stages]
    return [scaled, round(resolution * larger)]


def _draw_layers(rng: np.random.Generator) -> list[Plain]:
    """Layers [macs, bytes] on both sides of the ridge, and a device."""
    peak, bandwidth = float(rng.choice([1e9, 1e10, 1e12])), float(rng.choice([1e8, 3e8, 1e9]))
    layers = []
    for _ in range(rng.integers(1, 6)):
        size = rng.integers(10_000_000, 1_000_000_000)
        intensity = peak / bandwidth * float(rng.choice([0.1, 0.5, 2.0, 10.0]))
        layers.append([round(float(size) * intensity), size])
    return [layers, peak, bandwidth]


@question("hw6.q4", _draw_layers, points=2, normal=as_floats)
@hints(
    "each layer waits for the slower of two things: arithmetic and memory.",
    lambda layers, *device: np.divide(layers, device).sum(),
    "a device computes and moves data at the same time: not the sum of both.",
    lambda layers, *device: np.divide(layers, device).sum(axis=0).max(),
    "look at the order of sum and maximum: each layer has a bottleneck of its own.",
    lambda layers, *device: np.divide(layers, device)[:, 0].sum(),
    "look at the bytes: a layer can wait for memory.",
    lambda layers, *device: np.divide(layers, device).min(axis=1).sum(),
    "the slower one decides, not the faster one.",
)
def _latency(layers: Plain, *device: float) -> float:
    """Of layers [macs, bytes] on a device with these two rates: a quotient for each, [L, 2]."""
    return np.divide(layers, device).max(axis=1).sum()


def _draw_points(rng: np.random.Generator) -> list[Plain]:
    """Points [loss, latency] on a coarse grid, so that ties are there, but no equal points."""
    places = rng.choice(36, size=rng.integers(3, 12), replace=False)
    return [np.stack([places // 6 / 10 + 0.2, places % 6 + 5.0], axis=1)]


@question("hw6.q5", _draw_points, points=3)
@hints(
    "a point is dominated when another one is at least as good in both and better in one.",
    lambda points: [
        i for i, (a, b) in enumerate(points) if not any(c < a and d < b for c, d in points)
    ],
    "look at ties: with an equal loss, the faster one dominates.",
    lambda points: _pareto_front(points)[:1],
    "a front has more than one point. Who beats the fastest one?",
    lambda points: _pareto_front([[-loss, 99 - latency] for loss, latency in points]),
    "both a loss and a latency are better when they are smaller.",
    lambda points: _pareto_front([[-loss, latency] for loss, latency in points]),
    "look at the first number: it is a loss, so smaller is better.",
)
def _pareto_front(points: Plain) -> list[int]:
    losses, latencies = np.transpose(points)
    return sorted(pareto.pareto_front(-losses, latencies).tolist())


def _draw_objective(rng: np.random.Generator) -> list[Plain]:
    n = rng.integers(3, 9)
    losses = np.round(rng.uniform(0.2, 0.9, size=n), 3)
    latencies = np.round(np.exp(rng.uniform(3, 7, size=n)), 1)  # microseconds
    return [losses, latencies, rng.choice([0.1, 0.3, 0.6, 1.0, 2.0])]


def _with_smallest(scores: np.ndarray) -> list:
    return [np.argmin(scores), scores]


@question("hw6.q6", _draw_objective, points=3)
@hints(
    "the logarithm of the latency in microseconds, then the power, then times the loss. Which "
    "network has the smallest value?",
    lambda losses, latencies, beta: _with_smallest(losses * np.log(latencies) * beta),
    "look at the power: it is taken of the logarithm, not inside it.",
    lambda losses, latencies, beta: _with_smallest(losses * np.array(latencies) ** beta),
    "look at the latency: its logarithm counts.",
    lambda *given: [np.argmax(_objective(*given)[1]), _objective(*given)[1]],
    "look at the choice: a loss is better when it is smaller.",
    lambda losses, *given: [np.argmin(losses), _objective(losses, *given)[1]],
    "the network with the smallest loss need not have the smallest product.",
)
def _objective(losses: Plain, latencies: Plain, beta: float) -> list:
    scores = pareto.weighted_loss(np.array(losses), np.array(latencies), beta, unit=1.0)
    return _with_smallest(scores)


def _draw_grid(rng: np.random.Generator) -> list[Plain]:
    """Scores [depths, widths, resolutions] with effects of each factor and of all together."""
    sides = rng.integers(2, 5, size=3)
    scores = 0.7 + rng.normal(0, 0.01, size=sides)
    for axis, side in enumerate(sides):
        effect = rng.normal(0, rng.choice([0.01, 0.05]), size=side)
        scores += np.expand_dims(effect, [other for other in range(3) if other != axis])
    return [np.round(scores, 4)]


def _and_rest(shares: Plain) -> list[float]:
    return [*shares, 1 - np.sum(shares)]


def _alone(scores: Plain, ddof: int = 0) -> np.ndarray:
    """Variance of the mean scores along each of the three axes, as a share of all variance."""
    means = [np.mean(scores, axis=others) for others in ((1, 2), (0, 2), (0, 1))]
    return np.array([mean.var(ddof=ddof) for mean in means]) / np.var(scores, ddof=ddof)


@question("hw6.q7", _draw_grid, points=2)
@hints(
    "for each factor, the mean score for each of its values, and the variance of these means; then "
    "divide by the variance of all scores. What is left to 1?",
    lambda scores: _and_rest(np.sqrt(_alone(scores))),
    "look at the square: variances add up, standard deviations do not.",
    lambda scores: _and_rest(_alone(scores, ddof=1)),
    "the grid is complete, no sample: divide by the number, not by the number minus 1.",
    lambda scores: _and_rest(_alone(scores) / _alone(scores).sum()),
    "look at the last number: what the factors do alone need not be all of the variance.",
    lambda scores: _and_rest([np.var(scores, axis=i).mean() / np.var(scores) for i in range(3)]),
    "look at the order: first the mean over the other two factors, then the variance.",
)
def _shares(scores: Plain) -> list[float]:
    return _and_rest(_alone(scores))
