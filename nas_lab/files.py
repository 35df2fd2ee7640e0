"""Where the datasets are, in a checkout and in an installed package alike."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def dataset(name: str) -> Path:
    """Return the path of a dataset file, for example ``dataset("fashion_mnist.npz")``.

    A wheel carries the files inside the package; a checkout (and an editable
    install, which points at one) has them in ``datasets/`` at its top. When the
    environment variable ``NAS_LAB_DATASETS`` names a folder, only that folder
    is searched.
    """
    folders = _folders()
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(_missing(name, folders))


def _folders() -> list[Path]:
    override = os.environ.get("NAS_LAB_DATASETS")
    if override:
        return [Path(override).expanduser()]
    checkout = _PACKAGE.parent
    if (checkout / "pyproject.toml").is_file():
        return [checkout / "datasets"]
    return [_PACKAGE / "datasets"]


def _missing(name: str, folders: list[Path]) -> str:
    places = ", ".join(str(folder) for folder in folders)
    if os.environ.get("NAS_LAB_DATASETS"):
        advice = (
            "NAS_LAB_DATASETS names that folder: put the file there, or unset the variable "
            "to use the files that come with nas_lab."
        )
    elif (_PACKAGE.parent / "pyproject.toml").is_file():
        advice = (
            f"In a clone, 'git checkout -- datasets' in {_PACKAGE.parent} brings it back; "
            "'make data' builds fashion_mnist.npz anew."
        )
    else:
        advice = (
            "The installed package is incomplete: reinstall nas-lab, or set NAS_LAB_DATASETS "
            "to the datasets folder of a clone."
        )
    return f"dataset {name!r} not found; looked in {places}. {advice}"
