"""The notebooks' exercises: right answers written differently pass, usual mistakes do not."""

import heapq
import itertools
import math
from fractions import Fraction
from statistics import fmean

import numpy as np
import pytest
import torch
from scipy import signal, stats
from scipy.optimize import LinearConstraint, milp
from sklearn.linear_model import LinearRegression
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.efficientnet import MBConvConfig

from nas_lab.homework import check
from nas_lab.homework.lessons import QUESTIONS


def reaches(ops):
    matrix = np.eye(4, dtype=int)
    for op, edge in zip(ops, [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)], strict=True):
        matrix[edge] = op != "none"
    return np.linalg.matrix_power(matrix, 3)[0, 3] > 0


def agreements(codes):
    c = np.array(codes)
    return (c @ c.T + (1 - c) @ (1 - c).T).tolist()


def rungs(archs, epochs, eta):
    return [[archs // eta**i, eta**i] for i in range(round(math.log(archs, eta)) + 1)]


def loss(log_p, rewards, baseline):
    """By autograd: the loss is linear in the log-probabilities."""
    log_p = torch.tensor(log_p, dtype=torch.float64, requires_grad=True)
    gain = torch.dot(torch.tensor(rewards, dtype=torch.float64) - baseline, log_p)
    (slope,) = torch.autograd.grad(-gain / len(log_p), log_p)
    return (slope @ log_p).item()


def baselines(rewards, decay):
    return signal.lfilter([1 - decay], [1, -decay], rewards, zi=[decay * rewards[0]])[0]


def regrets(scores, best):
    found, incumbent = [], None
    for score in scores:
        incumbent = score if incumbent is None else max(incumbent, score or 0)
        found.append(None if incumbent is None else best - incumbent)
    return found


def one_hot_sums(paths, options):
    return [np.eye(k, dtype=int)[[path[d] for path in paths]].sum(0) for d, k in enumerate(options)]


def of_made_up_images(means, variances, sizes):
    """Two values for each image pair have any mean and variance that is wanted."""
    signs = [np.resize([-1.0, 1.0], n) for n in sizes]
    images = [m + np.sqrt(v) * s for m, v, s in zip(means, variances, signs, strict=True)]
    return [np.concatenate(images).mean(), np.concatenate(images).var()]


def cut(kernel, outputs, inputs, size):
    kernel, edge = torch.tensor(kernel), (len(kernel[0][0]) - size) // 2
    inner = torch.nn.functional.pad(kernel, (-edge,) * 4) if edge else kernel
    return inner[:outputs, :inputs]


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
    return torch.autograd.grad((w - xi * slope + a - 3) ** 2 / 2, a)[0].item()


def by_differences(w, a, xi):
    """As in the paper: equations 7 and 8."""
    v = w - xi * a * (a * w - 1) + a - 3
    plus, minus = ((w + sign * 0.01) * (a * (w + sign * 0.01) - 1) for sign in (1, -1))
    return v - xi * v * (plus - minus) / 0.02


def mbconv_as_it_runs(c_in, c_out, kernel, stride, expansion, side):
    """Multiply-adds of an inverted bottleneck, without squeeze-and-excitation, by torch."""
    inner = expansion * c_in
    layers = [torch.nn.Conv2d(c_in, inner, 1)] if expansion > 1 else []
    layers += [torch.nn.Conv2d(inner, inner, kernel, stride, kernel // 2, groups=inner)]
    layers += [torch.nn.Conv2d(inner, c_out, 1)]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        torch.nn.Sequential(*layers).to("meta")(torch.empty(1, c_in, side, side, device="meta"))
    return counter.get_total_flops() // 2


def step_by_autograd(w, path, x, y, rate):
    w, x = (torch.tensor(values, dtype=torch.float64) for values in (w, x))
    w.requires_grad_()
    ((w[range(len(path)), path] @ x - y) ** 2).backward()
    return (w - rate * w.grad).tolist()


def one_after_the_other(w, path, x, y, rate):
    for d in range(len(path)):
        w[d] = step_by_autograd(w, path, x, y, rate)[d]
    return w


def scaled(layers, channels, pixels, phi, alpha, beta):
    gamma = np.exp((np.log(2) - np.log(alpha) - 2 * np.log(beta)) / 2)
    d, w, r = np.array([alpha, beta, gamma]) ** phi
    wider = [MBConvConfig.adjust_channels(c, w) for c in channels]
    return [[MBConvConfig.adjust_depth(n, d) for n in layers], wider, round(pixels * r)]


def latency(macs, moved, peak, bandwidth, overhead):
    return sum(overhead + max(m / peak, b / bandwidth) for m, b in zip(macs, moved, strict=True))


def front(accuracies, latencies):
    points = list(zip(accuracies, latencies, strict=True))
    worse = {p for p in points for a, t in points if (a, t) != p and a >= p[0] and t <= p[1]}
    return [i for i, point in enumerate(points) if point not in worse]


def expected(alpha, seconds, base):
    w = torch.tensor(alpha, dtype=torch.float64).softmax(dim=1)
    return base + float((w * torch.tensor(seconds, dtype=torch.float64)).sum())


def main_effect(archs, scores, decision, option):
    chosen = [s for arch, s in zip(archs, scores, strict=True) if arch[decision] == option]
    return fmean(chosen) - fmean(scores)


def swap_by_regression(f):
    """The additive part of a square is its least-squares fit."""
    x = np.array(list(itertools.product((0, 1), repeat=2)))
    alone = LinearRegression().fit(x, np.ravel(f)).coef_[0]
    return [alone, f[1][0] - f[0][0] - alone]


def shapley_by_orders(v):
    worth, values = {(): v[0], (0,): v[1], (1,): v[2], (0, 1): v[3]}, np.zeros(2)
    for order in [(0, 1), (1, 0)]:
        for place, player in enumerate(order):
            after = tuple(sorted(order[: place + 1]))
            values[player] += (worth[after] - worth[order[:place]]) / 2
    return values


def brackets(R, eta):
    """Algorithm 1 of Hyperband, in fractions."""
    most = max(s for s in range(20) if eta**s <= R)
    ns = [math.ceil(Fraction((most + 1) * eta**s, s + 1)) for s in range(most, -1, -1)]
    return [[n, R // eta**s] for n, s in zip(ns, range(most, -1, -1), strict=True)]


def waiting(trials, batch, workers, trial):
    """Batch after batch, each trial to whoever is free first."""
    now = 0
    for first in range(0, trials, batch):
        free = [now] * workers
        for _ in range(min(batch, trials - first)):
            heapq.heappush(free, heapq.heappop(free) + trial)
        now = max(free)
    return now


def attention_as_it_runs(tokens, width, heads, features):
    """Counted by torch while the products run, without numbers."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        three = torch.empty(tokens, width) @ torch.empty(width, 3 * heads * features)
        query, key, value = three.view(tokens, 3, heads, features).permute(1, 2, 0, 3)
        mixed = query @ key.transpose(1, 2) @ value
        mixed.transpose(0, 1).flatten(1) @ torch.empty(heads * features, width)
    return counter.get_total_flops() // 2


def shared_places(first, second):
    used = [
        {(m, *at) for m, shape in enumerate(shapes) for at in np.ndindex(*shape)}
        for shapes in (first, second)
    ]
    return len(used[0] & used[1])


def by_integer_program(rises, seconds, limit):
    each = np.kron(np.eye(len(rises)), np.ones(len(rises[0])))
    rules = [LinearConstraint(each, 1, 1), LinearConstraint(np.ravel(seconds), ub=limit)]
    found = milp(np.ravel(rises), constraints=rules, bounds=(0, 1), integrality=1)
    return [] if found.x is None else found.x.reshape(np.shape(rises)).argmax(axis=1).tolist()


RIGHT = {
    "01.q1": [lambda options: int(np.prod(options))],
    "01.q2": [reaches],
    "01.q3": [lambda i, o, k, h, w, groups: np.prod([k, k, i, o, h, w]) // groups],
    "02.q1": [lambda a, b: float(stats.kendalltau(a, b)[0])],
    "02.q2": [agreements],
    "02.q3": [rungs],
    "03.q1": [loss],
    "03.q2": [baselines],
    "03.q3": [regrets],
    "04.q1": [one_hot_sums],
    "04.q2": [of_made_up_images],
    "04.q3": [cut],
    "04.q4": [step_by_autograd],
    "05.q1": [mix],
    "05.q2": [two_inputs],
    "05.q3": [second_order, by_differences],
    "06.q1": [mbconv_as_it_runs],
    "06.q2": [scaled],
    "06.q3": [lambda channels, width: MBConvConfig.adjust_channels(channels, width)],
    "07.q1": [latency],
    "07.q2": [front],
    "07.q3": [expected],
    "08.q1": [main_effect],
    "08.q2": [swap_by_regression],
    "08.q3": [shapley_by_orders],
    "09.q1": [lambda train, test: sum(test.count(list(i)) for i in {*map(tuple, train)})],
    "09.q2": [brackets],
    "09.q3": [waiting],
    "10.q1": [attention_as_it_runs],
    "10.q2": [shared_places],
    "10.q3": [by_integer_program],
    "10.q4": [lambda w, b, x, n: np.pad(x, (0, len(w[0]) - len(x))) @ np.array(w).T[:, :n] + b[:n]],
}


def from_zero(rewards, decay):
    return signal.lfilter([1 - decay], [1, -decay], rewards)


def failure_is_zero(scores, best):
    return best - np.maximum.accumulate([0.0 if s is None else s for s in scores])


def a_zero_is_a_failure(scores, best):
    return regrets([score or None for score in scores], best)


def with_log(R, eta):
    return brackets(R, eta)[-1 - int(math.log(R, eta)) :]


def against_the_others(archs, scores, decision, option):
    has = np.array(archs)[:, decision] == option
    return np.mean(scores, where=has) - (np.mean(scores, where=~has) if not has.all() else 0)


def none_counts_for_the_strength(w):
    edges = np.sort(np.argsort(-np.array(w).max(axis=1))[:2])
    return [[int(e), int(np.argmax(w[e][1:])) + 1] for e in edges]


WRONG = [
    ("01.q1", sum),
    ("01.q1", lambda options: float(math.prod(options))),
    ("01.q2", lambda ops: ops[3] != "none"),
    ("01.q2", lambda ops: any(op != "none" for op in ops)),
    ("01.q2", lambda ops: 1),
    ("01.q2", lambda ops: any("none" not in path for path in (ops[3:4], ops[0:5:4], ops[1:6:4]))),
    ("01.q3", lambda i, o, k, h, w, groups: k * k * i * o * h * w),
    ("01.q3", lambda i, o, k, h, w, groups: 2 * k * k * i * o * h * w // groups),
    ("02.q1", lambda a, b: float(stats.spearmanr(a, b)[0])),
    ("02.q1", lambda a, b: float(stats.kendalltau(a, b)[0] > 0)),
    ("02.q2", lambda codes: (np.array(codes) @ np.array(codes).T).tolist()),
    ("02.q3", lambda *given: [[2 * n, epochs] for n, epochs in rungs(*given)]),
    ("03.q1", lambda log_p, rewards, baseline: -loss(log_p, rewards, baseline)),
    ("03.q1", lambda log_p, rewards, baseline: loss(log_p, rewards, baseline) * len(log_p)),
    ("03.q1", lambda log_p, rewards, baseline: loss(log_p, rewards, 0.0)),
    ("03.q2", lambda rewards, decay: np.cumsum(rewards) / np.arange(1, len(rewards) + 1)),
    ("03.q2", from_zero),
    ("03.q2", lambda rewards, decay: baselines(rewards, 1 - decay)),
    ("03.q3", lambda scores, best: [None if s is None else best - s for s in scores]),
    ("03.q3", failure_is_zero),
    ("03.q3", a_zero_is_a_failure),
    ("04.q1", lambda paths, options: np.array(paths).T.tolist()),
    ("04.q1", lambda paths, options: [np.bincount(column) for column in np.transpose(paths)]),
    ("04.q2", lambda m, v, n: [np.average(m, weights=n), np.average(v, weights=n)]),
    ("04.q2", lambda m, v, n: [np.mean(m), np.mean(np.add(v, np.square(m))) - np.mean(m) ** 2]),
    ("04.q3", lambda k, o, i, s: np.array(k)[:o, :i, :s, :s].tolist()),
    ("04.q3", lambda k, o, i, s: cut(np.swapaxes(k, 0, 1).tolist(), o, i, s).tolist()),
    ("04.q4", one_after_the_other),
    ("04.q4", lambda w, path, x, y, rate: step_by_autograd(w, path, x, y, rate / 2)),
    ("04.q4", lambda w, path, x, y, rate: step_by_autograd(w, path, x, y, -rate)),
    ("05.q1", lambda a, t, outputs: mix(a, 1.0, outputs)),
    ("05.q1", lambda a, t, outputs: outputs[int(np.argmax(a))]),
    ("05.q1", lambda a, t, outputs: mix(a, 1 / t, outputs)),
    ("05.q2", lambda w: [[e, int(np.argmax(w[e]))] for e in range(2)]),
    ("05.q2", lambda w: two_inputs([[0.0, *row[1:]] for row in w])[::-1]),
    ("05.q2", none_counts_for_the_strength),
    ("05.q3", lambda w, a, xi: w - xi * a * (a * w - 1) + a - 3),  # the first part alone
    ("05.q3", lambda w, a, xi: second_order(w, a, 0.0)),  # first order
    ("05.q3", lambda w, a, xi: second_order(w, a, -xi)),
    # all on the small image; no groups; a first convolution where there is none
    ("06.q1", lambda i, o, k, s, e, n: e * i * ((e > 1) * i + k * k + o) * (n // s) ** 2),
    (
        "06.q1",
        lambda i, o, k, s, e, n: (
            (e > 1) * e * i * i * n * n + e * i * (k * k * e * i + o) * (n // s) ** 2
        ),
    ),
    ("06.q1", lambda i, o, k, s, e, n: e * i * i * n * n + e * i * (k * k + o) * (n // s) ** 2),
    ("06.q2", lambda n, c, side, *rest: [*scaled(n, c, side, *rest)[:2], side]),
    ("06.q2", lambda n, c, side, phi, a, b: scaled(n, c, side, phi, a, b**2)),
    ("06.q2", lambda n, c, side, phi, a, b: scaled([k - 0.5 for k in n], c, side, phi, a, b)),
    ("06.q3", lambda channels, width: 8 * round(channels * width / 8)),
    ("06.q3", lambda channels, width: 8 * math.ceil(channels * width / 8)),
    ("06.q3", lambda channels, width: max(8, int(channels * width + 4) // 8 * 8)),
    ("07.q1", lambda m, b, p, w, o: sum(o + x / p + y / w for x, y in zip(m, b, strict=True))),
    ("07.q1", lambda m, b, p, w, o: o * len(m) + max(sum(m) / p, sum(b) / w)),
    ("07.q1", lambda m, b, p, w, o: o + latency(m, b, p, w, 0)),
    ("07.q2", lambda a, t: [i for i in range(len(a)) if a[i] == max(a) or t[i] == min(t)]),
    ("07.q2", lambda a, t: sorted({t.index(x) for x in t})),
    ("07.q3", lambda alpha, s, base: base + float((np.array(alpha) * np.array(s)).sum())),
    ("07.q3", lambda a, s, base: base + sum(r[np.argmax(x)] for x, r in zip(a, s, strict=True))),
    ("08.q1", against_the_others),
    ("08.q2", lambda f: [f[1][0] - f[0][0], f[1][1] - f[0][1] - f[1][0] + f[0][0]]),
    ("08.q2", lambda f: [(f[1][0] + f[1][1] - f[0][0] - f[0][1]) / 2, 0.0]),
    ("08.q3", lambda v: [v[1] - v[0], v[2] - v[0]]),
    ("08.q3", lambda v: [v[1] - v[0], v[3] - v[1]]),
    ("08.q3", lambda v: [v[3] - v[2], v[3] - v[1]]),
    ("09.q1", lambda train, test: sum(image in test for image in train)),
    ("09.q1", lambda train, test: len({*map(tuple, train)} & {*map(tuple, test)})),
    ("09.q2", lambda R, eta: brackets(R, eta)[::-1]),
    ("09.q2", with_log),
    ("09.q2", lambda R, eta: [[n, r * eta] for n, r in brackets(R, eta)]),
    ("09.q2", lambda R, eta: [[R // r, r] for _, r in brackets(R, eta)]),
    ("09.q3", lambda n, batch, workers, seconds: math.ceil(n / workers) * seconds),
    ("09.q3", lambda n, batch, workers, seconds: n * seconds / workers),
    ("09.q3", lambda n, b, workers, s: math.ceil(n / b) * math.ceil(b / workers) * s),
    ("10.q1", lambda n, width, h, d: 4 * n * width * h * d + n * n * h * d),
    ("10.q1", lambda n, width, h, d: 3 * n * width * h * d + 2 * n * n * h * d),
    ("10.q1", lambda n, width, h, d: 4 * n * width * h * d + 2 * n * h * d),
    ("10.q2", lambda first, second: min(sum(r * c for r, c in s) for s in (first, second))),
    ("10.q2", lambda a, b: sum(min(r * c, s * d) for (r, c), (s, d) in zip(a, b, strict=False))),
    ("10.q3", lambda rises, *_: [row.index(min(row)) for row in rises]),
    ("10.q3", lambda rises, seconds, limit: by_integer_program(rises, seconds, limit - 1)),
    ("10.q3", lambda rises, seconds, limit: [row.index(min(row)) for row in seconds]),
    ("10.q4", lambda w, b, x, n: (np.array(w)[-n:, : len(x)] @ x + b[:n]).tolist()),
    ("10.q4", lambda w, b, x, n: (np.array(w)[:n, -len(x) :] @ x + b[:n]).tolist()),
    ("10.q4", lambda w, b, x, n: (np.array(w)[:n, : len(x)] @ x).tolist()),
]


def test_every_exercise_is_here():
    assert list(RIGHT) == list(dict(WRONG)) == list(QUESTIONS)


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers_pass(name):
    for answer in [QUESTIONS[name].reference, *RIGHT[name]]:
        assert check(name, answer)


@pytest.mark.parametrize(("name", "wrong"), WRONG)
def test_usual_mistakes_are_told_apart(name, wrong):
    report = check(name, wrong)
    assert not report
    assert report.answered
    assert f"{wrong.__name__}(" in report.problem
    assert ("was expected" in report.problem) != (QUESTIONS[name].hint in report.problem)


def test_rankings_have_no_ties():
    for seed in range(300):
        for numbers in QUESTIONS["02.q1"].draw(np.random.default_rng(seed)):
            assert np.min(np.diff(np.sort(numbers))) > 1e-5
