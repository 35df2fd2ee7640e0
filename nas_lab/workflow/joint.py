"""Architecture and training in one space: a token for the learning rate like one for an edge.

What is best for one network is not for another, so a search of architectures under one fixed
recipe also searches for the architecture that suits the recipe. A. Zela et al., "Towards
Automated Deep Learning: Efficient Joint Neural Architecture and Hyperparameter Search", 2018,
arXiv:1807.06906.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nas_lab.spaces.base import Arch, Decision, Skeleton, Space
from nas_lab.spaces.network import Network

if TYPE_CHECKING:
    import networkx
    import numpy as np

AUGMENTATIONS = ("none", "shift", "flip", "shift+flip")
SETTINGS: dict[str, tuple[Any, ...]] = {
    "learning_rate": (0.01, 0.03, 0.1, 0.3, 1.0),
    "weight_decay": (1e-5, 1e-4, 1e-3),
    "schedule": ("one_cycle", "cosine", "constant"),
    "augmentation": AUGMENTATIONS,
}
"""What a training chooses."""


@dataclass(frozen=True)
class Settings:
    """How a network of the joint space is trained.

    Attributes:
        learning_rate: the highest of the schedule.
        weight_decay: as in ``Recipe``.
        schedule: as in ``Recipe``.
        augmentation: one of ``AUGMENTATIONS``.
    """

    learning_rate: float
    weight_decay: float
    schedule: str
    augmentation: str


@dataclass(frozen=True)
class JointSpace(Space):
    """Every architecture of a space with every setting of its training.

    ``decisions`` are those of ``inner``, then learning rate, weight decay, schedule and
    augmentation. So any strategy of tokens searches it, and sees no difference.
    """

    inner: Space

    @classmethod
    def of(cls, inner: Space) -> JointSpace:
        """Join a space with the settings that ``SETTINGS`` offers."""
        decisions = (Decision(name, options) for name, options in SETTINGS.items())
        return cls(f"joint_{inner.name}", (*inner.decisions, *decisions), inner)

    @cached_property
    def settings(self) -> Space:
        """The decisions on the training alone, as a space."""
        return Space("settings", self.decisions[len(self.inner.decisions) :])

    def parts(self, arch: Arch) -> tuple[Arch, Settings]:
        """The architecture in ``inner``, and how it is trained."""
        arch = self.check(arch)
        inner = len(self.inner.decisions)
        return arch[:inner], Settings(**self.settings.decode(arch[inner:]))

    @property
    def size(self) -> int:
        """Number of pairs, of any magnitude."""
        return self.inner.size * self.settings.size

    def allowed(self, prefix: Arch) -> Sequence[int]:
        """As in ``inner``; every setting goes with every architecture."""
        if len(prefix) < len(self.inner.decisions):
            return self.inner.allowed(prefix)
        return super().allowed(prefix)

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw an architecture and settings, each pair with the same probability."""
        return (*self.inner.sample(rng), *self.settings.sample(rng))

    def neighbors(self, arch: Arch) -> list[Arch]:
        """All pairs that differ in one decision, or in one step of ``inner``."""
        architecture, _ = self.parts(arch)
        settings = arch[len(architecture) :]
        return [
            *((*other, *settings) for other in self.inner.neighbors(architecture)),
            *((*architecture, *other) for other in self.settings.neighbors(settings)),
        ]

    def canonical(self, arch: Arch) -> Arch:
        """One representative for all tokens that give the same network, trained the same way."""
        architecture, _ = self.parts(arch)
        return (*self.inner.canonical(architecture), *arch[len(architecture) :])

    def network(self, arch: Arch, skeleton: Skeleton) -> Network:
        """The network; it does not depend on the settings."""
        return self.inner.network(self.parts(arch)[0], skeleton)

    def graph(self, arch: Arch) -> networkx.DiGraph:
        """The graph of the architecture."""
        return self.inner.graph(self.parts(arch)[0])
