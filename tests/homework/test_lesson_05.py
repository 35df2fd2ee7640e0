"""The exercises of notebook 05 accept every right way, and no wrong one."""

import numpy as np
import pytest
import torch

from nas_lab.homework import check


def mix(a, temperature, outputs):
    alpha = (torch.tensor(a, dtype=torch.float64) / temperature).softmax(0)
    return (alpha @ torch.tensor(outputs, dtype=torch.float64)).tolist()


def two_inputs(w):
    strength = np.array(w)[:, 1:]
    edges = np.sort(np.argsort(-strength.max(axis=1))[:2])
    return [[int(edge), int(strength[edge].argmax()) + 1] for edge in edges]


def second_order(w, a, xi):
    """The gradient by autograd, through the virtual step."""
    w, a = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (w, a))
    (slope,) = torch.autograd.grad((a * w - 1) ** 2 / 2, w, create_graph=True)
    loss = (w - xi * slope + a - 3) ** 2 / 2
    return torch.autograd.grad(loss, a)[0].item()


def by_differences(w, a, xi):
    """The paper's way: eq. 7 and 8."""
    ahead = w - xi * a * (a * w - 1)
    v = ahead + a - 3
    plus, minus = ((w + sign * 0.01) * (a * (w + sign * 0.01) - 1) for sign in (1, -1))
    return v - xi * v * (plus - minus) / 0.02


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("05.q1", mix),
        ("05.q2", two_inputs),
        ("05.q3", second_order),
        ("05.q3", by_differences),
    ],
)
def test_right_answers_pass(question, answer):
    assert check(question, answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("05.q1", lambda a, t, outputs: mix(a, 1.0, outputs)),
        ("05.q1", lambda a, t, outputs: outputs[int(np.argmax(a))]),
        ("05.q1", lambda a, t, outputs: mix(a, 1 / t, outputs)),
        ("05.q2", lambda w: [[e, int(np.argmax(w[e]))] for e in range(2)]),
        ("05.q2", lambda w: two_inputs([[0.0, *row[1:]] for row in w])[::-1]),
        (
            "05.q2",  # 'none' counts for the strength of an edge
            lambda w: [
                [int(e), int(np.argmax(w[e][1:])) + 1]
                for e in np.sort(np.argsort(-np.array(w).max(axis=1))[:2])
            ],
        ),
        ("05.q3", lambda w, a, xi: w - xi * a * (a * w - 1) + a - 3),  # the first part alone
        ("05.q3", lambda w, a, xi: second_order(w, a, 0.0)),  # first order
        ("05.q3", lambda w, a, xi: second_order(w, a, -xi)),
    ],
)
def test_wrong_answers_do_not(question, answer):
    assert not check(question, answer)
