"""Have each kernel of this Python explain cells run out of order, from the first cell on.

IPython reads etc/ipython/ipython_config.py of the environment that it runs in; this adds a line to
it. `tools/setup.sh` and `binder/postBuild` call it; a second call changes nothing.
"""

import sys
from pathlib import Path

LINE = 'c.InteractiveShellApp.extensions.append("nas_lab.order")\n'


def add(prefix: Path) -> None:
    """Add the line to the settings of the environment in `prefix`; what is there stays."""
    path = prefix / "etc" / "ipython" / "ipython_config.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text("utf-8") if path.exists() else ""
    if LINE not in text:
        path.write_text(f"{text.rstrip()}\n{LINE}".lstrip(), "utf-8")


if __name__ == "__main__":
    add(Path(sys.prefix))
