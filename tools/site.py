"""Gather the pages of the site in build/site/source: `make site` then gives them to Sphinx.

The notebooks are those that `make notebooks` executed, with a still in place of each widget. The
homework is what students get. The pages keep their places in the repository, so links lead on.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import shutil
from pathlib import Path

import nbformat

import nas_lab
from tools import links, play
from tools.stills import without_widgets

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "build" / "site" / "source"
PAGES = ["README.md", "INSTRUCTORS.md", "CONTRIBUTING.md", "CHANGELOG.md"]
LINK = re.compile(r"(\]\()(?![a-z]+:|#)([^)#\s]+)")
UNANSWERED = "not answered yet"
HOOK = re.compile(r"\n\n!\[[^]]*\]\(data:[^)]*\)")  # what the first cell below it draws
BADGE = re.compile(r"!\[([^]]+)\]\(https:[^)]+\)")  # a picture that needs the internet
ROW = re.compile(r"^\| \[\d+ [^]]+\]\((notebooks/\S+)\) \| ([^|]+) \| ([^|]+) \|", re.MULTILINE)

# What a student sees first. Cards follow it, one for each notebook of the README's table.
HOME = """# NAS Lab

*Neural architecture search* lets a program choose the topology and the layers of a neural network.
Ten notebooks show how, and where it fails. Each asks one question, and has something to move.

