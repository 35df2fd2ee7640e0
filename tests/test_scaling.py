"""Stages are counted as torch counts torchvision's networks, and scaled as the paper says."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, minimize

from nas_lab.scaling import (
    ALPHA,
    B0,
    BETA,
    EFFICIENTNETS,
    GAMMA,
    Budget,
    Stage,
    budget,
    compound,
    fit_phi,
    project,
    residual,
    round_filters,
    rule,
    scale,
    table,
)

NAMES = list(EFFICIENTNETS)
COEFFICIENTS = (ALPHA, BETA, GAMMA)
coefficients = st.floats(1, 4)


def torchvisions(name):
    """What torch counts on torchvision's network, on a device without numbers: it takes no time."""
    torch, models = pytest.importorskip("torch"), pytest.importorskip("torchvision.models")
    from torch.utils.flop_counter import FlopCounterMode

    resolution, activations = EFFICIENTNETS[name].resolution, []
    with torch.device("meta"), torch.no_grad():
        net = getattr(models, f"efficientnet_{name}")().eval()
        for module in net.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.register_forward_hook(lambda _, x, y: activations.append(y.numel()))
        with FlopCounterMode(display=False) as counter:
            net(torch.empty(1, 3, resolution, resolution))
    params = sum(parameter.numel() for parameter in net.parameters())
    parts = {part: sum(flops.values()) // 2 for part, flops in counter.get_flop_counts().items()}
    return Budget(params, counter.get_total_flops() // 2, sum(activations)), parts


@pytest.mark.parametrize("name", NAMES)
def test_the_published_networks_cost_what_torch_counts_on_torchvisions(name):
    """In all, stage by stage, and within 5 % of what the paper prints."""
    whole, parts = torchvisions(name)
    variant = EFFICIENTNETS[name]
    assert variant.budget == whole
    macs = [row.budget.macs for row in table(variant.stages, variant.resolution)]
    expected = [parts[f"EfficientNet.features.{i}"] for i in range(len(macs))]
    expected[-1] += parts["EfficientNet.classifier"]
    assert macs == expected
    assert variant.params == pytest.approx(variant.published.params, rel=0.05)
    assert variant.macs == pytest.approx(variant.published.macs, rel=0.05)


def test_b0_is_table_1_of_the_paper():
    rows = table(B0, 224)
    assert [row.resolution for row in rows] == [224, 112, 112, 56, 28, 14, 14, 7, 7]
    assert [row.stage.channels for row in rows] == [32, 16, 24, 40, 80, 112, 192, 320, 1280]
    assert [row.stage.layers for row in rows] == [1, 1, 2, 2, 3, 3, 4, 1, 1]


def test_a_network_counted_by_hand():
    """A 3x3 convolution to 2 channels, and an mbconv that widens them to 4 and halves 5 pixels."""
    stages = (Stage("conv", 2), Stage("mbconv", 3, stride=2, expansion=2))
    stem, expand, depthwise, project = 2 * 9, 2 * 4, 4 * 9, 4 * 3
    assert budget(stages, 5, in_channels=1, classes=10) == Budget(
        params=(stem + 4) + (expand + 8) + (depthwise + 8) + (4 + 1) + (4 + 4) + (project + 6) + 40,
        macs=25 * (stem + expand) + 9 * (depthwise + project) + 4 + 4 + 30,
        activations=25 * (2 + 4) + 9 * (4 + 3) + 1 + 4,
    )


# ---- rounding and scaling ------------------------------------------------------------------------


@given(st.integers(1, 2000), st.floats(1, 8))
def test_rounding_is_torchvisions(number, factor):
    MBConvConfig = pytest.importorskip("torchvision.models.efficientnet").MBConvConfig
    assert round_filters(number, factor) == MBConvConfig.adjust_channels(number, factor)
    (deeper,) = scale((Stage("mbconv", 8, layers=number),), depth=factor)
    assert deeper.layers == MBConvConfig.adjust_depth(number, factor)


@given(st.integers(1, 500), st.floats(1, 8), st.sampled_from([1, 2, 4, 8, 16]))
def test_channels_are_multiples_and_lose_no_more_than_a_tenth(channels, width, divisor):
    rounded = round_filters(channels, width, divisor)
    assert rounded % divisor == 0
    assert max(divisor, 0.9 * channels * width) <= rounded < channels * width + divisor


@pytest.mark.parametrize("width", [math.nan, math.inf, -1.0])
def test_a_width_that_is_none_is_refused(width):
    with pytest.raises(ValueError, match="give finite numbers above 0"):
        round_filters(32, width)


def test_b2_is_the_compound_of_b0_at_phi_1_and_b0_at_0():
    """Its published depth and width, 1.2 and 1.1, are the rule's; its 260 pixels are not quite."""
    assert compound(B0, 224, 1, *COEFFICIENTS) == (EFFICIENTNETS["b2"].stages, 258)
    assert compound(B0, 224, 0, *COEFFICIENTS) == (B0, 224)


@given(st.floats(0, 6), st.floats(0, 6), coefficients, coefficients, coefficients)
def test_more_phi_never_costs_less(phi, more, alpha, beta, gamma):
    nets = (compound(B0, 64, p, alpha, beta, gamma, divisor=1) for p in sorted([phi, more]))
    small, large = (budget(*net) for net in nets)
    assert all(less <= more for less, more in zip(small, large, strict=True))


def test_rounding_errors_of_powers_add_no_layer():
    assert math.sqrt(2) ** 2 > 2
    deeper, _ = compound(B0, 224, 2, math.sqrt(2), 1, 1)
    assert [stage.layers for stage in deeper] == [1, 2, 4, 4, 6, 6, 8, 2, 1]


@pytest.mark.parametrize(("alpha", "beta", "gamma"), [COEFFICIENTS, (2, 1, 1), (1, 1, 2**0.5)])
@pytest.mark.parametrize("times", [1, 1.9, 7.3])
def test_no_phi_comes_nearer_to_a_budget(alpha, beta, gamma, times):
    stages = (Stage("conv", 16, stride=2), Stage("mbconv", 24, layers=3, expansion=4))
    sizes = {"in_channels": 1, "classes": 10}

    def off(phi):
        scaled = compound(stages, 20, phi, alpha, beta, gamma, divisor=1)
        return abs(math.log(budget(*scaled, **sizes).macs / target))

    target = times * budget(stages, 20, **sizes).macs
    phi = fit_phi(stages, 20, target, alpha, beta, gamma, divisor=1, **sizes)
    assert off(phi) <= min(off(k / 1000) for k in range(0, 4000, 7))


# ---- the constraint ------------------------------------------------------------------------------


def test_the_papers_coefficients_miss_2():
    assert residual(*COEFFICIENTS) == pytest.approx(1.2 * 1.21 * 1.3225 - 2)
    assert residual(2, 1, 1) == 0


@given(coefficients, coefficients, coefficients)
def test_projection_is_the_nearest_point_that_scipy_finds(alpha, beta, gamma):
    x, plane = np.log([alpha, beta, gamma]), LinearConstraint([1, 2, 2], math.log(2), math.log(2))
    look = {"bounds": [(0, None)] * 3, "method": "SLSQP", "options": {"ftol": 1e-14}}
    start = np.full(3, math.log(2) / 5)
    found = minimize(lambda y: ((y - x) ** 2).sum(), start, constraints=plane, **look)
    once = project(alpha, beta, gamma)
    assert np.log(once) == pytest.approx(found.x, abs=1e-5)
    assert min(once) >= 1
    assert residual(*once) == pytest.approx(0, abs=1e-9)
    assert project(*once) == pytest.approx(once, abs=1e-9)


@given(st.sampled_from(["alpha", "beta", "gamma"]), st.floats(0, 1), coefficients, coefficients)
def test_a_kept_coefficient_stays_and_the_others_give_way(name, share, one, other):
    highest = {"alpha": 2.0, "beta": math.sqrt(2), "gamma": math.sqrt(2)}[name]
    values = {"alpha": one, "beta": one, "gamma": other} | {name: 1 + share * (highest - 1)}
    moved = project(**values, keep=name)
    assert getattr(moved, name) == values[name]
    assert min(moved) >= 1
    assert residual(*moved) == pytest.approx(0, abs=1e-9)


# ---- published against rule ----------------------------------------------------------------------


def test_each_dimension_has_its_phi_and_the_published_factors_leave_the_rule():
    for variant in EFFICIENTNETS.values():
        ruled = [rule(phi) for phi in variant.phi]
        found = (ruled[0].depth, ruled[1].width, ruled[2].resolution)
        assert found == pytest.approx((variant.depth, variant.width, variant.resolution))
    spreads = [max(variant.phi) - min(variant.phi) for variant in EFFICIENTNETS.values()]
    assert spreads[2] < 0.1
    assert min(spreads[5:]) > 0.7


# ---- nonsense ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda: compound(B0, 224, 1, "1.2", 1, 1), TypeError, "alpha must be a number"),
        (lambda: compound(B0, 224, True, 1, 1, 1), TypeError, "phi must be a number"),
        (lambda: compound(("conv",), 224, 1, 1, 1, 1), TypeError, "a tuple of Stage"),
        (lambda: compound(B0, 224, 1, 0.9, 1, 1), ValueError, "alpha=0.9: give a .* at least 1"),
        (lambda: compound(B0, 224, 1, 1, math.nan, 1), ValueError, "beta=nan: give a finite"),
        (lambda: compound(B0, 224, -1, 1, 1, 1), ValueError, "phi=-1.0: give 0 for the base"),
        (lambda: compound(B0, 224, 1e6, 1.2, 1, 1), ValueError, r"1.2\^1000000.0 is beyond"),
        (lambda: compound(B0, 31, 1, 1, 1, 1), ValueError, "stride 32.*Give 32 or more"),
        (lambda: compound((), 224, 1, 1, 1, 1), ValueError, "at least one stage"),
        (lambda: scale(B0, width=0.5), ValueError, r"width=0\.5"),
        (lambda: Stage("pool", 8), ValueError, "choose from conv, mbconv"),
        (lambda: Stage("conv", 0), ValueError, "channels of a stage must be at least 1"),
        (lambda: Stage("conv", 8, kernel=4), ValueError, "kernel=4 is even"),
        (lambda: Stage("conv", 8, expansion=6), ValueError, "only an mbconv expands"),
        (lambda: fit_phi(B0, 224, 1e6, *COEFFICIENTS), ValueError, "alone has 385,814,752"),
        (lambda: fit_phi(B0, 224, 1e9, 1, 1, 1), ValueError, "all 1, so no phi"),
        (lambda: project(1, 1.5, 1, keep="beta"), ValueError, r"needs beta <= 1\.414"),
        (lambda: project(1, 1, 1, keep="phi"), ValueError, "choose from alpha, beta, gamma"),
    ],
)
def test_nonsense_is_explained(ask, error, message):
    with pytest.raises(error, match=message):
        ask()
