"""The proxies' values for every architecture of the table, looked up without torch.

``python -m nas_lab.estimation.proxies build`` makes the file; its datasheet is
``datasets/fashion201_proxies.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nas_lab.estimation import archives
from nas_lab.spaces.base import Skeleton
from nas_lab.spaces.cells import nasbench201

FILE = "fashion201_proxies.npz"


@dataclass(frozen=True, eq=False)
class ProxyTable:
    """Scores of P proxies for N canonical architectures, with S seeds.

    Attributes:
        archs: int8 [N, D], in the order of every other array and of ``estimation.Table``.
        names: of the proxies.
        about: skeleton, batch size, seeds and versions, as plain values.
    """

    archs: np.ndarray
    names: tuple[str, ...]
    about: Mapping[str, Any]
    _arrays: Mapping[str, np.ndarray] = field(repr=False)

    @classmethod
    def load(cls, path: str | Path | None = None) -> ProxyTable:
        """Read a file of scores; None reads the one that comes with the kit.

        Raises:
            FileNotFoundError: there is no such file.
            checks.DamagedFileError: it cannot be read, or does not fit its checksum or space.
        """
        space = nasbench201().fingerprint
        arrays, about = archives.load(path, FILE, "scores of proxies", space, _names)
        return cls(arrays["archs"], tuple(about["proxies"]), about, arrays)

    def scores(self, name: str, seed: int = 0) -> np.ndarray:
        """Scores of a proxy, float32 [N]; NaN where it was not computed with this seed.

        Seed 0 has all architectures, seeds 1 and 2 have the same random ones as the table.
        -inf is the lowest score, ``proxies.LOWEST``.

        Raises:
            ValueError: there is no such proxy, or no such seed.
        """
        scores = self._arrays[self._known(name)]
        if not 0 <= seed < len(scores):
            raise ValueError(f"seed={seed}: there are seeds 0 to {len(scores) - 1}")
        return scores[seed].copy()

    def seconds(self, name: str) -> np.ndarray:
        """Seconds of CPU time, float32 [N], for network, batch and proxy, with seed 0.

        Raises:
            ValueError: there is no such proxy.
        """
        row = self.names.index(self._known(name))
        return self._arrays["seconds"][row].astype(np.float32)

    @cached_property
    def skeleton(self) -> Skeleton:
        """What surrounded the cells."""
        return Skeleton(**self.about["skeleton"])

    def __len__(self) -> int:
        return len(self.archs)

    def _known(self, name: str) -> str:
        if name not in self.names:
            raise ValueError(f"no proxy is called {name!r}; choose from {', '.join(self.names)}")
        return name


def _names(about: Mapping[str, Any]) -> list[str]:
    """Arrays of a file, given what is known of it."""
    return ["archs", "seconds", *about.get("proxies", ())]
