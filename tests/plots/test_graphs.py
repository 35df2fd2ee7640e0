"""Graphs of architectures can be read, whatever the architecture; ribbons are as wide as w."""

import itertools

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from scipy.spatial import cKDTree

from nas_lab import plots, spaces, widgets
from nas_lab.plots import theme
from nas_lab.plots.page import PAGE, SMALLEST
from tests.plots.readable import assert_readable, courses, frames, overlaps, texts, weights

CELL, DARTS = spaces.nasbench201(), spaces.darts()
CHAINS = [*map(spaces.conv_chain, (1, 4, 8)), spaces.conv_chain(5, skips=False)]
CHAINS += [spaces.mlp(), spaces.rnn(), spaces.mobile(), spaces.transformer()]
LONG = [spaces.conv_chain(15), spaces.mobile(4), spaces.conv_chain(25)]
SEEDS = st.integers(0, 2**32 - 1)
MANY = settings(max_examples=10, deadline=None)


def sample(space, seed):
    return space.sample(np.random.default_rng(seed))


def largest(space):
    return tuple(len(decision.options) - 1 for decision in space.decisions)


# ---- readable --------------------------------------------------------------------------------


@MANY
@given(st.tuples(*[st.integers(0, 4)] * 6), st.sampled_from([None, *range(6)]))
@example((3,) * 6, None)
@example((4,) * 6, 3)
def test_a_cell_is_readable(arch, highlight):
    drawn = sum(token != 0 or place == highlight for place, token in enumerate(arch))
    assert_readable(plots.architecture(CELL, arch, highlight=highlight), through=drawn)


@pytest.mark.parametrize("arch", list(itertools.product((0, 3), repeat=6)), ids=str)
def test_a_stacked_cell_is_readable_whichever_edges_are_absent(arch):
    (ax,) = plots.cells(CELL, [arch], ["a title"]).axes
    assert_readable(ax, through=np.count_nonzero(arch))


@MANY
@given(SEEDS.map(lambda seed: sample(DARTS, seed)))
@example(spaces.DARTS_V1)
@example(spaces.DARTS_V2)
def test_cells_of_darts_are_readable_and_no_wire_runs_on_another(arch):
    ax = plots.architecture(DARTS, arch)
    pairs = [pair for cell in DARTS.genotype(arch).values() for node in cell for pair in node]
    expected = [*(plots.label(op) for op, _ in pairs), "normal cell", "reduction cell"]
    expected += 2 * ["cell k−2", "cell k−1", "0", "1", "2", "3", "output"]
    assert sorted(texts(ax)) == sorted(expected)
    concat = plots.COLORS["concat"].lower()  # these are one bus
    wires = [way for colour, way in courses(ax) if colour != concat]
    trees = [cKDTree(wire) for wire in wires]
    for (a, _), (_, b) in itertools.combinations(zip(wires, trees, strict=True), 2):
        assert (b.query(a)[0] < 1.5).sum() < 12  # pixels in common
    assert_readable(ax, through=16)


def extreme(anchor):
    """The largest chain, with all anchors or none."""
    named = zip(CHAINS[2].decisions, largest(CHAINS[2]), strict=True)
    return tuple(anchor if d.name.startswith("anchor") else token for d, token in named)


DRAWN = st.sampled_from(CHAINS).flatmap(
    lambda space: st.tuples(st.just(space), SEEDS.map(lambda seed: sample(space, seed)))
)


@settings(max_examples=30, deadline=None)
@given(DRAWN)
@example((CHAINS[2], extreme(0)))
@example((CHAINS[2], extreme(1)))
def test_a_chain_is_readable_with_a_box_for_each_node_and_an_arrow_for_each_edge(drawn):
    graph, ax = drawn[0].graph(drawn[1]), plots.architecture(*drawn)
    assert len(around(ax)) == len(graph)
    assert sum(isinstance(a, FancyArrowPatch) for a in ax.patches) == graph.number_of_edges()
    assert_readable(ax)


@pytest.mark.parametrize("space", LONG, ids=lambda s: s.name)
def test_long_chains_wrap_and_text_stays_in_its_box(space):
    ax = plots.architecture(space, largest(space))
    boxes = frames(ax)
    assert overlaps(boxes) == []
    assert len({round(box.y0) for box in boxes}) > 1
    for text, patch in zip(boxes, around(ax), strict=True):
        assert (patch.min < text.min).all()
        assert (text.max < patch.max).all()


def around(ax):
    renderer = ax.figure.canvas.get_renderer()
    boxes = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
    return [patch.get_window_extent(renderer) for patch in boxes]


@pytest.mark.parametrize("space", [CELL, DARTS, *CHAINS, *LONG[:2]], ids=lambda s: s.name)
def test_every_space_is_drawn_within_the_page(space):
    for draw in (plots.architecture, plots.one_hot):
        assert draw(space, sample(space, 1)).figure.get_figwidth() <= theme.WIDEST + 0.1


# ---- what is drawn ---------------------------------------------------------------------------


def test_the_label_of_an_edge_is_on_that_edge():
    labels = plots.architecture(CELL, (3,) * 6).texts[4:]
    at = dict(zip(CELL.edges, (label.get_position() for label in labels), strict=True))
    assert at[0, 1][0] < at[1, 2][0] < at[2, 3][0]
    assert at[0, 1][1] == at[1, 2][1] == at[2, 3][1] == 0
    assert at[1, 3][1] < 0 < at[0, 2][1] < at[0, 3][1]


