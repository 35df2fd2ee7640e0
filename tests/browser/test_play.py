"""Widgets on a page without a kernel: they show what the notebook's show, by mouse and keyboard."""

import base64
import contextlib
import functools
import html
import http.server
import io
import json
import re
import shutil
import threading

import nbformat
import numpy as np
import pytest
from PIL import Image

from nas_lab import widgets
from nas_lab.estimation import DartsRuns
from nas_lab.widgets.base import Offer
from nas_lab.widgets.scaling import METHODS, ScalingState
from nas_lab.widgets.swap import CELLS
from tests.browser.lab import OUTSIDE, ROOT
from tests.widgets.reading import shown
from tools import play
from tools.notebooks import leads_somewhere
from tools.site import slug

SITE = ROOT / "build" / "site" / "html"
COEFFICIENTS = [METHODS[name] for name in ("the paper's", "wider only")]
RACERS = ("RandomSearch", "RegularizedEvolution")
FEW = {
    "CompoundScaling": {
        "values": {
            "base": None,
            ("alpha", "beta", "gamma"): COEFFICIENTS,
            "phi": [0.0, 1.0, 1.5, 2.0],
        }
    },
    "LiveRace": {
        "values": {"trials": Offer("trials", {"0": 0, "4": 4, "8": 8})}
        | {name: widgets.LiveRace.PLAY.values[name] for name in RACERS},
        "make": lambda seed: widgets.LiveRace(strategies=[], trials=0, seed=seed),
        "made": {"seed": Offer("seed", {"2": 2})},
        "layers": RACERS,
        "first": {"trials": 4} | dict.fromkeys(RACERS, True),
    },
    "AlphaPlayer": {
        "values": {"at": [1, 40]},
        "made": {"search": Offer("search", {"joint": "joint"}), "seed": Offer("seed", {"1": 1})},
    },
    "SwapParts": {"values": widgets.SwapParts.PLAY.values | {"edge": Offer("edge", {"1 → 2": 2})}},
}
"""What a test draws of a page's offers."""


