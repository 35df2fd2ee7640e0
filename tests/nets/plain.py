"""Supernets edge by edge and operation by operation, as their papers write them down.

They read the weights of a ``Supernet``, and share none of its ways of computing.
"""

import torch
from torch.nn import functional

from nas_lab.spaces.cells import EDGES_201, EDGES_DARTS, OPERATIONS_201, OPERATIONS_DARTS


def plain_201(net, x, w):
    skeleton = net.skeleton
    x = conv_norm(net.stem, x, stride=skeleton.stem_stride)
    for i, stage in enumerate(net.stages):
        if i:
            reduction = net.reductions[i - 1]
            y = conv_norm(reduction.first, functional.relu(x), stride=2)
            y = conv_norm(reduction.second, functional.relu(y))
            halved = functional.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
            x = y + functional.conv2d(halved, reduction.shortcut.weight)
        for cell in stage:
            x = cell_201(cell, x, w)
    x = functional.relu(normalise(net.head, x))
    return net.classifier(x.mean(dim=(2, 3)))


def cell_201(cell, x, w):
    nodes = [x]
    for node in (1, 2, 3):
        total = torch.zeros_like(x)
        for row, (source, target) in zip(w, EDGES_201, strict=True):
            if target == node:
                branches = getattr(cell, f"edge_{source}{target}")
                for weight, op in zip(row, OPERATIONS_201, strict=True):
                    total = total + weight * operation_201(branches, op, nodes[source])
        nodes.append(total)
    return nodes[3]


def operation_201(branches, op, x):
    if op == "none":
        return torch.zeros_like(x)
    if op == "skip_connect":
        return x
    if op == "avg_pool_3x3":
        return functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    return conv_norm(branches[op], functional.relu(x))


def plain_darts(net, x, w):
    cells = len(net.cells)
    before = last = conv_norm(net.stem, x, stride=net.skeleton.stem_stride)
    for i, cell in enumerate(net.cells):
        reduction = i in (cells // 3, 2 * cells // 3)
        first = functional.relu(before)
        if hasattr(cell.read_0, "conv_2"):
            first = factorized_reduce(cell.read_0, first)
        else:
            first = conv_norm(cell.read_0, first)
        states = [first, conv_norm(cell.read_1, functional.relu(last))]
        rows = w[14:] if reduction else w[:14]
        for node in (2, 3, 4, 5):
            terms = []
            for row, (source, target) in zip(rows, EDGES_DARTS, strict=True):
                if target == node:
                    branches = getattr(cell, f"edge_{source}{target}")
                    stride = 2 if reduction and source < 2 else 1
                    for weight, op in zip(row, OPERATIONS_DARTS, strict=True):
                        y = operation_darts(branches, op, states[source], stride)
                        terms.append(weight * y)
            states.append(sum(terms))
        before, last = last, torch.cat(states[2:], dim=1)
    return net.classifier(last.mean(dim=(2, 3)))


def operation_darts(branches, op, x, stride):
    if op == "none":
        return torch.zeros_like(x[:, :, ::stride, ::stride])
    if op == "max_pool_3x3":
        return functional.max_pool2d(x, 3, stride, 1)
    if op == "avg_pool_3x3":
        return functional.avg_pool2d(x, 3, stride, 1, count_include_pad=False)
    if op == "skip_connect":
        return x if stride == 1 else factorized_reduce(branches[op], functional.relu(x))
    if op.startswith("dil_conv"):
        return separable(branches[op], x, stride, dilation=2)
    return separable(branches[op].second, separable(branches[op].first, x, stride), 1)


def separable(module, x, stride, dilation=1):
    weight = module.depthwise.weight
    padding = dilation * (weight.shape[-1] // 2)
    y = functional.conv2d(
        functional.relu(x), weight, None, stride, padding, dilation, groups=x.shape[1]
    )
    return normalise(module.norm, functional.conv2d(y, module.pointwise.weight))


def factorized_reduce(module, x):
    """``x`` is already activated."""
    shifted = functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
    halves = (
        functional.conv2d(x, module.conv.weight, stride=2),
        functional.conv2d(shifted, module.conv_2.weight, stride=2),
    )
    return normalise(module.norm, torch.cat(halves, dim=1))


def conv_norm(module, x, stride=1):
    weight = module.conv.weight
    y = functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
    return normalise(module.norm, y)


def normalise(module, x):
    return functional.batch_norm(x, None, None, module.weight, module.bias, training=True)
