"""The result files that come with the kit: whole, small, and made as their builders make them."""

import json

import numpy as np
import pytest
from scipy import stats

from nas_lab import checks, devices, nets
from nas_lab.build import networks, supernets
from nas_lab.build.__main__ import JOBS
from nas_lab.estimation.scaling_grid import ScalingGrid
from nas_lab.estimation.tables import (
    DartsRuns,
    OneShotRuns,
    ProxyTable,
    ShortcutTable,
    Table,
    TransformerGrid,
    TransformerRuns,
    read,
)
from nas_lab.spaces import nasbench201, transformer_blocks
from nas_lab.widgets import Rankings
from tools import replacement

SPACE = nasbench201()
TABLE, SHORTCUTS, GRID = Table.load(), ShortcutTable.load(), ScalingGrid.load()
TRANSFORMERS = TransformerGrid.load()
SLICES = TransformerRuns.load()
SUPERNETS, SEARCHES = OneShotRuns.load(), DartsRuns.load()
TRAINED = np.stack([TABLE.scores(seed) for seed in (0, 1, 2)])
ROWS = np.flatnonzero(~np.isnan(TRAINED).any(axis=0))
"""Of the architectures that were trained with three seeds."""


def noise(accuracies):
    """Standard deviation of one training around the mean of its architecture."""
    return np.sqrt(accuracies.var(axis=0, ddof=1).mean())


@pytest.mark.parametrize("name", JOBS)
def test_it_is_small_and_made_by_this_recipe(name):
    path = checks.dataset(f"{name}.npz")
    assert path.stat().st_size < (4_000_000 if name.startswith("fashion201") else 400_000)
    recipe = json.loads(json.dumps(JOBS[name]().recipe))
    assert recipe.items() <= read(path)[1].items()


# ---- whole ---------------------------------------------------------------------------------------


def test_every_architecture_is_there_and_500_have_three_seeds():
    assert [tuple(arch) for arch in TABLE.archs.tolist()] == list(networks.ARCHS)
    assert not np.isnan(TABLE.scores(0)).any()
    assert not np.isnan(TABLE.test_scores(0)).any()
    assert len(ROWS) >= 500
    assert (TABLE.seconds > 0).all()
    assert GRID.scores().shape == (3, 46)
    assert not np.isnan(GRID.scores()).any()
    assert TRANSFORMERS.scores().shape == (3, len(TransformerGrid.SPACE)) == (3, 81)
    assert [tuple(arch) for arch in TRANSFORMERS.archs.tolist()] == list(TransformerGrid.SPACE)
    assert not np.isnan(TRANSFORMERS.scores()).any()


def test_sizes_are_those_of_the_networks():
    for row in range(0, len(TABLE), 997):
        net = nets.build(SPACE, tuple(TABLE.archs[row].tolist()), TABLE.skeleton)
        assert sum(p.numel() for p in net.parameters()) == TABLE.params[row]
    for row in range(0, len(GRID), 9):
        net = nets.EfficientNet(GRID.network(row)[0], **GRID.base.sizes)
        assert sum(p.numel() for p in net.parameters()) == GRID.params[row]


def test_two_seeds_rank_alike():
    first, second, third = TRAINED[:, ROWS]
    for one, other in ((first, second), (first, third), (second, third)):
        assert stats.spearmanr(one, other).statistic >= 0.93


def test_validation_and_test_tell_the_same():
    """They differ by the sampling of images, and test images did not choose anything."""
    validation, test = TABLE.scores(0), TABLE.test_scores(0)
    n = TABLE.about["images"]["test"]
    error = np.sqrt(2 * (validation * (1 - validation)).mean() / n)
    assert np.sqrt(np.mean((validation - test) ** 2)) < 3 * error
    assert stats.spearmanr(validation, test).statistic > 0.95


def test_shortcuts_are_cheaper_and_supernets_were_evaluated_everywhere():
    assert SHORTCUTS.names == tuple(networks.SHORTCUTS)
    for name in SHORTCUTS.names:
        assert SHORTCUTS.seconds(name).mean() < TABLE.seconds.mean()
    plan = supernets.ONE_SHOT_PLAN
    assert [tuple(arch) for arch in SUPERNETS.archs.tolist()] == list(plan.archs)
    for name in supernets.TRAININGS:
        scores, seconds = SUPERNETS.scores(name), SUPERNETS.seconds(name)
        assert scores.shape == (len(plan.seeds), len(plan.steps), len(plan.archs))
        assert ((scores >= 0) & (scores <= 1)).all()
        assert (np.diff(seconds, axis=1) > 0).all()


