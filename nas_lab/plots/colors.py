"""One colour, one line style and one short name for each operation and each strategy.

The colours differ in lightness as well as in hue, so they stay apart in grey and for
colour-blind readers. Where two are close, the line style differs too.
"""

from __future__ import annotations

import re
from typing import Any

from matplotlib.colors import to_rgb

INK = "#222222"
"""Text, axes and frames."""
MUTED = "#6B6B6B"
"""What is there but not the point: connections without an operation, axes, remarks."""
HIGHLIGHT = "#FFD83D"
"""Behind what is pointed at."""

COLORS: dict[str, str] = {
    # Operations of NAS-Bench-201 and of DARTS. Convolutions of a kind share a hue.
    "none": "#B8B8B8",
    "skip_connect": "#262626",
    "nor_conv_1x1": "#277AB3",
    "nor_conv_3x3": "#004C85",
    "avg_pool_3x3": "#E48E00",
    "max_pool_3x3": "#BD4400",
    "sep_conv_3x3": "#008760",
    "sep_conv_5x5": "#005540",
    "dil_conv_3x3": "#C47DAF",
    "dil_conv_5x5": "#691D6A",
    # Layers of chains, and what stands around them.
    "conv": "#004C85",
    "linear": "#B58900",
    "recurrent": "#A8559F",
    "resnet": "#004C85",
    "mobilenet": "#008760",
    "searched": HIGHLIGHT,
    "image": "#DDDDDD",
    "output": "#DDDDDD",
    "add": "#FFFFFF",
    "concat": "#9A9A9A",
    # Strategies.
    "RandomSearch": "#262626",
    "RegularizedEvolution": "#C75300",
    "Reinforce": "#004C85",
    "LocalSearch": "#822BD9",
    "OneShot": "#009F72",
    "Darts": "#D08CBC",
}
"""From the name of an operation or a strategy to its colour."""

STYLES: dict[str, dict[str, Any]] = {
    "none": {"linestyle": (0, (1, 1.6)), "linewidth": 1.7},
    "skip_connect": {"linestyle": (0, (5, 2)), "linewidth": 1.8},
    "nor_conv_1x1": {"linestyle": "-", "linewidth": 1.8},
    "nor_conv_3x3": {"linestyle": "-", "linewidth": 3.2},
    "avg_pool_3x3": {"linestyle": (0, (6, 1.5, 1, 1.5)), "linewidth": 2.2},
    "max_pool_3x3": {"linestyle": (0, (6, 1.5, 1, 1.5)), "linewidth": 2.2},
    "sep_conv_3x3": {"linestyle": "-", "linewidth": 1.8},
    "sep_conv_5x5": {"linestyle": "-", "linewidth": 3.2},
    "dil_conv_3x3": {"linestyle": (0, (3, 1)), "linewidth": 1.8},
    "dil_conv_5x5": {"linestyle": (0, (3, 1)), "linewidth": 3.2},
    "concat": {"linestyle": "-", "linewidth": 1.2},
    "RandomSearch": {"linestyle": (0, (5, 2)), "linewidth": 1.8},
    "RegularizedEvolution": {"linestyle": "-", "linewidth": 2.0},
    "Reinforce": {"linestyle": (0, (6, 1.5, 1, 1.5)), "linewidth": 2.0},
    "LocalSearch": {"linestyle": (0, (1, 1.2)), "linewidth": 2.2},
    "OneShot": {"linestyle": (0, (3, 1)), "linewidth": 2.0},
    "Darts": {"linestyle": (0, (1, 1)), "linewidth": 2.4},
}
"""From the name of an operation or a strategy to the style of its line."""

LABELS: dict[str, str] = {
    "none": "none",
    "skip_connect": "skip",
    "nor_conv_1x1": "conv 1×1",
    "nor_conv_3x3": "conv 3×3",
    "avg_pool_3x3": "avg pool",
    "max_pool_3x3": "max pool",
    "sep_conv_3x3": "sep 3×3",
    "sep_conv_5x5": "sep 5×5",
    "dil_conv_3x3": "dil 3×3",
    "dil_conv_5x5": "dil 5×5",
    "RandomSearch": "random search",
    "RegularizedEvolution": "regularized evolution",
    "Reinforce": "REINFORCE",
    "LocalSearch": "local search",
    "OneShot": "one-shot",
    "Darts": "DARTS",
}
"""From the name of an operation or a strategy to what a picture calls it."""

_OTHERS = ("#004C85", "#E48E00", "#009F72", "#D08CBC", "#BD4400", "#277AB3", "#262626")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (6, 1.5, 1, 1.5)), (0, (1, 1)))


def color(name: str, place: int = 0) -> str:
    """The colour of ``name``; names without one take turns by their ``place`` in the picture."""
    return COLORS.get(name, _OTHERS[place % len(_OTHERS)])


def style(name: str, place: int = 0) -> dict[str, Any]:
    """The line style of ``name``; names without one take turns by their ``place``."""
    turn = {"linestyle": _DASHES[place % len(_DASHES)], "linewidth": 2.0}
    return dict(STYLES.get(name, turn))


def label(name: str) -> str:
    """What a picture calls ``name``; sizes are written with a multiplication sign."""
    return LABELS.get(name, re.sub(r"(?<![a-z])x(?=\d)", "×", name))


def text_on(background: Any) -> str:
    """Ink or white, whichever reads better on a colour (relative luminance of WCAG 2)."""
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(background)
    )
    return "#FFFFFF" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.213 else INK
