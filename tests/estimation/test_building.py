"""A build can be stopped anywhere, shared out and resumed, and writes nothing twice."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from nas_lab.data import FashionMNIST
from nas_lab.estimation import Table, TrainFromScratch, building, commands
from nas_lab.estimation.building import Part, Record, build, canonical_archs, plan
from nas_lab.history import Evaluation
from nas_lab.spaces import Skeleton, nasbench201
from nas_lab.training import Recipe

ROOT = Path(__file__).parents[2]
SPACE = nasbench201()
ARCHS = canonical_archs(SPACE)
SKELETON = Skeleton(channels=2, cells=1, stages=1, stem_stride=2, resolution=8, in_channels=1)
DATA = FashionMNIST(8, 64, images=200)
RECORD = Record(TrainFromScratch(SPACE, SKELETON, DATA, Recipe(epochs=2)))


@dataclass(frozen=True)
class Invented:
    """A record in the form of a real one, without training."""

    estimate: TrainFromScratch
    pause: float = 0.0

    def __call__(self, arch, seed):
        time.sleep(self.pause)
        score = float(np.random.default_rng([seed, *arch]).integers(0, 4001) / 4000)
        metrics = {"val_1": score / 2, "val_2": score, "loss_1": 2.0, "loss_2": 1.0, "test": 0.5}
        return Evaluation(score, 1.5, metrics)


def small_plan():
    """Three parts: two of seed 0 and one of seed 1."""
    return [
        Part(0, 0, tuple(ARCHS[:6])),
        Part(0, 1, tuple(ARCHS[6:10])),
        Part(1, 0, tuple(ARCHS[2:5])),
    ]


def content(folder):
    return {path.name + path.parent.name: path.read_bytes() for path in folder.rglob("*.jsonl")}


def test_the_plan_has_every_architecture_once_and_500_with_two_more_seeds():
    parts = plan(ARCHS)
    of_seed = {s: [a for p in parts if p.seed == s for a in p.archs] for s in (0, 1, 2)}
    assert sorted(of_seed[0]) == ARCHS
    assert len(set(ARCHS)) == len(ARCHS) == 6_466
    assert of_seed[1] == of_seed[2]
    assert len(set(of_seed[1])) == 500
    assert of_seed[0][:500] == of_seed[1]  # those come first
    assert plan(ARCHS) == parts


def test_a_real_build_reads_back_as_a_table(tmp_path):
    """Every architecture of a tiny plan, trained for real, is found in the table."""
    parts, output = small_plan(), tmp_path / "tiny.npz"
    assert build(RECORD, parts, tmp_path / "parts", output)
    table = Table.load(output)
    expected = RECORD(ARCHS[3], 1)
    assert table(ARCHS[3], 1).score == pytest.approx(expected.score)
    assert table.curve(ARCHS[3], 1) == pytest.approx(
        [expected.metrics["val_1"], expected.metrics["val_2"]]
    )
    assert table.test(ARCHS[3], 1) == pytest.approx(expected.metrics["test"])
    assert table.seeds(ARCHS[3]) == [0, 1]
    assert table.seeds(ARCHS[7]) == [0]
    assert table.about["recipe"]["epochs"] == 2
    assert table.skeleton == SKELETON


def test_workers_change_nothing(tmp_path):
    record, parts = Invented(RECORD.estimate), small_plan()
    build(record, parts, tmp_path / "alone", tmp_path / "alone.npz")
    with ThreadPoolExecutor(2) as pool:
        build(record, parts, tmp_path / "two", tmp_path / "two.npz", executor=pool)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        build(record, parts, tmp_path / "three", tmp_path / "three.npz", executor=pool)
    tables = [Table.load(tmp_path / f"{name}.npz") for name in ("alone", "two", "three")]
    assert len({table.about["sha256"] for table in tables}) == 1


def test_a_dask_cluster_trains_the_same(tmp_path):
    from dask.distributed import LocalCluster

    record, parts = Invented(RECORD.estimate), small_plan()
    build(record, parts, tmp_path / "alone", tmp_path / "alone.npz")
    options = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": "127.0.0.1:0"}
    with (
        LocalCluster(processes=False, protocol="tcp://", **options) as cluster,
        commands.open_executor(1, cluster.scheduler_address) as executor,
    ):
        build(record, parts, tmp_path / "dask", tmp_path / "dask.npz", executor=executor)
    tables = [Table.load(tmp_path / f"{name}.npz") for name in ("alone", "dask")]
    assert tables[0].about["sha256"] == tables[1].about["sha256"]


def test_shards_share_the_work_and_the_last_one_writes(tmp_path):
    record, parts, output = Invented(RECORD.estimate), small_plan(), tmp_path / "table.npz"
    folder = tmp_path / "parts"
    assert not build(record, parts, folder, output, shard=(2, 2))
    assert not output.exists()
    assert set(content(folder)) == {"0001.jsonlseed0"}
    assert build(record, parts, folder, output, shard=(1, 2))
    assert output.exists()


def test_nothing_is_trained_or_written_twice(tmp_path):
    record, parts, folder = Invented(RECORD.estimate), small_plan(), tmp_path / "parts"
    build(record, parts, folder, tmp_path / "one.npz")
    before = content(folder)

    def never(arch, seed):
        raise AssertionError("trained again")

    never.estimate = RECORD.estimate
    assert build(never, parts, folder, tmp_path / "two.npz")
    assert content(folder) == before
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


@pytest.mark.filterwarnings("ignore::nas_lab.history.HistoryWarning")
def test_killed_at_any_moment_and_resumed(tmp_path):
    folder = tmp_path / "parts"
    script = textwrap.dedent(f"""
        from pathlib import Path
        from tests.estimation.test_building import *
        build(Invented(RECORD.estimate, 0.05), small_plan(), Path({str(folder)!r}), Path("never"))
    """)

    def lines():
        return sum(text.count(b"\n") for text in content(folder).values())

    for goal in (3, 6, 10):  # each time a little further, and then killed
        worker = subprocess.Popen(
            [sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.DEVNULL
        )
        while lines() < goal:
            assert worker.poll() is None, "ended before it was killed"
            time.sleep(0.005)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    assert 10 <= lines() < 13 + 3, "not complete yet: 13 trials and 3 headers"
    record = Invented(RECORD.estimate)
    assert build(record, small_plan(), folder, tmp_path / "resumed.npz")
    assert build(record, small_plan(), tmp_path / "fresh", tmp_path / "fresh.npz")
    tables = [Table.load(tmp_path / f"{name}.npz") for name in ("resumed", "fresh")]
    assert tables[0].about["sha256"] == tables[1].about["sha256"]
    for path in folder.rglob("*.jsonl"):
        ids = [line.split(b",")[0] for line in path.read_bytes().splitlines()[1:]]
        assert len(ids) == len(set(ids))


def test_an_incomplete_part_is_not_assembled(tmp_path):
    with pytest.raises(ValueError, match=r"part 0 of seed 0 has 0 of 6.*goes on where it stopped"):
        building.assemble(small_plan(), tmp_path, building.recipe_of(RECORD))


def test_another_recipe_has_another_folder():
    other = Record(TrainFromScratch(SPACE, SKELETON, DATA, Recipe(epochs=3)))
    names = {building.fingerprint(building.recipe_of(r)) for r in (RECORD, other)}
    assert len(names) == 2


@pytest.mark.parametrize("wrong", ["0/2", "3/2", "1", "a/b", "1/x"])
def test_a_bad_shard_is_explained(wrong, capsys):
    with pytest.raises(SystemExit):
        building.main(["build", "--shard", wrong])
    assert "not of the form k/n" in capsys.readouterr().err
