"""The gradient sliders' state: exact values against autograd over all cells, noise by draws."""

import math
from functools import lru_cache

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from scipy import stats

from nas_lab import plots
from nas_lab.strategies import FactorisedController, Reinforce
from nas_lab.widgets.gradient import MOST, GradientSliders, GradientState
from tests.strategies.tables import SPACE, invented
from tests.widgets.reading import find, press

TABLE = invented()
SETTINGS = [
    {"entropy": 0.0, "learnt": 0},
    {"entropy": 0.0, "learnt": 20, "baseline": 0.6},
    {"entropy": 0.03, "learnt": 60, "baseline": 0.8},
]
every_setting = pytest.mark.parametrize("setting", SETTINGS)


@lru_cache
def enumerated():
    """Scores and one-hot forms of all cells, which every state would look up anew."""
    first = GradientState(TABLE)
    return {name: getattr(first, name) for name in ("_scores", "_one_hot")}


def state(**setting):
    made = GradientState(TABLE, **setting)
    vars(made).update(enumerated())
    return made


def learner(found, setting):
    """REINFORCE with the same policy, baseline and entropy."""
    made = Reinforce(SPACE, controller=FactorisedController, entropy=setting["entropy"])
    made.baseline = setting.get("baseline", 0.0)
    with torch.no_grad():
        made.controller.logits.copy_(torch.tensor(found.w).log())
    return made


@every_setting
def test_gradient_and_means_are_those_of_the_enumeration(setting):
    found = state(**setting).estimates
    controller = learner(found, setting).controller
    log_p = controller.log_prob(list(SPACE))
    accuracy = torch.tensor([TABLE(arch).score for arch in SPACE])
    p = log_p.exp()
    rewards = accuracy - setting["entropy"] * log_p
    (expected,) = torch.autograd.grad((p * rewards).sum(), [controller.logits])
    np.testing.assert_allclose(found.gradient, expected, atol=2e-6)
    assert found.reward == pytest.approx((p * rewards).sum().item(), abs=1e-5)
    assert found.accuracy == pytest.approx((p * accuracy).sum().item(), abs=1e-5)
    assert found.entropy == pytest.approx(-(p * log_p).sum().item(), rel=1e-5)


@every_setting
def test_noise_and_cosines_are_those_of_steps_of_reinforce(setting):
    found = state(batch=1, **setting).estimates
    made = learner(found, setting)
    steps = []
    for arch in made.ask(300):
        loss, _ = made.loss([arch], [TABLE(arch).score])
        steps.append(-torch.autograd.grad(loss, [made.controller.logits])[0].numpy().ravel())
    steps, gradient = np.array(steps), found.gradient.ravel()
    squares = ((steps - gradient) ** 2).sum(axis=1)
    assert abs(squares.mean() - found.noise**2) < 4 * stats.sem(squares)
    cosines = steps @ gradient / np.linalg.norm(steps, axis=1) / np.linalg.norm(gradient)
    assert stats.ks_2samp(cosines, found.cosines).pvalue > 1e-3


def test_the_mean_reward_as_baseline_lowers_the_noise():
    made = state(learnt=20)
    without = made.estimates
    made.take_mean()
    assert made.baseline == pytest.approx(without.reward, abs=0.005)
    assert made.estimates.noise == pytest.approx(without.least, rel=0.05)  # b is rounded
    assert made.estimates.noise < 0.5 * without.noise
    assert made.estimates.cosines.mean() > without.cosines.mean()
    np.testing.assert_array_equal(made.estimates.w, without.w)


def test_any_mean_reward_has_room_on_the_slider():
    w = GradientSliders(TABLE, entropy=0.1, learnt=0)
    press(w, "Mean reward")
    reward = w.model.estimates.reward
    assert find(w, "baseline b").value == pytest.approx(reward, abs=0.005)
    assert reward > 1.5


def test_exact_steps_climb_and_entropy_holds_back():
    free, held = state(learnt=MOST).estimates, state(learnt=MOST, entropy=0.1).estimates
    start = state(learnt=0).estimates
    assert start.accuracy < held.accuracy < free.accuracy
    assert free.entropy < held.entropy < start.entropy
    assert start.entropy == pytest.approx(math.log(SPACE.size))


def test_words_say_what_was_computed_and_another_draw_is_another_sample():
    made = state(batch=4, baseline=0.5)
    found = made.estimates
    ratio = found.noise / 2 / np.linalg.norm(found.gradient)
    assert f"noise of a step is {ratio:,.{int(ratio < 100)}f} times" in made.words
    assert f"{(found.cosines < 0).mean():.0%} of the steps point downhill" in made.words
    assert f"{math.ceil(4 * ratio**2):,} architectures" in made.details[0]
    assert f"cells of {found.accuracy:.1%} on average" in made.details[1]
    made.draw_again()
    assert not np.array_equal(made.estimates.cosines, found.cosines)


def test_a_gradient_that_vanishes_is_told_without_endless_numbers():
    made = state(entropy=1.0, learnt=MOST)
    assert max(map(len, (made.words, made.details[0]))) < 300


def test_bars_count_the_steps_and_limits_stay():
    ax = Figure().add_subplot()
    bars = plots.CosineBars(ax)
    limits = ax.get_xlim(), ax.get_ylim()
    cosines = np.linspace(-0.99, 0.99, 400)
    bars.update(cosines)
    boxes = [path.get_extents() for path in bars._bars.get_paths()]
    counted = [((box.x0 <= cosines) & (cosines < box.x1)).mean() for box in boxes]
    np.testing.assert_allclose([box.height for box in boxes], counted)
    assert bars._said.get_text() == f"mean {cosines.mean():.2f}"
    bars.update(np.ones(10))
    assert (ax.get_xlim(), ax.get_ylim()) == limits
