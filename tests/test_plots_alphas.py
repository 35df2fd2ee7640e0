"""Pictures of weights over time are as wide and as high as these; films play by themselves."""

import base64
import collections.abc
import io
import re
import shutil
import subprocess
import weakref

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image, ImageChops, ImageDraw, ImageSequence

from nas_lab import plots, spaces
from nas_lab.plots import films
from nas_lab.plots.alphas import changes, thinned

CELL, DARTS = spaces.nasbench201(), spaces.darts()
SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def weights(space, steps=None, seed=0):
    """Random rows that add up to one: [D, K], or [steps, D, K]."""
    shape = space.mask.shape if steps is None else (steps, *space.mask.shape)
    drawn = np.random.default_rng(seed).exponential(size=shape)
    return drawn / drawn.sum(axis=-1, keepdims=True)


# ---- the cell --------------------------------------------------------------------------------


def mixed(space, w, arch=None, cell="normal"):
    figure = Figure(figsize=(6, 3))
    drawn = plots.MixedCell(figure.add_axes((0, 0, 1, 1)), space, cell)
    drawn.update(w, arch)
    return drawn


def widths(drawn):
    """Width of each stripe at its start, [E, K], from the corners that are painted."""
    corners = np.array([path.vertices[:-1] for path in drawn._ribbons.get_paths()])
    half = corners.shape[1] // 2
    across = np.linalg.norm(corners[:, 0] - corners[:, 2 * half - 1], axis=1)
    return across.reshape(-1, len(drawn.operations))


@settings(deadline=None, max_examples=20)
@given(SEEDS, st.sampled_from([(CELL, "normal"), (DARTS, "normal"), (DARTS, "reduce")]))
def test_stripes_are_as_wide_as_their_weights(seed, which):
    space, cell = which
    w = weights(space, seed=seed)
    drawn = mixed(space, w, cell=cell)
    rows = w[14:] if cell == "reduce" else w[: len(w) if space is CELL else 14]
    expected = rows * drawn.layout.ribbon
    expected[:, 0] = 0  # 'none', the first operation of both spaces
    assert widths(drawn) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("space", [CELL, DARTS])
def test_stripes_have_the_colours_of_their_operations(space):
    drawn = mixed(space, weights(space))
    options = [str(option) for option in space.decisions[0].options]
    full = [plt.matplotlib.colors.to_rgb(plots.COLORS[option]) for option in options]
    tints = drawn._ribbons.get_facecolor()[:, :3].reshape(-1, len(options), 3)
    assert (tints == np.array(full)).all()


def test_what_is_left_out_is_pale():
    arch = DARTS.sample(np.random.default_rng(1))
    drawn = mixed(DARTS, weights(DARTS), arch)
    lightness = drawn._ribbons.get_facecolor()[:, :3].reshape(14, 8, 3).min(axis=(1, 2))
    kept = np.array(arch[:14]) != 0
    assert lightness[~kept].min() > 0.7
    assert lightness[kept].max() < 0.1


def test_each_edge_of_the_small_cell_names_its_strongest_operation():
    w = weights(CELL)
    names = [name.get_text() for name in mixed(CELL, w)._names]
    for row, name in zip(w, names, strict=True):
        option = CELL.decisions[0].options[int(row.argmax())]
        assert name == f"{plots.label(option)} {row.max():.2f}"
    even = mixed(CELL, np.full((6, 5), 0.2))
    assert not any(name.get_visible() for name in even._names)


def test_names_overlap_neither_each_other_nor_a_node():
    ax = plots.mixed_cell(CELL, np.eye(5)[[4, 4, 4, 4, 4, 4]])
    ax.figure.canvas.draw()
    named = [text for text in ax.texts if re.search(r"\d\.\d\d$", text.get_text())]
    assert len(named) == 6
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_a_cell_that_is_not_there_is_refused():
    with pytest.raises(TypeError, match="has no cell to draw"):
        plots.mixed_cell(spaces.mlp(), np.ones((2, 2)))
    with pytest.raises(ValueError, match="there are normal, reduce"):
        plots.mixed_cell(DARTS, weights(DARTS), cell="other")
    with pytest.raises(ValueError, match="shape"):
        plots.mixed_cell(CELL, np.ones((5, 6)))


# ---- lines -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("space", "cell", "first"), [(CELL, "normal", 0), (DARTS, "reduce", 14)])
def test_every_edge_has_a_chart_and_every_operation_a_line(space, cell, first):
    w = weights(space, steps=9)
    figure = plots.alphas(space, w, cell=cell)
    charts = [ax for ax in figure.axes if ax.get_title(loc="left")]
    names = [name.split(": ")[-1] for name in plots.decision_labels(space)]
    count = 6 if space is CELL else 14
    assert [ax.get_title(loc="left") for ax in charts] == names[first : first + count]
    for edge, ax in enumerate(charts, first):
        for k, option in enumerate(space.decisions[0].options):
            x, y = ax.lines[k].get_data()
            assert list(x) == list(range(1, 10))
            assert list(y) == list(w[:, edge, k])
            assert ax.lines[k].get_color() == plots.COLORS[option]


