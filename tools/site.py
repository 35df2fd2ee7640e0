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
from tools import links

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "build" / "site" / "source"
PAGES = ["INSTRUCTORS.md", "CONTRIBUTING.md", "CHANGELOG.md"]
WIDGET = "application/vnd.jupyter.widget-view+json"
STATES = "application/vnd.jupyter.widget-state+json"
LINK = re.compile(r"(\]\()(?![a-z]+:|#)([^)#\s]+)")

INDEX = """
```{toctree}
:hidden:

notebooks/index
notebooks/homework/index
api/index
bench
INSTRUCTORS
CONTRIBUTING
CHANGELOG
```
"""

# The pages that list others, by their place.
LISTS = {
    "notebooks/index.md": ("Notebooks", "0*"),
    "notebooks/homework/index.md": ("Homework", "[hc]*"),
}
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


def still(view: str, states: dict) -> str:
    """Return what a widget showed, as HTML without controls; `view` is the id of its model."""
    state = states[view]["state"]
    inner = "".join(still(child[10:], states) for child in state.get("children", []))
    if states[view]["model_name"] == "HTMLModel":
        inner += f"<div>{state.get('value', '')}</div>"
    return inner


def without_widgets(notebook) -> None:
    """Put a still in place of each widget, and a word on where it moves."""
    states = notebook.metadata.pop("widgets", {}).get(STATES, {}).get("state", {})
    for cell in notebook.cells:
        kept = []
        for output in cell.get("outputs", []):
            view = output.get("data", {}).get(WIDGET)
            if view is None:
                kept.append(output)
            elif shown := still(view["model_id"], states):
                hint = "<p><em>A still: open this notebook on Colab or Binder to move it.</em></p>"
                html = {"text/html": f'<div class="still">{shown}{hint}</div>'}
                kept.append(nbformat.v4.new_output("display_data", html))
        if "outputs" in cell:
            cell.outputs = kept


def page_of(notebook):
    """Return a notebook as a page: no set-up for Colab, hidden code folded."""
    notebook.cells = [cell for cell in notebook.cells if cell.id != "set-up-for-colab"]
    without_widgets(notebook)
    for cell in notebook.cells:
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-input"]
    return notebook


def relinked(text: str, path: Path, pages: set[Path]) -> str:
    """Return Markdown whose links to files that are no pages lead into the repository."""

    def lead(match: re.Match) -> str:
        target = Path(os.path.normpath(path.parent / match[2]))
        if target in pages or target.suffix in (".png", ".gif"):
            return match[0]
        kind = "tree" if (ROOT / target).is_dir() else "blob"
        where = f"https://github.com/{links.home()}/{kind}/{links.BRANCH}/{target.as_posix()}"
        return match[1] + where

    return LINK.sub(lead, text)


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
        found[path.relative_to(ROOT)] = page_of(nbformat.read(executed, as_version=4))
    for path in sorted((ROOT / "notebooks" / "homework").glob("*.ipynb")):
        found[path.relative_to(ROOT)] = page_of(nbformat.read(path, as_version=4))
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
    parts = ["# Benchmarks", "Ratios of times measured in one run. `make bench` measures again."]
    for name in ("notebooks", "summary"):
        kept = ROOT / "build" / "benchmarks" / f"{name}.json"
        if kept.is_file():
            rows = json.loads(kept.read_text("utf-8"))["rows"]
            parts += [f"## {name.capitalize()}", table(rows)]
    return "\n\n".join(parts) + "\n"


def table(rows: list[dict]) -> str:
    """Return rows that have the same columns as a Markdown table."""
    lines = [list(rows[0]), ["---"] * len(rows[0])]
    lines += [[v if isinstance(v, str) else f"{v:,.4g}" for v in row.values()] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


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
                cell.source = relinked(cell.source, path, places)
        write(SOURCE / path, nbformat.writes(notebook))
    for name in PAGES:
        write(SOURCE / name, relinked((ROOT / name).read_text("utf-8"), Path(name), places))
    readme = relinked((ROOT / "README.md").read_text("utf-8"), Path("README.md"), places)
    write(SOURCE / "index.md", readme + INDEX)
    for name, (title, files) in LISTS.items():
        write(SOURCE / name, LIST.format(title=title, files=files))
    for name, text in reference().items():
        write(SOURCE / "api" / name, text)
    write(SOURCE / "bench.md", bench())
    if (ROOT / "pictures").is_dir():
        shutil.copytree(ROOT / "pictures", SOURCE / "pictures")


if __name__ == "__main__":
    main()
