"""Draw the pictures of texts: the first one of each notebook, and alphas as they move.

`make pictures` takes the first ones from the notebooks that `make notebooks` executed. They stand
in the notebooks' own text and on the site.
"""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import nbformat
from PIL import Image

from nas_lab.estimation import DartsRuns
from nas_lab.widgets import AlphaPlayer
from tools.notebooks import EXECUTED

ROOT = Path(__file__).resolve().parents[1]
SIZE = (720, 720)
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


def in_text(picture: Image.Image) -> Image.Image:
    """Return a picture as a text shows it, in few colours."""
    picture.thumbnail(SIZE, Image.Resampling.LANCZOS)
    return picture.quantize(128, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def main() -> None:
    """Write all pictures."""
    folder = ROOT / "notebooks" / "pictures"
    folder.mkdir(exist_ok=True)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        picture = in_text(first_picture(EXECUTED / path.name))
        picture.save(folder / f"{path.name[:2]}.png", optimize=True)
    runs = DartsRuns.load()
    AlphaPlayer(runs.w("first order")[0]).save(ROOT / "pictures/alphas.gif", seconds=SECONDS)


if __name__ == "__main__":
    main()
