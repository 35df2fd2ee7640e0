"""Make slides of the core path of each notebook, for a class: `make slides`.

A slide has one idea: what a section is about, a question to the class, a formula, a figure, a small
table, or a widget that moves. They are in build/slides; nbconvert and reveal.js show them, and
nothing comes from a network.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter

from tools import mathjax, play, site

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "slides"
QUESTION = re.compile(r"\*\*The question of this notebook: (.+?)\*\*", re.DOTALL)
PREDICT = re.compile(r"\*\*Predict(?: [^*]*)?: (.+?)\*\*", re.DOTALL)
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\([^)]+\)")
WORDS, ROWS, COLUMNS = 60, 9, 6  # a slide has no more of them


def shown(cell) -> Iterator[str]:
    """Yield what a slide can show of a cell's outputs, as HTML."""
    for output in cell.get("outputs", []):
        page = output.get("data", {}).get("text/html", "")
        rows, columns = page.count("<tr"), page.partition("</tr")[0].count("<th")
        if 'class="play"' in page:
            yield page
        elif 'class="still"' in page:
            continue  # more than fits on a slide
        elif "<img" in page or (0 < rows <= ROWS + 1 and columns <= COLUMNS):
            yield f'<div class="figure">{page}</div>'


def opening(text: str) -> str:
    """Return the first sentences of a paragraph, as many as a slide has room for."""
    sentences, kept = re.split(r"(?<=[.?:!])\s+", PREDICT.sub("", text).strip()), []
    while sentences and len(" ".join([*kept, sentences[0]]).split()) <= WORDS:
        kept.append(sentences.pop(0))
    return " ".join(kept)


def ideas(text: str, first: bool) -> Iterator[str]:
    """Yield what a text begins with, if it is the first of its section, and then its questions and
    formulas, each with the sentence that leads to it."""
    paragraphs = [each for each in re.split(r"\n\n+", text) if not each.startswith("#")]
    for before, now, after in zip(
        ["", *paragraphs[:-1]], paragraphs, [*paragraphs[1:], ""], strict=True
    ):
        if now.startswith("$$"):
            yield f"{opening(before)}\n\n{now}"
        elif first and now is paragraphs[0] and not after.startswith("$$") and opening(now):
            yield re.sub(r"(?<=[.?!]) [^.?!]*[:,]$", "", opening(now))
        yield from (f"*Predict:* {question}" for question in PREDICT.findall(now))


def slides(notebook) -> Iterator[str]:
    """Yield the slides of an executed notebook whose widgets are stills, as Markdown."""
    title, *_ = notebook.cells[0].source.splitlines()
    question = QUESTION.search(notebook.cells[0].source)[1]
    first = next((page for cell in notebook.cells for page in shown(cell)), "")
    yield f"{title}\n\n{question[0].upper()}{question[1:]}\n\n{first}"
    heading = ""
    for cell in notebook.cells[1:]:
        if cell.cell_type == "code":
            pages = shown(cell) if heading else ()
            yield from (f"{heading}\n\n{page}" for page in pages)
            continue
        for part in re.split(r"^(?=## )", cell.source, flags=re.MULTILINE):
            if part.startswith("## "):
                heading, _, text = part.partition("\n\n")
                core = re.match(r"## (\d|Remember)", heading) and not heading.endswith("(more)")
                heading = heading if core else ""
                whole = LINK.sub(r"\1", text) if heading == "## Remember" else ""
                if whole:
                    yield f"{heading}\n\n{whole}"
            if heading and heading != "## Remember":
                new, plain = part.startswith("## "), LINK.sub(r"\1", part)
                yield from (f"{heading}\n\n{idea}" for idea in ideas(plain, new))


def page(notebook, name: str) -> str:
    """Return the slides of a notebook as a page."""
    look = {"slideshow": {"slide_type": "slide"}}
    cells = [nbformat.v4.new_markdown_cell(each, metadata=look) for each in slides(notebook)]
    exporter = SlidesExporter(
        template_name="slides",
        extra_template_basedirs=[str(ROOT / "site")],
        reveal_url_prefix="_static/reveal",
        reveal_theme="white",
    )
    made = nbformat.v4.new_notebook(cells=cells)
    return exporter.from_notebook_node(made, {"metadata": {"name": name}})[0]


def main() -> None:
    """Make all slides anew, and what they need beside them."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.copytree(ROOT / "site" / "_static", FOLDER / "_static")
    for folder in (mathjax.FOLDER, play.STATIC):
        shutil.copytree(folder, FOLDER / "_static", dirs_exist_ok=True)
    for path in sorted((ROOT / "build" / "notebooks").glob("*.ipynb")):
        target = FOLDER / f"{path.stem}.html"
        target.write_text(page(site.page_of(path), path.stem), "utf-8")


if __name__ == "__main__":
    main()
