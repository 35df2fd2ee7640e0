"""The end of a search: the winner trained again, tested once, written down and handed over."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import nn

from nas_lab.checks import whole_number
from nas_lab.history import Trial
from nas_lab.spaces.base import Arch
from nas_lab.training import evaluate
from nas_lab.workflow.deployment import export, largest_difference
from nas_lab.workflow.training import TrainJointly


@dataclass
class Stopwatch:
    """Seconds by the names of steps; a step that comes again adds to its time."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        """Measure the block."""
        began = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - began
            self.seconds[step] = self.seconds.get(step, 0.0) + spent


@dataclass(frozen=True, eq=False)
class Winner:
    """The architecture that was chosen, trained again with other seeds.

    Attributes:
        arch: of the joint space.
        searched: its validation accuracy in the search, which chose it for being high.
        validation: that of each new training, [S].
        test: test accuracy of the network that is handed over.
        net: that network: the one of the first seed, chosen before the test.
        path: its ONNX file.
        difference: largest distance between its logits by torch and by onnxruntime.
        seconds: of all new trainings.
    """

    arch: Arch
    searched: float
    validation: np.ndarray
    test: float
    net: nn.Module
    path: Path
    difference: float
    seconds: float


def finish(
    trials: Sequence[Trial],
    estimate: TrainJointly,
    path: Path | str,
    *,
    epochs: int | None = None,
    seeds: Sequence[int] = (1, 2, 3),
) -> Winner:
    """Train the best trial again, test it once, and write it as ONNX.

    An interrupt after the first training ends them with a RuntimeWarning; what is trained is
    handed over.

    Args:
        trials: of the search; those that were cut short cannot win.
        estimate: what trained them, with the data that they were trained on.
        path: of the ONNX file.
        epochs: of the new trainings, by default those of the recipe.
        seeds: of the new trainings, other ones than the search's. The first is handed over.

    Raises:
        ValueError: no trial went to its end, or there is no seed.
        ImportError: onnx or onnxruntime is not installed.
    """
    whole = [t for t in trials if not math.isnan(t.result.score) and not _pruned(t)]
    if not whole or not seeds:
        raise ValueError("give a finished trial and a seed at least: there is nothing to hand over")
    best = max(whole, key=lambda trial: trial.result.score)
    began = time.perf_counter()
    trained = []
    try:
        for seed in seeds:
            seed = whole_number("seed", seed, least=0)
            trained.append(estimate.fit(best.arch, seed, epochs=epochs))
    except KeyboardInterrupt:
        if not trained:
            raise
        said = f"interrupted: trained again with {len(trained)} of {len(seeds)} seeds"
        warnings.warn(said, RuntimeWarning, stacklevel=2)
    seconds = time.perf_counter() - began
    net = trained[0][0]
    test = estimate.data.test_dataloader()
    export(net, estimate.data, path)
    return Winner(
        arch=best.arch,
        searched=best.result.score,
        validation=np.array([curve.accuracy for _, curve in trained]),
        test=evaluate(net, test),
        net=net,
        path=Path(path),
        difference=largest_difference(net, path, test.images[:256]),
        seconds=seconds,
    )


def _pruned(trial: Trial) -> bool:
    return trial.result.metrics.get("pruned", 0) > 0


def spread_of_test(accuracy: float, images: int) -> float:
    """Half of a 95 % interval for an accuracy on so many images (normal approximation)."""
    return float(1.96 * np.sqrt(accuracy * (1 - accuracy) / images))
