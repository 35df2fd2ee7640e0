"""Homework: right answers that are written differently earn all points, whatever type they give."""

import json
import math
from itertools import product
from statistics import fmean, stdev, variance

import networkx as nx
import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from scipy.stats import entropy
from torch.autograd import forward_ad

from nas_lab.homework import check
from nas_lab.homework.grading.grade import Sheet
from nas_lab.homework.homeworks import QUESTIONS
from nas_lab.homework.homeworks.hw1 import EDGES, OPERATIONS, _canonical

# ---- homework 1


def graph(ops):
    """The live part of a cell, as networkx finds it."""
    whole, alive = nx.DiGraph(), nx.DiGraph()
    for g in (whole, alive):
        g.add_nodes_from(range(4))
    whole.add_edges_from((*edge, {"op": op}) for op, edge in zip(ops, EDGES, strict=True))
    whole.remove_edges_from([(a, b) for a, b, op in whole.edges.data("op") if op == "none"])
    for path in nx.all_simple_paths(whole, 0, 3):
        alive.add_edges_from((a, b, whole[a][b]) for a, b in nx.utils.pairwise(path))
    return alive


def canonical_by_search(ops):
    """The first of all cells with the same live graph, by brute force over node orders."""
    alive, found = graph(ops), []
    for order in ([0, 1, 2, 3], [0, 2, 1, 3]):
        moved = nx.relabel_nodes(alive, dict(enumerate(order)))
        if all(edge in EDGES for edge in moved.edges):
            found.append([moved.edges[e]["op"] if e in moved.edges else "none" for e in EDGES])
    return np.array(min(found))


def cost_by_torch(c_in, c_out, kernel, stride, groups, side):
    layer = torch.nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups)
    image = layer(torch.zeros(1, c_in, side, side))
    return [sum(p.numel() for p in layer.parameters()), layer.weight[0].numel() * image.numel()]


def parse_by_count(text):
    tokens = text.replace("+", "").strip("|").replace("||", "|").split("|")
    places = [(a, b) for b in range(1, 6) for a in range(b)]
    return [(a, b, t.split("~")[0]) for (a, b), t in zip(places, tokens, strict=False)]


def macs_by_kernels(ops, channels, side):
    kernels = [int(op[-1]) for _, _, op in graph(ops).edges.data("op") if op.startswith("conv")]
    return np.int64(np.square(kernels).sum()) * (channels * side) ** 2


# ---- homework 2


def tau_by_matrix(a, b):
    x, y = (np.sign(np.subtract.outer(v, v)) for v in (a, b))
    return (x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum())


