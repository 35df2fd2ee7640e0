"""Where the datasets are, in a checkout and in an installed package alike."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

VARIABLE = "NAS_LAB_DATASETS"
_PACKAGE = Path(__file__).resolve().parent


def dataset(name: str) -> Path:
    """Return the path of a dataset file, for example ``dataset("fashion_mnist.npz")``.

    A wheel carries the files inside the package; a checkout (and an editable
    install, which points at one) has them in ``datasets/`` at its top. When the
    environment variable ``NAS_LAB_DATASETS`` names a folder, only that folder
    is searched. FileNotFoundError says where it looked and what to do.
    """
    folder, advice = _place()
    path = folder / name
    if not path.is_file():
        raise FileNotFoundError(f"dataset {name!r} not found; looked in {folder}. {advice}")
    return path


def _place() -> tuple[Path, str]:
    """Return the folder of the datasets, and what to do when a file is not there."""
    override = os.environ.get(VARIABLE)
    if override:
        return Path(override).expanduser(), (
            f"{VARIABLE} names that folder: put the file there, or unset the variable "
            "to use the files that come with nas_lab."
        )
    checkout = _PACKAGE.parent
    if (checkout / "pyproject.toml").is_file():
        return checkout / "datasets", (
            f"'git checkout -- datasets' in {checkout} brings it back; "
            "'make data' builds fashion_mnist.npz anew."
        )
    return _PACKAGE / "datasets", (
        f"The installed package is incomplete: reinstall nas-lab, or set {VARIABLE} "
        "to the datasets folder of a clone."
    )


def save_arrays(file: IO[bytes], arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays into one NPZ, compressed and without pickle.

    numpy's own ``savez_compressed(allow_pickle=False)`` came late: an older one takes the keyword
    for one more array.

    Raises:
        ValueError: an array holds Python objects, which would be pickled.
    """
    if objects := [name for name, array in arrays.items() if np.asarray(array).dtype.hasobject]:
        raise ValueError(f"{', '.join(objects)}: arrays of Python objects are not written")
    plain: dict[str, Any] = dict(arrays)
    np.savez_compressed(file, **plain)
