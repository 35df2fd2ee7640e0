"""Homework 3, REINFORCE: a policy over architectures, its loss, its baseline and its step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import entr, softmax

from nas_lab.homework.drivers import Plain, loss_and_gradient, with_tensors, without_autograd
from nas_lab.homework.question import as_floats, hints, question

if TYPE_CHECKING:
    from torch import Tensor

AXIS = "look at the axis of the softmax: the probabilities of one decision's options add up to 1."
BASELINE = "look at the baseline: is it subtracted from every reward?"


def _logits(rng: np.random.Generator) -> np.ndarray:
    """Logits [D, K], never square, so that a wrong axis shows."""
    decisions = rng.integers(2, 5)
    options = rng.choice([k for k in (2, 3, 4, 5) if k != decisions])
    return np.round(rng.normal(0, 1.5, size=(decisions, options)), 3)


def _draw_arch(rng: np.random.Generator) -> list[Plain]:
    logits = _logits(rng)
    return [logits, rng.integers(logits.shape[1], size=len(logits))]


@question("hw3.q1", _draw_arch, points=1, drive=with_tensors)
@hints(
    "decisions are independent, each with its own softmax: add the logarithms of probabilities.",
    lambda logits, arch: _log_probability(logits, arch, dim=0),
    AXIS,
    lambda logits, arch: logits.gather(-1, arch[:, None]).sum(),
    "logits are not yet logarithms of probabilities. What is missing?",
    lambda logits, arch: _log_probability(logits, arch).exp(),
    "that is the probability. Its logarithm is asked for.",
    lambda logits, arch: _log_probability(logits, arch) / len(arch),
    "a sum over decisions, not a mean.",
)
def _log_probability(logits: Tensor, archs: Tensor, dim: int = -1) -> Tensor:
    """Of one architecture [D], or of each of several [N, D]."""
    return logits.log_softmax(dim)[list(range(len(logits))), archs].sum(dim=-1)


def _draw_uniforms(rng: np.random.Generator) -> list[Plain]:
    logits = _logits(rng)
    return [logits, np.round(rng.random(len(logits)), 4)]


@question("hw3.q2", _draw_uniforms, points=2)
@hints(
    "add up probabilities from left to right; the first option whose sum exceeds u is drawn.",
    lambda logits, uniforms: np.argmax(logits, axis=1),
    "the most probable option is not always drawn. What are the uniform numbers for?",
    lambda logits, uniforms: _sample(logits, uniforms, axis=0),
    AXIS,
    lambda logits, uniforms: np.minimum(_sample(logits, uniforms) + 1, len(logits[0]) - 1),
    "options are counted from 0.",
    lambda logits, uniforms: np.multiply(uniforms, len(logits[0])).astype(int),
    "that draws every option equally often. Where do the logits come in?",
)
def _sample(logits: Plain, uniforms: Plain, axis: int = -1) -> np.ndarray:
    reached = softmax(logits, axis=axis).cumsum(axis=-1)
    reached[:, -1] = 1
    return (reached <= np.array(uniforms)[:, None]).sum(axis=-1)


def _draw_rewards(rng: np.random.Generator) -> list[Plain]:
    rewards = np.round(rng.random(rng.integers(2, 9)), 3)
    return [rewards, rng.choice([0.5, 0.8, 0.95])]


@question("hw3.q3", _draw_rewards, points=2, normal=as_floats)
@hints(
    "subtract the baseline as it was before a reward, then move the baseline towards the reward.",
    lambda rewards, decay: rewards,
    BASELINE,
    lambda rewards, decay: np.multiply(_advantages(rewards, decay), decay),
    "look at the order: a reward is compared with the baseline before it is part of the baseline.",
    lambda rewards, decay: _advantages(rewards, 1 - decay),
    "look at the decay: with a decay near 1 the baseline moves slowly.",
    lambda rewards, decay: rewards - np.mean(rewards),
    "the mean over all rewards knows the future. The baseline knows earlier rewards.",
)
def _advantages(rewards: list[float], decay: float) -> list[float]:
    baseline, found = rewards[0], []
    for reward in rewards:
        found.append(reward - baseline)
        baseline = decay * baseline + (1 - decay) * reward
    return found


def _draw_batch(rng: np.random.Generator) -> list[Plain]:
    logits = _logits(rng)
    n = rng.integers(2, 6)
    archs = [rng.integers(logits.shape[1], size=len(logits)) for _ in range(n)]
    return [logits, archs, np.round(rng.random(n), 3), round(rng.uniform(0.2, 0.8), 3)]


@question("hw3.q4", _draw_batch, points=3, drive=loss_and_gradient)
@hints(
    "the mean over architectures of (reward - baseline) times the log-probability, with a sign "
    "that makes descent go uphill in reward.",
    lambda logits, archs, rewards, baseline: _policy_loss(logits, archs, rewards, 0),
    BASELINE,
    lambda *given: -_policy_loss(*given),
    "look at the sign: an optimiser makes the loss smaller, and the reward is to grow.",
    lambda *given: _policy_loss(*given, dim=0),
    AXIS,
    lambda logits, archs, *given: _policy_loss(logits, archs, *given) * len(archs),
    "a mean over the batch, not a sum.",
    lambda logits, *given: _policy_loss(logits, *given) / len(logits),
    "the decisions of one architecture are added up; the mean is over the batch only.",
)
def _policy_loss(
    logits: Tensor, archs: Tensor, rewards: Tensor, baseline: float, dim: int = -1
) -> Tensor:
    return -((rewards - baseline) * _log_probability(logits, archs, dim)).mean()


@question("hw3.q5", lambda rng: [_logits(rng)], points=2, normal=as_floats)
@hints(
    "each decision has an entropy, the mean of -log p under p. Add them up.",
    lambda logits: _entropy(logits, axis=0),
    AXIS,
    lambda logits: _entropy(logits) / np.log(2),
    "look at the logarithm: nats, not bits.",
    lambda logits: _entropy(logits) / len(logits),
    "decisions are independent: their entropies add up.",
    lambda logits: -_entropy(logits),
    "look at the sign: an entropy is never below zero.",
)
def _entropy(logits: Plain, axis: int = -1) -> float:
    return entr(softmax(logits, axis=axis)).sum()


@question(
    "hw3.q6",
    lambda rng: [*_draw_batch(rng), rng.choice([0.1, 0.5, 1.0])],
    points=3,
    drive=without_autograd,
    normal=as_floats,
)
@hints(
    "the gradient of log p in a decision's logits is its one-hot form minus its probabilities.",
    lambda logits, archs, rewards, baseline, rate: _ascent_step(logits, archs, rewards, 0.0, rate),
    BASELINE,
    lambda *given: 2 * np.array(given[0]) - _ascent_step(*given),
    "look at the sign: this is a step uphill.",
    lambda logits, *given: _ascent_step(logits, *given, softmax(logits, axis=0)),
    AXIS,
    lambda *given: _ascent_step(*given, np.zeros(())),
    "look at the softmax: raising one logit lowers the probability of the others, so their "
    "gradient is not zero.",
    lambda logits, archs, *given: _ascent_step(logits, archs, *given[:2], given[2] * len(archs)),
    "a mean over the batch, not a sum.",
    lambda logits, *_: logits,
    "nothing moved. Where autograd is switched off, torch.autograd.functional gives zeros: write "
    "the gradient down.",
)
def _ascent_step(
    logits: Plain, archs: Plain, rewards: Plain, baseline: float, rate: float, p: Plain = None
) -> np.ndarray:
    p = softmax(logits, axis=-1) if p is None else p
    one_hot = np.eye(len(logits[0]))[np.array(archs)]  # [B, D, K]
    advantages = np.subtract(rewards, baseline)[:, None, None]
    return logits + rate * (advantages * (one_hot - p)).mean(axis=0)
