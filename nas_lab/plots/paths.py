"""Lines with round corners."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.path import Path

Point = tuple[float, float]


def rounded(points: Sequence[Point], radius: float) -> Path:
    """The path through ``points``, its corners rounded where the sides are long enough."""
    vertices, codes = [points[0]], [Path.MOVETO]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        vertices += [towards(corner, before, radius), corner, towards(corner, after, radius)]
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    return Path([*vertices, points[-1]], [*codes, Path.LINETO])


def towards(a: Point, b: Point, distance: float) -> Point:
    """The point at ``distance`` from ``a`` on the way to ``b``, half way at most."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = max((dx * dx + dy * dy) ** 0.5, 1e-9)
    part = min(distance / length, 0.5)
    return (a[0] + part * dx, a[1] + part * dy)
