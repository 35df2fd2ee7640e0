"""Draw the README's pictures: the first one of each core notebook, and alphas as they move.
The first picture of each notebook stands in its text, too: ``notebooks/pictures/07.png``.

`make pictures` takes them from the notebooks that `make notebooks` executed.
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

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "pictures"
CORE = {
    "search_space": "01_search_space",
    "performance_estimation": "02_performance_estimation",
    "reinforce": "03_reinforce",
    "one_shot": "04_one_shot",
    "darts": "05_darts",
}
SIZE = (560, 360)
SECONDS = 8.0


def first_picture(stem: str) -> Image.Image:
    """Return the first picture that an executed notebook shows.

    Raises:
        FileNotFoundError: the notebook has not been executed.
        ValueError: it shows no picture.
    """
    notebook = nbformat.read(ROOT / "build" / "notebooks" / f"{stem}.ipynb", as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            page = output.get("data", {}).get("text/html", "")
            if found := re.search(r"base64,([\w+/=]+)", page):
                return Image.open(io.BytesIO(base64.b64decode(found[1]))).convert("RGB")
    raise ValueError(f"{stem} shows no picture")


def fitted(picture: Image.Image) -> Image.Image:
    """Return a picture in the middle of a white one of `SIZE`, in few colours."""
    picture.thumbnail((SIZE[0] - 20, SIZE[1] - 20), Image.Resampling.LANCZOS)
    sheet = Image.new("RGB", SIZE, "white")
    sheet.paste(picture, tuple((a - b) // 2 for a, b in zip(SIZE, picture.size, strict=True)))
    return sheet.quantize(64, dither=Image.Dither.NONE)


def in_text(picture: Image.Image) -> Image.Image:
    """Return a picture as the text of a notebook shows it, in few colours."""
    picture.thumbnail((720, 720), Image.Resampling.LANCZOS)
    return picture.quantize(128, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def main() -> None:
    """Write all pictures."""
    FOLDER.mkdir(exist_ok=True)
    shown = ROOT / "notebooks" / "pictures"
    shown.mkdir(exist_ok=True)
    for path in sorted((ROOT / "notebooks").glob("0*.ipynb")):
        in_text(first_picture(path.stem)).save(shown / f"{path.name[:2]}.png", optimize=True)
    for name, stem in CORE.items():
        fitted(first_picture(stem)).save(FOLDER / f"{name}.png", optimize=True)
    runs = DartsRuns.load()
    AlphaPlayer(runs.w("first order")[0]).save(FOLDER / "alphas.gif", seconds=SECONDS)


if __name__ == "__main__":
    main()
