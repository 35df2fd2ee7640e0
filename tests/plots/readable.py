"""Whether a picture can be read: where its texts are, and which arrows run through them."""

import itertools
import math

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyArrowPatch


def texts(ax):
    return [text.get_text() for text in ax.texts]


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
