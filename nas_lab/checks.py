"""Checks that several modules share: arguments, and the files in datasets/ with their SHA-256."""

import hashlib
import math
import operator
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any


def whole_number(name: str, value: object, least: int = 1) -> int:
    """Return `value` as an int; a bool is no whole number."""
    try:
        number = operator.index(None if isinstance(value, bool) else value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {value!r}") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, not {number}")
    return number


def number_in(name: str, value: float, *, least: float = 0, below: float = math.inf) -> float:
    """Return `value` as a float, which lies in [least, below)."""
    if not least <= value < below:
        raise ValueError(f"{name} must be a number in [{least:g}, {below:g}), not {value!r}")
    return float(value)


SUMS = "SHA256SUMS"


class DamagedFileError(OSError):
    """A data file whose content is not the one that was published."""


def sha256(path: Path) -> str:
    """Return the SHA-256 sum of a file as 64 hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def recorded_sums(folder: Path) -> dict[str, str]:
    """Return {file name: sum} of the folder's SHA256SUMS; empty where the folder has none."""
    sums = folder / SUMS
    if not sums.exists():
        return {}
    rows = (line.split(maxsplit=1) for line in sums.read_text("utf-8").splitlines() if line.strip())
    return {name.strip(): digest for digest, name in rows}


def record_sum(path: Path) -> None:
    """Write the sum of `path` into the SHA256SUMS beside it; other files' rows stay."""
    sums = recorded_sums(path.parent) | {path.name: sha256(path)}
    rows = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    (path.parent / SUMS).write_text(rows, "utf-8", newline="\n")


def verify(path: Path, remedy: str) -> Path:
    """Return `path` when its sum is the recorded one; `remedy` says how to get the file back."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing. {remedy}")
    expected = recorded_sums(path.parent).get(path.name)
    if expected is None:
        raise DamagedFileError(f"{path.parent / SUMS} has no row for {path.name}. {remedy}")
    if sha256(path) != expected:
        raise DamagedFileError(f"{path} is damaged: its SHA-256 is not {expected}. {remedy}")
    return path


VARIABLE = "NAS_LAB_DATASETS"
_PACKAGE = Path(__file__).resolve().parent


def dataset(name: str) -> Path:
    """Return the path of a dataset file, for example ``dataset("fashion_mnist.npz")``.
    A wheel carries the files inside the package, a checkout in ``datasets/`` at its top. When the
    environment variable ``NAS_LAB_DATASETS`` names a folder, only that folder is searched."""
    checkout = _PACKAGE.parent
    if override := os.environ.get(VARIABLE):
        folder = Path(override).expanduser()
        advice = (
            f"{VARIABLE} names that folder: put the file there, or unset the variable "
            "to use the files that come with nas_lab."
        )
    elif (checkout / "pyproject.toml").is_file():
        folder = checkout / "datasets"
        advice = (
            f"'git checkout -- datasets' in {checkout} brings it back; "
            "'make data' builds fashion_mnist.npz anew."
        )
    else:
        folder = _PACKAGE / "datasets"
        advice = (
            f"The installed package is incomplete: reinstall nas-lab, or set {VARIABLE} "
            "to the datasets folder of a clone."
        )
    path = folder / name
    if not path.is_file():
        raise FileNotFoundError(f"dataset {name!r} not found; looked in {folder}. {advice}")
    return path


def save_arrays(file: IO[bytes], arrays: Mapping[str, Any]) -> None:
    """Write arrays into one NPZ, compressed and without pickle."""
    import numpy as np  # not on import: spaces do without it

    # An older numpy takes savez_compressed's keyword allow_pickle=False for one more array.
    if objects := [name for name, array in arrays.items() if np.asarray(array).dtype.hasobject]:
        raise ValueError(f"{', '.join(objects)}: arrays of Python objects are not written")
    plain: dict[str, Any] = dict(arrays)
    np.savez_compressed(file, **plain)
