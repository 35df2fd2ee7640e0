"""The scaling study: what is planned, trained, kept and read, and what is asked of it."""

import json
import math
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas_lab.checks import DamagedFileError
from nas_lab.data import FashionMNIST
from nas_lab.estimation import archives
from nas_lab.estimation.building_scaling_grid import (
    BASE,
    SEEDS,
    TrainScaled,
    build,
    history_of,
    main,
    plan,
    recipe_of,
)
from nas_lab.estimation.scaling_grid import (
    Base,
    Direction,
    ScalingGrid,
    best_by_dimensions,
    direction_of,
    grid_search,
    path,
)
from nas_lab.history import Evaluation
from nas_lab.nets import EfficientNet
from nas_lab.scaling import Stage, budget, residual
from nas_lab.training import Recipe, evaluate, train

ARCHS = plan()
TINY = Base((Stage("conv", 2, stride=2), Stage("mbconv", 3, layers=2, expansion=2)), 8)
REAL = TrainScaled(TINY, Recipe(epochs=2), batch_size=64, images=200)
THREE = ((0, 0, 0), (4, 0, 0), (0, 2, 2))


@dataclass(frozen=True)
class Invented:
    """Trainings that nobody ran: accuracy by a rule, one of them diverged."""

    rule: object
    base: Base = BASE
    recipe: Recipe = REAL.recipe
    batch_size: int = 64

    def __call__(self, arch, seed):
        sizes = {"phi": 1.25, "params": 7, "macs": self.base.macs * 2 ** (sum(arch) // 4)}
        val, test = self.rule(arch, seed)
        if math.isnan(val):
            return Evaluation(val, 2.0, {**sizes, "val_1": 0.25, "loss_1": 2.5})
        measured = {"val_1": val / 2, "val_2": val, "loss_1": 2.5, "loss_2": 1.5, "test": test}
        return Evaluation(val, 3.0, {**sizes, **measured})

    def data(self, resolution):
        return FashionMNIST(resolution, self.batch_size, images=200)


def invented(folder, rule, **options):
    build(Invented(rule), ARCHS, folder / "parts", folder / "grid.npz", **options)
    return ScalingGrid.load(folder / "grid.npz")


# ---- the plan ------------------------------------------------------------------------------------


def test_the_plan_is_every_way_to_share_out_1_2_and_3_doublings_in_quarters():
    assert ARCHS[0] == (0, 0, 0)
    for doublings in (1, 2, 3):
        found = {arch for arch in ARCHS if sum(arch) == 4 * doublings}
        by_hand = {
            tuple(doublings * n for n in (a, b, 4 - a - b)) for a in range(5) for b in range(5 - a)
        }
        assert found == by_hand
        assert len(found) == 15
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
    direction = direction_of(arch)
    assert sum(direction) == 1
    assert residual(*direction.coefficients) == pytest.approx(0)
    assert direction.dimensions == sum(n > 0 for n in arch)


# ---- training ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grid")
    build(REAL, THREE, folder / "parts", folder / "grid.npz", seeds=(0, 1))
    return folder


def test_what_was_trained_is_read_back(real):
    """Trained again here, by hand, from the network that the grid describes."""
    grid = ScalingGrid.load(real / "grid.npz")
    row, seed = 2, 1
    stages, resolution = grid.network(row)
    net = EfficientNet(stages, in_channels=1, classes=10, dropout=0, drop_depth=0, seed=seed)
    data = FashionMNIST(resolution, 64, images=200)
    curve = train(net, data, Recipe(epochs=2), seed=seed, device="cpu", num_threads=1)
    assert [grid.scores(epoch)[seed, row] for epoch in (0, 1)] == list(curve.val_accuracy)
    assert grid.train_loss[seed, row] == pytest.approx(curve.train_loss, rel=1e-3)
    assert grid.test_scores()[seed, row] == evaluate(net, data.test_dataloader())
    assert grid.params[row] == sum(p.numel() for p in net.parameters())
    assert grid.scores().shape == grid.seconds.shape == (2, len(grid)) == (2, 3)
    assert (grid.seconds > 0).all()
    assert grid.base == TINY
    assert grid.doublings.tolist() == [0, 1, 1]


def test_counted_and_stored_sizes_agree(real):
    grid = ScalingGrid.load(real / "grid.npz")
    for row in range(len(grid)):
        size = budget(*grid.network(row), in_channels=1, classes=10)
        assert (size.params, size.macs) == (grid.params[row], grid.macs[row])


def test_a_build_goes_on_where_it_stopped(real, tmp_path):
    for seed in (0, 1):
        whole = history_of(seed, real / "parts").path.read_bytes()
        kept = history_of(seed, tmp_path).path
        kept.write_bytes(b"".join(whole.splitlines(keepends=True)[: 2 + seed]))
    build(REAL, THREE, tmp_path, tmp_path / "grid.npz", seeds=(0, 1))
    one, two = (ScalingGrid.load(folder / "grid.npz") for folder in (real, tmp_path))
    assert np.array_equal(one.scores(), two.scores())
    assert np.array_equal(one.test_scores(), two.test_scores())
    lines = history_of(0, tmp_path).path.read_text().splitlines()[1:]
    assert sorted(json.loads(line)["id"] for line in lines) == [0, 1, 2]


def test_nothing_is_trained_twice(real):
    class Never(TrainScaled):
        def __call__(self, arch, seed):
            raise AssertionError("trained again")

    never = Never(TINY, REAL.recipe, batch_size=64, images=200)
    build(never, THREE, real / "parts", real / "again.npz", seeds=(0, 1))
    assert (real / "again.npz").read_bytes() == (real / "grid.npz").read_bytes()


def test_an_interrupt_is_no_result(monkeypatch):
    """Half a training is not kept: what is raised goes on."""

    def step(self, batch):
        raise KeyboardInterrupt

    monkeypatch.setattr("nas_lab.training.Classifier.training_step", step)
    with pytest.raises(KeyboardInterrupt, match="was interrupted"):
        REAL((0, 0, 0), 0)


def test_a_training_that_diverges_scores_nan(monkeypatch):
    def step(self, batch):
        return self.net(batch[0]).sum() * torch.nan

    monkeypatch.setattr("nas_lab.training.Classifier.training_step", step)
    result = REAL((0, 0, 0), 0)
    assert math.isnan(result.score)
    assert "test" not in result.metrics


def test_workers_change_nothing(tmp_path):
    def rule(arch, seed):
        return (np.random.default_rng([seed, *arch]).integers(0, 4001) / 4000, 0.5)

    alone = invented(tmp_path / "1", rule)
    with ThreadPoolExecutor(2) as pool:
        two = invented(tmp_path / "2", rule, executor=pool)
    assert alone.about["sha256"] == two.about["sha256"]


def test_the_command_goes_on_with_what_is_there(tmp_path, capsys):
    """Everything is, so it only writes."""
    invented(tmp_path, quality)
    output = tmp_path / "shipped.npz"
    assert main(["build", "--parts", str(tmp_path / "parts"), "--output", str(output)]) == 0
    assert capsys.readouterr().out == f"{output}: written\n"
    grid = ScalingGrid.load(output)
    assert grid.about["recipe"]["epochs"] == TrainScaled().recipe.epochs
    assert grid.base == BASE


def test_the_estimate_travels_to_workers():
    assert pickle.loads(pickle.dumps(REAL)) == REAL


def test_another_recipe_has_another_fingerprint():
    others = [TrainScaled(TINY), TrainScaled(recipe=Recipe(epochs=5)), TrainScaled(batch_size=64)]
    recipes = [recipe_of(estimate, ARCHS) for estimate in (TrainScaled(), *others)]
    assert len({json.dumps(recipe, sort_keys=True) for recipe in recipes}) == 4
    assert recipes[0]["seeds"] == list(SEEDS)


# ---- reading -------------------------------------------------------------------------------------


def test_a_damaged_or_foreign_file_is_refused(real, tmp_path):
    content = bytearray((real / "grid.npz").read_bytes())
    for place in range(len(content) // 4, len(content) // 2):  # more than a file's date in the zip
        content[place] ^= 1
    (tmp_path / "bad.npz").write_bytes(bytes(content))
    archives.write(tmp_path / "other.npz", {"archs": np.zeros(3)}, {"fingerprint": "0"})
    for name in ("bad", "other"):
        with pytest.raises(DamagedFileError):
            ScalingGrid.load(tmp_path / f"{name}.npz")


def test_a_network_that_was_not_trained_is_explained(real):
    grid = ScalingGrid.load(real / "grid.npz")
    with pytest.raises(ValueError, match="no network was trained for 2 doublings"):
        grid.row(Direction(1, 0, 0), 2)
    with pytest.raises(ValueError, match="the grid has 0 to 1"):
        grid_search(grid, 2)


# ---- questions -----------------------------------------------------------------------------------


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
def grid(tmp_path_factory):
    return invented(tmp_path_factory.mktemp("grid"), quality)


def test_the_grid_search_finds_the_peak_and_the_path_leads_past_the_other(grid):
    best = grid_search(grid)[0]
    assert best.direction == (0.5, 0.25, 0.25)
    assert best.coefficients == pytest.approx((2**0.5, 2**0.125, 2**0.125))
    assert best.mean == pytest.approx(0.65)
    assert best.scores == pytest.approx([0.64, 0.65, 0.66])
    assert best.test_scores == pytest.approx([0.59, 0.60, 0.61])
    assert grid_search(grid, 3)[0].direction == (0, 1, 0)
    steps = path(grid, best.direction)
    assert [step.doublings for step in steps] == [0, 1, 2, 3]
    assert [step.macs_ratio for step in steps] == [1, 2, 4, 8]
    assert [step.mean for step in steps] == pytest.approx([0.6, 0.65, 0.7, 0.8 - 0.01 * 18])
    assert steps[0].direction is None
    assert steps[0].coefficients == (1, 1, 1)


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


def test_directions_are_the_fifteen(grid):
    assert len(grid.directions) == 15
    assert {d.dimensions for d in grid.directions} == {1, 2, 3}


def test_a_diverged_network_comes_last(tmp_path):
    def rule(arch, seed):
        return (math.nan, math.nan) if arch == (4, 0, 0) and seed == 1 else (0.5, 0.5)

    grid = invented(tmp_path, rule)
    last = grid_search(grid)[-1]
    assert last.direction == (1, 0, 0)
    assert math.isnan(last.mean)
    assert np.isnan(last.scores).tolist() == [False, True, False]
    assert np.isnan(last.test_scores).tolist() == [False, True, False]
    assert grid.scores(0)[1, last.row] == 0.25
    assert best_by_dimensions(grid, 1)[1].mean == 0.5
