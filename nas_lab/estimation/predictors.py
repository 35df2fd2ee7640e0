"""Predictors: learn from n trained architectures how good the others are.

    predictor = RidgePredictor(space).fit(archs, scores)
    mean, std = predictor.predict(others)        # [N] each
    predictor(arch, seed)                        # an Evaluation, as every estimate gives

The features of an architecture are the entries of the one-hot matrix w[D, K] of its canonical form.
The standard deviation is that of a score, so it holds the noise of a training too. C. White et al.,
"How Powerful are Performance Predictors in Neural Architecture Search?", NeurIPS 2021,
arXiv:2104.01177, compare 31 of them.
"""

from __future__ import annotations

import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import partial
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from nas_lab.checks import whole_number
from nas_lab.history import Evaluation
from nas_lab.spaces.base import Arch, Space

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from typing_extensions import Self

FEWEST = 5  # architectures that a predictor learns from
MOST_FEATURES = 4_000  # a ridge holds a square matrix with as many rows: 128 MB
NETWORKS = 10  # of a neural ensemble

Prediction = tuple[np.ndarray, np.ndarray]


class Predictor(ABC):
    """What all predictors share; ``seed`` fixes what a predictor draws while it learns."""

    _fitted = False

    def __init__(self, space: Space, *, seed: int = 0) -> None:
        if not isinstance(space, Space):
            raise TypeError(f"space is a nas_lab Space, not {type(space).__name__}")
        self.space, self.seed = space, whole_number("seed", seed, least=0)

    def fit(self, archs: Iterable[Arch] | np.ndarray, scores: ArrayLike) -> Self:
        """Learn from n trained architectures, 5 or more, and their scores [n]; return ``self``.
        What was learnt before is forgotten. An architecture may come several times."""
        x = self._features(archs)
        y = np.asarray(scores, dtype=float)
        if y.shape != (len(x),):
            raise ValueError(f"{len(x)} architectures need as many scores, not {list(y.shape)}")
        if len(x) < FEWEST:
            raise ValueError(f"{len(x)} architectures are too few to learn from: give {FEWEST}")
        if not np.isfinite(y).all():
            raise ValueError(
                f"{(~np.isfinite(y)).sum()} of {len(y)} scores are not finite: leave these "
                "architectures out, with keep = np.isfinite(scores)"
            )
        self._fit(x, y)
        self._fitted = True
        return self

    def predict(self, archs: Iterable[Arch] | np.ndarray) -> Prediction:
        """Mean and standard deviation of the score of each architecture, float [N] each."""
        if not self._fitted:
            raise RuntimeError(f"this {type(self).__name__} has learnt nothing yet: call fit first")
        x = self._features(archs)
        return self._predict(x) if len(x) else (np.zeros(0), np.zeros(0))

    def __call__(self, arch: Arch, seed: int = 0) -> Evaluation:
        """The predicted score, with ``metrics["std"]``; the cost is that of predicting alone."""
        began = time.perf_counter()
        mean, std = self.predict([arch])
        return Evaluation(mean[0], time.perf_counter() - began, {"std": std[0]})

    def _features(self, archs: Iterable[Arch] | np.ndarray) -> np.ndarray:
        """float32 [N, F], a column for each option of each decision."""
        space = self.space
        rows = [space.one_hot(space.canonical(arch))[space.mask] for arch in archs]
        return np.stack(rows) if rows else np.zeros((0, int(space.mask.sum())), np.float32)

    @abstractmethod
    def _fit(self, x: np.ndarray, y: np.ndarray) -> None:
        """Learn from features [n, F] and scores [n]."""

    @abstractmethod
    def _predict(self, x: np.ndarray) -> Prediction:
        """Mean and standard deviation for features [N, F]."""


