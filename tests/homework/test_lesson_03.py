"""Right answers to the exercises on REINFORCE pass, usual mistakes do not."""

import numpy as np
import pytest
import torch
from scipy import signal

from nas_lab.homework import check
from nas_lab.homework.lessons import QUESTIONS


def test_right_answers_written_differently_pass():
    def loss(log_p, rewards, baseline):
        """By autograd: the loss is linear in the log-probabilities."""
        log_p = torch.tensor(log_p, dtype=torch.float64, requires_grad=True)
        gain = torch.dot(torch.tensor(rewards, dtype=torch.float64) - baseline, log_p)
        (slope,) = torch.autograd.grad(-gain / len(log_p), log_p)
        return (slope @ log_p).item()

    def baselines(rewards, decay):
        found, _ = signal.lfilter([1 - decay], [1, -decay], rewards, zi=[decay * rewards[0]])
        return found.tolist()

    def regrets(scores, best):
        numbers = np.array([np.nan if s is None else s for s in scores])
        left = best - np.fmax.accumulate(numbers)
        return [None if np.isnan(r) else float(r) for r in left]

    assert check("03.q1", loss)
    assert check("03.q2", baselines)
    assert check("03.q3", regrets)


def mean_without_sign(log_p, rewards, baseline):
    return float(np.mean((np.array(rewards) - baseline) * log_p))


def sum_of_gains(log_p, rewards, baseline):
    return float(-np.sum((np.array(rewards) - baseline) * log_p))


def no_baseline(log_p, rewards, baseline):
    return float(-np.mean(np.array(rewards) * log_p))


def plain_means(rewards, decay):
    return (np.cumsum(rewards) / np.arange(1, len(rewards) + 1)).tolist()


def from_zero(rewards, decay):
    found, b = [], 0.0
    for reward in rewards:
        b = decay * b + (1 - decay) * reward
        found.append(b)
    return found


def shares_swapped(rewards, decay):
    return QUESTIONS["03.q2"].reference(rewards, 1 - decay)


def of_each_trial(scores, best):
    return [None if s is None else best - s for s in scores]


def failure_is_zero(scores, best):
    left = best - np.maximum.accumulate([0.0 if s is None else s for s in scores])
    return left.tolist()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("03.q1", mean_without_sign),
        ("03.q1", sum_of_gains),
        ("03.q1", no_baseline),
        ("03.q2", plain_means),
        ("03.q2", from_zero),
        ("03.q2", shares_swapped),
        ("03.q3", of_each_trial),
        ("03.q3", failure_is_zero),
    ],
)
def test_usual_mistakes_are_told_apart(name, wrong):
    report = check(name, wrong)
    assert not report
    assert report.passed > 0 or report.answered
