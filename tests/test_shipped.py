"""The result files that come with the kit: whole, small, and made as their builders make them."""

import json

import numpy as np
import pytest
from scipy import stats

from nas_lab import checks, nets
from nas_lab.build import cells, darts_runs, one_shot_runs
from nas_lab.build.__main__ import JOBS
from nas_lab.build.scaling_grid import TrainScaled
from nas_lab.estimation import (
    DartsRuns,
    OneShotRuns,
    ProxyTable,
    ScalingGrid,
    ShortcutTable,
    Table,
    archives,
)
from nas_lab.spaces import nasbench201
from nas_lab.widgets import Rankings

SPACE = nasbench201()
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def table():
    return Table.load()


@pytest.fixture(scope="module")
def shortcuts():
    return ShortcutTable.load()


@pytest.fixture(scope="module")
def grid():
    return ScalingGrid.load()


@pytest.fixture(scope="module")
def supernets():
    return OneShotRuns.load()


@pytest.fixture(scope="module")
def searches():
    return DartsRuns.load()


@pytest.fixture(scope="module")
def trained(table):
    """Accuracies of the architectures with three seeds, [3, n], and their rows."""
    accuracies = np.stack([table.scores(seed) for seed in SEEDS])
    rows = np.flatnonzero(~np.isnan(accuracies).any(axis=0))
    return accuracies[:, rows], rows


def noise(accuracies):
    """Standard deviation of one training around the mean of its architecture."""
    return np.sqrt(accuracies.var(axis=0, ddof=1).mean())


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("fashion201", 4_000_000),
        ("fashion201_proxies", 4_000_000),
        ("fashion201_shortcuts", 100_000),
        ("scaling_grid", 100_000),
        ("one_shot_runs", 300_000),
        ("darts_runs", 400_000),
    ],
)
def test_it_is_small_and_made_by_this_recipe(name, size):
    path = checks.dataset(f"{name}.npz")
    assert path.stat().st_size < size
    recipe = json.loads(json.dumps(JOBS[name]().recipe))
    assert recipe.items() <= archives.read(path)[1].items()


# ---- whole ---------------------------------------------------------------------------------------


def test_every_architecture_is_there_and_500_have_three_seeds(table, trained):
    assert [tuple(arch) for arch in table.archs.tolist()] == list(cells.ARCHS)
    assert not np.isnan(table.scores(0)).any()
    assert not np.isnan(table.test_scores(0)).any()
    assert len(trained[1]) >= 500
    assert (table.seconds > 0).all()


def test_sizes_are_those_of_the_networks(table, grid):
    for row in range(0, len(table), 997):
        net = nets.build(SPACE, tuple(table.archs[row].tolist()), table.skeleton)
        assert sum(p.numel() for p in net.parameters()) == table.params[row]
    for row in range(0, len(grid), 9):
        net = nets.EfficientNet(grid.network(row)[0], **grid.base.sizes)
        assert sum(p.numel() for p in net.parameters()) == grid.params[row]


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


def test_shortcuts_are_cheaper(shortcuts, table):
    assert shortcuts.names == tuple(cells.SHORTCUTS)
    for name in shortcuts.names:
        assert shortcuts.seconds(name).mean() < table.seconds.mean()


def test_every_scaled_network_is_there_with_three_seeds(grid):
    assert grid.scores().shape == (3, 46)
    assert not np.isnan(grid.scores()).any()


def test_supernets_were_evaluated_everywhere(supernets):
    plan = one_shot_runs.PLAN
    assert [tuple(arch) for arch in supernets.archs.tolist()] == list(plan.archs)
    for name in one_shot_runs.METHODS:
        scores, seconds = supernets.scores(name), supernets.seconds(name)
        assert scores.shape == (len(plan.seeds), len(plan.steps), len(plan.archs))
        assert ((scores >= 0) & (scores <= 1)).all()
        assert (np.diff(seconds, axis=1) > 0).all()


def test_supernets_rank_and_what_spoils_the_ranking_does(supernets, table):
    methods = Rankings.of(table, supernets).methods
    last = {name: methods[name].tau[:, -1] for name in supernets.names}
    assert last["uniform"].mean() > 0.6
    assert methods["uniform"].tau[:, 0].mean() < last["uniform"].mean()
    assert last["learnt scales"].max() < last["uniform"].min()
    assert last["averaged statistics"].max() < last["uniform"].min()


