"""The temperature slider: weights are softmaxes, and the view follows its state."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_lab.widgets import TemperatureSlider, TemperatureState

ALPHA = np.random.default_rng(0).normal(size=(6, 5))


@settings(deadline=None, max_examples=30)
@given(st.floats(0.01, 100), st.integers(0, 2**32 - 1))
def test_weights_are_a_softmax_with_the_argmax_of_alpha(tau, seed):
    alpha = np.random.default_rng(seed).normal(size=(6, 5))
    state = TemperatureState(alpha, tau)
    expected = torch.softmax(torch.from_numpy(alpha) / tau, dim=1)
    np.testing.assert_allclose(state.w, expected.numpy(), atol=1e-12)
    assert state.arch == tuple(alpha.argmax(axis=1).tolist())


def test_cold_is_a_choice_and_hot_is_even():
    np.testing.assert_allclose(
        TemperatureState(ALPHA, 1e-3).w, np.eye(5)[ALPHA.argmax(1)], atol=1e-6
    )
    np.testing.assert_allclose(TemperatureState(ALPHA, 1e6).w, 0.2, atol=1e-5)
    even = TemperatureState(np.zeros((6, 5)), 2)
    assert even.words == (
        "tau = 2: the largest weight of a row is 0.20 on average, the entropy 1.61 of 1.61 nats"
    )


@pytest.mark.parametrize("alpha", [np.zeros((5, 6)), np.full((6, 5), np.nan)])
def test_what_is_no_alpha_is_refused(alpha):
    with pytest.raises(ValueError, match="finite numbers"):
        TemperatureSlider(alpha)
