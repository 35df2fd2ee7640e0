"""What all widgets share: a state that computes, and a view that binds controls to it and draws."""

import asyncio
import html
import inspect
import io
import json
import math
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple, TypeAlias

import ipywidgets
import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from nas_lab import plots
from nas_lab.spaces import Arch, Space

FROZEN = "nas-lab-frozen"  # class of a view while the kernel is busy with it
POINTED = "nas-lab-pointed"  # class of a control that is lit up

STYLE = f"""<style>
.{POINTED} {{ box-shadow: inset 4px 0 0 {plots.HIGHLIGHT}; }}
.widget-html-content {{ min-width: 0; }}
.nas-lab-words {{ line-height: 1.5; }}
.nas-lab-words code {{ font-size: 12px; overflow-wrap: anywhere; white-space: normal; }}
.widget-hslider .widget-readout {{ pointer-events: none; -webkit-user-modify: read-only; }}
.{FROZEN} :is(button, select, input, .widget-hslider) {{ opacity: 0.5; pointer-events: none; }}
.jupyter-widgets-disconnected.nas-lab-hint .nas-lab-words::after {{ display: block;
  font-weight: bold; content: "This is how it was saved: run its cell to move it."; }}
.nas-lab-heading {{ margin: 8px 0 0; font-size: inherit; }}
</style>"""

OPERATIONS = [
    ("none: no edge", 0),
    ("skip: copies", 1),
    ("conv 1×1: per pixel", 2),
    ("conv 3×3: nearby", 3),
    ("avg pool 3×3: blurs", 4),
]
"""What can be on an edge of a cell of NAS-Bench-201, with its token."""

COOL_DOWN = 0.3  # seconds without a click after which the queue of a kernel that was busy is empty
PERIOD = 0.12  # seconds from one picture to the next of what plays


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


class Tokens(traitlets.TraitType[Any, Any]):
    """An architecture of the space of the state: tokens, or their text form."""

    def validate(self, obj: Any, value: Any) -> Arch:
        """Give the tokens back; the space raises where they are none."""
        return obj.space.from_string(value) if isinstance(value, str) else obj.space.check(value)


class State(traitlets.HasTraits):
    """What a widget knows. A view observes it, draws it, and never computes.
    Traits tagged ``keep=True`` are the state; what follows from them are properties, among them
    ``words``, a sentence that says the state, and ``details``, more of them."""

    message = traitlets.Unicode("").tag(doc="what happened last, in a sentence")

    def __init__(self, **kept: Any) -> None:
        for name in set(kept) - set(self.traits(keep=True)):
            raise TypeError(f"{type(self).__name__} got an unexpected keyword argument {name!r}")
        super().__init__(**kept)
        self._first = {name: getattr(self, name) for name in self.traits(keep=True)}

    def update(self, **values: Any) -> None:
        """Set several traits; observers hear of it when all are there."""
        with self.hold_trait_notifications():
            for name, value in values.items():
                setattr(self, name, value)

    def move(self, name: str, value: Any) -> None:
        """What a control does that a reader has moved: set the trait."""
        setattr(self, name, value)

    def reset(self) -> None:
        """Go back to the first setting."""
        self.update(**self._first, message="")

    def as_dict(self) -> dict[str, Any]:
        """The kept traits as plain data, safe in JSON; a dataclass as a dict of its fields."""
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
        """Stand still where no event loop ticks."""
        self.running = False

    def pause(self) -> None:
        """Stay where it is."""
        if self.running:
            self.update(running=False, message="Paused.")


class Picture(ipywidgets.HTML):
    """A figure as an ``<img>`` with alternative text, replaced in one go when it is redrawn."""

    def __init__(self, width: float = 5.6, height: float = 2.14) -> None:
        super().__init__(layout={"max_width": "100%"})
        self._figure = Figure(figsize=(width, height))
        self._ax = self._figure.add_axes((0, 0, 1, 1))

    def draw(self, paint: Any, space: Space, arch: Arch, edge: int | None, alt: str) -> None:
        """Show what ``paint`` draws of an architecture, with one of its edges pointed at."""
        for artist in [*self._ax.patches, *self._ax.texts, *self._ax.collections, *self._ax.lines]:
            artist.remove()  # much faster than to clear an axes, with its ticks
        paint(space, arch, self._ax, edge)
        self.value = plots.image_html(self._figure, alt, tight=False)


