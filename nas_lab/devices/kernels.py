"""What a device runs when it runs a network: operations, or several of them in one.

A compiler folds a normalisation into the convolution before it, applies a ReLU while the result
of the operation before it is still in registers, and leaves out what does not reach the output.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nas_lab.spaces.network import Network, Op

FREE = ("image", "flatten")
"""Kinds that do no work: the input, and another view of the same numbers."""

TAKES_RELU = ("conv", "linear", "add", "norm")
"""Kinds whose result can pass through a ReLU on its way to memory."""


@dataclass(frozen=True)
class Kernel:
    """One piece of work for a device.

    Attributes:
        op: the operation, as the space wrote it down.
        fused: names of the operations that are done along with it.
        launches: how often something is started for it.
        macs: multiply-adds.
        operations: simple operations, where it does no multiply-adds.
        read: numbers read from memory, weights apart.
        written: numbers written to memory.
        weights: parameters that are read.
    """

    op: Op
    fused: tuple[str, ...]
    launches: int
    macs: int
    operations: int
    read: int
    written: int
    weights: int

    @property
    def kind(self) -> str:
        """Kind of the operation; ``depthwise`` where a convolution keeps channels apart."""
        groups = self.op.settings.get("groups", 1)
        return "depthwise" if groups > 1 and groups == self.op.shape[0] else self.op.kind


def kernels(network: Network, compiled: bool) -> list[Kernel]:
    """What is run for a network, in order."""
    ops = network.ops
    needed = reachable(ops) if compiled else range(len(ops))
    readers = Counter(i for op in needed for i in ops[op].inputs)
    run: list[Kernel] = []
    place: dict[int, int] = {}  # in ``run``, of the kernel that writes an operation's result
    for i in needed:
        op = ops[i]
        before = place.get(op.inputs[0]) if op.inputs else None
        if compiled and before is not None and _folds(op, run[before], readers[op.inputs[0]]):
            run[before] = _joined(run[before], op)
            place[i] = before
        elif op.kind not in FREE:
            place[i] = len(run)
            run.append(_alone(op, [ops[j].shape for j in op.inputs]))
    return run


def reachable(ops: Sequence[Op]) -> list[int]:
    """Positions of the operations that the last one needs, in order."""
    needed, waiting = {len(ops) - 1}, [len(ops) - 1]
    while waiting:
        for i in ops[waiting.pop()].inputs:
            if i not in needed:
                needed.add(i)
                waiting.append(i)
    return sorted(needed)


def _joined(kernel: Kernel, op: Op) -> Kernel:
    """A kernel that does one more operation; of a normalisation, a bias for each channel stays."""
    bias = op.params // 2 if op.kind == "norm" else 0
    return replace(kernel, fused=(*kernel.fused, op.name), weights=kernel.weights + bias)


def _folds(op: Op, before: Kernel, readers: int) -> bool:
    """Whether an operation is done along with the one that it reads."""
    if readers > 1:
        return False
    if op.kind == "norm":
        return before.op.kind == "conv" and not before.fused
    return op.kind == "relu" and before.op.kind in TAKES_RELU


def _alone(op: Op, shapes: Sequence[tuple[int, ...]]) -> Kernel:
    written = math.prod(op.shape)
    read = sum(map(math.prod, shapes))
    launches, weights, operations = 1, op.params, 0
    if op.kind == "add":  # two at a time, the sum so far read again
        launches = len(shapes) - 1
        read, written, operations = 2 * launches * written, launches * written, launches * written
    elif op.kind in ("avg_pool", "max_pool"):
        operations = op.settings["kernel_size"] ** 2 * written
    elif op.kind == "global_pool":
        operations = read
    elif op.kind == "norm":
        operations = 2 * written
    elif op.kind == "recurrent":  # step after step, weights read in each
        steps = shapes[0][1]
        launches, weights = steps * op.settings["num_layers"], steps * op.params
    elif op.kind == "zeros":
        read = 0
    elif not op.macs:
        operations = written
    return Kernel(op, (), launches, op.macs, operations, read, written, weights)
