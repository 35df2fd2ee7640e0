"""The site that `make site` built: links, search, dark mode, stills, formulas, phones."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

from tests.browser.lab import ROOT
from tools.mathjax import SCRIPT
from tools.stills import SCREENSHOTS

SITE = ROOT / "build" / "site" / "html"
PAGES = sorted(SITE.glob("notebooks/*.html"))
KINDS = [
    SITE / f"{name}.html" for name in ("index", "bench", "notebooks/homework/hw1", "api/estimation")
]

pytestmark = pytest.mark.skipif(not PAGES, reason="the site is not built: make site")


class Page(HTMLParser):
    """The links, anchors and pictures of a page."""

    def __init__(self, path: Path):
        super().__init__()
        self.links, self.anchors, self.mute, self.stills = [], set(), [], []
        self.outside: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors.add(given.get("id"))
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag == "img":
            self.links.append(given["src"])
            self.outside += [given["src"]] if given["src"].startswith("http") else []
            if "alt" not in given:
                self.mute.append(given["src"][:80])
            if given.get("class") == "widget":
                self.stills.append(given["alt"])


@pytest.fixture(scope="module")
def pages():
    return {path: Page(path) for path in SITE.rglob("*.html") if "_static" not in path.parts}


def test_no_link_is_broken(pages):
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or link == "#":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages[target].anchors if target in pages else {parts.fragment}
            if not target.exists() or (parts.fragment and unquote(parts.fragment) not in known):
                broken.append(f"{path.relative_to(SITE)}: {link}")
    assert broken == []


def test_every_widget_has_a_still_with_its_words(pages):
    if not any(SCREENSHOTS.glob("*.png")):
        pytest.skip("no screenshots: the site was built without a browser")
    pictured = {path.stem: page.stills for path, page in pages.items() if page.stills}
    assert set(pictured) == {path.stem for path in PAGES} - {"index"}
    assert all(len(words) > 100 for stills in pictured.values() for words in stills)


def test_every_picture_has_a_text(pages):
    assert {str(path): page.mute for path, page in pages.items() if page.mute} == {}


def test_the_first_page_has_a_card_for_each_notebook_with_picture_question_and_minutes():
    home = BeautifulSoup((SITE / "index.html").read_text("utf-8"), "html.parser")
    cards = [card.get_text() for card in home.select(".card") if card.img]
    assert len(cards) == len(list((ROOT / "notebooks").glob("*.ipynb")))
    assert [card for card in cards if not re.search(r"\?\s+\d+ .*minutes", card)] == []


def test_nothing_comes_from_outside_and_no_box_waits_for_an_answer(pages):
    assert [page.outside for page in pages.values() if page.outside] == []
    texts = [path.read_text("utf-8") for path in PAGES]
    assert [text for text in texts if "not answered yet" in text] == []


def test_every_notebook_and_submodule_has_a_page(pages):
    notebooks = {path.stem for path in (ROOT / "notebooks").rglob("*.ipynb")}
    assert notebooks <= {path.stem for path in pages}
    assert len(list(SITE.glob("api/*.html"))) > 10


def test_no_solution_is_shown():
    texts = [path.read_text("utf-8") for path in SITE.glob("notebooks/homework/hw*.html")]
    assert texts
    assert not [text for text in texts if "BEGIN SOLUTION" in text]
    assert all("your code" in text for text in texts)


@pytest.mark.parametrize("path", [*KINDS, *PAGES], ids=lambda path: path.stem)
def test_a_phone_shows_the_whole_width(visit, path, screenshots):
    page = visit(SITE, path.relative_to(SITE), viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.screenshot(path=screenshots / f"phone-{path.stem}.png")


def test_a_formula_is_drawn_without_the_internet(visit):
    if not SCRIPT.is_file():
        pytest.skip("the site was built without MathJax's own files: no npm, or no registry")
    page = visit(SITE, "notebooks/05_darts.html")
    formula = page.locator("mjx-container[display=true]").first
    formula.wait_for()
    assert formula.locator("svg use").count() > 10
    assert page.locator("mjx-merror").count() == 0


def test_dark_mode_is_dark_and_pictures_keep_their_ground(visit, screenshots):
    page = visit(SITE, PAGES[0].relative_to(SITE))
    page.locator("button.theme-switch-button:visible").click()
    page.locator("button[data-mode=dark]:visible").click()
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", ground)[:3])) < 60
    picture = page.locator(".cell_output img").first
    assert picture.evaluate("i => getComputedStyle(i).backgroundColor") == "rgb(255, 255, 255)"
    page.screenshot(path=screenshots / "site-dark.png")


def test_search_finds_a_notebook(visit):
    page = visit(SITE, "search.html?q=supernet")
    page.locator("#search-results li a").first.wait_for()
    assert "one_shot" in "".join(
        page.locator("#search-results li a").evaluate_all("all => all.map(a => a.href)")
    )
