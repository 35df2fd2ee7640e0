"""An estimate that knows its device: accuracy weighed against latency."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nas_lab import devices
from nas_lab.devices import Device
from nas_lab.estimation.base import Estimator
from nas_lab.history import Evaluation
from nas_lab.spaces.base import Arch, Skeleton, Space

Objective = Callable[[float, float], float]
"""From a score and seconds to what a search should maximise."""


@dataclass(frozen=True)
class OnDevice:
    """Estimate an architecture for a device: ``estimate(arch, seed) -> Evaluation``.

    The score is what ``objective`` makes of the other estimate's score and of the latency; without
    an objective it stays the other's, for a search that keeps the two apart. Metrics: those of
    the other estimate, and ``accuracy`` (its score), ``latency`` in seconds, ``energy`` in joules.

    Args:
        estimate: how good an architecture is, on no device.
        space: where the architectures are from.
        skeleton: what surrounds a cell on the device.
        device: a device or the name of one.
        objective: called as ``objective(score, seconds)``, both plain numbers.

    Raises:
        ValueError: an unknown device.
    """

    estimate: Estimator
    space: Space
    skeleton: Skeleton
    device: Device | str
    objective: Objective | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", devices.find(self.device))

    def __call__(self, arch: Arch, seed: int) -> Evaluation:
        """Estimate ``arch``, and say what it costs on the device."""
        found = self.estimate(arch, seed)
        where = (self.space, arch, self.skeleton, self.device)
        seconds, joules = devices.latency(*where), devices.energy(*where)
        score = self.objective(found.score, seconds) if self.objective else found.score
        metrics = {"accuracy": found.score, "latency": seconds, "energy": joules}
        return Evaluation(float(score), found.cost, {**found.metrics, **metrics})
