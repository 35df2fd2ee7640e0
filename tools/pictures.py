"""Draw the pictures of texts: the first one of each notebook, and alphas as they move.

`make pictures` takes the first ones from the notebooks that `make notebooks` executed. README and
the site show the files. Each notebook holds its own in its text, so that it is seen on Colab, which
opens a notebook without the files beside it, and where there is no internet.
"""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import nbformat
from PIL import Image

from nas_lab.estimation import DartsRuns
from nas_lab.widgets import AlphaPlayer
from tools.notebooks import EXECUTED

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 30_000  # bytes of a picture in a notebook's text
IN_TEXT = re.compile(r"(!\[[^]]*\]\()(?:pictures/\d+\.png|data:image/png;base64,[^)]*)\)")
SECONDS = 8.0


def first_picture(path: Path) -> Image.Image:
    """Return the first picture that an executed notebook shows, its panels beside each other.

    Raises:
        ValueError: it shows no picture.
    """
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            page = output.get("data", {}).get("text/html", "")
            if found := re.findall(r"base64,([\w+/=]+)", page):
                return beside([Image.open(io.BytesIO(base64.b64decode(data))) for data in found])
    raise ValueError(f"{path.stem} shows no picture")


def beside(panels: list[Image.Image]) -> Image.Image:
    """Return pictures beside each other."""
    sheet = Image.new("RGB", (sum(p.width for p in panels), max(p.height for p in panels)), "white")
    left = 0
    for panel in panels:
        sheet.paste(panel, (left, 0))
        left += panel.width
    return sheet


def in_text(picture: Image.Image) -> bytes:
    """Return a picture as a text shows it, a PNG file in few colours."""
    for side, colors in ((720, 128), (720, 64), (520, 32)):
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        few = picture.quantize(colors, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        few.putpalette([255 if level > 248 else level for level in few.getpalette() or ()])  # white
        few.save(file := io.BytesIO(), "PNG", optimize=True)
        if file.tell() <= LARGEST:
            return file.getvalue()
    raise ValueError(f"a picture of {file.tell():,} bytes: {LARGEST:,} are allowed")


def embedded(notebook: dict, png: bytes) -> dict:
    """Return a notebook whose first cell holds the picture itself."""
    first, *rest = notebook["cells"]
    data = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
    text = IN_TEXT.sub(rf"\g<1>{data})", "".join(first["source"]))
    return notebook | {"cells": [first | {"source": text.splitlines(keepends=True)}, *rest]}


def main() -> None:
    """Write all pictures."""
    folder = ROOT / "notebooks" / "pictures"
    folder.mkdir(exist_ok=True)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        png = in_text(first_picture(EXECUTED / path.name))
        (folder / f"{path.name[:2]}.png").write_bytes(png)
        notebook = embedded(json.loads(path.read_text("utf-8")), png)
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        path.write_text(text, "utf-8", newline="\n")
    runs = DartsRuns.load()
    AlphaPlayer(runs.w("first order")[0]).save(ROOT / "pictures/alphas.gif", seconds=SECONDS)


if __name__ == "__main__":
    main()
