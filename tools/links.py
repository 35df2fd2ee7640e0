"""Write the repository's home into all that links to it: `make links REPO=owner/name`.

The home is `Source` in pyproject.toml. From it follow the site's address, the citation, the
README's badges and, in each notebook, two links below the title and the cell that installs the
package on Colab. Run it after you forked the repository, or wrote a notebook; a second run changes
nothing.
"""

import argparse
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ["pyproject.toml", "CITATION.cff", "README.md", "INSTRUCTORS.md", "CONTRIBUTING.md"]
BRANCH = "main"

# Colab has everything else; what it has must stay as it is, so nothing is resolved.
MISSING_ON_COLAB = ["d2l", "lazy_loader"]

SET_UP = """# @title Set-up for Colab; elsewhere this cell does nothing
import sys

if "google.colab" in sys.modules:
    from google.colab import output

    packages = "{packages}"
    source = "nas-lab@git+https://github.com/{home}@{branch}"
    get_ipython().run_line_magic("pip", f"install -q --no-deps {{packages}} {{source}}")
    output.enable_custom_widget_manager()
    get_ipython().run_line_magic("load_ext", "nas_lab.order")"""


def home(root: Path = ROOT) -> str:
    """Return owner/name of the repository that links lead to."""
    text = (root / "pyproject.toml").read_text("utf-8")
    return re.search(r'^Source = "https://github\.com/([^"]+)"', text, re.MULTILINE)[1]


def colab(home: str, path: str) -> str:
    """Return where Colab opens a notebook, given by its path in the repository."""
    return f"https://colab.research.google.com/github/{home}/blob/{BRANCH}/{path}"


def binder(home: str, path: str) -> str:
    """Return where Binder opens JupyterLab at a file of the repository."""
    return f"https://mybinder.org/v2/gh/{home}/{BRANCH}?urlpath=lab/tree/{path}"


def pages(home: str) -> str:
    """Return where GitHub Pages shows the site of a repository."""
    return "{}.github.io/{}".format(*home.split("/"))


def moved(text: str, old: str, new: str) -> str:
    """Return a document in which every address of the old home is one of the new."""
    text = re.sub(rf"//{re.escape(pages(old))}(?![\w-])", f"//{pages(new)}", text)
    return re.sub(rf"(github\.com|/github|/gh)/{re.escape(old)}(?![\w-])", rf"\1/{new}", text)


def set_up(home: str, root: Path = ROOT) -> str:
    """Return the cell that installs the package on Colab."""
    listed = (root / "requirements.txt").read_text("utf-8").split()
    pins = [line for line in listed if re.match(rf"({'|'.join(MISSING_ON_COLAB)})[=>]", line)]
    packages = " ".join(f"'{pin}'" for pin in pins)
    return SET_UP.format(packages=packages, home=home, branch=BRANCH)


def linked(notebook: dict, home: str, path: str, root: Path = ROOT) -> dict:
    """Return a notebook with links below its title, and the set-up cell after that."""
    title, *rest = notebook["cells"]
    links = f"[Open in Colab]({colab(home, path)}) · [Open in Binder]({binder(home, path)})"
    text = re.sub(r"\n\n\[Open in Colab\].*", "", "".join(title["source"]))
    heading, _, below = text.partition("\n")
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "set-up-for-colab",
        "metadata": {"cellView": "form", "jupyter": {"source_hidden": True}},
        "outputs": [],
        "source": set_up(home, root).splitlines(keepends=True),
    }
    rest = [other for other in rest if other.get("id") != cell["id"]]
    source = f"{heading}\n\n{links}\n{below}".rstrip("\n").splitlines(keepends=True)
    return notebook | {"cells": [title | {"source": source}, cell, *rest]}


def notebooks(root: Path = ROOT) -> dict[Path, str]:
    """Return {file: path of the notebook that a student opens}; masters link to theirs."""
    found = {path: path.relative_to(root) for path in (root / "notebooks").rglob("*.ipynb")}
    masters = (root / "homework" / "masters").glob("*.ipynb")
    found |= {path: Path("notebooks/homework", path.name) for path in masters}
    return {
        k: v.as_posix() for k, v in sorted(found.items()) if ".ipynb_checkpoints" not in v.parts
    }


def changes(new: str, root: Path = ROOT) -> dict[Path, str]:
    """Return the new text of each file that has to change for a home owner/name."""
    old, after = home(root), {}
    for name in DOCUMENTS:
        after[root / name] = moved((root / name).read_text("utf-8"), old, new)
    for file, path in notebooks(root).items():
        notebook = linked(json.loads(file.read_text("utf-8")), new, path, root)
        after[file] = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    return {file: text for file, text in after.items() if file.read_text("utf-8") != text}


def main() -> None:
    """Write every file that has to change, and name it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repo", nargs="?", help="owner/name; without it, the home stays")
    repo = parser.parse_args().repo or home()
    if not re.fullmatch(r"[\w-]+/[\w.-]+", repo):
        parser.error(f"'{repo}' is not owner/name, as in make links REPO=ada/nas-lab")
    for file, text in changes(repo).items():
        file.write_text(text, "utf-8", newline="\n")
        print(file.relative_to(ROOT))


if __name__ == "__main__":
    main()
