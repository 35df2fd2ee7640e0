"""DARTS: it learns, repeats, stops, and keeps what it has learnt."""

import math

import numpy as np
import pytest
import torch

from nas_lab.data import FashionMNIST
from nas_lab.spaces import Skeleton, darts, nasbench201
from nas_lab.strategies import Darts
from nas_lab.strategies.darts import SHORT, HardGumbel, Schedule
from nas_lab.strategies.darts.updates import InTurns

SPACE = nasbench201()
SKELETON = Skeleton(channels=4, cells=1, stages=1, stem_stride=2, resolution=8, in_channels=1)
DATA = FashionMNIST(8, 32, images=400)


def search(space=SPACE, **options):
    return Darts(space, SKELETON, DATA, **{"schedule": SHORT} | options)


def weights(found):
    return [p.detach().clone() for p in found.net.parameters()]


def unequal(before, after):
    return [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]


@pytest.mark.parametrize("order", [1, 2, "joint"])
def test_both_learn_and_the_log_says_so(order):
    found = search(order=order)
    before = weights(found)
    steps = list(found.train(steps=3))
    assert [step.number for step in steps] == [1, 2, 3]
    assert [step.progress for step in steps] == pytest.approx([1 / 3, 2 / 3, 1])
    assert any(unequal(before, weights(found)))
    assert found.alphas.shape == found.w.shape == (3, 6, 5)
    assert found.alphas.dtype == found.w.dtype == np.float32
    assert not (found.alphas[0] == found.alphas[1]).all()
    exp = np.exp(found.alphas.astype(float))
    np.testing.assert_allclose(found.w, exp / exp.sum(axis=2, keepdims=True), rtol=1e-5)
    for step in steps:
        entropy = -(step.w * np.log(step.w)).sum(axis=1).mean()
        assert step.entropy == pytest.approx(entropy, rel=1e-4)
        assert step.alpha_norm > 0
        assert step.weight_norm > 0
    assert found.arch() in SPACE


def test_the_loss_falls():
    losses = [step.train_loss for step in search().train(steps=60)]
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.1


def test_the_darts_cell_is_searched_too():
    found = Darts(darts(), Skeleton(4, 3, resolution=8, in_channels=1), DATA, schedule=SHORT)
    found.fit(steps=2)
    assert found.alphas.shape == (2, 28, 8)
    assert found.arch() in darts()


@pytest.mark.parametrize("order", [1, 2, "joint"])
def test_a_seed_repeats_and_another_differs(order):
    runs = [
        search(seed=seed, order=order, relaxation=HardGumbel()).fit(steps=4) for seed in (0, 0, 1)
    ]
    assert np.array_equal(runs[0].alphas, runs[1].alphas)
    assert not any(unequal(weights(runs[0]), weights(runs[1])))
    assert not np.array_equal(runs[0].alphas, runs[2].alphas)


def test_alphas_and_weights_learn_on_halves_that_share_no_image():
    found = search()
    seen = []
    for batches in (found.train_batches, found.val_batches):
        images = torch.cat([next(batches)[0] for _ in range(7)])  # one pass: 200 images
        seen.append({image.numpy().tobytes() for image in images})
    assert len(seen[0]) == len(seen[1]) == 200
    assert not seen[0] & seen[1]


