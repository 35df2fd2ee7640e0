"""ENAS: two learners in turns."""

import numpy as np
import pytest
from scipy import stats

from nas_lab.history import Evaluation, Trial
from nas_lab.strategies import Enas
from tests.strategies.test_learners import DATA, SKELETON, SPACE, FewSteps, equal


def shared(search):
    return [p.detach().clone() for p in search.one_shot.net.parameters()]


def test_both_learn_in_every_turn():
    search = FewSteps(SPACE, SKELETON, DATA)
    before, w, rates, step = shared(search), search.w, [], search.one_shot.step

    def spy(used):
        record = step(used)
        rates.append(search.one_shot._optimiser.param_groups[0]["lr"])
        return record

    search.one_shot.step = spy
    turns = list(search.train(steps=2))
    assert search.one_shot.steps == 4
    assert not equal(before, shared(search))
    assert not np.array_equal(w, search.w)
    assert all(0 <= turn.reward <= 1 for turn in turns)
    losses = np.reshape(search.one_shot.losses, (2, 2)).mean(axis=1)
    assert [turn.loss for turn in turns] == pytest.approx(losses)
    assert turns[-1].entropy == pytest.approx(stats.entropy(search.w, axis=1).sum(), rel=1e-5)
    assert rates == pytest.approx(0.05 * (1 + np.cos(np.pi * np.arange(4) / 4)))
    assert search.arch() in SPACE


def test_the_weights_rest_while_the_controller_learns():
    search = FewSteps(SPACE, SKELETON, DATA)
    before = shared(search)
    search._train_controller()
    assert equal(before, shared(search))


def test_the_reward_is_the_accuracy_on_a_batch_of_validation_images():
    search, arch = Enas(SPACE, SKELETON, DATA), (3, 1, 3, 1, 0, 1)
    (reward,) = search._reward([arch])
    loader, net = DATA.val_dataloader(), search.one_shot.net
    rows = np.random.default_rng([0, 0]).permutation(len(loader.labels))[:32]
    right = net(loader.images[rows], net.one_hot(arch)).argmax(1) == loader.labels[rows]
    assert reward == pytest.approx(right.float().mean().item())


def test_the_weights_learn_on_what_the_controller_draws():
    search = Enas(SPACE, SKELETON, DATA)
    search.controller.optimiser.param_groups[0]["lr"] = 0.1
    search.controller.entropy = 0.0
    for _ in range(100):  # towards 3x3 convolutions, until it is sure of itself
        archs = search.controller.ask(8)
        scores = [float(np.mean(np.array(arch) == 3)) for arch in archs]
        pairs = zip(archs, scores, strict=True)
        search.controller.tell([Trial(0, arch, Evaluation(score)) for arch, score in pairs])
    for learner, low, high in ((search, 0.9, 1), (Enas(SPACE, SKELETON, DATA), 0, 0.4)):
        drawn = [arch for step in learner.one_shot.train(steps=40) for arch in step.archs]
        assert low < np.mean(np.array(drawn) == search.w.argmax(axis=1)) <= high
