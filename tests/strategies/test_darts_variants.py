"""Variants of DARTS: mixtures, latency, rules that stop, and the selection by perturbation."""

import math
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from torch import nn
from torch.nn import functional

from nas_lab.spaces import DARTS_V2, Skeleton, darts, mlp, nasbench201
from nas_lab.strategies import Darts, LatencyAwareDarts
from nas_lab.strategies import darts_variants as module
from nas_lab.strategies.darts import SHORT, Moment
from nas_lab.strategies.darts_variants import (
    CANDIDATES,
    AuxiliarySkipDarts,
    EdgeWeightDarts,
    GumbelDarts,
    HardGumbelDarts,
    MixedChain,
    MixedLayer,
    RisingCurvature,
    curvature,
    perturbation,
    times_log_latency,
    too_many_skips,
)
from nas_lab.training import Recipe, train
from tests.strategies.test_learners import DATA, SKELETON, SPACE, TABLE, equal, make, weights

SMALL = Skeleton(channels=2, cells=3, resolution=8, in_channels=1)
EXAMPLES = settings(max_examples=25, deadline=None)
SEEDS = st.integers(0, 10_000)
MOMENTS = st.builds(Moment, st.floats(0, 1), st.tuples(SEEDS, SEEDS))

# ---- mixtures ----------------------------------------------------------------------------------

CELLS = [nasbench201(), darts()]
KINDS = (Darts, GumbelDarts, HardGumbelDarts, AuxiliarySkipDarts, EdgeWeightDarts)
SKELETONS = {"nasbench201": SKELETON, "darts": SMALL}


@lru_cache
def made(kind, space):
    return kind(space, SKELETONS[space.name], DATA)


def drawn(kind, space, seed):
    """A search whose parameters are drawn, in float64."""
    search, rng = made(kind, space), np.random.default_rng(seed)
    for name, old in search.parameters.items():
        value = torch.from_numpy(rng.normal(size=old.shape))
        search.parameters[name] = value.requires_grad_()
    return search


def inner(search):
    alpha = search.parameters["alpha"].detach().numpy()
    return softmax(np.where(search.space.mask, alpha, -np.inf), axis=1)


@EXAMPLES
@given(st.sampled_from(CELLS), st.sampled_from(KINDS[:3]), SEEDS, MOMENTS)
def test_rows_sum_to_one_and_strengths_are_the_softmax(space, kind, seed, moment):
    search = drawn(kind, space, seed)
    w = search.mixture(moment).detach().numpy()
    assert (w >= 0).all()
    np.testing.assert_allclose(w.sum(axis=1), 1)
    np.testing.assert_allclose(search.strengths(), inner(search))
    if kind is Darts:
        assert np.array_equal(w, search.strengths())


@pytest.mark.parametrize("kind", [GumbelDarts, HardGumbelDarts])
def test_options_are_drawn_with_their_probabilities(kind):
    search, draws = drawn(kind, SPACE, 0), 2000
    counts = np.zeros(SPACE.mask.shape)
    for i in range(draws):
        w = search.mixture(Moment(0.95, (0, i))).detach().numpy()
        counts[np.arange(6), w.argmax(axis=1)] += 1
    expected = search.strengths()
    error = np.sqrt(expected * (1 - expected) / draws)
    assert (np.abs(counts / draws - expected) < 4 * error + 1e-9).all()


@EXAMPLES
@given(SEEDS, MOMENTS)
def test_a_hard_sample_is_one_hot_and_has_the_gradient_of_the_soft_one(seed, moment):
    searches = [drawn(kind, SPACE, seed) for kind in (GumbelDarts, HardGumbelDarts)]
    soft, hard = (search.mixture(moment) for search in searches)
    expected = np.eye(5)[soft.detach().numpy().argmax(axis=1)]
    assert (hard.detach().numpy() == expected).all()
    along = torch.from_numpy(np.random.default_rng(seed).normal(size=(6, 5)))
    slopes = [
        torch.autograd.grad(w, search.parameters["alpha"], along)[0]
        for w, search in zip((soft, hard), searches, strict=True)
    ]
    torch.testing.assert_close(*slopes)
    for search, sample in zip(searches, (soft, hard), strict=True):
        assert torch.equal(search.mixture(moment), sample), "the same seeds draw the same"
    other = Moment(moment.progress, (*moment.seeds, 1))
    assert not torch.equal(searches[0].mixture(other), soft)


def test_the_temperature_falls_in_a_straight_line():
    """Log-ratios of a row are (alpha + g) / temperature, with the same g at all moments."""
    search = drawn(GumbelDarts, SPACE, 0)
    w = [search.mixture(Moment(progress)).log().detach().numpy() for progress in (0.0, 0.25, 1.0)]
    ratios = [each[:, 0] - each[:, 1] for each in w]
    np.testing.assert_allclose(ratios[1] / ratios[0], 10 / 7.525)
    np.testing.assert_allclose(ratios[2] / ratios[0], 100)