def test_supernets_rank_and_what_spoils_the_ranking_does():
    methods = Rankings.of(TABLE, SUPERNETS).methods
    last = {name: methods[name].tau[:, -1] for name in SUPERNETS.names}
    assert last["uniform"].mean() > 0.6
    assert methods["uniform"].tau[:, 0].mean() < last["uniform"].mean()
    assert last["learnt scales"].max() < last["uniform"].min()
    assert last["averaged statistics"].max() < last["uniform"].min()


def test_slices_rank_better_than_parameters():
    """What notebook 10 says; the promise is 0.65 after a minute on one core."""
    truth = TRANSFORMERS.scores().mean(axis=0)
    counted = stats.kendalltau(TRANSFORMERS.params, truth)[0]
    for name in supernets.SLICES:
        assert (SLICES.seconds(name) < 60).all()
        tau = [stats.kendalltau(scores, truth)[0] for scores in SLICES.scores(name)[:, -1]]
        assert min(tau) > max(0.65, counted)


def test_blocks_were_replaced_as_the_notebook_does_it():
    """Its functions have not changed since; its program finds the best of all 8,000 choices."""
    kept = json.loads(checks.dataset("transformer_blocks.json").read_text("utf-8"))
    functions, code = replacement.page()
    assert kept["code"] == code
    assert [run["seed"] for run in kept["runs"]] == list(replacement.SEEDS)
    space, skeleton = transformer_blocks(), TRANSFORMERS.skeleton
    chosen = replacement.run(functions)["chosen"]
    archs = np.array(list(space))
    took = devices.latencies(space, archs, skeleton, "stm32f746") / 1e-6
    for run in kept["runs"]:
        for found in run["found"]:
            (row,) = np.flatnonzero((archs == found["arch"]).all(axis=1))
            assert found["latency"] == pytest.approx(took[row] / took.max(), abs=0.01)
            assert found["latency"] <= found["share"]
    rng, rows = np.random.default_rng(0), np.arange(archs.shape[1])
    rises, seconds = rng.random((2, *space.mask.shape))
    limit = np.median(seconds[rows, archs].sum(axis=1))
    within = archs[seconds[rows, archs].sum(axis=1) <= limit]
    best = within[rises[rows, within].sum(axis=1).argmin()]
    assert chosen(rises, seconds, limit) == tuple(best)
    with pytest.raises(ValueError, match="nothing stays within 0: the quickest needs"):
        chosen(rises, seconds, 0.0)


def test_searches_chose_architectures_by_weights_that_move_slowly():
    for images in SEARCHES.images:
        for name in SEARCHES.names:
            assert (SEARCHES.seconds(name, images) > 0).all()
            assert all(tuple(arch) in SPACE for arch in SEARCHES.chosen(name, images).tolist())
    for name in ("first order", "second order", "joint", "Gumbel"):
        w = SEARCHES.w(name)
        assert w.shape == (6, len(SEARCHES.steps), 6, 5)
        np.testing.assert_allclose(w.sum(axis=3), 1, atol=5e-3)
        # A step of Adam moves a parameter by little more than its rate.
        assert np.abs(np.diff(np.log(np.fmax(w, 0.02)), axis=1)).max() < 1.0


def test_few_images_cost_accuracy():
    """The collapse: what notebook 05 shows."""
    scores = TABLE.scores()
    many, few = (
        np.median([scores[TABLE.row(tuple(a))] for a in SEARCHES.chosen("first order", n).tolist()])
        for n in SEARCHES.images
    )
    assert many > np.quantile(scores, 0.9)
    assert few < many - 0.02


# ---- trained again -------------------------------------------------------------------------------


