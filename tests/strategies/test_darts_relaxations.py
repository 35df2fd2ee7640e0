"""From parameters to w: rows, gradients, what is drawn, and which entries exist."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from nas_lab.nets import supernet
from nas_lab.spaces import Skeleton, conv_chain, darts, nasbench201
from nas_lab.strategies.darts import (
    AuxiliarySkip,
    EdgeNormalisation,
    Gumbel,
    HardGumbel,
    Moment,
    Softmax,
)

SPACES = [nasbench201(), darts(), conv_chain(3, skips=False)]
CELLS = SPACES[:2]
SIMPLE = [Softmax(), Softmax(0.1), Gumbel(), HardGumbel()]
EXAMPLES = settings(max_examples=25, deadline=None)
SEEDS = st.integers(0, 10_000)


def drawn(relaxation, space, seed):
    rng = np.random.default_rng(seed)
    return {
        name: torch.from_numpy(rng.normal(size=zeros.shape)).requires_grad_()
        for name, zeros in relaxation.parameters(space).items()
    }


def moments():
    return st.builds(Moment, st.floats(0, 1), st.tuples(SEEDS, SEEDS))


@EXAMPLES
@given(st.sampled_from(SPACES), st.sampled_from(SIMPLE), SEEDS, moments())
def test_rows_sum_to_one_where_options_exist(space, relaxation, seed, moment):
    parameters = drawn(relaxation, space, seed)
    for w in (relaxation(parameters, space, moment), relaxation.strengths(parameters, space)):
        w = w.detach().numpy()
        assert (w >= 0).all()
        assert (w[~space.mask] == 0).all()
        np.testing.assert_allclose(w.sum(axis=1), 1)


@EXAMPLES
@given(st.sampled_from(SPACES), SEEDS, st.floats(0.05, 20))
def test_softmax_is_scipys(space, seed, temperature):
    relaxation = Softmax(temperature)
    parameters = drawn(relaxation, space, seed)
    w = relaxation(parameters, space, Moment()).detach().numpy()
    for row, alpha, mask in zip(w, parameters["alpha"].detach().numpy(), space.mask, strict=True):
        np.testing.assert_allclose(row[mask], softmax(alpha[mask] / temperature))


@EXAMPLES
@given(st.sampled_from(SPACES), st.sampled_from(SIMPLE), SEEDS, moments())
def test_parameters_begin_equal(space, relaxation, seed, moment):
    w = relaxation.strengths(relaxation.parameters(space), space).numpy()
    for row, mask in zip(w, space.mask, strict=True):
        np.testing.assert_allclose(row[mask], 1 / mask.sum())


@pytest.mark.parametrize("relaxation", [Gumbel(1.0, 0.5), HardGumbel(1.0, 0.5)])
def test_options_are_drawn_with_their_probabilities(relaxation):
    space = nasbench201()
    parameters = drawn(relaxation, space, 0)
    counts = np.zeros(space.mask.shape)
    draws = 2000
    for i in range(draws):
        w = relaxation(parameters, space, Moment(0.5, (0, i))).detach().numpy()
        counts[np.arange(6), w.argmax(axis=1)] += 1
    expected = relaxation.strengths(parameters, space).detach().numpy()
    error = np.sqrt(expected * (1 - expected) / draws)
    assert (np.abs(counts / draws - expected) < 4 * error + 1e-9).all()


@EXAMPLES
@given(st.sampled_from(SPACES), SEEDS, moments())
def test_the_same_seeds_draw_the_same(space, seed, moment):
    for relaxation in (Gumbel(), HardGumbel()):
        parameters = drawn(relaxation, space, seed)
        first, again = (relaxation(parameters, space, moment) for _ in range(2))
        assert torch.equal(first, again)
    parameters = drawn(Gumbel(), space, seed)
    other = Moment(moment.progress, (*moment.seeds, 1))
    assert not torch.equal(Gumbel()(parameters, space, moment), Gumbel()(parameters, space, other))


@EXAMPLES
@given(SEEDS, moments())
def test_a_hard_sample_is_one_hot_and_has_the_gradient_of_the_soft_one(seed, moment):
    space = nasbench201()
    parameters = drawn(Gumbel(), space, seed)
    soft, hard = (kind()(parameters, space, moment) for kind in (Gumbel, HardGumbel))
    expected = np.eye(5)[soft.detach().numpy().argmax(axis=1)]
    assert (hard.detach().numpy() == expected).all()
    along = torch.from_numpy(np.random.default_rng(seed).normal(size=(6, 5)))
    slopes = [torch.autograd.grad(w, parameters["alpha"], along)[0] for w in (soft, hard)]
    torch.testing.assert_close(*slopes)


def test_the_temperature_falls_in_a_straight_line():
    assert [Gumbel(8, 2).temperature(p) for p in (0, 0.25, 1)] == pytest.approx([8, 6.5, 2])
    parameters = drawn(Gumbel(), nasbench201(), 0)
    sharpest = [Gumbel()(parameters, nasbench201(), Moment(p)).max() for p in (0.0, 0.5, 1.0)]
    assert sharpest == sorted(sharpest)


@EXAMPLES
@given(st.sampled_from(CELLS), SEEDS, moments())
def test_the_auxiliary_skip_is_a_skip_more_and_fades(space, seed, moment):
    relaxation = AuxiliarySkip(Softmax(), first=0.5)
    parameters = drawn(relaxation, space, seed)
    inner = Softmax()(parameters, space, moment)
    added = (relaxation(parameters, space, moment) - inner).detach().numpy()
    for row, decision in zip(added, space.decisions, strict=True):
        for value, option in zip(row, decision.options, strict=True):
            beta = 0.5 * (1 - moment.progress) if option == "skip_connect" else 0
            assert value == pytest.approx(beta, abs=1e-12)
    assert torch.equal(relaxation.strengths(parameters, space), inner)


def test_two_skips_are_one_with_both_weights():
    """Written out: the network's node plus beta times its input, on a cell of one edge."""
    space = nasbench201()
    net = supernet(space, Skeleton(4, 1, 1, resolution=6, in_channels=1)).double()
    x = torch.randn(3, 4, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    parameters = drawn(Softmax(), space, 0)
    with torch.no_grad():
        for row in (0, 1, 2, 4, 5):
            parameters["alpha"][row] = torch.tensor([1e3, 0.0, 0.0, 0.0, 0.0])  # 'none'
        plain = Softmax()(parameters, space, Moment())
        alone = AuxiliarySkip(first=0.7)(parameters, space, Moment())
        alone[[0, 1, 2, 4, 5]] = plain[[0, 1, 2, 4, 5]]
        (cell,) = net.stages[0]
        outputs = [cell(x, net.rows(w)) for w in (plain, alone)]
    torch.testing.assert_close(outputs[1], outputs[0] + 0.7 * x)


@EXAMPLES
@given(st.sampled_from(CELLS), SEEDS, moments())
def test_edges_into_a_node_share_one(space, seed, moment):
    relaxation = EdgeNormalisation()
    parameters = drawn(relaxation, space, seed)
    w = relaxation(parameters, space, moment).detach().numpy()
    beta = parameters["beta"].detach().numpy()
    groups = {}
    for i, decision in enumerate(space.decisions):  # edge_01, normal_0_2
        cell, *nodes = decision.name.split("_")
        groups.setdefault((cell, nodes[-1][-1]), []).append(i)
    for edges in groups.values():
        np.testing.assert_allclose(w[edges].sum(axis=1), softmax(beta[edges]))
    inner = Softmax()(parameters, space, moment).detach().numpy()
    np.testing.assert_allclose(w / w.sum(axis=1, keepdims=True), inner)


def test_relaxations_can_be_put_into_each_other():
    space = nasbench201()
    relaxation = EdgeNormalisation(AuxiliarySkip(HardGumbel()))
    parameters = drawn(relaxation, space, 0)
    w = relaxation(parameters, space, Moment())
    by = torch.autograd.grad(w.square().sum(), list(parameters.values()))
    assert set(parameters) == {"alpha", "beta"}
    assert all(slope.abs().sum() > 0 for slope in by)


def test_what_makes_no_sense_is_refused():
    for bad in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="temperature"):
            Softmax(bad)
        with pytest.raises(ValueError, match="temperature"):
            Gumbel(1.0, bad)
    with pytest.raises(ValueError, match="first"):
        AuxiliarySkip(first=-1)
    with pytest.raises(ValueError, match="no skip_connect"):
        AuxiliarySkip().parameters(conv_chain(3, skips=False))
    with pytest.raises(TypeError, match="no edges of a cell"):
        EdgeNormalisation().parameters(conv_chain(3, skips=False))
