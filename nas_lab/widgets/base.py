"""What all widgets share: a state that computes, and a view that binds controls to it and draws.

A state is written above its view in each widget's file, and names neither plots nor ipywidgets.
"""

from __future__ import annotations

import asyncio
import html
import inspect
import io
import json
import math
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, ClassVar

import ipywidgets
import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from nas_lab import plots

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

OPERATIONS = [
    ("none: no edge", 0),
    ("skip: copies", 1),
    ("conv 1×1: per pixel", 2),
    ("conv 3×3: sees around", 3),
    ("avg pool 3×3: blurs", 4),
]
"""What can be on an edge of a cell of NAS-Bench-201, with its token."""


class State(traitlets.HasTraits):
    """What a widget knows. A view observes it, draws it, and never computes.

    Traits tagged ``keep=True`` are the state; what follows from them are properties.
    """

    __signature__: ClassVar[inspect.Signature]
    message = traitlets.Unicode("").tag(doc="what happened last, in a sentence")

    def __init_subclass__(cls) -> None:
        """Let a constructor with ``**settings`` show the kept traits in its signature."""
        _, *own = inspect.signature(cls.__init__).parameters.values()
        if own and own[-1].kind is inspect.Parameter.VAR_KEYWORD:
            kept = ((n, t) for n, t in vars(cls).items() if getattr(t, "metadata", {}).get("keep"))
            own[-1:] = [
                inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=t.default_value)
                for n, t in kept
                if n not in {parameter.name for parameter in own}
            ]
        cls.__signature__ = inspect.Signature(own)

    def __init__(self, **kept: Any) -> None:
        for name in set(kept) - set(self.traits()):
            raise TypeError(f"{type(self).__name__} got an unexpected keyword argument {name!r}")
        super().__init__(**kept)
        self._first = {name: getattr(self, name) for name in self.traits(keep=True)}

    def reset(self) -> None:
        """Go back to the first setting."""
        with self.hold_trait_notifications():
            for name, value in {**self._first, "message": ""}.items():
                setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        """The kept traits as plain data, safe in JSON and independent of later changes.

        A dataclass becomes a dict of its fields.
        """
        kept = {name: getattr(self, name) for name in sorted(self.traits(keep=True))}
        return json.loads(json.dumps(kept, default=asdict))


class Clock:
    """Calls a method again and again from the kernel's event loop, as long as it returns True.

    Between two calls the kernel answers clicks and runs cells. It has at least half of the time
    for them, so a slow machine ticks less often and still answers.

    Args:
        tick: a bound method. It is held weakly: when its widget is gone, the clock stands still.
        period: seconds from one call to the next.
    """

    def __init__(self, tick: Callable[[], bool], period: float = 0.12) -> None:
        self.period = period
        self._tick = weakref.WeakMethod(tick)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> bool:
        """Tick from now on; False where no event loop is running, as outside of a notebook."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        task = self._task
        # JupyterLab may handle clicks in a loop of their own, which a reload of the page can end.
        if task is None or task.done() or task.get_loop() is not loop:
            self._task = loop.create_task(self._run())
        return True

    async def _run(self) -> None:
        while asyncio.current_task() is self._task:
            began = time.monotonic()
            if not self._once():
                return
            took = time.monotonic() - began
            await asyncio.sleep(max(self.period - took, took))

    def _once(self) -> bool:
        """One call. The method is not kept while the clock sleeps."""
        tick = self._tick()
        return tick is not None and tick()


class Picture(ipywidgets.HTML):
    """A figure as an ``<img>`` with alternative text, replaced in one go when it is redrawn.

    Args:
        width, height: of the figure, in inches of 96 pixels.
    """

    def __init__(self, width: float = 5.6, height: float = 2.14) -> None:
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
        drawings: each has as ``moving`` its artists that change; they are painted on top.
        dpi: pixels of the picture in an inch.
    """

    def __init__(self, figure: Figure, *drawings: Any, dpi: int = 144) -> None:
        super().__init__(layout={"max_width": "100%"})
        self._dpi = dpi
        self.lay_out(figure, *drawings)

    def lay_out(self, figure: Figure, *drawings: Any) -> None:
        """Take another figure, as when the limits of its axes have changed."""
        figure.set_dpi(self._dpi)
        self.figure = figure
        self._canvas = FigureCanvasAgg(figure)
        self._moving = [artist for drawing in drawings for artist in drawing.moving]
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


