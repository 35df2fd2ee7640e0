"""Put MathJax and reveal.js beside the pages, so that formulas and slides need no internet.

They come from the npm registry, once, into build/mathjax. Where that fails, the pages of the site
ask the network that MathJax names for it.
"""

from __future__ import annotations

import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "build" / "mathjax"
SCRIPT = FOLDER / "mathjax" / "tex-svg-full.js"  # all of TeX's input, and no fonts
PACKAGES = {
    "mathjax@3": (FOLDER / "mathjax", r"package/(?:es5/)?(tex-svg-full\.js|LICENSE)"),
    "reveal.js@4": (
        FOLDER / "reveal",
        r"package/(dist/reveal\.(?:js|css)|dist/theme/(?:white\.css|fonts/source.*)|LICENSE)",
    ),
}
"""Folder of each package, and what of it is needed."""
SECONDS = 120


def fetch(name: str, folder: Path, needed: str) -> None:
    """Write what is needed of a package.

    Raises:
        OSError: there is no npm.
        subprocess.SubprocessError: npm cannot reach its registry.
    """
    with tempfile.TemporaryDirectory() as place:
        pack = ["npm", "pack", "--silent", name]
        subprocess.run(pack, cwd=place, check=True, timeout=SECONDS, capture_output=True)
        (archive,) = Path(place).glob("*.tgz")
        with tarfile.open(archive) as packed:
            for member in packed.getmembers():
                if match := re.fullmatch(needed, member.name):
                    target = folder / match[1]
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(packed.extractfile(member).read())


if __name__ == "__main__":
    for name, (folder, needed) in PACKAGES.items():
        try:
            if not folder.is_dir():
                fetch(name, folder, needed)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"{name}: {error}; formulas will need the internet, and there are no slides")
