"""Put MathJax beside the pages of the site, so that formulas show without the internet.

It comes from the npm registry, once, into build/mathjax. Where that fails, the pages ask the
network that MathJax names for it.
"""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "build" / "mathjax"
FILES = ["package/es5/tex-svg-full.js", "package/LICENSE"]  # all of TeX's input, and no fonts
SCRIPT = FOLDER / "mathjax" / "tex-svg-full.js"
SECONDS = 120


def fetch() -> None:
    """Write the script and its licence.

    Raises:
        OSError: there is no npm.
        subprocess.SubprocessError: npm cannot reach its registry.
    """
    with tempfile.TemporaryDirectory() as folder:
        pack = ["npm", "pack", "--silent", "mathjax@3"]
        subprocess.run(pack, cwd=folder, check=True, timeout=SECONDS, capture_output=True)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as packed:
            found = {name: packed.extractfile(name).read() for name in FILES}
    SCRIPT.parent.mkdir(parents=True, exist_ok=True)
    for name, content in found.items():
        (SCRIPT.parent / Path(name).name).write_bytes(content)


if __name__ == "__main__":
    if not SCRIPT.is_file():
        try:
            fetch()
        except (OSError, subprocess.SubprocessError) as error:
            print(f"mathjax: {error}; formulas will need the internet")