class RidgePredictor(Predictor):
    """Bayesian ridge regression on options, and on pairs of them.
    Strength of the penalty and noise are those that make the scores most probable (D. J. C. MacKay,
    "Bayesian Interpolation", Neural Computation 4, 1992), so nothing is to be tuned. The standard
    deviation is that of the predictive distribution. Degree 1 gives each option a weight, its main
    effect; 2 adds a weight for each pair of options, their interaction."""

    def __init__(self, space: Space, *, degree: int = 2) -> None:
        super().__init__(space)
        self.degree = whole_number("degree", degree)
        options = int(space.mask.sum())
        features = sum(comb(options, k) for k in range(1, self.degree + 1))
        if features > MOST_FEATURES:
            raise ValueError(
                f"degree={degree} gives {features:,} features for {space.name}, more than "
                f"{MOST_FEATURES:,}: choose a smaller degree"
            )

    def _fit(self, x: np.ndarray, y: np.ndarray) -> None:
        from sklearn.linear_model import BayesianRidge
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import PolynomialFeatures, StandardScaler

        products = PolynomialFeatures(self.degree, interaction_only=True, include_bias=False)
        # scikit-learn 1.7 leaves the ridge's own centring out of its standard deviation.
        centred = StandardScaler(with_std=False)
        self._model = make_pipeline(products, centred, BayesianRidge()).fit(x.astype(float), y)

    def _predict(self, x: np.ndarray) -> Prediction:
        return self._model.predict(x.astype(float), return_std=True)


class ForestPredictor(Predictor):
    """A random forest (L. Breiman, "Random Forests", Machine Learning 45, 2001).
    Each tree learns from a sample with replacement and looks at a third of the options in every
    split. The standard deviation is that of the trees' predictions (F. Hutter et al., "Sequential
    Model-Based Optimization for General Algorithm Configuration", LION 2011, section 4.1). A forest
    does not extrapolate: predictions stay within the scores that it has seen, and options that it
    has not seen make it no less certain."""

    def _fit(self, x: np.ndarray, y: np.ndarray) -> None:
        from sklearn.ensemble import RandomForestRegressor

        model = RandomForestRegressor(max_features=1 / 3, random_state=self.seed)
        self._model = model.fit(x, y)

    def _predict(self, x: np.ndarray) -> Prediction:
        predictions = np.stack([tree.predict(x) for tree in self._model.estimators_])
        return predictions.mean(axis=0), predictions.std(axis=0)


class NeuralPredictor(Predictor):
    """An ensemble of ten small dense networks with one hidden layer.

    Ensembles of networks as predictors are those of C. White et al., "BANANAS", AAAI 2021,
    arXiv:1910.11858; here on one-hot features, not on their path encoding. Every network starts
    from its own weights and learns from its own sample with replacement. The variance is that of
    the networks' predictions, plus the noise: by how much the squared error exceeds that variance
    on architectures which the predicting networks have not seen (L. Breiman, "Out-of-bag
    Estimation", 1996)."""

    def _fit(self, x: np.ndarray, y: np.ndarray) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPRegressor

        self._mean, self._scale = y.mean(), y.std()
        targets = (y - self._mean) / (self._scale or 1)
        rng = np.random.default_rng(self.seed)
        samples = rng.integers(len(y), size=(NETWORKS, len(y)))
        # alpha is the weight decay.
        make = partial(MLPRegressor, hidden_layer_sizes=32, solver="lbfgs", alpha=0.1, max_iter=50)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._networks = [
                make(random_state=state).fit(x[rows], targets[rows])
                for state, rows in zip(rng.integers(2**31, size=NETWORKS), samples, strict=True)
            ]
        unseen = np.array([~np.isin(np.arange(len(y)), rows) for rows in samples])
        self._noise = _noise(self._outputs(x), targets, unseen)

    def _outputs(self, x: np.ndarray) -> np.ndarray:
        """Of each network for each architecture, [M, N]."""
        return np.stack([network.predict(x) for network in self._networks])

    def _predict(self, x: np.ndarray) -> Prediction:
        outputs = self._outputs(x).astype(float)
        std = np.sqrt(outputs.var(axis=0) + self._noise)
        return self._mean + self._scale * outputs.mean(axis=0), self._scale * std


def _noise(outputs: np.ndarray, targets: np.ndarray, unseen: np.ndarray) -> float:
    """Squared error beyond the spread; M networks judge the n architectures they have not seen."""
    judged = unseen.sum(axis=0) >= 2
    if not judged.any():
        return 1.0
    blind = np.ma.masked_array(outputs, ~unseen)[:, judged]
    error = (blind.mean(axis=0) - targets[judged]) ** 2
    return max(0.0, float((error - blind.var(axis=0)).mean()))