class MovingPicture(ipywidgets.HTML):
    """A figure that is drawn once; a redraw paints only what each drawing has as ``moving``."""

    def __init__(self, figure: Figure, *drawings: Any, dpi: int = 144) -> None:
        super().__init__(layout={"max_width": "100%"})
        self.dpi = dpi
        self.lay_out(figure, *drawings)

    def lay_out(self, figure: Figure, *drawings: Any) -> None:
        """Take another figure, as when the limits of its axes have changed."""
        figure.set_dpi(self.dpi)
        self.figure = figure
        self._canvas = FigureCanvasAgg(figure)
        self._moving = [artist for drawing in drawings for artist in drawing.moving]
        for artist in self._moving:
            artist.set_animated(True)
        self._canvas.draw()
        self._still = self._canvas.copy_from_bbox(figure.bbox)
        self._panels = plots.panels(figure, 0, figure.get_figwidth())

    def image(self) -> Image.Image:
        """The artists where they are now, above what stands still."""
        self._canvas.restore_region(self._still)
        for artist in self._moving:
            artist.draw(self._canvas.get_renderer())
        return Image.fromarray(np.asarray(self._canvas.buffer_rgba())).convert("RGB")

    def cut(self, image: Image.Image) -> list[Image.Image]:
        """The parts of ``image()`` that stand below each other on a narrow page."""
        cuts = [round(right * self.dpi) for _, right in self._panels[:-1]]
        ends = pairwise([0, *cuts, image.width])
        return [image.crop((left, 0, right, image.height)) for left, right in ends]

    def draw(self, alt: str) -> None:
        """Show the artists where they are now."""
        # 256 colours are less than half of the bytes, for slow lines, and take less time to pack.
        few = self.image().quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        few.putpalette([255 if level > 252 else level for level in few.getpalette() or ()])  # white
        pictures = []
        for part in self.cut(few):
            part.save(buffer := io.BytesIO(), "PNG", compress_level=1)
            pictures.append(buffer.getvalue())
        self.value = plots.png_html(pictures, alt, dpi=self.dpi)


class Html(str):
    """A text that is HTML already."""


class Words(ipywidgets.HTML):
    """Sentences that say the state; screen readers are told when they change, if ``aloud``."""

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


Widget: TypeAlias = ipywidgets.DOMWidget
Read: TypeAlias = Callable[[], Any]
Write: TypeAlias = Callable[[Any], Any]


class Offer(NamedTuple):
    """A menu, or a box to tick, that a page has and the view has not: values by their names."""

    text: str
    values: Mapping[str, Any]


class Play(NamedTuple):
    """What a page without a kernel offers of a widget: settings that are drawn beforehand.

    Args:
        title: of the widget, in few words.
        question: that it answers.
        section: notebook and heading where it stands.
        values: what the settings combine, by names of attributes, or of several that move
            together; the last changes fastest. None are the values of the view's own control.
        make: makes the view, of what is chosen in ``made``; None calls the class.
        made: menus by names of arguments.
        track: name of the values that can be played.
        layers: names of boxes, the last of ``values``; a picture is that without any, under what
            each of them adds alone.
        first: where offers stand at the beginning.
    """

    title: str
    question: str
    section: str
    values: Mapping[str | tuple[str, ...], Sequence[Any] | Offer | None]
    make: Callable[..., Any] | None = None
    made: Mapping[str, Offer] = {}
    track: str = ""
    layers: Sequence[str] = ()
    first: Mapping[str, Any] = {}


