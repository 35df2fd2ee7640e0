"""A build of any stored result can be stopped anywhere, shared out and resumed; nothing is lost."""

import math
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from torch.nn import functional

from nas_lab import estimation, nets
from nas_lab.build import __main__ as command
from nas_lab.build import networks, supernets
from nas_lab.data import FashionMNIST
from nas_lab.estimation import TrainFromScratch, fewer_epochs, fewer_images, proxies, tables
from nas_lab.estimation.scaling_grid import Base
from nas_lab.estimation.weight_sharing import BATCH, AveragedStatistics
from nas_lab.scaling import Stage, budget
from nas_lab.spaces import Skeleton, nasbench201, transformer
from nas_lab.strategies import Darts, OneShot, Sandwich
from nas_lab.strategies.darts import SHORT
from nas_lab.strategies.darts_variants import GumbelDarts, perturbation, too_many_skips
from nas_lab.training import AdamRecipe, Recipe, evaluate, train

ROOT = Path(__file__).parents[1]
SPACE = nasbench201()
ARCHS = list(networks.ARCHS)
SKELETON = Skeleton(channels=2, cells=1, stages=1, stem_stride=2, resolution=8, in_channels=1)
DATA = FashionMNIST(8, 100, images=200)
FULL = TrainFromScratch(SPACE, SKELETON, DATA, Recipe(epochs=2))
SHORT_ARCHS = tuple(ARCHS[100:103])
SOME = {0: ARCHS[100:103], 1: ARCHS[101:103]}
PROXY_DATA = FashionMNIST(8, 16, images=160)
SHORTCUTS = {"100 images": partial(fewer_images, images=100)}
SHORTCUTS["1 epoch"] = partial(fewer_epochs, epochs=1)
BASE = Base((Stage("conv", 2, stride=2), Stage("mbconv", 3, layers=2, expansion=2)), 8)
SCALED = networks.TrainScaled(BASE, Recipe(epochs=2), batch_size=100, images=200)
DIRECTIONS = ((0, 0, 0), (4, 0, 0), (0, 2, 2))
SMALL_TRANSFORMERS = TrainFromScratch(transformer(), SKELETON, DATA, AdamRecipe(epochs=2))
LITTLE = ((0, 0, 0, 0), (0, 1, 2, 0))
ONE_SHOT = supernets.OneShotPlan(SHORT_ARCHS, (5, 10), SKELETON, DATA, seeds=(0, 3))
SLICED = supernets.OneShotPlan(LITTLE, (4, 8), SKELETON, DATA, (1,), transformer())
METHODS = {name: supernets.TRAININGS[name] for name in ("uniform", "fair")}
IMAGES = tuple(FashionMNIST(8, 16, images=images) for images in (200, 80))
DARTS = supernets.DartsPlan(6, 2, SKELETON, IMAGES, seeds=(0, 3), paths=4, candidates=3)


def at_once(darts):
    return True


SEARCHES = (
    supernets.Gradient(
        "first order",
        rules={
            "never": partial(partial, too_many_skips, limit=7),
            "at once": partial(partial, at_once),
        },
        selections={"perturbation": partial(perturbation, tune=0, images=20)},
    ),
    supernets.Gradient("Gumbel", GumbelDarts),
    supernets.SinglePath(),
)
TINY = {
    "fashion201": partial(networks.table, FULL, SOME),
    "fashion201_proxies": partial(networks.proxies, SKELETON, PROXY_DATA, SOME),
    "fashion201_shortcuts": partial(networks.shortcuts, FULL, SHORT_ARCHS, SHORTCUTS),
    "scaling_grid": partial(networks.scaling_grid, SCALED, DIRECTIONS, (0, 1)),
    "transformer_grid": partial(networks.transformer_grid, SMALL_TRANSFORMERS, LITTLE, (0, 1)),
    "one_shot_runs": partial(supernets.one_shot_runs, ONE_SHOT, METHODS),
    "transformer_runs": partial(supernets.one_shot_runs, SLICED, supernets.SLICES),
    "darts_runs": partial(supernets.darts_runs, DARTS, SEARCHES),
}
"""Jobs of each kind, small enough to be done for real in a second or two."""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder where every tiny job was done, alone and at once."""
    folder = tmp_path_factory.mktemp("built")
    for name, job in TINY.items():
        job().run(folder / name, folder / f"{name}.npz")
    return folder


def kept(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*.*"))}


def assert_same(one, two):
    """The same numbers, seconds aside."""
    (ours, about), (theirs, other) = tables.read(one), tables.read(two)
    assert list(ours) == list(theirs)
    for name in set(ours) - {"seconds", "thread_seconds"}:
        np.testing.assert_array_equal(ours[name], theirs[name])
    assert {**about, "sha256": ""} == {**other, "sha256": ""}


# ---- stopped, resumed, shared out ----------------------------------------------------------------


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.test_build import TINY

folder, writes = Path(sys.argv[1]), 0

def killed_at(goal):
    def hook(event, arguments):
        global writes
        if event == "open" and str(arguments[0]).startswith(str(folder)) and arguments[1] != "rb":
            writes += 1
            if writes == goal:
                os.kill(os.getpid(), signal.SIGKILL)
    return hook

for name in sys.argv[2:]:
    job = TINY[name]
    for goal in (3, 99):
        child = os.fork()
        if not child:
            sys.addaudithook(killed_at(goal))
            job().run(folder / name, folder / f"{name}.npz")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(name, goal, os.waitstatus_to_exitcode(status))
"""


