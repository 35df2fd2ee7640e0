"""Homework 3: right answers written differently earn all points."""

import math

import numpy as np
import torch
from scipy.special import log_softmax, softmax
from scipy.stats import entropy

from tests.homework.variants import right


def sample_by_loop(logits, uniforms):
    arch = []
    for row, u in zip(logits, uniforms, strict=True):
        total, reached = sum(map(math.exp, row)), 0.0
        for option, logit in enumerate(row):
            reached += math.exp(logit) / total
            if reached > u or option == len(row) - 1:
                arch.append(option)
                break
    return tuple(arch)


def sample_by_torch(logits, uniforms):
    reached = torch.tensor(logits).double().softmax(1).cumsum(1)
    u = torch.tensor(uniforms).double()[:, None]
    return torch.searchsorted(reached, u, right=True).squeeze(1).clamp(max=len(logits[0]) - 1)


def advantages_by_weights(rewards, decay):
    """The moving mean written out as a weighted sum."""
    found = [0.0]
    for t in range(1, len(rewards)):
        weights = [decay ** (t - 1)] + [(1 - decay) * decay ** (t - 1 - i) for i in range(1, t)]
        found.append(rewards[t] - sum(w * r for w, r in zip(weights, rewards, strict=False)))
    return found


def advantages_by_differences(rewards, decay):
    """a(t + 1) = decay * a(t) + the change of the reward."""
    found = [0]
    for change in np.diff(rewards):
        found.append(decay * found[-1] + change)
    return np.array(found)


def loss_by_cross_entropy(logits, archs, rewards, baseline):
    each = torch.nn.functional.cross_entropy(
        logits.T.expand(len(archs), -1, -1), archs, reduction="none"
    )
    return (each.sum(dim=1) * (rewards - baseline)).mean()


def loss_by_distribution(logits, archs, rewards, baseline):
    log_p = torch.distributions.Categorical(logits=logits).log_prob(archs).sum(-1)
    return -torch.dot(rewards - baseline, log_p).reshape(1) / len(archs)


def step_by_autograd(logits, archs, rewards, baseline, rate):
    theta = torch.tensor(logits).double().requires_grad_()
    loss = loss_by_distribution(
        theta, torch.tensor(archs), torch.tensor(rewards).double(), baseline
    )
    loss.backward()
    return (theta - rate * theta.grad).detach()


def step_by_differences(logits, archs, rewards, baseline, rate):
    theta, h = np.array(logits), 1e-5

    def objective(theta):
        log_p = log_softmax(theta, axis=1)
        each = [log_p[np.arange(len(arch)), arch].sum() for arch in archs]
        return np.mean((np.array(rewards) - baseline) * each)

    gradient = np.zeros_like(theta)
    for place in np.ndindex(theta.shape):
        moved = np.zeros_like(theta)
        moved[place] = h
        gradient[place] = (objective(theta + moved) - objective(theta - moved)) / (2 * h)
    return theta + rate * gradient


VARIANTS = {
    "hw3.q1": [
        lambda logits, arch: torch.distributions.Categorical(logits=logits).log_prob(arch).sum(),
        lambda logits, arch: float(log_softmax(logits.numpy(), 1)[range(len(arch)), arch].sum()),
        lambda logits, arch: -torch.nn.functional.cross_entropy(logits, arch, reduction="sum"),
    ],
    "hw3.q2": [sample_by_loop, sample_by_torch],
    "hw3.q3": [
        advantages_by_weights,
        advantages_by_differences,
        lambda rewards, decay: torch.tensor(advantages_by_weights(rewards, decay)).double(),
    ],
    "hw3.q4": [loss_by_cross_entropy, loss_by_distribution],
    "hw3.q5": [
        lambda logits: entropy(softmax(logits, axis=1), axis=1).sum(),
        lambda logits: (
            torch.distributions.Categorical(logits=torch.tensor(logits).double()).entropy().sum()
        ),
    ],
    "hw3.q6": [step_by_autograd, step_by_differences],
}

test_right_answers_written_differently_are_right = right(VARIANTS)