def halving_by_recursion(curves, eta, epochs=1, alive=None, paid=0):
    alive = list(range(len(curves))) if alive is None else alive
    spent = len(alive) * (epochs - paid)
    if len(alive) == 1:
        return alive[0], spent
    best = sorted(alive, key=lambda i: -curves[i][epochs - 1])[: len(alive) // eta]
    chosen, more = halving_by_recursion(curves, eta, epochs * eta, best, epochs)
    return chosen, spent + more


def ridge_by_least_squares(x, y, penalty, new):
    """Penalty as further rows of data."""
    x, y = np.array(x), np.array(y)
    rows = np.vstack([x - x.mean(0), np.sqrt(penalty) * np.eye(x.shape[1])])
    beta = np.linalg.lstsq(rows, [*(y - y.mean()), *np.zeros(x.shape[1])], rcond=None)[0]
    return [float((np.array(row) - x.mean(0)) @ beta + y.mean()) for row in new]


def bill_by_recursion(epochs, eta):
    def spent(n, begin, left):
        end = epochs // eta**left
        return n * (end - begin) + (spent(n // eta, end, left - 1) if left else 0)

    powers = [s for s in range(10) if eta**s <= epochs]
    starts = {s: (len(powers) * eta**s + s) // (s + 1) for s in powers}
    return np.array([[starts[s], spent(starts[s], 0, s)] for s in powers[::-1]])


# ---- homework 3


def sample_by_torch(logits, uniforms):
    reached = torch.tensor(logits).double().softmax(1).cumsum(1)
    u = torch.tensor(uniforms).double()[:, None]
    return torch.searchsorted(reached, u, right=True).squeeze(1).clamp(max=len(logits[0]) - 1)


def advantages_by_differences(rewards, decay):
    """a(t + 1) = decay * a(t) + the change of the reward."""
    found = [0]
    for change in np.diff(rewards):
        found.append(decay * found[-1] + change)
    return np.array(found)


def loss_by_distribution(logits, archs, rewards, baseline):
    log_p = torch.distributions.Categorical(logits=logits).log_prob(archs).sum(-1)
    return -torch.dot(rewards - baseline, log_p).reshape(1) / len(archs)


def step_by_differences(logits, archs, rewards, baseline, rate):
    """Central differences of the loss, entry by entry."""
    theta = torch.tensor(logits).double()
    given = torch.tensor(archs), torch.tensor(rewards).double(), baseline
    entries = torch.eye(theta.numel(), dtype=torch.float64).reshape(-1, *theta.shape) * 1e-5
    ends = [[loss_by_distribution(theta + s * e, *given) for e in entries] for s in (1, -1)]
    return theta - rate * ((torch.cat(ends[0]) - torch.cat(ends[1])) / 2e-5).reshape(theta.shape)


def step_by_autograd(logits, archs, rewards, baseline, rate):
    theta = torch.tensor(logits).double().requires_grad_()
    given = torch.tensor(archs), torch.tensor(rewards).double(), baseline
    loss_by_distribution(theta, *given).backward()
    return (theta - rate * theta.grad).detach()


def step_by_dual_numbers(logits, *_):
    theta = torch.tensor(logits).double()
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(forward_ad.make_dual(theta, theta).sum()).tangent


# ---- homework 4


def edge_by_places(x, weights, operations):
    return torch.tensor(sum(weights[i] * operations[i](x) for i in np.flatnonzero(weights)))


def slice_by_padding(weight, out, inner, kernel):
    rim = (weight.shape[3] - kernel) // 2
    return torch.nn.functional.pad(torch.tensor(weight), [-rim] * 4)[:out, :inner]


def statistics_by_merging(batches):
    """Chan's rule for merging means and squares, batch by batch."""
    n, mean, squares = 0, 0.0, 0.0
    for batch in map(np.array, batches):
        m, more = len(batch), batch.mean(axis=0)
        squares = squares + batch.var(axis=0) * m + (more - mean) ** 2 * n * m / (n + m)
        mean, n = mean + (more - mean) * m / (n + m), n + m
    return mean.tolist(), (squares / n).tolist()


def losses_by_torch(logits, label):
    """By torch's loss, whose targets are a class or probabilities."""
    outputs = torch.tensor(logits, dtype=torch.float64)
    told = outputs[:1].softmax(dim=1).expand(len(outputs) - 1, -1)
    first = torch.nn.functional.cross_entropy(outputs[:1], torch.tensor([label]))
    others = torch.nn.functional.cross_entropy(outputs[1:], told, reduction="none")
    return torch.cat([first[None], others])


# ---- homework 5

CHOICES = ["none", "skip", "sep_conv_3x3", "max_pool_3x3"]
INTO = [(a, b) for b in (2, 3, 4) for a in range(b)]


def mix_by_einsum(x, alphas, operations):
    outputs = torch.stack([operation(x) for operation in operations], dim=-1)
    return torch.einsum("...k,k->...", outputs, alphas.softmax(-1))


def bilevel_by_hessian(w, alpha, train, valid, rate):
    """Equation 7 of the paper: the direct part, minus the rate times a mixed Hessian."""
    stepped = (w - rate * torch.autograd.grad(train(w, alpha), w)[0]).detach().requires_grad_()
    v, direct = torch.autograd.grad(valid(stepped, alpha), (stepped, alpha))
    mixed = torch.autograd.functional.hessian(train, (w.detach(), alpha.detach()))[1][0]
    return direct - rate * mixed @ v


def bilevel_by_func(w, alpha, train, valid, rate):
    def objective(a):
        return valid(w.detach() - rate * torch.func.grad(train)(w.detach(), a), a)

    return torch.func.grad(objective)(alpha.detach())


def hessian_by_torch(gradient_at, w, v, c):
    epsilon = c / float(torch.linalg.vector_norm(torch.tensor(v)))
    ends = [torch.tensor(gradient_at(w + sign * epsilon * v)) for sign in (1, -1)]
    return (ends[0] - ends[1]).div(2 * epsilon)


def genotype_by_removal(weights):
    left = {e: dict(zip(CHOICES[1:], row[1:], strict=True)) for e, row in zip(INTO, weights)}  # noqa: B905
    for node in (2, 3, 4):
        while sum(e[1] == node for e in left) > 2:
            into = [e for e in left if e[1] == node]
            del left[min(into, key=lambda e: max(left[e].values()))]
    return [[*e, max(ops, key=ops.get)] for e, ops in left.items()]


# ---- homework 6


def width_by_candidates(channels, factor, divisor):
    wanted = channels * factor
    nearest = min(range(divisor, 9999, divisor), key=lambda m: (abs(m - wanted), -m))
    return nearest if nearest >= 0.9 * wanted else nearest + divisor


def compound_by_numpy(stages, resolution, phi, alpha, beta, gamma):
    depth, width = np.array(stages).T
    depths = np.ceil(np.round(depth * alpha**phi, 9)).astype(int)
    widths = [width_by_candidates(w, round(beta**phi, 9), 8) for w in width.tolist()]
    return [np.stack([depths, widths], axis=1), int(np.rint(resolution * gamma**phi))]


def front_by_numpy(points):
    p = np.array(points)
    beats = (p[:, None] <= p).all(axis=2) & (p[:, None] < p).any(axis=2)
    return np.flatnonzero(~beats.any(axis=0))


def objective_by_loop(losses, latencies, beta):
    values = [loss * math.log(t) ** beta for loss, t in zip(losses, latencies, strict=True)]
    return values.index(min(values)), values


def shares_by_regression(scores):
    """Determination of a least-squares fit with an indicator for each value of a factor."""
    values = np.array(scores)
    y = (values - values.mean()).ravel()
    found = []
    for places in np.indices(values.shape).reshape(3, -1):
        x = np.eye(places.max() + 1)[places]
        fitted = x @ np.linalg.lstsq(x, y, rcond=None)[0]
        found.append(1 - ((y - fitted) ** 2).sum() / (y**2).sum())
    return np.array([*found, 1 - np.sum(found)])


RIGHT = [
    ("hw1.q1", lambda n, k: np.prod([k] * (n * (n - 1) // 2), dtype=object)),
    ("hw1.q1", lambda n, k: pow(k, sum(range(n)))),
    ("hw1.q2", parse_by_count),
    ("hw1.q3", cost_by_torch),
    ("hw1.q4", lambda ops: [edge for edge in EDGES if edge in graph(ops).edges]),
    ("hw1.q5", canonical_by_search),
    ("hw1.q6", macs_by_kernels),
    ("hw2.q1", lambda scores: torch.tensor(scores).double().cummax(0).values),
    ("hw2.q2", lambda e, t: np.max(t) - np.array(t)[np.argsort(e)[-1]]),
    ("hw2.q2", lambda e, t: max(t) - max(zip(e, t, strict=True))[1]),
    ("hw2.q3", tau_by_matrix),
    ("hw2.q4", lambda e, t, k: np.isin(np.argsort(e)[::-1][:k], np.argsort(t)[::-1][:k]).mean()),
    ("hw2.q5", halving_by_recursion),
    ("hw2.q6", ridge_by_least_squares),
    ("hw2.q7", lambda s: (fmean(map(variance, s)) ** 0.5, stdev(map(fmean, s)))),
    ("hw2.q8", bill_by_recursion),
    ("hw3.q1", lambda logits, a: torch.distributions.Categorical(logits=logits).log_prob(a).sum()),
    ("hw3.q1", lambda logits, a: float(log_softmax(logits.numpy(), 1)[range(len(a)), a].sum())),
    ("hw3.q2", sample_by_torch),
    ("hw3.q3", advantages_by_differences),
    ("hw3.q4", loss_by_distribution),
    ("hw3.q5", lambda logits: entropy(softmax(logits, axis=1), axis=1).sum()),
    ("hw3.q6", step_by_differences),
    ("hw4.q1", lambda uniforms, options: np.floor(np.multiply(uniforms, options)).astype(int)),
    ("hw4.q2", edge_by_places),
    ("hw4.q3", lambda orders: [[order[i] for order in orders] for i in range(len(orders[0]))]),
    ("hw4.q3", lambda orders: torch.tensor(orders).t()),
    ("hw4.q4", lambda p, options: torch.nn.functional.one_hot(torch.tensor(p), options).sum(0)),
    ("hw4.q4", lambda p, options: [np.bincount(d, minlength=options) for d in np.transpose(p)]),
    ("hw4.q5", slice_by_padding),
    ("hw4.q6", statistics_by_merging),
    ("hw4.q7", losses_by_torch),
    ("hw5.q1", lambda alphas: torch.tensor(alphas).double().softmax(dim=-1)),
    ("hw5.q2", mix_by_einsum),
    ("hw5.q3", bilevel_by_hessian),
    ("hw5.q3", bilevel_by_func),
    ("hw5.q4", hessian_by_torch),
    ("hw5.q5", lambda w: np.array(CHOICES)[np.argmax(np.array(w) * [0, 1, 1, 1], axis=1)]),
    ("hw5.q6", genotype_by_removal),
    ("hw6.q1", lambda a, b, target: np.exp((np.log(target) - np.log(a) - 2 * np.log(b)) / 2)),
    ("hw6.q1", lambda a, b, target: torch.tensor(target / (a * b**2)).double().sqrt()),
    ("hw6.q2", width_by_candidates),
    ("hw6.q3", compound_by_numpy),
    ("hw6.q4", lambda layers, peak, b: sum(m / min(peak, b * m / size) for m, size in layers)),
    ("hw6.q5", front_by_numpy),
    ("hw6.q6", objective_by_loop),
    ("hw6.q7", shares_by_regression),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_right_answers_written_differently_are_right(name, answer):
    assert check(name, answer)
    sheet = Sheet.draw(QUESTIONS[name], b"a secret of this test")
    got = [sheet.question.drive(answer, *json.loads(case)) for case in sheet.inputs]
    assert all(sheet.agrees(json.loads(json.dumps(got))))


def test_a_step_without_autograd_is_without_autograd():
    kinds = (torch.func.grad, torch.func.jacrev, torch.func.jacfwd, torch.func.hessian)
    answers = [lambda logits, *_, by=by: by(torch.sum)(torch.tensor(logits)) for by in kinds]
    ways = (lambda step: step, torch.enable_grad(), torch.inference_mode(False))
    answers += [way(step_by_autograd) for way in ways]
    answers += [
        step_by_dual_numbers,
        lambda x, *_: torch.func.jvp(torch.sum, *[(torch.tensor(x),)] * 2),
    ]
    for answer in answers:
        assert "autograd is switched off here" in repr(check("hw3.q6", answer))


def test_a_logarithm_that_is_rounded_is_found_out():
    """math.log(243, 3) is 4.999999999999999."""

    def with_log(epochs, eta):
        return bill_by_recursion(epochs, eta)[-1 - int(math.log(epochs, eta)) :].tolist()

    assert not check("hw2.q8", with_log)


def test_every_question_has_another_right_answer():
    assert {name for name, _ in RIGHT} == {q.name for q in QUESTIONS.values() if q.reference}


def test_equal_networks_are_those_with_the_same_canonical_form():
    """On a thinned space, against networkx' isomorphism that keeps input and output."""
    first = {}
    for ops in [*product(["none", "skip", "conv_1x1"], repeat=6)][::5]:
        form = tuple(_canonical(list(ops)))
        assert same(graph(ops), graph(first.setdefault(form, ops)))
    unlike = [graph(ops) for ops in first.values()][:60]
    for i, one in enumerate(unlike):
        assert not any(same(one, other) for other in unlike[:i])


def same(one, other):
    for g in (one, other):
        nx.set_node_attributes(g, {0: "input", 1: "", 2: "", 3: "output"}, "role")
    match = nx.isomorphism.categorical_node_match("role", "")
    edges = nx.isomorphism.categorical_edge_match("op", "")
    return nx.is_isomorphic(one, other, node_match=match, edge_match=edges)


def test_the_operations_are_those_of_the_notebook():
    assert sorted(OPERATIONS) == list(OPERATIONS)