def test_killed_and_resumed_a_job_comes_to_the_same_end(built, tmp_path):
    names = ["fashion201", "one_shot_runs", "darts_runs"]
    command = [sys.executable, "-W", "error", "-c", KILLED, str(tmp_path), *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ends = [line.split() for line in done.stdout.splitlines()]
    assert ends == [[n, g, e] for n in names for g, e in (("3", "-9"), ("99", "0"))]
    for name in names:
        assert_same(tmp_path / f"{name}.npz", built / f"{name}.npz")
        assert sorted(kept(tmp_path / name)) == sorted(kept(built / name))
        for path in (tmp_path / name).rglob("*.jsonl"):
            ids = [line.split(b",")[0] for line in path.read_bytes().splitlines()]
            assert len(ids) == len(set(ids))


def test_processes_and_a_dask_cluster_do_the_same(built, tmp_path):
    """One job whose workers share its units, and one whose units go to a worker as a whole."""
    from dask.distributed import LocalCluster

    options = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": "127.0.0.1:0"}
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        LocalCluster(processes=False, protocol="tcp://", **options) as cluster,
        command.open_executor(1, cluster.scheduler_address) as dask,
    ):
        for name in ("fashion201", "one_shot_runs"):
            for executor in (pool, dask):
                parts, output = tmp_path / f"{name}{id(executor)}", tmp_path / "file.npz"
                TINY[name]().run(parts, output, executor=executor)
                assert_same(output, built / f"{name}.npz")


def test_units_are_sent_to_workers_without_images():
    for job in TINY.values():
        for unit in job().units:
            assert len(pickle.dumps(unit)) < 20_000
    for unit in supernets.darts_runs().units[:9]:
        assert pickle.loads(pickle.dumps(unit)).method.names == unit.method.names


# ---- the command ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TINY)
def test_the_command_goes_on_with_what_is_there(name, built, tmp_path, monkeypatch, capsys):
    """Everything is, so it only writes, and writes the same."""
    before = kept(built / name)
    monkeypatch.setitem(command.JOBS, name, TINY[name])
    output = tmp_path / "file.npz"
    assert command.main([name, "--parts", str(built / name), "--output", str(output)]) == 0
    assert capsys.readouterr().out == f"{output}: written\n"
    assert output.read_bytes() == (built / f"{name}.npz").read_bytes()
    assert kept(built / name) == before


def test_the_command_keeps_parts_by_recipe_and_takes_workers(built, tmp_path, monkeypatch):
    """Threads here, for processes start slowly."""
    monkeypatch.setattr(command, "ProcessPoolExecutor", lambda n, mp_context: ThreadPoolExecutor(n))
    monkeypatch.chdir(tmp_path)
    Path("datasets").mkdir()
    monkeypatch.setitem(command.JOBS, "scaling_grid", TINY["scaling_grid"])
    command.main(["scaling_grid", "--workers", "2"])
    folder = f"datasets/parts/scaling_grid-{TINY['scaling_grid']().fingerprint}"
    assert Path(folder, "seed0.jsonl").is_file()
    assert_same(Path("datasets/scaling_grid.npz"), built / "scaling_grid.npz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fashion201", "--workers", "0"], "the number of workers must be at least 1, not 0"),
        (["fashion"], "scaling_grid"),
    ],
)
def test_bad_arguments_are_explained(arguments, message, capsys):
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert message in capsys.readouterr().err


