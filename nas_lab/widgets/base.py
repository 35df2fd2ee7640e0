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
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
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

from nas_lab import explain, plots
from nas_lab.spaces import Arch, Space

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
    ("conv 3×3: nearby", 3),
    ("avg pool 3×3: blurs", 4),
]
"""What can be on an edge of a cell of NAS-Bench-201, with its token."""


TOP = 0.1
"""Share of the architectures that counts as the best."""


class Number(traitlets.Float):
    """A finite number within bounds; its error names them, and ``why`` they are there."""

    def __init__(self, value: float, least: float, most: float = math.inf, why: str = "") -> None:
        super().__init__(value, min=least, max=most)
        self.why = why

    def validate(self, obj: Any, value: Any) -> float:
        """Give the number back; the bound for what is above it by a rounding."""
        if not isinstance(value, (int, float)):
            self.error(obj, value)
        if not self.min <= value <= self.max + 1e-9 or math.isinf(value):
            bounds = f"{self.min:g} to {self.max:.4g}" if self.max < math.inf else ""
            allowed = bounds or f"a finite number of at least {self.min:g}"
            raise traitlets.TraitError(f"{self.name}={value:g}: give {allowed}{self.why}")
        return float(min(value, self.max))


class Architecture(traitlets.TraitType[Any, Any]):
    """Tokens of the space of the state, or their text form."""

    def validate(self, obj: Any, value: Any) -> Arch:
        """Give the tokens back; the space raises where they are none."""
        return obj.space.from_string(value) if isinstance(value, str) else obj.space.check(value)


def one_of(proposal: traitlets.Bunch, values: Iterable[Any]) -> Any:
    """A proposed value that is among these; TraitError names them otherwise."""
    name, value, known = proposal["trait"].name, proposal["value"], list(values)
    if value not in known:
        raise traitlets.TraitError(f"{name}={value!r}: choose of {', '.join(map(str, known))}")
    return value


class State(traitlets.HasTraits):
    """What a widget knows. A view observes it, draws it, and never computes.

    Traits tagged ``keep=True`` are the state; what follows from them are properties, among them
    ``words``, a sentence that says the state, and ``details``, more of them.
    """

    __signature__: ClassVar[inspect.Signature]
    message = traitlets.Unicode("").tag(doc="what happened last, in a sentence")

    def __init_subclass__(cls) -> None:
        """Let a constructor with ``**settings`` show the kept traits in its signature."""
        _, *own = inspect.signature(cls.__init__).parameters.values()
        if own[-1].kind is inspect.Parameter.VAR_KEYWORD:
            given = {parameter.name for parameter in own}
            named = {n: t for base in reversed(cls.__mro__) for n, t in vars(base).items()}
            own[-1:] = [
                inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=t.default_value)
                for n, t in named.items()
                if n not in given and getattr(t, "metadata", {}).get("keep")
            ]
        cls.__signature__ = inspect.Signature(own)

    def __init__(self, **kept: Any) -> None:
        for name in set(kept) - set(self.traits(keep=True)):
            raise TypeError(f"{type(self).__name__} got an unexpected keyword argument {name!r}")
        super().__init__(**kept)
        self._first = {name: getattr(self, name) for name in self.traits(keep=True)}

    def move(self, name: str, value: Any) -> None:
        """What a control does that a reader has moved: set the trait."""
        setattr(self, name, value)

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


class Playing(State):
    """A state that goes on while it is ``running``, as far as someone calls ``tick(seconds)``."""

    running = traitlets.Bool(False)

    def __init__(self, **kept: Any) -> None:
        self.lock = threading.RLock()  # JupyterLab may handle clicks in another thread than cells
        super().__init__(**kept)

    @property
    def busy(self) -> bool:
        """Whether there is something to do for ``tick``."""
        return self.running

    def halt(self) -> None:
        """Stand still where no clock ticks."""
        self.running = False

    def pause(self) -> None:
        """Stay where it is."""
        if self.running:
            with self.hold_trait_notifications():
                self.running, self.message = False, "Paused."


