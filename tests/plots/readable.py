"""Whether a picture can be read: where its texts are, and which arrows run through them."""

import io
import itertools
import math

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch
from matplotlib.text import Text

from nas_lab.history import Evaluation, History, Trial
from nas_lab.plots.page import PAGE
from nas_lab.spaces import nasbench201


def history(scores, costs=None, metric="macs"):
    """Trials of random cells with these scores."""
    kept = History(None, nasbench201())
    for i, score in enumerate(scores):
        macs = 1e6 * (i + 1) if costs is None else costs[i]
        arch = kept.space.sample(np.random.default_rng(i))
        kept.append(Trial(i, arch, Evaluation(score, 2.0, {metric: macs})))
    return kept


def weights(space, *steps, seed=0):
    """Random w [*steps, D, K] whose rows add up to one."""
    drawn = np.random.default_rng(seed).exponential(size=(*steps, *space.mask.shape))
    return drawn / drawn.sum(axis=-1, keepdims=True)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def said(labels):
    """Texts of tick labels or of a legend."""
    return [label.get_text() for label in labels]


def line(ax, label):
    return next(line for line in ax.lines if line.get_label().startswith(label))


def frames(ax):
    """Where texts are, with what is painted behind them, in pixels."""
    ax.figure.draw_without_rendering()
    renderer = ax.figure.canvas.get_renderer()
    painted = (text.get_bbox_patch() or text for text in ax.texts)
    return [each.get_window_extent(renderer) for each in painted]


def overlaps(boxes):
    return [
        (a, b)
        for a, b in itertools.combinations(boxes, 2)
        if a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1
    ]


def covered(figure):
    """Pairs of texts that cover each other, of all that a picture of the figure draws."""
    drawn, draw = {}, Text.draw

    def spy(text, renderer, *args, **options):
        draw(text, renderer, *args, **options)
        if text.get_visible() and text.get_text().strip():
            drawn[text] = text.get_window_extent(renderer).padded(-1.5)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", spy)
        figure.savefig(io.BytesIO(), dpi=PAGE)
    said = {id(box): text.get_text() for text, box in drawn.items()}
    return [(said[id(a)], said[id(b)]) for a, b in overlaps(drawn.values())]


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


def assert_readable(ax, through=0):
    """No text covers another or leaves the picture; arrows run only through their own label."""
    boxes = frames(ax)
    assert overlaps(boxes) == []
    size = ax.figure.bbox
    assert all(box.x0 >= 0 and box.y0 >= 0 for box in boxes)
    assert all(box.x1 <= size.x1 and box.y1 <= size.y1 for box in boxes)
    inside = [
        np.all((way > (box.x0, box.y0)) & (way < (box.x1, box.y1)), axis=1).any()
        for (_, way), box in itertools.product(courses(ax), boxes)
    ]
    assert sum(inside) == through
    plt.close(ax.figure)
