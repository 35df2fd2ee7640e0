"""Draw the settings that a page offers of each widget beforehand, for the site.

What is offered stands beside each widget, as its ``PLAY``. The widget itself sets, says and draws;
here its words and pictures are only kept. A picture is a ground that many settings share, below
what is new in it, so both are small. All is in build/static/play, and what has not changed since
the last time stays there.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import html
import io
import itertools
import json
import multiprocessing
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock
from urllib.parse import urlencode

import ipywidgets
import matplotlib
import numpy as np
import PIL
from PIL import Image
from scipy.ndimage import maximum_filter
from tqdm import tqdm

from nas_lab import widgets
from nas_lab.widgets.base import MovingPicture, Offer, Play, View

ROOT = Path(__file__).resolve().parents[1]
STATIC = ROOT / "build" / "static"
FOLDER = STATIC / "play"
ABOUT = "about.json"  # names of the controls; which files it was drawn with, and their hashes
PAGE = 96  # pixels of the page in an inch
COLORS, FAST = 64, Image.Quantize.FASTOCTREE
WHITE = 252  # what is lighter is white
MARGIN = 2  # pixels
SAMPLE = 15  # pictures whose most frequent pixels are the ground
MOST = 3_000_000  # bytes of a widget
DRAWN_BY = f"matplotlib {matplotlib.__version__}, Pillow {PIL.__version__}"
IMAGE = re.compile(r'<img alt="([^"]*)" width="(\d+)" [^>]*;base64,([^"]+)"')
LINES = re.compile(r"<div>(.*?)</div>", re.DOTALL)


class Part(NamedTuple):
    """A part of a picture that can stand alone: pixels, width on the page, and what it shows."""

    pixels: np.ndarray
    width: int
    alt: str

    @property
    def height(self) -> int:
        """On the page."""
        return self.width * self.pixels.shape[0] // self.pixels.shape[1]


class Shown(NamedTuple):
    """A setting: values and labels of all controls, lines of words, parts of pictures."""

    values: dict[str, str]
    labels: dict[str, str]
    words: list[str]
    parts: list[Part]


def offered() -> dict[str, Any]:
    """Return {name: class} of the widgets that a page can offer, in the order of the notebooks."""
    views = [getattr(widgets, name) for name in widgets.__all__]
    found = [view for view in views if getattr(view, "PLAY", None)]
    return {view.__name__: view for view in sorted(found, key=lambda view: view.PLAY.section)}


def key(value: Any) -> str:
    """Return a value as it stands in the address of a setting."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def control_of(view: View, name: str) -> tuple[str, str]:
    """Return the key of a view's own control, and what it says of where it stands."""
    control = view.controls[name]
    if isinstance(control, ipywidgets.FloatSlider):
        return key(control.value), format(control.value, control.readout_format)
    return key(control.value), getattr(control, "label", str(control.value))


def options(view: View, name: Any, values: Any) -> list[tuple[str, Any]]:
    """Return the labels and values that are offered for an attribute, as the view stands now."""
    if isinstance(values, Offer):
        return list(values.values.items())
    if values is not None:
        return [("", value) for value in values]
    control = view.controls[name]
    if hasattr(control, "options"):
        return list(control.options)
    steps = np.arange(control.min, control.max + control.step / 2, control.step)
    return [("", value) for value in (steps.round(6).tolist())]


def settings(view: View, left: list, chosen: dict) -> Iterator[dict[str, tuple[str, str]]]:
    """Yield what was chosen of the offers, whenever the view stands at the next setting."""
    if not left:
        yield chosen
        return
    (name, values), *rest = left
    for label, value in options(view, name, values):
        if isinstance(name, tuple):
            view.model.update(**dict(zip(name, value, strict=True)))
        else:
            view.model.move(name, value)
        more = {name: (key(value), label)} if isinstance(values, Offer) else {}
        yield from settings(view, rest, chosen | more)


