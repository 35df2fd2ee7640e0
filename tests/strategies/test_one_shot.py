"""One-shot: what the samplers draw, a step by hand, and what is kept of a training."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch.nn import functional

from nas_lab import spaces
from nas_lab.spaces.base import Decision, Space
from nas_lab.strategies import Distinct, Fair, OneShot, Sandwich, Uniform
from tests.nets.plain import plain_201, plain_darts
from tests.strategies.test_learners import DATA, SPACE

SKELETON = spaces.Skeleton(4, 1, 2, 2, 8, 1)


def one_shot(space=SPACE, sampler=Distinct, seed=0):
    return OneShot(space, SKELETON, DATA, seed=seed, sampler=sampler)


def weights(search):
    return {name: weight.clone() for name, weight in search.net.state_dict().items()}


# ---- samplers --------------------------------------------------------------------------------

LITTLE = spaces.mobile(1)
SEEDS = st.integers(0, 10_000)


@st.composite
def any_space(draw):
    counts = draw(st.lists(st.integers(1, 6), min_size=1, max_size=6))
    return Space("any", tuple(Decision(f"d{i}", tuple(range(k))) for i, k in enumerate(counts)))


@settings(max_examples=60, deadline=None)
@given(space=any_space(), seed=SEEDS)
def test_fair_gives_each_option_equally_often_in_every_step(space, seed):
    archs = Fair(space)(np.random.default_rng(seed))
    counts = [len(decision.options) for decision in space.decisions]
    assert len(archs) == math.lcm(*counts)
    assert all(arch in space for arch in archs)
    for decision, options in enumerate(counts):
        seen = Counter(arch[decision] for arch in archs)
        assert seen == dict.fromkeys(range(options), len(archs) // options)


@pytest.mark.parametrize("sampler", [Uniform, Distinct, Fair])
@pytest.mark.parametrize("space", [LITTLE, spaces.mlp((1, 2), (4, 8, 16))], ids=["little", "mlp"])
def test_every_architecture_is_as_likely_as_any_other(space, sampler):
    """The first of a step, or every network however many spellings it has: chi-squared tests."""
    rng, draw = np.random.default_rng(0), sampler(space)
    seen = Counter(draw(rng)[0] for _ in range(3000))
    assert set(seen) == {space.canonical(a) if sampler is Distinct else a for a in space}
    assert stats.chisquare(list(seen.values())).pvalue > 0.01


def test_fair_refuses_a_space_with_excluded_combinations():
    with pytest.raises(ValueError, match="darts excludes combinations"):
        Fair(spaces.darts())


# ---- a step ----------------------------------------------------------------------------------


def by_hand(search, steps, plain, *, rate, momentum, decay, clip):
    """The weights after some steps: equations of SGD with Nesterov's momentum, no optimiser."""
    net = search.net
    names = [name for name, weight in net.named_parameters() if weight.requires_grad]
    values = dict(net.named_parameters())
    speed = {name: torch.zeros_like(values[name]) for name in names}
    batches = iter(DATA.train_dataloader().reseeded(search.seed).reseeded(1))
    losses = []
    for step in range(steps):
        images, labels = next(batches)
        archs = search.sampler(np.random.default_rng([search.seed, step]))
        each = [
            functional.cross_entropy(plain(net, images, net.one_hot(arch)), labels)
            for arch in archs
        ]
        loss = sum(each) / len(each)
        grads = torch.autograd.grad(loss, [values[n] for n in names], allow_unused=True)
        moved = {name: g for name, g in zip(names, grads, strict=True) if g is not None and g.any()}
        length = math.sqrt(sum(float(g.square().sum()) for g in moved.values()))
        eta = rate * (1 + math.cos(math.pi * step / steps)) / 2
        with torch.no_grad():
            for name, g in moved.items():
                g = g * min(1, clip / (length + 1e-6)) + decay * values[name]
                speed[name] = momentum * speed[name] + g
                values[name] -= eta * (g + momentum * speed[name])
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize(
    ("space", "plain", "sampler"),
    [(SPACE, plain_201, Fair), (spaces.darts(), plain_darts, Uniform)],
    ids=["fair NAS-Bench-201 cells", "single DARTS cells"],
)
def test_steps_are_those_of_the_equations(space, plain, sampler):
    ours, theirs = (one_shot(space, sampler, seed=3) for _ in range(2))
    ours.clip = 0.5
    steps = list(ours.train(steps=3))
    assert [step.loss for step in steps] == ours.losses
    assert [len(step.archs) for step in steps] == [5 if sampler is Fair else 1] * ours.steps
    options = {"rate": ours.learning_rate, "momentum": ours.momentum}
    losses = by_hand(theirs, 3, plain, **options, decay=ours.weight_decay, clip=0.5)
    assert ours.losses == pytest.approx(losses, rel=1e-4)
    expected = weights(theirs)
    for name, weight in weights(ours).items():
        torch.testing.assert_close(weight, expected[name], rtol=1e-2, atol=1e-3)


