"""Cheaper trainings of a sample of the table's architectures, looked up without torch.

``python -m nas_lab.estimation.shortcuts build`` trains them; the datasheet is
``datasets/fashion201_shortcuts.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nas_lab.estimation import archives
from nas_lab.spaces.cells import nasbench201

FILE = "fashion201_shortcuts.npz"
ARRAYS = ("archs", "val_correct", "thread_seconds")


@dataclass(frozen=True, eq=False)
class ShortcutTable:
    """What L shortcuts say of n architectures, each trained for real; E epochs at most.

    All trainings have one seed, another than the one that a search on the table sees: so a
    shortcut and the truth share no luck.

    Attributes:
        archs: int8 [n, D], a random sample of the canonical architectures.
        names: of the shortcuts, such as ``"2500 images"``.
        seed: of every training.
        about: recipe and versions, as plain values.
    """

    archs: np.ndarray
    names: tuple[str, ...]
    seed: int
    about: Mapping[str, Any]
    _arrays: Mapping[str, np.ndarray] = field(repr=False)

    @classmethod
    def load(cls, path: str | Path | None = None) -> ShortcutTable:
        """Read a file of shortcuts; None reads the one that comes with the kit.

        Raises:
            FileNotFoundError: there is no such file.
            checks.DamagedFileError: it cannot be read, or does not fit its checksum or space.
        """
        space = nasbench201().fingerprint
        arrays, about = archives.load(path, FILE, "shortcuts", space, lambda _: ARRAYS)
        return cls(arrays["archs"], tuple(about["names"]), about["seed"], about, arrays)

    def scores(self, name: str, epoch: int = -1) -> np.ndarray:
        """Validation accuracy in [0, 1] of a shortcut after an epoch (from 0), [n].

        Raises:
            ValueError: there is no such shortcut, or it has no such epoch.
        """
        correct = self._arrays["val_correct"][self._place(name)]
        correct = correct[:, correct[0] != archives.MISSING]
        epochs = correct.shape[1]
        if not -epochs <= epoch < epochs:
            raise ValueError(f"epoch={epoch}: {name!r} has epochs 0 to {epochs - 1}")
        return correct[:, epoch] / self.about["images"]["validation"]

    def seconds(self, name: str) -> np.ndarray:
        """Seconds of CPU time of a whole training, float32 [n].

        Raises:
            ValueError: there is no such shortcut.
        """
        return self._arrays["thread_seconds"][self._place(name)].astype(np.float32)

    def __len__(self) -> int:
        return len(self.archs)

    def _place(self, name: str) -> int:
        if name not in self.names:
            raise ValueError(f"no shortcut is called {name!r}; choose from {', '.join(self.names)}")
        return self.names.index(name)


if __name__ == "__main__":
    from nas_lab.estimation.building_shortcuts import main

    sys.exit(main())
