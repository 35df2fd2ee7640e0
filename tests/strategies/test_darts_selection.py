"""From w to an architecture: by strength, and by perturbation."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_lab.data import FashionMNIST
from nas_lab.nets import supernet
from nas_lab.spaces import DARTS_V1, DARTS_V2, Skeleton, conv_chain, darts, nasbench201
from nas_lab.strategies import Darts
from nas_lab.strategies.darts import SHORT, EdgeNormalisation, Perturbation, strongest

EXAMPLES = settings(max_examples=25, deadline=None)
DATA = FashionMNIST(8, 32, images=400)
SKELETONS = {
    "nasbench201": Skeleton(channels=4, cells=1, stages=1, resolution=8, in_channels=1),
    "darts": Skeleton(channels=2, cells=3, resolution=8, in_channels=1),
}


def probabilities(space, seed):
    w = np.random.default_rng(seed).random(space.mask.shape) * space.mask
    return w / w.sum(axis=1, keepdims=True)


def best_genotype(space, w):
    """Of all pairs of edges and operations of every node, the one with the largest sum."""
    names = [decision.name for decision in space.decisions]
    genotype = {"normal": [], "reduce": []}
    for cell, chosen in genotype.items():
        for node in (2, 3, 4, 5):
            choices = [
                (w[names.index(f"{cell}_{source}_{node}"), k], op, source)
                for source in range(node)
                for k, op in enumerate(space.decisions[0].options)
                if op != "none"
            ]
            pairs = (p for p in itertools.combinations(choices, 2) if p[0][2] != p[1][2])
            best = max(pairs, key=lambda pair: pair[0][0] + pair[1][0])
            chosen += [(op, source) for _, op, source in best]
    return space.from_genotype(**genotype)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_genotype_is_the_best_of_all_pairs(seed):
    w = probabilities(darts(), seed)
    assert strongest(darts(), w) == best_genotype(darts(), w)


@EXAMPLES
@given(seed=st.integers(0, 10_000))
def test_elsewhere_each_decision_has_its_argmax(seed):
    for space in (nasbench201(), conv_chain(3, skips=False)):
        w = probabilities(space, seed)
        expected = [
            max(range(len(d.options)), key=lambda k, row=row: row[k])
            for row, d in zip(w, space.decisions, strict=True)
        ]
        assert strongest(space, w) == tuple(expected)


@EXAMPLES
@given(seed=st.integers(0, 10_000))
def test_what_is_one_hot_comes_back(seed):
    for space in (nasbench201(), darts(), conv_chain(3, skips=False)):
        arch = space.sample(np.random.default_rng(seed))
        assert strongest(space, space.one_hot(arch)) == arch
    for arch in (DARTS_V1, DARTS_V2):
        assert strongest(darts(), darts().one_hot(arch)) == arch


def test_none_may_win_on_the_cell_of_nas_bench_201_only():
    for space, wins in ((nasbench201(), True), (darts(), False)):
        w = np.full(space.mask.shape, 0.1)
        w[:, 0] = 0.9
        arch = strongest(space, w)
        assert ("none" in {space.decisions[0].options[t] for t in arch[:2]}) == wins


def test_an_edges_weight_decides_between_edges():
    """Two inputs of node 5 are raised by beta, though all rows of alpha are equal."""
    space, relaxation = darts(), EdgeNormalisation()
    parameters = relaxation.parameters(space)
    names = [decision.name for decision in space.decisions]
    for name in ("normal_1_5", "normal_4_5"):
        parameters["beta"][names.index(name)] = 1.0
    chosen = space.decode(strongest(space, relaxation.strengths(parameters, space).numpy()))
    inputs = [n for n, op in chosen.items() if n.startswith("normal_") and n.endswith("5")]
    assert [n for n in inputs if chosen[n] != "none"] == ["normal_1_5", "normal_4_5"]


def test_w_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="takes w of shape"):
        strongest(darts(), np.zeros((6, 5)))


# ---- perturbation ------------------------------------------------------------------------------


def searched(space):
    return Darts(space, SKELETONS[space.name], DATA, schedule=SHORT).fit(steps=4)


@pytest.mark.parametrize("space", [nasbench201(), darts()])
def test_perturbation_against_a_plain_loop(space):
    """Written out on dictionaries and plain numbers, in float32 as there; nothing is tuned."""
    found = searched(space)
    _, val = found.halves()
    images, labels = val.images[:20], val.labels[:20]
    rng = np.random.default_rng(3)
    w = found.w[-1].tolist()
    cell = space.name == "darts"

    def right(w):
        with torch.no_grad():
            logits = found.net(images, torch.tensor(w))
        return sum(int(a) == int(b) for a, b in zip(logits.argmax(dim=1), labels, strict=True))

    def changed(row, values):
        return [values if i == row else list(old) for i, old in enumerate(w)]

    width = len(w[0])
    for row in rng.permutation(len(w)).tolist():
        scores = {}
        for token in range(1 if cell else 0, width):
            values = [0.0 if k == token else v for k, v in enumerate(w[row])]
            scores[token] = right(changed(row, values))
        lowest = min(scores.values())
        chosen = next(token for token, score in scores.items() if score == lowest)
        w = changed(row, [float(k == chosen) for k in range(width)])
    if cell:
        nodes = [[i for i, d in enumerate(space.decisions) if d.name[0] == c and d.name[-1] == n]
                 for c in "nr" for n in "2345"]  # fmt: skip
        none = [1.0] + [0.0] * (width - 1)
        for node in rng.permutation(8).tolist():
            scores = sorted((right(changed(edge, none)), edge) for edge in nodes[node])
            for _, edge in scores[2:]:
                w = changed(edge, none)
    expected = tuple(row.index(1.0) for row in w)
    assert Perturbation(tune=0, images=20, seed=3)(found) == expected


def test_perturbation_leaves_the_search_as_it_was_and_repeats():
    found = searched(nasbench201())
    before = [p.detach().clone() for p in found.net.parameters()]
    alphas = found.alphas
    first, again = (Perturbation(tune=2, images=20)(found) for _ in range(2))
    assert first == again
    assert first in nasbench201()
    assert all(torch.equal(a, b) for a, b in zip(before, found.net.parameters(), strict=True))
    assert np.array_equal(alphas, found.alphas)


def test_perturbation_keeps_what_the_network_cannot_do_without():
    """Where only edge 0-3 is alive, and only through one operation, that one stays."""
    space = nasbench201()
    found = searched(space)
    found.net = supernet(space, SKELETONS[space.name], seed=1)
    with torch.no_grad():
        found.parameters["alpha"][:] = torch.tensor([12.0, -12.0, -12.0, -12.0, -12.0])
        found.parameters["alpha"][3] = torch.tensor([-30.0, -30.0, -30.0, 12.0, -30.0])
    images, labels = (t[:100] for t in (found.halves()[0].images, found.halves()[0].labels))
    optimiser = torch.optim.Adam(found.net.parameters(), 0.02)
    for _ in range(40):
        optimiser.zero_grad()
        w = torch.from_numpy(found.strengths())
        torch.nn.functional.cross_entropy(found.net(images, w), labels).backward()
        optimiser.step()
    assert Perturbation(tune=0)(found)[3] == 3


def test_bad_numbers_are_refused():
    for name, bad in (("tune", -1), ("images", 0), ("seed", -1)):
        with pytest.raises(ValueError, match=name):
            Perturbation(**{name: bad})
