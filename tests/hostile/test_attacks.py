"""No attack gains a point, touches a file outside of its box, or stops the batch."""

import contextlib
import csv
import io
import json
import os
import socket
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from nas_lab.homework.__main__ import main
from nas_lab.homework.grading import boxes
from tests.hostile.attacks import ATTACKS
from tests.hostile.notebooks import HONEST, notebook, text

SECRET = "a secret that no hand-in may ever see"
CHECKOUT = Path(__file__).resolve().parents[2]
GRADER = CHECKOUT / "nas_lab" / "homework" / "grading"

needs_bubblewrap = pytest.mark.skipif(
    not boxes._working("bubblewrap", ""), reason="bubblewrap is not there or does not work"
)


def odd_files(folder, outside):
    """Hand-ins that are odd as files; returns what each earns."""

    def zipped(**members):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return buffer.getvalue()

    deep = b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    odd = {
        "cells-are-text": json.dumps({"cells": "all"}).encode(),
        "cell-is-number": json.dumps(notebook(HONEST) | {"cells": [1, None, [], "x"]}).encode(),
        "source-is-number": json.dumps({"cells": [{"cell_type": "code", "source": 1}]}).encode(),
        "deep": deep,
        "empty": b"",
        "huge": b" " * (25 << 20),
        "no-metadata": json.dumps({"cells": [{"cell_type": "code", "source": HONEST}]}).encode(),
        "old-format": json.dumps(
            {"worksheets": [{"cells": [{"cell_type": "code", "input": HONEST}]}]}
        ).encode(),
        "truncated": text(HONEST).encode()[:-40],
        "utf-16": text(HONEST).encode("utf-16"),
        "utf-8-with-mark": text(HONEST, "# \u00fc").encode("utf-8-sig"),
        "latin-1": json.dumps(notebook(HONEST, "# \u00fc"), ensure_ascii=False).encode("latin-1"),
        "many-parts": b'{"cells": [' + b"{}," * 1_500_000 + b"{}]}",
        "zip-of-many": zipped(**{f"{n}.ipynb": b"" for n in range(2_000)}),
        "one-broken-cell": text("def f(:", HONEST).encode(),
        "zip": zipped(**{"hw1.ipynb": text(HONEST)}),
        "zip-bomb": zipped(**{"hw1.ipynb": bytes(200 << 20)}),
        "zip-slip": zipped(**{"../../../canary.ipynb": text(HONEST)}),
        "zip-of-two": zipped(**{"a.ipynb": text(HONEST), "b.ipynb": text(HONEST)}),
        "zip-broken": zipped(**{"hw1.ipynb": text(HONEST)})[:-30],
    }
    for name, content in odd.items():
        (folder / f"{name}_hw1.ipynb").write_bytes(content)
    os.symlink(outside / "secret.txt", folder / "link_hw1.ipynb")
    os.symlink(outside, folder / "linked-folder")
    os.mkfifo(folder / "pipe_hw1.ipynb")
    (folder / "=cmd()_hw1.ipynb").write_text(text(HONEST))
    (folder / "<script>alert(1)<").mkdir()
    (folder / "<script>alert(1)<" / "hw1.ipynb").write_text(text(HONEST))
    earning = {"no-metadata", "old-format", "utf-16", "utf-8-with-mark", "latin-1", "zip"}
    earning |= {"one-broken-cell", "zip-slip", "=cmd()", "<script>alert(1)<"}
    names = {*odd, "link", "linked-folder", "pipe", "=cmd()", "<script>alert(1)<"}
    return {name: int(name in earning) for name in names}


class Listener:
    """Counts who comes, on loopback: a stream, datagrams, and Linux' abstract names."""

    def __init__(self):
        self.came = []
        self.stream = socket.create_server(("127.0.0.1", 0))
        self.port = self.stream.getsockname()[1]
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(("127.0.0.1", self.port))
        self.local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.local.bind(f"\0nas-lab-{self.port}")
        self.local.listen()
        for wait in (self.stream.accept, lambda: self.datagrams.recvfrom(10), self.local.accept):
            threading.Thread(target=self.watch, args=(wait,), daemon=True).start()

    def watch(self, wait):
        with contextlib.suppress(OSError):
            self.came.append(wait())


class Outcome:
    """What the batch left behind."""

    def __init__(self, folder):
        self.folder = folder
        with (folder / "grades.csv").open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        self.totals = {row["student"]: row for row in rows if row["question"] == "total"}
        self.rows = rows
        self.pages = {path.name: path.read_text() for path in (folder / "feedback").glob("*.html")}


