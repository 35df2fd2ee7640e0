"""Homework 6: right answers written differently earn all points."""

import math

import numpy as np
import torch

from tests.homework.variants import right


def width_by_candidates(channels, factor, divisor):
    wanted = channels * factor
    multiples = [divisor * i for i in range(1, 200)]
    nearest = min(multiples, key=lambda m: (abs(m - wanted), -m))
    return nearest if nearest >= 0.9 * wanted else nearest + divisor


def width_by_numpy(channels, factor, divisor):
    rounded = np.maximum(divisor, np.floor(channels * factor / divisor + 0.5) * divisor)
    return int(rounded + divisor * (rounded < 0.9 * channels * factor))


def compound_by_numpy(stages, resolution, phi, alpha, beta, gamma):
    depth, width = np.array(stages).T
    depths = np.ceil(np.round(depth * alpha**phi, 9)).astype(int)
    widths = [width_by_candidates(w, round(beta**phi, 9), 8) for w in width.tolist()]
    return [np.stack([depths, widths], axis=1), int(np.rint(resolution * gamma**phi))]


def compound_by_logs(stages, resolution, phi, alpha, beta, gamma):
    factors = [math.exp(phi * math.log(f)) for f in (alpha, beta, gamma)]
    scaled = [
        (-int(-round(d * factors[0], 9) // 1), width_by_numpy(w, round(factors[1], 9), 8))
        for d, w in stages
    ]
    return scaled, int(resolution * factors[2] + 0.5)


def latency_by_torch(layers, peak, bandwidth):
    cost = torch.tensor(layers).double() / torch.tensor([peak, bandwidth]).double()
    return cost.max(dim=1).values.sum()


def latency_by_intensity(layers, peak, bandwidth):
    """By the ridge of the roofline: layers left of it wait for memory."""
    seconds = 0
    for macs, size in layers:
        attained = min(peak, bandwidth * macs / size)
        seconds += macs / attained
    return seconds


def front_by_numpy(points):
    p = np.array(points)
    no_worse = (p[:, None] <= p).all(axis=2)
    better = (p[:, None] < p).any(axis=2)
    return np.flatnonzero(~(no_worse & better).any(axis=0))


def front_by_sweep(points):
    front, least = set(), math.inf
    for latency, loss, place in sorted((t, loss, i) for i, (loss, t) in enumerate(points)):
        if loss < least:
            front.add(place)
            least = loss
        assert latency > 0
    return sorted(front)


def shares_by_torch(scores):
    values = torch.tensor(scores).double()
    means = [values.mean(dim=[e for e in range(3) if e != d]) for d in range(3)]
    alone = torch.stack([mean.var(correction=0) for mean in means]) / values.var(correction=0)
    return [*alone, 1 - alone.sum()]


def shares_by_regression(scores):
    """Determination of a least-squares fit with an indicator for each value of a factor."""
    values = np.array(scores)
    y = (values - values.mean()).ravel()
    found = []
    for places in np.indices(values.shape).reshape(3, -1):
        x = np.eye(places.max() + 1)[places]
        fitted = x @ np.linalg.lstsq(x, y, rcond=None)[0]
        found.append(1 - ((y - fitted) ** 2).sum() / (y**2).sum())
    return np.array([*found, 1 - np.sum(found)])


VARIANTS = {
    "hw6.q1": [
        lambda alpha, beta, target: (target / alpha / beta / beta) ** 0.5,
        lambda alpha, beta, target: np.exp((np.log(target) - np.log(alpha) - 2 * np.log(beta)) / 2),
        lambda alpha, beta, target: torch.tensor(target / (alpha * beta**2)).double().sqrt(),
    ],
    "hw6.q2": [width_by_candidates, width_by_numpy],
    "hw6.q3": [compound_by_numpy, compound_by_logs],
    "hw6.q4": [
        latency_by_torch,
        latency_by_intensity,
        lambda layers, peak, bandwidth: np.max(np.array(layers) / [peak, bandwidth], axis=1).sum(),
    ],
    "hw6.q5": [front_by_numpy, front_by_sweep],
    "hw6.q6": [
        lambda losses, latencies, beta: [
            min(range(len(losses)), key=lambda i: losses[i] * math.log(latencies[i]) ** beta),
            [loss * math.log(t) ** beta for loss, t in zip(losses, latencies, strict=True)],
        ],
        lambda losses, latencies, beta: (lambda values: (values.argmin(), values))(
            torch.tensor(losses).double() * torch.tensor(latencies).double().log() ** beta
        ),
    ],
    "hw6.q7": [shares_by_torch, shares_by_regression],
}

test_right_answers_written_differently_are_right = right(VARIANTS)
