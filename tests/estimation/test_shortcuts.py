"""Cheaper trainings of a sample: built, resumed, read back."""

import numpy as np
import pytest

from nas_lab.checks import DamagedFileError
from nas_lab.data import FashionMNIST
from nas_lab.estimation import TrainFromScratch, building
from nas_lab.estimation.building import Record
from nas_lab.estimation.building_shortcuts import (
    SEED,
    SHORTCUTS,
    build,
    fewer_epochs,
    fewer_images,
    history_of,
    sample,
)
from nas_lab.estimation.shortcuts import ShortcutTable
from nas_lab.spaces import Skeleton, nasbench201
from nas_lab.training import Recipe

SPACE = nasbench201()
SKELETON = Skeleton(channels=2, cells=1, stages=1, stem_stride=2, resolution=8, in_channels=1)
DATA = FashionMNIST(8, 64, images=200)
FULL = TrainFromScratch(SPACE, SKELETON, DATA, Recipe(epochs=2))
TINY = {
    "100 images": lambda estimate: fewer_images(estimate, 100),
    "1 epoch": lambda estimate: fewer_epochs(estimate, 1),
}
ARCHS = sample(3)


@pytest.fixture
def built(tmp_path):
    build(Record(FULL), ARCHS, tmp_path / "parts", tmp_path / "tiny.npz", shortcuts=TINY)
    return tmp_path


def test_what_was_trained_is_read_back(built):
    table = ShortcutTable.load(built / "tiny.npz")
    assert [tuple(arch) for arch in table.archs.tolist()] == list(ARCHS)
    assert table.names == tuple(TINY)
    for name, shortcut in TINY.items():
        expected = [shortcut(FULL)(arch, SEED).score for arch in ARCHS]
        assert table.scores(name) == pytest.approx(expected)
        assert (table.seconds(name) > 0).all()


def test_epochs_are_those_of_the_shortcut(built):
    table = ShortcutTable.load(built / "tiny.npz")
    assert np.array_equal(table.scores("100 images", 1), table.scores("100 images"))
    assert table.scores("1 epoch", 0).shape == (3,)
    with pytest.raises(ValueError, match="epochs 0 to 0"):
        table.scores("1 epoch", 1)
    with pytest.raises(ValueError, match="choose from 100 images, 1 epoch"):
        table.scores("half an epoch")


def test_a_build_goes_on_where_it_stopped(built):
    path = history_of("1 epoch", built / "parts").path
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    build(Record(FULL), ARCHS, built / "parts", built / "again.npz", shortcuts=TINY)
    table, again = (ShortcutTable.load(built / f"{name}.npz") for name in ("tiny", "again"))
    assert path.read_bytes().startswith(b"".join(whole.splitlines(keepends=True)[:2]))
    for name in TINY:
        assert np.array_equal(table.scores(name), again.scores(name))


def test_a_damaged_file_is_refused(built):
    content = bytearray((built / "tiny.npz").read_bytes())
    for place in range(len(content) // 4, len(content) // 2):  # more than a file's date in the zip
        content[place] ^= 1
    (built / "tiny.npz").write_bytes(bytes(content))
    with pytest.raises(DamagedFileError):
        ShortcutTable.load(built / "tiny.npz")


def test_the_shortcuts_that_ship_fit_the_table_and_train_less():
    record = building.default_record()
    planned = building.plan(building.canonical_archs(SPACE))
    full = {arch for part in planned if part.seed == SEED for arch in part.archs}
    assert set(sample()) <= full
    whole = record.estimate

    def work(estimate):
        images = len(estimate.data.train_dataloader().labels)
        return images * estimate.recipe.epochs * SPACE.cost(ARCHS[0], estimate.skeleton).macs

    for shortcut in SHORTCUTS.values():
        assert work(shortcut(whole)) < work(whole)
