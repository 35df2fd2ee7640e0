"""What holds for all that learn step by step: one-shot, ENAS, DARTS and its variants."""

import math

import numpy as np
import pytest
import torch

from nas_lab import devices
from nas_lab.data import FashionMNIST
from nas_lab.estimation import LookupTable
from nas_lab.spaces import Skeleton, nasbench201
from nas_lab.strategies import Darts, Enas, LatencyAwareDarts, OneShot
from nas_lab.strategies import darts_variants as variants
from nas_lab.strategies.darts import SHORT

SPACE = nasbench201()
SKELETON = Skeleton(channels=4, cells=1, stages=1, stem_stride=2, resolution=8, in_channels=1)
DATA = FashionMNIST(8, 32, images=400)
ARCHS = [SPACE.sample(np.random.default_rng(seed)) for seed in range(120)]
SECONDS = devices.latencies(SPACE, ARCHS, SKELETON, "raspberry_pi_4")
TABLE = LookupTable.fit(SPACE, ARCHS, SECONDS, floor=SECONDS.min())


class FewSteps(Enas):
    weight_steps, controller_steps = 2, 1


KINDS = {
    "one-shot": (OneShot, {}),
    "ENAS": (FewSteps, {}),
    "first order": (Darts, {"schedule": SHORT}),
    "second order": (Darts, {"schedule": SHORT, "order": 2}),
    "joint": (variants.JointDarts, {"schedule": SHORT}),
    "Gumbel": (variants.GumbelDarts, {"schedule": SHORT}),
    "hard Gumbel": (variants.HardGumbelDarts, {"schedule": SHORT}),
    "auxiliary skip": (variants.AuxiliarySkipDarts, {"schedule": SHORT}),
    "edge weights": (variants.EdgeWeightDarts, {"schedule": SHORT}),
    "latency": (LatencyAwareDarts, {"schedule": SHORT, "table": TABLE}),
}
every_learner = pytest.mark.parametrize("name", KINDS)


def make(name, data=DATA, **options):
    kind, settings = KINDS[name]
    return kind(SPACE, SKELETON, data, **settings, **options)


def weights(learner):
    """All that it learns."""
    found = list(getattr(learner, "one_shot", learner).net.parameters())
    found += getattr(learner, "parameters", {}).values()
    if isinstance(learner, Enas):
        found += learner.controller.controller.parameters()
    return [weight.detach().clone() for weight in found]


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@every_learner
def test_a_seed_repeats_and_another_differs(name):
    state, numbers = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    one, same, other = (weights(make(name, seed=seed).fit(steps=2)) for seed in (3, 3, 4))
    assert equal(one, same)
    assert not equal(one, other)
    assert torch.equal(state, torch.get_rng_state()), "the global generators are not touched"
    assert (numbers == np.random.get_state()[1]).all()  # noqa: NPY002


@every_learner
def test_the_loop_can_be_left_and_entered_again_and_logs_each_step(name):
    learner, steps = make(name), []
    before = weights(learner)
    for step in learner.train(steps=4):
        steps.append(step)
        if step.number == 2:
            break
    assert learner.log == steps
    assert [step.progress for step in steps] == [0.25, 0.5]
    assert steps[-1].seconds == learner.seconds > steps[0].seconds > 0
    assert not equal(before, weights(learner))
    assert learner.fit(steps=2) is learner
    assert [step.number for step in learner.log] == [1, 2, 3, 4]
    assert learner.log[-1].progress == 1


def test_a_budget_of_seconds_ends_when_they_are_spent(monkeypatch):
    now = iter(np.arange(0, 1000, 0.5))  # a step takes half a second
    monkeypatch.setattr("time.thread_time", lambda: float(next(now)))
    learner = make("first order")
    assert [step.progress for step in learner.train(seconds=2)] == [0.25, 0.5, 0.75, 1]
    assert learner.seconds == 2


@every_learner
def test_an_interrupt_keeps_what_was_learnt(monkeypatch, name):
    expected, learner = make(name), make(name)
    for step in expected.train(steps=5):
        if step.number == 2:
            break
    step_of = type(learner).step

    def interrupted(self, used):
        if len(self.log) == 2:
            raise KeyboardInterrupt
        return step_of(self, used)

    monkeypatch.setattr(type(learner), "step", interrupted)
    assert learner.fit(steps=5) is learner
    assert len(learner.log) == 2
    assert equal(weights(learner), weights(expected))


@every_learner
def test_what_is_not_finite_raises_and_changes_nothing(name):
    learner = make(name).fit(steps=1)
    kept = weights(learner)
    net = getattr(learner, "one_shot", learner).net
    net.register_forward_hook(lambda net, given, logits: logits * math.nan)
    with pytest.raises(FloatingPointError, match=r"step \d.* lower"):
        learner.fit(steps=1)
    assert len(learner.log) == 1
    assert equal(weights(learner), kept)


@pytest.mark.parametrize(
    ("budget", "error", "message"),
    [
        ({}, TypeError, "either seconds or steps"),
        ({"seconds": 1, "steps": 1}, TypeError, "either seconds or steps"),
        ({"seconds": 0}, ValueError, "seconds must be a number above 0"),
        ({"seconds": math.inf}, ValueError, "seconds must be a number above 0"),
        ({"seconds": math.nan}, ValueError, "seconds must be a number above 0"),
    ],
)
def test_a_bad_budget_is_refused_at_the_call(budget, error, message):
    with pytest.raises(error, match=message):
        make("one-shot").train(**budget)


@every_learner
def test_bad_arguments_are_refused(name):
    with pytest.raises(ValueError, match="seed must be at least 0"):
        make(name, seed=-1)
    with pytest.raises(ValueError, match="resolution"):
        make(name, FashionMNIST(10, 32, images=400))