def keep(picture: MovingPicture, alt: str) -> None:
    """Take the place of ``MovingPicture.draw``: here pictures are packed in another way."""
    picture.value, picture.old = alt, True


def parts_of(view: Any, draw: bool) -> Iterator[Part]:
    """Yield the pictures that a view shows, each in parts; not drawn anew without ``draw``."""
    if isinstance(view, MovingPicture):
        if draw and view.old:
            view.parts, view.old = [np.asarray(part) for part in view.cut(view.image())], False
        for place, pixels in enumerate(view.parts):
            width = round(pixels.shape[1] * PAGE / view.dpi)
            yield Part(pixels, width, "" if place else view.value)
    elif isinstance(view, ipywidgets.HTML):
        for alt, width, data in IMAGE.findall(view.value):
            picture = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
            yield Part(np.asarray(picture), int(width), html.unescape(alt))
    for child in getattr(view, "children", ()):
        yield from parts_of(child, draw)


def shown(view: View, chosen: dict[str, tuple[str, str]], layers: Sequence[str]) -> Shown:
    """Return what the view shows at a setting; several layers are not drawn together."""
    controls = chosen | {name: control_of(view, name) for name in view.controls}
    values, labels = ({name: pair[i] for name, pair in controls.items()} for i in (0, 1))
    draw = len(ticked(values, layers)) < 2
    return Shown(values, labels, LINES.findall(view._words.value), list(parts_of(view, draw)))


def ticked(values: dict[str, str], layers: Sequence[str]) -> list[str]:
    """Return the names of the boxes that are ticked."""
    return [name for name in layers if values.get(name) == key(True)]


def views(play: Play, kind: Any) -> Iterator[tuple[View, dict[str, tuple[str, str]]]]:
    """Yield a view for all that it can be made of, and what was chosen of that."""
    for labels in itertools.product(*(offer.values for offer in play.made.values())):
        named = dict(zip(play.made, labels, strict=True))
        given = {name: play.made[name].values[label] for name, label in named.items()}
        yield (play.make or kind)(**given), {n: (key(given[n]), named[n]) for n in named}


def walk(play: Play, made: Iterable[tuple[View, dict]]) -> Iterator[list[Shown]]:
    """Yield the settings of views in runs: only the last values change, or what is ticked."""
    inner = len(play.layers) or 1
    for view, chosen in made:
        values = list(play.values.items())
        for outer in settings(view, values[:-inner], chosen):
            inside = settings(view, values[-inner:], outer)
            yield [shown(view, setting, play.layers) for setting in inside]


