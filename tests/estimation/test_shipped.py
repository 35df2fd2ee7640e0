"""The result files that come with the kit: whole, small, and trained as their builders train."""

import json

import numpy as np
import pytest
from scipy import stats

from nas_lab import checks, nets
from nas_lab.data import FashionMNIST
from nas_lab.estimation import Table, building, proxies
from nas_lab.estimation.building_scaling_grid import TrainScaled, plan, recipe_of
from nas_lab.estimation.building_shortcuts import SEED, SHORTCUTS
from nas_lab.estimation.proxies.building import AllProxies
from nas_lab.estimation.scaling_grid import ScalingGrid
from nas_lab.estimation.shortcuts import ShortcutTable
from nas_lab.spaces import nasbench201

SPACE = nasbench201()
ARCHS = building.canonical_archs(SPACE)
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def table():
    return Table.load()


@pytest.fixture(scope="module")
def shortcuts():
    return ShortcutTable.load()


@pytest.fixture(scope="module")
def trained(table):
    """Accuracies of the architectures with three seeds, [3, n], and their rows."""
    accuracies = np.stack([table.scores(seed) for seed in SEEDS])
    rows = np.flatnonzero(~np.isnan(accuracies).any(axis=0))
    return accuracies[:, rows], rows


def noise(accuracies):
    """Standard deviation of one training around the mean of its architecture."""
    return np.sqrt(accuracies.var(axis=0, ddof=1).mean())


def test_every_architecture_is_there_and_500_have_three_seeds(table, trained):
    assert [tuple(arch) for arch in table.archs.tolist()] == ARCHS
    assert not np.isnan(table.scores(0)).any()
    assert not np.isnan(table.test_scores(0)).any()
    assert len(trained[1]) >= 500
    assert (table.seconds > 0).all()
    assert checks.dataset("fashion201.npz").stat().st_size < 4_000_000


def test_sizes_are_those_of_the_networks(table):
    for row in range(0, len(table), 997):
        net = nets.build(SPACE, tuple(table.archs[row].tolist()), table.skeleton)
        assert sum(p.numel() for p in net.parameters()) == table.params[row]


def test_two_seeds_rank_alike(trained):
    first, second, third = trained[0]
    for one, other in ((first, second), (first, third), (second, third)):
        assert stats.spearmanr(one, other).statistic >= 0.93


def test_validation_and_test_tell_the_same(table):
    """They differ by the sampling of images, and test images did not choose anything."""
    validation, test = table.scores(0), table.test_scores(0)
    n = table.about["images"]["test"]
    error = np.sqrt(2 * (validation * (1 - validation)).mean() / n)
    assert np.sqrt(np.mean((validation - test) ** 2)) < 3 * error
    assert stats.spearmanr(validation, test).statistic > 0.95


def test_trained_again_rows_come_out_within_the_noise(table, trained):
    accuracies, rows = trained
    record = building.default_record()
    assert building.recipe_of(record).items() <= dict(table.about).items()
    for row in rows[[7, 250, 421]]:
        arch = tuple(table.archs[row].tolist())
        again = record(arch, 0)
        assert again.score == pytest.approx(table(arch, 0).score, abs=4 * noise(accuracies))
        assert again.metrics["test"] == pytest.approx(table.test(arch), abs=4 * noise(accuracies))
        assert again.metrics["loss_4"] < again.metrics["loss_1"]


@pytest.mark.parametrize("name", SHORTCUTS)
def test_a_shortcut_trained_again_comes_out_within_the_noise(shortcuts, table, name):
    record = building.default_record()
    estimate = SHORTCUTS[name](record.estimate)
    assert shortcuts.names == tuple(SHORTCUTS)
    truth = [table(tuple(arch), 0).score for arch in shortcuts.archs.tolist()]
    lost = np.array(truth) - shortcuts.scores(name)
    arch = tuple(shortcuts.archs[11].tolist())
    again = estimate(arch, SEED)
    assert again.score == pytest.approx(shortcuts.scores(name)[11], abs=3 * lost.std())
    assert shortcuts.seconds(name).mean() < table.seconds.mean()


def test_proxies_computed_again_are_the_same(table):
    stored = proxies.ProxyTable.load()
    estimate = AllProxies(SPACE, table.skeleton, FashionMNIST(12, table.about["batch_size"]))
    for row in (100, 3_000, 6_400):
        again = estimate(tuple(stored.archs[row].tolist()), 0)
        for name in stored.names:
            assert again.metrics[name] == pytest.approx(stored.scores(name)[row], rel=0.02), name


@pytest.fixture(scope="module")
def grid():
    return ScalingGrid.load()


def test_every_scaled_network_is_there_with_three_seeds(grid):
    assert [tuple(arch) for arch in grid.archs.tolist()] == list(plan())
    assert grid.scores().shape == (3, len(plan()))
    assert not np.isnan(grid.scores()).any()
    recipe = json.loads(json.dumps(recipe_of(TrainScaled(), plan())))
    assert recipe.items() <= dict(grid.about).items()
    assert checks.dataset("scaling_grid.npz").stat().st_size < 100_000


def test_scaled_networks_have_the_sizes_that_are_written_down(grid):
    for row in range(0, len(grid.archs), 9):
        stages, _ = grid.network(row)
        net = nets.EfficientNet(stages, **grid.base.sizes)
        assert sum(p.numel() for p in net.parameters()) == grid.params[row]


@pytest.mark.parametrize("arch", [(0, 0, 0), (0, 4, 0), (1, 1, 2)])
def test_scaled_networks_trained_again_come_out_within_the_noise(grid, arch):
    row = [tuple(known) for known in grid.archs.tolist()].index(arch)
    again = TrainScaled()(arch, 0)
    assert again.score == pytest.approx(grid.scores()[0, row], abs=4 * noise(grid.scores()))
    assert again.metrics["test"] == pytest.approx(
        grid.test_scores()[0, row], abs=4 * noise(grid.test_scores())
    )
