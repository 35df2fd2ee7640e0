"""Exercises on explanation: right answers written differently pass, usual mistakes do not."""

import itertools

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from nas_lab.homework import check


def shapley_by_orders(v):
    worth = {(): v[0], (0,): v[1], (1,): v[2], (0, 1): v[3]}
    orders = list(itertools.permutations(range(2)))
    values = np.zeros(2)
    for order in orders:
        for place, player in enumerate(order):
            before, after = order[:place], order[: place + 1]
            values[player] += worth[tuple(sorted(after))] - worth[tuple(sorted(before))]
    return values / len(orders)


def swap_by_regression(f):
    """The additive part of a square is its least-squares fit."""
    x = np.array(list(itertools.product((0, 1), repeat=2)))
    alone = LinearRegression().fit(x, np.ravel(f)).coef_[0]
    return [alone, f[1][0] - f[0][0] - alone]


def effect_by_numpy(archs, scores, decision, option):
    scores = np.array(scores)
    return scores[np.array(archs)[:, decision] == option].mean() - scores.mean()


def test_right_answers_pass():
    assert check("08.q1", effect_by_numpy)
    assert check("08.q2", swap_by_regression)
    assert check("08.q3", shapley_by_orders)


def against_the_others(archs, scores, decision, option):
    has = np.array(archs)[:, decision] == option
    return np.mean(scores, where=has) - (np.mean(scores, where=~has) if not has.all() else 0)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("08.q1", against_the_others),
        ("08.q2", lambda f: [f[1][0] - f[0][0], f[1][1] - f[0][1] - f[1][0] + f[0][0]]),
        ("08.q2", lambda f: [(f[1][0] + f[1][1] - f[0][0] - f[0][1]) / 2, 0.0]),
        ("08.q3", lambda v: [v[1] - v[0], v[2] - v[0]]),
        ("08.q3", lambda v: [v[1] - v[0], v[3] - v[1]]),
        ("08.q3", lambda v: [v[3] - v[2], v[3] - v[1]]),
    ],
)
def test_usual_mistakes_are_told_apart(name, wrong):
    assert not check(name, wrong)