def test_a_highlight_marks_one_edge_even_where_there_is_no_operation():
    plain, marked = (plots.architecture(CELL, (0,) * 6, highlight=edge) for edge in (None, 2))
    nodes = ["input", "1", "2", "output"]
    assert texts(plain) == nodes
    assert texts(marked) == [*nodes, "none"]
    ax = plots.architecture(CELL, (3, 1, 2, 0, 4, 1))
    assert texts(ax) == [*nodes, "conv 3×3", "skip", "conv 1×1", "avg pool", "skip"]


def test_a_wrong_architecture_is_refused_before_anything_is_drawn():
    with pytest.raises(ValueError, match="6 tokens"):
        plots.architecture(CELL, (0, 1))
    assert plt.get_fignums() == []


def test_several_cells_are_stacked_at_their_natural_size():
    archs = [(3, 0, 3, 1, 0, 1), (4, 4, 4, 0, 4, 4)]
    figure = plots.cells(CELL, archs, ["first", "second"])
    upper, lower = figure.axes
    assert upper.get_position().y0 >= lower.get_position().y1 - 1e-9
    alone = [text.get_fontsize() for text in plots.architecture(CELL, archs[0]).texts]
    *stacked, title = (text.get_fontsize() for text in upper.texts)
    assert title > 10
    assert stacked == pytest.approx(alone, rel=0.02)
    every, less = (plots.cells(CELL, [a], [""]) for a in ((3,) * 6, (3, 0, 3, 0, 0, 3)))
    assert less.get_figheight() < every.get_figheight() - 0.5  # no room for what is not there
    with pytest.raises(ValueError, match="a title for each"):
        plots.cells(CELL, archs, ["only one"])


def test_a_skeleton_names_channels_and_sizes_and_marks_what_is_searched():
    around = spaces.Skeleton(8, 2, 3, 2, 15, 1)
    ax = plots.skeleton(around)
    said = "image 1×15×15, stem 8×8×8, cell ×2 8×8×8, reduce 16×4×4, cell ×2 16×4×4, "
    said += "reduce 32×2×2, cell ×2 32×2×2, dense 10, output"
    assert ", ".join(texts(ax)).replace("\n", " ") == said
    boxes = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
    hues = [matplotlib.colors.to_hex(box.get_facecolor()).upper() for box in boxes]
    assert [hue == plots.HIGHLIGHT for hue in hues] == ["cell" in text for text in texts(ax)]
    shapes = {op.shape for op in CELL.network((1,) * 6, around).ops}
    assert {(8, 8, 8), (16, 4, 4), (32, 2, 2)} <= shapes


# ---- mixtures --------------------------------------------------------------------------------


def mixed(w):
    drawn = plots.MixedCell(Figure(figsize=(6, 3)).add_axes((0, 0, 1, 1)), CELL)
    drawn.update(w)
    return drawn


@settings(deadline=None, max_examples=20)
@given(SEEDS)
def test_stripes_are_as_wide_as_their_weights_in_the_colours_of_their_operations(seed):
    w = weights(CELL, seed=seed)
    drawn = mixed(w)
    corners = np.array([path.vertices[:-1] for path in drawn._ribbons.get_paths()])
    widths = np.linalg.norm(corners[:, 0] - corners[:, -1], axis=1)  # at the start of each stripe
    expected = w * (np.arange(5) > 0)  # without 'none', the first
    assert widths == pytest.approx(expected.ravel() * widths.max() / expected.max(), abs=1e-9)
    full = [matplotlib.colors.to_rgb(plots.COLORS[op]) for op in CELL.decisions[0].options]
    tints = drawn._ribbons.get_facecolor()[:, :3].reshape(-1, len(full), 3)
    assert (tints == np.array(full)).all()


def test_each_edge_of_the_small_cell_names_its_strongest_operation():
    w = weights(CELL)
    names = [name.get_text() for name in mixed(w)._names]
    options = CELL.decisions[0].options
    said = [f"{plots.label(options[row.argmax()])} {row.max():.2f}" for row in w]
    assert [name.replace("\n", " ") for name in names] == said
    even = mixed(np.full((6, 5), 0.2))
    assert not any(name.get_visible() for name in even._names)
    ax = plots.mixed_cell(CELL, np.eye(5)[[3] * 6])
    assert texts(ax)[4:] == ["conv\n3×3\n1.00"] * 6
    assert overlaps(frames(ax)) == []


@pytest.mark.parametrize("widget", ["AlphaPlayer", "TemperatureSlider"])
def test_ribbons_of_widgets_have_labels_of_14_pixels_on_the_narrowest_page(widget):
    w = np.eye(5)[[3] * 6]
    shown = getattr(widgets, widget)(w if widget == "TemperatureSlider" else w[None])
    ax = shown._picture.figure.axes[0]
    assert min(text.get_fontsize() for text in ax.texts[4:]) / 72 * PAGE * SMALLEST >= 14
    assert overlaps(frames(ax)) == []


def test_a_mixture_that_is_not_there_is_refused():
    with pytest.raises(TypeError, match="has no cell to draw"):
        plots.mixed_cell(spaces.mlp(), np.ones((2, 2)))
    with pytest.raises(ValueError, match="shape"):
        plots.mixed_cell(CELL, np.ones((5, 6)))
