"""Have each kernel of this Python explain cells run out of order, and JupyterLab keep widgets.

IPython reads etc/ipython/ipython_config.py of the environment that it runs in; this adds a line to
it. JupyterLab takes the settings that a reader has not chosen from overrides.json: Markdown opens
as a page, nothing asks for news, and a saved notebook keeps the last state of its widgets.
`tools/setup.sh` and `binder/postBuild` call it; a second call changes nothing.
"""

import shutil
import sys
from pathlib import Path

OVERRIDES = Path(__file__).parents[1] / "binder" / "overrides.json"
LINE = 'c.InteractiveShellApp.extensions.append("nas_lab.order")\n'


def add(prefix: Path) -> None:
    """Give the environment in `prefix` the line, among what is there, and the settings."""
    path = prefix / "etc" / "ipython" / "ipython_config.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text("utf-8") if path.exists() else ""
    if LINE not in text:
        path.write_text(f"{text.rstrip()}\n{LINE}".lstrip(), "utf-8")
    settings = prefix / "share" / "jupyter" / "lab" / "settings"
    settings.mkdir(parents=True, exist_ok=True)
    shutil.copy(OVERRIDES, settings)


if __name__ == "__main__":
    add(Path(sys.prefix))
