"""Widgets on a page without a kernel: they show what the notebook's show, by mouse and keyboard."""

import base64
import functools
import html
import io
import re
import shutil

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from nas_lab import widgets
from nas_lab.widgets import swap
from nas_lab.widgets.base import Offer
from nas_lab.widgets.scaling import METHODS, ScalingState
from tests.browser.lab import ROOT
from tests.widgets.reading import shown
from tools import play, site, slides

SITE = ROOT / "build" / "site" / "html"
WIDER = METHODS["wider only"]
COEFFICIENTS = {("alpha", "beta", "gamma"): [METHODS["the paper's"], WIDER]}
OTHER_END = "e => Number(e.value) === Number(e.max || e.options?.length - 1) ? 'Home' : 'End'"
RACERS = ("RandomSearch", "RegularizedEvolution")
FIRST = {"arch": Offer("cell", {"first": swap.FIRST}), "edge": Offer("edge", {"1 → 2": 2})}
FEW = {
    "CompoundScaling": {"values": {**COEFFICIENTS, "phi": [0.0, 1.0, 2.0]}},
    "LiveRace": {
        "values": {"trials": Offer("trials", {"0": 0, "4": 4, "8": 8})}
        | {name: widgets.LiveRace.PLAY.values[name] for name in RACERS},
        "make": lambda seed: widgets.LiveRace(strategies=[], trials=0, seed=seed),
        "made": {"seed": Offer("seed", {"2": 2})},
        "layers": RACERS,
        "first": {"trials": 4} | dict.fromkeys(RACERS, True),
    },
    "SwapParts": {"values": widgets.SwapParts.PLAY.values | FIRST},
}
"""What a test draws of a page's offers; and how a notebook makes a widget that stands there."""
MADE = {
    "CompoundScaling": lambda method, phi, **_: widgets.CompoundScaling(
        phi=float(phi), **METHODS[method]._asdict()
    ),
    "LiveRace": lambda trials, **boxes: widgets.LiveRace(
        strategies=[name for name in boxes if boxes[name] == "True"], trials=int(trials), seed=2
    ),
    "SwapParts": lambda token: widgets.SwapParts(token=int(token)),
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The folder of a small site, and what was drawn for it."""
    folder, data = tmp_path_factory.mktemp("site"), {}
    shutil.copytree(ROOT / "site" / "_static", folder / "_static")
    page = '<!doctype html><html lang="en"><meta name="viewport" content="width=device-width">'
    page += '<meta charset="utf-8"><title>Play</title><link rel="icon" href="data:,">'
    page += '<link rel="stylesheet" href="_static/play.css"><script src="_static/play.js"></script>'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(play, "FOLDER", folder / "_static" / "play")
        for name, few in FEW.items():
            kind = getattr(widgets, name)
            patch.setattr(kind, "PLAY", kind.PLAY._replace(**few))
            (play.FOLDER / name).mkdir(parents=True)
            data[name] = play.draw(name, play.FOLDER / name)
            play.save(name, data[name], play.FOLDER / name, {})
            page += play.host(name, "still")
    (folder / "page.html").write_text(page)
    return folder, data


def pictured(data, parts, folder):
    """The pixels that the page puts together for some parts."""
    for part in parts:
        layers = (Image.open(folder / file).convert("RGBA") for file in data["parts"][part][2:])
        yield np.asarray(functools.reduce(Image.alpha_composite, layers).convert("RGB"), dtype=int)


@pytest.mark.parametrize("name", FEW)
def test_a_page_shows_what_the_notebook_shows(drawn, name):
    folder, data = drawn[0] / "_static" / "play" / name, drawn[1][name]
    for row in np.random.default_rng(0).choice(len(data["rows"]), 2, False).tolist():
        places, _, lines, parts, alts = data["rows"][row]
        moved = zip(data["controls"], places, strict=True)
        w = MADE[name](**{each["name"]: each["values"][place] for each, place in moved})
        assert [data["strings"][place] for place in lines] == play.LINES.findall(w._words.value)
        expected = list(play.IMAGE.finditer(" ".join(shown(w))))
        assert [data["strings"][place] for place in alts] == [html.unescape(e[1]) for e in expected]
        for picture, each in zip(pictured(data, parts, folder), expected, strict=True):
            there = Image.open(io.BytesIO(base64.b64decode(each[3]))).convert("RGB")
            far = np.abs(picture - np.asarray(there, dtype=int)).max(axis=-1)
            assert (far > 64).mean() < 0.002  # few colours; dots of a race lie in another order
            assert far.mean() < 2


def test_only_what_has_changed_is_drawn_again(tmp_path, monkeypatch):
    monkeypatch.setattr(play, "FOLDER", tmp_path)
    assert not play.is_current("Widget")
    assert play.host("Widget", "still") == "still"
    (tmp_path / "Widget").mkdir()
    for made_of, current in ((play.hashes(["README.md"]), True), ({"README.md": "other"}, False)):
        play.save("Widget", {"controls": [{"name": "phi"}]}, tmp_path / "Widget", made_of)
        assert play.is_current("Widget") == current
    monkeypatch.setattr(play, "offered", lambda: {"Widget": None})
    made = play.moving("w = Widget(table, phi=1.5, name='a b')\nw", "still")
    assert made.endswith('data-controls="phi" data-at="phi=1.5&amp;name=a+b">still</div>')
    for source in ("Another()", "Widget(phi=1, scores=mine)", "w = Widget()\nw.append(1)"):
        assert play.moving(source, "still") == "still"


def test_every_question_leads_to_a_heading_of_its_notebook():
    assert len(play.offered()) > 10
    for kind in play.offered().values():
        assert "?" in kind.PLAY.question
        notebook, _, heading = kind.PLAY.section.partition("#")
        cells = nbformat.read(ROOT / "notebooks" / notebook, as_version=4).cells
        headings = re.findall("^#+ (.+)$", "\n".join(cell.source for cell in cells), re.MULTILINE)
        assert heading in [site.slug(each) for each in headings]


def scaled(page, **setting):
    """The words of the scaling widget are those of a setting, beside its picture."""
    state, w = ScalingState(**setting), page.locator("[data-play=CompoundScaling]")
    for words in (state.words, state.details[1]):
        w.locator(".play-words").get_by_text(words).wait_for()
    w.get_by_role("img", name=state.details[1]).wait_for()
    return w


def test_keys_move_a_widget_and_its_address(drawn, visit):
    page = visit(drawn[0], "page.html#phi=2")
    w = scaled(page, phi=2.0)
    phi = w.get_by_label("φ steps")
    phi.press("Home")
    scaled(page, phi=0.0)
    assert page.url.endswith("#play=CompoundScaling&phi=0")
    page.go_back()
    scaled(page, phi=2.0)
    page.go_forward()
    scaled(page, phi=0.0)
    phi.press("End")
    assert phi.get_attribute("aria-valuetext") == "2.0"
    w.get_by_label("α depth").press("Home")  # the others give way
    scaled(page, phi=2.0, **WIDER._asdict())
    assert w.get_by_label("scale").locator(":checked").inner_text() == "wider only"
    w.get_by_label("scale").select_option("the paper's")
    scaled(page, phi=2.0)
    w.get_by_role("button", name="Reset").click()
    scaled(page)
    page.evaluate("location.hash = 'play=CompoundScaling&phi=2'")
    scaled(page, phi=2.0)
    page.reload()
    scaled(page, phi=2.0)
    assert w.locator(".play-words").get_attribute("aria-live") == "polite"


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_a_race_is_played_stepped_and_ticked_by_mouse_on_a_phone(drawn, visit, screenshots, motion):
    phone = {"width": 390, "height": 800}
    page = visit(drawn[0], "page.html#trials=0", viewport=phone, reduced_motion=motion)
    w = page.locator("[data-play=LiveRace]")
    w.get_by_text("after 0 trials with seed 2").wait_for()
    if motion == "reduce":
        assert w.get_by_role("button", name="Play").count() == 0
    else:
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


@pytest.mark.skipif(not (SITE / "play.html").is_file(), reason="the site is not built: make site")
def test_every_widget_of_the_site_moves(visit, screenshots):
    page = visit(SITE, "play.html")
    assert page.locator(".play").count() == len(play.offered())
    for name in play.offered():
        w = page.locator(f"[data-play={name}]")
        w.scroll_into_view_if_needed()
        w.get_by_role("button", name="Reset").wait_for()
        first = w.get_attribute("data-row"), w.locator(".play-words").inner_text()
        control = w.locator("input, select").last
        control.press("Space" if name == "LiveRace" else control.evaluate(OTHER_END))
        page.locator(f"[data-play={name}]:not([data-row='{first[0]}'])").wait_for()
        assert w.locator(".play-words").inner_text() != first[1]
        w.screenshot(path=screenshots / f"play-{name}.png")


def test_slides_are_of_the_core_and_need_no_network():
    path = ROOT / "notebooks" / "06_efficientnet_scaling.ipynb"
    made = slides.page(site.page_of(path), path.stem)
    assert not re.search(r"(?:src|href)=.?https?:", made)
    soup = BeautifulSoup(made, "html.parser")
    said = [each.get_text(" ", strip=True) for each in soup.select(".slides > section > section")]
    assert re.match(r"(?s)6 · EfficientNet.*\?$", said[0])
    assert any("Predict: for a stage of mbconv blocks" in each for each in said)
    assert any("$$d = \\alpha^\\phi" in each for each in said)
    assert max(len(each.split()) for each in said[:-1]) < 90
    assert not [each for each in said if "(more)" in each[:80]]
