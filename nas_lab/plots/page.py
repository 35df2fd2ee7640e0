"""What a notebook shows: a picture with alternative text, and a table."""

import base64
import html
import io
import math
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from nas_lab.plots.theme import HIGHLIGHT, INK, figure_of

PAGE = 96  # pixels of the page in an inch
DPI = 192  # pixels of the picture in an inch: two for one of the page, so it is sharp on any screen
SMALLEST = 0.7  # of a picture's size on a narrow page: its text has 10 pixels there


def image_html(shown: Axes | Figure, alt: str, *, tight: bool = True) -> str:
    """The picture as HTML with alternative text; ``tight`` cuts it to what is drawn."""
    figure = figure_of(shown)
    figure.draw_without_rendering()  # lays out
    box = figure.get_tightbbox().padded(0.08) if tight else figure.bbox_inches
    pictures = []
    for left, right in panels(figure, box.x0, box.x1):
        buffer, part = io.BytesIO(), Bbox.from_extents(left, box.y0, right, box.y1)
        look: dict[str, Any] = {"facecolor": "white", "pil_kwargs": {"compress_level": 3}}
        figure.savefig(buffer, format="png", dpi=DPI, bbox_inches=part, **look)
        pictures.append(buffer.getvalue())
    return png_html(pictures, alt, dpi=DPI)


def panels(figure: Figure, left: float, right: float) -> list[tuple[float, float]]:
    """The parts of a figure that can be shown below each other on a narrow page, from ``left`` to
    ``right`` in inches: axes beside each other that share nothing, and have no title together."""
    axes, cuts = figure.axes, []
    if len(axes) > 1:
        _frame, *shown = figure.get_children()
        boxes = [artist.get_tightbbox() for artist in shown]
        ends = sorted((box.x0 / figure.dpi, box.x1 / figure.dpi) for box in boxes if box)
        reached = ends[0][1]
        shared = any(axes[0].get_shared_y_axes().joined(axes[0], ax) for ax in axes[1:])
        for start, end in ends:
            if start > reached and not shared:
                cuts.append((start + reached) / 2)
            reached = max(reached, end)
    return list(pairwise([left, *cuts, right]))


def png_html(pictures: Sequence[bytes], alt: str, *, dpi: int) -> str:
    """PNG files beside each other, ``dpi`` of their pixels for 96 of the page.
    Where the page is too narrow for 7 tenths of their size they stand below each other, and are
    moved sideways, so that their text stays readable."""
    images = ""
    for picture in pictures:
        sides = struct.unpack(">II", picture[16:24])  # of the PNG's own header
        width, height = (round(side * PAGE / dpi) for side in sides)
        look = f"flex:{width} 0 {SMALLEST * width:.0f}px;min-width:0;max-width:{width}px"
        data = base64.b64encode(picture).decode("ascii")
        images += (
            f'<img alt="{html.escape(alt, quote=True)}" width="{width}" height="{height}" '
            f'decoding="sync" style="{look};height:auto;background:white" '
            f'src="data:image/png;base64,{data}">'
        )
        alt = ""  # is said once
    look = "display:flex;flex-wrap:wrap;align-items:flex-start;overflow-x:auto"
    return f'<div style="{look}">{images}</div>'


def show(shown: Axes | Figure, alt: str) -> None:
    """Show a picture in a notebook, with alternative text, and close its figure.
    ``alt`` says in a sentence what the picture shows, for those who cannot see it. Outside of
    IPython a window is opened, where there is a screen for one."""
    from IPython import get_ipython
    from IPython.display import display

    figure = figure_of(shown)
    if not alt.strip():
        raise ValueError("alt is empty: say in a sentence what the picture shows")
    if get_ipython() is not None:
        display({"text/html": image_html(figure, alt), "text/plain": alt}, raw=True)
    elif plt.isinteractive() or plt.get_backend().lower() != "agg":
        plt.show()
    plt.close(figure)


_NUMBER = re.compile(r"\W{0,2}\d|–$|$")
"""How an entry begins that belongs at the right: a number, perhaps after a sign, or nothing."""


@dataclass(frozen=True)
class Page:
    """A piece of HTML that a notebook shows; a terminal shows the text."""

    html: str
    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html


def table(
    rows: Iterable[Sequence[Any]],
    columns: Sequence[str] | Mapping[str, str],
    pointed: int | None = None,
) -> Page:
    """Rows under headings, numbers at the right, in the colours of the page.
    It moves sideways where the page is narrow.

    Args:
        rows: an entry for each column: a text, a number, or None and NaN for a dash.
        columns: headings, or ``{heading: format of its numbers}`` such as ``{"accuracy": ".1%"}``.
        pointed: the number of a row that is lit up.
    """
    formats = columns if isinstance(columns, Mapping) else dict.fromkeys(columns, "")
    lines = [list(formats)]
    for row in rows:
        if len(row) != len(formats):
            raise ValueError(f"a row needs {len(formats)} entries, one for each column: {row}")
        lines.append([_entry(*pair) for pair in zip(row, formats.values(), strict=True)])
    columns_of_text = list(zip(*lines, strict=True))
    right = [all(map(_NUMBER.match, entries)) for _, *entries in columns_of_text]
    widths = [max(map(len, entries)) for entries in columns_of_text]
    body, text = "", []
    for number, line in enumerate(lines, start=-1):
        tag = "td" if number >= 0 else 'th scope="col"'
        lit = f' style="background:{HIGHLIGHT};color:{INK}"' if number == pointed else ""
        cells = zip(line, right, strict=True)
        body += f"<tr{lit}>{''.join(_cell(tag, *cell) for cell in cells)}</tr>"
        pads = zip(line, right, widths, strict=True)
        padded = [entry.rjust(n) if side else entry.ljust(n) for entry, side, n in pads]
        text.append("  ".join(padded).rstrip())
    look = "margin:0;border-collapse:collapse;table-layout:auto;line-height:1.4"
    shown = f'<div style="overflow-x:auto"><table style="{look}">{body}</table></div>'
    return Page(shown, "\n".join(text))


def _entry(value: Any, form: str) -> str:
    """What a table shows of a value."""
    if isinstance(value, str):
        return value
    return "–" if value is None or math.isnan(value) else format(value, form)


def _cell(tag: str, entry: str, right: bool) -> str:
    """A cell of a table; a long text wraps, and nothing else."""
    wrap = "normal;min-width:18em" if len(entry) > 40 else "nowrap"
    look = f"text-align:{'right' if right else 'left'};white-space:{wrap};padding:1px 12px 1px 4px"
    return f'<{tag} style="{look}">{html.escape(entry)}</{tag[:2]}>'
