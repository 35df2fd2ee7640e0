"""Stills of widgets: what an executed notebook kept of each, as a page without a kernel shows it.

A still is a screenshot, if `tools/screenshots.py` took one; else the words and figures alone.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup

from tools import play

ROOT = Path(__file__).resolve().parents[1]
SCREENSHOTS = ROOT / "build" / "screenshots"
VIEW = "application/vnd.jupyter.widget-view+json"
STATES = "application/vnd.jupyter.widget-state+json"
PHONE = "-phone"  # the kind of a screenshot that is shown where the page is narrow
HINT = "A still: to move it, open this notebook in JupyterLab, on Colab or on Binder."


def states_of(notebook) -> dict[str, dict]:
    """Return {id: model} of all widgets that an executed notebook kept."""
    return notebook.metadata.get("widgets", {}).get(STATES, {}).get("state", {})


def children(view: str, states: dict) -> list[str]:
    """Return the ids of the models inside a model."""
    return [child.removeprefix("IPY_MODEL_") for child in states[view]["state"].get("children", [])]


def is_progress(view: str, states: dict) -> bool:
    """Whether a widget is a progress bar, which says nothing once it is through."""
    return any(
        states[child]["model_name"] == "FloatProgressModel" for child in children(view, states)
    )


def widgets(notebook) -> Iterator[tuple[int, str]]:
    """Yield the number of each cell that shows a widget to move, and the id of its model."""
    states = states_of(notebook)
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            view = output.get("data", {}).get(VIEW, {}).get("model_id")
            if view in states and not is_progress(view, states):
                yield number, view


def shown(view: str, states: dict) -> str:
    """Return the words and figures of a widget as HTML, without its controls."""
    inner = "".join(shown(child, states) for child in children(view, states))
    if states[view]["model_name"] == "HTMLModel":
        inner += f"<div>{states[view]['state'].get('value', '')}</div>"
    return inner


def words(page: str) -> str:
    """Return the text of some HTML."""
    return BeautifulSoup(page, "html.parser").get_text(" ", strip=True)


def screenshot(notebook: str, cell: str, kind: str = "") -> Path:
    """Return where the screenshot of a cell's widget is, or would be."""
    return SCREENSHOTS / f"{notebook}-{cell}{kind}.png"


def still(page: str, picture: Path) -> str:
    """Return a widget as HTML: its picture, with its words for who does not see it."""
    if picture.is_file():
        files = picture, picture.with_stem(picture.stem + PHONE)
        wide, narrow = (base64.b64encode(file.read_bytes()).decode() for file in files)
        alt = html.escape(f"A widget. {words(page)}")
        page = (
            f'<picture><source media="(max-width: 600px)" srcset="data:image/png;base64,{narrow}">'
            f'<img class="widget" alt="{alt}" src="data:image/png;base64,{wide}"></picture>'
        )
    return f'<div class="still">{page}</div><p class="hint">{HINT}</p>'


def without_widgets(notebook, name: str) -> None:
    """Put a still in place of each widget of an executed notebook, and nothing for progress.
    It begins to move where its settings have been drawn beforehand."""
    states = states_of(notebook)
    views = dict(widgets(notebook))
    for number, cell in enumerate(notebook.cells):
        if "outputs" not in cell:
            continue
        cell.outputs = [each for each in cell.outputs if VIEW not in each.get("data", {})]
        if number in views:
            page = still(shown(views[number], states), screenshot(name, cell.id))
            page = play.moving(cell.source, page)
            cell.outputs.insert(0, nbformat.v4.new_output("display_data", {"text/html": page}))
    notebook.metadata.pop("widgets", None)
