"""Checks that several modules share: arguments, and where the files in datasets/ are."""

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


class DamagedFileError(OSError):
    """A data file whose content is not the one that was published."""


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
