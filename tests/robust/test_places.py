"""The kit in awkward places: each is truly made, in a process of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# What a student does in the first minutes: ask the table, search, draw, touch, check, train.
SESSION = """
from nas_lab import plots, spaces
from nas_lab.data import FashionMNIST
from nas_lab.estimation import Table
from nas_lab.homework import check
from nas_lab.strategies import RandomSearch, search
from nas_lab.widgets import CellBuilder

table = Table.load()
best = max(search(RandomSearch(table.space), table, trials=20), key=lambda t: t.result.score)
plots.architecture(table.space, best.arch).figure.canvas.draw()
CellBuilder(best.arch)
images = FashionMNIST()
assert "not answered yet" in repr(check("hw1.q1", lambda *_: None))
print("all well", sorted(table.space.decode(best.arch))[0].encode("ascii", "replace"))
"""

HISTORY = """
import sys
from nas_lab.estimation import Table
from nas_lab.history import History
from nas_lab.strategies import RandomSearch, search

table = Table.load()
history = History(sys.argv[1], table.space)
for trial in search(RandomSearch(table.space), table, trials=1000, history=history):
    pass
"""

working = (
    shutil.which("bwrap")
    and not subprocess.run(["bwrap", "--ro-bind", "/", "/", "true"], capture_output=True).returncode
)
needs_bubblewrap = pytest.mark.skipif(not working, reason="bubblewrap is missing or cannot run")

# The clone may lie in /tmp itself, or its Python may.
PLACES = [str(Path(path).resolve()) for path in (ROOT, sys.prefix)]
CLONE = [part for path in PLACES for part in ("--ro-bind", path, path)]
BOX = ["bwrap", *["--ro-bind", "/", "/", "--dev", "/dev", "--tmpfs", "/tmp"], *CLONE]
"""Nothing can be written but in /tmp."""


def run(source, *arguments, before=(), root=ROOT, **changes):
    """Run a program with the package of `root`, and with changes of the environment."""
    environment = {**os.environ, "PYTHONPATH": str(root), "MPLBACKEND": "agg", **changes}
    environment = {name: value for name, value in environment.items() if value is not None}
    command = [*before, sys.executable, "-c", source, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, timeout=300)


def well(done):
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return b"all well" in done.stdout


def test_everything_is_read_only_no_network_no_home_and_a_locale_that_knows_ascii_only():
    box = [*BOX, "--chdir", "/", "--unshare-net"] if working else []
    gone = {"HOME": "/nonexistent", "MPLCONFIGDIR": None, "XDG_CACHE_HOME": None}
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert well(run(SESSION, before=box, **gone, **plain))


def test_a_path_with_spaces_and_letters_of_other_languages(tmp_path):
    root = tmp_path / "Übung № 1 – 神经"
    ignore = shutil.ignore_patterns("__pycache__")
    for folder in ("nas_lab", "datasets"):
        shutil.copytree(ROOT / folder, root / folder, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", root)
    assert well(run(SESSION + HISTORY, root / "Suche 1.jsonl", root=root))
    assert len((root / "Suche 1.jsonl").read_bytes().splitlines()) == 1001


@needs_bubblewrap
def test_a_history_in_a_read_only_folder_names_the_file():
    done = run(HISTORY, "/search.jsonl", before=["bwrap", "--ro-bind", "/", "/"])
    assert done.returncode == 1
    assert b"/search.jsonl" in done.stderr.splitlines()[-1]


# What fits on the disk is read again: the file ends with a whole line.
@needs_bubblewrap
def test_a_full_disk_says_so_and_keeps_what_it_has():
    source = f"""
import json
try:
    exec({HISTORY!r})
except OSError as error:
    print(error)
lines = open(sys.argv[1], encoding="utf-8").read().splitlines()
print(len([json.loads(line) for line in lines]), "whole lines")
print(len(History(sys.argv[1], table.space)), "trials read again")
"""
    small = ["--size", "65536", "--tmpfs", "/mnt"]
    done = run(source, "/mnt/search.jsonl", before=["bwrap", "--ro-bind", "/", "/", *small])
    assert done.returncode == 0, done.stderr.decode()
    message, lines, trials = done.stdout.decode().splitlines()
    assert "No space left on device" in message
    assert "make room, then call history.flush()" in message
    whole = int(lines.split()[0])
    assert 100 < whole < 1001
    assert int(trials.split()[0]) == whole - 1
