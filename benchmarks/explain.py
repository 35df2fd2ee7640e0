"""How fast a space is explained, and how near a forest on a sample comes to the exact answer.

Times are those of the processor, beside what the same run takes to read the table and to fit one
forest.
"""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable

import numpy as np
from _report import report
from sklearn.ensemble import RandomForestRegressor

from nas_lab import explain
from nas_lab.estimation import Table

RUNS, SWAPS = 5, 100
SIZES = (100, 300, 1_000)


def timed(action: Callable[[], object]) -> float:
    """Return the seconds of CPU time that ``action`` takes, the median of some runs."""
    taken = timeit.repeat(action, timer=time.thread_time, number=1, repeat=RUNS)
    return float(np.median(taken))


def exact(table: Table) -> list[dict]:
    """Return seconds for all effects of all groups, beside those of a forest on all rows."""
    space, archs, scores = table.space, table.archs, table.scores()
    rows = np.array([space.one_hot(tuple(arch)).ravel() for arch in archs.tolist()])
    forest = timed(lambda: RandomForestRegressor(100, random_state=0).fit(rows, scores))
    seconds = timed(lambda: explain.anova(space, archs, scores))
    best = tuple(archs[scores.argmax()].tolist())
    effects = explain.anova(space, archs, scores)
    actions = {
        "anova, all groups": seconds,
        "Shapley values of a network": timed(lambda: effects.shapley(best)),
        "nearest better network": timed(
            lambda: explain.nearest_better(space, archs, scores, best, margin=0)
        ),
        "motifs": timed(lambda: explain.motifs(space, archs, scores)),
        "reading the table": timed(Table.load),
    }
    return [
        {"what": name, "s": each, "share of a forest's fit": each / forest}
        for name, each in actions.items()
    ]


def from_samples(table: Table) -> list[dict]:
    """Return the error of main effects from a sample, in points and against their size."""
    space = table.space
    truth = explain.main_effects(space, table.archs, table.scores())
    size = np.sqrt((truth**2).mean())
    rows = []
    for n in SIZES:
        errors = []
        for seed in range(RUNS):
            rng = np.random.default_rng([n, seed])
            archs = [space.sample(rng) for _ in range(n)]
            found = explain.main_effects(space, archs, [table(arch).score for arch in archs])
            errors.append(np.sqrt(((found - truth) ** 2).mean()))
        rows.append(
            {
                "trained": f"{n:,}",
                "error, points": 100 * float(np.mean(errors)),
                "spread": 100 * float(np.std(errors, ddof=1)),
                "error / size of effects": float(np.mean(errors) / size),
            }
        )
    return rows


def redraw(table: Table) -> list[dict]:
    """Return milliseconds until the widget shows a swap, the 95th percentile of many."""
    from nas_lab.widgets import SwapParts

    widget, rng = SwapParts(table), np.random.default_rng(0)
    found = []
    for edge, token in zip(rng.integers(6, size=SWAPS), rng.integers(5, size=SWAPS), strict=True):
        began = time.thread_time()
        widget.model.choose(int(edge), int(token))
        found.append(1e3 * (time.thread_time() - began))
    return [{"swaps": str(SWAPS), "ms, median": np.median(found), "ms, 95 %": _late(found)}]


def _late(milliseconds: list[float]) -> float:
    return float(np.quantile(milliseconds, 0.95))


if __name__ == "__main__":
    loaded = Table.load()
    report("explain: exact", exact(loaded))
    report("explain: from samples", from_samples(loaded))
    report("explain: redraw", redraw(loaded))
