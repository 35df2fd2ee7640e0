"""The end of a search: the winner trained again, tested once, exported, with a model card.

Needs ``pip install nas-lab[edge]``. M. Mitchell et al., "Model Cards for Model Reporting", FAT*
2019, arXiv:1810.03993.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from nas_lab import runtime
from nas_lab.checks import whole_number
from nas_lab.estimation.onnx import INPUT, OUTPUT, export, session
from nas_lab.history import Trial
from nas_lab.spaces.base import Arch
from nas_lab.training import evaluate
from nas_lab.workflow.joint import TrainJointly

TOLERANCE = 1e-4
"""Largest difference of two logits that is rounding: float32 holds about seven digits."""


def run_onnx(path: Path | str, images: np.ndarray) -> np.ndarray:
    """Logits [B, classes] of images [B, C, r, r], float32, by onnxruntime on one thread.

    Raises:
        ImportError: onnx or onnxruntime is not installed.
    """
    return session(path).run([OUTPUT], {INPUT: images})[0]


@torch.no_grad()
def largest_difference(net: nn.Module, path: Path | str, images: torch.Tensor) -> float:
    """How far the file's logits are from the network's, at most, on images [B, C, r, r]."""
    with runtime.evaluation_mode(net):
        expected = net(images).numpy()
    return float(np.abs(run_onnx(path, images.numpy()) - expected).max())


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


@dataclass(frozen=True)
class ModelCard:
    """Lines under headings, as markdown.

    Attributes:
        name: of the model.
        purpose: what it is for, in a sentence.
        data: what it was trained and tested on.
        results: figures by name, each with its spread.
        search: how it was found, and what that cost.
        settings: architecture and training.
        limits: what it is not for, and what was not tested.
        seeds: all that were used.

    Raises:
        ValueError: purpose, data or limits are empty; those cannot be computed.
    """

    name: str
    purpose: str
    data: Sequence[str]
    results: Mapping[str, str]
    search: Mapping[str, str]
    settings: Mapping[str, str]
    limits: Sequence[str]
    seeds: Mapping[str, int | Sequence[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for what in ("purpose", "data", "limits"):
            if not getattr(self, what):
                raise ValueError(
                    f"a card without {what} is none: no search can find it, so write it yourself"
                )

    @property
    def markdown(self) -> str:
        """The card."""
        seeds = {name: str(value).strip("()[]") for name, value in self.seeds.items()}
        parts = {
            "Data": [f"- {line}" for line in self.data],
            "Results": _table(self.results),
            "How it was found": _table(self.search),
            "Architecture and training": _table(self.settings),
            "Limits": [f"- {line}" for line in self.limits],
            "Seeds": _table(seeds),
        }
        lines = [f"# {self.name}", "", self.purpose]
        for heading, body in parts.items():
            if body:
                lines += ["", f"## {heading}", "", *body]
        return "\n".join(lines) + "\n"


def _table(rows: Mapping[str, str]) -> list[str]:
    if not rows:
        return []
    cells = [f"| {name} | {_plain(value)} |" for name, value in rows.items()]
    return ["| | |", "|---|---|", *cells]


def _plain(text: str) -> str:
    """A text that does not end a field of the table."""
    return text.replace("|", "\\|").replace("\n", " ")
