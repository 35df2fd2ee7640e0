"""All 15,625 cells of NAS-Bench-201 at once.

Every operation of a cell sees the same shape, so a cell costs what its parts cost: so many
convolutions, poolings, sums, and ReLUs. Counting them is arithmetic on arrays with an entry for
each cell. The counts are those of ``nas_lab.devices.kernels`` on the written-out network; a test
compares them. Names below: ``v1``, ``v2``, ``v3`` are the values of nodes 1 to 3.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np

from nas_lab.devices.device import Device
from nas_lab.devices.kernels import Bill, network_bill
from nas_lab.spaces.base import Arch, Skeleton
from nas_lab.spaces.cells import EDGES_201, OPERATIONS_201, nasbench201
from nas_lab.spaces.network import Network

NONE, SKIP, CONV_1X1, CONV_3X3, POOL = range(len(OPERATIONS_201))

# Values that edges carry and nodes hold, as numbers. Convolutions give a new value for each edge
# (from CONV on) and nodes for each sum (from SUM on); pooling the same value twice gives the same.
INPUT, ZEROS, CONV, SUM, POOLED = 0, 1, 2, 8, 12


def code(arch: Arch) -> int:
    """The place of a cell in the order of ``nasbench201()``."""
    a, b, c, d, e, f = arch
    return ((((a * 5 + b) * 5 + c) * 5 + d) * 5 + e) * 5 + f


@lru_cache(maxsize=64)
def bills(skeleton: Skeleton, device: Device) -> list[Bill | None]:
    """Seconds and joules of every cell's network, in the order of ``nasbench201()``.

    None where a network has to be walked: without a compiler, operations that lead nowhere run
    too, and what one cell computes in vain can be what the next cell needs.
    """
    counts = cell_counts(device.compiled)
    total = np.zeros((len(counts["walk"]), 2))
    for stage in range(skeleton.stages):
        prices = part_prices(skeleton, stage, device)
        for part, price in prices.items():
            total += skeleton.cells * np.outer(counts[part], price)
        saved = counts["relu_saved_once"] + (skeleton.cells - 1) * counts["relu_saved_again"]
        total -= np.outer(saved, prices["relu"])
    empty = network_bill(nasbench201().network((NONE,) * 6, skeleton), device)
    total += np.array(empty) - total[0]  # the first of all cells has no operation
    walk = counts["walk"].tolist()
    return [None if w else Bill(*row) for w, row in zip(walk, total.tolist(), strict=True)]


def part_prices(skeleton: Skeleton, stage: int, device: Device) -> dict[str, np.ndarray]:
    """Seconds and joules of each part of a cell in one stage, float64 [2]."""
    size = skeleton.resolution
    for stride in (skeleton.stem_stride, *(2,) * stage):
        size = -(-size // stride)
    shape = (skeleton.channels * 2**stage, size, size)

    channels = shape[0]
    written: dict[str, Callable[[Network, int], int]] = {
        "relu": lambda net, x: net.relu(x),
        "conv_1x1": lambda net, x: net.norm(net.conv(x, channels, 1)),
        "conv_3x3": lambda net, x: net.norm(net.conv(x, channels, 3)),
        "pool": lambda net, x: net.avg_pool(x, 3),
        "addition": lambda net, x: net.add(x, x),
        "zeros": lambda net, x: net.zeros(x),
    }
    return {part: _price(Network(shape), write, device) for part, write in written.items()}


def _price(net: Network, write: Callable[[Network, int], int], device: Device) -> np.ndarray:
    write(net, net.image)
    return np.array(network_bill(net, device))


@lru_cache(maxsize=2)
def cell_counts(compiled: bool) -> Mapping[str, np.ndarray]:
    """How often each part is run in a cell, and what its neighbours change, each [15625].

    Entries besides the parts of ``part_prices``:
        relu_saved_once: the ReLU of the cell's input is done along with what gives the input.
        relu_saved_again: the same, where the input comes from another such cell.
        walk: the cells that ``bills`` leaves out.
    """
    op = np.array(list(itertools.product(range(len(OPERATIONS_201)), repeat=6))).T
    value, terms = _values(op)
    alive = _alive(op, compiled)
    live = np.array([(op[e] != NONE) & alive[node] for e, (_, node) in enumerate(EDGES_201)])
    conv, pool = live & np.isin(op, (CONV_1X1, CONV_3X3)), live & (op == POOL)
    sums = {node: alive[node] & (terms[node] > 1) for node in (2, 3)}
    same_sum = sums[2] & sums[3] & (value[3] == SUM)
    zeros = (alive[1] & (terms[1] == 0)) | (alive[2] & (terms[2] == 0)) | (terms[3] == 0)
    counts = {
        "conv_1x1": (live & (op == CONV_1X1)).sum(axis=0),
        "conv_3x3": (live & (op == CONV_3X3)).sum(axis=0),
        "pool": sum(_first_readers(pool, value)),
        "addition": sums[2] + sums[3] * (terms[3] - 1) - same_sum,
        "zeros": zeros.astype(int),
    }
    added = live & (op == SKIP) & np.array([terms[node] > 1 for _, node in EDGES_201])
    relus = dict(enumerate(_first_readers(conv, value)))
    alone, input_alone = np.zeros_like(terms[1]), np.zeros_like(zeros)
    for node, relu in relus.items():
        others = _reads(added | pool, value, value[node])
        others |= zeros & (value[node] == INPUT)
        free = relu & ~others if compiled else np.zeros_like(relu)
        alone += relu & ~(free & _takes_relu(value[node]))
        input_alone |= free & (value[node] == INPUT)
    return counts | {
        "relu": alone,
        "relu_saved_once": input_alone.astype(int),
        "relu_saved_again": (input_alone & _takes_relu(value[3])).astype(int),
        "walk": _entangled(op, value, terms, zeros) & (not compiled),
    }


def _values(op: np.ndarray) -> tuple[list[np.ndarray], dict[int, np.ndarray]]:
    """What each node holds, and how many edges lead to it."""
    carried: dict[int, np.ndarray] = {}
    value, terms = [np.full(op.shape[1], INPUT)], {}
    for node in (1, 2, 3):
        incoming = [e for e, (_, target) in enumerate(EDGES_201) if target == node]
        for e in incoming:
            read = value[EDGES_201[e][0]]
            carried[e] = np.select(
                [op[e] == SKIP, op[e] == POOL, op[e] != NONE], [read, POOLED + read, CONV + e], -1
            )
        terms[node] = sum((op[e] != NONE).astype(int) for e in incoming)
        only = np.max([carried[e] for e in incoming], axis=0)
        value.append(np.select([terms[node] == 0, terms[node] == 1], [ZEROS, only], SUM + node - 2))
    same = (terms[2] == 2) & (terms[3] == 2) & (_packed(carried, 2) == _packed(carried, 3))
    value[3] = np.where(same, SUM, value[3])  # the sum of node 2 is not computed again
    return value, terms


def _packed(carried: Mapping[int, np.ndarray], node: int) -> np.ndarray:
    """What is summed in a node, in order, as one number."""
    packed = np.zeros_like(carried[0])
    for e, (_, target) in enumerate(EDGES_201):
        if target == node:
            packed = np.where(carried[e] >= 0, packed * 100 + carried[e] + 1, packed)
    return packed


def _alive(op: np.ndarray, compiled: bool) -> dict[int, np.ndarray]:
    """Which nodes are computed: those that reach node 3, or without a compiler all."""
    everywhere = np.ones(op.shape[1], dtype=bool)
    if not compiled:
        return dict.fromkeys((1, 2, 3), everywhere)
    read = {edge: op[e] != NONE for e, edge in enumerate(EDGES_201)}
    return {1: read[1, 3] | (read[1, 2] & read[2, 3]), 2: read[2, 3], 3: everywhere}


def _first_readers(edges: np.ndarray, value: list[np.ndarray]) -> list[np.ndarray]:
    """For nodes 0 to 2: is it read by such edges, and holds what no such node before it holds?"""
    found: list[np.ndarray] = []
    read: list[np.ndarray] = []
    for node in (0, 1, 2):
        read.append(np.any([edges[e] for e, (a, _) in enumerate(EDGES_201) if a == node], axis=0))
        again = [read[i] & (value[i] == value[node]) for i in range(node)]
        found.append(read[node] & ~np.any(again, axis=0) if again else read[node])
    return found


def _reads(edges: np.ndarray, value: list[np.ndarray], wanted: np.ndarray) -> np.ndarray:
    """Whether one of the edges reads a value."""
    return np.any([edges[e] & (value[a] == wanted) for e, (a, _) in enumerate(EDGES_201)], axis=0)


def _takes_relu(value: np.ndarray) -> np.ndarray:
    """Whether a value comes from an operation that can be done along with a ReLU."""
    return (value >= CONV) & (value < POOLED)


def _entangled(
    op: np.ndarray, value: list[np.ndarray], terms: dict[int, np.ndarray], zeros: np.ndarray
) -> np.ndarray:
    """Cells in which something reads the cell's output, so that the next cell has it already."""
    summed = (op == SKIP) & np.array([terms[node] > 1 for _, node in EDGES_201])
    summed[3:] = False  # into node 3: what it sums is not its own sum
    working = np.isin(op, (CONV_1X1, CONV_3X3, POOL))
    busy = working.any(axis=0) | zeros | (terms[2] > 1)
    through = (value[3] == INPUT) & busy
    return through | _reads(working | summed, value, value[3])
