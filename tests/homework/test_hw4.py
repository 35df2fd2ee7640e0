"""Homework 4: right answers written differently earn all points."""

import numpy as np
import torch

from tests.homework.variants import right


def path_by_bins(uniforms, options):
    return [
        int(np.digitize(u, np.arange(1, k) / k)) for u, k in zip(uniforms, options, strict=True)
    ]


def edge_by_filter(x, weights, operations):
    used = filter(lambda pair: pair[0] > 0, zip(weights, operations, strict=True))
    return np.sum([w * op(x) for w, op in used], axis=0)


def edge_by_places(x, weights, operations):
    return torch.tensor(sum(weights[i] * operations[i](x) for i in np.flatnonzero(weights)))


def updates_by_counter(paths, options):
    counts = [[0] * options for _ in paths[0]]
    for path in paths:
        for row, option in zip(counts, path, strict=True):
            row[option] += 1
    return counts


def slice_by_padding(weight, out, inner, kernel):
    rim = (weight.shape[3] - kernel) // 2
    cut = torch.nn.functional.pad(torch.tensor(weight), [-rim] * 4)
    return cut[:out, :inner]


def slice_by_lists(weight, out, inner, kernel):
    rim = len(weight[0][0]) // 2 - kernel // 2
    rows = range(rim, rim + kernel)
    return [
        [[[float(weight[o][i][a][b]) for b in rows] for a in rows] for i in range(inner)]
        for o in range(out)
    ]


def statistics_by_merging(batches):
    """Chan's rule for merging means and squares, batch by batch."""
    n, mean, squares = 0, 0.0, 0.0
    for batch in map(np.array, batches):
        m, more = len(batch), batch.mean(axis=0)
        squares = squares + batch.var(axis=0) * m + (more - mean) ** 2 * n * m / (n + m)
        mean, n = mean + (more - mean) * m / (n + m), n + m
    return mean.tolist(), (squares / n).tolist()


def statistics_by_batch_norm(batches):
    rows = torch.cat([torch.tensor(batch).double() for batch in batches])
    return torch.stack([rows.mean(0), rows.var(0, unbiased=False)])


VARIANTS = {
    "hw4.q1": [
        path_by_bins,
        lambda uniforms, options: np.floor(np.multiply(uniforms, options)).astype(int),
    ],
    "hw4.q2": [edge_by_filter, edge_by_places],
    "hw4.q3": [
        lambda orders: np.array(orders).T,
        lambda orders: [[order[i] for order in orders] for i in range(len(orders[0]))],
        lambda orders: torch.tensor(orders).t(),
    ],
    "hw4.q4": [
        updates_by_counter,
        lambda paths, options: torch.nn.functional.one_hot(torch.tensor(paths), options).sum(0),
        lambda paths, options: [
            np.bincount(column, minlength=options) for column in np.transpose(paths)
        ],
    ],
    "hw4.q5": [
        slice_by_padding,
        slice_by_lists,
    ],
    "hw4.q6": [statistics_by_merging, statistics_by_batch_norm],
}

test_right_answers_written_differently_are_right = right(VARIANTS)