@EXAMPLES
@given(st.sampled_from(CELLS), SEEDS, MOMENTS)
def test_the_auxiliary_skip_is_a_skip_more_and_fades(space, seed, moment):
    search = drawn(AuxiliarySkipDarts, space, seed)
    added = search.mixture(moment).detach().numpy() - inner(search)
    skips = [[op == "skip_connect" for op in decision.options] for decision in space.decisions]
    np.testing.assert_allclose(added, (1 - moment.progress) * np.array(skips), atol=1e-6)
    np.testing.assert_allclose(search.strengths(), inner(search))


@EXAMPLES
@given(st.sampled_from(CELLS), SEEDS, MOMENTS)
def test_edges_into_a_node_share_one(space, seed, moment):
    search = drawn(EdgeWeightDarts, space, seed)
    w = search.mixture(moment).detach().numpy()
    beta = search.parameters["beta"].detach().numpy()
    nodes = np.array([node for _, node in space.edges])
    for node in set(nodes):
        into = nodes == node
        np.testing.assert_allclose(w[into].sum(axis=1), softmax(beta[into]), rtol=1e-5)
    np.testing.assert_allclose(w / w.sum(axis=1, keepdims=True), inner(search), rtol=1e-5)
    np.testing.assert_array_equal(search.strengths(), w)


# ---- latency -----------------------------------------------------------------------------------


def for_a_device(**options):
    return LatencyAwareDarts(SPACE, SKELETON, DATA, **{"table": TABLE, "schedule": SHORT} | options)


MEAN = TABLE.base + TABLE.seconds.mean(axis=1).sum()


def test_the_trade_worked_by_hand():
    loss, latency = torch.tensor(0.5), torch.tensor(math.e**3 * 1e-6)
    assert float(times_log_latency(loss, latency, beta=2)) == pytest.approx(0.5 * 9)


def test_the_loss_is_the_trade_of_cross_entropy_and_latency():
    found, plain = for_a_device(), make("first order")
    assert TABLE.expected(found.strengths()) == pytest.approx(MEAN), "all options alike"
    batch = next(plain.train_batches)
    ratio = found.loss(batch) / plain.loss(batch)
    assert float(ratio.detach()) == pytest.approx(math.log(MEAN / 1e-6), rel=1e-5)


def test_without_weight_it_is_darts():
    free = for_a_device(trade=lambda loss, latency: loss, seed=3).fit(steps=4)
    plain = make("first order", seed=3).fit(steps=4)
    assert np.array_equal(free.alphas, plain.alphas)


def test_where_only_latency_counts_the_cheapest_options_win():
    found = for_a_device(trade=lambda loss, latency: loss + 1e9 * latency).fit(steps=30)
    assert TABLE(found.arch(keep_none=True)) == pytest.approx(TABLE.base)
    assert TABLE.expected(found.strengths()) < MEAN


def test_what_cannot_be_traded_is_refused():
    with pytest.raises(ValueError, match="fit one to architectures of the space"):
        LatencyAwareDarts(mlp(), SKELETON, DATA, table=TABLE)
    with pytest.raises(ValueError, match="worth more than 0"):
        for_a_device(trade=lambda loss, latency: loss - 1)


# ---- the lecture's form ------------------------------------------------------------------------

