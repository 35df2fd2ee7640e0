"""Exercises on the workflow: right answers written differently pass, usual mistakes do not."""

import heapq
import math

import pytest

from nas_lab import spaces
from nas_lab.homework import check
from nas_lab.strategies import Hyperband


def waiting(trials, batch, workers, trial):
    """Batch after batch, each trial to whoever is free first."""
    now = 0
    for first in range(0, trials, batch):
        free = [now] * workers
        for _ in range(min(batch, trials - first)):
            heapq.heappush(free, heapq.heappop(free) + trial)
        now = max(free)
    return now


def by_the_package(R, eta):
    brackets = Hyperband(spaces.nasbench201(), epochs=R, eta=eta).brackets
    return [[rungs[0].archs, rungs[0].epochs] for rungs in brackets]


def test_right_answers_pass():
    assert check("09.q1", lambda train, test: sum(image in train for image in test))
    assert check("09.q2", by_the_package)
    assert check("09.q3", waiting)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("09.q1", lambda train, test: sum(image in test for image in train)),
        ("09.q1", lambda train, test: len({*map(tuple, train)} & {*map(tuple, test)})),
        ("09.q2", lambda R, eta: by_the_package(R, eta)[::-1]),
        ("09.q2", lambda R, eta: [[n, r * eta] for n, r in by_the_package(R, eta)]),
        ("09.q2", lambda R, eta: [[R // r, r] for _, r in by_the_package(R, eta)]),
        ("09.q3", lambda trials, batch, workers, trial: math.ceil(trials / workers) * trial),
        ("09.q3", lambda trials, batch, workers, trial: trials * trial / workers),
        (
            "09.q3",
            lambda trials, batch, workers, trial: (
                math.ceil(trials / batch) * math.ceil(batch / workers) * trial
            ),
        ),
    ],
)
def test_usual_mistakes_are_told_apart(name, wrong):
    assert not check(name, wrong)
