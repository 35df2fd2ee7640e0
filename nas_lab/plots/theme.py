"""Colours, line styles, names and sizes that all pictures share.

An operation and a strategy have one colour, one line style and one short name everywhere. The
colours differ in lightness as well as in hue, so they stay apart in grey and for colour-blind
readers. Where two are close, the line style differs too.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import EngFormatter, FixedLocator, MaxNLocator, NullLocator

INK = "#222222"  # text, axes and frames
MUTED = "#6B6B6B"
"""What is there but not the point: connections without an operation, axes, remarks."""
HIGHLIGHT = "#FFD83D"  # behind what is pointed at
TAG = {"boxstyle": "round,pad=0.25", "facecolor": HIGHLIGHT, "edgecolor": "none"}
"""Frame of a text that names the point of interest."""
BLUE, RED, ORANGE, GREEN, PALE = "#004C85", "#BD4400", "#E48E00", "#009F72", "#A9B4BE"
"""What has no name: the point, the best or the baseline, others, hits, and the crowd."""

_DASHED, _DOTTED, _CHAIN = (0, (5, 2)), (0, (1, 1.6)), (0, (6, 1.5, 1, 1.5))
_SHORT, _FINE = (0, (3, 1)), (0, (1, 1))
_LOOKS: dict[str, tuple[str, Any, float, str]] = {  # colour, line style, line width, label
    # Operations of NAS-Bench-201 and of DARTS. Convolutions of a kind share a hue.
    "none": ("#B8B8B8", _DOTTED, 1.7, "none"),
    "skip_connect": ("#262626", _DASHED, 1.8, "skip"),
    "nor_conv_1x1": ("#277AB3", "-", 1.8, "conv 1×1"),
    "nor_conv_3x3": (BLUE, "-", 3.2, "conv 3×3"),
    "avg_pool_3x3": (ORANGE, _CHAIN, 2.2, "avg pool"),
    "max_pool_3x3": (RED, _CHAIN, 2.2, "max pool"),
    "sep_conv_3x3": ("#008760", "-", 1.8, "sep 3×3"),
    "sep_conv_5x5": ("#005540", "-", 3.2, "sep 5×5"),
    "dil_conv_3x3": ("#C47DAF", _SHORT, 1.8, "dil 3×3"),
    "dil_conv_5x5": ("#691D6A", _SHORT, 3.2, "dil 5×5"),
    "concat": ("#9A9A9A", "-", 1.2, "concat"),
    "layer": ("#4A4A4A", "-", 1.1, "layer"),
    # Strategies.
    "RandomSearch": ("#262626", _DASHED, 1.8, "random search"),
    "RegularizedEvolution": ("#C75300", "-", 2.0, "regularized evolution"),
    "Reinforce": (BLUE, _CHAIN, 2.0, "REINFORCE"),
    "LocalSearch": ("#822BD9", (0, (1, 1.2)), 2.2, "local search"),
    "OneShot": (GREEN, _SHORT, 2.0, "one-shot"),
    "Darts": ("#D08CBC", _FINE, 2.4, "DARTS"),
}
_LAYERS = {
    "conv": BLUE,
    "linear": "#B58900",
    "recurrent": "#A8559F",
    "attention": "#A8559F",
    "resnet": BLUE,
    "mobilenet": "#008760",
    "searched": HIGHLIGHT,
    "image": "#DDDDDD",
    "output": "#DDDDDD",
    "add": "#FFFFFF",
}
COLORS: dict[str, str] = {name: look[0] for name, look in _LOOKS.items()} | _LAYERS
"""From the name of an operation, a strategy or a layer to its colour."""
_OTHERS = (BLUE, ORANGE, GREEN, "#D08CBC", RED, "#277AB3", "#262626")
_DASHES: tuple[Any, ...] = ("-", _DASHED, _CHAIN, _FINE)


def color(name: str, place: int = 0) -> str:
    """The colour of ``name``; names without one take turns by their ``place`` in the picture."""
    return COLORS.get(name, _OTHERS[place % len(_OTHERS)])


def style(name: str, place: int = 0) -> dict[str, Any]:
    """The line style of ``name``; names without one take turns by their ``place``."""
    _, dashes, width, _ = _LOOKS.get(name, ("", _DASHES[place % len(_DASHES)], 2.0, ""))
    return {"linestyle": dashes, "linewidth": width}


def line_look(name: str, place: int = 0) -> dict[str, Any]:
    """Colour and line style together."""
    return {"color": color(name, place), **style(name, place)}


def label(name: str) -> str:
    """What a picture calls ``name``; sizes are written with a multiplication sign."""
    return _LOOKS[name][3] if name in _LOOKS else re.sub(r"(?<![a-z])x(?=\d)", "×", name)


def text_on(background: Any) -> str:
    """Ink or white, whichever reads better on a colour (relative luminance of WCAG 2)."""
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(background)
    )
    return "#FFFFFF" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.213 else INK


def quantity(number: float) -> str:
    """A number to read aloud: 7.81 million, 969 thousand, 4,096."""
    rounded = float(f"{number:.3g}")
    unit, word = unit_of(number)
    if word:
        digits = max(0, 3 - len(f"{rounded / unit:.0f}"))
        return f"{rounded / unit:.{digits}f} {word}"
    return f"{number:,.0f}" if rounded >= 1000 else f"{number:.3g}"


def unit_of(number: float) -> tuple[float, str]:
    """The unit that a number is read in: 1e6 and ``million``, or 1 and no word."""
    rounded = float(f"{number:.3g}")
    for least, unit, word in ((1e9, 1e9, "billion"), (1e6, 1e6, "million"), (1e4, 1e3, "thousand")):
        if rounded >= least:
            return unit, word
    return 1.0, ""


def duration(seconds: float) -> str:
    """Seconds to read: 132 µs, 1.32 ms, 2.1 s."""
    return EngFormatter("s")(float(f"{seconds:.3g}"))


TEXT = 10.5  # points of text in a picture: 14 pixels on the page, as the text around it
WIDEST = 9.3  # inches that fit a laptop's notebook column


def write(ax: Axes, x: float, y: float, text: str, **look: Any) -> Text:
    """A text in ink, with its middle at a place."""
    look = {"ha": "center", "va": "center_baseline", "fontsize": TEXT, "color": INK, **look}
    return ax.text(x, y, text, **look)


def figure_of(shown: Axes | Figure) -> Figure:
    """The figure that is shown, or that an axes is in."""
    if not isinstance(shown, Axes | Figure):
        raise TypeError(f"not a matplotlib Axes or Figure: {type(shown).__name__}")
    figure: Any = shown.figure
    return figure.figure  # an axes may be in a part of a figure


def new_axes(width: float, height: float) -> Axes:
    """A figure of so many inches with one axes, shown by a notebook like any other."""
    return plt.subplots(figsize=(width, height), layout="constrained", facecolor="white")[1]


def chart(ax: Axes | None, title: str, xlabel: str, ylabel: str, height: float = 3.6) -> Axes:
    """An axes for a chart, with title and names at the size of the text around it."""
    ax = new_axes(6.5, height) if ax is None else ax
    ax.set_title(title, fontsize=TEXT + 1, color=INK, loc="left")
    ax.set_xlabel(xlabel, fontsize=TEXT, color=INK)
    ax.set_ylabel(ylabel, fontsize=TEXT, color=INK)
    ax.tick_params(which="both", labelsize=TEXT - 0.5, colors=INK)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(MUTED)
    ax.grid(color="#E3E3E3", linewidth=0.7)
    ax.set_axisbelow(True)
    return ax


def canvas(ax: Axes | None, box: tuple[float, float, float, float]) -> tuple[Axes, float]:
    """An axes whose units are inches, for a drawing inside ``box`` (left, bottom, right, top).
    A new axes leaves room for a title. In a smaller axes that is given, the drawing shrinks; the
    second value is the factor for its texts and lines."""
    left, bottom, right, top = box
    width, height = right - left, top - bottom
    new = ax is None
    ax = new_axes(width + 0.1, height + 0.4) if ax is None else ax
    ax.set_axis_off()
    ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    if new:
        return ax, 1.0
    given, dots = ax.get_window_extent(), figure_of(ax).dpi
    return ax, min(1.0, given.width / dots / width, given.height / dots / height)


def percent(axis: Axis) -> None:
    """Write shares in [0, 1] as percentages."""
    axis.set_major_formatter(lambda share, _: f"{100 * share:.4g}%")


def fixed_ticks(axis: Axis, places: Sequence[float], written: Callable[[float], str]) -> None:
    """Ticks at these places and nowhere else, as on a logarithmic axis."""
    axis.set_major_locator(FixedLocator(places))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: written(value))


def log_ticks(axis: Axis, low: float, high: float, written: Callable[[float], str]) -> None:
    """Ticks from ``low`` to ``high`` at 1, 2 and 5 of each power of ten; at 1 alone if many."""
    powers = [10.0**power for power in range(-9, 13)]
    found = [m * x for x in powers for m in (1, 2, 5) if low <= m * x <= high]
    fixed_ticks(axis, found if len(found) < 8 else [x for x in found if x in powers], written)


def whole_numbers(axis: Axis, most: int) -> None:
    """Ticks at round whole numbers, such as steps and trials."""
    axis.set_major_locator(MaxNLocator(most, integer=True, steps=[1, 2, 5, 10]))


def legend(of: Axes | Figure, **options: Any) -> None:
    """A legend without a frame, smaller than the text."""
    of.legend(**{"fontsize": TEXT - 1, "labelcolor": INK, "frameon": False} | options)


def legend_beside(ax: Axes, **options: Any) -> None:
    """A legend at the right of the axes."""
    legend(ax, loc="center left", bbox_to_anchor=(1, 0.5), **options)


def ring(ax: Axes, size: float = 13) -> Line2D:
    """A ring that is put around the point of interest."""
    return ax.plot([], [], "o", ms=size, mfc="none", mec=INK, mew=2, zorder=5)[0]
