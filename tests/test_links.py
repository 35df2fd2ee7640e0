"""One value names the repository's home, and every link to it follows."""

import json
import re
import shutil
import sys
import types
from pathlib import Path

import pytest

from tools import links

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def fork(tmp_path):
    """Copy all that names the home."""
    for name in [*links.DOCUMENTS, "requirements.txt"]:
        shutil.copy(ROOT / name, tmp_path)
    for path in links.notebooks():
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return tmp_path


def write(files):
    for file, text in files.items():
        file.write_text(text, "utf-8")


def contents(folder):
    return {path: path.read_text("utf-8") for path in folder.rglob("*") if path.is_file()}


def test_everything_links_to_the_one_home():
    assert [path.name for path in links.changes(links.home())] == []


def test_a_fork_follows_with_one_command_and_can_go_back(fork):
    before, home = contents(fork), links.home(fork)
    write(links.changes("ada/my.fork", fork))
    after = contents(fork)
    assert links.home(fork) == "ada/my.fork"
    assert [
        path.name for path, text in after.items() if f"{home}/" in text or f"/{home}" in text
    ] == []
    named = {path.name for path, text in after.items() if "ada/my.fork" in text}
    notebooks = {path.name for path in links.notebooks()}
    assert notebooks | {"pyproject.toml", "CITATION.cff", "README.md"} == named
    assert links.changes("ada/my.fork", fork) == {}
    write(links.changes(home, fork))
    assert contents(fork) == before


def test_only_addresses_move():
    text = "github.com/a/b, github.com/a/b-c, and a/b: mybinder.org/v2/gh/a/b/main"
    moved = "github.com/x/y, github.com/a/b-c, and a/b: mybinder.org/v2/gh/x/y/main"
    assert links.moved(text, "a/b", "x/y") == moved


def test_links_lead_to_notebooks():
    pattern = r"(?:/blob/main/|lab/tree/)([^)\s\"]+)"
    texts = [(ROOT / name).read_text("utf-8") for name in links.DOCUMENTS]
    for path in links.notebooks():
        cells = json.loads(path.read_text("utf-8"))["cells"]
        texts += ["".join(cell["source"]) for cell in cells]
    found = {target for text in texts for target in re.findall(pattern, text)}
    assert len(found) >= len(links.notebooks()) // 2
    assert [target for target in found if not (ROOT / target).exists()] == []


class Shell:
    """Write down the magics that a cell asks for."""

    def __init__(self):
        self.lines = []

    def run_line_magic(self, name, line):
        self.lines.append(f"%{name} {line}")


def run_set_up():
    shell = Shell()
    exec(links.set_up("ada/fork"), {"get_ipython": lambda: shell})
    return shell.lines


def test_the_set_up_cell_does_nothing_elsewhere(monkeypatch):
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    assert run_set_up() == []


def test_on_colab_it_installs_what_is_missing_and_resolves_nothing(monkeypatch):
    enabled = []
    colab = types.ModuleType("google.colab")
    colab.output = types.SimpleNamespace(enable_custom_widget_manager=lambda: enabled.append(True))
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    line, load = run_set_up()
    words = line.replace("'", "").split()
    assert words[:2] == ["%pip", "install"]
    assert "--no-deps" in words
    pins = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    packages = [word for word in words[2:] if not word.startswith("-")]
    assert set(packages[:-1]) == {pin for pin in pins if pin.startswith(("d2l=", "lazy_"))}
    assert packages[-1] == "nas-lab@git+https://github.com/ada/fork@main"
    assert enabled == [True]
    assert load == "%load_ext nas_lab.order"
