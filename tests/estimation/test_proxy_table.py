"""The stored scores are what the proxies give, and a build can be stopped anywhere."""

import pickle
import runpy
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest

from nas_lab.checks import DamagedFileError
from nas_lab.data import FashionMNIST
from nas_lab.estimation import archives, commands, proxies
from nas_lab.estimation.building import Part, canonical_archs
from nas_lab.estimation.proxies import ProxyTable, building
from nas_lab.estimation.proxies.building import NAMES, AllProxies, assemble, build
from nas_lab.history import Evaluation
from nas_lab.spaces import Skeleton, nasbench201

SPACE = nasbench201()
ARCHS = canonical_archs(SPACE)
SKELETON = Skeleton(channels=2, cells=1, stages=2, stem_stride=2, resolution=8, in_channels=1)
DATA = FashionMNIST(8, 16, images=160)
ESTIMATE = AllProxies(SPACE, SKELETON, DATA)
ROWS = [6_000, 17, 2_345, 4_444, 1_000]
CHOSEN = tuple(ARCHS[row] for row in ROWS)
PARTS = [Part(0, 0, CHOSEN[:3]), Part(0, 1, CHOSEN[3:]), Part(1, 0, CHOSEN[:2])]


@dataclass(frozen=True)
class Invented:
    """Scores without networks; calls beyond ``limit`` are interrupted."""

    calls: list
    limit: int = 99
    skeleton: Skeleton = SKELETON
    data: FashionMNIST = DATA
    space: object = SPACE

    def __call__(self, arch, seed):
        if len(self.calls) == self.limit:
            raise KeyboardInterrupt
        self.calls.append((arch, seed))
        rng = np.random.default_rng([seed, *arch])
        metrics = {name: float(rng.normal()) for name in NAMES}
        return Evaluation(1, 1, metrics | {f"{name}_seconds": 0.25 for name in NAMES})


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proxies")
    build(ESTIMATE, PARTS, folder / "parts", folder / "scores.npz")
    return folder / "scores.npz"


@pytest.fixture(scope="module")
def loaded(path):
    return ProxyTable.load(path)


def test_every_proxy_is_there(loaded):
    assert loaded.names == ("params", "flops", *proxies.PROXIES)
    assert len(loaded) == len(ARCHS) == 6_466
    assert list(map(tuple, loaded.archs.tolist())) == ARCHS
    assert loaded.skeleton == SKELETON
    assert loaded.about["batch_size"] == 16


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("seed", "row"), [(0, 6_000), (0, 4_444), (1, 17)])
def test_a_score_is_what_the_estimate_gives(loaded, name, seed, row):
    estimate = proxies.estimates(SPACE, SKELETON, DATA)[name]
    expected = estimate(ARCHS[row], seed).score
    assert loaded.scores(name, seed)[row] == pytest.approx(expected, rel=1e-3)


def test_what_was_not_computed_is_nan(loaded):
    for name in NAMES:
        assert np.flatnonzero(~np.isnan(loaded.scores(name))).tolist() == sorted(ROWS)
        assert np.flatnonzero(~np.isnan(loaded.scores(name, 1))).tolist() == [17, 6_000]
        assert np.flatnonzero(~np.isnan(loaded.seconds(name))).tolist() == sorted(ROWS)
        assert (loaded.seconds(name)[ROWS] > 0).all()


def test_what_is_handed_out_can_be_changed_without_harm(loaded):
    before = loaded.scores("snip")[17]
    loaded.scores("snip")[:] = 7
    assert loaded.scores("snip")[17] == before


def test_unknown_names_and_seeds_are_explained(loaded):
    with pytest.raises(ValueError, match="no proxy is called 'magic'; choose from params, flops"):
        loaded.scores("magic")
    with pytest.raises(ValueError, match="no proxy is called 'magic'"):
        loaded.seconds("magic")
    for seed in (-1, 2):
        with pytest.raises(ValueError, match=f"seed={seed}: there are seeds 0 to 1"):
            loaded.scores("snip", seed)


def test_one_network_serves_all_proxies(monkeypatch):
    built = []
    build_net = proxies.zero_cost.nets.build
    monkeypatch.setattr(
        proxies.zero_cost.nets, "build", lambda *a, **k: built.append(a) or build_net(*a, **k)
    )
    result = ESTIMATE(ARCHS[-1], 0)
    assert len(built) == 1
    for name in proxies.PROXIES:
        assert 0 < result.metrics[f"{name}_seconds"] < result.cost
    assert result.score == result.metrics["params"]


