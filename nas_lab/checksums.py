"""SHA-256 sums of the files in datasets/, kept in the format that `sha256sum -c` reads."""

from __future__ import annotations

import hashlib
from pathlib import Path

SUMS = "SHA256SUMS"


class DamagedFileError(OSError):
    """A data file whose content is not the one that was published."""


def sha256(path: Path) -> str:
    """Return the SHA-256 sum of a file as 64 hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read(folder: Path) -> dict[str, str]:
    """Return {file name: sum} of the folder's SHA256SUMS; empty where the folder has none."""
    sums = folder / SUMS
    if not sums.exists():
        return {}
    rows = (line.split(maxsplit=1) for line in sums.read_text("utf-8").splitlines() if line.strip())
    return {name.strip(): digest for digest, name in rows}


def record(path: Path) -> None:
    """Write the sum of `path` into the SHA256SUMS beside it; other files' rows stay."""
    sums = read(path.parent) | {path.name: sha256(path)}
    rows = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    (path.parent / SUMS).write_text(rows, "utf-8", newline="\n")


def verify(path: Path, remedy: str) -> Path:
    """Return `path` when its sum is the recorded one.

    `remedy` is a sentence for the reader: how to get the file back. Raises FileNotFoundError
    when the file is missing, DamagedFileError when its sum differs or none is recorded.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing. {remedy}")
    expected = read(path.parent).get(path.name)
    if expected is None:
        raise DamagedFileError(f"{path.parent / SUMS} has no row for {path.name}. {remedy}")
    if sha256(path) != expected:
        raise DamagedFileError(f"{path} is damaged: its SHA-256 is not {expected}. {remedy}")
    return path
