"""Controllers are distributions: checked against the enumeration of small spaces."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy import special, stats

from nas_lab import runtime
from nas_lab.spaces import Decision, Space, darts
from nas_lab.strategies import FactorisedController, LSTMController
from nas_lab.strategies.reinforce import chosen, entropy
from tests.spaces.families import FAMILIES, SMALL


@dataclass(frozen=True)
class TwoOfFour(Space):
    """Four decisions, of which exactly two are not 0: earlier tokens exclude later ones."""

    size = 24  # two places of four, two options for each

    def allowed(self, prefix):
        used, left = sum(token > 0 for token in prefix), 3 - len(prefix)
        return [*range(used + left >= 2), *(range(1, 3) if used < 2 else ())]


EXCLUDING = TwoOfFour("two of four", tuple(Decision(f"d{i}", (0, 1, 2)) for i in range(4)))
SPACES = {"excluding": EXCLUDING, "mlp": SMALL["mlp"], "rnn": SMALL["rnn"]}


class SmallController(LSTMController):
    hidden = 6


CONTROLLERS = {"lstm": SmallController, "factorised": FactorisedController}
every_small = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES.keys())
every_family = pytest.mark.parametrize("space", FAMILIES.values(), ids=FAMILIES.keys())
every_controller = pytest.mark.parametrize("make", CONTROLLERS.values(), ids=CONTROLLERS.keys())


def disturbed(controller, seed=0):
    """Its weights far from those of equal probabilities."""
    generator = runtime.generator(seed, 1)
    with torch.no_grad():
        for weight in controller.parameters():
            weight += torch.randn(weight.shape, generator=generator)
    return controller


def opinionated(make, space, seed=0):
    return disturbed(make(space, seed=seed), seed)


def probabilities(controller):
    with torch.no_grad():
        return controller.log_prob(list(controller.space)).exp().double().numpy()


def assert_drawn_with(p, drawn):
    """A chi-squared test: how often each was drawn, given by its index, against probabilities."""
    expected, counts = len(drawn) * p, np.bincount(drawn, minlength=len(p))
    rare = expected < 5  # the approximation wants more: count them as one
    pooled = [np.append(x[~rare], x[rare].sum()) for x in (counts, expected)]
    pooled[1] *= pooled[0].sum() / pooled[1].sum()
    assert (~rare).sum() > 5
    assert stats.chisquare(*(x[pooled[1] > 0] for x in pooled)).pvalue > 1e-3


@every_small
@every_controller
def test_it_is_a_distribution_with_the_entropy_of_its_decisions(space, make):
    controller = opinionated(make, space)
    p = probabilities(controller)
    assert p.sum() == pytest.approx(1, abs=1e-5)
    assert p.max() > 3 * p.min()
    with torch.no_grad():
        of_each = entropy(controller(list(space))).numpy()
    assert p @ of_each == pytest.approx(stats.entropy(p), rel=1e-4)


@every_small
@every_controller
def test_samples_follow_the_probabilities(space, make):
    controller = opinionated(make, space)
    index = {arch: i for i, arch in enumerate(space)}
    drawn = [index[arch] for arch in controller.sample(20_000, np.random.default_rng(7))]
    assert_drawn_with(probabilities(controller), drawn)


@every_family
@every_controller
def test_a_new_controller_gives_all_allowed_options_the_same_probability(space, make):
    arch = space.sample(np.random.default_rng(1))
    counts = [len(list(space.allowed(arch[:d]))) for d in range(len(arch))]
    with torch.no_grad():
        p = make(space, seed=3)([arch]).exp()[0].numpy()
    for row, count in zip(p, counts, strict=True):
        assert sorted(row[row > 0]) == pytest.approx([1 / count] * count)
    w = opinionated(make, space).w
    assert (w.shape, w.dtype) == (space.mask.shape, np.float32)
    np.testing.assert_allclose(w.sum(axis=1), 1, rtol=1e-5)
    assert not w[~space.mask].any()


@every_controller
def test_what_is_excluded_has_no_probability_and_finite_gradients(make):
    with torch.no_grad():
        p = make(EXCLUDING, seed=0).log_prob([(0, 0, 1, 1), (1, 1, 1, 0)]).exp()
    assert p.tolist()[1] == 0
    controller = opinionated(make, darts())
    archs = controller.sample(3, np.random.default_rng(0))
    log_p = controller(archs)
    (chosen(log_p, archs) + entropy(log_p)).sum().backward()
    assert all(torch.isfinite(weight.grad).all() for weight in controller.parameters())
    assert any(weight.grad.any() for weight in controller.parameters())


@every_small
def test_w_of_the_lstm_is_its_marginal_distribution(space):
    controller = opinionated(CONTROLLERS["lstm"], space)
    exact = np.tensordot(probabilities(controller), [space.one_hot(arch) for arch in space], 1)
    np.testing.assert_allclose(controller.w, exact, atol=4 * 0.016)
    np.testing.assert_array_equal(controller.w, controller.w)


def test_w_of_the_factorised_controller_is_its_softmax():
    controller = opinionated(FactorisedController, SMALL["rnn"])
    logits = np.where(SMALL["rnn"].mask, controller.logits.detach().numpy(), -np.inf)
    np.testing.assert_allclose(controller.w, special.softmax(logits, axis=1), rtol=1e-5)
