"""The exercises of notebook 03, REINFORCE."""

from __future__ import annotations

import math

import numpy as np

from nas_lab.homework.question import Plain, Question


def _draw_batch(rng: np.random.Generator) -> list[Plain]:
    """Log-probabilities, rewards and a baseline."""
    m = int(rng.integers(1, 9))
    log_p = np.log(rng.uniform(0.01, 1, m))
    rewards, baseline = rng.uniform(0, 1, m), rng.uniform(0, 1)
    return [np.round(log_p, 4).tolist(), np.round(rewards, 4).tolist(), round(float(baseline), 4)]


def _loss(log_p: list[float], rewards: list[float], baseline: float) -> float:
    gains = [(r - baseline) * lp for lp, r in zip(log_p, rewards, strict=True)]
    return -sum(gains) / len(gains)


def _draw_rewards(rng: np.random.Generator) -> list[Plain]:
    """Mean rewards of some steps, and how much of the baseline stays."""
    steps = int(rng.integers(1, 8))
    return [np.round(rng.uniform(0, 1, steps), 4).tolist(), float(rng.choice([0, 0.5, 0.9, 0.99]))]


def _baselines(rewards: list[float], decay: float) -> list[float]:
    found, baseline = [], rewards[0]
    for reward in rewards:
        baseline = decay * baseline + (1 - decay) * reward
        found.append(baseline)
    return found


def _draw_search(rng: np.random.Generator) -> list[Plain]:
    """Scores of some trials, None where one failed, and the best that there is."""
    scores = np.round(rng.uniform(0.5, 0.9, int(rng.integers(1, 10))), 3).tolist()
    failed = rng.random(len(scores)) < 0.2
    failed[rng.integers(len(scores))] = False  # at least one has a score
    told = [None if lost else score for score, lost in zip(scores, failed, strict=True)]
    return [told, 0.9]


def _regrets(scores: list[float | None], best: float) -> list[float | None]:
    found: list[float | None] = []
    incumbent = -math.inf
    for score in scores:
        incumbent = max(incumbent, -math.inf if score is None else score)
        found.append(None if incumbent == -math.inf else best - incumbent)
    return found


QUESTIONS = (
    Question(
        "03.q1",
        _draw_batch,
        _loss,
        "the loss is what gradient descent makes small, so its sign is the opposite of the gain's. "
        "Each log-probability is weighted by its reward minus the baseline; then take the mean.",
    ),
    Question(
        "03.q2",
        _draw_rewards,
        _baselines,
        "the first baseline is the first reward. Then a share `decay` of the old one stays, and "
        "the new reward fills the rest: one entry for each step.",
    ),
    Question(
        "03.q3",
        _draw_search,
        _regrets,
        "regret belongs to the best score so far, the incumbent, and never rises. A failed trial "
        "leaves the incumbent as it is; before the first score there is none.",
    ),
)
