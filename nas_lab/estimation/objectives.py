"""Trading accuracy against cost: weighted into one number, bounded by a budget, or as a front.

Costs are latencies in seconds, energies in joules, or whatever else should be small. All
functions take numbers or arrays.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

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
    scores, costs = _pairs(scores, costs)
    places = np.flatnonzero(~np.isnan(scores))
    order = places[np.lexsort((-scores[places], costs[places]))]
    best_before = np.maximum.accumulate(np.concatenate(([-math.inf], scores[order])))[:-1]
    return order[scores[order] > best_before]


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
    front = pareto_front(scores, costs)
    front = front[(scores[front] > worst_score) & (costs[front] < worst_cost)]
    heights = np.diff(scores[front], prepend=worst_score)
    return float(np.sum(heights * (worst_cost - costs[front])))


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
