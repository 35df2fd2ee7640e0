"""Matrices show the numbers they are given, each in its place and as full as it is large."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from nas_lab import nets, plots, spaces
from tests.plots.readable import frames, overlaps, said, texts

CELL = spaces.nasbench201()
OTHERS = [spaces.conv_chain(4), spaces.conv_chain(8), spaces.mlp(), spaces.rnn(), spaces.mobile()]


def test_w_of_an_architecture_has_a_one_in_each_row():
    ax = plots.one_hot(CELL, (3, 1, 2, 0, 4, 1))
    (zeros,) = ax.lines
    assert (texts(ax).count("1"), len(zeros.get_xdata())) == (6, 24)
    assert set(CELL.labels) < set(texts(ax))


def test_w_shows_probabilities():
    w = np.full((6, 5), 0.2)
    w[0] = [0.5, 0.25, 0.25, 0, 0]
    ax = plots.one_hot(CELL, w)
    assert (texts(ax).count("0.20"), texts(ax).count("0.25")) == (25, 2)
    assert len(ax.lines[0].get_xdata()) == 2
    with pytest.raises(ValueError, match=r"shape \(6, 5\).*\(5, 6\)"):
        plots.one_hot(CELL, w.T)


def test_w_names_options_where_decisions_differ_and_leaves_out_what_does_not_exist():
    space = spaces.mobile(1)
    options = [str(option) for decision in space.decisions for option in decision.options]
    assert texts(plots.one_hot(space, (1, 2, 0, 1, 1)))[: len(options)] == options
    soft = plots.one_hot(space, space.mask / space.mask.sum(1, keepdims=True))
    assert "mobilenet: 0.50" in texts(soft)


@pytest.mark.parametrize("space", [CELL, *OTHERS], ids=lambda s: f"{s.name}-{len(s.decisions)}")
def test_w_is_readable(space):
    arch = space.sample(np.random.default_rng(3))
    for w in (arch, space.mask / space.mask.sum(axis=1, keepdims=True)):
        assert overlaps(frames(plots.one_hot(space, w))) == []


SLICED = spaces.transformer((1, 2), (8, 16), (1, 2), (1, 3))


@pytest.mark.parametrize("arch", [(0, 0, 0, 0), (0, 1, 1, 0), (1, 0, 1, 1), (1, 1, 1, 1)])
def test_slices_are_as_large_as_those_of_the_supernet(arch):
    frame = spaces.Skeleton(resolution=12, in_channels=1)
    ax = plt.figure(figsize=(5.6, 3.5)).add_axes((0, 0, 1, 1))
    plots.SliceMatrices(ax, SLICED, frame).update(arch)
    whole, lit = ([path.vertices for path in c.get_paths()] for c in ax.collections)
    net, areas, numbers = nets.supernet(SLICED, frame), [], []
    for drawn, known in ((lit, net.weights(arch)), (whole, net.weights(SLICED.largest))):
        areas.append(sum(np.ptp(corners, axis=0).prod() for corners in drawn))
        numbers.append(sum(weight.numel() for weight in known.values() if weight.dim() > 1))
    assert areas[0] / areas[1] == pytest.approx(numbers[0] / numbers[1])
    ends = [(w.min(axis=0) - 1e-9, w.max(axis=0) + 1e-9) for w in whole]
    inside = [[np.all((low < piece) & (piece < high)) for low, high in ends] for piece in lit]
    assert np.sum(inside, axis=1).tolist() == [1] * len(lit)
    across, down = net.weights(arch)["block_1.mlp.linear.weight"].shape
    assert f"{down}×{across}" in texts(ax)


WS = st.lists(st.lists(st.floats(0.01, 1), min_size=5, max_size=5), min_size=6, max_size=6)


@settings(deadline=None, max_examples=10)
@given(WS, st.tuples(*[st.integers(0, 4)] * 6))
def test_a_policy_is_as_full_as_it_is_likely(weights, arch):
    w = np.array(weights) / np.sum(weights, axis=1, keepdims=True)
    ax = Figure().add_subplot()
    matrix = plots.PolicyMatrix(ax, CELL)
    matrix.update(w, arch)
    tints = ax.collections[0].get_facecolor()[:, :3].reshape(6, 5, 3)
    full = [matplotlib.colors.to_rgb(plots.COLORS[op]) for op in CELL.decisions[0].options]
    np.testing.assert_allclose(tints, 1 - w[:, :, None] * (1 - np.array(full)))
    assert texts(ax) == [f"{value:.2f}" if value >= 0.05 else "" for value in w.ravel()]
    for ring in ax.lines:
        assert ring.get_xydata().tolist() == [[k + 0.5, d + 0.5] for d, k in enumerate(arch)]
    matrix.update(None)
    assert (ax.collections[0].get_facecolor() == 1).all()
    assert set(texts(ax)) == {""}
    assert all(len(ring.get_xdata()) == 0 for ring in ax.lines)


def test_fields_lie_where_their_names_are(ax):
    plots.PolicyMatrix(ax, CELL)
    centres = [path.vertices[:4].mean(axis=0) for path in ax.collections[0].get_paths()]
    columns = dict(zip(said(ax.get_xticklabels()), ax.get_xticks(), strict=True))
    rows = dict(zip(said(ax.get_yticklabels()), ax.get_yticks(), strict=True))
    assert centres[1 * 5 + 3].tolist() == [columns["conv\n3×3"], rows["input → 2"]]
    assert ax.yaxis_inverted()  # the first decision is at the top


def test_effects_are_points_and_shares_fill_the_lower_triangle():
    values = np.zeros((6, 5))
    values[2, 3], values[0, 0] = 0.0312, -0.01
    effects = plots.effects(CELL, values, "finding")
    shown = np.array(texts(effects)).reshape(6, 5)
    assert (shown[2, 3], shown[0, 0], shown[1, 1]) == ("+3.1", "−1.0", "+0.0")
    red, blue = effects.collections[0].get_facecolor()[[0, 13], :3]
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    shares = plots.shares(CELL, np.full((6, 6), 0.25), "finding")
    assert texts(shares) == ["25.0%"] * 21
    assert said(shares.get_xticklabels()) == CELL.labels
