"""Controllers are distributions: checked against the enumeration of small spaces."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy import special, stats

from nas_lab import runtime
from nas_lab.spaces import Decision, Space, darts, nasbench201
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


def opinionated(make, space, seed=0):
    """A controller with weights far from equal probabilities."""
    controller = make(space, seed=seed)
    generator = runtime.generator(seed, 1)
    with torch.no_grad():
        for weight in controller.parameters():
            weight += torch.randn(weight.shape, generator=generator)
    return controller


def probabilities(controller):
    with torch.no_grad():
        return controller.log_prob(list(controller.space)).exp().double().numpy()


@every_small
@every_controller
def test_probabilities_sum_to_one_and_are_not_equal(space, make):
    p = probabilities(opinionated(make, space))
    assert p.sum() == pytest.approx(1, abs=1e-5)
    assert p.max() > 3 * p.min()


@every_small
@every_controller
def test_samples_follow_the_probabilities(space, make):
    controller = opinionated(make, space)
    index = {arch: i for i, arch in enumerate(space)}
    drawn = [index[arch] for arch in controller.sample(20_000, np.random.default_rng(7))]
    expected = 20_000 * probabilities(controller)
    rare = expected < 5  # the chi-square approximation wants more: count them as one
    counts = np.bincount(drawn, minlength=len(expected))
    pooled = [np.append(x[~rare], x[rare].sum()) for x in (counts, expected)]
    pooled[1] *= pooled[0].sum() / pooled[1].sum()
    assert (~rare).sum() > 5
    assert stats.chisquare(*(x[pooled[1] > 0] for x in pooled)).pvalue > 1e-3


@every_small
@every_controller
def test_each_step_is_what_a_prefix_makes_of_it(space, make):
    """p(token | prefix) by summing the probabilities of all completions."""
    controller = opinionated(make, space)
    archs, p = list(space), probabilities(controller)
    with torch.no_grad():
        conditional = controller(archs).exp().numpy()
    for d in range(len(space.decisions)):
        for row, arch in enumerate(archs):
            same = np.array([other[:d] == arch[:d] for other in archs])
            longer = np.array([other[: d + 1] == arch[: d + 1] for other in archs])
            expected = p[longer].sum() / p[same].sum()
            assert conditional[row, d, arch[d]] == pytest.approx(expected, abs=1e-4)


@every_small
@every_controller
def test_the_mean_entropy_of_the_decisions_is_the_entropy(space, make):
    controller = opinionated(make, space)
    p = probabilities(controller)
    with torch.no_grad():
        of_each = entropy(controller(list(space))).numpy()
    assert p @ of_each == pytest.approx(stats.entropy(p), rel=1e-4)


@every_family
@every_controller
def test_a_new_controller_gives_all_allowed_options_the_same_probability(space, make):
    arch = space.sample(np.random.default_rng(1))
    counts = [len(list(space.allowed(arch[:d]))) for d in range(len(arch))]
    with torch.no_grad():
        p = make(space, seed=3)([arch]).exp()[0].numpy()
    for row, count in zip(p, counts, strict=True):
        assert sorted(row[row > 0]) == pytest.approx([1 / count] * count)


@every_controller
def test_architectures_of_other_spaces_have_no_probability(make):
    controller = make(EXCLUDING, seed=0)
    with torch.no_grad():
        assert controller.log_prob([(0, 0, 1, 1), (1, 1, 1, 0)]).exp().tolist()[1] == 0


@every_controller
def test_gradients_are_finite_where_options_are_excluded(make):
    controller = opinionated(make, darts())
    archs = controller.sample(3, np.random.default_rng(0))
    log_p = controller(archs)
    (chosen(log_p, archs) + entropy(log_p)).sum().backward()
    assert all(torch.isfinite(weight.grad).all() for weight in controller.parameters())
    assert any(weight.grad.any() for weight in controller.parameters())


@every_small
def test_w_of_the_lstm_is_its_marginal_distribution(space):
    controller = opinionated(CONTROLLERS["lstm"], space)
    archs, p = list(space), probabilities(controller)
    exact = sum(p_arch * space.one_hot(arch) for p_arch, arch in zip(p, archs, strict=True))
    np.testing.assert_allclose(controller.w, exact, atol=4 * 0.016)
    np.testing.assert_array_equal(controller.w, controller.w)


def test_w_of_the_factorised_controller_is_its_softmax():
    controller = opinionated(FactorisedController, SMALL["rnn"])
    logits = controller.logits.detach().numpy()
    for row, z, decision in zip(controller.w, logits, SMALL["rnn"].decisions, strict=True):
        options = len(decision.options)
        np.testing.assert_allclose(row[:options], special.softmax(z[:options]), rtol=1e-5)
        assert not row[options:].any()


@every_family
@every_controller
def test_w_has_the_form_of_the_space(space, make):
    w = opinionated(make, space).w
    assert w.shape == space.mask.shape
    assert w.dtype == np.float32
    np.testing.assert_allclose(w.sum(axis=1), 1, rtol=1e-5)
    assert not w[~space.mask].any()


def test_another_seed_is_another_lstm():
    one, same, other = (LSTMController(nasbench201(), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.embedding.weight, same.embedding.weight)
    assert torch.equal(one.cell.weight_hh, same.cell.weight_hh)
    assert not torch.equal(one.cell.weight_hh, other.cell.weight_hh)