SLICED = spaces.transformer((1, 2), (8, 16), (1, 2), (1, 2))


@pytest.mark.parametrize("distill", [False, True])
def test_a_sandwich_learns_labels_or_what_its_largest_says(distill):
    """AdamW's equations (Loshchilov and Hutter 2019, algorithm 2), gradients cut to length 1."""
    ours, theirs = (
        OneShot(SLICED, SKELETON, DATA, seed=3, sampler=Sandwich, distill=distill) for _ in "ab"
    )
    ours.fit(steps=2)
    assert [step.archs[:2] for step in ours.log] == [((1,) * 4, (0,) * 4)] * 2
    net, batches = theirs.net, iter(DATA.train_dataloader().reseeded(3).reseeded(1))
    weights = dict(net.named_parameters())
    first, second = ({name: torch.zeros_like(v) for name, v in weights.items()} for _ in "ab")
    for t, step in enumerate(ours.log, start=1):
        images, labels = next(batches)
        logits = [net(images, net.one_hot(arch)) for arch in step.archs]
        truth = functional.one_hot(labels, 10).float()
        taught = logits[0].detach().softmax(dim=1) if distill else truth
        targets = [truth, taught, taught, taught]
        pairs = zip(targets, logits, strict=True)
        loss = sum(-(p * y.log_softmax(dim=1)).sum(dim=1).mean() for p, y in pairs) / 4
        assert step.loss == pytest.approx(loss.item(), rel=1e-4)
        grads = dict(zip(weights, torch.autograd.grad(loss, [*weights.values()]), strict=True))
        length = math.sqrt(sum(float(g.square().sum()) for g in grads.values()))
        eta = ours.learning_rate * (1 + math.cos(math.pi * (t - 1) / 2)) / 2
        with torch.no_grad():
            for name, g in grads.items():
                g = g * min(1, ours.clip / (length + 1e-6))
                first[name] = 0.9 * first[name] + 0.1 * g
                second[name] = 0.999 * second[name] + 0.001 * g * g
                root = (second[name] / (1 - 0.999**t)).sqrt() + 1e-8
                weights[name] *= 1 - eta * 0.05
                weights[name] -= eta * first[name] / (1 - 0.9**t) / root
    for name, weight in ours.net.named_parameters():
        torch.testing.assert_close(weight, weights[name], rtol=1e-2, atol=1e-3)


def test_a_sandwich_needs_a_largest_network():
    with pytest.raises(ValueError, match="nasbench201 has no largest network: use Uniform"):
        Sandwich(SPACE)


# ---- its end ---------------------------------------------------------------------------------


def test_a_gradient_that_is_not_finite_raises_and_keeps_the_weights():
    search = one_shot()
    kept = weights(search)
    search.net.classifier.weight.register_hook(lambda grad: grad * math.inf)
    with pytest.raises(FloatingPointError, match="gradient of norm"):
        search.fit(steps=1)
    assert all(kept[name].equal(weight) for name, weight in weights(search).items())


def test_training_keeps_nothing_alive(tensors):
    search = one_shot(sampler=lambda _: lambda rng: [(3,) * 6])  # the same gradients each time
    counts = [tensors() for step in search.train(steps=20) if step.number in (5, 20)]
    assert counts[0] == counts[1]


def test_an_estimator_is_a_copy():
    search = one_shot().fit(steps=2)
    estimate = search.estimator(calibration=64, validation=100)
    before = estimate((3,) * 6, 0).score
    search.fit(steps=20)
    assert estimate((3,) * 6, 0).score == before
    assert not any(weight.requires_grad for weight in estimate.net.parameters())
