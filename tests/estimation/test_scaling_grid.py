"""The scaling study: how a network is scaled, and what is asked of the trainings."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_lab.build.networks import SCALED as ARCHS
from nas_lab.estimation import ScalingGrid, scaling_grid
from nas_lab.estimation.scaling_grid import BASE, Direction, best_by_dimensions, grid_search, path
from nas_lab.scaling import budget, residual

SEEDS = (0, 1, 2)
IMAGES = {"validation": 4_000, "test": 4_000}


def test_the_plan_is_every_way_to_share_out_1_2_and_3_doublings_in_quarters():
    shares = [(a, b, 4 - a - b) for a in range(5) for b in range(5 - a)]
    scaled = {(d * a, d * b, d * c) for d in (1, 2, 3) for a, b, c in shares}
    assert {*ARCHS} == {(0, 0, 0), *scaled}
    assert len(ARCHS) == len(set(ARCHS)) == 46


def test_what_is_planned_is_46_different_networks_that_keep_to_their_budgets():
    """Within 14% of 1, 2, 4 or 8 times the base network's multiply-adds."""
    networks = [BASE.scaled(arch, BASE.phi(arch)) for arch in ARCHS]
    assert len(set(networks)) == 46
    for arch, (stages, resolution) in zip(ARCHS, networks, strict=True):
        wanted = BASE.macs * 2 ** (sum(arch) / 4)
        assert abs(budget(stages, resolution, **BASE.sizes).macs / wanted - 1) < 0.14
    assert max(resolution for _, resolution in networks) == 29


def test_a_dimension_without_a_share_stays():
    stages, resolution = BASE.scaled((8, 0, 0), BASE.phi((8, 0, 0)))
    assert resolution == BASE.resolution
    assert [stage.channels for stage in stages] == [stage.channels for stage in BASE.stages]
    assert [stage.layers for stage in stages] == [1, 12, 8, 1]
    stages, resolution = BASE.scaled((0, 0, 8), BASE.phi((0, 0, 8)))
    assert stages == BASE.stages
    assert resolution > 1.8 * BASE.resolution


@given(st.sampled_from(ARCHS[1:]))
def test_every_direction_is_on_the_constraint(arch):
    direction = scaling_grid.direction_of(arch)
    assert sum(direction) == 1
    assert residual(*direction.coefficients) == pytest.approx(0)
    assert direction.dimensions == sum(n > 0 for n in arch)


def invented(rule):
    """A grid of trainings that nobody ran: accuracies by a rule, NaN for one that diverged."""
    accuracies = np.moveaxis([[rule(arch, seed) for arch in ARCHS] for seed in SEEDS], 2, 0)
    val, test = np.rint(np.nan_to_num(accuracies, nan=-1 / 4_000) * 4_000)
    arrays = {
        "archs": np.array(ARCHS),
        "macs": np.array([BASE.macs * 2 ** (sum(arch) // 4) for arch in ARCHS]),
        "val_correct": np.stack([np.full(val.shape, 1_000), val], axis=2),
        "test_correct": test,
    }
    return ScalingGrid(arrays, {"images": IMAGES, "base": dataclasses.asdict(BASE)})


def quality(arch, seed):
    """One peak at phi = 1, on (2, 1, 1); at phi = 3 width alone is best. Seeds differ by 0.01.

    The test accuracy is 0.05 lower.
    """
    doublings = sum(arch) / 4
    peak = np.array([2, 1, 1]) if doublings < 3 else np.array([0, 12, 0])
    val = 0.6 + 0.05 * doublings - 0.01 * np.abs(np.array(arch) - doublings * peak).sum()
    if doublings == 3:
        val = 0.8 - 0.01 * np.abs(np.array(arch) - peak).sum()
    val += 0.01 * (seed - 1)
    return val, val - 0.05


@pytest.fixture(scope="module")
def grid():
    return invented(quality)


def test_the_grid_search_finds_the_peak_and_the_path_leads_past_the_other(grid):
    best = grid_search(grid)[0]
    assert best.direction == (0.5, 0.25, 0.25)
    assert best.direction.coefficients == pytest.approx((2**0.5, 2**0.125, 2**0.125))
    assert best.mean == pytest.approx(0.65)
    assert best.scores == pytest.approx([0.64, 0.65, 0.66])
    assert best.test_scores == pytest.approx([0.59, 0.60, 0.61])
    assert grid_search(grid, 3)[0].direction == (0, 1, 0)
    steps = path(grid, best.direction)
    assert [step.macs_ratio for step in steps] == [1, 2, 4, 8]
    assert [step.mean for step in steps] == pytest.approx([0.6, 0.65, 0.7, 0.8 - 0.01 * 18])
    assert steps[0].direction == (0, 0, 0)
    assert steps[0].direction.coefficients == (1, 1, 1)
    assert len(grid.directions) == 15


@pytest.mark.parametrize("doublings", [1, 2, 3])
def test_searches_agree_with_a_plain_loop(grid, doublings):
    means = {
        tuple(arch): np.mean([quality(arch, seed)[0] for seed in SEEDS])
        for arch in ARCHS
        if sum(arch) == 4 * doublings
    }
    assert [c.mean for c in grid_search(grid, doublings)] == pytest.approx(
        sorted(means.values(), reverse=True), abs=1e-3
    )
    best = best_by_dimensions(grid, doublings)
    assert list(best) == [1, 2, 3]
    for dimensions, found in best.items():
        rivals = [m for arch, m in means.items() if np.count_nonzero(arch) == dimensions]
        assert found.direction.dimensions == dimensions
        assert found.mean == pytest.approx(max(rivals), abs=1e-3)


def test_a_diverged_network_comes_last():
    grid = invented(
        lambda arch, seed: (math.nan,) * 2 if arch == (4, 0, 0) and seed == 1 else (0.5, 0.5)
    )
    last = grid_search(grid)[-1]
    assert last.direction == (1, 0, 0)
    assert math.isnan(last.mean)
    assert np.isnan(last.scores).tolist() == [False, True, False]
    assert np.isnan(last.test_scores).tolist() == [False, True, False]
    assert grid.scores(0)[1, last.row] == 0.25
    assert best_by_dimensions(grid, 1)[1].mean == 0.5


def test_a_network_that_was_not_trained_is_explained(grid):
    with pytest.raises(ValueError, match="no network was trained for 4 doublings"):
        grid.row(Direction(1, 0, 0), 4)
    with pytest.raises(ValueError, match="the grid has 0 to 3"):
        grid_search(grid, 4)
