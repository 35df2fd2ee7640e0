"""EAS: the controller against enumeration and autograd, the search against what it promises."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nas_lab import nets, runtime, training
from nas_lab.data import FashionMNIST
from nas_lab.spaces import Skeleton, plain_chain
from nas_lab.spaces.chains import layers
from nas_lab.strategies import EAS
from nas_lab.strategies import eas as module
from nas_lab.strategies.eas import GrowthController, grow
from nas_lab.strategies.reinforce import chosen, entropy
from nas_lab.training import Curve, Recipe
from tests.strategies.test_controllers import assert_drawn_with, disturbed
from tests.strategies.test_reinforce import flat_gradient

SKELETON = Skeleton(resolution=6, in_channels=1)
PLAIN = plain_chain((1, 2, 3), heights=(1, 3), widths=(3,), strides=(1, 2), filters=(4, 2, 6))
START = (0, 1, 0, 1, 1, *(0,) * 8)
TWO = (1, 0, 0, 0, 1, 1, *(0,) * 7)  # a plain chain of two layers


@pytest.fixture(scope="module")
def data():
    return FashionMNIST(resolution=6, batch_size=50, images=150)


class SmallController(GrowthController):
    hidden = 6


def policy(controller, arch):
    """Probabilities that each layer is widened, [L], and of a new layer behind each, [L, S]."""
    p = controller(arch).exp().detach().numpy()
    return p[:-1, 1], p[-1, 1:].reshape(len(p) - 1, len(controller.sizes))


def opinionated():
    return disturbed(SmallController(PLAIN, seed=0))


def growths(arch):
    """All growths of an architecture: 6 filters at most, 3 layers, new ones of 2 heights."""
    rows = layers(PLAIN, arch)
    each = [(0, 1) if row["filters"] < 6 else (0,) for row in rows]
    return list(itertools.product(*each, range(1 + 2 * len(rows)) if len(rows) < 3 else (0,)))


def log_probs(controller, arch):
    """Of all growths."""
    log_p = controller(arch)[None]
    return torch.cat([chosen(log_p, [growth]) for growth in growths(arch)])


def probabilities(controller, arch):
    return log_probs(controller, arch).detach().double().exp().numpy()


# ---- the controller --------------------------------------------------------------------------


@given(seed=st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_it_is_a_distribution_over_what_can_grow_with_the_entropy_of_its_decisions(seed):
    controller, arch = opinionated(), PLAIN.sample(np.random.default_rng(seed))
    p = probabilities(controller, arch)
    assert p.sum() == pytest.approx(1, abs=1e-5)
    assert entropy(controller(arch)[None]).item() == pytest.approx(stats.entropy(p), rel=1e-3)


def test_samples_follow_the_probabilities():
    controller, possible, rng = opinionated(), growths(TWO), np.random.default_rng(5)
    drawn = [possible.index(controller.sample(TWO, rng)) for _ in range(4000)]
    assert_drawn_with(probabilities(controller, TWO), drawn)


def test_a_new_controller_leaves_all_open():
    widen, deepen = policy(GrowthController(PLAIN, seed=2), TWO)
    assert set(widen.tolist()) <= {0.0, 0.5}
    assert deepen.sum() == pytest.approx(0.5) or deepen.sum() == 0
    np.testing.assert_allclose(deepen, deepen[0, 0], rtol=1e-5)


def test_the_estimate_is_unbiased(data):
    """Its expectation over all growths is the gradient of J by autograd, baseline or not."""
    eas, possible = make(data, entropy=0.3), growths(TWO)
    eas.controller = controller = opinionated()
    gains = (0.1 * np.random.default_rng(0).random(len(possible))).tolist()
    log_p = log_probs(controller, TWO)
    j = (log_p.exp() * (torch.tensor(gains) - 0.3 * log_p)).sum()
    exact = flat_gradient(j, controller.parameters())
    assert np.abs(exact).max() > 1e-3
    for baseline in (0.0, 0.7):
        eas.baseline = baseline
        losses = [eas.loss([TWO], [g], [r])[0] for g, r in zip(possible, gains, strict=True)]
        each = [-flat_gradient(loss, controller.parameters()) for loss in losses]
        mean = probabilities(controller, TWO) @ each
        np.testing.assert_allclose(mean, exact, atol=2e-5, rtol=1e-3)


# ---- growing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("growth", "expected"),
    [
        ((0, 0, 0), [(1, 3, 1, 2), (3, 3, 1, 4)]),
        ((1, 0, 4), [(1, 3, 1, 4), (3, 3, 1, 4), (3, 3, 1, 4)]),
        ((0, 1, 1), [(1, 3, 1, 2), (1, 3, 1, 2), (3, 3, 1, 6)]),
    ],
)
def test_a_growth_gives_the_layers_it_names_and_the_same_function(growth, expected):
    chain = nets.Chain.build(PLAIN, TWO, SKELETON)
    chain.net.eval()
    images = torch.randn(8, *SKELETON.image, generator=runtime.generator(0))
    child = grow(chain, growth, images, np.random.default_rng(0))
    assert [tuple(layer.values()) for layer in child.layers] == expected
    assert child.net is not chain.net
    with torch.no_grad():
        torch.testing.assert_close(child.net(images), chain.net(images), rtol=1e-5, atol=1e-5)


# ---- the search ------------------------------------------------------------------------------


def make(data, *, seed=0, **settings):
    """A search; settings are attributes."""
    eas = EAS(PLAIN, SKELETON, data, start=START, seed=seed, first=Recipe(epochs=1))
    for attribute, value in ({"batch": 2} | settings).items():
        setattr(eas, attribute, value)
    return eas


def timeless(trials):
    """Trials without what no seed can fix."""
    return [replace(t, result=replace(t.result, cost=0.0)) for t in trials]


def faking(monkeypatch, accuracy):
    """Trainings that take no time: their accuracy is that of `accuracy(net)`."""

    def train(net, data, recipe, *, seed):
        score = accuracy(net)
        status = "diverged" if math.isnan(score) else "finished"
        n = recipe.epochs
        return Curve((1.0,) * n, (1.0,) * n, (score,) * n, (1.0,) * n, status)

    monkeypatch.setattr(module, "train", train)


def test_children_grow_from_their_parents(data):
    first, *children = trials = list(make(data).search(6))
    assert [t.id for t in trials] == list(range(6))
    assert first.arch == PLAIN.canonical(START)
    assert first.result.metrics["parent"] == -1
    for trial in children:
        parent = trials[int(trial.result.metrics["parent"])]
        assert parent.id < trial.id
        ours, theirs = (len(layers(PLAIN, t.arch)) for t in (trial, parent))
        assert ours - theirs in (0, 1)
        size, of_parent = (PLAIN.cost(t.arch, SKELETON).params for t in (trial, parent))
        assert trial.result.metrics["params"] == size >= of_parent
        assert trial.result.metrics["epochs"] == parent.result.metrics["epochs"] + 1
        assert trial.result.cost > 0
        assert 0 <= trial.result.score <= 1


def test_the_best_become_parents_and_keep_their_networks(data):
    eas, trials = make(data, most_parents=3), []
    for trial in eas.search(7):
        trials.append(trial)
        best = sorted(trials, key=lambda t: -t.result.score)[:3]
        assert [p.trial for p in eas.parents] == best
    for parent in eas.parents:
        measured = training.evaluate(parent.chain.net, data.val_dataloader())
        assert measured == pytest.approx(parent.trial.result.score)
        assert parent.chain.arch == parent.trial.arch


def test_a_seed_repeats_itself_and_another_does_not(data):
    state = torch.get_rng_state()
    one, other = (timeless(make(data, seed=seed).search(5)) for seed in (3, 4))
    assert torch.equal(torch.get_rng_state(), state), "the global generator was used"
    assert one != other
    eas = make(data, seed=3)
    for trial in eas.search(7):
        if trial.id == 2:
            break
    assert len(eas.history) == 3
    assert timeless(eas.search(4)) == one[:4], "stopping and going on changes nothing"
    assert timeless(eas.search(5)) == one


@pytest.mark.parametrize("when", [0, 3])
def test_an_interrupt_in_a_training_loses_that_training_alone(data, monkeypatch, when):
    complete = timeless(make(data).search(5))
    eas, interrupted = make(data), []

    def train(net, data, recipe, *, seed):
        curve = training.train(net, data, recipe, seed=seed)
        if len(eas.history) != when or interrupted:
            return curve
        interrupted.append(True)
        return replace(curve, status="interrupted")

    monkeypatch.setattr(module, "train", train)
    with pytest.raises(KeyboardInterrupt, match="search again to go on"):
        list(eas.search(5))
    assert len(eas.history) == when
    assert timeless(eas.search(5)) == complete


def deeper(net):
    return "layer_2" in dict(net.named_children())


def test_failed_trainings_are_counted_but_no_parents_and_teach_nothing(data, monkeypatch):
    faking(monkeypatch, lambda net: math.nan if deeper(net) else 0.5)
    eas = make(data, seed=1, batch=1)
    trials = list(eas.search(12))
    failed = {t.id for t in trials if math.isnan(t.result.score)}
    assert failed == {t.id for t in trials if t.result.metrics["diverged"]}
    assert failed
    assert not {t.result.metrics["parent"] for t in trials} & failed
    assert all(torch.isfinite(w).all() for w in eas.controller.parameters())
    assert math.isfinite(eas.baseline)


def test_a_first_network_that_fails_ends_the_search(data, monkeypatch):
    faking(monkeypatch, lambda net: math.nan)
    run = make(data).search(3)
    assert math.isnan(next(run).result.score)
    with pytest.raises(RuntimeError, match="first training diverged"):
        next(run)


def test_the_reward_is_what_a_child_gained_over_its_parent(data, monkeypatch):
    accuracies = iter([0.5, 0.6, 0.8, 0.7])
    faking(monkeypatch, lambda net: next(accuracies))
    eas = make(data, batch=1, most_parents=1, entropy=0.0, baseline_decay=0.75)
    baselines = [eas.baseline for _ in eas.search(4)]
    assert math.isnan(baselines[0])
    assert baselines[1] == pytest.approx(0.1)
    assert baselines[2] == pytest.approx(0.75 * 0.1 + 0.25 * 0.2)
    assert baselines[3] == pytest.approx(0.75 * 0.125 - 0.25 * 0.1), "its parent is the best, 0.8"
