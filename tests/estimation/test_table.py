"""The table gives back what was written into it, whatever form an architecture has."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_lab.checks import DamagedFileError
from nas_lab.estimation import Table, archives, building, table
from nas_lab.history import Evaluation
from nas_lab.spaces import Skeleton, nasbench201

SPACE = nasbench201()
ARCHS = building.canonical_archs(SPACE)
ROWS = {arch: i for i, arch in enumerate(ARCHS)}
EPOCHS, IMAGES = 3, {"train": 100, "validation": 400, "test": 200}
SKELETON = {"channels": 4, "cells": 1, "stages": 1, "resolution": 8, "in_channels": 1}


def invented():
    """Arrays of the right form with invented numbers; a third of the rows has seed 1 too."""
    rng = np.random.default_rng(0)
    n = len(ARCHS)
    arrays = {
        "archs": np.array(ARCHS, dtype=np.int8),
        "row_of_code": np.array([ROWS[SPACE.canonical(a)] for a in SPACE], dtype=np.int16),
        "val_correct": rng.integers(0, 401, (2, n, EPOCHS)).astype(np.int16),
        "test_correct": rng.integers(0, 201, (2, n)).astype(np.int16),
        "train_loss": rng.random((2, n, EPOCHS)).astype(np.float16),
        "thread_seconds": rng.random((2, n)).astype(np.float16),
        "params": rng.integers(1, 9999, n).astype(np.int32),
        "macs": rng.integers(1, 9999, n).astype(np.int32),
    }
    for name in ("val_correct", "test_correct"):
        arrays[name][1, n // 3 :] = archives.MISSING
    about = {"fingerprint": SPACE.fingerprint, "images": IMAGES, "skeleton": SKELETON}
    return arrays, about


@pytest.fixture(scope="module")
def arrays():
    return invented()[0]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "table.npz"
    table.write(path, *invented())
    return path


@pytest.fixture(scope="module")
def loaded(path):
    return Table.load(path)


def test_arrays_are_in_one_order(loaded, arrays):
    assert len(loaded) == len(loaded.archs) == 6_466
    np.testing.assert_array_equal(loaded.params, arrays["params"])
    np.testing.assert_array_equal(loaded.macs, arrays["macs"])
    np.testing.assert_allclose(loaded.scores(), arrays["val_correct"][0, :, -1] / 400)
    np.testing.assert_allclose(loaded.scores(0, 1), arrays["val_correct"][0, :, 1] / 400)
    np.testing.assert_allclose(loaded.test_scores(), arrays["test_correct"][0] / 200)
    np.testing.assert_allclose(loaded.seconds, arrays["thread_seconds"][0])
    assert loaded.skeleton == Skeleton(**SKELETON)


@given(code=st.integers(0, 15_624))
def test_any_form_of_an_architecture_finds_its_row(loaded, code):
    arch = tuple(code // 5**i % 5 for i in range(6))
    row = ROWS[SPACE.canonical(arch)]
    for form in (arch, list(arch), np.array(arch), SPACE.to_string(arch), SPACE.canonical(arch)):
        assert loaded.row(form) == row
    assert tuple(loaded.archs[row]) == SPACE.canonical(arch)


@pytest.mark.parametrize("row", [0, 17, 6_465])
def test_an_evaluation_is_the_recorded_one(loaded, arrays, row):
    result = loaded(ARCHS[row], 0)
    assert result == Evaluation(
        arrays["val_correct"][0, row, -1] / 400,
        float(arrays["thread_seconds"][0, row]),
        {"params": arrays["params"][row], "macs": arrays["macs"][row]},
    )
    np.testing.assert_allclose(loaded.curve(ARCHS[row]), arrays["val_correct"][0, row] / 400)
    assert loaded.test(ARCHS[row]) == arrays["test_correct"][0, row] / 200
    assert "test" not in result.metrics


def test_seeds_that_were_not_trained_are_told(loaded):
    first, last = ARCHS[0], ARCHS[-1]
    assert loaded.seeds(first) == [0, 1]
    assert loaded.seeds(last) == [0]
    assert np.isnan(loaded.scores(1)).sum() == len(ARCHS) - len(ARCHS) // 3
    for ask in (loaded, loaded.curve, loaded.test):
        with pytest.raises(ValueError, match=r"trained with seeds \[0\], not with 1"):
            ask(last, 1)
        with pytest.raises(ValueError, match=r"trained with seeds \[0, 1\], not with 7"):
            ask(first, 7)
    with pytest.raises(ValueError, match="the table holds seeds 0 to 1"):
        loaded.scores(2)


def test_what_is_no_architecture_is_explained(loaded):
    with pytest.raises(ValueError, match="6 tokens"):
        loaded((1, 2))
    with pytest.raises(ValueError, match="choose from 0 to 4"):
        loaded((9, 0, 0, 0, 0, 0))
    with pytest.raises(TypeError, match="whole numbers"):
        loaded(None)
    with pytest.raises(ValueError, match="not of the form"):
        loaded("|nothing|")


def test_what_is_handed_out_can_be_changed_without_harm(loaded):
    before = loaded.scores()[0]
    loaded.scores()[:] = 7
    loaded.curve(ARCHS[0])[:] = 7
    assert loaded.scores()[0] == before


def test_a_damaged_table_is_refused(path, tmp_path):
    content = path.read_bytes()
    for name, damaged in {
        "cut": content[: len(content) // 2],
        "empty": b"",
        "text": b"this is no archive",
        "bit": content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
    }.items():
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(DamagedFileError, match="restore it with"):
            Table.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        Table.load(tmp_path / "missing.npz")


def test_numbers_changed_after_the_checksum_are_noticed(path, tmp_path):
    with np.load(path) as archive:
        content = {name: archive[name] for name in archive.files}
    content["val_correct"] = content["val_correct"].copy()
    content["val_correct"][0, 3, 1] += 1
    np.savez(tmp_path / "changed.npz", **content)
    with pytest.raises(DamagedFileError, match="does not fit its checksum"):
        Table.load(tmp_path / "changed.npz")


def test_a_table_of_another_space_is_refused(tmp_path):
    arrays, about = invented()
    table.write(tmp_path / "other.npz", arrays, {**about, "fingerprint": "0" * 16})
    with pytest.raises(DamagedFileError, match="another space"):
        Table.load(tmp_path / "other.npz")
