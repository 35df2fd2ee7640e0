"""A stored result: arrays in one file that tells when it is damaged, read without torch.

The file is an NPZ without pickle. What is known of the arrays (``about``) stands in it as JSON,
with a checksum over all.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nas_lab import checks
from nas_lab.checks import DamagedFileError
from nas_lab.spaces.base import Space
from nas_lab.spaces.cells import nasbench201

if TYPE_CHECKING:
    from typing_extensions import Self

MISSING = -1
"""Stands in an array of counts for a training, or an epoch, that is not there."""
REMEDY = "restore it with 'git checkout -- datasets', or reinstall nas-lab"


def array(name: str) -> Any:
    """An attribute that is one of the arrays."""
    return property(lambda self: self._arrays[name])


def entry(name: str) -> Any:
    """An attribute that stands in ``about``, as a tuple."""
    return property(lambda self: tuple(self.about[name]))


class Archive:
    """A stored result. Subclasses name the file and what it holds, and give access to it.

    Attributes:
        about: recipe, versions and sizes of the data, as plain values.
    """

    FILE: ClassVar[str]
    HOLDS: ClassVar[str]
    ARRAYS: ClassVar[tuple[str, ...]]
    SPACE: ClassVar[Space] = nasbench201()

    def __init__(self, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
        self._arrays, self.about = arrays, about

    @classmethod
    def load(cls, path: str | Path | None = None) -> Self:
        """Read a file; None reads the one that comes with the kit.

        Raises:
            FileNotFoundError: there is no such file.
            checks.DamagedFileError: it cannot be read, or does not fit its checksum; or it holds
                other arrays, or another space's.
        """
        path = checks.dataset(cls.FILE) if path is None else Path(path)
        arrays, about = read(path)
        if set(arrays) != set(cls.ARRAYS):
            raise DamagedFileError(f"{path} holds no {cls.HOLDS}: {REMEDY}")
        if about.get("fingerprint") != cls.SPACE.fingerprint:
            raise DamagedFileError(f"{path} is about another space than this one: {REMEDY}")
        return cls(arrays, about)


class ArchArchive(Archive):
    """A stored result with a row for each of N architectures.

    Attributes:
        archs: int8 [N, D], in the order of every other array.
    """

    archs = array("archs")

    def __len__(self) -> int:
        return len(self.archs)


def place(what: str, name: str, names: Sequence[str]) -> int:
    """Index of a name.

    Raises:
        ValueError: it is not among the names.
    """
    if name not in names:
        raise ValueError(f"no {what} is called {name!r}; choose from {', '.join(names)}")
    return names.index(name)


def share(correct: np.ndarray, images: int) -> np.ndarray:
    """Accuracies in [0, 1] out of counts; NaN for ``MISSING``."""
    return np.where(correct == MISSING, np.nan, correct / images)


# ---- the file --------------------------------------------------------------------------------


def write(path: Path, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
    """Write arrays and what is known of them (plain values), whole or not at all."""
    text = json.dumps({**about, "sha256": checksum(arrays, about)}, sort_keys=True)
    part = path.with_name(path.name + ".part")
    with open(part, "wb") as file:
        checks.save_arrays(file, {"about": np.array(text), **arrays})
    part.replace(path)


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays by name, and what is known of them.

    Raises:
        FileNotFoundError: there is no such file.
        checks.DamagedFileError: it cannot be read, or its content does not fit its checksum.
    """
    content = io.BytesIO(path.read_bytes())
    try:
        with np.load(content, allow_pickle=False) as archive:
            about = json.loads(str(archive["about"]))
            expected = about["sha256"]
            arrays = {name: archive[name] for name in archive.files if name != "about"}
    except Exception as error:  # zip, zlib, numpy and json each have their own
        raise DamagedFileError(f"{path} cannot be read ({error}): {REMEDY}") from error
    if checksum(arrays, {k: v for k, v in about.items() if k != "sha256"}) != expected:
        raise DamagedFileError(f"{path} does not fit its checksum: {REMEDY}")
    return arrays, about


def checksum(arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> str:
    """SHA-256 over what is known of the arrays, and over each of them with type and shape."""
    digest = hashlib.sha256(json.dumps(dict(about), sort_keys=True).encode())
    for name, values in arrays.items():
        array = np.ascontiguousarray(values)
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
