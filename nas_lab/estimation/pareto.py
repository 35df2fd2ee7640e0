"""Accuracy against cost on a device: look-up tables, objectives, budgets and Pareto fronts.

Costs are latencies in seconds, energies in joules, or whatever else should be small. It is free of
torch, so a worker that only looks up needs none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from nas_lab import devices
from nas_lab.checks import number_in
from nas_lab.devices import Device
from nas_lab.estimation.base import Estimator
from nas_lab.history import Evaluation, front
from nas_lab.spaces.base import Arch, Skeleton, Space


@dataclass(frozen=True, eq=False)
class LookupTable:
    """Latency as a sum over decisions: ``base + sum of seconds[d, option of d]``.

    So FBNet and ProxylessNAS tell a search what a network costs (Wu et al. 2019,
    arXiv:1812.03443, eq. 7; Cai et al. 2019, arXiv:1812.00332, section 3.3). It leaves out what
    options do to each other, such as sharing a ReLU; how much that matters, a comparison with
    ``latencies`` shows. The cheapest option of each decision adds 0.

    Attributes:
        space: what the architectures are from; it has D decisions with at most K options.
        base: seconds of the network with the cheapest options.
        seconds: what an option adds to that, float64 [D, K]; 0 where there is no option.
    """

    space: Space
    base: float
    seconds: np.ndarray

    @classmethod
    def fit(
        cls,
        space: Space,
        archs: Sequence[Arch] | np.ndarray,
        seconds: npt.ArrayLike,
        *,
        floor: float = 0.0,
    ) -> LookupTable:
        """Fit to N architectures and their latencies, counted or measured.

        The squares of relative errors are least, so that small networks count as much as large
        ones; nothing takes less than no time.

        Args:
            space: what the architectures are from.
            archs: enough of them for every option to come up.
            seconds: their latencies, [N].
            floor: seconds that ``base`` is not below. Where options make others superfluous, as
                'none' does, a sum would promise less than the network around them takes.

        Raises:
            ValueError: an option that no architecture has, a latency that is not positive,
                numbers of architectures and latencies that differ, or a negative floor.
        """
        target = np.asarray(seconds, dtype=float)
        check_costs("latency", target)
        floor = number_in("floor", floor)
        if target.shape != (len(archs),):
            raise ValueError(f"{len(archs)} architectures have latencies of shape {target.shape}")
        chosen = np.array([space.one_hot(arch) for arch in archs], dtype=float)
        chosen = chosen.reshape(len(archs), *space.mask.shape)
        missing = np.argwhere(space.mask & ~chosen.any(axis=0)).tolist()
        if missing:
            decision, token = space.decisions[missing[0][0]], missing[0][1]
            raise ValueError(
                f"{len(missing)} options are in none of the {len(chosen)} architectures, the "
                f"first is {decision.name}={decision.options[token]}: give more architectures"
            )
        columns = np.column_stack([np.ones(len(archs)), chosen[:, space.mask]])
        solution, _ = nnls(columns / target[:, None], 1 - floor / target)
        added = np.full(space.mask.shape, np.inf)
        added[space.mask] = solution[1:]
        cheapest = added.min(axis=1, keepdims=True)
        base = float(floor + solution[0] + cheapest.sum())
        return cls(space, base, np.where(space.mask, added - cheapest, 0.0))

    def __call__(self, arch: Arch) -> float:
        """Seconds of one architecture; it raises what ``space.check`` raises."""
        rows = np.arange(len(self.seconds))
        return self.base + float(self.seconds[rows, list(self.space.check(arch))].sum())

    def latencies(self, archs: Iterable[Arch] | np.ndarray) -> np.ndarray:
        """Seconds of each architecture, float64 [N]."""
        return np.array([self(arch) for arch in archs], dtype=float)

    def expected(self, w: Any) -> Any:
        """Expected seconds of ``w`` [D, K], whose rows are probabilities; an array or a tensor.

        It is linear in ``w``, so a gradient reaches what ``w`` comes from.
        """
        table = w.new_tensor(self.seconds) if hasattr(w, "new_tensor") else self.seconds
        return self.base + (w * table).sum()


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


Number = TypeVar("Number", float, np.ndarray)


def weighted_loss(loss: Number, latency: Number, beta: float, unit: float = 1e-6) -> Number:
    """The lecture's ``loss * log(latency)^beta``: lower is better.

    It is equation 2 of FBNet (Wu et al. 2019, arXiv:1812.03443), whose factor alpha changes no
    order. The logarithm is natural, and of a latency counted in ``unit``: its sign and its weight
    depend on that unit, so the unit has to be shorter than every latency.

    Args:
        loss: not negative.
        latency: seconds.
        beta: how much latency counts; 0 leaves the loss alone.
        unit: seconds that count as 1; the default is a microsecond.

    Raises:
        ValueError: a latency that is not longer than ``unit``, a negative loss, or a number that
            is not finite.
    """
    check_costs("latency", latency)
    if not (math.isfinite(unit) and unit > 0):
        raise ValueError(f"unit must be a positive number of seconds, not {unit!r}")
    if not math.isfinite(beta):
        raise ValueError(f"beta must be a finite number, not {beta!r}")
    if np.any(np.asarray(loss) < 0):
        raise ValueError(f"a loss is not negative, but {float(np.nanmin(loss)):g} is")
    shortest = float(np.min(latency, initial=math.inf))
    if shortest <= unit:
        raise ValueError(
            f"a latency of {shortest:g} s is not longer than the unit of {unit:g} s, so its "
            f"logarithm is not positive: choose a unit below {shortest:g}"
        )
    logarithm: Any = np.log(np.asarray(latency) / unit)
    return loss * logarithm**beta


def best_within(scores: npt.ArrayLike, costs: npt.ArrayLike, budget: float) -> int:
    """The place of the highest score among those whose cost is within a budget.

    Scores that are NaN never win; of equal scores the cheapest does.

    Raises:
        ValueError: nothing meets the budget, or a cost or the budget is not positive.
    """
    scores, costs = _pairs(scores, costs)
    check_costs("budget", budget)
    within = np.flatnonzero((costs <= budget) & ~np.isnan(scores))
    if not within.size:
        scored = costs[~np.isnan(scores)]
        cheapest = f"the cheapest needs {scored.min():.3g}" if scored.size else "none has a score"
        raise ValueError(f"nothing meets a budget of {budget:g}: {cheapest}")
    return int(within[np.lexsort((costs[within], -scores[within]))[0]])


def pareto_front(scores: npt.ArrayLike, costs: npt.ArrayLike) -> np.ndarray:
    """Places of what no other beats in both score (higher) and cost (lower), cheapest first.

    Scores that are NaN take no part; of equals in both, the first stands for all.

    Raises:
        ValueError: a cost that is not positive and finite, or arrays of different lengths.
    """
    return front(*_pairs(scores, costs))


def hypervolume(
    scores: npt.ArrayLike, costs: npt.ArrayLike, *, worst_score: float, worst_cost: float
) -> float:
    """Area that scores and costs cover, up to a corner that is worse in both.

    It grows when a point is found that the others do not beat (Zitzler & Thiele 1999,
    doi:10.1109/4235.797969). Points beyond the corner add nothing.

    Raises:
        ValueError: a cost that is not positive and finite, or a corner that is not finite.
    """
    if not (math.isfinite(worst_score) and math.isfinite(worst_cost)):
        raise ValueError(f"the corner ({worst_score!r}, {worst_cost!r}) must be finite")
    scores, costs = _pairs(scores, costs)
    places = front(scores, costs)
    places = places[(scores[places] > worst_score) & (costs[places] < worst_cost)]
    heights = np.diff(scores[places], prepend=worst_score)
    return float(np.sum(heights * (worst_cost - costs[places])))


def _pairs(scores: npt.ArrayLike, costs: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    scores, costs = np.asarray(scores, dtype=float), np.asarray(costs, dtype=float)
    if scores.shape != costs.shape or scores.ndim != 1:
        raise ValueError(
            f"scores and costs come in pairs, but their shapes are {scores.shape} and {costs.shape}"
        )
    check_costs("cost", costs)
    return scores, costs


def check_costs(name: str, costs: npt.ArrayLike) -> None:
    """Raise ValueError unless all costs are positive and finite."""
    costs = np.asarray(costs, dtype=float)
    wrong = costs[~(np.isfinite(costs) & (costs > 0))]
    if wrong.size:
        raise ValueError(
            f"{name} must be positive and finite, but {wrong.flat[0]:g} is not: "
            "a measured zero means that the clock is too coarse, so time more runs together"
        )
