"""Exercises on scaling: right answers written differently pass, usual mistakes are told apart."""

import math

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.efficientnet import MBConvConfig

from nas_lab.homework import check


def counted_by_torch(c_in, c_out, kernel, stride, expansion, side):
    """Multiply-adds of an inverted bottleneck without squeeze-and-excitation, as it runs."""
    inner = expansion * c_in
    layers = [torch.nn.Conv2d(c_in, inner, 1)] if expansion > 1 else []
    layers += [torch.nn.Conv2d(inner, inner, kernel, stride, kernel // 2, groups=inner)]
    layers += [torch.nn.Conv2d(inner, c_out, 1)]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        torch.nn.Sequential(*layers).to("meta")(torch.empty(1, c_in, side, side, device="meta"))
    return counter.get_total_flops() // 2


def test_right_answers_pass():
    def factors(phi, alpha, beta):
        gamma = np.exp((np.log(2) - np.log(alpha) - 2 * np.log(beta)) / 2)
        return np.array([alpha, beta, gamma]) ** phi

    assert check("06.q2", factors)
    assert check("06.q3", lambda *given: MBConvConfig.adjust_channels(*given))
    assert check("06.q1", counted_by_torch)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("06.q2", lambda phi, a, b: [a**phi, b**phi, (2 / (a * b**2)) ** phi]),
        ("06.q2", lambda phi, a, b: [a * phi, b * phi, (2 / (a * b**2)) ** 0.5 * phi]),
        ("06.q3", lambda channels, width: 8 * round(channels * width / 8)),
        ("06.q3", lambda channels, width: 8 * math.ceil(channels * width / 8)),
        ("06.q3", lambda channels, width: max(8, int(channels * width + 4) // 8 * 8)),
        (  # all on the small image
            "06.q1",
            lambda i, o, k, s, e, n: e * i * ((e > 1) * i + k * k + o) * (n // s) ** 2,
        ),
        (  # no groups
            "06.q1",
            lambda i, o, k, s, e, n: (
                (e > 1) * e * i * i * n * n + e * i * (k * k * e * i + o) * (n // s) ** 2
            ),
        ),
        (  # a first convolution where there is none
            "06.q1",
            lambda i, o, k, s, e, n: e * i * i * n * n + e * i * (k * k + o) * (n // s) ** 2,
        ),
    ],
)
def test_usual_mistakes_are_told_apart(name, wrong):
    assert not check(name, wrong)
