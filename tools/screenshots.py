"""Photograph the widgets of the executed notebooks in JupyterLab, for the stills of the site.

JupyterLab shows them as they were kept, so nothing runs again. The pictures are in
build/screenshots. Without a browser there are none.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path

import nbformat
from nbformat.sign import NotebookNotary
from PIL import Image

from tools.notebooks import EXECUTED
from tools.stills import PHONE, SCREENSHOTS, screenshot, widgets

COLORS = 128
WIDTHS = {"": "auto", PHONE: "360px"}
VIEW = {"width": 1280, "height": 2000}  # higher than any widget
# Without a kernel JupyterLab puts a broken link on every part of a widget, and what was kept while
# a cell ran is pale.
STYLE = """.jupyter-widgets-disconnected::before { display: none !important; }
.nas-lab-frozen * { opacity: 1 !important; }"""


def small(png: bytes) -> Image.Image:
    """Return a picture in few colours."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    return picture.quantize(COLORS, dither=Image.Dither.NONE)


def photograph(lab, path: Path) -> None:
    """Save two pictures of each widget of an executed notebook: for a laptop, and for a phone."""
    notebook = nbformat.read(path, as_version=4)
    lab.open(path.name)
    lab.page.set_viewport_size(VIEW)
    lab.page.add_style_tag(content=STYLE)
    for number, _ in widgets(notebook):
        widget = lab.output(number).locator(".jp-OutputArea-output .jupyter-widgets").first
        widget.get_by_role("img").first.wait_for()
        for kind, width in WIDTHS.items():
            widget.evaluate("(widget, width) => { widget.style.width = width; }", width)
            target = screenshot(path.stem, notebook.cells[number].id, kind)
            small(widget.screenshot(animations="disabled")).save(target, optimize=True)


def main() -> None:
    """Take all pictures anew."""
    from tests.browser.lab import PATIENCE_OF_A_NOTEBOOK, Browser, Lab, Server, find_browser

    shutil.rmtree(SCREENSHOTS, ignore_errors=True)
    SCREENSHOTS.mkdir(parents=True)
    chromium = find_browser()
    if chromium is None:
        print("screenshots: no chromium is on the path; the site shows widgets without controls")
        return
    executed = sorted(EXECUTED.glob("*.ipynb"))
    with tempfile.TemporaryDirectory() as folder:
        copies, data = Path(folder, "notebooks"), Path(folder, "data")
        copies.mkdir()
        data.mkdir()
        notary = NotebookNotary(data_dir=str(data))  # an unsigned notebook shows no widgets
        for path in executed:
            notary.sign(nbformat.read(shutil.copy(path, copies), as_version=4))
        with (
            Browser(chromium, Path(folder, "browser")) as browser,
            Server(Path(folder), copies) as server,
            browser.connected() as connection,
        ):
            lab = Lab(server, connection.contexts[0].pages[0], SCREENSHOTS)
            lab.page.set_default_timeout(PATIENCE_OF_A_NOTEBOOK * 1000)  # whatever else runs
            for path in executed:
                photograph(lab, path)


if __name__ == "__main__":
    main()
