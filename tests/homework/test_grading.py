"""Grading: what happens to hand-ins that are honest but untidy, and to a batch of them."""

import csv
import io
import json
import os
import re
import zipfile

import pytest

from nas_lab.homework import notebooks
from nas_lab.homework.__main__ import main
from nas_lab.homework.grading import boxes, hand_ins, report
from nas_lab.homework.grading.channel import Trouble, decoded
from nas_lab.homework.grading.grade import read_secret
from nas_lab.homework.grading.hand_ins import Template
from nas_lab.homework.grading.similarity import similar

FULL, DUE = 14, "2026-01-02T00:00"
EARLY, LATE = 1_767_250_000, 1_767_400_000  # the first and the third of January 2026, in seconds

needs_box = pytest.mark.skipif(
    not boxes._working("bubblewrap", ""), reason="bubblewrap is not there or does not work"
)


@pytest.fixture(scope="module")
def master():
    return json.loads(notebooks.master("hw1").read_text("utf-8"))


def changed(notebook, **cells):
    """The notebook with other cells, by their ids."""
    copy = json.loads(json.dumps(notebook))
    for cell in copy["cells"]:
        name = cell["id"].replace("-", "_")
        cell["source"] = cells.get(name, cell["source"])
    return copy


def untidy(master):
    """Hand-ins by file name, with the points that they earn."""
    bare = [{"cell_type": c["cell_type"], "source": c["source"]} for c in master["cells"]]
    released = json.loads(notebooks.released("hw1").read_text("utf-8"))
    code = [cell for cell in master["cells"] if cell["cell_type"] == "code"]
    unknown = changed(master, hw1_q6="def mine(ops, channels, side):\n    return 1")
    renamed = "".join(next(c["source"] for c in code if c["id"] == "hw1-q1"))
    other_name = re.sub(r"number_of_cells", "how_many", renamed)
    return {
        "whole_hw1.ipynb": (master, FULL),
        "again_hw1 (2).ipynb": (master, FULL),
        "HW1_front.ipynb": (master, FULL),
        "bare_hw1.ipynb": ({"cells": bare}, FULL),
        "backwards_hw1.ipynb": (master | {"cells": master["cells"][::-1]}, FULL),
        "doubled_hw1.ipynb": (master | {"cells": master["cells"] * 2}, FULL),
        "given-below_hw1.ipynb": (master | {"cells": master["cells"] + released["cells"]}, FULL),
        "no-set-up_hw1.ipynb": (changed(master, hw1_setup="", hw1_edges=""), FULL),
        "broken-cell_hw1.ipynb": (changed(master, hw1_q3="def conv_cost(:"), FULL - 2),
        "renamed_hw1.ipynb": (changed(master, hw1_q1=other_name), FULL),
        "missing_hw1.ipynb": (unknown, FULL - 3),
        "raises_hw1.ipynb": (changed(master, hw1_q1="def number_of_cells(n, k):\n    1 / 0"), 13),
        "nothing_hw1.ipynb": (released, 0),
        "picture_hw1.png": (None, 0),
    }


