"""Learning curves: trainings that are stopped early, and what extrapolates them.

Sources: T. Domhan, J. T. Springenberg, F. Hutter, "Speeding up Automatic Hyperparameter
Optimization of Deep Neural Networks by Extrapolation of Learning Curves", IJCAI 2015; B. Baker,
O. Gupta, R. Raskar, N. Naik, "Accelerating Neural Architecture Search using Performance
Prediction", 2018, arXiv:1705.10823.

The baseline that both have to beat is the last accuracy seen, ``EarlyStopped``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nas_lab.checks import whole_number
from nas_lab.estimation.tables import Table
from nas_lab.history import Evaluation
from nas_lab.spaces.base import Arch

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class EarlyStopped:
    """Estimate an architecture by the first ``epochs`` of its recorded training.

    The score is the validation accuracy after the last of these epochs, the cost that share of
    the recorded seconds: every epoch takes as long as the other ones.

    A table's training lowers its learning rate over all E epochs. Stopped after a few of them, it
    is at a rate that is still high. A training that is short by plan, as ``fewer_epochs`` makes
    it, lowers its rate within these few epochs, and ranks architectures in another way. Only the
    long one can be continued where it promises well."""

    table: Table
    epochs: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "epochs", whole_number("epochs", self.epochs))
        if self.epochs > self.all_epochs:
            raise ValueError(
                f"epochs={self.epochs}, but the table's trainings have {self.all_epochs}"
            )

    def __call__(self, arch: Arch | str, seed: int = 0) -> Evaluation:
        """What the first epochs say of any architecture of the space, canonical or not."""
        recorded = self.table(arch, seed)
        seen = self.table.curve(arch, seed)[: self.epochs]
        score = self.final(seen[None], np.array([self.table.row(arch)]))[0]
        share = self.epochs / self.all_epochs
        metrics = {**recorded.metrics, "epochs": self.epochs}
        return Evaluation(float(score), share * recorded.cost, metrics)

    def scores(self, seed: int = 0) -> np.ndarray:
        """The scores of all architectures in the table's order, [N]; NaN where not recorded."""
        seen = np.stack([self.table.scores(seed, e) for e in range(self.epochs)], axis=1)
        scores = np.full(len(seen), np.nan)
        recorded = np.flatnonzero(~np.isnan(seen[:, 0]))
        scores[recorded] = self.final(seen[recorded], recorded)
        return scores

    def final(self, seen: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The score [n] of architectures: the last accuracy. Subclasses extrapolate.

        Args:
            seen: validation accuracies in [0, 1] of the first epochs, [n, epochs].
            rows: their places in the table, [n]."""
        return seen[:, -1]

    @cached_property
    def all_epochs(self) -> int:
        """Epochs of a whole training, E."""
        return len(self.table.curve(self.table.archs[0]))


EXPONENTS = (0.01, 10.0)  # where the power law's exponent is looked for
FEWEST = 5  # curves that a regression learns from


@dataclass(frozen=True)
class PowerLaw(EarlyStopped):
    """Fit a power law to the first epochs, 3 or more, and follow it to the last epoch.
    The law is ``pow3`` of Domhan et al. (2015, table 1), one of their eleven families; their
    Bayesian mixture of them all is not here. It knows nothing of a learning rate that falls, and it
    magnifies the noise of the epochs seen, so it can rank architectures worse than the last value
    seen does. Compare both before you trust it."""

    def __post_init__(self) -> None:
        whole_number("epochs of a power law", self.epochs, least=3)  # it has three parameters
        super().__post_init__()

    def final(self, seen: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The law's accuracy after the last epoch, [n]."""
        return power_law(seen, self.all_epochs)


def power_law(seen: np.ndarray, epoch: int) -> np.ndarray:
    """Extrapolate accuracies [n, epochs] to a later epoch by y(t) = c - a t^(-b), t from 1: [n].
    c and a follow from b by least squares, with a >= 0 and c <= 1: a curve that does not rise is
    continued at its mean. b is looked for on a grid that is narrowed around its best point."""
    y = np.asarray(seen, dtype=float)[:, :, None]  # [n, epochs, 1]
    t = np.arange(1, y.shape[1] + 1)
    low, high = (np.full(len(y), np.log(bound)) for bound in EXPONENTS)
    for _ in range(10):
        logs = np.linspace(low, high, 21, axis=1)  # [n, 21]
        x = t[None, :, None] ** -np.exp(logs)[:, None]  # [n, epochs, 21]
        c, a = _least_squares(x, y)
        best = ((y - c + a * x) ** 2).sum(axis=1).argmin(axis=1)[:, None]
        low, high = (
            np.take_along_axis(logs, np.clip(best + step, 0, 20), axis=1)[:, 0] for step in (-1, 1)
        )
    c, a, log_b = (
        np.take_along_axis(array, best, axis=1)[:, 0] for array in (c[:, 0], a[:, 0], logs)
    )
    return c - a * epoch ** -np.exp(log_b)


def _least_squares(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """c and a of y = c - a x, summed over axis 1, with a >= 0 and c <= 1."""
    x_mean, y_mean = x.mean(axis=1, keepdims=True), y.mean(axis=1, keepdims=True)
    spread = ((x - x_mean) ** 2).sum(axis=1, keepdims=True)
    a = -((x - x_mean) * (y - y_mean)).sum(axis=1, keepdims=True) / spread
    a = np.maximum(a, 0)
    c = y_mean + a * x_mean
    bound = ((1 - y) * x).sum(axis=1, keepdims=True) / (x * x).sum(axis=1, keepdims=True)
    return np.minimum(c, 1), np.where(c > 1, bound, a)


@dataclass(frozen=True)
class CurveRegression(EarlyStopped):
    """Learn from the whole curves of ``archs`` how the first epochs foretell the last.

    The features are those of Baker et al. (2018, section 3.1): the accuracies seen, their first
    and second differences, and, of the architecture, the logarithms of parameters and
    multiply-adds. The regression is a Bayesian ridge on standardised features; the paper prefers a
    support vector machine and finds a linear one close behind.

    The cost of an estimate is that of the epochs seen. The whole curves, of trainings with
    ``seed``, are paid for once."""

    archs: tuple[Arch, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "archs", tuple(map(self.table.space.check, self.archs)))
        object.__setattr__(self, "seed", whole_number("seed", self.seed, least=0))
        if len(self.archs) < FEWEST:
            raise ValueError(f"{len(self.archs)} curves are too few to learn from: give {FEWEST}")
        self._curves  # noqa: B018 - says now which training is not there

    def final(self, seen: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The regression's accuracy after the last epoch, [n]."""
        return self._regression.predict(self._features(seen, rows))

    @cached_property
    def _curves(self) -> np.ndarray:
        """[archs, E]"""
        return np.stack([self.table.curve(arch, self.seed) for arch in self.archs])

    @cached_property
    def _regression(self) -> Pipeline:
        from sklearn.linear_model import BayesianRidge
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        rows = np.array([self.table.row(arch) for arch in self.archs])
        features = self._features(self._curves[:, : self.epochs], rows)
        return make_pipeline(StandardScaler(), BayesianRidge()).fit(features, self._curves[:, -1])

    def _features(self, seen: np.ndarray, rows: np.ndarray) -> np.ndarray:
        sizes = np.log1p(np.stack([self.table.params[rows], self.table.macs[rows]], axis=1))
        return np.hstack([seen, np.diff(seen), np.diff(seen, 2), sizes])