IMAGES = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@settings(max_examples=25, deadline=None)
@given(a=st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_a_layer_is_the_weighted_sum_of_its_candidates(a):
    layer = MixedLayer({"same": nn.Identity(), "steep": nn.LeakyReLU(2.0), "relu": nn.ReLU()})
    with torch.no_grad():
        layer.a[:] = torch.tensor(a)
    alpha = softmax(a)
    expected = torch.tensor([[alpha[0] * -2 + alpha[1] * -4, 3.0]], dtype=torch.float32)
    torch.testing.assert_close(layer(torch.tensor([[-2.0, 3.0]])), expected)
    assert layer.choice == ["same", "steep", "relu"][int(np.argmax(np.float32(a)))]


def test_choices_and_weights_are_learnt_together():
    net = MixedChain(layers=3, channels=4)
    np.testing.assert_allclose(net.alphas, np.full((3, len(CANDIDATES)), 1 / len(CANDIDATES)))
    curve = train(net, DATA, Recipe(epochs=2))
    assert curve.train_loss[1] < curve.train_loss[0]
    assert net.alphas.shape == (3, len(CANDIDATES))
    assert not np.allclose(net.alphas, 1 / len(CANDIDATES), atol=1e-3)
    np.testing.assert_allclose(net.alphas.sum(axis=1), 1, rtol=1e-5)


def test_the_discrete_network_runs_the_chosen_candidates():
    net = MixedChain(layers=2, channels=4)
    with torch.no_grad():
        net.layers[0].a[1] = 40.0  # so that the mixture is the choice, up to rounding
        net.layers[1].a[3] = 40.0
    assert net.choices == ["conv_3x3", "max_pool_3x3"]
    chosen = net.discrete()
    torch.testing.assert_close(chosen(IMAGES), net(IMAGES))
    before = net(IMAGES).detach()
    with torch.no_grad():
        for weight in chosen.parameters():
            weight.zero_()
    assert torch.equal(net(IMAGES), before)  # copies


def test_a_seed_of_a_chain_repeats_and_another_differs():
    one, same, other = (MixedChain(2, 4, seed=seed)(IMAGES) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


# ---- curvature ---------------------------------------------------------------------------------


def test_the_curvature_of_a_search():
    found = make("first order").fit(steps=5)
    found.net.double()
    val = found.halves()[1]
    images, labels = val.images[:32].double(), val.labels[:32]
    alpha = found.parameters["alpha"].detach().double()

    def loss(alpha):
        return functional.cross_entropy(found.net(images, alpha.softmax(dim=1)), labels)

    hessian = torch.autograd.functional.hessian(loss, alpha).reshape(30, 30).numpy()
    found.net.float()
    assert curvature(found) == pytest.approx(np.linalg.eigvalsh(hessian)[-1], rel=1e-2)


def test_measuring_changes_nothing():
    measured, other = make("first order"), make("first order").fit(steps=4)
    rule = RisingCurvature(every=1, window=9)
    assert not any(rule(measured) for _ in measured.train(steps=4))
    assert rule.steps == [1, 2, 3, 4]
    assert np.array_equal(measured.alphas, other.alphas)


# ---- rules -------------------------------------------------------------------------------------


def pretended(space, archs):
    """A search that would have given these architectures."""
    return SimpleNamespace(
        space=space,
        log=[SimpleNamespace(number=i + 1) for i in range(len(archs))],
        arch=lambda step=-1: archs[step],
    )


def test_too_many_skips_for_long_enough():
    stops = {
        (2, 2): False,
        (2, 2, 2): True,
        (2, 3, 1): False,
        (2, 1, 2, 2): False,
        (0, 2, 4, 6): True,
        (1, 1, 1, 1): False,
    }
    for counts, expected in stops.items():
        found = pretended(SPACE, [(1,) * n + (3,) * (6 - n) for n in counts])
        assert too_many_skips(found, limit=2, steps=3) == expected


def test_only_the_normal_cell_counts():
    arch = darts().decode(DARTS_V2)
    assert sum(op == "skip_connect" for op in arch.values()) == 5
    found = pretended(darts(), [DARTS_V2])
    assert [too_many_skips(found, limit, steps=1) for limit in (2, 3)] == [True, False]


@pytest.mark.parametrize(
    ("values", "stopped", "keep"),
    [
        ([1, 1, 1, 1, 1, 1], None, -1),
        ([1, 1, 1, 1.6, 1, 1], None, -1),  # of two and two: 1 / 1.3 is above 0.75
        ([1, 1, 1, 1.7, 9, 9], 12, 5),  # 1 / 1.35 is below it: back by two measurements
        ([9, 1, 1, 2, 2, 9], 15, 8),
    ],
)
def test_rising_curvature_worked_by_hand(monkeypatch, values, stopped, keep):
    rule, left = RisingCurvature(every=3, window=2, ratio=0.75), iter(values)
    monkeypatch.setattr(module, "curvature", lambda _: next(left))
    logs = ([SimpleNamespace(number=number)] for number in range(1, 19))
    found = next((log[0].number for log in logs if rule(SimpleNamespace(log=log))), None)
    assert (found, rule.keep) == (stopped, keep)
    assert rule.steps == list(range(3, (stopped or 18) + 1, 3))


# ---- perturbation ------------------------------------------------------------------------------


def test_perturbation_against_a_plain_loop():
    """Written out on plain numbers, in float32 as there; nothing is tuned."""
    found, rng = make("first order").fit(steps=4), np.random.default_rng(3)
    val, w = found.halves()[1], found.w[-1].tolist()
    images, labels = val.images[:20], val.labels[:20].tolist()

    def changed(row, values):
        return [values if i == row else list(old) for i, old in enumerate(w)]

    def right(row, values):
        with torch.no_grad():
            logits = found.net(images, torch.tensor(changed(row, values)))
        return sum(a == b for a, b in zip(logits.argmax(dim=1).tolist(), labels, strict=True))

    width = len(w[0])
    one_hot = [[float(k == token) for k in range(width)] for token in range(width)]
    for row in rng.permutation(len(w)).tolist():
        without = [[v * (k != t) for k, v in enumerate(w[row])] for t in range(width)]
        scores = [right(row, values) for values in without[1:]]
        w = changed(row, one_hot[1 + scores.index(min(scores))])
    expected = tuple(row.index(1.0) for row in w)
    assert perturbation(found, tune=0, images=20, seed=3) == expected


def test_perturbation_leaves_the_search_as_it_was_and_repeats():
    found = make("first order").fit(steps=4)
    before = weights(found)
    first, again = (perturbation(found, tune=2, images=20) for _ in range(2))
    assert first == again
    assert first in nasbench201()
    assert equal(before, weights(found))
