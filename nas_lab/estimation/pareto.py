"""Accuracy against cost on a device: look-up tables, objectives, budgets and Pareto fronts.

Costs are latencies in seconds, energies in joules, or whatever else should be small.
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
from nas_lab.history import Estimator, Evaluation, front
from nas_lab.spaces.base import Arch, Skeleton, Space


@dataclass(frozen=True, eq=False)
class LookupTable:
    """Latency as a sum over decisions: ``base + sum of seconds[d, option of d]``.
    So FBNet and ProxylessNAS tell a search what a network costs (Wu et al. 2019, arXiv:1812.03443,
    eq. 7; Cai et al. 2019, arXiv:1812.00332, section 3.3). It leaves out what options do to each
    other, such as sharing a ReLU. The network with the cheapest options takes ``base`` seconds, and
    an option adds to that ``seconds`` [D, K], 0 where there is no option."""

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
        """Fit to N architectures, with every option among them, and their latencies [N].
        The squares of relative errors are least, so that small networks count as much as large
        ones; nothing takes less than no time, and ``base`` not less than ``floor`` seconds. Where
        options make others superfluous, as 'none' does, a sum without a floor would promise less
        than the network around them takes."""
        target = np.asarray(seconds, dtype=float)
        check_costs("latency", target)
        floor = number_in("floor", floor)
        if target.shape != (len(archs),):
            raise ValueError(f"{len(archs)} architectures have latencies of shape {target.shape}")
        one_hot = [space.one_hot(arch) for arch in archs]
        chosen = np.array(one_hot, dtype=float).reshape(-1, *space.mask.shape)
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
        """Seconds of one architecture."""
        rows = np.arange(len(self.seconds))
        return self.base + float(self.seconds[rows, list(self.space.check(arch))].sum())

    def latencies(self, archs: Iterable[Arch] | np.ndarray) -> np.ndarray:
        """Seconds of each architecture, float64 [N]."""
        return np.array([self(arch) for arch in archs], dtype=float)

    def expected(self, w: Any) -> Any:
        """Expected seconds of ``w`` [D, K], whose rows are probabilities; an array or a tensor.
        It is linear in ``w``, so a gradient reaches what ``w`` comes from."""
        table = w.new_tensor(self.seconds) if hasattr(w, "new_tensor") else self.seconds
        return self.base + (w * table).sum()


@dataclass(frozen=True)
class OnDevice:
    """Estimate an architecture for a device: ``estimate(arch, seed) -> Evaluation``.
    The score is ``objective(score, seconds)`` of the other estimate's score and the latency on the
    device; without an objective it stays the other's, for a search that keeps the two apart.
    Metrics: those of the other estimate, and ``accuracy`` (its score), ``latency`` in seconds,
    ``energy`` in joules."""

    estimate: Estimator
    space: Space
    skeleton: Skeleton
    device: Device | str
    objective: Callable[[float, float], float] | None = None

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
    order. The logarithm is natural, and of a latency in seconds over ``unit``: its sign and its
    weight depend on that unit, so the unit has to be shorter than every latency."""
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
    """The place of the highest score within a budget; of equal scores the cheapest wins."""
    scores, costs = _pairs(scores, costs)
    check_costs("budget", budget)
    within = np.flatnonzero((costs <= budget) & ~np.isnan(scores))
    if not within.size:
        scored = costs[~np.isnan(scores)]
        cheapest = f"the cheapest needs {scored.min():.3g}" if scored.size else "none has a score"
        raise ValueError(f"nothing meets a budget of {budget:g}: {cheapest}")
    return int(within[np.lexsort((costs[within], -scores[within]))[0]])


def pareto_front(scores: npt.ArrayLike, costs: npt.ArrayLike) -> np.ndarray:
    """Places of what no other beats in both score (higher) and cost (lower), cheapest first."""
    return front(*_pairs(scores, costs))


def hypervolume(
    scores: npt.ArrayLike, costs: npt.ArrayLike, *, worst_score: float, worst_cost: float
) -> float:
    """Area that scores and costs cover, up to a corner that is worse in both.
    It grows when a point is found that the others do not beat (Zitzler & Thiele 1999,
    doi:10.1109/4235.797969). Points beyond the corner add nothing."""
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
        shapes = f"{scores.shape} and {costs.shape}"
        raise ValueError(f"scores and costs come in pairs, but their shapes are {shapes}")
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
