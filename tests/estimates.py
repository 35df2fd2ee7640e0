"""Estimates that are quick, picklable and depend on nothing but their arguments."""

import os
import time

import numpy as np

from nas_lab.history import Evaluation


def by_tokens(arch, seed):
    """A score that differs between architectures, with metrics."""
    score = float(np.random.default_rng([seed, *arch]).random())
    return Evaluation(score, cost=sum(arch) + 0.5, metrics={"macs": 10 + arch[0]})


def slowly(arch, seed):
    """The same, slow enough to be killed in the middle."""
    time.sleep(0.02)
    return by_tokens(arch, seed)


def in_odd_order(arch, seed):
    """The same; how long it takes says nothing of when it was asked for."""
    time.sleep(0.01 * (sum(arch) % 3))
    return by_tokens(arch, seed)


def dying(arch, seed):
    """A worker that evaluates the cell of zeros in its first edge is killed."""
    if arch[0] == 0:
        os._exit(1)
    return by_tokens(arch, seed)


def failing(arch, seed):
    """An estimate with a mistake in it."""
    if arch[0] == 0:
        raise ZeroDivisionError("a mistake in the estimate")
    return by_tokens(arch, seed)