class View(ipywidgets.VBox):
    """A widget that draws a ``State`` and hands clicks to it; ``w.state`` makes the same again.
    A subclass names its ``State``, whose arguments it takes, and writes ``_build``, which makes
    controls and pictures and returns them as rows, and ``_draw``, which draws the pictures anew."""

    State: ClassVar[Any]
    HINT = ""  # what to do with it, and what to look for
    DRAWN: ClassVar[tuple[str, ...]] = ()
    """Attributes of the state that ``_draw`` depends on; none stands for all but the message."""
    QUIET = ""  # which of ``words`` and ``message`` changes too often to be read out
    PLAY: ClassVar[Play | None] = None
    controls: dict[str, Widget]  # sliders and menus by the names of attributes
    _build: Callable[[], Sequence[Widget]]
    _draw: Callable[[], None]
    model: Any
    _cooling: asyncio.TimerHandle | None = None  # until clicks are heeded again

    def __init_subclass__(cls) -> None:
        """Show the arguments of the state, kept traits among them, as those of the widget."""
        if "State" not in vars(cls):
            return
        _, *own = inspect.signature(cls.State.__init__).parameters.values()
        if own[-1].kind is inspect.Parameter.VAR_KEYWORD:
            given = {parameter.name for parameter in own}
            own[-1:] = [
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=trait.default())
                for name, trait in cls.State.class_traits(keep=True).items()
                if name not in given
            ]
        cls.__signature__ = cls.State.__signature__ = inspect.Signature(own)
        arguments = inspect.cleandoc(cls.State.__doc__).partition("Args:")[2]
        cls.__doc__ = f"{inspect.cleandoc(cls.__doc__ or '')}\n\nArgs:{arguments}"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.model = self.State(*args, **kwargs)
        self._shows: list[Callable[[], None]] = []
        self.controls = {}
        self._words = Words(aloud=self.QUIET != "words")
        self._message = Words(aloud=self.QUIET != "message")
        style, hint = ipywidgets.HTML(STYLE, layout={"display": "none"}), Words(self.HINT)
        hint.add_class("nas-lab-hint")
        self.children = (style, hint, *self._build())
        self.shows(self._say)
        self.shows(self._draw, *self.DRAWN)
        self.shows(lambda: self._message.say(self.model.message), "message")
        self.redraw()
        self.model.observe(lambda change: self.redraw())

    @property
    def state(self) -> dict[str, Any]:
        """The state as a plain dict: ``type(w)(**w.state)`` is a widget with the same state."""
        return self.model.as_dict()

    def _say(self) -> None:
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

    def bind(
        self, kind: Any, look: dict[str, Any], read: Read, write: Write, offers: Read = dict
    ) -> Widget:
        """A control that stands where ``read()`` is; what a reader moves it to goes to ``write``.
        ``offers()`` are those of its attributes that follow the state; what is read is among them.
        """
        control = kind(value=read(), **offers(), **look)

        def moved(change: Any) -> None:
            if not _same(change["new"], read()):
                if not self._is_late():
                    write(change["new"])
                show()  # it may not have been a choice

        def show() -> None:
            control.unobserve(moved, "value")
            for name, offered in offers().items():  # new options move it to the first of them
                setattr(control, name, offered)
            if not _same(control.value, read()):
                control.value = read()
            control.observe(moved, "value")

        control.observe(moved, "value")
        self._shows.append(show)
        return control

    def slider(self, name: str, step: float, text: str, ends: Any = None, **look: Any) -> Widget:
        """A slider for a trait, from its lower bound to its upper one, or between ``ends()``.
        It stands on the step nearest to the trait, which keeps what is between: a browser would
        go there by itself, and hand the kernel that for a reader's move."""
        model, trait = self.model, self.model.traits()[name]
        ends = ends or (lambda: (trait.min, trait.max))
        kind = ipywidgets.IntSlider if isinstance(trait, traitlets.Int) else ipywidgets.FloatSlider

        def read() -> float:
            value, (_, most) = getattr(model, name), ends()
            return most if value > most - 1e-6 else round(round(value / step) * step, 6)

        def offers() -> dict[str, Any]:
            return dict(zip(("min", "max"), ends(), strict=True))

        look = _look(text, step=step, **look)
        self.controls[name] = self.bind(kind, look, read, partial(model.move, name), offers)
        return self.controls[name]

    def choice(
        self, name: str, values: Any, text: str, said: Any = "{:g}".format, **look: Any
    ) -> Widget:
        """Values for an attribute, or what ``values()`` gives, on a slider, or in a ``menu``.
        A value beside them joins them. A menu may offer what cannot be chosen, as 'your own': the
        attribute stays as it is."""
        kind = ipywidgets.Dropdown if look.pop("menu", False) else ipywidgets.SelectionSlider
        read = partial(getattr, self.model, name)

        def offers() -> dict[str, Any]:
            offered, now = list(values() if callable(values) else values), read()
            offered = offered if now in offered else sorted([*offered, now])
            return {"options": [(said(value), value) for value in offered]}

        write = partial(self.model.move, name)
        self.controls[name] = self.bind(kind, _look(text, **look), read, write, offers)
        return self.controls[name]

    def checkbox(self, text: str, margin: str, read: Read, write: Write) -> Widget:
        """A small box to tick."""
        layout = {"width": "auto", "margin": margin}
        look = {"description": text, "indent": False, "layout": layout}
        return self.bind(ipywidgets.Checkbox, look, read, write)

    def edge_menus(self, name: str = "arch") -> ipywidgets.VBox:
        """A menu of operations for each edge of the cell ``model.name``; one can be lit up."""
        menus = []
        for place, edge in enumerate(self.model.space.labels):
            look = _look(edge, width="276px", label="98px", options=OPERATIONS)
            read = partial(lambda place: getattr(self.model, name)[place], place)
            write = partial(self.model.choose, place)
            menus.append(self.bind(ipywidgets.Dropdown, look, read, write))

        def light_up() -> None:
            for place, menu in enumerate(menus):
                (menu.add_class if place == self.model.edge else menu.remove_class)(POINTED)

        self.shows(light_up, "edge")
        return ipywidgets.VBox(menus)

    def button(
        self, text: str, press: Callable[[], Any], hint: str, style: str = "", slow: bool = False
    ) -> Widget:
        """A button that calls ``press``; what is clicked while that is ``slow`` has no effect."""
        button = ipywidgets.Button(description=text, tooltip=hint, button_style=style)
        button.layout.width = "auto"

        def pressed(_: Any) -> None:
            if self._is_late():
                return
            self.freeze(slow)
            try:
                press()
            finally:
                if slow:
                    self._cool_down()

        button.on_click(pressed)
        return button

    def freeze(self, frozen: bool) -> None:
        """Whether clicks have no effect, as while the kernel is busy."""
        (self.add_class if frozen else self.remove_class)(FROZEN)

    def _is_late(self) -> bool:
        """Whether the kernel hears now of a click made while it was busy: it comes too late."""
        late = FROZEN in self._dom_classes
        if late:
            self._cool_down()
        return late

    def _cool_down(self) -> None:
        """Heed clicks again after a moment in which none came from the queue."""
        if self._cooling:
            self._cooling.cancel()
        try:
            self._cooling = asyncio.get_running_loop().call_later(COOL_DOWN, self.freeze, False)
        except RuntimeError:  # not in a notebook
            self.freeze(False)

    def reset_button(self, hint: str) -> Widget:
        """A button that goes back to the beginning."""
        return self.button("Reset", self.model.reset, hint)


