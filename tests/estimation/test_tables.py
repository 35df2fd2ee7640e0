"""The stored results give back what was written into them, and refuse what is damaged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_lab import checks
from nas_lab.checks import DamagedFileError
from nas_lab.estimation import tables
from nas_lab.estimation.scaling_grid import ScalingGrid
from nas_lab.estimation.tables import (
    DartsRuns,
    OneShotRuns,
    ProxyTable,
    ShortcutTable,
    Table,
    TransformerGrid,
    TransformerRuns,
)
from nas_lab.spaces import nasbench201
from tests.estimation.tables import ARCHS, table_of

SPACE = nasbench201()
READERS = (
    Table,
    ProxyTable,
    ShortcutTable,
    ScalingGrid,
    TransformerGrid,
    OneShotRuns,
    TransformerRuns,
    DartsRuns,
)


# ---- every file ----------------------------------------------------------------------------------


@pytest.mark.parametrize("reader", READERS)
def test_a_damaged_file_is_refused(reader, tmp_path):
    content = checks.dataset(reader.FILE).read_bytes()
    middle = len(content) // 2
    for name, damaged in {
        "cut": content[:middle],
        "empty": b"",
        "text": b"this is no archive",
        "bit": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
    }.items():
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(DamagedFileError, match="restore it with"):
            reader.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        reader.load(tmp_path / "missing.npz")


@pytest.mark.parametrize("reader", READERS)
def test_another_file_and_another_space_are_refused(reader, tmp_path):
    arrays, about = tables.read(checks.dataset(reader.FILE))
    about.pop("sha256")
    tables.write(tmp_path / "space.npz", arrays, {**about, "fingerprint": "0" * 16})
    with pytest.raises(DamagedFileError, match="another space"):
        reader.load(tmp_path / "space.npz")
    for other in set(READERS) - {reader}:
        with pytest.raises(DamagedFileError, match=f"holds no {reader.HOLDS}|another space"):
            reader.load(checks.dataset(other.FILE))
    with np.load(tmp_path / "space.npz") as archive:
        content = {name: archive[name] for name in archive.files}
    content[reader.ARRAYS[-1]].flat[3] = 7
    np.savez(tmp_path / "changed.npz", **content)
    with pytest.raises(DamagedFileError, match="does not fit its checksum"):
        reader.load(tmp_path / "changed.npz")


@pytest.mark.parametrize(
    ("reader", "ask", "message"),
    [
        (ProxyTable, lambda t: t.scores("magic"), "no proxy is called 'magic'; .* params, flops"),
        (ProxyTable, lambda t: t.scores("snip", -1), "seed=-1: there are seeds 0 to 2"),
        (Table, lambda t: t.scores(3), "seed=3: there are seeds 0 to 2"),
        (ShortcutTable, lambda t: t.scores("1 epoch", 1), "'1 epoch' has epochs 0 to 0"),
        (ShortcutTable, lambda t: t.scores("1 day"), "no shortcut is .* choose from 1250 images"),
        (OneShotRuns, lambda t: t.scores("best"), "choose from uniform, distinct, fair"),
        (DartsRuns, lambda t: t.w("one-shot"), "no search is .* choose from first order, second"),
        (DartsRuns, lambda t: t.chosen("best"), "no method is called 'best'"),
        (DartsRuns, lambda t: t.seconds("Gumbel", 100), "searches had 10000, 1000"),
    ],
)
def test_what_is_not_there_is_said(reader, ask, message):
    with pytest.raises(ValueError, match=message):
        ask(reader.load())


@pytest.mark.parametrize(
    ("reader", "ask"),
    [
        (Table, lambda t: t.scores()),
        (Table, lambda t: t.test_scores()),
        (Table, lambda t: t.curve(ARCHS[0])),
        (ProxyTable, lambda t: t.scores("snip")),
        (ShortcutTable, lambda t: t.scores("1 epoch")),
        (OneShotRuns, lambda t: t.seconds("fair")),
        (DartsRuns, lambda t: t.w("joint")),
    ],
)
def test_what_is_handed_out_can_be_changed_without_harm(reader, ask):
    archive = reader.load()
    before = ask(archive).copy()
    ask(archive)[:] = 7
    np.testing.assert_array_equal(ask(archive), before)


# ---- the table -----------------------------------------------------------------------------------


N, RNG = len(ARCHS), np.random.default_rng(0)
ACCURACIES, SECONDS = RNG.random((2, N, 3)), RNG.random((2, N))
ACCURACIES[1, N // 3 :] = np.nan
"""Invented: a third of the rows has seed 1 too."""


@pytest.fixture(scope="module")
def loaded():
    return table_of(ACCURACIES, SECONDS)


def accurate(numbers):
    return pytest.approx(numbers, abs=2e-9, nan_ok=True)  # as exact as they are stored


def test_arrays_are_in_one_order(loaded):
    assert len(loaded) == len(loaded.archs) == 6_466
    assert loaded.scores() == accurate(ACCURACIES[0, :, -1])
    assert loaded.scores(1, 1) == accurate(ACCURACIES[1, :, 1])
    assert loaded.test_scores(1) == accurate(ACCURACIES[1, :, -1])
    assert loaded.seconds == pytest.approx(SECONDS[0])


@given(code=st.integers(0, 15_624))
def test_any_form_of_an_architecture_finds_its_row(loaded, code):
    arch = tuple(code // 5**i % 5 for i in range(6))
    row = ARCHS.index(SPACE.canonical(arch))
    for form in (arch, list(arch), np.array(arch), SPACE.to_string(arch), SPACE.canonical(arch)):
        assert loaded.row(form) == row
    assert tuple(loaded.archs[row]) == SPACE.canonical(arch)


@pytest.mark.parametrize("row", [0, 6_465])
def test_an_evaluation_is_the_recorded_one(loaded, row):
    result = loaded(ARCHS[row], 0)
    assert result.score == loaded.test(ARCHS[row]) == accurate(ACCURACIES[0, row, -1])
    assert result.cost == SECONDS[0, row]
    assert result.metrics == {"params": loaded.params[row], "macs": loaded.macs[row]}
    assert loaded.curve(ARCHS[row]) == accurate(ACCURACIES[0, row])


def test_seeds_that_were_not_trained_are_told(loaded):
    first, last = ARCHS[0], ARCHS[-1]
    assert loaded.seeds(first) == [0, 1]
    assert loaded.seeds(last) == [0]
    for ask in (loaded, loaded.curve, loaded.test):
        with pytest.raises(ValueError, match=r"trained with seeds \[0\], not with 1"):
            ask(last, 1)
        with pytest.raises(ValueError, match=r"trained with seeds \[0, 1\], not with 7"):
            ask(first, 7)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ((1, 2), "6 tokens"),
        ((9, 0, 0, 0, 0, 0), "choose from 0 to 4"),
        (None, "whole numbers"),
        ("|nothing|", "not of the form"),
    ],
)
def test_what_is_no_architecture_is_explained(loaded, wrong, message):
    with pytest.raises((ValueError, TypeError), match=message):
        loaded(wrong)