def test_a_film_of_lines_keeps_its_limits_and_moves_its_cursor():
    axes = [Figure().add_subplot() for _ in range(6)]
    lines = plots.AlphaLines(axes, CELL, steps=100, high=0.5)
    limits = [(ax.get_xlim(), ax.get_ylim()) for ax in axes]
    lines.update(weights(CELL, steps=40), 17)
    assert [(ax.get_xlim(), ax.get_ylim()) for ax in axes] == limits == [((0, 100), (0, 0.5))] * 6
    assert all(list(ax.lines[-1].get_xdata()) == [17, 17] for ax in axes)
    lines.update(weights(CELL, steps=40))
    assert not any(ax.lines[-1].get_visible() for ax in axes)


def test_raw_alphas_have_an_axis_of_their_own():
    figure = plots.alphas(CELL, np.random.default_rng(0).normal(size=(5, 6, 5)), ylabel="α")
    low, high = figure.axes[0].get_ylim()
    assert low < -1
    assert high > 1


@pytest.mark.parametrize("shape", [(0, 6, 5), (6, 5), (3, 5, 6)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"\[T, 6, 5\]"):
        plots.alphas(CELL, np.ones(shape))


def test_decisions_with_different_options_have_no_common_legend():
    space = spaces.conv_chain(2)
    with pytest.raises(ValueError, match="different options"):
        plots.alphas(space, np.ones((2, *space.mask.shape)))


@pytest.mark.parametrize(
    ("high", "top"), [(0.2, 0.3), (0.295, 0.5), (0.48, 0.5), (0.6, 1.0), (1.0, 1.0)]
)
def test_weights_have_a_round_upper_end(high, top):
    assert plots.weight_limits(np.array([0.1, high])) == (0, top)


@given(st.integers(0, 5000))
def test_long_lines_are_thinned_and_keep_their_ends(steps):
    places = thinned(steps)
    assert len(places) == len(set(places.tolist())) <= 240
    if steps:
        assert (places[0], places[-1]) == (0, steps - 1)
    if steps <= 240:
        assert places.tolist() == list(range(steps))


@given(st.lists(st.sampled_from([0.1, 0.2, float("nan")]), max_size=30))
def test_a_line_of_steps_needs_only_its_changes(values):
    values = np.array(values)
    kept = changes(values)
    rebuilt = values[kept][np.searchsorted(kept, np.arange(len(values)))] if len(kept) else values
    np.testing.assert_array_equal(rebuilt, values)


def test_the_true_line_is_at_the_worth_and_below_its_range_at_the_floor():
    ax = Figure().add_subplot()
    line = plots.TruthLine(ax, 10, best=0.9, low=0.5)
    line.update(np.array([0.1, 0.6, 0.6, 0.8]), 3)
    assert line._line.get_xydata().tolist() == [[1, 0.5], [2, 0.6], [3, 0.6], [4, 0.8]]
    assert line._dot.get_xydata().tolist() == [[3, 0.6]]
    line.update(np.array([]), 0)
    assert not line._dot.get_visible()
    assert ax.get_xlim() == (0, 10)


# ---- films -----------------------------------------------------------------------------------


def pictures(n=6, size=(120, 60)):
    """A ball on its way to the right."""
    made = []
    for i in range(n):
        picture = Image.new("RGB", size, "white")
        x = 10 + i * (size[0] - 30) // n
        ImageDraw.Draw(picture).ellipse([x, 20, x + 15, 35], fill=plots.COLORS["nor_conv_3x3"])
        made.append(picture)
    return made


def near(a, b, most=12):
    """Whether two pictures look alike."""
    return np.abs(np.asarray(a, dtype=int) - np.asarray(b, dtype=int)).max() <= most


def test_a_gif_has_all_pictures_in_their_time(tmp_path):
    path = plots.save_film(pictures(), tmp_path / "film.gif", seconds=3)
    with Image.open(path) as film:
        shown = [(f.convert("RGB"), f.info["duration"]) for f in ImageSequence.Iterator(film)]
        assert film.info["loop"] == 0
    assert [duration for _, duration in shown] == [500] * 5 + [1500]
    assert all(near(got, picture) for (got, _), picture in zip(shown, pictures(), strict=True))


def test_a_page_holds_every_picture_and_nothing_from_outside(tmp_path):
    path = plots.save_film(pictures(), tmp_path / "film.html", alt='a "ball"')
    page = path.read_text("utf-8")
    assert not re.search(r"(https?:)?//\w|@\w+@|import|src=\"(?!data:)", page.split("base64", 1)[0])
    assert "http" not in re.sub(r"[A-Za-z0-9+/=]{200,}", "", page)
    assert 'alt="a &quot;ball&quot;"' in page
    first = picture_of(re.search(r'src="data:image/png;base64,([^"]+)"', page)[1])
    layers = re.findall(r'"([A-Za-z0-9+/=]{60,})"', page.split("const layers")[1])
    assert len(layers) == 6
    for layer, picture in zip(layers, pictures(), strict=True):
        shown = Image.alpha_composite(first, picture_of(layer)).convert("RGB")
        assert near(shown, picture)


def picture_of(encoded):
    return Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGBA")


@pytest.mark.parametrize("suffix", ["gif", "html"])
def test_a_film_that_is_too_large_loses_every_second_picture(tmp_path, monkeypatch, suffix):
    rng = np.random.default_rng(0)
    noise = [Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)) for _ in range(9)]
    whole = plots.save_film(noise, tmp_path / f"whole.{suffix}").stat().st_size
    monkeypatch.setattr(films, "LIMIT", whole // 2)
    assert plots.save_film(noise, tmp_path / f"film.{suffix}").stat().st_size <= whole // 2
    monkeypatch.setattr(films, "LIMIT", 100)
    with pytest.raises(ValueError, match="make pictures smaller"):
        plots.save_film(noise, tmp_path / f"film.{suffix}")


def test_pictures_that_are_drawn_on_demand_are_not_kept(tmp_path):
    drawn = []

    class Drawn(collections.abc.Sequence):
        def __len__(self):
            return 20

        def __getitem__(self, place):
            picture = pictures(20)[place]
            drawn.append(weakref.ref(picture))
            assert sum(each() is not None for each in drawn) <= 4  # three make the palette
            return picture

    path = plots.save_film(Drawn(), tmp_path / "film.gif")
    with Image.open(path) as film:
        assert film.n_frames == 20


def test_what_makes_no_film_is_said(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"films are .gif, .html or .mp4"):
        plots.save_film(pictures(), tmp_path / "film.avi")
    with pytest.raises(ValueError, match="no picture"):
        plots.save_film([], tmp_path / "film.gif")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match=r"ffmpeg, which is not there: save a \.gif"):
        plots.save_film(pictures(), tmp_path / "film.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="there is no ffmpeg")
def test_a_video_shows_the_last_picture_at_its_end(tmp_path):
    path = plots.save_film(pictures(), tmp_path / "film.mp4", seconds=3)
    still = tmp_path / "last.png"
    command = ["ffmpeg", "-loglevel", "error", "-sseof", "-0.4", "-i", path, "-update", "1", still]
    subprocess.run(command, check=True)
    with Image.open(still) as shown:
        apart = ImageChops.difference(shown.convert("RGB"), pictures()[-1])
    assert np.asarray(apart).mean() < 8


# ---- over seeds ------------------------------------------------------------------------------


def test_what_ways_find_is_a_dot_a_seed_and_a_bar_for_the_median():
    found = {"Darts": np.array([0.7, 0.75, 0.9]), "new": np.array([0.5, 0.5, 0.5])}
    ax = plots.spreads(found, title="?", baseline="new", reference=(0.6, "median"))
    assert [text.get_text() for text in ax.get_yticklabels()] == ["new", "DARTS"]  # best on top
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [sorted(line.get_xdata()) for line in dots] == [[0.5] * 3, [0.7, 0.75, 0.9]]
    assert len(set(dots[0].get_ydata())) == 3  # equal ones are seen
    bars = [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_linewidth() > 2]
    assert [line.get_xdata()[0] for line in bars] == [0.5, 0.75]
    assert len({line.get_color() for line in bars}) == 2
    assert [text.get_text() for text in ax.texts] == ["median"]


def test_what_is_too_low_is_an_arrowhead_at_the_edge():
    ax = plots.spreads({"new": np.array([0.1, 0.8, 0.1, 0.7])}, title="?", low=0.6)
    marks = {line.get_marker(): sorted(line.get_xdata()) for line in ax.lines}
    assert marks["<"] == [0.6, 0.6]
    assert marks["o"] == [0.7, 0.8]
    assert ax.get_xlim()[0] == 0.6
    values = np.array([[0.1, 0.7], [0.8, 0.9]])
    look = {"title": "?", "xlabel": "steps", "ylabel": "accuracy"}
    assert plots.medians([1, 2], {"a": values}, low=0.5, **look).get_ylim()[0] == 0.5


def test_medians_are_thick_and_each_seed_is_a_thin_line():
    values = np.array([[0.1, 0.4, 0.2], [0.3, 0.2, 0.8]])
    look = {"title": "?", "xlabel": "steps", "ylabel": "accuracy"}
    ax = plots.medians([1, 2, 3], {"a": values}, reference=(0.5, "half"), **look)
    median, *seeds = ax.lines[:3]
    np.testing.assert_allclose(median.get_ydata(), [0.2, 0.3, 0.5])
    for line, value in zip(seeds, values, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), value)
        assert line.get_linewidth() < median.get_linewidth()
