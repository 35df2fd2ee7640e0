"""Pictures say what they are given, in colours and places that every reader can tell apart."""

import itertools
import math
import subprocess
import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from scipy.spatial import cKDTree

from nas_lab import plots, spaces
from nas_lab.history import Evaluation, History, Trial
from nas_lab.plots import figures

CELL, DARTS = spaces.nasbench201(), spaces.darts()
CHAINS = [
    spaces.conv_chain(1),
    spaces.conv_chain(4),
    spaces.conv_chain(8),
    spaces.conv_chain(5, skips=False),
    spaces.mlp(),
    spaces.rnn(),
    spaces.mobile(),
]
EVERY = [CELL, DARTS, *CHAINS, spaces.conv_chain(15), spaces.mobile(4)]
SEEDS = st.integers(0, 2**32 - 1)


def sample(space, seed):
    return space.sample(np.random.default_rng(seed))


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


# ---- colours ---------------------------------------------------------------------------------

# G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, 2009: what those see who lack one cone.
VISIONS = {
    "all cones": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TOGETHER = {  # what can stand in one picture
    "nasbench201": CELL.decisions[0].options,
    "darts": DARTS.decisions[0].options,
    "mobile": ("resnet", "mobilenet", "image"),
    "strategies": (
        "RandomSearch",
        "RegularizedEvolution",
        "Reinforce",
        "LocalSearch",
        "OneShot",
        "Darts",
    ),
}


def linear(colour):
    c = np.array(matplotlib.colors.to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIE L*a*b* of linear sRGB under D65."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ rgb / [0.9505, 1.0, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(a, b):
    light, dark = sorted((linear(c) @ [0.2126, 0.7152, 0.0722] for c in (a, b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("names", TOGETHER.values(), ids=TOGETHER)
@pytest.mark.parametrize("vision", VISIONS)
def test_colours_stay_apart_for_every_eye(names, vision):
    seen = [lab(np.clip(VISIONS[vision] @ linear(plots.COLORS[n]), 0, 1)) for n in names]
    distances = [math.dist(a, b) for a, b in itertools.combinations(seen, 2)]
    assert min(distances) > 15  # 2 is just visible side by side


@pytest.mark.parametrize("names", TOGETHER.values(), ids=TOGETHER)
def test_colours_stay_apart_in_grey(names):
    lightness = sorted(lab(linear(plots.COLORS[n]))[0] for n in names)
    assert min(np.diff(lightness)) > 3.5


@pytest.mark.parametrize("names", TOGETHER.values(), ids=TOGETHER)
def test_neighbours_in_grey_differ_in_style(names):
    by_lightness = sorted(names, key=lambda n: lab(linear(plots.COLORS[n]))[0])
    for a, b in itertools.pairwise(by_lightness):
        near = abs(lab(linear(plots.COLORS[a]))[0] - lab(linear(plots.COLORS[b]))[0]) < 7
        assert not near or plots.style(a) != plots.style(b)


@pytest.mark.parametrize("name", plots.COLORS)
def test_text_reads_on_every_colour(name):
    fill = plots.COLORS[name]
    assert contrast(fill, plots.text_on(fill)) > 4.4


def test_every_operation_has_a_colour_a_style_and_a_name():
    for operation in (*CELL.decisions[0].options, *DARTS.decisions[0].options):
        assert operation in plots.COLORS
        assert operation in plots.STYLES
        assert operation in plots.LABELS
    for space in CHAINS:
        for _, kind in space.graph(sample(space, 0)).nodes(data="operation"):
            assert kind in plots.COLORS


def test_names_without_a_colour_take_turns():
    assert plots.color("mine", 0) != plots.color("mine", 1)
    assert plots.style("mine", 0) != plots.style("mine", 1)


# ---- words -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0.5, "0.5"),
        (999, "999"),
        (4096, "4,096"),
        (73_306, "73.3 thousand"),
        (999_700, "1.00 million"),
        (7_783_000, "7.78 million"),
        (220_119_680, "220 million"),
        (1.2e9, "1.20 billion"),
    ],
)
def test_quantities(number, words):
    assert plots.quantity(number) == words


def test_decisions_are_called_by_the_nodes_they_join():
    assert plots.decision_labels(CELL)[3] == "input → output"
    assert plots.decision_labels(DARTS)[-1] == "reduce: 2 → 3"
    assert plots.decision_labels(spaces.mlp())[:2] == ["layers", "hidden 1"]


# ---- architectures ---------------------------------------------------------------------------


def texts(ax):
    return [text.get_text() for text in ax.texts]


def frames(ax):
    """Where texts are, with what is painted behind them, in pixels."""
    ax.figure.draw_without_rendering()
    renderer = ax.figure.canvas.get_renderer()
    patches = [text.get_bbox_patch() for text in ax.texts]
    both = zip(ax.texts, patches, strict=True)
    return [(t if p is None else p).get_window_extent(renderer) for t, p in both]


def overlaps(boxes):
    return [
        (i, j)
        for (i, a), (j, b) in itertools.combinations(enumerate(boxes), 2)
        if a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1
    ]


def courses(ax):
    """The way of every arrow as points a pixel apart, after its colour."""
    ax.figure.draw_without_rendering()
    for arrow in (a for a in ax.patches if isinstance(a, FancyArrowPatch)):
        path = arrow.get_transform().transform_path(arrow._path_original)
        points = path.to_polygons(closed_only=False)[0]
        dense = []
        for a, b in itertools.pairwise(points):
            steps = np.linspace(0, 1, max(2, int(math.dist(a, b))))[:, None]
            dense.append(a + steps * (b - a))
        yield matplotlib.colors.to_hex(arrow.get_edgecolor()), np.concatenate(dense)


def crossings(ax, boxes):
    """Pairs of an arrow and a text that it runs through."""
    found = []
    for place, (_, dense) in enumerate(courses(ax)):
        found += [
            (place, i)
            for i, box in enumerate(boxes)
            if np.any(
                (dense[:, 0] > box.x0)
                & (dense[:, 0] < box.x1)
                & (dense[:, 1] > box.y0)
                & (dense[:, 1] < box.y1)
            )
        ]
    return found


def assert_readable(ax, through=0):
    """No text covers another or leaves the picture; arrows run only through their own label."""
    boxes = frames(ax)
    assert overlaps(boxes) == []
    size = ax.figure.bbox
    assert all(box.x0 >= 0 and box.y0 >= 0 for box in boxes)
    assert all(box.x1 <= size.x1 and box.y1 <= size.y1 for box in boxes)
    assert len(crossings(ax, boxes)) == through
    plt.close(ax.figure)


@settings(max_examples=25, deadline=None)
@given(st.tuples(*[st.integers(0, 4)] * 6), st.sampled_from([None, 0, 1, 2, 3, 4, 5]))
def test_a_cell_is_readable(arch, highlight):
    drawn = sum(token != 0 or place == highlight for place, token in enumerate(arch))
    assert_readable(plots.cell(CELL, arch, highlight=highlight), through=drawn)


@pytest.mark.parametrize("token", range(5))
def test_cells_of_one_operation_are_readable(token):
    assert_readable(plots.cell(CELL, (token,) * 6), through=6 * (token != 0))


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_a_darts_cell_is_readable(seed):
    assert_readable(plots.darts(DARTS, sample(DARTS, seed)))


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_wires_of_a_darts_cell_cross_but_never_run_on_each_other(seed):
    concat = plots.COLORS["concat"].lower()  # these are one bus
    ax = plots.darts(DARTS, sample(DARTS, seed))
    wires = [course for colour, course in courses(ax) if colour != concat]
    trees = [cKDTree(wire) for wire in wires]
    for (a, _), (_, b) in itertools.combinations(zip(wires, trees, strict=True), 2):
        assert (b.query(a)[0] < 1.5).sum() < 12  # pixels in common
    plt.close("all")


@pytest.mark.parametrize("arch", [spaces.DARTS_V1, spaces.DARTS_V2])
def test_the_published_darts_cells_are_readable(arch):
    assert_readable(plots.darts(DARTS, arch))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(CHAINS), SEEDS)
def test_a_chain_is_readable(space, seed):
    assert_readable(plots.chain(space, sample(space, seed)))


@pytest.mark.parametrize("anchors", [0, 1], ids=["no anchors", "all anchors"])
def test_the_extremes_of_a_chain_are_readable(anchors):
    space = spaces.conv_chain(8)
    tokens = [
        anchors if d.name.startswith("anchor") else len(d.options) - 1 for d in space.decisions
    ]
    assert_readable(plots.chain(space, tuple(tokens)))


@pytest.mark.parametrize("space", [spaces.conv_chain(15), spaces.mobile(4), spaces.conv_chain(25)])
def test_long_chains_wrap_and_text_stays_in_its_box(space):
    arch = tuple(len(d.options) - 1 for d in space.decisions)
    ax = plots.chain(space, arch)
    boxes = frames(ax)
    assert overlaps(boxes) == []
    assert len({round(box.y0) for box in boxes}) > 1
    for text, patch in zip(boxes, around(ax), strict=True):
        assert patch.x0 < text.x0 < text.x1 < patch.x1
        assert patch.y0 < text.y0 < text.y1 < patch.y1


def around(ax):
    renderer = ax.figure.canvas.get_renderer()
    boxes = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
    return [patch.get_window_extent(renderer) for patch in boxes]


def test_a_cell_names_its_operations_and_nodes():
    ax = plots.cell(CELL, (3, 1, 2, 0, 4, 1))
    expected = ["input", "1", "2", "output", "conv 3×3", "skip", "conv 1×1", "avg pool", "skip"]
    assert sorted(texts(ax)) == sorted(expected)


def test_the_label_of_an_edge_is_on_that_edge():
    def place(edge):
        ax = plots.cell(CELL, tuple(3 * (i == edge) for i in range(6)))
        (label,) = (text for text in ax.texts if text.get_text() == "conv 3×3")
        return label.get_position()

    at = dict(zip(("01", "02", "12", "03", "13", "23"), map(place, range(6)), strict=True))
    assert at["01"][0] < at["12"][0] < at["23"][0]
    assert at["01"][1] == at["12"][1] == at["23"][1] == 0
    assert at["13"][1] < 0 < at["02"][1] < at["03"][1]


def test_a_highlight_marks_one_edge_even_where_there_is_no_operation():
    plain, marked = (plots.cell(CELL, (0,) * 6, highlight=edge) for edge in (None, 2))
    assert texts(plain) == ["input", "1", "2", "output"]
    assert texts(marked) == ["input", "1", "2", "output", "none"]


def test_a_chain_has_a_box_for_each_node_and_an_arrow_for_each_edge():
    for space, seed in itertools.product(CHAINS, range(3)):
        graph = space.graph(sample(space, seed))
        ax = plots.chain(space, sample(space, seed))
        assert len(around(ax)) == len(graph)
        assert sum(isinstance(a, FancyArrowPatch) for a in ax.patches) == graph.number_of_edges()
        plt.close(ax.figure)


def test_darts_shows_one_cell_or_both():
    one, both = (
        plots.darts(DARTS, spaces.DARTS_V2, cell="reduce"),
        plots.darts(DARTS, spaces.DARTS_V2),
    )
    assert "normal cell" not in texts(one)
    assert texts(one).count("max pool") == 5
    assert texts(both).count("sep 3×3") == 5
    assert {"normal cell", "reduction cell"} < set(texts(both))


@pytest.mark.parametrize("space", EVERY, ids=lambda s: f"{s.name}-{len(s.decisions)}")
def test_every_space_is_drawn_within_the_page(space):
    ax = plots.architecture(space, sample(space, 1))
    assert ax.figure.get_figwidth() <= figures.WIDEST + 0.1
    ax = plots.one_hot(space, sample(space, 1))
    assert ax.figure.get_figwidth() <= figures.WIDEST + 0.1


@pytest.mark.parametrize("space", [CELL, DARTS, spaces.conv_chain(8)], ids=lambda s: s.name)
def test_in_a_small_axes_the_text_shrinks_and_stays_readable(space):
    figure = Figure(figsize=(6, 3))
    ax = figure.subplots(1, 2)[1]
    assert plots.architecture(space, sample(space, 2), ax) is ax
    sizes = {text.get_fontsize() for text in ax.texts}
    assert max(sizes) < figures.TEXT
    figure.canvas = matplotlib.backends.backend_agg.FigureCanvasAgg(figure)
    assert overlaps(frames(ax)) == []


def test_a_wrong_architecture_is_refused_before_anything_is_drawn():
    with pytest.raises(ValueError, match="6 tokens"):
        plots.cell(CELL, (0, 1))
    assert plt.get_fignums() == []


# ---- w ---------------------------------------------------------------------------------------


def test_w_of_an_architecture_has_a_one_in_each_row():
    ax = plots.one_hot(CELL, (3, 1, 2, 0, 4, 1))
    assert texts(ax).count("1") == 6
    assert texts(ax)[:6] == plots.decision_labels(CELL)
    (zeros,) = ax.lines
    assert len(zeros.get_xdata()) == 24


def test_w_shows_probabilities():
    w = np.full((6, 5), 0.2)
    w[0] = [0.5, 0.25, 0.25, 0, 0]
    ax = plots.one_hot(CELL, w)
    assert texts(ax).count("0.20") == 25
    assert texts(ax).count("0.25") == 2


def test_w_names_options_where_decisions_differ_and_leaves_out_what_does_not_exist():
    space = spaces.mobile(1)
    ax = plots.one_hot(space, (1, 2, 0, 1, 1))
    options = [str(option) for decision in space.decisions for option in decision.options]
    assert [t for t in texts(ax) if t in options] == options
    soft = plots.one_hot(space, space.mask / space.mask.sum(1, keepdims=True))
    assert "mobilenet: 0.50" in texts(soft)


def test_w_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"shape \(6, 5\).*\(5, 6\)"):
        plots.one_hot(CELL, np.zeros((5, 6)))


@pytest.mark.parametrize("space", [CELL, *CHAINS], ids=lambda s: f"{s.name}-{len(s.decisions)}")
def test_w_is_readable(space):
    assert overlaps(frames(plots.one_hot(space, sample(space, 3)))) == []
    soft = space.mask / space.mask.sum(axis=1, keepdims=True)
    assert overlaps(frames(plots.one_hot(space, soft))) == []


# ---- results ---------------------------------------------------------------------------------


def history(scores, costs=None, space=CELL):
    kept = History(None, space)
    for i, score in enumerate(scores):
        macs = 1e6 * (i + 1) if costs is None else costs[i]
        kept.append(Trial(i, sample(space, i), Evaluation(score, 2.0, {"macs": macs})))
    return kept


def line(ax, label):
    return next(line for line in ax.lines if line.get_label().startswith(label))


POINTS = st.lists(st.tuples(st.floats(0, 1), st.integers(1, 50)), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None)
@given(POINTS)
def test_the_step_line_is_the_pareto_front(points):
    kept = history([score for score, _ in points], [1e5 * cost for _, cost in points])
    drawn = line(plots.cost_accuracy(kept), "Pareto")
    front = [(t.result.metrics["macs"], t.result.score) for t in kept.pareto("macs")]
    x, y = drawn.get_data()
    assert list(zip(x, y, strict=True))[:-1] == front
    assert drawn.get_drawstyle() == "steps-post"
    plt.close("all")


def test_the_best_is_marked_and_named():
    ax = plots.cost_accuracy(history([0.5, 0.875, 0.6]))
    best = line(ax, "best")
    assert best.get_label() == "best: 87.5%, 2 million multiply-adds"
    assert ax.get_xlabel() == "million multiply-adds for an image"
    assert best.get_xydata().tolist() == [[2e6, 0.875]]


@pytest.mark.parametrize(("costs", "scale"), [([1, 7], "linear"), ([1, 9], "log")])
def test_a_log_axis_is_used_where_costs_differ_much_and_says_so(costs, scale):
    ax = plots.cost_accuracy(history([0.5, 0.6], costs))
    assert ax.get_xscale() == scale
    assert ("(log scale)" in ax.get_xlabel()) == (scale == "log")


@pytest.mark.parametrize(
    ("costs", "label", "best", "tick"),
    [
        ([4e5, 2e6], "million multiply-adds for an image", "0.4 million", "2"),
        ([4e5, 2e7], "million multiply-adds for an image (log scale)", "0.4 million", "20"),
        ([3e4, 5e4], "thousand multiply-adds for an image", "30 thousand", "50"),
        ([3, 5], "multiply-adds for an image", "3", "5"),
    ],
)
def test_axis_and_legend_have_one_unit(costs, label, best, tick):
    ax = plots.cost_accuracy(history([0.6, 0.5], costs))
    assert ax.get_xlabel() == label
    assert line(ax, "best").get_label() == f"best: 60.0%, {best} multiply-adds"
    assert ax.xaxis.get_major_formatter()(costs[1], None) == tick


def test_a_list_of_trials_and_a_history_give_the_same_picture():
    kept = history([0.5, 0.875, 0.6])
    a, b = plots.cost_accuracy(kept), plots.cost_accuracy(kept.trials)
    assert a.collections[0].get_offsets().tolist() == b.collections[0].get_offsets().tolist()


def test_seconds_of_the_evaluation_are_a_cost():
    ax = plots.cost_accuracy(history([0.5, 0.6]), cost="cost")
    assert ax.get_xlabel() == "seconds of evaluation"
    assert ax.collections[0].get_offsets()[:, 0].tolist() == [2.0, 2.0]


def test_costs_of_zero_are_drawn_on_a_plain_axis():
    assert plots.cost_accuracy(history([0.5, 0.6], [0, 10])).get_xscale() == "linear"


def test_failed_trials_are_counted_and_not_drawn():
    ax = plots.cost_accuracy(history([0.5, math.nan, 0.6]))
    assert len(ax.collections[0].get_offsets()) == 2
    assert ax.collections[0].get_label() == "2 networks (1 failed)"


@pytest.mark.parametrize(
    ("scores", "cost", "message"),
    [
        ([0.5], "watts", "no metric 'watts'; it has: cost, macs"),
        ([math.nan], "macs", "no trial with a score"),
        ([], "macs", "no trial with a score"),
    ],
)
def test_what_cannot_be_drawn_is_said(scores, cost, message):
    with pytest.raises(ValueError, match=message):
        plots.cost_accuracy(history(scores), cost=cost)
    assert plt.get_fignums() == []


@settings(max_examples=25, deadline=None)
@given(st.floats(1, 1e9), st.floats(1, 25))
def test_a_cost_axis_has_at_least_two_labels(low, factor):
    ax = plots.cost_accuracy(history([0.5, 0.6], [low, low * factor]))
    lower, upper = ax.get_xlim()
    assert factor < 1.05 or sum(lower <= x <= upper for x in ax.get_xticks()) >= 2
    plt.close("all")


def test_an_incumbent_curve_is_that_of_the_history():
    kept = history([0.5, 0.4, math.nan, 0.7, 0.6])
    ax = plots.incumbent({"RandomSearch": kept, "list": kept.trials, "array": [0.5, 0.4, 0.7]})
    expected = [*kept.incumbent(), kept.incumbent()[-1]]  # the last step is drawn half a trial on
    assert line(ax, "random search").get_ydata().tolist() == expected
    assert line(ax, "list").get_ydata().tolist() == expected
    assert line(ax, "array").get_ydata().tolist() == [0.5, 0.5, 0.7, 0.7]
    assert line(ax, "random search").get_color() == plots.COLORS["RandomSearch"]
    assert len(ax.collections) == 0


def test_single_trials_are_dots_behind_the_line():
    kept = history([0.5, 0.4, math.nan, 0.7])
    (dots,) = (one for one in plots.incumbent({"mine": kept}).lines if one.get_marker() == "o")
    np.testing.assert_array_equal(dots.get_ydata(), [0.5, 0.4, math.nan, 0.7])
    two = plots.incumbent({"mine": kept, "yours": kept})
    assert all(one.get_marker() != "o" for one in two.lines)


def test_the_legend_covers_no_trial():
    ax = plots.incumbent({"mine": history([0.5, 0.7, 0.6, 0.7, 0.5])})
    ax.figure.draw_without_rendering()
    top = ax.get_legend().get_window_extent().y1
    (dots,) = (one for one in ax.lines if one.get_marker() == "o")
    lowest = ax.transData.transform((1, np.min(dots.get_ydata())))[1]
    assert lowest > top


def test_several_cells_are_stacked_at_their_natural_size():
    archs = [(3, 0, 3, 1, 0, 1), (4, 4, 4, 0, 4, 4)]
    space = spaces.nasbench201()
    figure = plots.cells(space, archs, ["first", "second"])
    every = plots.cells(space, [(3,) * 6], ["all operations"])
    upper, lower = figure.axes
    assert upper.get_position().y0 > lower.get_position().y1
    alone = {text.get_text(): text.get_fontsize() for text in plots.cell(space, archs[0]).texts}
    stacked = {text.get_text(): text.get_fontsize() for text in upper.texts}
    assert stacked.pop("first") > 10
    assert stacked == pytest.approx(alone, rel=0.02)
    less = plots.cells(space, [(3, 0, 3, 0, 0, 3)], ["no arcs"])
    assert less.get_figheight() < every.get_figheight() - 0.5  # no room for what is not there
    with pytest.raises(ValueError, match="a title for each"):
        plots.cells(space, archs, ["only one"])


@pytest.mark.parametrize("arch", list(itertools.product((0, 3), repeat=6)), ids=str)
def test_a_stacked_cell_is_readable_whichever_edges_are_absent(arch):
    (ax,) = plots.cells(CELL, [arch], ["a title"]).axes
    assert_readable(ax, through=np.count_nonzero(arch))


def test_a_skeleton_names_channels_and_sizes_and_marks_what_is_searched():
    around = spaces.Skeleton(8, 2, 3, 2, 15, 1)
    ax = plots.skeleton(around)
    texts = [text.get_text().replace("\n", " ") for text in ax.texts]
    assert texts == [
        "image 1×15×15",
        "stem 8×8×8",
        "cell ×2 8×8×8",
        "reduce 16×4×4",
        "cell ×2 16×4×4",
        "reduce 32×2×2",
        "cell ×2 32×2×2",
        "dense 10",
        "output",
    ]
    arch = (1,) * 6
    shapes = {op.shape for op in spaces.nasbench201().network(arch, around).ops}
    assert {(8, 8, 8), (16, 4, 4), (32, 2, 2)} <= shapes


def test_several_seeds_are_drawn_as_mean_and_interval():
    scores = np.random.default_rng(0).random((30, 20))
    ax = plots.incumbent({"RandomSearch": scores})
    best = np.maximum.accumulate(scores, axis=1)
    drawn = line(ax, "random search (mean of 30 seeds)")
    np.testing.assert_allclose(drawn.get_ydata()[:-1], best.mean(0))
    (band,) = ax.collections
    heights = band.get_paths()[0].vertices[:, 1]
    half = 2.045 * best.std(0, ddof=1) / np.sqrt(30)  # Student's t of 29 degrees of freedom
    assert heights.max() == pytest.approx((best.mean(0) + half).max(), rel=1e-3)
    assert heights.min() == pytest.approx((best.mean(0) - half).min(), rel=1e-3)


def test_a_list_of_histories_is_several_seeds():
    ax = plots.incumbent({"mine": [history([0.5, 0.7]), history([0.7, 0.6])]})
    np.testing.assert_allclose(line(ax, "mine (mean of 2").get_ydata(), [0.6, 0.7, 0.7])


def test_the_legend_is_in_the_order_of_the_lines():
    ax = plots.incumbent({"low": [0.1, 0.2], "high": [0.1, 0.9], "middle": [0.5, 0.5]})
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["high", "middle", "low"]


def test_an_empty_search_is_refused():
    with pytest.raises(ValueError, match="empty"):
        plots.incumbent({"mine": []})


DRAWINGS = {
    "cell": lambda ax: plots.cell(CELL, (1,) * 6, ax),
    "darts": lambda ax: plots.darts(DARTS, spaces.DARTS_V2, ax),
    "chain": lambda ax: plots.chain(spaces.mlp(), (1, 1, 1, 1, 1), ax),
    "architecture": lambda ax: plots.architecture(CELL, (1,) * 6, ax),
    "one_hot": lambda ax: plots.one_hot(CELL, (1,) * 6, ax),
    "cost_accuracy": lambda ax: plots.cost_accuracy(history([0.5, 0.6]), ax),
    "incumbent": lambda ax: plots.incumbent({"mine": [0.5]}, ax),
}


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
def test_every_drawing_uses_the_axes_it_is_given_and_leaves_settings_alone(draw):
    before = dict(matplotlib.rcParams)
    ax = Figure().add_subplot()
    assert draw(ax) is ax
    assert plt.get_fignums() == []
    draw(None)
    assert len(plt.get_fignums()) == 1
    assert dict(matplotlib.rcParams) == before


def test_importing_plots_changes_no_setting():
    check = (
        "import matplotlib, matplotlib.pyplot; before = dict(matplotlib.rcParams);"
        "import nas_lab.plots; print(dict(matplotlib.rcParams) == before)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.stdout.strip() == "True", done.stderr


# ---- showing ---------------------------------------------------------------------------------


@pytest.fixture
def shown(monkeypatch):
    """What a notebook would be sent."""
    IPython = pytest.importorskip("IPython")
    sent = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: object())
    monkeypatch.setattr("IPython.display.display", lambda data, raw: sent.append(data))
    return sent


def test_show_sends_one_image_with_its_text_and_closes_the_figure(shown):
    plots.show(plots.cell(CELL, (1,) * 6), 'skips "only" <all>')
    (data,) = shown
    assert 'alt="skips &quot;only&quot; &lt;all&gt;"' in data["text/html"]
    assert "max-width:100%" in data["text/html"]
    assert "background:white" in data["text/html"]
    assert data["text/plain"] == 'skips "only" <all>'
    assert plt.get_fignums() == []


def test_an_image_is_as_wide_as_its_figure_says():
    figure = Figure(figsize=(5, 2))
    assert 'width="480" height="192"' in plots.image_html(figure, "empty", tight=False)


def test_show_takes_a_figure_and_a_part_of_one(shown):
    figure, _ = plt.subplots()
    plots.show(figure, "a figure")
    part = plt.figure().subfigures(1, 2)[0].add_subplot()
    plots.show(part, "a part")
    assert len(shown) == 2
    assert plt.get_fignums() == []


def test_show_wants_words_for_those_who_cannot_see():
    with pytest.raises(ValueError, match="alt is empty"):
        plots.show(plots.cell(CELL, (1,) * 6), " ")
    with pytest.raises(TypeError, match="not a matplotlib"):
        plots.show("picture", "a text")


def test_outside_of_a_notebook_show_only_closes():
    script = (
        "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt\n"
        "from nas_lab import plots, spaces\n"
        "plots.show(plots.cell(spaces.nasbench201(), (1,) * 6), 'skips')\n"
        "print(plt.get_fignums())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