def common(pictures: list[np.ndarray]) -> np.ndarray:
    """Return the picture of the pixels that most of some pictures have."""
    colors = np.stack(pictures).astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    middle = np.sort(colors, axis=0)[len(colors) // 2]
    return np.stack([middle >> 16, middle >> 8 & 255, middle & 255], axis=-1).astype(np.uint8)


class Pack:
    """Pictures as files in a folder, each once, and tables of what settings share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.strings: dict[str, int] = {}
        self.parts: dict[tuple, int] = {}

    def file(self, pixels: np.ndarray) -> str:
        """Write a picture, unless it is there; return its name."""
        name = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()[:12]
        path = self.folder / f"{name}.webp"
        if not path.exists():
            few = Image.fromarray(pixels).quantize(COLORS, FAST, dither=Image.Dither.NONE)
            levels = np.array(few.convert("RGBA"))
            levels[levels > WHITE] = 255
            Image.fromarray(levels).save(path, lossless=True, quality=50)
        return path.name

    def over(self, pixels: np.ndarray, ground: np.ndarray, margin: int) -> list[str]:
        """Return the file of what is new in a picture, with a margin; none if nothing is.

        In a picture that the page makes smaller the ground shines through at the edges.
        """
        new = (pixels != ground).any(axis=-1, keepdims=True)
        new = maximum_filter(new, (2 * margin + 1, 2 * margin + 1, 1))
        return [self.file(np.dstack([pixels * new, np.uint8(255) * new]))] if new.any() else []

    def files(self, run: list[Shown], layers: Sequence[str]) -> Iterator[list[list[str]]]:
        """Yield for each setting of a run the files of each part, one above the other."""
        sample = run[:1] if layers else run[:: len(run) // SAMPLE + 1]
        parts = [[each.parts[place] for each in sample] for place in range(len(run[0].parts))]
        grounds = [common([part.pixels for part in part_of]) for part_of in parts]
        alone: dict[str, list[list[str]]] = {}
        margin = 0 if layers else MARGIN
        for each in run:
            names = ticked(each.values, layers)
            if len(names) > 1:
                pairs = zip(*(alone[name] for name in names), strict=True)
                news = [[*itertools.chain(*files)] for files in pairs]
            else:
                both = zip(each.parts, grounds, strict=True)
                news = [self.over(part.pixels, ground, margin) for part, ground in both]
                alone |= dict.fromkeys(names, news)
            yield [[self.file(ground), *new] for ground, new in zip(grounds, news, strict=True)]

    def rows(self, run: list[Shown], layers: Sequence[str]) -> Iterator[list[list[int]]]:
        """Yield for each setting of a run its labels, words, parts and what these show."""
        for each, files in zip(run, self.files(run, layers), strict=True):
            texts = [each.labels.values(), each.words, [part.alt for part in each.parts]]
            labels, words, alts = ([place(self.strings, text) for text in some] for some in texts)
            pairs = zip(each.parts, files, strict=True)
            entries = [(part.width, part.height, *names) for part, names in pairs]
            yield [labels, words, [place(self.parts, entry) for entry in entries], alts]


def place(table: dict[Any, int], entry: Any) -> int:
    """Return the place of an entry in a table; a new one is the last."""
    return table.setdefault(entry, len(table))


def controls_of(view: View, play: Play, seen: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Return what the page has to move: offers, and the view's own controls that do move."""
    found = []
    offers = {n: o for n, o in (play.made | play.values).items() if isinstance(o, Offer)}
    for name in seen[0]:
        keys = list(dict.fromkeys(values[name] for values in seen))
        if name in offers:
            text, values = offers[name]
            kind = "box" if set(values.values()) == {False, True} else "menu"
            kind = "range" if name == play.track else kind
        else:
            text = view.controls[name].description
            kind = "menu" if isinstance(view.controls[name], ipywidgets.Dropdown) else "range"
            keys = keys if kind == "menu" else sorted(keys, key=float)
        if len(keys) > 1:
            found.append({"name": name, "text": text, "kind": kind, "values": keys})
    return found


def draw(name: str, folder: Path) -> dict[str, Any]:
    """Draw all settings of a widget into a folder; return what the page has to know."""
    kind = offered()[name]
    play, pack, rows, seen = kind.PLAY, Pack(folder), [], []
    with mock.patch.object(MovingPicture, "draw", keep):
        made = views(play, kind)
        view, chosen = next(made)
        first = shown(view, chosen, ()).values | {n: key(v) for n, v in play.first.items()}
        runs = walk(play, itertools.chain([(view, chosen)], made))
        for run in tqdm(runs, desc=name, unit="run"):
            rows += pack.rows(run, play.layers)
            seen += [each.values for each in run]
    controls = controls_of(view, play, seen)
    names = [each["name"] for each in controls]
    moved = [list(seen[0]).index(name) for name in names]
    for row, values in zip(rows, seen, strict=True):
        row[0] = [row[0][place] for place in moved]
        row.insert(0, [each["values"].index(values[each["name"]]) for each in controls])
    start = next(i for i, values in enumerate(seen) if all(first[n] == values[n] for n in first))
    tables = {"strings": list(pack.strings), "parts": list(pack.parts), "rows": rows}
    return {"controls": controls, "first": start, "track": play.track, **tables}


def hashes(files: Sequence[str]) -> dict[str, str]:
    """Return {file: hash} of files of the repository; those that are gone have none."""
    there = [file for file in files if (ROOT / file).is_file()]
    found = {file: hashlib.sha256((ROOT / file).read_bytes()).hexdigest() for file in there}
    return dict.fromkeys(files, "") | found


def save(name: str, data: dict[str, Any], folder: Path, made_of: dict[str, str]) -> None:
    """Write what the page has to know of a widget, and what it was made of."""
    packed = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    (folder / "data.js").write_text(f'nasLabPlay("{name}", {packed});\n', "utf-8")
    names = [control["name"] for control in data["controls"]]
    known = {"controls": names, "drawn by": DRAWN_BY, "made of": made_of}
    (folder / ABOUT).write_text(json.dumps(known), "utf-8")


def make(name: str) -> None:
    """Draw a widget, in a process of its own: what it opens and imports is what it is made of.

    Raises:
        ValueError: it has more bytes than a page should load.
    """
    opened: set[Any] = set()
    sys.addaudithook(lambda event, given: event == "open" and opened.add(given[0]))
    folder = FOLDER / f"{name}.new"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    data = draw(name, folder)
    imported = {getattr(module, "__file__", None) for module in [*sys.modules.values()]}
    paths = [Path(each).resolve() for each in opened | imported if isinstance(each, (str, Path))]
    own = {ROOT / "nas_lab", ROOT / "datasets", ROOT / "tools"}
    files = {str(path.relative_to(ROOT)) for path in paths if own & set(path.parents)}
    save(name, data, folder, hashes(sorted(file for file in files if "__pycache__" not in file)))
    size = sum(path.stat().st_size for path in folder.iterdir())
    if size > MOST:
        raise ValueError(f"{name} has {size / 1e6:.1f} MB, at most {MOST / 1e6:g}: offer less")
    shutil.rmtree(FOLDER / name, ignore_errors=True)
    folder.rename(FOLDER / name)


def is_current(name: str) -> bool:
    """Whether a widget was drawn with the files that are there now."""
    known = about(name)
    made_of = known.get("made of", {})
    return known.get("drawn by") == DRAWN_BY and hashes(list(made_of)) == made_of


def about(name: str) -> dict[str, Any]:
    """Return what is known of a widget that was drawn; nothing if it was not."""
    path = FOLDER / name / ABOUT
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def host(name: str, still: str, at: str = "") -> str:
    """Return a place for a widget as HTML, with what is there before it moves."""
    if not about(name):
        return still
    names = html.escape(" ".join(about(name)["controls"]))
    look = f'data-play="{name}" data-controls="{names}" data-at="{html.escape(at)}"'
    return f'<div class="play" {look}>{still}</div>'


def moving(source: str, still: str) -> str:
    """Return a still as HTML so that it moves, if the code that shows it calls such a widget.

    One that shows what the notebook itself has measured or trained stays a still.
    """
    for call in ast.walk(ast.parse(source)):
        name = getattr(getattr(call, "func", None), "id", "")
        if name in offered():
            given = {each.arg: each.value for each in call.keywords}
            at = {n: key(v.value) for n, v in given.items() if isinstance(v, ast.Constant)}
            own = set(given) - set(at) - {"table", *about(name).get("controls", ())}
            return still if own or ".append(" in source else host(name, still, urlencode(at))
    return still


def main() -> None:
    """Draw the widgets that have changed, and forget those that are no longer offered."""
    names = offered()
    for path in FOLDER.glob("*"):
        if path.name not in names:
            shutil.rmtree(path)
    new = [name for name in names if not is_current(name)]
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(2, os.cpu_count() or 1), maxtasksperchild=1) as pool:
        pool.map(make, new, chunksize=1)


if __name__ == "__main__":
    main()
