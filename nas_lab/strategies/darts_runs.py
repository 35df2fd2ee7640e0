"""Searches by gradient, run once and for all: their weights over time, and what they chose.

``python -m nas_lab.strategies.darts_runs build`` runs them; the datasheet is
``datasets/darts_runs.md``. Reading them needs no torch.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nas_lab.estimation import archives
from nas_lab.spaces.cell_201 import nasbench201

FILE = "darts_runs.npz"
ARRAYS = ("w", "chosen", "seconds")


@dataclass(frozen=True, eq=False)
class DartsRuns:
    """Searches on ``nasbench201()``: N ways to choose an architecture, S seeds of each.

    The first M of them are searches of their own, with their weights after each of T steps. The
    others choose from such a search in another way, or from another kind of supernet.

    Attributes:
        names: of the N ways.
        searches: of the first M.
        steps: numbers of the steps whose weights are kept, rising, [T].
        about: recipe and versions, as plain values.
    """

    names: tuple[str, ...]
    searches: tuple[str, ...]
    steps: tuple[int, ...]
    about: Mapping[str, Any]
    _arrays: Mapping[str, np.ndarray] = field(repr=False)

    @classmethod
    def load(cls, path: str | Path | None = None) -> DartsRuns:
        """Read a file of searches; None reads the one that comes with the kit.

        Raises:
            FileNotFoundError: there is no such file.
            checksums.DamagedFileError: it cannot be read, or does not fit its checksum or space.
        """
        space = nasbench201().fingerprint
        arrays, about = archives.load(path, FILE, "searches by gradient", space, lambda _: ARRAYS)
        names = (*about["searches"], *about["others"])
        return cls(names, tuple(about["searches"]), tuple(about["steps"]), about, arrays)

    def w(self, name: str) -> np.ndarray:
        """Weights of the options after each of ``steps``, float64 [S, T, D, K].

        They are rounded to three digits, so that ties may be broken otherwise than ``chosen``.

        Raises:
            ValueError: there is no such search.
        """
        if name not in self.searches:
            raise ValueError(f"no search is called {name!r}; choose from {_list(self.searches)}")
        return self._arrays["w"][self.searches.index(name)].astype(float)

    def chosen(self, name: str) -> np.ndarray:
        """The architecture that each seed chose in the end, [S, D].

        Raises:
            ValueError: there is no such way.
        """
        return self._arrays["chosen"][self._place(name)].astype(int)

    def seconds(self, name: str) -> np.ndarray:
        """Seconds of CPU time that it took each seed to choose, [S].

        Raises:
            ValueError: there is no such way.
        """
        return self._arrays["seconds"][self._place(name)].astype(float)

    def _place(self, name: str) -> int:
        if name not in self.names:
            raise ValueError(f"no way is called {name!r}; choose from {_list(self.names)}")
        return self.names.index(name)


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names)


if __name__ == "__main__":
    from nas_lab.strategies.building_darts import main

    sys.exit(main())