def test_another_recipe_has_another_folder():
    longer = replace(FULL, recipe=Recipe(epochs=3))
    jobs = [
        *(job() for job in TINY.values()),
        networks.table(longer, SOME),
        networks.proxies(SKELETON, FashionMNIST(8, 32, images=160), SOME),
        networks.shortcuts(longer, SHORT_ARCHS, SHORTCUTS),
        *map(networks.scaling_grid, (SCALED, replace(SCALED, batch_size=32))),
        networks.scaling_grid(replace(SCALED, images=100)),
        supernets.one_shot_runs(ONE_SHOT),
        supernets.darts_runs(DARTS),
    ]
    assert len({job.fingerprint for job in jobs}) == len(jobs)


# ---- what is trained is read back ----------------------------------------------------------------


def test_the_plan_has_every_architecture_once_and_500_with_two_more_seeds():
    archs = networks.PLAN
    assert sorted(archs[0]) == ARCHS == sorted({SPACE.canonical(arch) for arch in SPACE})
    assert len(set(ARCHS)) == len(ARCHS) == 6_466
    assert archs[1] == archs[2] == archs[0][:500]
    units = networks.units_of(FULL, archs)
    for seed, some in archs.items():
        assert [arch for unit in units if unit.seed == seed for arch in unit.archs] == list(some)
    names = [unit.name for unit in units[:4]]
    assert names == ["seed0/0000", "seed1/0000", "seed2/0000", "seed0/0001"]
    assert set(networks.SAMPLE) <= set(archs[networks.SHORTCUT_SEED])


def test_the_table_holds_what_its_trainings_gave(built):
    table = estimation.Table.load(built / "fashion201.npz")
    arch = ARCHS[102]
    net, curve = FULL.fit(arch, 1, device="cpu", num_threads=1)
    assert table(arch, 1).score == curve.accuracy
    assert table.curve(arch, 1).tolist() == list(curve.val_accuracy)
    assert table.test(arch, 1) == evaluate(net, DATA.test_dataloader())
    assert (table.seeds(arch), table.seeds(ARCHS[100]), table.seeds(ARCHS[0])) == ([0, 1], [0], [])
    assert (table.about["recipe"]["epochs"], table.skeleton) == (2, SKELETON)
    assert table.params[102] == sum(p.numel() for p in net.parameters())


def test_proxies_are_those_of_their_estimates(built):
    table = estimation.ProxyTable.load(built / "fashion201_proxies.npz")
    assert table.names == ("params", "flops", *proxies.PROXIES)
    assert [tuple(arch) for arch in table.archs.tolist()] == ARCHS
    costs = [SPACE.cost(arch, SKELETON) for arch in SOME[0]]
    assert table.scores("params")[100:103].tolist() == [cost.params for cost in costs]
    assert table.scores("flops")[100:103].tolist() == [2 * cost.macs for cost in costs]
    for name in table.names:
        for seed, archs in SOME.items():
            rows = np.flatnonzero(~np.isnan(table.scores(name, seed))).tolist()
            assert [ARCHS[row] for row in rows] == archs
            if name in proxies.PROXIES:
                estimate = proxies.ZeroCost(SPACE, SKELETON, PROXY_DATA, proxies.PROXIES[name])
                expected = [estimate(arch, seed).score for arch in archs]
                assert table.scores(name, seed)[rows] == pytest.approx(expected, rel=1e-3), name
        assert (table.seconds(name)[100:103] > 0).all()
        assert np.isnan(table.seconds(name)).sum() == len(ARCHS) - 3


def test_the_lowest_score_survives(tmp_path):
    """Of the cell without a path from input to output."""
    job = networks.proxies(SKELETON, PROXY_DATA, {0: [(0,) * 6]})
    job.run(tmp_path, tmp_path / "scores.npz")
    table = estimation.ProxyTable.load(tmp_path / "scores.npz")
    assert table.scores("naswot")[0] == table.scores("zen")[0] == proxies.LOWEST


