"""REINFORCE estimates the policy gradient: checked against autograd over all architectures."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from nas_lab.history import Evaluation, Trial
from nas_lab.spaces import mlp, nasbench201
from nas_lab.strategies import FactorisedController, Reinforce
from tests.spaces.families import SMALL
from tests.strategies.test_controllers import (
    EXCLUDING,
    every_controller,
    opinionated,
    probabilities,
)

SPACES = {"excluding": EXCLUDING, "mlp": SMALL["mlp"]}
every_small = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES.keys())


def strategy(space, make, **arguments):
    """REINFORCE with a controller that has learnt something already."""
    return Reinforce(space, controller=partial(opinionated, make), **arguments)


def scores_of(space):
    """Rewards that differ, far from 0, as accuracies are."""
    return (0.5 + 0.4 * np.random.default_rng(5).random(space.size)).tolist()


def flat_gradient(loss, weights):
    """One vector, float64; zeros for weights that the loss does not depend on."""
    parts = torch.autograd.grad(loss, list(weights), allow_unused=True, materialize_grads=True)
    return torch.cat([part.flatten() for part in parts]).double().numpy()


def estimate(learner, archs, scores):
    """The estimate of the gradient of J that a batch gives, [parameters]."""
    return -flat_gradient(learner.loss(archs, scores)[0], learner.controller.parameters())


def exact_gradient(learner, scores):
    """Of J = sum_a p(a) (score(a) - weight log p(a)), by autograd through the enumeration."""
    log_p = learner.controller.log_prob(list(learner.space))
    j = (log_p.exp() * (torch.tensor(scores) - learner.entropy * log_p)).sum()
    return flat_gradient(j, learner.controller.parameters())


def of_every_arch(learner, scores):
    """Estimates from batches of one, [size, parameters], and the probability of each."""
    pairs = zip(learner.space, scores, strict=True)
    single = [estimate(learner, [arch], [score]) for arch, score in pairs]
    return np.array(single), probabilities(learner.controller)


@every_small
@every_controller
@pytest.mark.parametrize("weight", [0.0, 0.3], ids=["no entropy", "entropy"])
def test_the_estimate_is_unbiased_whatever_the_baseline(space, make, weight):
    """Its expectation, summed over all architectures, is the exact gradient."""
    learner, scores = strategy(space, make, entropy=weight), scores_of(space)
    exact = exact_gradient(learner, scores)
    assert np.abs(exact).max() > 1e-3
    for baseline in (0.0, 0.7, 5.0):
        learner.baseline = baseline
        single, p = of_every_arch(learner, scores)
        np.testing.assert_allclose(p @ single, exact, atol=2e-5 * max(1, baseline))


@every_small
@every_controller
def test_a_baseline_lowers_the_variance(space, make):
    learner, scores = strategy(space, make, entropy=0.0), scores_of(space)

    def variance(baseline):
        learner.baseline = baseline
        single, p = of_every_arch(learner, scores)
        return p @ (single**2).sum(axis=1) - ((p @ single) ** 2).sum()

    mean = probabilities(learner.controller) @ scores
    assert variance(mean) < 0.2 * variance(0.0)


def test_rewards_and_baseline_worked_by_hand():
    """One decision of three options, all equally likely: entropy log 3, R = score + 0.5 log 3."""
    space = mlp(layers=(1, 2, 3), hidden=(8,))
    learner = Reinforce(space, controller=FactorisedController, entropy=0.5, batch=2)
    learner.baseline_decay = 0.75
    bonus = 0.5 * math.log(3)
    tell(learner, [(0, 0, 0, 0), (2, 0, 0, 0)], [0.2, 0.6])
    assert learner.baseline == pytest.approx(0.4 + bonus)
    with torch.no_grad():
        learner.controller.logits.zero_()
    tell(learner, [(1, 0, 0, 0), (1, 0, 0, 0)], [0.8, 0.8])
    assert learner.baseline == pytest.approx(0.75 * 0.4 + 0.25 * 0.8 + bonus)
    # d/dlogits of log p(1) is (-1/3, 2/3, -1/3); that of the entropy is 0 at equal probabilities.
    advantage = 0.8 - 0.4
    gradient = learner.controller.logits.grad[0].tolist()
    assert gradient == pytest.approx([advantage / 3, -2 * advantage / 3, advantage / 3], rel=1e-5)


# ---- learning --------------------------------------------------------------------------------


def tell(learner, archs, scores):
    pairs = enumerate(zip(archs, scores, strict=True))
    learner.tell([Trial(id, arch, Evaluation(score)) for id, (arch, score) in pairs])


def run(learner, asks, n, score):
    """Ask and tell; returns all that was proposed."""
    proposed = []
    for _ in range(asks):
        archs = learner.ask(n)
        tell(learner, archs, [score(arch) for arch in archs])
        proposed += archs
    return proposed


def weights(learner):
    return {name: value.clone() for name, value in learner.controller.state_dict().items()}


def equal(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    "arguments",
    [{"learning_rate": 0.02}, {"controller": FactorisedController, "learning_rate": 0.2}],
    ids=["lstm", "factorised"],
)
def test_it_learns_what_pays(arguments):
    learner = Reinforce(nasbench201(), seed=0, batch=5, entropy=0.001, **arguments)
    proposed = run(learner, 80, n=5, score=lambda arch: sum(arch) / 24)
    late = np.mean([sum(arch) for arch in proposed[-100:]])
    assert late > 18, "4 for each of 6 tokens is the best, 12 the mean of chance"
    assert learner.w[:, 4].mean() > 0.5


def test_a_step_is_done_when_a_batch_is_told():
    learner = Reinforce(nasbench201(), controller=FactorisedController, batch=4)
    archs = learner.ask(9)
    for told, expected in ((archs[:3], 0), (archs[3:4], 1), (archs[4:5], 1), (archs[5:9], 2)):
        tell(learner, told, [sum(arch) for arch in told])
        done = [int(state["step"]) for state in learner.optimiser.state.values()]
        assert max(done, default=0) == expected


@every_controller
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_failed_trials_teach_nothing(make, bad):
    """A batch with failures is the batch without them; a batch of failures changes nothing."""
    with_failures = Reinforce(nasbench201(), controller=make, batch=4)
    without = Reinforce(nasbench201(), controller=make, batch=2)
    archs = with_failures.ask(4)
    for _ in range(3):
        tell(with_failures, archs, [0.3, bad, 0.9, bad])
        tell(without, [archs[0], archs[2]], [0.3, 0.9])
    before = weights(with_failures)
    assert equal(before, weights(without))
    assert with_failures.baseline == without.baseline
    tell(with_failures, archs, [bad] * 4)
    assert equal(before, weights(with_failures))
    assert math.isfinite(with_failures.baseline)


def test_a_trial_of_another_space_is_refused_before_it_is_learnt():
    with pytest.raises(ValueError, match="excluded by the tokens before it"):
        tell(Reinforce(EXCLUDING, batch=1), [(1, 1, 1, 0)], [0.5])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"learning_rate": -0.1}, ValueError, "learning_rate must be a number in"),
        ({"entropy": -1.0}, ValueError, "entropy must be a number in"),
        ({"controller": "lstm"}, TypeError, "controller"),
        ({"controller": FactorisedController(nasbench201())}, TypeError, "controller"),
    ],
)
def test_bad_hyperparameters_are_explained(arguments, error, message):
    with pytest.raises(error, match=message):
        Reinforce(nasbench201(), **arguments)
