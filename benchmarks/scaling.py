"""What it costs to count a scaled network, against building it.

A slider's move counts a network anew. The first table has the whole of that: scale, write the
stage table, add it up. Building is on a device without memory ("meta"), which is the least that
it can cost, and then for real; counting a built network is torch's own counter.
"""

from __future__ import annotations

import statistics
import time
import timeit
from collections.abc import Callable

import torch
from _report import report
from torch.utils.flop_counter import FlopCounterMode

from nas_lab import scaling
from nas_lab.nets import efficientnet
from nas_lab.scaling import ALPHA, B0, BETA, EFFICIENTNETS, GAMMA

MOVES = 200
SIZES = ("b0", "b7")


def seconds(action: Callable[[], object], rounds: int) -> list[float]:
    """Return the seconds of CPU time of this thread that each of several rounds takes."""
    return timeit.repeat(action, timer=time.thread_time, number=1, repeat=rounds)


def stage_table(name: str) -> tuple[scaling.Row, ...]:
    """Scale B0 to a variant and write its stage table; nothing is remembered from before."""
    variant = EFFICIENTNETS[name]
    stages = scaling.scale(B0, width=variant.width, depth=variant.depth)
    return scaling.table(stages, variant.resolution)


def on_meta(name: str) -> torch.nn.Module:
    """Build a variant without numbers."""
    with torch.device("meta"):
        return efficientnet(name)


def counted_by_torch(net: torch.nn.Module, resolution: int) -> int:
    """Return the multiply-adds that torch's counter sees on a network without numbers."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.empty(1, 3, resolution, resolution, device="meta"))
    return counter.get_total_flops() // 2


def counting() -> list[dict]:
    """Return, for the smallest and the largest network, seconds of counting and of building."""
    rows = []
    for name in SIZES:
        net, resolution = on_meta(name).eval(), EFFICIENTNETS[name].resolution
        assert counted_by_torch(net, resolution) == EFFICIENTNETS[name].macs
        ways: dict[str, list[float]] = {
            "stage table": seconds(lambda name=name: stage_table(name), MOVES),
            "built without numbers": seconds(lambda name=name: on_meta(name), 3),
            "and counted by torch": seconds(
                lambda net=net, resolution=resolution: counted_by_torch(net, resolution), 3
            ),
            "built for real": seconds(lambda name=name: efficientnet(name), 1),
        }
        least = statistics.median(ways["stage table"])
        rows += [
            {
                "network": name,
                "way": way,
                "ms, median": 1000 * statistics.median(taken),
                "ms, 95th percentile": 1000 * sorted(taken)[int(0.95 * len(taken))],
                "times the stage table": statistics.median(taken) / least,
            }
            for way, taken in ways.items()
        ]
    return rows


def sliders() -> list[dict]:
    """Return milliseconds of what a slider asks for, beside the stage table of B7."""
    budget = 5 * EFFICIENTNETS["b0"].macs
    asked: dict[str, Callable[[], object]] = {
        "compound and budget at phi = 6": lambda: scaling.budget(
            *scaling.compound(B0, 224, 6, ALPHA, BETA, GAMMA)
        ),
        "projection onto the constraint": lambda: scaling.project(1.3, 1.2, 1.1, keep="alpha"),
        "phi of a budget": lambda: scaling.fit_phi(B0, 224, budget, ALPHA, BETA, GAMMA),
    }
    table = statistics.median(seconds(lambda: stage_table("b7"), MOVES))
    return [
        {"asked": name, "ms": 1000 * taken, "times the stage table": taken / table}
        for name, action in asked.items()
        for taken in [statistics.median(seconds(action, MOVES))]
    ]


if __name__ == "__main__":
    report("counting a network", counting())
    report("a slider's questions", sliders())
