"""Grading: what happens to hand-ins that are honest but untidy, and to a batch of them."""

import io
import json
import os
import re
import struct
import zipfile

import pytest

from nas_lab.homework import notebooks
from nas_lab.homework.__main__ import main
from nas_lab.homework.grading import batch, boxes, hand_ins, report
from nas_lab.homework.grading.channel import Trouble, decoded
from nas_lab.homework.grading.grade import read_secret
from nas_lab.homework.grading.similarity import similar
from tests.homework.classes import by_student, changed, grade, hand_in, needs_box
from tests.hostile.notebooks import HONEST

MASTER = json.loads(notebooks.master("hw1").read_text("utf-8"))
RELEASED = json.loads(notebooks.released("hw1").read_text("utf-8"))
CELLS, FULL = MASTER["cells"], 14
BARE = [{"cell_type": cell["cell_type"], "source": cell["source"]} for cell in CELLS]
Q1 = "".join(next(cell["source"] for cell in CELLS if cell["id"] == "hw1-q1"))
EARLY, DUE, LATE = 1_767_250_000, "2026-01-02T00:00", 1_767_400_000  # LATE is January 3

CHECKPOINT = ".ipynb_checkpoints/hw1-checkpoint.ipynb"
NUMBERS = {"cell_type": "code", "source": "", "outputs": [{"data": [[0] * 2_500_000, {"]": "]"}]}]}
STUB = "def number_of_cells(nodes, operations):\n    return 1"
AWAIT = "import asyncio\nawait asyncio.sleep(0)"
DIGITS = json.dumps(MASTER).encode()[:-1] + b', "x": ' + b"9" * 100_000 + b"}"
MAGIC = [
    f"%%writefile helpers.py\n{HONEST}",
    "%%capture\nfrom helpers import number_of_cells as counted",
    "%time one = counted(2, 1)\nfiles = !ls\nassert not len(files)",
    "%%time\ndef number_of_cells(nodes, operations):\n    return one * counted(nodes, operations)",
]


def with_cells(notebook, *sources):
    """The notebook with more cells at its beginning."""
    new = [{"cell_type": "code", "source": source} for source in sources]
    return {**notebook, "cells": [*new, *notebook["cells"]]}


