"""The stored results on the cells of NAS-Bench-201, looked up without torch.

Every result has a datasheet, ``datasets/NAME.md``, and ``python -m nas_lab.build NAME`` makes it:

=================  ========================  =======================================
``Table``          ``fashion201``            every network trained: accuracy, curves
``ProxyTable``     ``fashion201_proxies``    zero-cost proxies of every network
``ShortcutTable``  ``fashion201_shortcuts``  cheaper trainings of a sample
``OneShotRuns``    ``one_shot_runs``         rankings by the weights of a supernet
``DartsRuns``      ``darts_runs``            searches by gradient
=================  ========================  =======================================
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from nas_lab.estimation.archives import MISSING, ArchArchive, Archive, array, entry, place, share
from nas_lab.history import Evaluation
from nas_lab.spaces.base import Arch, Skeleton


class Table(ArchArchive):
    """Results of all canonical architectures of a space; N of them, S seeds, E epochs.

    It is an estimate: ``table(arch, seed)`` gives the recorded validation accuracy and what the
    training cost. Test accuracies are apart, behind ``test`` and ``test_scores``.

    Attributes:
        archs: int8 [N, D], canonical, in the order of every other array.
        params: int32 [N], trainable parameters.
        macs: int32 [N], multiply-adds for one image.
        space: where the architectures are from.
        about: recipe, skeleton, versions and sizes of the data, as plain values.
    """

    FILE, HOLDS = "fashion201.npz", "table of trainings"
    ARRAYS = (
        *("archs", "row_of_code", "params", "macs"),
        *("val_correct", "test_correct", "train_loss", "thread_seconds"),
    )
    params, macs, space = array("params"), array("macs"), Archive.SPACE

    # ---- one architecture --------------------------------------------------------------------

    def __call__(self, arch: Arch | str, seed: int = 0) -> Evaluation:
        """The recorded evaluation of any architecture of the space, canonical or not.

        Args:
            arch: tokens, or the text form.
            seed: of the training. All architectures have 0, some have 1 and 2.

        Raises:
            ValueError: no architecture of the space, or no training with that seed.
        """
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
            space = self.space
            return self._rows[
                space.from_string(arch) if isinstance(arch, str) else space.check(arch)
            ]

    def curve(self, arch: Arch | str, seed: int = 0) -> np.ndarray:
        """Validation accuracy in [0, 1] after each epoch, [E]."""
        return self._val_accuracy[self._place(arch, seed)].copy()

    def test(self, arch: Arch | str, seed: int = 0) -> float:
        """Test accuracy in [0, 1]. Ask once, when the search is over."""
        return float(self._test_accuracy[self._place(arch, seed)])

    def seeds(self, arch: Arch | str) -> list[int]:
        """Seeds of the recorded trainings of an architecture."""
        return np.flatnonzero(self._arrays["test_correct"][:, self.row(arch)] != MISSING).tolist()

    # ---- all architectures -------------------------------------------------------------------

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

    # ---- inside ------------------------------------------------------------------------------

    @cached_property
    def _known(self) -> dict[tuple[int, int], Evaluation]:
        return {}

    @cached_property
    def _rows(self) -> dict[Arch, int]:
        return dict(zip(self.space, self._arrays["row_of_code"].tolist(), strict=True))

    @cached_property
    def _val_accuracy(self) -> np.ndarray:
        """float64 [S, N, E], NaN where not recorded"""
        return share(self._arrays["val_correct"], self.about["images"]["validation"])

    @cached_property
    def _test_accuracy(self) -> np.ndarray:
        """float64 [S, N], NaN where not recorded"""
        return share(self._arrays["test_correct"], self.about["images"]["test"])

    def _of_seed(self, accuracy: np.ndarray, seed: int) -> np.ndarray:
        if not 0 <= seed < len(accuracy):
            raise ValueError(f"seed={seed}: the table holds seeds 0 to {len(accuracy) - 1}")
        return accuracy[seed]

    def _place(self, arch: Arch | str, seed: int) -> tuple[int, int]:
        """Where in [S, N] a training is."""
        row, correct = self.row(arch), self._arrays["test_correct"]
        if not (0 <= seed < len(correct) and correct[seed, row] != MISSING):
            arch, have = tuple(self.archs[row].tolist()), self.seeds(arch)
            raise ValueError(f"architecture {arch} was trained with seeds {have}, not with {seed}")
        return seed, row


class ProxyTable(ArchArchive):
    """Scores of P zero-cost proxies for N canonical architectures, in the table's order.

    Attributes:
        names: of the proxies.
    """

    FILE, HOLDS = "fashion201_proxies.npz", "scores of proxies"
    ARRAYS = (
        *("archs", "seconds", "params", "flops"),
        *("grad_norm", "snip", "grasp", "synflow", "fisher", "jacob_cov", "naswot", "zen"),
    )
    names = entry("proxies")

    def scores(self, name: str, seed: int = 0) -> np.ndarray:
        """Scores of a proxy, float32 [N]; NaN where it was not computed with this seed.

        Seed 0 has all architectures, seeds 1 and 2 have the same random ones as the table.
        -inf is the lowest score, ``proxies.LOWEST``.

        Raises:
            ValueError: there is no such proxy, or no such seed.
        """
        place("proxy", name, self.names)
        scores = self._arrays[name]
        if not 0 <= seed < len(scores):
            raise ValueError(f"seed={seed}: there are seeds 0 to {len(scores) - 1}")
        return scores[seed].copy()

    def seconds(self, name: str) -> np.ndarray:
        """Seconds of CPU time, float32 [N], for network, batch and proxy, with seed 0."""
        return self._arrays["seconds"][place("proxy", name, self.names)].astype(np.float32)


class ShortcutTable(ArchArchive):
    """What shortcuts say of a random sample of n canonical architectures; E epochs at most.

    Shortcuts are trainings for fewer epochs, or with fewer images, pixels or channels. All have
    one seed, another than the one that a search on the table sees: so a shortcut and the truth
    share no luck.

    Attributes:
        names: of the shortcuts, such as ``"2500 images"``.
    """

    FILE, HOLDS = "fashion201_shortcuts.npz", "shortcuts"
    ARRAYS = ("archs", "val_correct", "thread_seconds")
    names = entry("names")

    @property
    def seed(self) -> int:
        """Seed of every training."""
        return self.about["seed"]

    def scores(self, name: str, epoch: int = -1) -> np.ndarray:
        """Validation accuracy in [0, 1] of a shortcut after an epoch (from 0), [n].

        Raises:
            ValueError: there is no such shortcut, or it has no such epoch.
        """
        correct = self._arrays["val_correct"][place("shortcut", name, self.names)]
        correct = correct[:, correct[0] != MISSING]
        epochs = correct.shape[1]
        if not -epochs <= epoch < epochs:
            raise ValueError(f"epoch={epoch}: {name!r} has epochs 0 to {epochs - 1}")
        return correct[:, epoch] / self.about["images"]["validation"]

    def seconds(self, name: str) -> np.ndarray:
        """Seconds of CPU time of a whole training, float32 [n]."""
        seconds = self._arrays["thread_seconds"][place("shortcut", name, self.names)]
        return seconds.astype(np.float32)


class OneShotRuns(ArchArchive):
    """Scores of n architectures on the weights of a supernet, at T checkpoints of its training.

    M methods to train it, each with S seeds, on a random sample of the canonical architectures.
    The schedule of the learning rate spans all T checkpoints.

    Attributes:
        names: of the methods.
        steps: of training before each checkpoint, [T].
    """

    FILE, HOLDS = "one_shot_runs.npz", "runs of supernets"
    ARRAYS = ("archs", "correct", "seconds")
    names, steps = entry("names"), entry("steps")

    def scores(self, name: str) -> np.ndarray:
        """Validation accuracy in [0, 1] on inherited weights, [S, T, n]."""
        correct = self._arrays["correct"][place("method", name, self.names)]
        return correct / self.about["images"]["validation"]

    def seconds(self, name: str) -> np.ndarray:
        """Seconds of CPU time that the training had taken at each checkpoint, float32 [S, T]."""
        return self._arrays["seconds"][place("method", name, self.names)].copy()


class DartsRuns(Archive):
    """Searches by gradient: N methods to choose an architecture, S seeds of each.

    The first M of them are searches of their own, with their weights after each of T steps. The
    others choose from such a search in another way, or from another kind of supernet. All were
    run on all training images, and once more on few of them.

    Attributes:
        searches: names of the first M methods.
        images: how many training images there were: all, and few.
        steps: numbers of the steps whose weights are kept, rising, [T].
    """

    FILE, HOLDS = "darts_runs.npz", "searches by gradient"
    ARRAYS = ("w", "chosen", "seconds")
    searches, images, steps = entry("searches"), entry("images"), entry("steps")

    @property
    def names(self) -> tuple[str, ...]:
        """The N methods, searches first."""
        return (*self.searches, *self.about["others"])

    def w(self, name: str, images: int | None = None) -> np.ndarray:
        """Weights of the options after each of ``steps``, float64 [S, T, D, K].

        They are rounded to three digits, so that ties may be broken otherwise than ``chosen``.

        Args:
            name: of a search.
            images: one of ``images``; None takes the first.

        Raises:
            ValueError: there is no such search, or no such number of images.
        """
        place("search", name, self.searches)
        return self._array("w", name, images).astype(float)

    def chosen(self, name: str, images: int | None = None) -> np.ndarray:
        """The architecture that each seed chose in the end, [S, D].

        Arguments and errors are those of ``w``, but for any method.
        """
        return self._array("chosen", name, images).astype(int)

    def seconds(self, name: str, images: int | None = None) -> np.ndarray:
        """Seconds of CPU time that it took each seed to choose, [S].

        Arguments and errors are those of ``w``, but for any method.
        """
        return self._array("seconds", name, images).astype(float)

    def _array(self, array: str, name: str, images: int | None) -> np.ndarray:
        row = place("method", name, self.names)
        images = self.images[0] if images is None else images
        if images not in self.images:
            known = ", ".join(map(str, self.images))
            raise ValueError(f"images={images}: searches had {known}")
        return self._arrays[array][self.images.index(images), row]
