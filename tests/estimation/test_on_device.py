"""Estimates that know their device, and searches with them."""

import pickle

import numpy as np
import pytest

from nas_lab import devices
from nas_lab.estimation import OnDevice
from nas_lab.history import Evaluation
from nas_lab.spaces import Skeleton, nasbench201
from nas_lab.strategies import RegularizedEvolution, search

SPACE = nasbench201()
SKELETON = Skeleton(channels=4, cells=2, stages=2, resolution=8, in_channels=1)


def convolutions(arch, seed):
    """A score that only more and larger convolutions raise."""
    return Evaluation(sum({2: 0.05, 3: 0.1}.get(token, 0) for token in arch), 3.0, {"seed": seed})


def test_it_says_what_the_device_says():
    estimate = OnDevice(convolutions, SPACE, SKELETON, "raspberry_pi_4")
    arch = (3, 2, 1, 0, 4, 3)
    found = estimate(arch, 7)
    where = (SPACE, arch, SKELETON, "raspberry_pi_4")
    assert found.score == found.metrics["accuracy"] == convolutions(arch, 7).score
    assert found.metrics["latency"] == devices.latency(*where)
    assert found.metrics["energy"] == devices.energy(*where)
    assert (found.cost, found.metrics["seed"]) == (3.0, 7)
    assert pickle.loads(pickle.dumps(estimate))(arch, 7) == found


def test_a_search_with_a_hard_constraint_ends_near_its_target():
    rng = np.random.default_rng(0)
    archs = [SPACE.sample(rng) for _ in range(200)]
    seconds = devices.latencies(SPACE, archs, SKELETON, "raspberry_pi_4")
    target = float(np.quantile(seconds, 0.25))
    free, bound = (
        OnDevice(convolutions, SPACE, SKELETON, "raspberry_pi_4", objective)
        for objective in (None, lambda accuracy, t: accuracy * min(1, target / t))
    )

    def best(estimate):
        strategy = RegularizedEvolution(SPACE, seed=0, population=20, sample=5)
        return max(search(strategy, estimate, 300), key=lambda t: t.result.score).result.metrics

    assert best(free)["latency"] > 1.5 * target
    assert best(bound)["latency"] <= 1.1 * target
    assert best(bound)["accuracy"] < best(free)["accuracy"]


def test_an_unknown_device_is_refused_at_once():
    with pytest.raises(ValueError, match="no device is called"):
        OnDevice(convolutions, SPACE, SKELETON, "toaster")
