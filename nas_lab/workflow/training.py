"""Train a network of the joint space with the settings that it brings along."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from nas_lab import nets
from nas_lab.checks import whole_number
from nas_lab.estimation.training import check_fits
from nas_lab.history import Evaluation
from nas_lab.spaces import Skeleton
from nas_lab.spaces.base import Arch
from nas_lab.training import Curve, EpochEvent, Recipe, train
from nas_lab.workflow.joint import JointSpace
from nas_lab.workflow.loading import ImageData


@dataclass(frozen=True, eq=False)
class TrainJointly:
    """Estimate by training: ``estimate(arch, seed) -> Evaluation``.

    The score is the accuracy in [0, 1] on validation images after the last epoch, the cost the
    seconds of training. A training that diverges scores nan.

    Args:
        space: where architectures and settings are from.
        skeleton: what surrounds a cell.
        data: images as the skeleton takes them; their augmentation is replaced by the chosen one.
        recipe: epochs, momentum and what else no token decides.

    Raises:
        ValueError: the data's resolution, channels or classes are not the skeleton's.
    """

    space: JointSpace
    skeleton: Skeleton
    data: ImageData
    recipe: Recipe = field(default_factory=Recipe)

    def __post_init__(self) -> None:
        check_fits(self.data, self.skeleton)

    def __call__(
        self,
        arch: Arch,
        seed: int,
        *,
        epochs: int | None = None,
        paid: int = 0,
        on_epoch: Callable[[EpochEvent], None] | None = None,
    ) -> Evaluation:
        """Train from scratch and return the validation accuracy with its cost.

        Args:
            arch: of the joint space.
            seed: of the initial weights, the order of the images and their augmentation.
            epochs: of a whole training, by default the recipe's. The schedule ends with them.
            paid: ignored: nothing is kept of an earlier training, so all epochs are paid for.
            on_epoch: called after every epoch; what it raises ends the training.
        """
        _, curve = self.fit(arch, seed, epochs=epochs, on_epoch=on_epoch)
        if curve.status == "interrupted":
            raise KeyboardInterrupt(f"training of {arch} was interrupted")
        return Evaluation(
            score=curve.accuracy if curve.status == "finished" else math.nan,
            cost=curve.seconds[-1] if len(curve) else 0.0,
            metrics={"epochs": len(curve), "params": self.space.cost(arch, self.skeleton).params},
        )

    def recipe_of(self, arch: Arch, epochs: int | None = None) -> Recipe:
        """The recipe with the settings that ``arch`` chose."""
        _, settings = self.space.parts(arch)
        chosen: dict[str, Any] = {
            "learning_rate": settings.learning_rate,
            "weight_decay": settings.weight_decay,
            "schedule": settings.schedule,
            "epochs": self.recipe.epochs if epochs is None else whole_number("epochs", epochs),
        }
        return replace(self.recipe, **chosen)

    def fit(
        self, arch: Arch, seed: int, *, epochs: int | None = None, **options: Any
    ) -> tuple[nn.Module, Curve]:
        """Return the trained network and its curve; ``options`` are those of ``train``."""
        architecture, settings = self.space.parts(arch)
        net = nets.build(self.space.inner, architecture, self.skeleton, seed=seed)
        data = self.data.augmented(settings.augmentation)
        return net, train(net, data, self.recipe_of(arch, epochs), seed=seed, **options)