class Clock:
    """Calls a method again and again from the kernel's event loop, as long as it returns True.

    Between two calls the kernel answers clicks and runs cells. It has at least half of the time
    for them, so a slow machine ticks less often and still answers.

    Args:
        tick: a bound method, called with the seconds since the last call. It is held weakly: when
            its widget is gone, the clock stands still.
        period: seconds from one call to the next.
    """

    def __init__(self, tick: Callable[[float], bool], period: float = 0.12) -> None:
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
        last = time.monotonic()
        while asyncio.current_task() is self._task:
            began = time.monotonic()
            if not self._once(began - last):
                return
            last, took = began, time.monotonic() - began
            await asyncio.sleep(max(self.period - took, took))

    def _once(self, passed: float) -> bool:
        """One call. The method is not kept while the clock sleeps."""
        tick = self._tick()
        return tick is not None and tick(passed)


class Picture(ipywidgets.HTML):
    """A figure as an ``<img>`` with alternative text, replaced in one go when it is redrawn.

    Args:
        width, height: of the figure, in inches of 96 pixels.
    """

    def __init__(self, width: float = 5.6, height: float = 2.14) -> None:
        super().__init__(layout={"max_width": "100%"})
        self._figure = Figure(figsize=(width, height))
        self._ax = self._figure.add_axes((0, 0, 1, 1))

    def draw(
        self, paint: Callable[..., Axes], space: Space, arch: Arch, edge: int | None, alt: str
    ) -> None:
        """Show what ``paint`` draws of an architecture, with one of its edges pointed at."""
        for artist in [*self._ax.patches, *self._ax.texts, *self._ax.collections, *self._ax.lines]:
            artist.remove()  # much faster than to clear an axes, with its ticks
        paint(space, arch, self._ax, edge)
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
    controls and pictures and returns them as rows, and ``draw``, which draws the pictures anew.
    """

    State: ClassVar[Any]
    HINT = ""
    """What to do with it, and what to look for."""
    DRAWN: ClassVar[tuple[str, ...]] = ()
    """Attributes of the state that ``draw`` depends on; none stands for all but the message."""
    model: Any

    def __init_subclass__(cls) -> None:
        if "State" in vars(cls):
            cls.__signature__ = inspect.signature(cls.State)
            arguments = inspect.cleandoc(cls.State.__doc__).partition("Args:")[2]
            cls.__doc__ = f"{inspect.cleandoc(cls.__doc__ or '')}\n\nArgs:{arguments}"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.model = self.State(*args, **kwargs)
        self._shows: list[Callable[[], None]] = []
        self._words, self._message = Words(), Words()
        style = ipywidgets.HTML(STYLE, layout={"display": "none"})
        self.children = (style, Words(self.HINT), *self.build())
        self.shows(self.say)
        self.shows(self.draw, *self.DRAWN)
        self.shows(lambda: self._message.say(self.model.message), "message")
        self.redraw()
        self.model.observe(lambda change: self.redraw())

    @property
    def state(self) -> dict[str, Any]:
        """The state as a plain dict: ``type(w)(**w.state)`` is a widget with the same state."""
        return self.model.as_dict()

    def build(self) -> Sequence[ipywidgets.Widget]:
        """Make controls and pictures; return them as rows."""
        raise NotImplementedError

    def draw(self) -> None:
        """Draw the pictures of the state as it is now."""
        raise NotImplementedError

    def say(self) -> None:
        """Say the state in words."""
        self._words.say(self.model.words, *self.model.details, strong=True)

    def redraw(self) -> None:
        """Bring every control and every picture in line with the state."""
        for show in self._shows:
            show()

    def shows(self, draw: Callable[[], Any], *names: str) -> None:
        """Call ``draw`` when one of these attributes of the state is new; see ``DRAWN``."""
        names = names or tuple(name for name in self.model.trait_names() if name != "message")
        drawn: Any = None

        def show() -> None:
            nonlocal drawn
            now = [getattr(self.model, name) for name in names]
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
        fit: Callable[[Any], Any] = lambda control: None,
    ) -> ipywidgets.ValueWidget:
        """Keep a control where ``read()`` is, and hand what a reader moves it to to ``write``.

        Args:
            fit: lets the control offer what there is now; what is read is among it.
        """

        def moved(change: Any) -> None:
            if not _same(change["new"], read()):
                write(change["new"])
                show()  # it may not have been a choice

        def show() -> None:
            control.unobserve(moved, "value")
            fit(control)  # new options move it to the first of them
            if not _same(control.value, read()):
                control.value = read()
            control.observe(moved, "value")

        control.observe(moved, "value")
        self._shows.append(show)
        return control

    def slider(
        self,
        name: str,
        step: float,
        text: str,
        most: float | None = None,
        fit: Callable[[Any], Any] = lambda control: None,
        **look: Any,
    ) -> ipywidgets.ValueWidget:
        """A slider for a trait, from its lower bound to its upper one, or to ``most``.

        It stands on the step nearest to the trait, which keeps what is between: a browser would
        go there by itself, and hand the kernel that for a reader's move.
        """
        model, trait = self.model, self.model.traits()[name]
        kind = ipywidgets.IntSlider if isinstance(trait, traitlets.Int) else ipywidgets.FloatSlider
        limits = {"min": trait.min, "max": trait.max if most is None else most, "step": step}
        control = kind(trait.min, **limits, **_look(text, **look))

        def read() -> float:
            value = getattr(model, name)
            nearest = round(round(value / step) * step, 6)
            return control.max if value > control.max - 1e-6 else nearest

        return self.bind(control, read, partial(model.move, name), fit)

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
        read = partial(getattr, self.model, name)

        def options() -> list[tuple[str, Any]]:
            offered, now = list(values() if callable(values) else values), read()
            offered = offered if now in offered else sorted([*offered, now])
            return [(said(value), value) for value in offered]

        control = kind(options=options(), **_look(text, **look))
        offer = partial(setattr, control, "options")
        return self.bind(control, read, partial(self.model.move, name), lambda _: offer(options()))

    def menu(
        self, values: Sequence[Any], text: str, read: Callable[[], Any], write: Any, **look: Any
    ) -> ipywidgets.ValueWidget:
        """A menu that may name what cannot be chosen, as 'your own'."""
        return self.bind(ipywidgets.Dropdown(options=values, **_look(text, **look)), read, write)

    def checkbox(
        self, text: str, margin: str, read: Callable[[], bool], write: Callable[[bool], Any]
    ) -> ipywidgets.ValueWidget:
        """A small box to tick."""
        layout = {"width": "auto", "margin": margin}
        box = ipywidgets.Checkbox(False, description=text, indent=False, layout=layout)
        return self.bind(box, read, write)

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


class PlayingView(View):
    """A view of a state that goes on by itself, in the kernel's own event loop, between cells."""

    START = "Play"
    THING = "film"

    def play_button(self, hint: str) -> ipywidgets.Button:
        """A button that says and does the opposite of what the state is at."""
        self._clock = Clock(self._tick)
        self._start = button(self.START, self._start_or_pause, hint, "primary")
        self._start.layout.width = "76px"
        return self._start

    def _start_or_pause(self) -> None:
        (self.model.pause if self.model.running else self.model.run)()

    def _tick(self, passed: float) -> bool:
        """Go on for a moment; whether there is more to do."""
        model = self.model
        if self.comm is None:  # closed
            return False
        try:
            with model.lock:
                model.tick(passed)
        except Exception as error:
            model.running = False
            model.message = f"The {self.THING} stopped: {type(error).__name__}: {error}"
            raise
        self.redraw()
        return model.busy

    def redraw(self) -> None:
        """Bring controls, picture and words in line with the state, and see that it goes on."""
        model = self.model
        with model.lock:
            self._start.description = "Pause" if model.running else self.START
            super().redraw()
            if model.busy and not self._clock.start():  # not in a notebook
                model.halt()


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


def first_choices(scores: np.ndarray, truth: np.ndarray) -> str:
    """How many of the architectures that a ranking puts first truly are among the best."""
    k = max(1, round(TOP * len(truth)))
    right = explain.precision_at(scores, truth, TOP) * k
    return f"of the {k} it puts first, {right:.0f} are among the true first {k} of {len(truth)}"


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
