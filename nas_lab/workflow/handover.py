"""The end of a search: the winner trained again, tested once, exported, with a model card.

Needs ``pip install nas-lab[edge]``. M. Mitchell et al., "Model Cards for Model Reporting", FAT*
2019, arXiv:1810.03993.
"""

import math
import re
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
from nas_lab.estimation.onnx import INPUT, OUTPUT, export, session
from nas_lab.history import Trial
from nas_lab.spaces.base import Arch
from nas_lab.training import evaluate
from nas_lab.workflow.joint import TrainJointly

TOLERANCE = 1e-4  # two logits differ by so much by rounding: float32 holds about seven digits


def run_onnx(path: Path | str, images: np.ndarray) -> np.ndarray:
    """Logits [B, classes] of images [B, C, r, r], float32, by onnxruntime on one thread."""
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
    """The architecture that was chosen, trained again with other seeds."""

    arch: Arch  # of the joint space
    searched: float  # its validation accuracy in the search, which chose it for being high
    validation: np.ndarray  # that of each new training, [S]
    test: float  # test accuracy of the network that is handed over
    net: nn.Module  # that network: the one of the first seed, chosen before the test
    path: Path  # its ONNX file
    difference: float  # largest distance between its logits by torch and by onnxruntime


def finish(
    trials: Sequence[Trial],
    estimate: TrainJointly,
    path: Path | str,
    *,
    epochs: int | None = None,
    seeds: Sequence[int] = (1, 2, 3),
) -> Winner:
    """Train the best trial again, test it once, and write it as ONNX.

    Trials that were cut short cannot win. ``estimate`` is what trained them. An interrupt after the
    first training ends them with a RuntimeWarning; what is trained is handed over.

    Args:
        epochs: of the new trainings, by default those of the recipe.
        seeds: of the new trainings, other ones than the search's. The first is handed over.
    """
    ended = [t for t in trials if not t.result.metrics.get("pruned")]
    whole = [t for t in ended if not math.isnan(t.result.score)]
    if not whole or not seeds:
        raise ValueError("give a finished trial and a seed at least: there is nothing to hand over")
    best = max(whole, key=lambda trial: trial.result.score)
    trained = []
    try:
        for seed in seeds:
            trained.append(estimate.fit(best.arch, seed, epochs=epochs))
    except KeyboardInterrupt:
        if not trained:
            raise
        said = f"interrupted: trained again with {len(trained)} of {len(seeds)} seeds"
        warnings.warn(said, RuntimeWarning, stacklevel=2)
    net, test = trained[0][0], estimate.data.test_dataloader()
    path = export(net, estimate.data, path)
    accuracies = np.array([curve.accuracy for _, curve in trained])
    difference = largest_difference(net, path, test.images[:256])
    tested = evaluate(net, test)
    return Winner(best.arch, best.result.score, accuracies, tested, net, path, difference)


def spread_of_test(accuracy: float, images: int) -> float:
    """Half of a 95 % interval for an accuracy on so many images (normal approximation)."""
    return float(1.96 * np.sqrt(accuracy * (1 - accuracy) / images))


@dataclass(frozen=True)
class ModelCard:
    """Lines under headings, as markdown; purpose, data and limits are never empty. All texts are
    shown as they are given: a cell's ``~`` or ``*`` formats nothing."""

    name: str
    purpose: str  # what the model is for, in a sentence
    data: Sequence[str]  # what it was trained and tested on
    results: Mapping[str, str]  # figures by name, each with its spread
    search: Mapping[str, str]  # how it was found, and what that cost
    settings: Mapping[str, str]  # architecture and training
    limits: Sequence[str]  # what it is not for, and what was not tested
    seeds: Mapping[str, int | Sequence[int]]

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
        lines = [f"# {_plain(self.name)}", "", _plain(self.purpose), *_listed("Data", self.data)]
        lines += [*_table("Results", self.results), *_table("How it was found", self.search)]
        lines += [*_table("Architecture and training", self.settings)]
        lines += [*_listed("Limits", self.limits), *_table("Seeds", seeds)]
        return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """The text on one line, with a backslash before all that markdown or HTML would read."""
    text = re.sub(r"[\\`*_~|<>&$#\[\]]", r"\\\g<0>", " ".join(text.split()))
    return re.sub(r"^(\d+(?=[.)]\s)|(?=[-+=]))", r"\1\\", text)  # no list, no rule


def _listed(heading: str, lines: Sequence[str]) -> list[str]:
    return ["", f"## {heading}", "", *(f"- {_plain(line)}" for line in lines)]


def _table(heading: str, rows: Mapping[str, str]) -> list[str]:
    """A table; nothing where there are no rows."""
    lines = [f"| {_plain(name)} | {_plain(text)} |" for name, text in rows.items()]
    return ["", f"## {heading}", "", "| | |", "|---|---|", *lines] if lines else []
