"""What the views of all widgets have in common."""

from __future__ import annotations

import html
import io
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from nas_lab import plots
from nas_lab.widgets.base import State

POINTED = "nas-lab-pointed"
"""Class of a control whose part of the picture is lit up."""

STYLE = f"""<style>
.{POINTED} {{ box-shadow: inset 4px 0 0 {plots.HIGHLIGHT}; }}
.nas-lab-words {{ line-height: 1.5; }}
.nas-lab-words code {{ font-size: 12px; overflow-wrap: anywhere; white-space: normal; }}
.nas-lab-table {{ border-collapse: collapse; line-height: 1.4; }}
.nas-lab-table th, .nas-lab-table td {{ padding: 1px 10px 1px 4px; text-align: right;
  white-space: nowrap; }}
.nas-lab-table th:last-child, .nas-lab-table td:last-child {{ text-align: left;
  white-space: normal; }}
.nas-lab-heading {{ margin: 8px 0 0; font-size: inherit; }}
.nas-lab-table tr.{POINTED} td {{ background: {plots.HIGHLIGHT}; color: #222222; }}
</style>"""


class Picture(ipywidgets.HTML):
    """A figure as an ``<img>`` with alternative text, replaced in one go when it is redrawn.

    Args:
        width, height: of the figure, in inches of 96 pixels.
    """

    def __init__(self, width: float, height: float) -> None:
        super().__init__(layout={"max_width": "100%"})
        self._figure = Figure(figsize=(width, height))
        self._ax = self._figure.add_axes((0, 0, 1, 1))

    def draw(self, paint: Callable[[Axes], Any], alt: str) -> None:
        """Clear the axes, let ``paint`` draw on it, and show the result."""
        for artist in [*self._ax.patches, *self._ax.texts, *self._ax.collections, *self._ax.lines]:
            artist.remove()  # much faster than to clear an axes, with its ticks
        paint(self._ax)
        self.value = plots.image_html(self._figure, alt, tight=False)


class MovingPicture(ipywidgets.HTML):
    """A figure that is laid out and drawn once; a redraw paints only the artists that move.

    Args:
        figure: with all of its axes and artists.
        moving: those artists that change; they are painted above the others.
        dpi: pixels of the picture in an inch.
    """

    def __init__(self, figure: Figure, moving: Sequence[Artist], dpi: int = 144) -> None:
        super().__init__(layout={"max_width": "100%"})
        self._dpi = dpi
        self.lay_out(figure, moving)

    def lay_out(self, figure: Figure, moving: Sequence[Artist]) -> None:
        """Take another figure, as when the limits of its axes have changed."""
        figure.set_dpi(self._dpi)
        self._canvas, self._moving = FigureCanvasAgg(figure), tuple(moving)
        for artist in self._moving:
            artist.set_animated(True)
        self._canvas.draw()
        self._still = self._canvas.copy_from_bbox(figure.bbox)

    def image(self) -> Image.Image:
        """The artists where they are now, above what stands still."""
        self._canvas.restore_region(self._still)
        for artist in self._moving:
            artist.draw(self._canvas.get_renderer())
        return Image.fromarray(np.asarray(self._canvas.buffer_rgba())).convert("RGB")

    def draw(self, alt: str) -> None:
        """Show the artists where they are now."""
        # 256 colours are less than half of the bytes, for slow lines, and take less time to pack.
        few = self.image().quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        few.putpalette([255 if level > 252 else level for level in few.getpalette() or ()])  # white
        buffer = io.BytesIO()
        few.save(buffer, "PNG", compress_level=1)
        self.value = plots.png_html(buffer.getvalue(), alt, dpi=self._dpi)


class Words(ipywidgets.HTML):
    """Sentences that say the state; screen readers are told when they change."""

    def say(self, *lines: str) -> None:
        """Show lines of HTML, one below the other; empty ones are left out."""
        body = "".join(f"<div>{line}</div>" for line in lines if line)
        self.value = f'<div class="nas-lab-words" role="status" aria-live="polite">{body}</div>'


class Heading(ipywidgets.HTML):
    """A small heading for the parts below it."""

    def __init__(self, text: str) -> None:
        super().__init__(f'<h4 class="nas-lab-heading">{html.escape(text)}</h4>')


class View(ipywidgets.VBox):
    """A widget that draws a ``State`` and hands clicks to it.

    Subclasses set ``model``, build controls, and write ``redraw``, which brings every control in
    line with the state. It is called once for each trait that changes.
    """

    model: State

    @property
    def state(self) -> dict[str, Any]:
        """The state as a plain dict: ``type(w)(**w.state)`` is a widget with the same state."""
        return self.model.as_dict()

    def assemble(self, *rows: ipywidgets.Widget) -> None:
        """Show the rows, draw the first picture, and follow the state from now on."""
        self.children = (ipywidgets.HTML(STYLE, layout={"display": "none"}), *rows)
        self.redraw()
        self.model.observe(lambda change: self.redraw())

    def redraw(self) -> None:
        """Bring every control in line with the state."""
        raise NotImplementedError


def row(*widgets: ipywidgets.Widget) -> ipywidgets.HBox:
    """Widgets beside each other; on a narrow page they wrap, so it never scrolls sideways."""
    layout = {"flex_flow": "row wrap", "align_items": "flex-start", "max_width": "100%"}
    return ipywidgets.HBox(widgets, layout=layout)


def button(text: str, action: Callable[[], Any], hint: str, kind: str = "") -> ipywidgets.Button:
    """A button that calls ``action`` when it is pressed."""
    made = ipywidgets.Button(description=text, tooltip=hint, button_style=kind)
    made.layout.width = "auto"
    made.on_click(lambda _: action())
    return made


def point_at(widget: ipywidgets.DOMWidget, pointed: bool) -> None:
    """Light up a control, or stop to."""
    (widget.add_class if pointed else widget.remove_class)(POINTED)


def table(heads: list[str], rows: list[list[str]], pointed: int | None = None) -> str:
    """A table as HTML: numbers, then words in the last column. One row can be lit up."""
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in heads)
    body = ""
    for place, cells in enumerate(rows):
        mark = f' class="{POINTED}"' if place == pointed else ""
        fields = "".join(f"<td>{html.escape(text)}</td>" for text in cells)
        body += f"<tr{mark}>{fields}</tr>"
    return f'<table class="nas-lab-table"><tr>{head}</tr>{body}</table>'