**[Play first](play.md)**: the widgets move in your browser, also on a phone. Then open a notebook
below to read it, with its pictures and results. To run it, follow its links to Colab or Binder,
which need no installation. Begin with 1 and 2. Then test yourself with the
[homework](notebooks/homework/index.md): it answers at once. The
[course map](README.md#Course-map) says which section teaches what.
"""
PLAY = """# Play

Nothing to install, and no account: move a control, and words and picture follow. What you see was
drawn beforehand by the same widgets that the notebooks show; there they take every value. The
address holds your setting, so a link leads others to it.
"""
WAIT = '<p class="hint">It appears here as soon as the script of this page has run.</p>'
CARD = """
````{{container}} card
[![The first picture of {title}]({picture})]({path})

**[{title}]({path})**

{question}

*{minutes} minutes*
````
"""
INDEX = """
```{toctree}
:hidden:

play
notebooks/index
notebooks/homework/index
api/index
bench
Install <README>
INSTRUCTORS
CONTRIBUTING
CHANGELOG
```
"""

# The pages that list others, by their place.
LISTS = {
    "notebooks/index.md": ("Notebooks", "0*\n1*"),
    "notebooks/homework/index.md": ("Homework", "hw*\ncapstone"),
}
BENCH = """# Benchmarks

What `make bench` measured. A time depends on the machine; a ratio compares two ways in one run, and
is what to look at. 'Times' is how many times as long, 'faster' how many times as quick."""
LIST = """# {title}

```{{toctree}}
:glob:
:maxdepth: 1

{files}
```
"""


def slug(heading: str) -> str:
    """Return the anchor of a heading, as Jupyter makes it."""
    return heading.strip().replace(" ", "-")


def page_of(path: Path):
    """Return a notebook as a page: no set-up for Colab, hidden code folded, stills of widgets, and
    no answers to questions that the reader has not answered."""
    notebook = nbformat.read(path, as_version=4)
    without_widgets(notebook, path.stem)
    notebook.cells = [cell for cell in notebook.cells if cell.id != "set-up-for-colab"]
    for cell in notebook.cells:
        if "outputs" in cell:  # of questions that are the reader's
            cell.outputs = [each for each in cell.outputs if UNANSWERED not in str(each)]
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-input"]
    return notebook


def play_page() -> str:
    """Return the page of all widgets that move, each with its question and its section."""
    page = PLAY
    for name, kind in play.offered().items():
        notebook, _, heading = kind.PLAY.section.partition("#")
        where = f"notebook {int(notebook[:2])}, section {heading.split('-')[0]}"
        link = f"[{where[0].upper()}{where[1:]}](<notebooks/{kind.PLAY.section}>)"
        page += (
            f"\n## {kind.PLAY.title}\n\n{kind.PLAY.question} *{link}*\n\n{play.host(name, WAIT)}\n"
        )
    return page


def front_page(readme: str, notebooks: dict[Path, object]) -> str:
    """Return the first page: a card for each notebook, with its picture, question and minutes."""
    cards = ""
    for path, minutes, question in ROW.findall(readme):
        title = notebooks[Path(path)].cells[0].source.splitlines()[0].removeprefix("# ")
        look = {"title": title, "minutes": minutes, "question": question, "path": path}
        cards += CARD.format(picture=f"notebooks/pictures/{Path(path).name[:2]}.png", **look)
    return f"{HOME}\n`````{{container}} cards\n{cards}`````\n{INDEX}"


def relinked(text: str, path: Path, pages: set[Path]) -> str:
    """Return Markdown whose links to files that are no pages lead into the repository, and with the
    names of badges in their place."""

    def lead(match: re.Match) -> str:
        target = Path(os.path.normpath(path.parent / match[2]))
        if f"{target.as_posix()}/index.md" in LISTS:
            return f"{match[0]}/index.md"
        if target in pages or target.suffix in (".png", ".gif"):
            return match[0]
        kind = "tree" if (ROOT / target).is_dir() else "blob"
        where = f"https://github.com/{links.home()}/{kind}/{links.BRANCH}/{target.as_posix()}"
        return match[1] + where

    return LINK.sub(lead, BADGE.sub(r"\1", text))


def notebook_pages() -> dict[Path, object]:
    """Return {place: notebook}: lectures as executed, homework as handed out.

    Raises:
        FileNotFoundError: a lecture has not been executed.
    """
    found = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        executed = ROOT / "build" / "notebooks" / path.name
        if not executed.is_file():
            raise FileNotFoundError(f"{executed} is not there: run make notebooks")
        found[path.relative_to(ROOT)] = page_of(executed)
    for path in sorted((ROOT / "notebooks" / "homework").glob("*.ipynb")):
        found[path.relative_to(ROOT)] = page_of(path)
    return found


def reference() -> dict[str, str]:
    """Return {file: text} of the pages of the API, one for each submodule."""
    pages = {}
    for name in nas_lab.__all__:
        module = importlib.import_module(f"nas_lab.{name}")
        parts = [f"nas_lab.{name}"]
        listed = [getattr(module, each) for each in getattr(module, "__all__", [])]
        parts += [each.__name__ for each in listed if inspect.ismodule(each)]
        bodies = [f".. automodule:: {part}\n   :members:\n" for part in parts]
        title = f"``nas_lab.{name}``"
        pages[f"{name}.rst"] = f"{title}\n{'=' * len(title)}\n\n" + "\n".join(bodies)
    rows = "".join(f"   {name[:-4]}\n" for name in pages)
    front = "API reference\n=============\n\n.. automodule:: nas_lab\n   :no-members:\n\n"
    pages["index.rst"] = f"{front}.. toctree::\n   :maxdepth: 1\n\n{rows}"
    return pages


def bench() -> str:
    """Return the page of the benchmarks, from what `make bench` kept."""
    files = sorted((ROOT / "build" / "benchmarks").glob("*.json"))
    kept = {path.stem: json.loads(path.read_text("utf-8")) for path in files}
    kept.pop("summary", None)  # the same ratios without what they are made of
    first = {name: kept.pop(name) for name in ("notebooks",) if name in kept}
    parts = [BENCH, *(measured(name, record) for name, record in (first | kept).items())]
    return "\n\n".join(parts) + "\n"


def measured(name: str, record: dict) -> str:
    """Return the section of one benchmark."""
    where = ", ".join(record[key] for key in ("date", "machine") if key in record)
    parts = [f"## {name[0].upper()}{name[1:]}", record.get("about", ""), table(record["rows"])]
    return "\n\n".join([*filter(None, parts), f"*Measured: {where}.*" if where else ""])


def table(rows: list[dict]) -> str:
    """Return rows that have the same columns as a Markdown table, numbers to the right."""
    sides = [":---" if isinstance(value, str) else "---:" for value in rows[0].values()]
    lines = [list(rows[0]), sides, *(map(entry, row.values()) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def entry(value: str | float) -> str:
    """Return what a cell of a table shows: three digits, or all before the point."""
    if isinstance(value, str):
        return value.replace("|", "\\|")
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def write(path: Path, text: str) -> None:
    """Write a page and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def main() -> None:
    """Write all pages anew."""
    notebooks = notebook_pages()
    shutil.rmtree(SOURCE, ignore_errors=True)
    places = {Path(name) for name in PAGES} | set(notebooks)
    for path, notebook in notebooks.items():
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = relinked(HOOK.sub("", cell.source), path, places)
        write(SOURCE / path, nbformat.writes(notebook))
    for name in PAGES:
        write(SOURCE / name, relinked((ROOT / name).read_text("utf-8"), Path(name), places))
    write(SOURCE / "index.md", front_page((ROOT / "README.md").read_text("utf-8"), notebooks))
    for name, (title, files) in LISTS.items():
        write(SOURCE / name, LIST.format(title=title, files=files))
    for name, text in reference().items():
        write(SOURCE / "api" / name, text)
    write(SOURCE / "bench.md", bench())
    write(SOURCE / "play.md", play_page())
    for name in ("pictures", "notebooks/pictures"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, SOURCE / name)


if __name__ == "__main__":
    main()