def test_shortcuts_hold_what_their_trainings_gave(built):
    table = estimation.ShortcutTable.load(built / "fashion201_shortcuts.npz")
    assert table.names == tuple(SHORTCUTS)
    assert [tuple(arch) for arch in table.archs.tolist()] == ARCHS[100:103]
    for name, shortcut in SHORTCUTS.items():
        expected = [shortcut(FULL)(arch, table.seed).score for arch in ARCHS[100:103]]
        assert table.scores(name) == pytest.approx(expected)
        assert (table.seconds(name) > 0).all()
    assert np.array_equal(table.scores("100 images", 1), table.scores("100 images"))
    assert table.scores("1 epoch", 0).shape == (3,)


def test_the_grid_holds_what_its_trainings_gave(built):
    """Trained again here, by hand, from the network that the grid describes."""
    grid = estimation.ScalingGrid.load(built / "scaling_grid.npz")
    row, seed = 2, 1
    stages, resolution = grid.network(row)
    net = nets.EfficientNet(stages, in_channels=1, classes=10, dropout=0, drop_depth=0, seed=seed)
    data = FashionMNIST(resolution, 100, images=200)
    curve = train(net, data, Recipe(epochs=2), seed=seed, device="cpu", num_threads=1)
    assert [grid.scores(epoch)[seed, row] for epoch in (0, 1)] == list(curve.val_accuracy)
    assert grid._arrays["train_loss"][seed, row] == pytest.approx(curve.train_loss, rel=1e-3)
    assert grid.test_scores()[seed, row] == evaluate(net, data.test_dataloader())
    assert grid.params[row] == sum(p.numel() for p in net.parameters())
    assert grid.scores().shape == grid.seconds.shape == (2, len(grid)) == (2, 3)
    assert (grid.base, grid.doublings.tolist()) == (BASE, [0, 1, 1])
    for row in range(len(grid)):
        size = budget(*grid.network(row), in_channels=1, classes=10)
        assert (size.params, size.macs) == (grid.params[row], grid.macs[row])


def test_the_grid_of_transformers_holds_what_its_trainings_gave(built):
    grid = estimation.TransformerGrid.load(built / "transformer_grid.npz")
    assert [tuple(arch) for arch in grid.archs.tolist()] == list(LITTLE)
    net, curve = SMALL_TRANSFORMERS.fit(LITTLE[1], 1, device="cpu", num_threads=1)
    assert [grid.scores(epoch)[1, 1] for epoch in (0, 1)] == list(curve.val_accuracy)
    assert grid.test_scores()[1, 1] == evaluate(net, DATA.test_dataloader())
    assert grid.params[1] == sum(p.numel() for p in net.parameters())
    assert (grid.seconds > 0).all()
    assert grid.skeleton == SKELETON


@pytest.mark.parametrize(
    ("estimate", "arch"), [(SCALED, (0,) * 3), (partial(networks.recorded, FULL), (0,) * 6)]
)
def test_an_interrupt_is_no_result_and_a_divergence_scores_nan(estimate, arch, monkeypatch):
    def interrupt(self, batch):
        raise KeyboardInterrupt

    step = "nas_lab.training.Classifier.training_step"
    monkeypatch.setattr(step, interrupt)
    with pytest.raises(KeyboardInterrupt, match="was interrupted"):
        estimate(arch, 0)
    monkeypatch.setattr(step, lambda self, batch: self.net(batch[0]).sum() * math.nan)
    result = estimate(arch, 0)
    assert math.isnan(result.score)
    assert "test" not in result.metrics
    recipe = {"recipe": {"epochs": 2}, "images": {"validation": 9}}
    arrays = networks.arrays_of([((0, 0), result)], (1, 1), recipe)
    assert arrays["test_correct"] == tables.MISSING


def test_supernets_are_evaluated_at_their_checkpoints(built):
    runs = estimation.OneShotRuns.load(built / "one_shot_runs.npz")
    assert (runs.names, runs.steps) == (tuple(METHODS), ONE_SHOT.steps)
    one_shot = supernets.TRAININGS["uniform"].one_shot(ONE_SHOT, seed=3)
    for step in one_shot.train(steps=10):
        if step.number in ONE_SHOT.steps:
            expected = [one_shot.estimator()(arch, 3).score for arch in ONE_SHOT.archs]
            found = runs.scores("uniform")[1, ONE_SHOT.steps.index(step.number)]
            assert found == pytest.approx(expected)
    assert (np.diff(runs.seconds("fair"), axis=1) > 0).all()