def test_a_row_trained_again_comes_out_within_the_noise():
    arch = tuple(TABLE.archs[ROWS[421]].tolist())
    again = networks.recorded(networks.ESTIMATE, arch, 0)
    assert again.score == pytest.approx(TABLE(arch, 0).score, abs=4 * noise(TRAINED[:, ROWS]))
    assert again.metrics["test"] == pytest.approx(TABLE.test(arch), abs=4 * noise(TRAINED[:, ROWS]))
    assert again.metrics["loss_4"] < again.metrics["loss_1"]


def test_a_shortcut_trained_again_comes_out_within_the_noise():
    name = "1250 images"
    truth = [TABLE(tuple(arch), 0).score for arch in SHORTCUTS.archs.tolist()]
    lost = np.array(truth) - SHORTCUTS.scores(name)
    arch = tuple(SHORTCUTS.archs[11].tolist())
    again = networks.SHORTCUTS[name](networks.ESTIMATE)(arch, SHORTCUTS.seed)
    assert again.score == pytest.approx(SHORTCUTS.scores(name)[11], abs=3 * lost.std())


def test_proxies_computed_again_are_the_same():
    stored = ProxyTable.load()
    estimate = networks.proxies().units[0].estimate
    for row in (100, 6_400):
        again = estimate(tuple(stored.archs[row].tolist()), 0)
        for name in stored.names:
            assert again.metrics[name] == pytest.approx(stored.scores(name)[row], rel=0.02), name


def test_a_scaled_network_trained_again_comes_out_within_the_noise():
    row = 0
    again = networks.TrainScaled()(tuple(GRID.archs[row].tolist()), 0)
    for found, stored in (
        (again.score, GRID.scores()),
        (again.metrics["test"], GRID.test_scores()),
    ):
        assert found == pytest.approx(stored[0, row], abs=4 * noise(stored))


def test_a_transformer_trained_again_comes_out_within_the_noise():
    again = networks.recorded(networks.TRANSFORMERS, tuple(TRANSFORMERS.archs[0].tolist()), 0)
    stored, tested = TRANSFORMERS.scores(), TRANSFORMERS.test_scores()
    assert again.score == pytest.approx(stored[0, 0], abs=4 * noise(stored))
    assert again.metrics["test"] == pytest.approx(tested[0, 0], abs=4 * noise(tested))


def test_a_supernet_trained_again_comes_out_within_the_noise():
    """Another machine adds in another order, so it may differ as much as another seed does."""
    plan = supernets.OneShotPlan(networks.SAMPLE[:20])
    one_shot = supernets.TRAININGS["uniform"].one_shot(plan, 0)
    for step in one_shot.train(steps=plan.steps[-1]):
        if step.number == plan.steps[0]:
            break
    again = np.array([one_shot.estimator()(arch, 0).score for arch in plan.archs])
    stored = SUPERNETS.scores("uniform")[:, 0, :20]
    between = np.sqrt(np.mean((stored[0] - stored[1]) ** 2))
    assert np.sqrt(np.mean((again - stored[0]) ** 2)) < 1.5 * between
    assert stats.kendalltau(again, stored[0])[0] > 0.5


def test_slices_trained_again_come_out_within_the_noise():
    name, plan = "sandwich, distilled", supernets.SLICES_PLAN
    one_shot = supernets.SLICES[name].one_shot(plan, plan.seeds[0])
    for step in one_shot.train(steps=plan.steps[-1] // 4):
        if step.number == plan.steps[0] // 4:
            break
    again = [one_shot.estimator()(arch, plan.seeds[0]).score for arch in plan.archs]
    stored = SLICES.scores(name)[:, 0]
    between = np.sqrt(np.mean((stored[0] - stored[1]) ** 2))
    assert np.sqrt(np.mean((again - stored[0]) ** 2)) < 1.5 * between
    assert stats.kendalltau(again, stored[0])[0] > 0.5


def test_run_again_a_search_begins_the_same_way():
    """Another machine adds in another order; after a few steps that is still unseen."""
    plan = supernets.DARTS_PLAN
    darts = supernets.METHODS[0].darts(plan, plan.data[1], 0)
    for step in darts.train(steps=plan.steps):
        if step.number == plan.kept[1]:
            break
    np.testing.assert_allclose(step.w, SEARCHES.w("first order", 1_000)[0, 1], atol=0.02)
