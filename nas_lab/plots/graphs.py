"""Networks as graphs: cells, chains of layers, and cells whose edges are mixtures of operations.

A ``_Graph`` says where nodes and edges are and what is written on them; ``_draw`` draws it. Each
family of spaces has a function that places its nodes: ``_cell_201``, ``_cells_darts``, ``_chain``.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib.pyplot as plt
import networkx
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Patch, PathPatch
from matplotlib.path import Path

from nas_lab.plots import theme
from nas_lab.plots.theme import INK, TEXT, canvas, color, label, legend, text_on, write
from nas_lab.spaces.base import Arch, Skeleton, Space
from nas_lab.spaces.cells import CELLS_DARTS, NODES_201, STATES_DARTS, Darts, NasBench201
from nas_lab.spaces.chains import path_graph

Point = tuple[float, float]
Box = tuple[float, float, float, float]
Edge = tuple[int, int]

_BOX, _CIRCLE = (0.68, 0.36), (0.38, 0.38)


@dataclass
class _Graph:
    """A graph as it is drawn, in inches."""

    box: Box  # what it covers (left, bottom, right, top)
    nodes: list[tuple[Point, Point, str, str]] = field(default_factory=list)
    """Centre, size, text and kind; a node of the kind "add" is a circle."""
    edges: list[tuple[Path, str, Point | None]] = field(default_factory=list)
    """Course, operation, and where the operation is written, if it is."""
    texts: dict[Point, str] = field(default_factory=dict)
    """Titles, by the place of their lower left corner."""


def _draw(graph: _Graph, ax: Axes | None, pointed: int | None = None) -> Axes:
    """Draw a graph; one of its edges may be pointed at."""
    ax, scale = canvas(ax, graph.box)
    for node in graph.nodes:
        _node(ax, *node, scale)
    for i, (path, operation, spot) in enumerate(graph.edges):
        if i == pointed:
            behind = PathPatch(path, fill=False, capstyle="round", zorder=1)
            ax.add_artist(behind).set(edgecolor=theme.HIGHLIGHT, linewidth=11 * scale)
        _arrow(ax, path, operation, scale)
        if spot and (operation != "none" or i == pointed):
            _pill(ax, spot, label(operation), color(operation), scale, i == pointed)
    for (x, y), text in graph.texts.items():
        ax.text(x, y, text, fontsize=(TEXT + 0.5) * scale, color=INK, fontweight="bold")
    return ax


def _node(ax: Axes, center: Point, size: Point, text: str, kind: str, scale: float) -> list[Artist]:
    """A rounded box in the colour of ``kind``, or a circle, with a text inside."""
    (x, y), (width, height), fill = center, size, color(kind)
    shape = f"round,pad=0,rounding_size={height / 2 if kind == 'add' else 0.08}"
    patch = FancyBboxPatch((x - width / 2, y - height / 2), width, height, boxstyle=shape, zorder=4)
    patch.set(facecolor=fill, edgecolor=INK, linewidth=1.1 * scale)
    ax.add_artist(patch)
    va = "center" if "\n" in text else "center_baseline"
    look = {"fontsize": 0.95 * TEXT * scale, "color": text_on(fill), "va": va, "zorder": 5}
    return [patch, write(ax, x, y, text, **look)]


def _arrow(ax: Axes, path: Path, operation: str, scale: float) -> Artist:
    """An arrow in the style of an operation; a faint line without a head for 'none'."""
    look = theme.line_look(operation)
    size = (9 + 1.3 * look["linewidth"]) * scale
    look |= {"linewidth": look["linewidth"] * scale, "joinstyle": "miter", "zorder": 2}
    head = "-" if operation == "none" else "-|>,head_length=0.5,head_width=0.28"
    return ax.add_artist(FancyArrowPatch(path=path, arrowstyle=head, mutation_scale=size, **look))


def _pill(ax: Axes, at: Point, text: str, fill: Any, scale: float, pointed: bool = False) -> Any:
    """A text on its colour, in the middle of its edge."""
    edge, width = (INK, 2.4) if pointed else ("white", 1.2)
    shape = "round,pad=0.28,rounding_size=0.5"
    frame = {"boxstyle": shape, "fc": fill, "ec": edge, "lw": width * scale}
    font, ink = 0.95 * TEXT * scale, text_on(fill)
    return write(ax, *at, text, bbox=frame, fontsize=font, color=ink, zorder=6)


def _rounded(points: Sequence[Point], radius: float = 0.07) -> Path:
    """The path through ``points``, its corners rounded where the sides are long enough."""

    def towards(a: Any, b: Any) -> Any:
        return a + min(radius / max(math.dist(a, b), 1e-9), 0.5) * (b - a)

    given = np.array(points)
    vertices, codes = [given[0]], [Path.MOVETO]
    for before, corner, after in zip(given, given[1:], given[2:], strict=False):
        vertices += [towards(corner, before), corner, towards(corner, after)]
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    return Path([*vertices, given[-1]], [*codes, Path.LINETO])


_POINTS = 32


_X = (0.0, 1.78, 3.36, 5.14)  # of the nodes, from left to right
_ENDS = (0, 3)  # nodes that are boxes; the others are circles


@dataclass(frozen=True)
class _Row:
    """The nodes of NAS-Bench-201 in a row with an arc for each edge, in inches."""

    rises: Mapping[Edge, float]  # of an edge's middle above the row; no two edges cross

    @property
    def box(self) -> Box:
        """What nodes, arcs and names cover."""
        low, high = min(self.rises.values()), max(self.rises.values())
        return (_X[0] - 0.42, low - 0.21, _X[-1] + 0.42, high + 0.18)

    def curve(self, edge: Edge) -> np.ndarray:
        """Points [P, 2] of a quadratic Bezier curve, evenly apart, from rim to rim."""
        start, end = (_X[node] for node in edge)
        corner = (start + end) / 2, 2 * self.rises[edge]
        t = np.linspace(0, 1, 401)[:, None]
        curve = (1 - t) ** 2 * (start, 0) + 2 * t * (1 - t) * corner + t**2 * (end, 0)
        curve = curve[~self._covers(edge[0], curve, 0.0) & ~self._covers(edge[1], curve, 0.03)]
        length = np.r_[0, np.cumsum(np.hypot(*np.diff(curve, axis=0).T))]
        even = np.linspace(0, length[-1], _POINTS)
        return np.stack([np.interp(even, length, axis) for axis in curve.T], axis=1)

    def _covers(self, node: int, points: np.ndarray, margin: float) -> np.ndarray:
        """Which points a node covers, with a margin around it."""
        away = abs(points - (_X[node], 0))
        if node in _ENDS:
            return np.all(away < np.array(_BOX) / 2 + margin, axis=1)
        return np.linalg.norm(away, axis=1) < _CIRCLE[0] / 2 + margin

    def graph(self, operations: Mapping[Edge, str]) -> _Graph:
        """The row with an operation on each of the edges that are given."""
        graph = _Graph(self.box)
        for node, (x, text) in enumerate(zip(_X, NODES_201, strict=True)):
            kind, size = ("image", _BOX) if node in _ENDS else ("add", _CIRCLE)
            graph.nodes.append(((x, 0), size, text, kind))
        for edge, operation in operations.items():
            curve = self.curve(edge)
            x, y = curve[_POINTS // 2 - 1 : _POINTS // 2 + 1].mean(axis=0).tolist()
            spot = (x - (0 if self.rises[edge] else 0.04), self.rises[edge] and y)
            graph.edges.append((Path(curve), operation, spot))
        return graph


_RISES_201 = {(0, 1): 0.0, (0, 2): 0.52, (1, 2): 0.0, (0, 3): 1.02, (1, 3): -0.52, (2, 3): 0.0}
_ROW_201 = _Row(_RISES_201)
_MIXED = _Row(_RISES_201 | {(0, 2): 0.66, (0, 3): 1.34, (1, 3): -0.78})  # room for high labels
_MIXED_BOX = (_X[0] - 0.42, -1.2, _X[-1] + 0.42, 1.76)
_RIBBON = 0.22  # width of an edge whose weights add up to one


def _cell_201(graph: networkx.DiGraph, *, low: bool = False) -> _Graph:
    """The cell of NAS-Bench-201; ``low`` arcs are as low as the operations that are there allow."""
    operations = dict.fromkeys(_RISES_201, "none")
    operations |= {edge: graph.edges[edge]["operation"] for edge in graph.edges}
    if not low:
        return _ROW_201.graph(operations)
    inner, under, outer = (edge in graph.edges for edge in ((0, 2), (1, 3), (0, 3)))
    first, second = 0.46 if inner else 0.32, -0.46 if under else -0.38
    third = first + (0.38 if outer else 0.3 if inner else 0.24)
    rises = {**_RISES_201, (0, 2): first, (1, 3): second, (0, 3): third}
    drawn = _Row(rises).graph(operations)
    left, _, right, _ = drawn.box  # half a name, or half a line, beyond its outer arcs
    bottom, top = second - (0.16 if under else 0.04), third + (0.16 if outer else 0.04)
    drawn.box = (left, bottom, right, top)
    return drawn


_INPUT = (0.84, 0.52)
_RADIUS = _CIRCLE[0] / 2
_FIRST, _PITCH = 1.56, 1.62  # left side of the first node's operations; from one node to the next
_NAME, _SUM = 0.42, 1.1  # from there to the middle of the operations, and to the node
_PLACE = 0.25  # operations are so far above and below the row of nodes
_HEIGHT = 0.95  # of half a cell


def _cells_darts(graph: networkx.DiGraph) -> _Graph:
    """The normal cell of DARTS above the reduction cell.
    Each node sums the operations at its left, one above the row of nodes and one below. What passes
    over other nodes has a level of its own, the higher the further it goes; so no edge runs through
    a name."""
    drawn = _Graph((-0.05, -4 * _HEIGHT - 0.5, _FIRST + 4 * _PITCH + 0.76, 0))
    end = _x_darts(6)
    for number, (cell, title) in enumerate(zip(CELLS_DARTS, ("normal", "reduction"), strict=True)):
        y = -0.25 - _HEIGHT - number * (2 * _HEIGHT + 0.22)
        drawn.texts[0, y + _HEIGHT + 0.03] = f"{title} cell"
        for name, above in (("cell k−2", 0.5), ("cell k−1", -0.5)):
            drawn.nodes.append(((_INPUT[0] / 2, y + above), _INPUT, name, "image"))
        drawn.nodes.append(((end, y), _BOX, "output", "output"))
        for node in range(2, 6):  # and its way to the output
            x, under = _x_darts(node), y - _HEIGHT + 0.1
            drawn.nodes.append(((x, y), _CIRCLE, STATES_DARTS[node], "add"))
            way = [(x, y - _RADIUS), (x, under), (end, under), (end, y - _BOX[1] / 2)]
            if node == 5:
                way = [(x + _RADIUS, y), (end - _BOX[0] / 2, y)]
            drawn.edges.append((_rounded(way), "concat", None))
        for node in range(2, 6):
            lower, upper = sorted(source for _, source in graph.predecessors((cell, node)))[::-1]
            sides = {upper: 1, lower: -1} if upper != 1 else {upper: -1, lower: 1}
            for source, side in sides.items():
                operation = graph.edges[(cell, source), (cell, node)]["operation"]
                course, spot = _course_darts(source, node, side)
                path = _rounded([(a, y + b) for a, b in course])
                drawn.edges.append((path, operation, (spot[0], y + spot[1])))
    return drawn


def _x_darts(node: int) -> float:
    return _FIRST + _PITCH * (node - 2) + (_SUM if node < 6 else 0.38)


def _course_darts(source: int, node: int, side: int) -> tuple[list[Point], Point]:
    """The course of an edge around the names of others, and where its own name stands."""
    left, end, place = _x_darts(node) - _SUM, _x_darts(node), side * _PLACE
    passes = node > 2 and source < node - 1
    level = side * (0.44 + 0.115 * (node - 3)) if passes else place if source < 2 else 0.0
    turn, x = left - (0.16 if passes else 0.2), _x_darts(source)
    if source < 2:
        start = [(_INPUT[0], level)]
    elif passes:
        start = [(x + 0.07 * (6 - node), y) for y in (side * 0.12, level)]
    else:
        start = [(x + _RADIUS, level)]
    rim = (end - 0.8 * _RADIUS, side * 0.6 * _RADIUS)
    course = [*start, (turn, level), (turn, place), (left + 2 * _NAME, place), rim]
    return course, (left + _NAME, place)


_LAYER, _STEP, _PER_ROW = (0.8, 0.46), 0.93, 10


def _chain(graph: networkx.DiGraph) -> _Graph:
    """Layers in a row, wrapped where there are more than ten.
    Arcs above the boxes lead to a layer further on, arcs below to the output."""
    edges = sorted(networkx.convert_node_labels_to_integers(graph).edges)
    n, half = len(graph), _LAYER[1] / 2
    per_row = math.ceil(n / math.ceil(n / _PER_ROW))

    def side(edge: Edge) -> int:
        return 0 if edge[1] == edge[0] + 1 else -1 if edge[1] == n - 1 else 1

    def rise(edge: Edge) -> float:
        return 0.14 + 0.16 * (edge[1] - edge[0] - 1)

    rows, y = [], 0.0
    arcs = [e for e in edges if side(e) and e[0] // per_row == e[1] // per_row]
    for row in range(math.ceil(n / per_row)):
        here = [e for e in arcs if e[0] // per_row == row]
        above, below = (max((rise(e) for e in here if side(e) == s), default=0.0) for s in (1, -1))
        rows.append(y - above - half)
        y = rows[-1] - half - below - 0.45
    at = [(i % per_row * _STEP, rows[i // per_row]) for i in range(n)]
    right = (per_row - 1) * _STEP + _LAYER[0] / 2 + 0.05
    drawn = _Graph((-_LAYER[0] / 2 - 0.05, y + 0.4, right, 0.05))
    for look, center in zip(graph.nodes.values(), at, strict=True):
        lines = textwrap.wrap(label(look["label"]), width=9, break_long_words=False)
        text = "\n".join(line.rstrip(",") for line in lines)
        drawn.nodes.append((center, _LAYER, text, look["operation"]))
    for a, b in edges:
        (x, y), (x_end, y_end) = at[a], at[b]
        if (a, b) in arcs:
            alike = [e for e in arcs if side(e) == side((a, b))]
            x += _port(b, sorted(e[1] for e in alike if e[0] == a))
            x_end -= _port(a, sorted((e[0] for e in alike if e[1] == b), reverse=True))
            y += side((a, b)) * half
            top, inward = y + side((a, b)) * rise((a, b)) * 4 / 3, 0.5 * (x_end - x) / (b - a)
            path = _cubic([(x, y), (x + inward, top), (x_end - inward, top), (x_end, y)])
        elif y == y_end:
            path = Path([(x + _LAYER[0] / 2, y), (x_end - _LAYER[0] / 2, y)])
        elif side((a, b)):  # an S between the rows
            start, end, middle = y - half, y_end + half, (y + y_end) / 2
            x, x_end = x + 0.12, x_end + 0.12
            path = _cubic([(x, start), (x, middle), (x_end, middle), (x_end, end)])
        else:
            gap = y - half - 0.15
            path = _rounded([(x, y - half), (x, gap), (x_end, gap), (x_end, y_end + half)], 0.12)
        drawn.edges.append((path, "layer", None))
    return drawn


def _cubic(points: Sequence[Point]) -> Path:
    return Path(points, [Path.MOVETO] + [Path.CURVE4] * 3)


def _port(end: int, ends: Sequence[int]) -> float:
    """How far from the middle of a box an arc is tied: the longest is nearest to it."""
    return 0.34 - min(0.09, 0.32 / len(ends)) * ends.index(end)


def architecture(
    space: Space, arch: Arch, ax: Axes | None = None, highlight: int | None = None
) -> Axes:
    """Draw an architecture of any space as a graph.
    In a cell of NAS-Bench-201, an edge whose operation is 'none' gives nothing; it is a faint
    dotted line. There ``highlight`` is the edge to point at, by its place in ``arch``."""
    graph = space.graph(arch)
    if isinstance(space, NasBench201):
        return _draw(_cell_201(graph), ax, highlight)
    return _draw(_cells_darts(graph) if isinstance(space, Darts) else _chain(graph), ax)


def skeleton(around: Skeleton, ax: Axes | None = None) -> Axes:
    """Draw the network around a cell of NAS-Bench-201: boxes say channels and sizes they give."""
    channels, size = around.channels, -(-around.resolution // around.stem_stride)
    layers = [(f"stem {channels}x{size}x{size}", "conv")]
    times = f" x{around.cells}" if around.cells > 1 else ""
    for stage in range(around.stages):
        if stage:
            channels, size = 2 * channels, -(-size // 2)
            layers.append((f"reduce {channels}x{size}x{size}", "conv"))
        layers.append((f"cell{times} {channels}x{size}x{size}", "searched"))
    layers.append((f"dense {around.classes}", "linear"))
    image = f"image {around.in_channels}x{around.resolution}x{around.resolution}"
    return _draw(_chain(path_graph("skeleton", layers, start=image)), ax)


def cells(space: Space, archs: Sequence[Arch], titles: Sequence[str]) -> Figure:
    """Draw several cells of NAS-Bench-201, one below the other, each under its title."""
    if not archs or len(archs) != len(titles):
        raise ValueError(f"{len(archs)} cells and {len(titles)} titles: give a title for each cell")
    graphs = [_cell_201(space.graph(arch), low=True) for arch in archs]
    for graph, title in zip(graphs, titles, strict=True):
        left, bottom, right, top = graph.box
        graph.texts[left + 0.07, top + 0.05] = title
        graph.box = (left, bottom, right, top + 0.28)
    heights = [graph.box[3] - graph.box[1] for graph in graphs]
    figure = plt.figure(figsize=(right - left, sum(heights)), facecolor="white")
    y = total = sum(heights)
    for graph, height in zip(graphs, heights, strict=True):
        y -= height
        _draw(graph, figure.add_axes((0, y / total, 1, height / total)))
    return figure


class MixedCell:
    """A cell of NAS-Bench-201 with weights ``w``, on axes that are kept while they change.
    Each edge is a ribbon with a stripe for each operation, in its colour and as wide as its weight.
    'none' gives nothing, so it has no stripe: the edge gets thinner. A label names the operation
    with the largest weight of the edge."""

    def __init__(self, ax: Axes, space: Space) -> None:
        if not isinstance(space, NasBench201):
            raise TypeError(f"{space.name} has no cell to draw as a mixture")
        self.operations = tuple(str(option) for option in space.decisions[0].options)
        self._shape = space.mask.shape
        ax, scale = canvas(ax, _MIXED_BOX)
        self._curves = np.array([_MIXED.curve(edge) for edge in _RISES_201])  # [E, P, 2]
        dx, dy = np.moveaxis(np.gradient(self._curves, axis=1), 2, 0)
        self._normals = np.stack([-dy, dx], axis=2) / np.hypot(dx, dy)[:, :, None]
        self._full = np.array([to_rgb(color(op)) for op in self.operations])
        self._ribbons = ax.add_collection(PolyCollection([], zorder=2, linewidths=0))
        above: list[Artist] = []
        for curve in self._curves:
            _arrow(ax, Path(curve), "none", scale).set_zorder(1)
            last = curve[-1] + 0.03 * (curve[-1] - curve[-2]) / math.dist(curve[-1], curve[-2])
            above.append(_arrow(ax, Path([*curve[-2:-1], last]), "concat", scale))
        for node in _MIXED.graph({}).nodes:
            above += _node(ax, *node, max(1.0, scale))
        middles = self._curves[:, _POINTS // 2 - 1].tolist()
        # Twenty pixels, so that 14 are left of them on the narrowest page.
        self._names = [_pill(ax, (x, y), "", "white", 1.51) for x, y in middles]
        for name in self._names:
            name.set(linespacing=0.95, va="center")
        self.moving: list[Artist] = [self._ribbons, *above, *self._names]  # back to front

    def update(self, w: np.ndarray) -> None:
        """Show weights [D, K]."""
        shown = np.clip(np.asarray(w, dtype=float), 0, None)
        if shown.shape != self._shape:
            raise ValueError(f"w has shape {shown.shape}; the space's is {self._shape}")
        tints = np.tile(self._full, (len(shown), 1))
        self._ribbons.set(verts=list(self._stripes(shown)), facecolor=tints)
        for name, row in zip(self._names, shown, strict=True):
            best = int(row.argmax())
            said, hue = f"{label(self.operations[best])} {row[best]:.2f}", self._full[best]
            name.set(
                visible=row.max() > row.min(), text=said.replace(" ", "\n"), color=text_on(hue)
            )
            name.get_bbox_patch().set_facecolor(hue)

    def _stripes(self, w: np.ndarray) -> np.ndarray:
        """Corners of the stripes [E * K, 2P, 2]: side by side, in the middle of their edge."""
        widths = w * _RIBBON
        widths[:, [op == "none" for op in self.operations]] = 0
        upper = np.cumsum(widths, axis=1) - widths.sum(axis=1, keepdims=True) / 2
        offsets = np.stack([upper - widths, upper])[..., None, None]
        below, above = self._curves[:, None] + offsets * self._normals[:, None]
        outline = np.concatenate([below, above[:, :, ::-1]], axis=2)
        return outline.reshape(-1, 2 * _POINTS, 2)


def mixed_cell(space: Space, w: np.ndarray, *, title: str = "") -> Axes:
    """Draw a cell of NAS-Bench-201 whose operations are as wide as their weights, and a legend."""
    ax, _ = canvas(None, _MIXED_BOX)
    MixedCell(ax, space).update(w)
    ax.set_title(title, fontsize=TEXT + 1, color=INK, loc="left")
    names = [str(op) for op in space.decisions[0].options if op != "none"]
    patches = [Patch(facecolor=color(name), label=label(name)) for name in names]
    look: dict[str, Any] = {"handlelength": 1.2, "columnspacing": 1.0, "handletextpad": 0.5}
    look |= {"loc": "upper center", "bbox_to_anchor": (0.5, 0.02), "ncols": len(names)}
    legend(ax, handles=patches, **look)
    return ax
