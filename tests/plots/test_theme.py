"""Colours that every reader can tell apart, words, and pictures on the page."""

import itertools
import math
import subprocess
import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from bs4 import BeautifulSoup
from matplotlib.figure import Figure

from nas_lab import plots, spaces

CELL, DARTS = spaces.nasbench201(), spaces.darts()
CHAINS = [spaces.conv_chain(4), spaces.mlp(), spaces.rnn(), spaces.mobile()]

# G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, 2009: what those see who lack one cone.
VISIONS = {
    "all cones": np.eye(3),
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}
STRATEGIES = "RandomSearch RegularizedEvolution Reinforce LocalSearch OneShot Darts"
TOGETHER = {  # what can stand in one picture
    "nasbench201": CELL.decisions[0].options,
    "darts": DARTS.decisions[0].options,
    "mobile": ("resnet", "mobilenet", "image"),
    "strategies": STRATEGIES.split(),
}
TOGETHERS = pytest.mark.parametrize("names", TOGETHER.values(), ids=TOGETHER)


def linear(colour):
    c = np.array(matplotlib.colors.to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIE L*a*b* of linear sRGB under D65."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ rgb / [0.9505, 1.0, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@TOGETHERS
@pytest.mark.parametrize("vision", VISIONS)
def test_colours_stay_apart_for_every_eye(names, vision):
    seen = [lab(np.clip(VISIONS[vision] @ linear(plots.COLORS[n]), 0, 1)) for n in names]
    distances = [math.dist(a, b) for a, b in itertools.combinations(seen, 2)]
    assert min(distances) > 15  # 2 is just visible side by side


@TOGETHERS
def test_colours_stay_apart_in_grey_and_near_ones_differ_in_style(names):
    lightness = {name: lab(linear(plots.COLORS[name]))[0] for name in names}
    for a, b in itertools.pairwise(sorted(names, key=lightness.get)):
        assert lightness[b] - lightness[a] > 3.5
        assert lightness[b] - lightness[a] > 7 or plots.style(a) != plots.style(b)


@pytest.mark.parametrize("name", plots.COLORS)
def test_text_reads_on_every_colour(name):
    both = (plots.COLORS[name], plots.text_on(plots.COLORS[name]))
    dark, light = sorted(linear(colour) @ [0.2126, 0.7152, 0.0722] for colour in both)
    assert (light + 0.05) / (dark + 0.05) > 4.4


def test_every_operation_has_a_colour_a_style_and_a_name():
    for operation in (*CELL.decisions[0].options, *DARTS.decisions[0].options):
        assert operation in plots.COLORS
        assert plots.style(operation, 0) == plots.style(operation, 1)
        assert plots.style("mine", 0) != plots.style("mine", 1)  # these take turns
        assert operation == "none" or plots.label(operation) != operation
    for space in CHAINS:
        arch = space.sample(np.random.default_rng(0))
        for _, kind in space.graph(arch).nodes(data="operation"):
            assert kind in plots.COLORS


def test_quantities():
    numbers = (0.5, 999, 4096, 73_306, 999_700, 7_783_000, 220_119_680, 1.2e9)
    words = ["0.5", "999", "4,096", "73.3 thousand", "1.00 million", "7.78 million"]
    assert [*map(plots.quantity, numbers)] == [*words, "220 million", "1.20 billion"]


def test_decisions_are_called_by_the_nodes_they_join():
    assert CELL.labels[3] == "input → output"
    assert DARTS.labels[-1] == "reduce: 2 → 3"
    assert spaces.mlp().labels[:2] == ["layers", "hidden 1"]


# ---- on the page -----------------------------------------------------------------------------


DRAWINGS = {
    "cell": lambda ax: plots.architecture(CELL, (1,) * 6, ax),
    "darts": lambda ax: plots.architecture(DARTS, spaces.DARTS_V2, ax),
    "chain": lambda ax: plots.architecture(spaces.mlp(), (1, 1, 1, 1, 1), ax),
    "one_hot": lambda ax: plots.one_hot(CELL, (1,) * 6, ax),
    "effects": lambda ax: plots.effects(CELL, np.ones((6, 5)), "", ax),
    "incumbent": lambda ax: plots.incumbent({"mine": [0.5]}, ax),
}


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
def test_every_drawing_uses_the_axes_it_is_given_and_leaves_settings_alone(draw, ax):
    before = dict(matplotlib.rcParams)
    assert draw(ax) is ax
    assert plt.get_fignums() == []
    draw(None)
    assert len(plt.get_fignums()) == 1
    assert dict(matplotlib.rcParams) == before


@pytest.fixture
def shown(monkeypatch):
    """What a notebook would be sent."""
    sent = []
    monkeypatch.setattr("IPython.get_ipython", lambda: object())
    monkeypatch.setattr("IPython.display.display", lambda data, raw: sent.append(data))
    return sent


def test_show_sends_one_image_with_its_text_and_closes_the_figure(shown):
    plots.show(plots.architecture(CELL, (1,) * 6), 'skips "only" <all>')
    plots.show(plt.figure(), "a figure")
    plots.show(plt.figure().subfigures(1, 2)[0].add_subplot(), "a part of one")
    data, *others = shown
    assert len(others) == 2
    for part in ('alt="skips &quot;only&quot; &lt;all&gt;"', "overflow-x:auto", "background:white"):
        assert part in data["text/html"]
    assert data["text/plain"] == 'skips "only" <all>'
    html = plots.image_html(Figure(figsize=(5, 2)), "empty", tight=False)
    assert 'width="480" height="192"' in html  # as the figure says
    assert plt.get_fignums() == []


def test_panels_stand_below_each_other_on_a_narrow_page_where_they_share_nothing():
    def sizes(figure):
        page = BeautifulSoup(plots.image_html(figure, "a < b", tight=False), "html.parser")
        assert [image["alt"] for image in page("img")][1:] == [""] * (len(page("img")) - 1)
        return [int(image["width"]) for image in page("img")]

    apart = plt.figure(figsize=(8, 3))
    for left in (0.1, 0.6):
        apart.add_axes((left, 0.2, 0.3, 0.6)).set_ylabel("accuracy")
    left, right = sizes(apart)
    assert left + right == pytest.approx(8 * 96, abs=2)
    assert left / right == pytest.approx(1, abs=0.2)
    apart.suptitle("What do both of these charts say, and does it stand below either of them?")
    assert sizes(apart) == [8 * 96]
    assert sizes(plt.subplots(1, 2, figsize=(8, 3), sharey=True)[0]) == [8 * 96]


def test_show_wants_words_for_those_who_cannot_see(ax):
    with pytest.raises(ValueError, match="alt is empty"):
        plots.show(ax, " ")
    with pytest.raises(TypeError, match="not a matplotlib"):
        plots.show("picture", "a text")


def test_a_table_has_numbers_at_the_right_on_the_page_and_in_a_terminal():
    rows = [("a < b", 0.98765, 1234), ("random", float("nan"), None), ("3×3", -0.5, "≈ 7")]
    shown = plots.table(rows, {"strategy": "", "accuracy": ".1%", "parameters": ","}, pointed=1)
    assert repr(shown).splitlines() == [
        "strategy  accuracy  parameters",
        "a < b        98.8%       1,234",
        "random           –           –",
        "3×3         -50.0%         ≈ 7",
    ]
    page = BeautifulSoup(shown._repr_html_(), "html.parser")
    for row, line in zip(page("tr"), repr(shown).splitlines(), strict=True):
        assert row.get_text().replace(" ", "") == line.replace(" ", "")
        sides = [dict(s.split(":") for s in cell["style"].split(";")) for cell in row.children]
        assert [side["text-align"] for side in sides] == ["left", "right", "right"]
    assert [row.has_attr("style") for row in page("tr")] == [False, False, True, False]


def test_a_table_says_which_row_does_not_fit():
    assert repr(plots.table([], ["a", "b"])) == "a  b"
    with pytest.raises(ValueError, match=r"needs 2 entries, one for each column: \(1,\)"):
        plots.table([(1, 2), (1,)], ["a", "b"])


def test_outside_of_a_notebook_show_only_closes_and_no_setting_changes():
    script = """if True:
        import matplotlib; matplotlib.use("agg")
        import matplotlib.pyplot as plt; before = dict(matplotlib.rcParams)
        from nas_lab import plots, spaces
        plots.show(plots.architecture(spaces.nasbench201(), (1,) * 6), "skips")
        print(plt.get_fignums(), dict(matplotlib.rcParams) == before)"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[] True\n", "")