def notebook_widget(name, value):
    """The widget as a notebook makes it at a setting, where ``value`` gives what a control says."""
    if name == "CompoundScaling":
        numbers = METHODS[value("method")]._asdict() | {"phi": float(value("phi"))}
        return widgets.CompoundScaling(value("base"), **numbers)
    if name == "LiveRace":
        ticked = [each for each in RACERS if value(each) == "True"]
        return widgets.LiveRace(strategies=ticked, trials=int(value("trials")), seed=2)
    if name == "AlphaPlayer":
        return widgets.AlphaPlayer(DartsRuns.load().w("joint")[1], at=int(value("at")))
    cells = {play.key(cell): cell for cell in CELLS.values()}
    return widgets.SwapParts(arch=cells[value("arch")], edge=2, token=int(value("token")))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The folder of a small site, and what was drawn for it."""
    folder, data = tmp_path_factory.mktemp("site"), {}
    shutil.copytree(ROOT / "site" / "_static", folder / "_static")
    with pytest.MonkeyPatch.context() as patch:
        for name, few in FEW.items():
            target = folder / "_static" / "play" / name
            target.mkdir(parents=True)
            patch.setattr(
                getattr(widgets, name), "PLAY", getattr(widgets, name).PLAY._replace(**few)
            )
            data[name] = play.draw(name, target)
            (target / "data.js").write_text(f'nasLabPlay("{name}", {json.dumps(data[name])})')
    names = ("CompoundScaling", "LiveRace")
    hosts = "".join(
        f'<h2>{name}</h2><div class="play" data-play="{name}" data-controls="'
        f'{" ".join(each["name"] for each in data[name]["controls"])}">still</div>'
        for name in names
    )
    head = '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
    head += '<link rel="stylesheet" href="_static/play.css"><title>Play</title>'
    script = '<script src="_static/play.js" defer></script>'
    (folder / "page.html").write_text(f'<!doctype html><html lang="en">{head}{script}{hosts}')
    return folder, data


def seen(name, data, row, folder):
    """Words, pictures and texts that the page puts together for a row."""
    _, _, lines, parts, alts = data["rows"][row]
    pictures = []
    for part in parts:
        _width, _height, ground, *overs = data["parts"][part]
        picture = Image.open(folder / "_static" / "play" / name / ground).convert("RGBA")
        for over in overs:
            above = Image.open(folder / "_static" / "play" / name / over).convert("RGBA")
            picture = Image.alpha_composite(picture, above)
        pictures.append(np.asarray(picture.convert("RGB"), dtype=int))
    said = [data["strings"][place] for place in lines]
    return said, pictures, [data["strings"][place] for place in alts]


@pytest.mark.parametrize("name", FEW)
def test_a_page_shows_what_the_notebook_shows(drawn, name):
    folder, data = drawn[0], drawn[1][name]
    names = [each["name"] for each in data["controls"]]
    rows = np.random.default_rng(0).choice(len(data["rows"]), 2, False)
    for row in rows.tolist():
        values = [
            control["values"][place]
            for control, place in zip(data["controls"], data["rows"][row][0], strict=True)
        ]
        w = notebook_widget(name, dict(zip(names, values, strict=True)).__getitem__)
        said, pictures, alts = seen(name, data, row, folder)
        assert said == play.LINES.findall(w._words.value)
        expected = list(play.IMAGE.finditer(" ".join(shown(w))))
        assert alts == [html.unescape(each[1]) for each in expected]
        for picture, each in zip(pictures, expected, strict=True):
            there = Image.open(io.BytesIO(base64.b64decode(each[3]))).convert("RGB")
            far = np.abs(picture - np.asarray(there, dtype=int)).max(axis=-1)
            assert (far > 64).mean() < 0.002  # few colours; dots of a race lie in another order
            assert far.mean() < 2


def test_only_what_has_changed_is_drawn_again(tmp_path, monkeypatch):
    monkeypatch.setattr(play, "FOLDER", tmp_path)
    about = {"controls": ["phi"], "drawn by": play.DRAWN_BY, "made of": play.hashes(["README.md"])}
    (tmp_path / "Widget").mkdir()
    for made_of, current in ((about["made of"], True), ({"README.md": "other"}, False)):
        text = json.dumps(about | {"made of": made_of})
        (tmp_path / "Widget" / play.ABOUT).write_text(text)
        assert play.is_current("Widget") == current
    assert not play.is_current("Another")
    assert play.host("Another", "still") == "still"
    monkeypatch.setattr(play, "offered", lambda: {"Widget": None})
    made = play.moving("w = Widget(table, phi=1.5, name='a b')\nw", "still")
    assert made.endswith('data-controls="phi" data-at="phi=1.5&amp;name=a+b">still</div>')
    assert play.moving("Another()", "still") == "still"


def test_every_question_leads_to_a_heading_of_its_notebook():
    assert len(play.offered()) >= 10
    for kind in play.offered().values():
        assert "?" in kind.PLAY.question
        assert leads_somewhere(kind.PLAY.section, ROOT / "notebooks" / "x", set())
        notebook, _, heading = kind.PLAY.section.partition("#")
        cells = nbformat.read(ROOT / "notebooks" / notebook, as_version=4).cells
        headings = re.findall("^#+ (.+)$", "\n".join(cell.source for cell in cells), re.MULTILINE)
        assert heading in [slug(each) for each in headings]


@pytest.fixture
def visit(browser):
    """Yield what opens a page of a folder from a plain server; nothing went wrong in it."""
    with contextlib.ExitStack() as stack:
        connection, said = stack.enter_context(browser.connected()), []

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass

        def open_page(folder, address, **look):
            serve = functools.partial(Handler, directory=folder)
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            context = connection.new_context(viewport={"width": 1280, "height": 800}, **look)
            page = context.new_page()
            stack.callback(context.close)
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.route(OUTSIDE, lambda route: said.append(route.request.url) or route.abort())
            page.goto(f"http://127.0.0.1:{server.server_port}/{address}")
            return page

        yield open_page
        assert said == []


def scaled(page, **setting):
    """The words of the scaling widget are those of a setting, beside its picture."""
    state = ScalingState(**setting)
    w = page.locator("[data-play=CompoundScaling]")
    w.locator(".play-words").get_by_text(state.words).wait_for()
    w.locator(".play-words").get_by_text(state.details[1]).wait_for()
    w.get_by_role("img", name=state.details[1]).wait_for()
    return w


def test_keys_move_a_widget_and_its_address(drawn, visit):
    page = visit(drawn[0], "page.html#phi=2&base=B0")
    w = scaled(page, base="B0", phi=2.0)
    phi = w.get_by_label("φ steps")
    phi.press("Home")
    scaled(page, base="B0", phi=0.0)
    assert page.url.endswith("#play=CompoundScaling&base=B0&phi=0")
    page.go_back()
    scaled(page, base="B0", phi=2.0)
    page.go_forward()
    scaled(page, base="B0", phi=0.0)
    phi.press("End")
    assert phi.get_attribute("aria-valuetext") == "2.0"
    w.get_by_label("α depth").press("Home")  # the others give way
    wider = METHODS["wider only"]._asdict()
    scaled(page, base="B0", phi=2.0, **wider)
    assert w.get_by_label("scale").locator(":checked").inner_text() == "wider only"
    w.get_by_label("base").select_option("small network")
    scaled(page, phi=2.0, **wider)
    w.get_by_role("button", name="Reset").click()
    scaled(page)
    page.evaluate("location.hash = 'play=CompoundScaling&phi=1.5'")
    scaled(page, phi=1.5)
    page.reload()
    scaled(page, phi=1.5)
    assert w.locator(".play-words").get_attribute("aria-live") == "polite"


def test_a_race_is_played_paused_stepped_and_ticked_by_mouse_on_a_phone(drawn, visit, screenshots):
    page = visit(drawn[0], "page.html")
    page.set_viewport_size({"width": 390, "height": 800})
    w = page.locator("[data-play=LiveRace]")
    w.scroll_into_view_if_needed()
    w.get_by_text("after 4 trials with seed 2").wait_for()
    w.get_by_role("button", name="Play").click()
    w.get_by_text("after 8 trials").wait_for()
    w.get_by_role("button", name="Play").wait_for()  # it is over
    w.get_by_label("trials").press("Home")
    w.get_by_text("after 0 trials").wait_for()
    w.get_by_role("button", name="Step").click()
    w.get_by_text("after 4 trials").wait_for()
    w.get_by_label("regularized evolution").click()
    left = widgets.RaceState(strategies=RACERS[:1], trials=4, seed=2)
    w.get_by_text(left.words, exact=True).wait_for()
    assert page.url.endswith("#play=LiveRace&RegularizedEvolution=False")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    w.screenshot(path=screenshots / "play-phone.png")


def test_nothing_plays_for_who_wants_no_motion(drawn, visit):
    page = visit(drawn[0], "page.html#play=LiveRace&trials=8", reduced_motion="reduce")
    w = page.locator("[data-play=LiveRace]")
    w.get_by_text("after 8 trials").wait_for()
    w.get_by_role("button", name="Step").wait_for()
    assert w.get_by_role("button", name="Play").count() == 0


@pytest.mark.skipif(not (SITE / "play.html").is_file(), reason="the site is not built: make site")
def test_every_widget_of_the_site_moves(visit, screenshots):
    page = visit(SITE, "play.html")
    for name in play.offered():
        w = page.locator(f"[data-play={name}]")
        w.scroll_into_view_if_needed()
        page.locator(f"[data-play={name}][data-row]").wait_for()
        before = w.get_attribute("data-row"), w.locator(".play-words").inner_text()
        w.locator("input, select").first.press("ArrowLeft")
        page.locator(f"[data-play={name}]:not([data-row='{before[0]}'])").wait_for()
        assert w.locator(".play-words").inner_text() != before[1]
        w.get_by_role("button", name="Reset").click()
        page.locator(f"[data-play={name}][data-row='{before[0]}']").wait_for()
        assert w.locator(".play-words").inner_text() == before[1]
        w.screenshot(path=screenshots / f"play-{name}.png")