def test_searches_chose_architectures(searches):
    for images in searches.images:
        for name in searches.names:
            assert (searches.seconds(name, images) > 0).all()
            assert all(tuple(arch) in SPACE for arch in searches.chosen(name, images).tolist())


@pytest.mark.parametrize("name", ["first order", "second order", "joint", "Gumbel"])
def test_weights_are_shares_that_move_slowly(searches, name):
    w = searches.w(name)
    assert w.shape == (6, len(searches.steps), 6, 5)
    np.testing.assert_allclose(w.sum(axis=3), 1, atol=5e-3)
    # A step of Adam moves a parameter by little more than its rate.
    assert np.abs(np.diff(np.log(np.fmax(w, 0.02)), axis=1)).max() < 1.0


def test_few_images_cost_accuracy(searches, table):
    """The collapse: what notebook 05 shows."""
    scores = table.scores()
    many, few = (
        np.median([scores[table.row(tuple(a))] for a in searches.chosen("first order", n).tolist()])
        for n in searches.images
    )
    assert many > np.quantile(scores, 0.9)
    assert few < many - 0.02


# ---- trained again -------------------------------------------------------------------------------


def test_a_row_trained_again_comes_out_within_the_noise(table, trained):
    accuracies, rows = trained
    arch = tuple(table.archs[rows[421]].tolist())
    again = cells.Record(cells.ESTIMATE)(arch, 0)
    assert again.score == pytest.approx(table(arch, 0).score, abs=4 * noise(accuracies))
    assert again.metrics["test"] == pytest.approx(table.test(arch), abs=4 * noise(accuracies))
    assert again.metrics["loss_4"] < again.metrics["loss_1"]


@pytest.mark.parametrize("name", cells.SHORTCUTS)
def test_a_shortcut_trained_again_comes_out_within_the_noise(shortcuts, table, name):
    truth = [table(tuple(arch), 0).score for arch in shortcuts.archs.tolist()]
    lost = np.array(truth) - shortcuts.scores(name)
    arch = tuple(shortcuts.archs[11].tolist())
    again = cells.SHORTCUTS[name](cells.ESTIMATE)(arch, shortcuts.seed)
    assert again.score == pytest.approx(shortcuts.scores(name)[11], abs=3 * lost.std())


def test_proxies_computed_again_are_the_same(table):
    stored = ProxyTable.load()
    estimate = cells.proxies().units[0].estimate
    for row in (100, 3_000, 6_400):
        again = estimate(tuple(stored.archs[row].tolist()), 0)
        for name in stored.names:
            assert again.metrics[name] == pytest.approx(stored.scores(name)[row], rel=0.02), name


def test_a_scaled_network_trained_again_comes_out_within_the_noise(grid):
    row = 0
    again = TrainScaled()(tuple(grid.archs[row].tolist()), 0)
    assert again.score == pytest.approx(grid.scores()[0, row], abs=4 * noise(grid.scores()))
    assert again.metrics["test"] == pytest.approx(
        grid.test_scores()[0, row], abs=4 * noise(grid.test_scores())
    )


def test_a_supernet_trained_again_comes_out_within_the_noise(supernets):
    """Another machine adds in another order, so it may differ as much as another seed does."""
    plan = one_shot_runs.Plan(cells.SAMPLE[:20])
    one_shot = one_shot_runs.METHODS["uniform"].one_shot(plan, 0)
    for step in one_shot.train(steps=plan.steps[-1]):
        if step.number == plan.steps[0]:
            break
    again = np.array([one_shot.estimator()(arch, 0).score for arch in plan.archs])
    stored = supernets.scores("uniform")[:, 0, :20]
    between = np.sqrt(np.mean((stored[0] - stored[1]) ** 2))
    assert np.sqrt(np.mean((again - stored[0]) ** 2)) < 1.5 * between
    assert stats.kendalltau(again, stored[0])[0] > 0.5


def test_run_again_a_search_begins_the_same_way(searches):
    """Another machine adds in another order; after a few steps that is still unseen."""
    plan = darts_runs.PLAN
    darts = darts_runs.METHODS[0].darts(plan, plan.data[1], 0)
    for step in darts.train(steps=plan.steps):
        if step.number == plan.kept[1]:
            break
    np.testing.assert_allclose(step.w, searches.w("first order", 1_000)[0, 1], atol=0.02)