class PlayingView(View):
    """A view of a state that goes on by itself, in the kernel's own event loop, between cells.
    The kernel has at least half of the time for clicks and cells: a slow machine ticks less often.
    """

    START = "Play"
    THING = "film"
    _task: asyncio.Task[None] | None = None

    def play_button(self, hint: str) -> Widget:
        """A button that says and does the opposite of what the state is at."""
        self._start = self.button(self.START, self._start_or_pause, hint, "primary")
        self._start.layout.width = "76px"
        return self._start

    def _start_or_pause(self) -> None:
        (self.model.pause if self.model.running else self.model.run)()

    def redraw(self) -> None:
        """Bring controls, picture and words in line with the state, and see that it goes on."""
        model = self.model
        with model.lock:
            self._start.description = "Pause" if model.running else self.START
            super().redraw()
            if model.busy and not self.keep_ticking():  # not in a notebook
                model.halt()

    def keep_ticking(self) -> bool:
        """Tick from now on; False where no event loop is running, as outside of a notebook."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        task = self._task
        # JupyterLab may handle clicks in a loop of their own, which a reload of the page can end.
        if task is None or task.done() or task.get_loop() is not loop:
            self._task = loop.create_task(_play(weakref.ref(self)))
        return True

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


async def _play(view: weakref.ref[PlayingView]) -> None:
    """Tick as long as there is something to do; a view that nobody else holds can be forgotten."""
    last = time.monotonic()
    while True:
        shown, began = view(), time.monotonic()
        if shown is None or shown._task is not asyncio.current_task():
            return
        if not shown._tick(began - last):
            return
        del shown
        last, took = began, time.monotonic() - began
        await asyncio.sleep(max(PERIOD - took, took))


def _same(a: Any, b: Any) -> bool:
    return a == b or (isinstance(a, float) and math.isclose(a, b, abs_tol=1e-9))


def _look(text: str, width: str = "330px", label: str = "initial", **more: Any) -> dict[str, Any]:
    layout, style = {"width": width, "max_width": "100%"}, {"description_width": label}
    return {"description": text, "layout": layout, "style": style, **more}


def row(*widgets: Widget) -> ipywidgets.HBox:
    """Widgets beside each other; on a narrow page they wrap, so it never scrolls sideways."""
    layout = {"flex_flow": "row wrap", "align_items": "flex-start", "max_width": "100%"}
    return ipywidgets.HBox(widgets, layout=layout)


def column(*widgets: Widget) -> ipywidgets.VBox:
    """The picture of a cell above its words, beside menus."""
    return ipywidgets.VBox(widgets, layout={"max_width": "548px"})


def pair(width: float, height: float, *ratios: float) -> tuple[Figure, Axes, Axes]:
    """A figure with two axes beside each other."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, *figure.subplots(1, 2, width_ratios=ratios)