def test_normalisations_have_no_scale_of_their_own():
    found = search().fit(steps=3)
    norms = [m for m in found.net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    for norm in norms:
        assert (norm.weight == 1).all()
        assert (norm.bias == 0).all()


def test_while_the_weights_warm_up_alphas_rest():
    found = search(schedule=Schedule(alpha_rate=0.1, warmup=0.5)).fit(steps=4)
    assert (found.alphas[:2] == 0).all()
    assert (found.alphas[2:] != 0).any()


def test_the_rate_falls_along_a_cosine():
    schedule = Schedule(weight_rate=0.5, last_weight_rate=0.1)
    rates = [schedule.rate(progress) for progress in (0, 0.25, 0.5, 1)]
    assert rates == pytest.approx([0.5, 0.1 + 0.4 * math.cos(math.pi / 8) ** 2, 0.3, 0.1])


def test_the_defaults_are_those_of_the_paper():
    schedule = Schedule()
    (adam,) = schedule.alpha_optimiser([torch.zeros(1)]).param_groups
    assert (adam["lr"], adam["betas"], adam["weight_decay"]) == (3e-4, (0.5, 0.999), 1e-3)
    (sgd,) = schedule.weight_optimiser([torch.zeros(1)]).param_groups
    assert (sgd["lr"], sgd["momentum"], sgd["weight_decay"]) == (0.025, 0.9, 3e-4)


def test_seconds_are_a_budget_too():
    steps = list(search().train(seconds=0.05))
    assert steps[-1].progress == 1
    assert steps[-1].seconds >= 0.05
    assert all(step.seconds < 0.05 for step in steps[:-1])


@pytest.mark.parametrize("order", [1, 2])
def test_an_interrupt_keeps_what_was_learnt(monkeypatch, order):
    found = search(order=order)
    found.fit(steps=2)
    before, loss = weights(found), Darts.loss
    calls = []

    def interrupted(self, batch, moment):
        calls.append(moment)
        if len(calls) == order + 1:  # in second order: while the weights are a step ahead
            raise KeyboardInterrupt
        return loss(self, batch, moment)

    monkeypatch.setattr(Darts, "loss", interrupted)
    assert found.fit(steps=5) is found
    assert len(found.log) == len(found.alphas) == 2
    assert not any(unequal(before, weights(found)))


@pytest.mark.parametrize("order", [1, 2, "joint"])
def test_a_loss_that_is_not_finite_stops_the_search_and_keeps_the_log(monkeypatch, order):
    found = search(order=order).fit(steps=2)
    before = weights(found)
    monkeypatch.setattr(Darts, "loss", lambda self, *_: sum(p.sum() for p in _all(self)) * math.nan)
    with pytest.raises(FloatingPointError, match=r"step 3: .* lower rate"):
        found.fit(steps=2)
    assert len(found.log) == 2
    assert not any(unequal(before, weights(found)))


def _all(found):
    return [*found.parameters.values(), *found.net.parameters()]


def test_a_search_that_diverges_says_what_to_try():
    wild = Schedule(weight_rate=1e30, clip=math.inf)
    with pytest.raises(FloatingPointError, match="lower rate"):
        search(schedule=wild).fit(steps=50)


def test_it_goes_on_until_it_is_told_to_stop():
    found = search().fit(steps=10, until=lambda found: len(found.log) == 4)
    assert len(found.log) == 4


def test_the_loop_can_be_left_and_entered_again():
    found = search()
    for step in found.train(steps=10):
        if step.number == 3:
            break
    found.fit(steps=2)
    assert [step.number for step in found.log] == [1, 2, 3, 4, 5]
    assert found.log[-1].progress == 1


def test_the_architecture_of_an_earlier_step_can_be_asked_for():
    found = search(schedule=Schedule(alpha_rate=1.0)).fit(steps=3)
    for i, w in enumerate(found.w):
        assert found.arch(i) == tuple(w.argmax(axis=1))
    with pytest.raises(IndexError):
        found.arch(3)


def test_an_empty_log_has_a_shape():
    assert search().alphas.shape == (0, 6, 5)
    assert search().arch() in SPACE


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": 3}, "order is 1, 2 or 'joint'"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        search(**options)


@pytest.mark.parametrize(
    "bad", [{"momentum": 1.0}, {"clip": 0}, {"alpha_betas": (0.5, 1.0)}, {"weight_rate": -1.0}]
)
def test_bad_schedules_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        Schedule(**bad)


def test_budgets_are_checked_at_the_call():
    with pytest.raises(TypeError, match="either seconds or steps"):
        search().train()
    with pytest.raises(ValueError, match="steps"):
        search().train(steps=0)
    with pytest.raises(ValueError, match="above 0"):
        search().train(seconds=math.nan)


def test_alphas_move_before_the_weights(monkeypatch):
    moves = []
    for name in ("move_alphas", "move_weights"):
        monkeypatch.setattr(InTurns, name, lambda self, *_, name=name: moves.append(name))
    search().fit(steps=1)
    assert moves == ["move_alphas", "move_weights"]