def run(folder, *options):
    arguments = ["grade", "hw1", str(folder / "submissions"), "--jobs", "2"]
    arguments += ["--secret-file", str(folder / "secret.txt"), "--box", "bubblewrap"]
    arguments += ["--csv", str(folder / "grades.csv"), "--feedback", str(folder / "pages")]
    assert main([*arguments, "--due", DUE, *options]) == 0
    with (folder / "grades.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def graded(master, tmp_path_factory):
    folder = tmp_path_factory.mktemp("graded")
    (folder / "submissions" / "twice").mkdir(parents=True)
    (folder / "secret.txt").write_text("a secret of this test")
    for name, (notebook, _) in untidy(master).items():
        (folder / "submissions" / name).write_text(json.dumps(notebook))
    for name, when, notebook in [("old", EARLY, master), ("new", LATE, untidy(master))]:
        path = folder / "submissions" / "twice" / f"{name}.ipynb"
        path.write_text(json.dumps(notebook if name == "old" else changed(master, hw1_q1="")))
        os.utime(path, (when, when))
    return folder, run(folder)


def totals(rows):
    return {row["student"]: row for row in rows if row["question"] == "total"}


@needs_box
def test_untidy_notebooks_lose_only_what_is_missing(graded, master):
    _, rows = graded
    names = {hand_ins._student(name.rsplit(".", 1)[0], "hw1"): name for name in untidy(master)}
    points = {names[s]: int(t["points"]) for s, t in totals(rows).items() if s in names}
    assert points == {name: expected for name, (_, expected) in untidy(master).items()}


@needs_box
def test_statuses_say_what_happened(graded):
    found = {student: row["status"] for student, row in totals(graded[1]).items()}
    assert found["whole"] == found["renamed"] == "graded"
    assert found["broken-cell"] == found["missing"] == found["nothing"] == "partly"
    assert found["picture"] == "unreadable"
    marks = {(r["student"], r["question"]): (r["status"], r["notes"]) for r in graded[1]}
    assert marks["raises", "hw1.q1"][0] == "raised"
    assert "ZeroDivisionError in line 2" in marks["raises", "hw1.q1"][1]
    assert marks["missing", "hw1.q6"] == ("missing", "there is no cell_macs()")


@needs_box
def test_late_double_and_equal_hand_ins_are_told(graded):
    notes = {student: row["notes"] for student, row in totals(graded[1]).items()}
    assert "late by" in notes["twice"]
    assert "the latest of 2 files; not graded: old.ipynb" in notes["twice"]
    assert "same code as" in notes["whole"]
    pages = {path.stem: path.read_text() for path in (graded[0] / "pages").glob("*.html")}
    assert "late by" in pages["twice"]
    assert not [name for name, page in pages.items() if "same code as" in page]


@needs_box
def test_a_second_run_reads_what_the_first_one_found(graded, monkeypatch):
    folder, rows = graded

    def refuse(*_):
        raise AssertionError("nothing is to be run again")

    monkeypatch.setattr(boxes.Bubblewrap, "start", refuse)
    (folder / "marks.csv").write_text("student,points\nwhole,2.5\n")
    again = run(folder, "--written", str(folder / "marks.csv"))
    expected = {s: row["points"] for s, row in totals(rows).items()} | {"whole": "16.5"}
    assert {s: row["points"] for s, row in totals(again).items()} == expected
    lines = (folder / "grades.totals.csv").read_text().splitlines()
    assert lines[0] == "student,points,of,status"
    assert len(lines) == 1 + len(expected)


@needs_box
def test_the_written_answer_is_on_the_page(graded):
    page = (graded[0] / "pages" / "whole.html").read_text()
    assert "names at least three decisions" in page
    assert "<p>None.</p>" in (graded[0] / "pages" / "nothing.html").read_text()


@needs_box
def test_another_secret_runs_all_again_and_gives_the_same_points_to_the_right(
    graded, tmp_path, master
):
    (tmp_path / "submissions").mkdir()
    (tmp_path / "submissions" / "ann_hw1.ipynb").write_text(json.dumps(master))
    (tmp_path / "secret.txt").write_text("another secret of this test")
    assert totals(run(tmp_path))["ann"]["points"] == str(FULL)
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


def test_secret_and_grades_are_kept_out_of_the_folder_of_hand_ins(tmp_path, capsys):
    (tmp_path / "secret.txt").write_text("a secret of this test")
    options = ["--secret-file", str(tmp_path / "secret.txt"), "--csv", "x.csv", "--feedback", "x"]
    assert main(["grade", "hw1", str(tmp_path), *options]) == 2
    assert "out of the folder of the hand-ins" in capsys.readouterr().err


def test_a_clone_inside_a_folder_of_the_system_shows_no_solutions(monkeypatch):
    clone = notebooks.checkout()
    assert not {str(clone / "homework"), str(clone / "datasets")} & set(boxes.hidden_folders())
    monkeypatch.setattr(boxes, "system_folders", lambda: [str(clone.parent)])
    hidden = {str(clone / name) for name in ("nas_lab", "homework", "notebooks", "datasets")}
    assert hidden <= set(boxes.hidden_folders())


def test_nothing_is_kept_where_every_hand_in_can_read(monkeypatch, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.txt").write_text("a secret of this test")
    monkeypatch.setattr(boxes, "system_folders", lambda: [str(tmp_path.resolve())])
    options = ["--secret-file", str(tmp_path / "secret.txt"), "--csv", "x.csv", "--feedback", "x"]
    assert main(["grade", "hw1", str(tmp_path / "in"), *options]) == 2
    assert "which hand-ins can read" in capsys.readouterr().err


@pytest.mark.parametrize("line", [b"{", b"\xff", b"[" * 100_000])
def test_replies_that_are_no_json_are_told(line):
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


def test_copies_are_found_whatever_their_names(master):
    template = Template.load(notebooks.released("hw1"))
    cells = hand_ins.cells(json.dumps(master).encode())
    own = template.own(cells)
    renamed = [re.sub(r"\b(\w+)_(\w+)\b", r"\2\1", source) + "  # mine" for source in own]
    honest = ["def number_of_cells(n, k):\n    return k ** (n * (n - 1) // 2)"] * 1
    pairs = similar({"ann": own, "bob": renamed, "cyd": honest}, sorted(template.given))
    assert [(pair.first, pair.second) for pair in pairs] == [("ann", "bob")]
    assert pairs[0].share > 0.9


def test_similarity_writes_a_table(master, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("ann", "bob"):
        (tmp_path / "in" / f"{name}_hw1.ipynb").write_text(json.dumps(master))
    (tmp_path / "in" / "cyd_hw1.ipynb").write_bytes(notebooks.released("hw1").read_bytes())
    table = tmp_path / "pairs.csv"
    assert main(["similarity", "hw1", str(tmp_path / "in"), "--csv", str(table)]) == 0
    assert table.read_text().splitlines()[1].startswith("ann,bob,1.00,")
    assert len(table.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_damaged_archive_is_unreadable_wherever_the_damage_is(tmp_path, method):
    whole, path = io.BytesIO(), tmp_path / "ann.ipynb"
    text = json.dumps(["different", *range(300)])
    with zipfile.ZipFile(whole, "w", method) as archive:
        archive.writestr("hw1.ipynb", text)
    path.write_bytes(whole.getvalue())
    assert hand_ins.content(path).decode() == text
    read = 0
    for place in range(4, len(whole.getvalue())):
        damaged = bytearray(whole.getvalue())
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            hand_ins.content(path)
            read += 1  # a date, for example
        except hand_ins.Unreadable:
            pass
    assert read < len(whole.getvalue()) / 2
