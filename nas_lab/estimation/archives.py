"""Arrays in one file that tells when it is damaged: NPZ without pickle, checksum inside."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nas_lab import checks
from nas_lab.checks import DamagedFileError

MISSING = -1
"""Stands in an array of counts for a training, or an epoch, that is not there."""
REMEDY = "restore it with 'git checkout -- datasets', or reinstall nas-lab"


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


def load(
    path: str | Path | None,
    file: str,
    what: str,
    fingerprint: str,
    names: Callable[[Mapping[str, Any]], Iterable[str]],
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read the results about one space; a path of None takes the file that comes with the kit.

    Args:
        path: of the file, or None.
        file: its name in the kit.
        what: it holds, in words.
        fingerprint: of the space.
        names: of the arrays, given what is known of them.

    Raises:
        FileNotFoundError: there is no such file.
        checks.DamagedFileError: as for ``read``; or it holds other arrays, or another space's.
    """
    path = checks.dataset(file) if path is None else Path(path)
    arrays, about = read(path)
    if set(arrays) != set(names(about)):
        raise DamagedFileError(f"{path} holds no {what}: {REMEDY}")
    if about.get("fingerprint") != fingerprint:
        raise DamagedFileError(f"{path} is about another space than this one: {REMEDY}")
    return arrays, about


def share(correct: np.ndarray, images: int) -> np.ndarray:
    """Accuracies in [0, 1] out of counts; NaN for ``MISSING``."""
    return np.where(correct == MISSING, np.nan, correct / images)


def checksum(arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> str:
    """SHA-256 over what is known of the arrays, and over each of them with type and shape."""
    digest = hashlib.sha256(json.dumps(dict(about), sort_keys=True).encode())
    for name, values in arrays.items():
        array = np.ascontiguousarray(values)
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