@pytest.mark.parametrize("limit", range(7))
def test_an_interrupted_build_goes_on_and_computes_nothing_twice(limit, tmp_path):
    calls, folder = [], tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        build(Invented(calls, limit), PARTS, folder, tmp_path / "scores.npz")
    assert not (tmp_path / "scores.npz").exists()
    build(Invented(calls), PARTS, folder, tmp_path / "scores.npz")
    assert sorted(calls) == sorted((arch, part.seed) for part in PARTS for arch in part.archs)
    build(Invented([]), PARTS, tmp_path / "fresh", tmp_path / "fresh.npz")
    assert (tmp_path / "scores.npz").read_bytes() == (tmp_path / "fresh.npz").read_bytes()


def test_scores_are_kept_in_order_of_the_architectures(tmp_path):
    build(Invented([]), PARTS, tmp_path, tmp_path / "scores.npz")
    loaded = ProxyTable.load(tmp_path / "scores.npz")
    for part in PARTS:
        for arch in part.archs:
            expected = np.random.default_rng([part.seed, *arch]).normal(size=len(NAMES))
            found = [loaded.scores(name, part.seed)[ARCHS.index(arch)] for name in NAMES]
            assert found == pytest.approx(expected)


def test_the_lowest_score_survives(tmp_path):
    part = [Part(0, 0, ((0,) * 6,))]
    build(ESTIMATE, part, tmp_path, tmp_path / "scores.npz")
    assert ProxyTable.load(tmp_path / "scores.npz").scores("naswot")[0] == proxies.LOWEST
    assert assemble(part, tmp_path)["zen"][0, 0] == proxies.LOWEST


def test_a_damaged_or_foreign_file_is_refused(path, tmp_path):
    content = path.read_bytes()
    (tmp_path / "bit.npz").write_bytes(content[:2000] + bytes([content[2000] ^ 1]) + content[2001:])
    with pytest.raises(DamagedFileError, match="restore it with"):
        ProxyTable.load(tmp_path / "bit.npz")
    archives.write(tmp_path / "other.npz", {"archs": np.zeros(3)}, {"fingerprint": "0" * 16})
    with pytest.raises(DamagedFileError, match="holds no scores of proxies"):
        ProxyTable.load(tmp_path / "other.npz")
    arrays, about = archives.read(path)
    foreign = {**about, "fingerprint": "0" * 16}
    foreign.pop("sha256")
    archives.write(tmp_path / "foreign.npz", arrays, foreign)
    with pytest.raises(DamagedFileError, match="another space"):
        ProxyTable.load(tmp_path / "foreign.npz")
    with pytest.raises(FileNotFoundError):
        ProxyTable.load(tmp_path / "missing.npz")


def test_the_command_builds_the_plan_of_the_table(tmp_path, monkeypatch):
    """With few architectures, alone and with workers; threads here, for processes start slowly."""
    monkeypatch.setattr(building.table, "SKELETON", SKELETON)
    monkeypatch.setattr(building.table, "BATCH_SIZE", 16)
    monkeypatch.setattr(building.table, "plan", lambda archs: PARTS if archs == ARCHS else None)
    monkeypatch.setattr(
        commands, "ProcessPoolExecutor", lambda n, mp_context: ThreadPoolExecutor(n)
    )
    output = tmp_path / "scores.npz"
    estimate = AllProxies(SPACE, SKELETON, FashionMNIST(8, 16))
    expected = estimate(CHOSEN[0], 1).metrics["naswot"]
    assert expected > 0
    for workers in ("1", "2"):
        parts = tmp_path / workers
        arguments = ["build", "--output", str(output), "--parts", str(parts), "--workers", workers]
        assert building.main(arguments) == 0
        loaded = ProxyTable.load(output)
        assert loaded.skeleton == SKELETON
        assert loaded.scores("naswot", 1)[6_000] == pytest.approx(expected)


def test_the_estimate_goes_to_workers_without_the_images():
    content = pickle.dumps(ESTIMATE)
    assert len(content) < 20_000
    expected, found = ESTIMATE(CHOSEN[0], 0), pickle.loads(content)(CHOSEN[0], 0)
    assert found.metrics["snip"] == pytest.approx(expected.metrics["snip"])


def test_another_recipe_has_another_folder():
    other = AllProxies(SPACE, SKELETON, FashionMNIST(8, 32, images=160))
    prints = {building.table.fingerprint(building.recipe_of(e)) for e in (ESTIMATE, other)}
    assert len(prints) == 2


def test_the_command_explains_itself(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["proxies", "--help"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module("nas_lab.estimation.proxies", run_name="__main__")
    assert "build" in capsys.readouterr().out


def test_workers_are_counted_from_one(capsys):
    with pytest.raises(SystemExit):
        building.main(["build", "--workers", "0"])
    assert "the number of workers must be at least 1, not 0" in capsys.readouterr().err
