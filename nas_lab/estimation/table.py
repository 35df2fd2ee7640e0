"""The truth, looked up: every network of a space, trained once and for all.

``python -m nas_lab.estimation.table build`` makes the table; its datasheet is
``datasets/fashion201.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nas_lab.estimation import archives
from nas_lab.history import Evaluation
from nas_lab.spaces.base import Arch, Skeleton, Space
from nas_lab.spaces.cells import nasbench201

FILE = "fashion201.npz"
ARRAYS = (
    *("archs", "row_of_code", "params", "macs"),
    *("val_correct", "test_correct", "train_loss", "thread_seconds"),
)


@dataclass(frozen=True, eq=False)
class Table:
    """Results of all canonical architectures of a space; N of them, S seeds, E epochs.

    It is an estimate: ``table(arch, seed)`` gives the recorded validation accuracy and what the
    training cost. Test accuracies are apart, behind ``test`` and ``test_scores``.

    Attributes:
        archs: int8 [N, D], canonical, in the order of every other array.
        params: int32 [N], trainable parameters.
        macs: int32 [N], multiply-adds for one image.
        about: recipe, skeleton, versions and sizes of the data, as plain values.
    """

    archs: np.ndarray
    params: np.ndarray
    macs: np.ndarray
    about: Mapping[str, Any]
    _arrays: Mapping[str, np.ndarray] = field(repr=False)

    @classmethod
    def load(cls, path: str | Path | None = None) -> Table:
        """Read a table; None reads the one that comes with the kit.

        Raises:
            FileNotFoundError: there is no such file.
            checks.DamagedFileError: its content does not fit its checksum or its space.
        """
        space = nasbench201().fingerprint
        arrays, about = archives.load(path, FILE, "table of trainings", space, lambda _: ARRAYS)
        return cls(arrays["archs"], arrays["params"], arrays["macs"], about, arrays)

    # ---- one architecture --------------------------------------------------------------------

    def __call__(self, arch: Arch | str, seed: int = 0) -> Evaluation:
        """The recorded evaluation of any architecture of the space, canonical or not.

        Args:
            arch: tokens, or the text form.
            seed: of the training. All architectures have 0, some have 1 and 2.

        Raises:
            ValueError: no architecture of the space, or no training with that seed.
        """
        key = (self.row(arch), seed)
        if key not in self._known:
            self._known[key] = self._evaluation(*key)
        return self._known[key]

    def row(self, arch: Arch | str) -> int:
        """Place of an architecture, or of its canonical form, in every array."""
        try:
            return self._rows[arch]  # type: ignore[index]
        except (KeyError, TypeError):  # a text, a list, an array, or no architecture at all
            space = self.space
            return self._rows[
                space.from_string(arch) if isinstance(arch, str) else space.check(arch)
            ]

    def curve(self, arch: Arch | str, seed: int = 0) -> np.ndarray:
        """Validation accuracy in [0, 1] after each epoch, [E]."""
        row = self.row(arch)
        self._check_recorded(row, seed)
        return self._val_accuracy[seed, row].copy()

    def test(self, arch: Arch | str, seed: int = 0) -> float:
        """Test accuracy in [0, 1]. Ask once, when the search is over."""
        row = self.row(arch)
        self._check_recorded(row, seed)
        return float(self._test_accuracy[seed, row])

    def seeds(self, arch: Arch | str) -> list[int]:
        """Seeds of the recorded trainings of an architecture."""
        return np.flatnonzero(self._recorded[:, self.row(arch)]).tolist()

    # ---- all architectures -------------------------------------------------------------------

    def scores(self, seed: int = 0, epoch: int = -1) -> np.ndarray:
        """Validation accuracy in [0, 1] after an epoch (from 0), [N]; NaN where not recorded."""
        self._check_seed(seed)
        return self._val_accuracy[seed, :, epoch].copy()

    def test_scores(self, seed: int = 0) -> np.ndarray:
        """Test accuracy in [0, 1], [N]; NaN where not recorded. Not for a search to see."""
        self._check_seed(seed)
        return self._test_accuracy[seed].copy()

    @property
    def seconds(self) -> np.ndarray:
        """Seconds of CPU time that the training with seed 0 took, float32 [N]."""
        return self._arrays["thread_seconds"][0].astype(np.float32)

    @cached_property
    def skeleton(self) -> Skeleton:
        """What surrounded the cells."""
        return Skeleton(**self.about["skeleton"])

    @cached_property
    def space(self) -> Space:
        """Where the architectures are from."""
        return nasbench201()

    def __len__(self) -> int:
        return len(self.archs)

    # ---- inside ------------------------------------------------------------------------------

    @cached_property
    def _known(self) -> dict[tuple[int, int], Evaluation]:
        return {}

    @cached_property
    def _rows(self) -> dict[Arch, int]:
        return dict(zip(self.space, self._arrays["row_of_code"].tolist(), strict=True))

    @cached_property
    def _recorded(self) -> np.ndarray:
        """bool [S, N]"""
        return self._arrays["test_correct"] != archives.MISSING

    @cached_property
    def _val_accuracy(self) -> np.ndarray:
        """float64 [S, N, E], NaN where not recorded"""
        return archives.share(self._arrays["val_correct"], self.about["images"]["validation"])

    @cached_property
    def _test_accuracy(self) -> np.ndarray:
        """float64 [S, N], NaN where not recorded"""
        return archives.share(self._arrays["test_correct"], self.about["images"]["test"])

    def _check_seed(self, seed: int) -> None:
        if not 0 <= seed < len(self._recorded):
            raise ValueError(f"seed={seed}: the table holds seeds 0 to {len(self._recorded) - 1}")

    def _check_recorded(self, row: int, seed: int) -> None:
        if not (0 <= seed < len(self._recorded) and self._recorded[seed, row]):
            have = np.flatnonzero(self._recorded[:, row]).tolist()
            raise ValueError(
                f"architecture {tuple(self.archs[row].tolist())} was trained with seeds {have}, "
                f"not with {seed}"
            )

    def _evaluation(self, row: int, seed: int) -> Evaluation:
        self._check_recorded(row, seed)
        return Evaluation(
            score=float(self._val_accuracy[seed, row, -1]),
            cost=float(self._arrays["thread_seconds"][seed, row]),
            metrics={"params": float(self.params[row]), "macs": float(self.macs[row])},
        )


# ---- the file --------------------------------------------------------------------------------


def write(path: Path, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
    """Write a table with its checksum inside, whole or not at all."""
    archives.write(path, {name: arrays[name] for name in ARRAYS}, about)


if __name__ == "__main__":
    from nas_lab.estimation.building import main

    sys.exit(main())
