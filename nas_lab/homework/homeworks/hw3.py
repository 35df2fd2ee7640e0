"""Homework 3, REINFORCE: a policy over architectures, its loss, its baseline and its step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nas_lab.homework.drivers import Plain, loss_and_gradient, with_tensors
from nas_lab.homework.question import as_floats, question

if TYPE_CHECKING:
    from torch import Tensor


def _logits(rng: np.random.Generator) -> np.ndarray:
    """Logits [D, K], never square, so that a wrong axis shows."""
    decisions = int(rng.integers(2, 5))
    options = int(rng.choice([k for k in (2, 3, 4, 5) if k != decisions]))
    return np.round(rng.normal(0, 1.5, size=(decisions, options)), 3)


def _arch(rng: np.random.Generator, shape: tuple[int, ...]) -> list[int]:
    return rng.integers(shape[1], size=shape[0]).tolist()


def _draw_arch(rng: np.random.Generator) -> list[Plain]:
    logits = _logits(rng)
    return [logits.tolist(), _arch(rng, logits.shape)]


def _log_softmax(logits: Tensor, dim: int = -1) -> Tensor:
    return logits - logits.logsumexp(dim, keepdim=True)


AXIS = "look at the axis of the softmax: the probabilities of one decision's options add up to 1."


@question(
    "hw3.q1",
    draw=_draw_arch,
    points=1,
    hint="each decision has a softmax of its own; decisions are independent, so the logarithms of "
    "their probabilities are added.",
    drive=with_tensors,
    mistakes={
        AXIS: lambda logits, arch: _log_probability(logits, arch, 0),
        "logits are not yet logarithms of probabilities. What is missing?": lambda logits, arch: (
            logits.gather(-1, arch[:, None]).sum()
        ),
        "that is the probability. Its logarithm is asked for.": lambda logits, arch: (
            _log_probability(logits, arch).exp()
        ),
        "a sum over decisions, not a mean.": lambda logits, arch: (
            _log_probability(logits, arch) / len(arch)
        ),
    },
)
def _log_probability(logits: Tensor, arch: Tensor, dim: int = -1) -> Tensor:
    return _log_softmax(logits, dim).gather(-1, arch[:, None]).sum()


def _draw_uniforms(rng: np.random.Generator) -> list[Plain]:
    logits = _logits(rng)
    return [logits.tolist(), np.round(rng.random(len(logits)), 4).tolist()]


def _probabilities(logits: Plain, axis: int = -1) -> np.ndarray:
    e = np.exp(np.asarray(logits))
    return e / e.sum(axis=axis, keepdims=True)


@question(
    "hw3.q2",
    draw=_draw_uniforms,
    points=2,
    hint="add up the probabilities of a decision from left to right; the first option at which the "
    "sum is larger than u is drawn.",
    mistakes={
        "the most probable option is not always drawn. What are the uniform numbers for?": (
            lambda logits, uniforms: np.argmax(logits, axis=1)
        ),
        AXIS: lambda logits, uniforms: _sample(logits, uniforms, axis=0),
        "options are counted from 0.": lambda logits, uniforms: np.minimum(
            np.asarray(_sample(logits, uniforms)) + 1, np.shape(logits)[1] - 1
        ),
        "that draws every option equally often. Where do the logits come in?": (
            lambda logits, uniforms: (np.asarray(uniforms) * np.shape(logits)[1]).astype(int)
        ),
    },
)
def _sample(logits: Plain, uniforms: Plain, axis: int = -1) -> list[int]:
    reached = _probabilities(logits, axis).cumsum(axis=-1)
    reached[:, -1] = 1
    return (reached <= np.asarray(uniforms)[:, None]).sum(axis=-1).tolist()


def _draw_rewards(rng: np.random.Generator) -> list[Plain]:
    rewards = np.round(rng.random(int(rng.integers(2, 9))), 3)
    return [rewards.tolist(), float(rng.choice([0.5, 0.8, 0.95]))]


def _advantages_after(rewards: list[float], decay: float) -> list[float]:
    baseline, found = rewards[0], []
    for reward in rewards:
        baseline = decay * baseline + (1 - decay) * reward
        found.append(reward - baseline)
    return found


BASELINE = "look at the baseline: is it subtracted from every reward?"


@question(
    "hw3.q3",
    draw=_draw_rewards,
    points=2,
    hint="for each reward: subtract the baseline as it was before, then move the baseline towards "
    "the reward.",
    normal=as_floats,
    mistakes={
        BASELINE: lambda rewards, decay: rewards,
        "look at the order: a reward is compared with the baseline before it is part of "
        "the baseline.": _advantages_after,
        "look at the decay: with a decay near 1 the baseline moves slowly.": (
            lambda rewards, decay: _advantages(rewards, 1 - decay)
        ),
        "the mean over all rewards knows the future. The baseline knows earlier rewards.": (
            lambda rewards, decay: [reward - float(np.mean(rewards)) for reward in rewards]
        ),
    },
)
def _advantages(rewards: list[float], decay: float) -> list[float]:
    baseline, found = rewards[0], []
    for reward in rewards:
        found.append(reward - baseline)
        baseline = decay * baseline + (1 - decay) * reward
    return found


def _draw_batch(rng: np.random.Generator) -> list[Plain]:
    logits = _logits(rng)
    n = int(rng.integers(2, 6))
    archs = [_arch(rng, logits.shape) for _ in range(n)]
    rewards = np.round(rng.random(n), 3).tolist()
    return [logits.tolist(), archs, rewards, round(float(rng.uniform(0.2, 0.8)), 3)]


def _terms(logits: Tensor, archs: Tensor, weights: Tensor, dim: int = -1) -> Tensor:
    """Weight times log-probability of each architecture."""
    import torch

    each = [w * _log_probability(logits, arch, dim) for arch, w in zip(archs, weights, strict=True)]
    return torch.stack(each)


@question(
    "hw3.q4",
    draw=_draw_batch,
    points=3,
    hint="the mean over architectures of (reward - baseline) times the log-probability, with a "
    "sign that makes descent go uphill in reward.",
    drive=loss_and_gradient,
    mistakes={
        BASELINE: lambda logits, archs, rewards, baseline: -_terms(logits, archs, rewards).mean(),
        "look at the sign: an optimiser makes the loss smaller, and the reward is to grow.": (
            lambda logits, archs, rewards, baseline: -_policy_loss(logits, archs, rewards, baseline)
        ),
        AXIS: lambda logits, archs, rewards, baseline: (
            -_terms(logits, archs, rewards - baseline, 0).mean()
        ),
        "a mean over the batch, not a sum.": lambda logits, archs, rewards, baseline: (
            -_terms(logits, archs, rewards - baseline).sum()
        ),
        "the decisions of one architecture are added up; the mean is over the batch only.": (
            lambda logits, archs, rewards, baseline: (
                -_terms(logits, archs, rewards - baseline).mean() / len(logits)
            )
        ),
    },
)
def _policy_loss(logits: Tensor, archs: Tensor, rewards: Tensor, baseline: float) -> Tensor:
    return -_terms(logits, archs, rewards - baseline).mean()


def _draw_logits(rng: np.random.Generator) -> list[Plain]:
    return [_logits(rng).tolist()]


def _entropies(logits: Plain, axis: int = -1) -> np.ndarray:
    p = _probabilities(logits, axis)
    return -(p * np.log(p)).sum(axis=axis)


@question(
    "hw3.q5",
    draw=_draw_logits,
    points=2,
    hint="each decision has an entropy, the mean of -log p under p. Add them up.",
    normal=as_floats,
    mistakes={
        AXIS: lambda logits: float(_entropies(logits, 0).sum()),
        "look at the logarithm: nats, not bits.": lambda logits: float(
            _entropies(logits).sum() / np.log(2)
        ),
        "decisions are independent: their entropies add up.": lambda logits: float(
            _entropies(logits).mean()
        ),
        "look at the sign: an entropy is never below zero.": lambda logits: (
            -float(_entropies(logits).sum())
        ),
    },
)
def _entropy(logits: Plain) -> float:
    return float(_entropies(logits).sum())


def _draw_step(rng: np.random.Generator) -> list[Plain]:
    logits, archs, rewards, baseline = _draw_batch(rng)
    return [logits, archs, rewards, baseline, float(rng.choice([0.1, 0.5, 1.0]))]


def _step_without_probabilities(
    logits: Plain, archs: Plain, rewards: Plain, baseline: float, rate: float
) -> Any:
    one_hot = np.eye(np.shape(logits)[1])[np.asarray(archs)]
    advantages = np.asarray(rewards) - baseline
    return np.asarray(logits) + rate * (advantages[:, None, None] * one_hot).mean(axis=0)


@question(
    "hw3.q6",
    draw=_draw_step,
    points=3,
    hint="the gradient of the log-probability with respect to the logits of one decision is its "
    "one-hot form minus its probabilities.",
    normal=as_floats,
    mistakes={
        BASELINE: lambda logits, archs, rewards, baseline, rate: _ascent_step(
            logits, archs, rewards, 0.0, rate
        ),
        "look at the sign: this is a step uphill.": lambda logits, archs, rewards, baseline, rate: (
            _ascent_step(logits, archs, rewards, baseline, -rate)
        ),
        AXIS: lambda logits, archs, rewards, baseline, rate: _ascent_step(
            logits, archs, rewards, baseline, rate, axis=0
        ),
        "look at the softmax: raising one logit lowers the probability of the others, so "
        "their gradient is not zero.": _step_without_probabilities,
        "a mean over the batch, not a sum.": lambda logits, archs, rewards, baseline, rate: (
            _ascent_step(logits, archs, rewards, baseline, rate * len(archs))
        ),
    },
)
def _ascent_step(
    logits: Plain, archs: Plain, rewards: Plain, baseline: float, rate: float, axis: int = -1
) -> list[list[float]]:
    p = _probabilities(logits, axis)
    one_hot = np.eye(p.shape[1])[np.asarray(archs)]  # [B, D, K]
    advantages = np.asarray(rewards) - baseline
    gradient = (advantages[:, None, None] * (one_hot - p)).mean(axis=0)
    return (np.asarray(logits) + rate * gradient).tolist()
