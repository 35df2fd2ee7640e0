"""Supernets watched while they learn: built, resumed, read back."""

import numpy as np
import pytest
from torch.nn import functional

from nas_lab.data import FashionMNIST
from nas_lab.estimation.averaged_statistics import BATCH, AveragedStatistics
from nas_lab.spaces import Skeleton
from nas_lab.strategies import OneShot, OneShotRuns, Uniform
from nas_lab.strategies.building_one_shot import (
    METHODS,
    SPACE,
    Plan,
    Run,
    Skewed,
    build,
    default_plan,
)

SKELETON = Skeleton(channels=2, cells=1, stages=1, stem_stride=2, resolution=8, in_channels=1)
DATA = FashionMNIST(8, 64, images=200)
ARCHS = default_plan().archs[:3]
PLAN = Plan(ARCHS, (5, 10), SKELETON, DATA, seeds=(0, 3))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    build(PLAN, folder / "parts", folder / "tiny.npz")
    return folder


def test_what_was_seen_is_read_back(built):
    runs = OneShotRuns.load(built / "tiny.npz")
    assert runs.names == tuple(METHODS)
    assert runs.steps == PLAN.steps
    assert [tuple(arch) for arch in runs.archs.tolist()] == list(ARCHS)
    one_shot = OneShot(SPACE, SKELETON, DATA, seed=3, sampler=Uniform)
    for look, step in enumerate(one_shot.train(steps=10)):
        if step.number in PLAN.steps:
            expected = [one_shot.estimator()(arch, 3).score for arch in ARCHS]
            found = runs.scores("uniform")[1, PLAN.steps.index(step.number)]
            assert found == pytest.approx(expected), look
    assert (np.diff(runs.seconds("fair"), axis=1) > 0).all()
    with pytest.raises(ValueError, match="choose from uniform, distinct, fair"):
        runs.scores("best")


def test_only_the_estimate_differs_where_statistics_are_averaged(built):
    plain, other = (METHODS[name].one_shot(PLAN, 0).fit(steps=10) for name in ("uniform", "unfair"))
    same = METHODS["averaged statistics"].one_shot(PLAN, 0).fit(steps=10)
    weights = [s.net.classifier.weight for s in (plain, same, other)]
    assert weights[0].equal(weights[1])
    assert not weights[0].equal(weights[2])


def test_a_build_goes_on_where_it_stopped(built):
    path = Run("unfair", METHODS["unfair"], 3).history(built / "parts").path
    kept = b"".join(path.read_bytes().splitlines(keepends=True)[:5])  # a look, and one of the next
    path.write_bytes(kept)
    build(PLAN, built / "parts", built / "again.npz")
    assert path.read_bytes().startswith(kept)
    whole, again = (OneShotRuns.load(built / f"{name}.npz") for name in ("tiny", "again"))
    for name in METHODS:
        assert np.array_equal(whole.scores(name), again.scores(name))


def test_the_unfair_sampler_halves():
    rng, draw = np.random.default_rng(0), Skewed(SPACE, SKELETON)
    tokens = np.array([draw(rng)[0] for _ in range(4_000)])
    shares = np.bincount(tokens.ravel(), minlength=5) / tokens.size
    assert shares == pytest.approx(np.array([16, 8, 4, 2, 1]) / 31, abs=0.01)
    uniform = Uniform(SPACE, SKELETON)
    even = np.array([uniform(rng)[0] for _ in range(4_000)])
    assert np.bincount(even.ravel()) / even.size == pytest.approx(np.full(5, 0.2), abs=0.01)


def test_averaged_statistics_are_means_over_architectures():
    """The stem comes before all choices, so its statistics can be computed by hand."""
    net = OneShot(SPACE, SKELETON, DATA, seed=0).fit(steps=3).estimator().net
    averaged = AveragedStatistics(net, DATA, archs=2)
    batches = [averaged._training_images(seed)[:BATCH] for seed in (0, 1)]
    outputs = [functional.conv2d(x, net.stem.conv.weight, stride=2, padding=1) for x in batches]
    mean, variance = averaged.averages[net.stem.norm]
    means = sum(y.mean(dim=(0, 2, 3)) for y in outputs) / 2
    variances = sum(y.var(dim=(0, 2, 3)) for y in outputs) / 2
    assert mean.numpy() == pytest.approx(means.numpy(), abs=1e-5)
    assert variance.numpy() == pytest.approx(variances.numpy(), rel=1e-4)


def test_averaged_statistics_of_one_architecture_are_its_own():
    net = OneShot(SPACE, SKELETON, DATA, seed=0).fit(steps=3).estimator().net
    averaged = AveragedStatistics(net, DATA, archs=1)
    arch = SPACE.sample(np.random.default_rng(0))  # the only one that is averaged
    w, images = net.one_hot(arch), averaged._training_images(0)[:BATCH]
    statistics = net.statistics(images, w)
    network = averaged._network(arch, seed=5)
    assert network(images).numpy() == pytest.approx(net(images, w, statistics).numpy(), abs=1e-5)
