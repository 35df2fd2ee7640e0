"""One-shot training by hand, its seeds, its end, and what is kept of it."""

import gc
import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from nas_lab import spaces
from nas_lab.data import FashionMNIST
from nas_lab.spaces import Skeleton
from nas_lab.strategies import Fair, OneShot, Uniform
from tests.nets.plain import plain_201, plain_darts

SPACE = spaces.nasbench201()
SKELETON = Skeleton(channels=4, cells=1, stages=2, stem_stride=2, resolution=8, in_channels=1)
DATA = FashionMNIST(8, 32, images=400)


def one_shot(space=SPACE, **options):
    return OneShot(space, SKELETON, DATA, **options)


def weights(search):
    return {name: weight.clone() for name, weight in search.net.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)


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
    ours, theirs = (one_shot(space, seed=3, sampler=sampler, clip=0.5) for _ in range(2))
    ours.fit(steps=3)
    options = {"rate": ours.learning_rate, "momentum": ours.momentum}
    losses = by_hand(theirs, 3, plain, **options, decay=ours.weight_decay, clip=0.5)
    assert ours.losses == pytest.approx(losses, rel=1e-4)
    expected = weights(theirs)
    for name, weight in weights(ours).items():
        torch.testing.assert_close(weight, expected[name], rtol=1e-2, atol=1e-3)


def test_only_what_an_architecture_uses_moves():
    arch = SPACE.encode(dict.fromkeys([d.name for d in SPACE.decisions], "nor_conv_1x1"))
    search = one_shot(sampler=lambda *_: lambda rng: [arch])
    before = weights(search)
    search.fit(steps=2)
    moved = {name for name, weight in weights(search).items() if not weight.equal(before[name])}
    kernels = {name for name in before if "norm" not in name and "head" not in name}
    assert moved == {name for name in kernels if "3x3" not in name}


def test_it_learns():
    search = one_shot().fit(steps=120)
    assert len(search.losses) == search.steps == 120
    assert np.mean(search.losses[-20:]) < np.mean(search.losses[:20]) - 0.2


def test_each_step_tells_what_it_did():
    search = one_shot(sampler=Fair)
    steps = list(search.train(steps=4))
    assert [step.number for step in steps] == [1, 2, 3, 4]
    assert [step.progress for step in steps] == [0.25, 0.5, 0.75, 1]
    assert [step.loss for step in steps] == search.losses
    assert steps[-1].seconds == search.seconds > 0
    assert all(len(step.archs) == 5 and set(step.archs) <= set(SPACE) for step in steps)


# ---- budgets and seeds -----------------------------------------------------------------------


def test_a_budget_of_seconds_ends_when_they_are_spent(monkeypatch):
    now = iter(np.arange(0, 1000, 0.5))  # a step takes half a second
    monkeypatch.setattr("time.thread_time", lambda: float(next(now)))
    search = one_shot()
    progress = [step.progress for step in search.train(seconds=2)]
    assert progress == [0.25, 0.5, 0.75, 1]
    assert search.seconds == 2


def test_a_seed_repeats_and_another_differs():
    state, numbers = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    one, again, other = (one_shot(seed=seed).fit(steps=4) for seed in (0, 0, 1))
    assert same(weights(one), weights(again))
    assert one.losses == again.losses
    assert not same(weights(one), weights(other))
    assert torch.equal(state, torch.get_rng_state())
    assert (numbers == np.random.get_state()[1]).all()  # noqa: NPY002


@pytest.mark.parametrize("budget", [{}, {"seconds": 1, "steps": 1}])
def test_one_budget_is_needed(budget):
    with pytest.raises(TypeError, match="either seconds or steps"):
        one_shot().train(**budget)


@pytest.mark.parametrize("budget", [{"seconds": 0}, {"seconds": math.inf}, {"steps": 0}])
def test_a_budget_is_positive(budget):
    with pytest.raises(ValueError, match="must be"):
        one_shot().train(**budget)


@pytest.mark.parametrize(
    "options", [{"seed": -1}, {"learning_rate": math.nan}, {"momentum": 1}, {"clip": -1}]
)
def test_bad_numbers_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        one_shot(**options)


def test_data_have_to_fit_the_skeleton():
    with pytest.raises(ValueError, match="resolution"):
        OneShot(SPACE, SKELETON, FashionMNIST(10, 32, images=400))


# ---- its end ---------------------------------------------------------------------------------


def test_an_interrupt_keeps_the_weights(monkeypatch):
    reference = one_shot()
    for step in reference.train(steps=5):
        if step.number == 2:
            break
    search, step = one_shot(), OneShot._step

    def interrupted(self, *arguments):
        if self.steps == 2:
            raise KeyboardInterrupt
        return step(self, *arguments)

    monkeypatch.setattr(OneShot, "_step", interrupted)
    assert search.fit(steps=5) is search
    assert search.steps == 2
    assert same(weights(search), weights(reference))
    assert 0 <= search.estimator()((3,) * 6, 0).score <= 1


def test_a_loss_that_is_not_finite_raises_and_keeps_the_weights():
    search = one_shot(learning_rate=1e25, clip=1e30)
    kept = weights(search)
    with pytest.raises(FloatingPointError, match="lower learning_rate"):  # noqa: PT012
        for _ in search.train(steps=50):
            kept = weights(search)
    assert same(weights(search), kept)


def test_a_gradient_that_is_not_finite_raises_and_keeps_the_weights():
    search = one_shot()
    kept = weights(search)
    search.net.classifier.weight.register_hook(lambda grad: grad * math.inf)
    with pytest.raises(FloatingPointError, match="gradient of norm"):
        search.fit(steps=1)
    assert same(weights(search), kept)


def test_training_keeps_nothing_alive():
    def tensors():
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    search = one_shot(sampler=lambda *_: lambda rng: [(3,) * 6])  # the same gradients each time
    counts = [tensors() for step in search.train(steps=20) if step.number in (5, 20)]
    assert counts[0] == counts[1]


def test_an_estimator_is_a_copy():
    search = one_shot().fit(steps=2)
    estimate = search.estimator(calibration=64, validation=100)
    before = estimate((3,) * 6, 0).score
    search.fit(steps=20)
    assert estimate((3,) * 6, 0).score == before
    assert not any(weight.requires_grad for weight in estimate.net.parameters())
