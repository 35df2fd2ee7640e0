"""Tabular benchmarks and other stored results: arrays in checked files, read without torch.

Every result has a datasheet, ``datasets/NAME.md``, and ``python -m nas_lab.build NAME`` makes it.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nas_lab import checks
from nas_lab.checks import DamagedFileError
from nas_lab.history import Evaluation
from nas_lab.spaces.base import Arch, Skeleton, Space
from nas_lab.spaces.cells import nasbench201
from nas_lab.spaces.chains import transformer

if TYPE_CHECKING:
    from typing_extensions import Self

MISSING = -1  # in an array of counts, for a training or an epoch that is not there
TRAINED = ("val_correct", "test_correct", "train_loss", "thread_seconds")
REMEDY = "restore it with 'git checkout -- datasets', or reinstall nas-lab"


def write(path: Path, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
    """Write arrays and what is known of them (plain values), whole or not at all."""
    text = json.dumps({**about, "sha256": checksum(arrays, about)}, sort_keys=True)
    part = path.with_name(path.name + ".part")
    with open(part, "wb") as file:
        checks.save_arrays(file, {"about": np.array(text), **arrays})
    part.replace(path)


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays by name, and what is known of them."""
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


def array(name: str) -> Any:
    """An attribute that is one of the arrays."""
    return property(lambda self: self._arrays[name])


def entry(name: str) -> Any:
    """An attribute that stands in ``about``, as a tuple."""
    return property(lambda self: tuple(self.about[name]))


