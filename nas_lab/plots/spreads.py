"""Results over seeds: what each way found, and how it went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from nas_lab.plots.colors import INK, MUTED, color, label, style
from nas_lab.plots.figures import TEXT, chart

_PLAIN, _BASELINE = "#004C85", "#BD4400"


def spreads(
    found: Mapping[str, np.ndarray],
    ax: Axes | None = None,
    *,
    title: str,
    xlabel: str = "test accuracy",
    baseline: str | None = None,
    reference: tuple[float, str] | None = None,
    low: float = 0.0,
) -> Axes:
    """Draw what each way found: a dot for each seed, a bar for their median, the best at the top.

    Args:
        found: from the name of a way to the share in [0, 1] that each of its seeds reached.
        ax: where to draw; None makes a new figure.
        title: what the picture asks or finds.
        xlabel: what the shares are.
        baseline: the way to beat; a line and another colour mark it.
        reference: a share to compare with, and its name.
        low: what is below has no room, and is an arrowhead at the edge.
    """
    names = sorted(found, key=lambda name: np.median(found[name]))
    ax = chart(ax, title, xlabel, "", height=1.25 + 0.31 * len(names))
    for row, name in enumerate(names):
        hue = _BASELINE if name == baseline else _PLAIN
        strewn = row + np.linspace(-0.2, 0.2, len(found[name]))  # equal ones are seen
        for mark, shown in (("o", found[name] >= low), ("<", found[name] < low)):
            look = {"color": hue, "alpha": 0.55, "markersize": 5.5, "mew": 0, "clip_on": False}
            x = np.fmax(found[name][shown], low)
            ax.plot(x, strewn[shown], mark, **look)  # type: ignore[arg-type]
        middle = max(low, float(np.median(found[name])))
        ax.plot([middle] * 2, [row - 0.36, row + 0.36], color=hue, linewidth=2.6)
    if baseline is not None:
        ax.axvline(
            max(low, float(np.median(found[baseline]))),
            color=_BASELINE,
            linestyle="--",
            linewidth=1,
        )
    if reference is not None:
        share, text = reference
        ax.axvline(share, color=MUTED, linestyle=":", linewidth=1.4)
        clear = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        look = {"fontsize": TEXT - 1, "color": MUTED, "ha": "right", "bbox": clear}
        look |= {"textcoords": "offset points"}
        ax.annotate(text, (share, len(names) - 0.4), xytext=(-4, 0), **look)  # type: ignore[arg-type]
    ax.set_yticks(range(len(names)), [label(name) for name in names])
    ax.set_ylim(-0.6, len(names) + (0.1 if reference else -0.4))
    if low:
        ax.set_xlim(left=low)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g}%"))
    return ax


def medians(
    x: Sequence[float],
    lines: Mapping[str, np.ndarray],
    ax: Axes | None = None,
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    reference: tuple[float, str] | None = None,
    low: float | None = None,
) -> Axes:
    """Draw medians over seeds as thick lines, and single seeds as thin ones.

    Args:
        x: places of the values, [T].
        lines: from a name to shares in [0, 1], [S, T].
        ax: where to draw; None makes a new figure.
        title: what the picture asks or finds.
        xlabel, ylabel: what is on the axes.
        reference: a share to compare with, and its name.
        low: the lowest share that has room; None takes all.
    """
    ax = chart(ax, title, xlabel, ylabel)
    for place, (name, values) in enumerate(lines.items()):
        hue = color(name, place)
        ax.plot(x, np.median(values, axis=0), color=hue, label=label(name), **style(name, place))
        ax.plot(x, values.T, color=hue, alpha=0.45, linewidth=0.8)
    if reference is not None:
        share, text = reference
        ax.axhline(share, color=MUTED, linestyle=":", linewidth=1.4, label=text)
    if low is not None:
        ax.set_ylim(bottom=low)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g}%"))
    side: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1, 0.5), "frameon": False}
    ax.legend(fontsize=TEXT - 1, labelcolor=INK, **side)
    return ax
