"""How fast latencies are counted, and how well they agree with this machine.

The roofline of a laptop's core is compared with 60 networks that run here, one thread each, in
turns. Time on the processor is compared, so that other programs disturb the order little; how
much they disturb the clock on the wall is shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from _report import report
from scipy import stats

from nas_lab import devices, spaces
from nas_lab.estimation.latency import measure_archs
from nas_lab.estimation.pareto import pareto_front

SPACE = spaces.nasbench201()
ARCHS, RUNS, SLIDES = 60, 20, 200
HERE = "laptop"
SKELETONS = {
    "as the table": spaces.Skeleton(
        channels=16, cells=2, stages=1, stem_stride=2, resolution=12, in_channels=1
    ),
    "three stages, 32 x 32": spaces.Skeleton(cells=2),
}


def timed(action: Callable[[], object]) -> float:
    """Return the seconds of CPU time that ``action`` takes."""
    began = time.thread_time()
    action()
    return time.thread_time() - began


def canonical() -> list[spaces.Arch]:
    """Return the 6,466 cells that are different networks."""
    return sorted({SPACE.canonical(arch) for arch in SPACE})


def counting() -> list[dict]:
    """Return seconds for all networks of the table on one device, the first time and again."""
    archs, skeleton, rows = canonical(), SKELETONS["as the table"], []
    for name in ("v100", "edge_tpu", "stm32f746"):  # the first call writes all networks down
        first = timed(lambda name=name: devices.latencies(SPACE, archs, skeleton, name))
        again = timed(lambda name=name: devices.latencies(SPACE, archs, skeleton, name))
        rows.append({"device": name, "s for all 6,466, first": first, "s, again": again})
    return rows


def fronts() -> list[dict]:
    """Return milliseconds for the front of all networks, the 95th percentile of many."""
    archs, skeleton = canonical(), SKELETONS["as the table"]
    scores = np.random.default_rng(0).random(len(archs))
    rows = []
    for name in devices.DEVICES:
        costs = devices.latencies(SPACE, archs, skeleton, name)
        each = [timed(lambda costs=costs: pareto_front(scores, costs)) for _ in range(SLIDES)]
        rows.append({"device": name, "ms for the front, 95 %": 1e3 * np.quantile(each, 0.95)})
    return rows


def slider() -> list[dict]:
    """Return milliseconds of a redraw when the slider moves, on devices that were shown before."""
    from nas_lab.widgets import EdgeDevices

    widget = EdgeDevices()
    rows = []
    for name in ("v100", "raspberry_pi_4", "stm32f746"):
        widget.model.device = name
        betas = np.random.default_rng(0).uniform(0, 8, SLIDES // 4).tolist()
        each = [timed(lambda b=b: setattr(widget.model, "beta", b)) for b in betas]
        rows.append({"device": name, "ms for a redraw, 95 %": 1e3 * np.quantile(each, 0.95)})
    return rows


def agreement() -> list[dict]:
    """Return rank correlations of counted with measured latencies."""
    archs, rng = canonical(), np.random.default_rng(0)
    chosen = [archs[i] for i in rng.choice(len(archs), ARCHS, replace=False)]
    rows = []
    for name, skeleton in SKELETONS.items():
        found = measure_archs(SPACE, chosen, skeleton, runs=RUNS)
        measured = np.array([m.busy_seconds for m in found])
        counted = devices.latencies(SPACE, chosen, skeleton, HERE)
        macs = [SPACE.cost(arch, skeleton).macs for arch in chosen]
        rows.append(
            {
                "networks": name,
                "Spearman, roofline": stats.spearmanr(counted, measured).statistic,
                "Spearman, multiply-adds": stats.spearmanr(macs, measured).statistic,
                "counted / measured": float(np.median(counted / measured)),
                "median ms here": 1e3 * float(np.median(measured)),
                "spread": float(np.median([m.spread for m in found])),
                "interference": float(np.mean([m.interference for m in found])),
            }
        )
    return rows


if __name__ == "__main__":
    report("devices: counting", counting())
    report("devices: fronts", fronts())
    report("devices: slider", slider())
    report("devices: agreement", agreement())
