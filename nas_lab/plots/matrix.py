"""A matrix of fields with a row for each decision: ``w[D, K]``, effects, and shares of variance.
And the matrices of a transformer, of which smaller ones are slices."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.patches import Rectangle

from nas_lab.plots import theme
from nas_lab.plots.theme import TEXT, canvas, color, label, new_axes, text_on, write
from nas_lab.spaces.base import Arch, Skeleton, Space
from nas_lab.spaces.chains import Transformer

_GRID = "#C8C8C8"
WORSE, BETTER = "#BD4400", "#277AB3"
_SIGNED = LinearSegmentedColormap.from_list("worse-better", [WORSE, "#FFFFFF", BETTER])
_SHARE = LinearSegmentedColormap.from_list("share", ["#FFFFFF", "#004C85"])
_NUMBERED = 0.05  # least probability that a policy writes into its field


class _Fields:
    """A field with a text for each entry of a mask [D, K]; a negative height puts row 0 on top."""

    def __init__(self, ax: Axes, mask: np.ndarray, size: Any = (1.0, 1.0), font: float = TEXT):
        places = np.argwhere(mask)[:, ::-1]  # column and row
        corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
        fields = [(corners + place) * size for place in places]
        self.fields = PolyCollection(fields, edgecolors=_GRID, linewidths=0.8)
        ax.add_collection(self.fields)
        middles = ((places + 0.5) * size).tolist()
        self.texts = [write(ax, x, y, "", fontsize=font) for x, y in middles]

    def update(self, tints: np.ndarray, texts: Sequence[str]) -> None:
        """Show colours [N, 3] and texts [N], in the order of the rows."""
        self.fields.set(facecolor=tints)
        for text, tint, said in zip(self.texts, tints, texts, strict=True):
            text.set(text=said, color=text_on(tint))


def _name_sides(ax: Axes, rows: Sequence[str], columns: Sequence[str], font: float) -> None:
    """Limits and names of an axes whose fields are as long as one."""
    ax.set(xlim=(0, len(columns)), ylim=(len(rows), 0))
    ax.set_xticks(np.arange(len(columns)) + 0.5, columns, fontsize=font, color=theme.INK)
    ax.set_yticks(np.arange(len(rows)) + 0.5, rows, fontsize=font, color=theme.INK)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)


def one_hot(space: Space, arch: Any, ax: Axes | None = None, highlight: int | None = None) -> Axes:
    """Draw ``w[D, K]``: how much of each option (column) each decision (row) takes.
    ``arch`` is an architecture, or ``w`` itself, such as the probabilities of a controller. Entries
    that stand for no option are left out. Where all decisions have the same options, these name the
    columns; elsewhere each entry bears its option. ``highlight`` is the row to point at."""
    w = np.asarray(arch, dtype=float)
    w = w if w.ndim == 2 else np.asarray(space.one_hot(arch), dtype=float)
    if w.shape != space.mask.shape:
        raise ValueError(f"w of {space.name} has shape {space.mask.shape}, this one {w.shape}")
    rows, columns = w.shape
    same = len({decision.options for decision in space.decisions}) == 1
    side = 0.085 * max(map(len, space.labels)) + 0.12
    plain = same or np.isin(w, (0, 1)).all()  # else an entry holds option and value
    width, height = (0.82 if plain else 1.25), (0.26 if rows <= 30 else 0.2)
    ax, scale = canvas(ax, (-side, -rows * height - 0.04, columns * width + 0.04, 0.3))
    font = scale * TEXT * (0.95 if rows <= 30 else 0.8)
    options = [space.decisions[row].options[column] for row, column in np.argwhere(space.mask)]
    full = np.array([to_rgb(color(str(option))) for option in options])
    values = w[space.mask]
    texts = [_entry(*entry, same) for entry in zip(options, values, strict=True)]
    fields = _Fields(ax, space.mask, (width, -height), font)
    fields.update(1 - values[:, None].clip(0, 1) * (1 - full), texts)
    for text, value in zip(fields.texts, values, strict=True):
        text.set_color(text.get_color() if value else theme.MUTED)
    if same:  # one set of markers: a text for each of the many zeros takes longer
        x, y = ((np.argwhere(w == 0)[:, ::-1] + 0.5) * (width, -height)).T
        ax.plot(x, y, ls="", marker="$0$", color=theme.MUTED, ms=0.73 * font, mew=0)
    for row, name in enumerate(space.labels):
        write(ax, -0.1, -(row + 0.5) * height, name, ha="right", fontsize=font)
    heads = space.decisions[0].options if same else [f"option {k}" for k in range(columns)]
    for column, head in enumerate(heads):
        write(ax, (column + 0.5) * width, 0.13, label(str(head)), fontsize=font)
    if highlight is not None:
        for hue, line in ((theme.INK, 4.5), (theme.HIGHLIGHT, 2.8)):
            frame = Rectangle((0, -(highlight + 1) * height), columns * width, height, fill=False)
            ax.add_artist(frame).set(edgecolor=hue, linewidth=line * scale, zorder=6)
    return ax


def _entry(option: Any, value: float, same: bool) -> str:
    """The value of an entry, and its option where the column does not say it."""
    number = f"{value:.2f}" if value < 1 else "1"
    if same:
        return number if value else ""
    return str(option) if value in (0, 1) else f"{option}: {number}"


class PolicyMatrix:
    """``w[D, K]`` on axes that are kept while it changes: the likelier, the fuller the colour."""

    def __init__(self, ax: Axes, space: Space) -> None:
        options = [str(option) for option in space.decisions[0].options]
        self._full = np.array([to_rgb(color(option)) for option in options])
        self._shape = space.mask.shape
        self._fields = _Fields(ax, space.mask)
        self._rings = [
            ax.plot([], [], "o", ms=29, mfc="none", mec=hue, mew=width)[0]
            for hue, width in ((theme.INK, 4.2), (theme.HIGHLIGHT, 2.4))  # seen on any field
        ]
        heads = [label(option).replace(" ", "\n") for option in options]
        _name_sides(ax, space.labels, heads, TEXT - 0.5)
        self.moving = [self._fields.fields, *self._rings, *self._fields.texts]

    def update(self, w: np.ndarray | None, arch: Arch | None = None) -> None:
        """Show probabilities [D, K], and a ring around each token of ``arch``; None shows none."""
        shown = np.zeros(self._shape) if w is None else np.asarray(w, dtype=float)
        tints = (1 - shown[:, :, None] * (1 - self._full)).reshape(-1, 3)
        texts = [f"{value:.2f}" if value >= _NUMBERED else "" for value in shown.ravel()]
        self._fields.update(tints, texts)
        tokens = np.asarray(() if arch is None else arch)
        for ring in self._rings:
            ring.set_data(tokens + 0.5, np.arange(len(tokens)) + 0.5)


def effects(space: Space, values: np.ndarray, title: str, ax: Axes | None = None) -> Axes:
    """Draw what each option of each decision changes [D, K]; a hundredth is written as a point."""
    columns = [label(str(option)) for option in space.decisions[0].options]
    points = 100 * np.asarray(values)
    limit = float(np.abs(points).max()) or 1.0
    ax = ax or new_axes(1.7 + 0.92 * len(columns), 0.36 * len(points) + 0.9)
    _numbers(ax, title, points.round(1) + 0.0, _SIGNED((points + limit) / (2 * limit)), "{:+.1f}")
    _name_sides(ax, space.labels, columns, 0.95 * TEXT)
    return ax


def shares(space: Space, values: np.ndarray, title: str) -> Axes:
    """Draw shares of the variance [D, D]: of decisions on the diagonal, of pairs below it."""
    percent = np.where(np.tri(len(values), dtype=bool), 100 * np.asarray(values), np.nan)
    names = space.labels
    ax = new_axes(1.7 + 0.92 * len(names), 0.36 * len(names) + 1.5)
    _numbers(ax, title, percent, _SHARE(percent / (float(np.nanmax(percent)) or 1.0)), "{:.1f}%")
    _name_sides(ax, names, names, 0.95 * TEXT)
    ax.set_xticks(ax.get_xticks(), names, rotation=30, ha="right")
    return ax


def _numbers(ax: Axes, title: str, values: np.ndarray, tints: np.ndarray, form: str) -> None:
    """A field with a number for each value that is no NaN."""
    there = ~np.isnan(values)
    texts = [form.format(value).replace("-", "−") for value in values[there]]
    _Fields(ax, there, font=0.95 * TEXT).update(tints[there][:, :3], texts)
    ax.set_title(title, fontsize=TEXT + 1, color=theme.INK, loc="left")


_BLOCK = {
    "attention.linear": "query, key, value",
    "attention.linear_2": "output",
    "mlp.linear": "MLP in",
    "mlp.linear_2": "MLP out",
}
_ENDS = {"patches": "patches", "position": "positions", "classifier.linear": "classifier"}
_KEY = "height: features of a token; length: all heads, or the hidden layer of the MLP"
_LIT = {"attention": color("attention"), "mlp": color("linear"), "": color("conv")}


def _matrices(space: Transformer, arch: Arch, skeleton: Skeleton) -> dict[str, tuple[int, int]]:
    """Features of a token, which each matrix reads or writes, and what is at its other side."""
    found = {}
    for op in space.network(arch, skeleton).ops:
        if op.kind == "linear":
            sides = op.settings["in_features"], op.settings["out_features"]
            found[op.name] = sides[::-1] if op.name.endswith("_2") else sides
        elif op.kind == "patches":
            tokens, features = op.shape
            found["patches"] = features, op.settings["in_channels"] * op.settings["size"] ** 2
            found["position"] = features, tokens
    return found


class SliceMatrices:
    """The matrices of the largest transformer, to one scale; the slice that a network uses is lit.
    A matrix is as high as a token has features. Its length is that of the heads, of the MLP's
    hidden layer, or of what the network reads and writes. White lines part one head from the next,
    and in an MLP one multiple of the width from the next."""

    def __init__(self, ax: Axes, space: Transformer, skeleton: Skeleton) -> None:
        self._space, self._skeleton = space, skeleton
        largest = _matrices(space, space.largest, skeleton)
        width, depth = largest["patches"][0], space.decode(space.largest)["depth"]
        self._unit = unit = 3.75 / sum(largest[f"block_1.{name}"][1] for name in _BLOCK)  # inches
        tops = [(depth - row) * (width * unit + 0.11) for row in range(depth)] + [-0.4]
        ax, scale = canvas(ax, (0, -1.28, 5.62, tops[0] + 0.46))
        look: dict[str, Any] = {"ha": "left", "fontsize": scale * (TEXT - 1)}
        for row, top in enumerate(tops):
            name = f"block {row + 1}" if row < depth else "in, out"
            write(ax, 0, top - width * unit / 2, name, **look)
        blocks = [f"block_{row + 1}." for row in range(depth)]
        self._corners, self._sizes = {}, {}
        for names, places, prefixes in ((_BLOCK, tops, blocks), (_ENDS, tops[-1:], [""])):
            x = 0.6
            for name, said in names.items():
                first = prefixes[0] + name
                write(ax, x, places[0] + 0.3, said, **look)
                self._sizes[first] = write(ax, x, places[0] + 0.1, "", **look)
                for prefix, top in zip(prefixes, places, strict=False):
                    self._corners[prefix + name] = x, top
                x += max(largest[first][1] * unit, 0.075 * len(said)) + 0.14
        write(ax, 0, -1.08, _KEY, **look, color=theme.MUTED)
        whole = [self._piece(name, *sides) for name, sides in largest.items()]
        ax.add_collection(PolyCollection(whole, facecolors="#EFEFEF", edgecolors="#B0B0B0"))
        self._lit = PolyCollection([], edgecolors="white", linewidths=0.7)
        ax.add_collection(self._lit)
        self.moving = [self._lit, *self._sizes.values()]

    def _piece(self, name: str, height: int, end: float, start: float = 0) -> np.ndarray:
        x, y = self._corners[name]
        left, right, low = x + start * self._unit, x + end * self._unit, y - height * self._unit
        return np.array([(left, y), (right, y), (right, low), (left, low)])

    def update(self, arch: Arch) -> None:
        """Light up the slices of an architecture."""
        chosen, pieces, hues = self._space.decode(arch), [], []
        counts = {"attention": chosen["heads"], "mlp": chosen["ratio"], "": 1}
        for name, (height, length) in _matrices(self._space, arch, self._skeleton).items():
            part = next(part for part in counts if part in name)
            ends = np.linspace(0, length, counts[part] + 1)
            pieces += [self._piece(name, height, b, a) for a, b in pairwise(ends.tolist())]
            hues += [_LIT[part]] * counts[part]
            if name in self._sizes:
                self._sizes[name].set_text(f"{height}×{length}")
        self._lit.set(verts=pieces, facecolor=hues)