class Html(str):
    """A text that is HTML already."""


class Words(ipywidgets.HTML):
    """Sentences that say the state; screen readers are told when they change.

    Args:
        aloud: False for what changes too often to be read out.
    """

    def __init__(self, text: str = "", *, aloud: bool = True) -> None:
        super().__init__()
        self._role = ' role="status" aria-live="polite"' if aloud else ""
        self.say(text)

    def say(self, *lines: str, strong: bool = False) -> None:
        """Show lines, one below the other; empty ones are left out, the first can be strong."""
        shown = [line if isinstance(line, Html) else html.escape(line) for line in lines if line]
        if strong:
            shown[0] = f"<b>{shown[0]}</b>"
        body = "".join(f"<div>{line}</div>" for line in shown)
        self.value = f'<div class="nas-lab-words"{self._role}>{body}</div>'


class View(ipywidgets.VBox):
    """A widget that draws a ``State`` and hands clicks to it; ``w.state`` makes the same again.

    A subclass names its ``State``, whose arguments it takes, and writes ``build``, which makes
    controls and pictures and returns them as rows.
    """

    State: ClassVar[Any]
    HINT = ""
    """What to do with it, and what to look for."""
    model: Any

    def __init_subclass__(cls) -> None:
        cls.__signature__ = inspect.signature(cls.State)
        arguments = inspect.cleandoc(cls.State.__doc__).partition("Args:")[2]
        cls.__doc__ = f"{inspect.cleandoc(cls.__doc__ or '')}\n\nArgs:{arguments}"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.model = self.State(*args, **kwargs)
        self._shows: list[Callable[[], None]] = []
        style = ipywidgets.HTML(STYLE, layout={"display": "none"})
        self.children = (style, Words(self.HINT), *self.build())
        self.redraw()
        self.model.observe(lambda change: self.redraw())

    @property
    def state(self) -> dict[str, Any]:
        """The state as a plain dict: ``type(w)(**w.state)`` is a widget with the same state."""
        return self.model.as_dict()

    def build(self) -> Sequence[ipywidgets.Widget]:
        """Make controls and pictures; return them as rows."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Bring every control and every picture in line with the state."""
        for show in self._shows:
            show()

    def shows(self, draw: Callable[[], Any], *names: str) -> None:
        """Call ``draw`` when one of these attributes of the state is new; without names, any."""
        drawn: Any = None

        def show() -> None:
            nonlocal drawn
            model = self.model
            now = [getattr(model, name) for name in names] if names else model.as_dict()
            if drawn != now:
                drawn = now
                draw()

        self._shows.append(show)

    # ---- controls ----------------------------------------------------------------------------

    def bind(
        self,
        control: ipywidgets.ValueWidget,
        read: Callable[[], Any],
        write: Callable[[Any], Any],
        options: Callable[[], list[tuple[str, Any]]] | None = None,
    ) -> ipywidgets.ValueWidget:
        """Keep a control where ``read()`` is, and hand what a reader moves it to to ``write``.

        Args:
            options: what a menu offers now; what is read is among it.
        """

        def moved(change: Any) -> None:
            if not _same(change["new"], read()):
                write(change["new"])
                show()  # it may not have been a choice

        def show() -> None:
            now = read()
            if options is not None and list(control.options) != options():
                control.unobserve(moved, "value")  # new options move it to the first of them
                control.options = options()
                control.value = now
                control.observe(moved, "value")
            if not _same(control.value, now):
                control.value = now

        control.observe(moved, "value")
        self._shows.append(show)
        return control

    def slider(
        self,
        name: str,
        least: float,
        most: float,
        step: float,
        text: str,
        write: Callable[[Any], Any] | None = None,
        **look: Any,
    ) -> ipywidgets.ValueWidget:
        """A slider for a trait, of whole numbers where ``step`` is one; ``write`` may set more.

        It stands on the step nearest to the trait, which keeps what is between: a browser would
        go there by itself, and hand the kernel that for a reader's move.
        """
        kind = ipywidgets.IntSlider if isinstance(step, int) else ipywidgets.FloatSlider

        def read() -> float:
            value = getattr(self.model, name)
            return most if value > most - 1e-6 else round(round(value / step) * step, 6)

        control = kind(least, min=least, max=most, step=step, **_look(text, **look))
        return self.bind(control, read, write or partial(setattr, self.model, name))

    def choice(
        self,
        name: str,
        values: Sequence[Any] | Callable[[], Sequence[Any]],
        text: str,
        said: Callable[[Any], str] = "{:g}".format,
        kind: type = ipywidgets.SelectionSlider,
        **look: Any,
    ) -> ipywidgets.ValueWidget:
        """Some values for a trait, on a slider or in a menu; a value beside them joins them."""

        def options() -> list[tuple[str, Any]]:
            offered = list(values() if callable(values) else values)
            now = getattr(self.model, name)
            offered = offered if now in offered else sorted([*offered, now])
            return [(said(value), value) for value in offered]

        control = kind(options=options(), **_look(text, **look))
        write = partial(setattr, self.model, name)
        return self.bind(control, lambda: getattr(self.model, name), write, options)

    def edge_menus(self, edges: Sequence[str], name: str = "arch") -> ipywidgets.VBox:
        """A menu of operations for each edge of the cell ``model.name``; one can be lit up."""
        look = _look("", width="276px", label="98px")
        menus = [ipywidgets.Dropdown(options=OPERATIONS, value=0, **look) for _ in edges]
        for place, (edge, menu) in enumerate(zip(edges, menus, strict=True)):
            menu.description = edge
            read = partial(lambda place: getattr(self.model, name)[place], place)
            self.bind(menu, read, partial(self.model.choose, place))

        def light_up() -> None:
            for place, menu in enumerate(menus):
                (menu.add_class if place == self.model.edge else menu.remove_class)(POINTED)

        self.shows(light_up, "edge")
        return ipywidgets.VBox(menus)

    def reset_button(self, hint: str) -> ipywidgets.Button:
        """A button that goes back to the beginning."""
        return button("Reset", self.model.reset, hint)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, abs_tol=1e-9)
    return a == b