class Archive:
    """A stored result; ``about`` has recipe, versions and sizes of the data, as plain values.
    Subclasses name the file and what it holds, and give access to it."""

    FILE: ClassVar[str]
    HOLDS: ClassVar[str]
    ARRAYS: ClassVar[tuple[str, ...]]
    SPACE: ClassVar[Space] = nasbench201()

    def __init__(self, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
        self._arrays, self.about = arrays, about

    @classmethod
    def load(cls, path: str | Path | None = None) -> Self:
        """Read a file; None reads the one that comes with the kit."""
        path = checks.dataset(cls.FILE) if path is None else Path(path)
        arrays, about = read(path)
        if set(arrays) != set(cls.ARRAYS):
            raise DamagedFileError(f"{path} holds no {cls.HOLDS}: {REMEDY}")
        if about.get("fingerprint") != cls.SPACE.fingerprint:
            raise DamagedFileError(f"{path} is about another space than this one: {REMEDY}")
        return cls(arrays, about)

    def _accuracies(self, array: str, split: str = "validation") -> np.ndarray:
        """Float64, in [0, 1], out of counts; NaN for ``MISSING``."""
        correct = self._arrays[array]
        return np.where(correct == MISSING, np.nan, correct / self.about["images"][split])

    @staticmethod
    def _of_seed(values: np.ndarray, seed: int) -> np.ndarray:
        if not 0 <= seed < len(values):
            raise ValueError(f"seed={seed}: there are seeds 0 to {len(values) - 1}")
        return values[seed]


class ArchArchive(Archive):
    """A stored result with a row for each of N architectures, int8 ``archs[N, D]``."""

    archs = array("archs")

    def __len__(self) -> int:
        return len(self.archs)


def place(what: str, name: str, names: tuple[str, ...]) -> int:
    """Index of a name."""
    if name not in names:
        raise ValueError(f"no {what} is called {name!r}; choose from {', '.join(names)}")
    return names.index(name)


class Table(ArchArchive):
    """Results of all canonical architectures of a space; N of them, S seeds, E epochs.
    It is an estimate: ``table(arch, seed)`` gives the recorded validation accuracy and what the
    training cost. Test accuracies are apart, behind ``test`` and ``test_scores``. ``archs`` [N, D]
    are canonical; ``params`` and ``macs`` are int32 [N]."""

    FILE, HOLDS = "fashion201.npz", "table of trainings"
    ARRAYS = ("archs", "row_of_code", "params", "macs", *TRAINED)
    params, macs, space = array("params"), array("macs"), Archive.SPACE

    def __call__(self, arch: Arch | str, seed: int = 0) -> Evaluation:
        """The recorded evaluation of an architecture; all were trained with seed 0, some more."""
        key = (self.row(arch), seed)
        if key not in self._known:
            at = _, row = self._place(arch, seed)
            sizes = {"params": float(self.params[row]), "macs": float(self.macs[row])}
            score, cost = self._val_accuracy[at][-1], self._arrays["thread_seconds"][at]
            self._known[key] = Evaluation(float(score), float(cost), sizes)
        return self._known[key]

    def row(self, arch: Arch | str) -> int:
        """Place of an architecture, or of its canonical form, in every array."""
        try:
            return self._rows[arch]  # type: ignore[index]
        except (KeyError, TypeError):  # a text, a list, an array, or no architecture at all
            read = self.space.from_string if isinstance(arch, str) else self.space.check
            return self._rows[read(arch)]  # type: ignore[arg-type]

    def curve(self, arch: Arch | str, seed: int = 0) -> np.ndarray:
        """Validation accuracy in [0, 1] after each epoch, [E]."""
        return self._val_accuracy[self._place(arch, seed)].copy()

    def test(self, arch: Arch | str, seed: int = 0) -> float:
        """Test accuracy in [0, 1]. Ask once, when the search is over."""
        return float(self._test_accuracy[self._place(arch, seed)])

    def seeds(self, arch: Arch | str) -> list[int]:
        """Seeds of the recorded trainings of an architecture."""
        return np.flatnonzero(self._arrays["test_correct"][:, self.row(arch)] != MISSING).tolist()

    def scores(self, seed: int = 0, epoch: int = -1) -> np.ndarray:
        """Validation accuracy in [0, 1] after an epoch (from 0), [N]; NaN where not recorded."""
        return self._of_seed(self._val_accuracy, seed)[:, epoch].copy()

    def test_scores(self, seed: int = 0) -> np.ndarray:
        """Test accuracy in [0, 1], [N]; NaN where not recorded. Not for a search to see."""
        return self._of_seed(self._test_accuracy, seed).copy()

    @property
    def seconds(self) -> np.ndarray:
        """Seconds of CPU time that the training with seed 0 took, float32 [N]."""
        return self._arrays["thread_seconds"][0].astype(np.float32)

    @cached_property
    def skeleton(self) -> Skeleton:
        """What surrounded the cells."""
        return Skeleton(**self.about["skeleton"])

    @cached_property
    def _known(self) -> dict[tuple[int, int], Evaluation]:
        return {}

    @cached_property
    def _rows(self) -> dict[Arch, int]:
        return dict(zip(self.space, self._arrays["row_of_code"].tolist(), strict=True))

    @cached_property
    def _val_accuracy(self) -> np.ndarray:
        """[S, N, E]"""
        return self._accuracies("val_correct")

    @cached_property
    def _test_accuracy(self) -> np.ndarray:
        """[S, N]"""
        return self._accuracies("test_correct", "test")

    def _place(self, arch: Arch | str, seed: int) -> tuple[int, int]:
        """Where in [S, N] a training is."""
        row, seeds = self.row(arch), self.seeds(arch)
        if seed not in seeds:
            arch = tuple(self.archs[row].tolist())
            raise ValueError(f"architecture {arch} was trained with seeds {seeds}, not with {seed}")
        return seed, row


class ProxyTable(ArchArchive):
    """Scores of P zero-cost proxies, ``names``, for N canonical architectures, as in ``Table``."""

    FILE, HOLDS = "fashion201_proxies.npz", "scores of proxies"
    ARRAYS = (
        *("archs", "seconds", "params", "flops"),
        *("grad_norm", "snip", "grasp", "synflow", "fisher", "jacob_cov", "naswot", "zen"),
    )
    names = entry("proxies")

    def scores(self, name: str, seed: int = 0) -> np.ndarray:
        """Scores of a proxy, float32 [N]; NaN where not computed, -inf is ``proxies.LOWEST``."""
        place("proxy", name, self.names)
        return self._of_seed(self._arrays[name], seed).copy()

    def seconds(self, name: str) -> np.ndarray:
        """Seconds of CPU time, float32 [N], for network, batch and proxy, with seed 0."""
        return self._arrays["seconds"][place("proxy", name, self.names)].astype(np.float32)


class ShortcutTable(ArchArchive):
    """What shortcuts say of a random sample of n canonical architectures; E epochs at most.
    Shortcuts are trainings for fewer epochs, or with fewer images, pixels or channels. All have one
    seed, not that of a search on the table: so a shortcut and the truth share no luck."""

    FILE, HOLDS = "fashion201_shortcuts.npz", "shortcuts"
    ARRAYS = ("archs", "val_correct", "thread_seconds")
    names = entry("names")

    @property
    def seed(self) -> int:
        """Seed of every training."""
        return self.about["seed"]

    def scores(self, name: str, epoch: int = -1) -> np.ndarray:
        """Validation accuracy in [0, 1] of a shortcut after an epoch (from 0), [n]."""
        scores = self._accuracies("val_correct")[place("shortcut", name, self.names)]
        scores = scores[:, ~np.isnan(scores[0])]
        epochs = scores.shape[1]
        if not -epochs <= epoch < epochs:
            raise ValueError(f"epoch={epoch}: {name!r} has epochs 0 to {epochs - 1}")
        return scores[:, epoch]

    def seconds(self, name: str) -> np.ndarray:
        """Seconds of CPU time of a whole training, float32 [n]."""
        seconds = self._arrays["thread_seconds"][place("shortcut", name, self.names)]
        return seconds.astype(np.float32)


class Grid(ArchArchive):
    """N architectures, each trained with S seeds for E epochs; ``params``, ``macs`` int32 [N]."""

    params, macs = array("params"), array("macs")

    def scores(self, epoch: int = -1) -> np.ndarray:
        """Validation accuracy in [0, 1] after an epoch (from 0), [S, N]; NaN where it diverged."""
        return self._accuracies("val_correct")[:, :, epoch]

    def test_scores(self) -> np.ndarray:
        """Test accuracy in [0, 1], [S, N]; NaN where it diverged. Not for a search to see."""
        return self._accuracies("test_correct", "test")

    @property
    def seconds(self) -> np.ndarray:
        """Seconds of CPU time of each training, float32 [S, N]."""
        return self._arrays["thread_seconds"].astype(np.float32)


class TransformerGrid(Grid):
    """Every architecture of ``spaces.transformer()``, trained alone with S seeds, in the order of
    the space."""

    FILE, HOLDS, SPACE = "transformer_grid.npz", "trained transformers", transformer()
    ARRAYS = ("archs", "params", "macs", *TRAINED)

    @cached_property
    def skeleton(self) -> Skeleton:
        """The images that they read."""
        return Skeleton(**self.about["skeleton"])


class OneShotRuns(ArchArchive):
    """Scores of n architectures on the weights of a supernet, at T checkpoints of its training.
    M methods to train it, each with S seeds, on a random sample of the canonical architectures. The
    schedule of the learning rate spans all T checkpoints, after ``steps`` [T] of training."""

    FILE, HOLDS = "one_shot_runs.npz", "runs of supernets"
    ARRAYS = ("archs", "correct", "seconds")
    names, steps = entry("names"), entry("steps")

    def scores(self, name: str) -> np.ndarray:
        """Validation accuracy in [0, 1] on inherited weights, [S, T, n]."""
        return self._accuracies("correct")[place("method", name, self.names)]

    def seconds(self, name: str) -> np.ndarray:
        """Seconds of CPU time that the training had taken at each checkpoint, float32 [S, T]."""
        return self._arrays["seconds"][place("method", name, self.names)].copy()


class TransformerRuns(OneShotRuns):
    """Scores of all transformers of ``TransformerGrid`` on slices of a supernet's matrices."""

    FILE, SPACE = "transformer_runs.npz", transformer()


class DartsRuns(Archive):
    """Searches by gradient: N methods to choose an architecture, S seeds of each.
    The first, ``searches``, are searches of their own, with their weights after each of ``steps``
    [T]. The others choose from such a search in another way, or from another kind of supernet. All
    were run on all training images, and once more on few of them: every method takes one of these
    numbers, ``images``; None takes the first."""

    FILE, HOLDS = "darts_runs.npz", "searches by gradient"
    ARRAYS = ("w", "chosen", "seconds")
    searches, images, steps = entry("searches"), entry("images"), entry("steps")

    @property
    def names(self) -> tuple[str, ...]:
        """The N methods, searches first."""
        return (*self.searches, *self.about["others"])

    def w(self, name: str, images: int | None = None) -> np.ndarray:
        """Weights of the options after each of ``steps`` of a search, float64 [S, T, D, K].
        They are rounded to three digits, so that ties may be broken otherwise than ``chosen``."""
        place("search", name, self.searches)
        return self._array("w", name, images).astype(float)

    def chosen(self, name: str, images: int | None = None) -> np.ndarray:
        """The architecture that each seed chose in the end, [S, D]."""
        return self._array("chosen", name, images).astype(int)

    def seconds(self, name: str, images: int | None = None) -> np.ndarray:
        """Seconds of CPU time that it took each seed to choose, [S]."""
        return self._array("seconds", name, images).astype(float)

    def _array(self, array: str, name: str, images: int | None) -> np.ndarray:
        row = place("method", name, self.names)
        images = self.images[0] if images is None else images
        if images not in self.images:
            known = ", ".join(map(str, self.images))
            raise ValueError(f"images={images}: searches had {known}")
        return self._arrays[array][self.images.index(images), row]
