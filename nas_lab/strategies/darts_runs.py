"""Searches by gradient, run once and for all: their weights over time, and what they chose.

``python -m nas_lab.strategies.darts_runs build`` runs them; the datasheet is
``datasets/darts_runs.md``. Reading them needs no torch.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nas_lab.estimation import archives
from nas_lab.spaces.cells import nasbench201

FILE = "darts_runs.npz"
ARRAYS = ("w", "chosen", "seconds")


@dataclass(frozen=True, eq=False)
class DartsRuns:
    """Searches on ``nasbench201()``: N ways to choose an architecture, S seeds of each.

    The first M of them are searches of their own, with their weights after each of T steps. The
    others choose from such a search in another way, or from another kind of supernet. All were
    run on all training images, and once more on few of them.

    Attributes:
        names: of the N ways.
        searches: of the first M.
        images: how many training images there were: all, and few.
        steps: numbers of the steps whose weights are kept, rising, [T].
        about: recipe and versions, as plain values.
    """

    names: tuple[str, ...]
    searches: tuple[str, ...]
    images: tuple[int, ...]
    steps: tuple[int, ...]
    about: Mapping[str, Any]
    _arrays: Mapping[str, np.ndarray] = field(repr=False)

    @classmethod
    def load(cls, path: str | Path | None = None) -> DartsRuns:
        """Read a file of searches; None reads the one that comes with the kit.

        Raises:
            FileNotFoundError: there is no such file.
            checks.DamagedFileError: it cannot be read, or does not fit its checksum or space.
        """
        space = nasbench201().fingerprint
        arrays, about = archives.load(path, FILE, "searches by gradient", space, lambda _: ARRAYS)
        names = (*about["searches"], *about["others"])
        searches, images, steps = (tuple(about[n]) for n in ("searches", "images", "steps"))
        return cls(names, searches, images, steps, about, arrays)

    def w(self, name: str, images: int | None = None) -> np.ndarray:
        """Weights of the options after each of ``steps``, float64 [S, T, D, K].

        They are rounded to three digits, so that ties may be broken otherwise than ``chosen``.

        Args:
            name: of a search.
            images: one of ``images``; None takes the first.

        Raises:
            ValueError: there is no such search, or no such number of images.
        """
        if name not in self.searches:
            raise ValueError(f"no search is called {name!r}; choose from {_list(self.searches)}")
        return self._array("w", name, images).astype(float)

    def chosen(self, name: str, images: int | None = None) -> np.ndarray:
        """The architecture that each seed chose in the end, [S, D].

        Arguments and errors are those of ``w``, but for any way.
        """
        return self._array("chosen", name, images).astype(int)

    def seconds(self, name: str, images: int | None = None) -> np.ndarray:
        """Seconds of CPU time that it took each seed to choose, [S].

        Arguments and errors are those of ``w``, but for any way.
        """
        return self._array("seconds", name, images).astype(float)

    def _array(self, array: str, name: str, images: int | None) -> np.ndarray:
        if name not in self.names:
            raise ValueError(f"no method is called {name!r}; choose from {_list(self.names)}")
        images = self.images[0] if images is None else images
        if images not in self.images:
            raise ValueError(f"images={images}: searches had {_list(map(str, self.images))}")
        return self._arrays[array][self.images.index(images), self.names.index(name)]


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)


if __name__ == "__main__":
    from nas_lab.strategies.building_darts import main

    sys.exit(main())