def _look(text: str, width: str = "330px", label: str = "initial", **more: Any) -> dict[str, Any]:
    layout, style = {"width": width, "max_width": "100%"}, {"description_width": label}
    return {"description": text, "layout": layout, "style": style, **more}


def row(*widgets: ipywidgets.Widget) -> ipywidgets.HBox:
    """Widgets beside each other; on a narrow page they wrap, so it never scrolls sideways."""
    layout = {"flex_flow": "row wrap", "align_items": "flex-start", "max_width": "100%"}
    return ipywidgets.HBox(widgets, layout=layout)


def column(*widgets: ipywidgets.Widget) -> ipywidgets.VBox:
    """The picture of a cell above its words, beside menus."""
    return ipywidgets.VBox(widgets, layout={"max_width": "548px"})


def button(text: str, action: Callable[[], Any], hint: str, kind: str = "") -> ipywidgets.Button:
    """A button that calls ``action`` when it is pressed."""
    made = ipywidgets.Button(description=text, tooltip=hint, button_style=kind)
    made.layout.width = "auto"
    made.on_click(lambda _: action())
    return made


def checkbox(text: str, margin: str) -> ipywidgets.Checkbox:
    """A small box to tick."""
    return ipywidgets.Checkbox(
        False, description=text, indent=False, layout={"width": "auto", "margin": margin}
    )


def pair(width: float, height: float, *ratios: float) -> tuple[Figure, Axes, Axes]:
    """A figure with two axes beside each other."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, *figure.subplots(1, 2, width_ratios=ratios)


def table(heads: list[str], rows: list[list[str]], pointed: int | None = None) -> str:
    """A table as HTML: numbers, then words in the last column. One row can be lit up."""
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in heads)
    body = ""
    for place, cells in enumerate(rows):
        mark = f' class="{POINTED}"' if place == pointed else ""
        fields = "".join(f"<td>{html.escape(text)}</td>" for text in cells)
        body += f"<tr{mark}>{fields}</tr>"
    return f'<table class="nas-lab-table"><tr>{head}</tr>{body}</table>'