def write_attacks(folder, canary, port):
    for name, attack in ATTACKS.items():
        cells = [
            cell.replace("CANARY", str(canary))
            .replace("PORT", str(port))
            .replace("CHECKOUT", str(CHECKOUT))
            for cell in attack.cells
        ]
        (folder / f"{name}_hw1.ipynb").write_text(text(*cells))


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """Grade all attacks in one batch, as an instructor does."""
    folder = tmp_path_factory.mktemp("hostile")
    submissions, canary = folder / "submissions", folder / "canary"
    for path in (submissions, canary):
        path.mkdir()
    (folder / "secret.txt").write_text(SECRET)
    (canary / "canary.txt").write_text("sings")
    listener = Listener()
    write_attacks(submissions, canary, listener.port)
    odd = odd_files(submissions, folder)
    before = snapshot(canary), snapshot(GRADER)
    # The batch keeps its own environment from hand-ins; this must not show up anywhere.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAS_LAB_CANARY", SECRET)
        code = main(
            [
                "grade",
                "hw1",
                str(submissions),
                *("--secret-file", str(folder / "secret.txt"), "--csv", str(folder / "grades.csv")),
                *("--feedback", str(folder / "feedback"), "--jobs", "2", "--box", "bubblewrap"),
                *("--cell-timeout", "8", "--wall", "40", "--memory", "600M"),
            ]
        )
    found = Outcome(folder)
    found.code, found.odd, found.listener = code, odd, listener
    found.touched = before != (snapshot(canary), snapshot(GRADER))
    return found


def snapshot(folder):
    """Names and times of all files but Python's caches."""
    paths = [path for path in folder.rglob("*") if "__pycache__" not in path.parts]
    return {path: path.stat().st_mtime_ns for path in paths}


@needs_bubblewrap
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_earns_what_is_right_in_it_and_no_more(outcome, name):
    attack, total = ATTACKS[name], outcome.totals[name]
    assert int(total["points"]) == attack.earns, total
    assert total["status"] in attack.statuses, total


@needs_bubblewrap
def test_odd_files_earn_what_is_right_in_them(outcome):
    names = {"=cmd()": "'=cmd()"}
    points = {n: int(outcome.totals[names.get(n, n)]["points"]) for n in outcome.odd}
    assert points == outcome.odd
    for name in (
        "link",
        "linked-folder",
        "pipe",
        "zip-bomb",
        "huge",
        "deep",
        "truncated",
        "many-parts",
    ):
        assert outcome.totals[name]["status"] == "unreadable", outcome.totals[name]


@needs_bubblewrap
def test_the_batch_reaches_its_end(outcome):
    assert outcome.code == 0
    assert len(outcome.totals) == len(ATTACKS) + len(outcome.odd)
    assert len(outcome.pages) == len(outcome.totals)


@needs_bubblewrap
def test_no_file_outside_of_the_box_is_touched(outcome):
    assert not outcome.touched


@needs_bubblewrap
def test_nobody_reached_the_network(outcome):
    assert outcome.listener.came == []


@needs_bubblewrap
def test_the_secret_shows_up_nowhere(outcome):
    kept = [p.read_text("utf-8", "replace") for p in outcome.folder.glob("feedback/.grades/*")]
    assert kept
    everything = [*kept, *outcome.pages.values(), (outcome.folder / "grades.csv").read_text()]
    assert not [words for words in everything if SECRET in words or "sings" in words]


@needs_bubblewrap
def test_no_process_is_left_behind(outcome):
    deadline = time.monotonic() + 10
    while (left := marked_processes()) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == []


def marked_processes():
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if "nas-lab-left-behind" in path.read_text(errors="replace"):
                found.append(path)
    return found


@needs_bubblewrap
def test_pages_show_markup_as_text(outcome):
    assert not [page for page in outcome.pages.values() if "<script" in page]


@needs_bubblewrap
def test_tables_hold_no_formulas(outcome):
    texts = [value for row in outcome.rows for value in row.values()]
    assert not [value for value in texts if value.startswith(("=", "+", "@"))]


FORGERIES = [
    "equals all",
    "patched json",
    "patched driver",
    "replies beforehand",
    "replies with the nonce",
    "replies twice",
    "too huge int",
    "deep lists",
    "ends in an answer",
    "leaves a daemon",
]


@pytest.mark.skipif(sys.platform == "win32", reason="needs the limits of POSIX")
def test_plain_limits_let_no_forgery_through(tmp_path):
    """Without isolation the protocol alone protects the grades, and the warning is loud."""
    submissions = tmp_path / "submissions"
    submissions.mkdir()
    for name in FORGERIES:
        (submissions / f"{name}_hw1.ipynb").write_text(text(*ATTACKS[name].cells))
    (tmp_path / "secret.txt").write_text(SECRET)
    with pytest.warns(boxes.BoxWarning, match="HAND-INS ARE NOT ISOLATED"):
        main(
            [
                *("grade", "hw1", str(submissions), "--box", "plain"),
                *("--secret-file", str(tmp_path / "secret.txt")),
                *("--csv", str(tmp_path / "grades.csv"), "--feedback", str(tmp_path / "feedback")),
                *("--cell-timeout", "8", "--wall", "40", "--memory", "600M"),
            ]
        )
    totals = Outcome(tmp_path).totals
    assert {n: int(totals[n]["points"]) for n in FORGERIES} == {
        name: ATTACKS[name].earns for name in FORGERIES
    }
    assert marked_processes() == []