def test_slices_are_evaluated_after_as_many_passes(built):
    runs = estimation.TransformerRuns.load(built / "transformer_runs.npz")
    assert runs.names == tuple(supernets.SLICES)
    options = {"seed": 1, "sampler": Sandwich, "distill": True}
    one_shot = OneShot(transformer(), SKELETON, DATA, **options).fit(steps=2)  # 4 passes each
    expected = [one_shot.estimator()(arch, 1).score for arch in LITTLE]
    assert list(runs.scores("sandwich, distilled")[0, 1]) == pytest.approx(expected)


def test_methods_to_train_a_supernet_change_one_thing_and_the_unfair_sampler_halves():
    plain, *others = map(vars, supernets.TRAININGS.values())
    assert [sum(other[k] != plain[k] for k in plain) for other in others] == [1] * 5
    rng, draw = np.random.default_rng(0), supernets.Skewed(SPACE)
    tokens = np.array([draw(rng)[0] for _ in range(4_000)])
    shares = np.bincount(tokens.ravel(), minlength=5) / tokens.size
    assert shares == pytest.approx(np.array([16, 8, 4, 2, 1]) / 31, abs=0.01)


def test_averaged_statistics_are_means_over_architectures():
    """The stem comes before all choices, so its statistics can be computed by hand.

    Those of a single architecture are its own.
    """
    net = OneShot(SPACE, SKELETON, DATA, seed=0).fit(steps=3).estimator().net
    averaged = AveragedStatistics(net, DATA, archs=2)
    batches = [averaged._training_images(seed)[:BATCH] for seed in (0, 1)]
    outputs = [functional.conv2d(x, net.stem.conv.weight, stride=2, padding=1) for x in batches]
    norm = averaged.averaged.stem.norm
    means = sum(y.mean(dim=(0, 2, 3)) for y in outputs) / 2
    variances = sum(y.var(dim=(0, 2, 3)) for y in outputs) / 2
    assert norm.running_mean.numpy() == pytest.approx(means.numpy(), abs=1e-5)
    assert norm.running_var.numpy() == pytest.approx(variances.numpy(), rel=1e-4)
    arch = SPACE.sample(np.random.default_rng(0))  # the only one that is averaged
    one, w = AveragedStatistics(net, DATA, archs=1)._network(arch, seed=5), net.one_hot(arch)
    alone = nets.calibrated(net, [(batches[0], w)])
    assert one(batches[0]).numpy() == pytest.approx(alone(batches[0], w).numpy(), abs=1e-5)


def test_searches_are_those_by_hand(built):
    """Those with the second seed, 3."""
    searched = estimation.DartsRuns.load(built / "darts_runs.npz")
    others = ("never", "at once", "perturbation", "one-shot")
    assert searched.names == (*searched.searches, *others) == ("first order", "Gumbel", *others)
    assert (searched.images, searched.steps) == ((200, 80), (2, 4, 6))
    for images, data in zip(searched.images, IMAGES, strict=True):
        for name, kind in zip(searched.searches, (Darts, GumbelDarts), strict=True):
            darts = kind(SPACE, SKELETON, data, seed=3, schedule=SHORT).fit(steps=6)
            found = searched.w(name, images)[1]
            np.testing.assert_allclose(found, darts.w[[1, 3, 5]], atol=1e-3)
            assert tuple(searched.chosen(name, images)[1]) == darts.arch()
    darts = Darts(SPACE, SKELETON, IMAGES[0], seed=3, schedule=SHORT).fit(steps=6)
    chosen = {name: tuple(searched.chosen(name)[1].tolist()) for name in searched.names}
    assert chosen["never"] == chosen["first order"]
    assert chosen["at once"] == darts.arch(0)
    assert chosen["perturbation"] == perturbation(darts, tune=0, images=20, seed=3)
    whole = searched.seconds("first order")
    assert (searched.seconds("at once") < whole).all()
    assert (searched.seconds("perturbation") > whole).all()
    estimate = OneShot(SPACE, SKELETON, IMAGES[0], seed=3).fit(steps=4).estimator()
    rng = np.random.default_rng(3)
    candidates = [SPACE.canonical(SPACE.sample(rng)) for _ in range(3)]
    scores = {arch: estimate(arch, 3).score for arch in candidates}
    assert scores[chosen["one-shot"]] == max(scores.values())
