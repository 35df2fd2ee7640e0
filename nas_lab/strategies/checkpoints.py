"""Keep the training of a supernet: in memory, or in a file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nas_lab._arguments import whole_number
from nas_lab.checksums import DamagedFileError
from nas_lab.spaces.base import Skeleton

if TYPE_CHECKING:
    from nas_lab.strategies.one_shot import OneShot

FORMAT = "nas_lab.one_shot/1"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A one-shot training as it was at one time; ``OneShot.restore`` goes on from there.

    Attributes:
        fingerprint: of the space.
        skeleton: what surrounds the searched part.
        seed: of the training.
        steps: how many there had been.
        seconds: CPU time of these steps.
        losses: the loss of each.
        passes: over the training images, begun by then.
        weights: copies of the supernet's parameters, by name.
    """

    fingerprint: str
    skeleton: Skeleton
    seed: int
    steps: int
    seconds: float
    losses: tuple[float, ...]
    passes: int
    weights: Mapping[str, Tensor]

    def save(self, path: str | Path) -> None:
        """Write a safetensors file, whole or not at all."""
        path = Path(path)
        about = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "weights"
        }
        text = json.dumps(about | {"skeleton": dataclasses.asdict(self.skeleton)})
        weights = {name: weight.cpu().contiguous() for name, weight in self.weights.items()}
        part = path.with_name(path.name + ".part")
        save_file(weights, part, metadata={"format": FORMAT, "about": text})
        part.replace(path)

    @classmethod
    def load(cls, path: str | Path) -> Checkpoint:
        """Read what ``save`` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            checksums.DamagedFileError: it is cut off, or no file of this kind.
        """
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise DamagedFileError(f"{path} cannot be read ({error}): train anew") from error
        if metadata.get("format") != FORMAT:
            raise DamagedFileError(f"{path} holds no checkpoint of a one-shot training")
        about = json.loads(metadata["about"])
        about["skeleton"], about["losses"] = Skeleton(**about["skeleton"]), tuple(about["losses"])
        return cls(**about, weights=weights)


def doubling(
    one_shot: OneShot, *, first: int = 1, seconds: float | None = None, steps: int | None = None
) -> Iterator[Checkpoint]:
    """Train, and give checkpoints at ``first`` steps, at twice as many and so on, and at the end.

    The learning rate falls over the whole budget. So at a half of it a supernet is not yet what
    a training of half the length gives: its last steps were longer.

    Args:
        one_shot: it is trained.
        first: steps before the first checkpoint.
        seconds, steps: budget, as for ``OneShot.train``.

    Raises:
        TypeError, ValueError: as ``OneShot.train``, or ``first`` is no whole number above 0;
            raised at the call.
    """
    first = whole_number("first", first)
    training = one_shot.train(seconds=seconds, steps=steps)
    return _doubling(one_shot, training, one_shot.steps, first)


def _doubling(one_shot: OneShot, training: Iterator, begun: int, due: int) -> Iterator[Checkpoint]:
    for step in training:
        done = step.number - begun
        if done == due or step.progress == 1:
            yield one_shot.checkpoint()
        if done == due:
            due *= 2