def zipped(*names, method=zipfile.ZIP_DEFLATED, content=None):
    """An archive in which all files have the same content."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        for name in names:
            archive.writestr(name, content or json.dumps(MASTER))
    return whole.getvalue()


UNTIDY = {
    "whole_hw1.ipynb": (MASTER, FULL),
    "again_hw1 (2).ipynb": (MASTER, FULL),
    "HW1_front.ipynb": (MASTER, FULL),
    "bare_hw1.ipynb": ({"cells": BARE}, FULL),
    "backwards_hw1.ipynb": (MASTER | {"cells": CELLS[::-1]}, FULL),
    "doubled_hw1.ipynb": (MASTER | {"cells": CELLS * 2}, FULL),
    "given-below_hw1.ipynb": (MASTER | {"cells": CELLS + RELEASED["cells"]}, FULL),
    "no-set-up_hw1.ipynb": (changed(MASTER, hw1_setup="", hw1_edges=""), FULL),
    "broken-cell_hw1.ipynb": (changed(MASTER, hw1_q3="def conv_cost(:"), FULL - 2),
    "renamed_hw1.ipynb": (changed(MASTER, hw1_q1=re.sub("number_of_cells", "how_many", Q1)), FULL),
    "missing_hw1.ipynb": (changed(MASTER, hw1_q6="def mine(ops):\n    return 1"), FULL - 3),
    "raises_hw1.ipynb": (changed(MASTER, hw1_q1="def number_of_cells(n, k):\n    1 / 0"), 13),
    "nothing_hw1.ipynb": (RELEASED, 0),
    "picture_hw1.png": (b"null", 0),
    "await_hw1.ipynb": (changed(MASTER, hw1_q1=f"{AWAIT}\n{Q1}"), FULL),
    "magic_hw1.ipynb": (with_cells(changed(MASTER, hw1_q1=""), *MAGIC), FULL),
    "early_hw1.ipynb": (with_cells(MASTER, f"{STUB}\n[][0]"), FULL),
    "late_hw1.ipynb": (with_cells(changed(MASTER, hw1_q1=f"{Q1}\nnas_lab.spaces()"), STUB), FULL),
    "mac_hw1.zip": (zipped("hw1.ipynb", "__MACOSX/._hw1.ipynb", CHECKPOINT), FULL),
    "numbers_hw1.ipynb": (json.dumps(MASTER | {"cells": [*CELLS, NUMBERS]}).encode(), FULL),
    "digits_hw1.ipynb": (DIGITS, FULL),
    os.fsdecode(b"\xff_hw1.ipynb"): (MASTER, FULL),
}
"""Hand-ins, with the points that they earn."""


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graded")
    twice = {"twice/old.ipynb": MASTER, "twice/new.ipynb": changed(MASTER, hw1_q1="")}
    hand_in(folder, twice)
    for name, when in [("old", EARLY), ("new", LATE)]:
        os.utime(folder / "in" / "twice" / f"{name}.ipynb", (when, when))
    files = {name: content for name, (content, _) in UNTIDY.items()}
    return folder, grade(folder, "hw1", files, "--due", DUE)


@needs_box
def test_untidy_notebooks_lose_only_what_is_missing(graded):
    names = {hand_ins._student(name.rsplit(".", 1)[0], "hw1"): name for name in UNTIDY}
    names["\\xff"] = names.pop(os.fsdecode(b"\xff"))
    totals = by_student(graded[1])
    points = {name: int(totals[student]["points"]) for student, name in names.items()}
    assert points == {name: expected for name, (_, expected) in UNTIDY.items()}


@needs_box
def test_statuses_say_what_happened(graded):
    found = {student: row["status"] for student, row in by_student(graded[1]).items()}
    assert found["whole"] == found["renamed"] == "graded"
    assert found["broken-cell"] == found["missing"] == found["nothing"] == "partly"
    assert found["picture"] == "unreadable"
    raised = by_student(graded[1], "hw1.q1")["raises"]
    assert raised["status"] == "raised"
    assert "ZeroDivisionError in line 2" in raised["notes"]
    missing = by_student(graded[1], "hw1.q6")["missing"]
    assert (missing["status"], missing["notes"]) == ("missing", "there is no cell_macs()")


@needs_box
def test_notes_on_late_double_and_equal_hand_ins(graded):
    notes = {student: row["notes"] for student, row in by_student(graded[1]).items()}
    assert "late by" in notes["twice"]
    assert "the latest of 2 files; not graded: old.ipynb" in notes["twice"]
    assert "same code as" in notes["whole"]
    pages = {path.stem: path.read_text() for path in (graded[0] / "pages").glob("*.html")}
    assert "late by" in pages["twice"]
    assert not [name for name, page in pages.items() if "same code as" in page]


@needs_box
def test_a_second_run_reads_what_the_first_one_found(graded, monkeypatch):
    folder, rows = graded
    monkeypatch.delattr(boxes.Bubblewrap, "start")  # nothing is to be run again
    (folder / "marks.csv").write_text("student,points\nwhole,2.5\n")
    again = grade(folder, "hw1", {}, "--due", DUE, "--written", str(folder / "marks.csv"))
    expected = {s: row["points"] for s, row in by_student(rows).items()} | {"whole": "16.5"}
    assert {s: row["points"] for s, row in by_student(again).items()} == expected
    lines = (folder / "grades.totals.csv").read_text().splitlines()
    assert lines[0] == "student,points,of,status"
    assert len(lines) == 1 + len(expected)


@needs_box
def test_the_written_answer_is_on_the_page(graded):
    page = (graded[0] / "pages" / "whole.html").read_text()
    assert "names at least three decisions" in page
    assert "<p>None.</p>" in (graded[0] / "pages" / "nothing.html").read_text()


@needs_box
def test_another_secret_runs_all_again_and_gives_the_same_points_to_the_right(graded, tmp_path):
    rows = grade(tmp_path, "hw1", {"ann_hw1.ipynb": MASTER}, secret="another secret of this test")
    assert by_student(rows)["ann"]["points"] == str(FULL)
    keys = [{p.name for p in (f / "pages" / ".grades").iterdir()} for f in (graded[0], tmp_path)]
    assert not keys[0] & keys[1]


@pytest.mark.parametrize(
    ("stem", "student"),
    [
        ("ada_hw1", "ada"),
        ("hw1_ada", "ada"),
        ("ada hw1 (2)", "ada"),
        ("ada-HW1 - Copy", "ada"),
        ("ada_123_hw1-4", "ada_123"),
        ("ada", "ada"),
        ("hw1", "hw1"),
    ],
)
def test_names_of_students(stem, student):
    assert hand_ins._student(stem, "hw1") == student


def test_pages_have_names_that_are_safe_and_their_own():
    names = [report.page_name(s) for s in ("ada", "../ada", "..\\ada", "a/d/a", "=ada", "ä")]
    assert names[0] == "ada.html"
    assert len(set(names)) == len(names)
    assert not [name for name in names if set(name) & set("/\\=") or name.startswith(".")]


def test_a_secret_must_be_one(tmp_path):
    (tmp_path / "short").write_text("1234")
    with pytest.raises(ValueError, match="fewer than 16"):
        read_secret(tmp_path / "short")
    with pytest.raises(FileNotFoundError, match="token_hex"):
        read_secret(tmp_path / "none")


@pytest.mark.parametrize(
    ("system", "secret", "words"),
    [
        ("/usr", "in/secret.txt", "out of the folder of the hand-ins"),
        ("", "secret.txt", "which hand-ins can read"),
    ],
)
def test_secret_and_grades_are_kept_where_no_hand_in_looks(
    system, secret, words, monkeypatch, tmp_path, capsys
):
    (tmp_path / "in").mkdir()
    (tmp_path / secret).write_text("a secret of this test")
    monkeypatch.setattr(boxes, "system_folders", lambda: [system or str(tmp_path.resolve())])
    options = ["--secret-file", str(tmp_path / secret), "--csv", "x.csv", "--feedback", "x"]
    assert main(["grade", "hw1", str(tmp_path / "in"), *options]) == 2
    assert words in capsys.readouterr().err


def test_a_clone_inside_a_folder_of_the_system_shows_no_solutions(monkeypatch):
    clone = notebooks.checkout()
    assert not {str(clone / "homework"), str(clone / "datasets")} & set(boxes.hidden_folders())
    monkeypatch.setattr(boxes, "system_folders", lambda: [str(clone.parent)])
    hidden = {str(clone / name) for name in ("nas_lab", "homework", "notebooks", "datasets")}
    assert hidden <= set(boxes.hidden_folders())


@pytest.mark.parametrize("line", [b"{", b"\xff", b"[" * 100_000])
def test_replies_that_are_no_json_are_tampered_with(line):
    with pytest.raises(Trouble) as caught:
        decoded(line)
    assert caught.value.kind == "tampered"


def test_huge_numbers_in_replies_are_no_numbers():
    assert decoded(b"[1, " + b"9" * 5_000 + b"]") == [1, "a number with too many digits"]


def test_points_by_hand_need_their_columns(tmp_path):
    (tmp_path / "marks.csv").write_text("name,points\nada,1\n")
    with pytest.raises(ValueError, match="student and points"):
        report.read_marks(tmp_path / "marks.csv")


def test_an_unknown_box_is_explained():
    with pytest.raises(ValueError, match="install bubblewrap"):
        boxes.choose("castle")


def test_copies_are_found_whatever_their_names():
    template = hand_ins.Template.load(notebooks.released("hw1"))
    own = template.own(hand_ins.cells(json.dumps(MASTER).encode()))
    renamed = [re.sub(r"\b(\w+)_(\w+)\b", r"\2\1", source) + "  # mine" for source in own]
    honest = ["def number_of_cells(n, k):\n    return k ** (n * (n - 1) // 2)"]
    pairs = similar({"ann": own, "bob": renamed, "cyd": honest}, sorted(template.given))
    assert [(pair.first, pair.second) for pair in pairs] == [("ann", "bob")]
    assert pairs[0].share > 0.9


def test_similarity_writes_a_table(tmp_path):
    hand_in(tmp_path, {"ann_hw1.ipynb": MASTER, "bob_hw1.ipynb": MASTER, "cyd_hw1.ipynb": RELEASED})
    table = tmp_path / "pairs.csv"
    assert main(["similarity", "hw1", str(tmp_path / "in"), "--csv", str(table)]) == 0
    (_, pair) = table.read_text().splitlines()
    assert pair.startswith("ann,bob,1.00,")


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_damaged_archive_is_unreadable_wherever_the_damage_is(tmp_path, method):
    path, text = tmp_path / "ann.ipynb", json.dumps(["different", *range(300)])
    whole = zipped("hw1.ipynb", method=method, content=text)
    path.write_bytes(whole)
    assert hand_ins.content(path).decode() == text
    read = 0
    for place in range(4, len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            hand_ins.content(path)
            read += 1  # a date, for example
        except hand_ins.Unreadable:
            pass
    assert read < len(whole) / 2


def test_an_archive_with_a_member_far_behind_its_end_is_unreadable(tmp_path):
    whole = zipped("hw1.ipynb")
    entry = whole.index(b"PK\1\2")
    name = entry + 46 + len("hw1.ipynb")
    far = struct.pack("<HHQ", 1, 8, 1 << 63)  # the place of the member, in the form of zip64
    head = whole[entry : entry + 30] + struct.pack("<H", len(far)) + whole[entry + 32 : entry + 42]
    end = bytearray(whole[name:])
    end[12:16] = struct.pack("<I", name - entry + len(far))
    names = b"\xff\xff\xff\xff" + whole[entry + 46 : name]
    (tmp_path / "ann.zip").write_bytes(whole[:entry] + head + names + far + end)
    with pytest.raises(hand_ins.Unreadable, match="broken"):
        hand_ins.content(tmp_path / "ann.zip")


@needs_box
def test_an_error_of_the_grader_itself_is_for_the_instructor_alone(tmp_path, monkeypatch):
    def failing(*_):
        raise RuntimeError("all hidden inputs")

    monkeypatch.setattr(batch, "grade", failing)
    rows = grade(tmp_path, "hw1", {"ann_hw1.ipynb": MASTER})
    assert "all hidden inputs" in by_student(rows)["ann"]["notes"]
    page = (tmp_path / "pages" / "ann.html").read_text()
    assert "ask your instructor" in page
    assert "all hidden inputs" not in page
