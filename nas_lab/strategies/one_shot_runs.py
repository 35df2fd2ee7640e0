"""How ways to train a supernet rank, looked up without torch.

``python -m nas_lab.strategies.one_shot_runs build`` trains them; the datasheet is
``datasets/one_shot_runs.md``.
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

FILE = "one_shot_runs.npz"
ARRAYS = ("archs", "correct", "seconds")


@dataclass(frozen=True, eq=False)
class OneShotRuns:
    """Scores of n architectures on the weights of a supernet, looked at T times while it learns.

    M ways to train it, each with S seeds. The schedule of the learning rate spans all T looks.

    Attributes:
        archs: int8 [n, D], a random sample of the canonical architectures.
        names: of the ways.
        steps: of training before each look, [T].
        about: recipe and versions, as plain values.
    """

    archs: np.ndarray
    names: tuple[str, ...]
    steps: tuple[int, ...]
    about: Mapping[str, Any]
    _arrays: Mapping[str, np.ndarray] = field(repr=False)

    @classmethod
    def load(cls, path: str | Path | None = None) -> OneShotRuns:
        """Read a file of runs; None reads the one that comes with the kit.

        Raises:
            FileNotFoundError: there is no such file.
            checks.DamagedFileError: it cannot be read, or does not fit its checksum or space.
        """
        space = nasbench201().fingerprint
        arrays, about = archives.load(path, FILE, "runs of supernets", space, lambda _: ARRAYS)
        return cls(arrays["archs"], tuple(about["names"]), tuple(about["steps"]), about, arrays)

    def scores(self, name: str) -> np.ndarray:
        """Validation accuracy in [0, 1] on inherited weights, [S, T, n].

        Raises:
            ValueError: there is no such way.
        """
        return self._arrays["correct"][self._place(name)] / self.about["images"]["validation"]

    def seconds(self, name: str) -> np.ndarray:
        """Seconds of CPU time that the training had taken at each look, float32 [S, T].

        Raises:
            ValueError: there is no such way.
        """
        return self._arrays["seconds"][self._place(name)].copy()

    def __len__(self) -> int:
        return len(self.archs)

    def _place(self, name: str) -> int:
        if name not in self.names:
            raise ValueError(f"no method is called {name!r}; choose from {', '.join(self.names)}")
        return self.names.index(name)


if __name__ == "__main__":
    from nas_lab.strategies.building_one_shot import main

    sys.exit(main())
