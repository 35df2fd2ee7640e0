"""Grading: what happens to hand-ins that are honest but untidy, and to a batch of them."""

import io
import json
import os
import re
import struct
import tempfile
import tracemalloc
import zipfile
from contextlib import suppress
from dataclasses import replace

import pytest

from nas_lab.homework import hand_ins, notebooks
from nas_lab.homework.__main__ import main
from nas_lab.homework.grading import batch, boxes, owners, report, similarity, tables
from nas_lab.homework.grading.grade import Exam, Grade, Mark, read_secret
from nas_lab.homework.homeworks import HOMEWORKS
from nas_lab.homework.question import Result
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
MINE = Q1.replace("number_of_cells", "mine").replace('check("hw1.q1", ', "assert check(answer=")
MINE = MINE.replace("(answer=mine", "(name='hw1.q1', answer=mine")
CURIOUS = "check('hw1.q1', lambda nodes, operations: 1)"
AWAIT = """import asyncio
await asyncio.sleep(0)
async def numbers():
    yield 1
async for one in numbers():
    assert one == 1"""
DIGITS = json.dumps(MASTER).encode()[:-1] + b', "x": ' + b"9" * 100_000 + b"}"
MAGIC = [
    f"%%writefile helpers.py\n{HONEST}",
    "%%writefile more.py\nfrom helpers import number_of_cells as counted",
    "%%capture\n%run -i more.py",
    "%time one = counted(2, 1)\nfiles = !ls\nassert not len(files)",
    "%%time\ndef number_of_cells(nodes, operations):\n    return one * counted(nodes, operations)",
    f"%%timeit\n{STUB}",  # which keeps no names
    "%%prun\ntwo = one + one\nassert two == 2",
]
FAIL = """input()
open("data.csv").read()
from google.colab import drive
drive.mount("/content/drive")
import multiprocessing
multiprocessing.Pool(2)
"""  # all of them in the box
AT_HOME = f"from nas_lab import spaces\nn = len(spaces.nasbench201())\n{STUB}"
FRACTION = Q1.replace("return ", "from fractions import Fraction\n    return Fraction(1) * ")


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
    "whole": (MASTER, FULL),
    "bare": ({"cells": BARE}, FULL),
    "backwards": (MASTER | {"cells": CELLS[::-1]}, FULL),
    "doubled": (MASTER | {"cells": CELLS * 2}, FULL),
    "given-below": (MASTER | {"cells": CELLS + RELEASED["cells"]}, FULL),
    "no-set-up": (changed(MASTER, hw1_setup="", hw1_edges=""), FULL),
    "broken-cell": (changed(MASTER, hw1_q3="def conv_cost(:"), FULL - 2),
    "renamed": (changed(MASTER, hw1_q1=re.sub("number_of_cells", "how_many", Q1)), FULL),
    "missing": (changed(MASTER, hw1_q6="def mine(ops):\n    return 1"), FULL - 3),
    "raises": (changed(MASTER, hw1_q1="def number_of_cells(n, k):\n    1 / 0"), 13),
    "nothing": (RELEASED, 0),
    "picture": (b"null", 0),
    "await": (changed(MASTER, hw1_q1=f"{AWAIT}\n{Q1}"), FULL),
    "magic": (with_cells(changed(MASTER, hw1_q1=""), *MAGIC), FULL),
    "asks": (changed(MASTER, hw1_q1=f"from __future__ import annotations\ninput()\n{Q1}"), FULL),
    "fails": (changed(MASTER, hw1_q1=FAIL + Q1), FULL),
    "at-home": (with_cells(MASTER, AT_HOME), FULL),
    "fraction": (changed(MASTER, hw1_q1=FRACTION), FULL - 1),
    "early": (with_cells(MASTER, f"{STUB}\n[][0]"), FULL),
    "late": (with_cells(changed(MASTER, hw1_q1=f"{Q1}\nnas_lab.spaces()"), STUB), FULL),
    "own-name": (changed(MASTER, hw1_q1=f"{STUB}\n{MINE}"), FULL),
    "curious": (MASTER | {"cells": [*CELLS, *with_cells(MASTER, CURIOUS)["cells"][:1]]}, FULL),
    "mac": (zipped("hw1.ipynb", "__MACOSX/._hw1.ipynb", CHECKPOINT), FULL),
    "numbers": (json.dumps(MASTER | {"cells": [*CELLS, NUMBERS]}).encode(), FULL),
    "digits": (DIGITS, FULL),
    "\\xff": (MASTER, FULL),
}
"""Hand-ins by student, with the points that they earn."""
NAMES = {"picture": "picture_hw1.png", "mac": "mac_hw1.zip"}
NAMES |= {"\\xff": os.fsdecode(b"\xff_hw1.ipynb")}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graded")
    twice = {"twice/old.ipynb": MASTER, "twice/new.ipynb": changed(MASTER, hw1_q1="")}
    hand_in(folder, twice)
    for name, when in [("old", EARLY), ("new", LATE)]:
        os.utime(folder / "in" / "twice" / f"{name}.ipynb", (when, when))
    files = {NAMES.get(s, f"{s}_hw1.ipynb"): content for s, (content, _) in UNTIDY.items()}
    return folder, grade(folder, "hw1", files, "--due", DUE)


@needs_box
def test_untidy_notebooks_lose_only_what_is_missing(graded):
    totals = by_student(graded[1])
    points = {student: int(totals[student]["points"]) for student in UNTIDY}
    assert points == {student: expected for student, (_, expected) in UNTIDY.items()}


@needs_box
def test_statuses_say_what_happened(graded):
    found = {student: row["status"] for student, row in by_student(graded[1]).items()}
    assert found["whole"] == found["renamed"] == found["own-name"] == found["magic"] == "graded"
    assert found["broken-cell"] == found["missing"] == found["nothing"] == "partly"
    assert found["picture"] == "unreadable"
    raised = by_student(graded[1], "hw1.q1")["raises"]
    assert raised["status"] == "raised"
    assert "ZeroDivisionError in line 2" in raised["notes"]
    missing = by_student(graded[1], "hw1.q6")["missing"]
    assert (missing["status"], missing["notes"]) == ("missing", "there is no cell_macs()")


@needs_box
def test_notes_on_late_and_double_hand_ins(graded):
    notes = {student: row["notes"] for student, row in by_student(graded[1]).items()}
    assert "late by" in notes["twice"]
    assert "the latest of 2 files; not graded: old.ipynb" in notes["twice"]
    pages = {path.stem: path.read_text() for path in (graded[0] / "pages").glob("*.html")}
    assert "late by" in pages["twice"]
    assert "names at least three decisions" in pages["whole"]  # the written answer
    assert "<p>None.</p>" in pages["nothing"]
    assert "the written answer is empty" in pages["nothing"]
    assert "that begins with &#x27;from __future__ import annotations&#x27; failed" in pages["asks"]
    assert "EOFError in line 2" in pages["asks"]
    assert "return float(...) or int(...) of it" in pages["fraction"]


@needs_box
def test_a_second_run_reads_what_the_first_one_found(graded, monkeypatch):
    folder, rows = graded
    monkeypatch.delattr(boxes.Bubblewrap, "start")  # nothing is to be run again
    (folder / "marks.csv").write_text("student,points\nwhole,2.5\n")
    again = grade(folder, "hw1", {}, "--due", DUE, "--written", str(folder / "marks.csv"))
    expected = {s: row["points"] for s, row in by_student(rows).items()} | {"whole": "16.5"}
    assert {s: row["points"] for s, row in by_student(again).items()} == expected
    lines = (folder / "grades.totals.csv").read_text("utf-8-sig").splitlines()
    assert lines[0] == "student,points,of,status"
    assert "whole,16.5,17,graded" in lines
    assert len(lines) == 1 + len(expected)


def test_pages_have_names_that_are_safe_and_their_own():
    names = [report.page_name(s) for s in ("ada", "../ada", "..\\ada", "a/d/a", "=ada", "ä")]
    names.append(report.page_name(names[-1].removesuffix(".html")))
    assert names[0] == "ada.html"
    assert len(set(names)) == len(names)
    assert not [name for name in names if set(name) & set("/\\=") or name.startswith(".")]


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (lambda folder: read_secret(folder / "short"), "fewer than 16"),
        (lambda folder: read_secret(folder / "none"), "token_hex"),
        (lambda folder: tables.read_marks(folder / "marks.csv", 3), "student and points"),
        (lambda folder: boxes.choose("castle"), "install bubblewrap"),
    ],
)
def test_a_mistake_of_the_instructor_is_explained(mistake, words, tmp_path):
    (tmp_path / "short").write_text("1234")
    (tmp_path / "marks.csv").write_text("name,points\nada,1\n")
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        mistake(tmp_path)


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


def test_copies_are_found_whatever_their_names(tmp_path, capsys):
    renamed = json.loads(re.sub(r"\b(number|conv|live)_(\w+)\b", r"\2\1", json.dumps(MASTER)))
    honest = "def number_of_cells(n, k):\n    return k ** (n * (n - 1) // 2)"
    files = {
        "ann": MASTER,
        "bob": renamed,
        os.fsdecode(b"\xff"): RELEASED,
        "dan": changed(RELEASED, hw1_q1=honest),
        "eve": with_cells(MASTER, "+" * 150_000),
    }
    hand_in(tmp_path, {f"{name}_hw1.ipynb": content for name, content in files.items()})
    table = tmp_path / "pairs.csv"
    words = "eve: only the first 100,000 tokens are compared: look at it"
    assert main(["similarity", "hw1", str(tmp_path / "in"), "--csv", str(table)]) == 0
    assert capsys.readouterr().err == f"{words} yourself\n"
    assert table.read_text("utf-8-sig").splitlines() == [
        "group,student,share",
        "1,ann,1.00",
        "1,bob,1.00",
    ]


def test_copies_are_groups_however_many_copy_and_in_any_alphabet():
    def code(number, name="x"):
        lines = [f"def f{n}({name}): return {name} ** {n} + {number} * {name}" for n in range(9)]
        return ["\n".join(lines)]

    class_of = {f"honest{n}": code(f"len([{n}, {n}, {n}])") for n in range(4)}
    copies = {"ann": code(1), "bob": code(1), "cyd": code(1), "eve": code(1, "длина")}
    near = {"fay": [*code(1), "print('an own line')"]}
    found = similarity.similar({**class_of, **copies, **near}, [])
    assert [s for group, s, _ in found if group == found[0][0]] == sorted([*copies, *near])


HEADING = "**Written answer** (write below this line)"
LEAVES, MORE = "The space has leaves and roots.", "It leaves out the stems."


@pytest.mark.parametrize(
    "cells",
    [
        [(False, f"{HEADING}\n\n{LEAVES}\n\n{MORE}")],
        [(False, f"{HEADING}\n\n*Write here.*"), (False, LEAVES), (False, MORE)],
        [(False, LEAVES), (False, MORE)],  # the heading was deleted
        [(False, f"\ufeff## Written answer\n{LEAVES}"), (False, MORE)],
        [(False, f"{HEADING} {LEAVES}"), (False, MORE)],
        [(False, HEADING), (True, LEAVES), (True, "x = 1"), (True, f"# {MORE}")],
        [(False, f"{HEADING}\n\n*Write here.*"), (False, f"{HEADING}\n\n{LEAVES}\n\n{MORE}")],
    ],
)
def test_a_written_answer_is_found_wherever_it_stands_below_its_question(cells):
    given = [(c["cell_type"] == "code", "".join(c["source"])) for c in RELEASED["cells"]]
    place = next(n for n, (_, text) in enumerate(given) if text.startswith("**Written"))
    whole = [*given[:place], *cells, *given[place + 1 :]]
    for known in ((), hand_ins.Template.load(notebooks.released("hw1")).given):
        words = hand_ins.written_answer(whole, known).replace("# ", "")
        assert words == f"{LEAVES}\n\n{MORE}"
        assert hand_ins.written_answer(given, known) == ""


def test_a_huge_hand_in_is_compared_within_bounds():
    line = "".join(f"x{n} = f(y, {n}) + [a, b][{n}]\n" for n in range(200_000))
    assert len(line) > 5_000_000
    tracemalloc.start()
    try:
        found = similarity.similar({"ann": [line], "bob": [line.replace("x", "z")]}, [])
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()
    assert [student for _, student, _ in found] == ["ann", "bob"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_damaged_archive_is_unreadable_wherever_the_damage_is(tmp_path, method):
    path, text = tmp_path / "ann.ipynb", json.dumps(["different", *range(99)])
    whole = zipped("hw1.ipynb", method=method, content=text)
    path.write_bytes(whole)
    assert hand_ins.content(path).decode() == text
    read = 0
    for place in range(4, len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with suppress(hand_ins.Unreadable):
            hand_ins.content(path)
            read += 1  # a date, for example
    assert read < len(whole) / 2


def test_a_member_far_behind_the_end_of_its_archive_is_unreadable(tmp_path):
    """Its place is written in 8 bytes, after the sizes in the record of an archive of 64 bits."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        info = zipfile.ZipInfo("hw1.ipynb")
        info.extra = struct.pack("<HHQ", 1, 8, 2**63)
        archive.writestr(info, "{}")
    raw = bytearray(whole.getvalue())
    entry = raw.index(b"PK\x01\x02")
    raw[entry + 42 : entry + 46] = b"\xff" * 4
    (tmp_path / "ann.ipynb").write_bytes(raw)
    with pytest.raises(hand_ins.Unreadable, match="archive is broken"):
        hand_ins.content(tmp_path / "ann.ipynb")


LEAK = """seen = []
def number_of_cells(nodes, operations):
    seen.append((nodes, operations))
    raise {raised}"""


@needs_box
def test_what_an_answer_raises_tells_no_hidden_input(tmp_path):
    raised = {
        "text": "ValueError(f'CANARY {seen}')",
        "type": "type(f'CANARY {seen}', (Exception,), {})",
        "late": "KeyError('public' if len(seen) < 6 else 'CANARY')",
        "same": "KeyError('public')",
        "steers": "ValueError('\\x1b[2J\\u202e')",
    }
    files = {
        f"{name}_hw1.ipynb": changed(MASTER, hw1_q1=LEAK.replace("{raised}", words))
        for name, words in raised.items()
    }
    rows = by_student(grade(tmp_path, "hw1", files), "hw1.q1")
    assert "CANARY" in rows["text"]["notes"]  # the table is the instructor's
    assert "\\x1b[2J\\u202e" in rows["steers"]["notes"]
    pages = {name: (tmp_path / "pages" / f"{name}.html").read_text() for name in raised}
    assert "ValueError in line 4" in pages["text"]
    assert "KeyError in line 4: &#x27;public&#x27;" in pages["same"]
    assert not [name for name, page in pages.items() if name != "text" and "CANARY" in page]
    first = pages["text"].split("CANARY")[1:]
    assert [words.count("(") for words in first] == [1]  # the first public case, and no other


def test_each_file_meets_its_own_cases_and_a_secret_the_same():
    exam, other = (Exam.draw(HOMEWORKS["hw1"], secret * 8) for secret in (b"ab", b"cd"))
    drawn = [("ann", b"1"), ("ann", b"2"), ("bob", b"1")]
    found = [str(exam.attempt(*file)[0].inputs) for file in drawn]
    assert len({*found, str(other.attempt(*drawn[0])[0].inputs)}) == 4
    assert found == [str(exam.attempt(*file)[0].inputs) for file in drawn]


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


RESET = """
def edge_output(x, weights, operations):
    outputs = [weight * operation(x) for weight, operation in zip(weights, operations)]
    for cell in operations[0].func.__closure__:
        if isinstance(cell.cell_contents, list):  # how often each was called, for one
            cell.cell_contents[:] = [int(weight != 0) for weight in weights]
    return sum(outputs)"""


@needs_box
def test_calls_of_operations_are_counted_where_no_answer_reaches(tmp_path):
    master = json.loads(notebooks.master("hw4").read_text("utf-8"))
    files = {"ann_hw4.ipynb": master, "bob_hw4.ipynb": changed(master, hw4_q2=RESET)}
    rows = by_student(grade(tmp_path, "hw4", files), "hw4.q2")
    assert {student: row["points"] for student, row in rows.items()} == {"ann": "2", "bob": "0"}
    assert "operations with weight 0 were called" in rows["bob"]["notes"]


@needs_box
def test_a_secret_gives_the_same_grades_whatever_jobs_and_interrupts(tmp_path, monkeypatch):
    by_chance = f"import random\n{Q1}".replace("return ", "return random.choice([0, 1]) * ")
    cells = {"ann": Q1, "bob": by_chance, "cyd": f"import os\n{STUB}\nos._exit(1)", "dan": Q1}
    files = {f"{n}_hw1.ipynb": changed(MASTER, hw1_q1=source) for n, source in cells.items()}
    first = grade(tmp_path / "1", "hw1", files, "--partial", "--jobs", "1")
    assert 0 < float(by_student(first, "hw1.q1")["bob"]["points"]) < 1
    real, left = batch.grade, [1, 2]

    def stopped(*given):
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return real(*given)

    monkeypatch.setattr(batch, "grade", stopped)
    with pytest.raises(KeyboardInterrupt):
        grade(tmp_path / "2", "hw1", files, "--partial")
    monkeypatch.undo()
    assert grade(tmp_path / "2", "hw1", dict([*files.items()][::-1]), "--partial") == first


BURN = """import time
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
"""
SLOW = [f"{BURN}slow{n} = 1\nburn(0.5)" for n in range(8)]
CUT = f"{HONEST}\nwhile True:\n    pass"
ENDS = "import os\ndef cell_macs(*given):\n    os._exit(1)"
BESIDE = f"""{BURN}
burn(0.5)
time.sleep(1.9)
def number_of_cells(nodes, operations):
    burn(0.01)
    time.sleep(0.06)
    return operations ** (nodes * (nodes - 1) // 2)"""
ASLEEP = "import time\ndef number_of_cells(nodes, operations):\n    time.sleep(999)"


@needs_box
def test_answers_that_exist_when_time_runs_out_are_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "PATIENCE", 60)  # with this machine
    skip = {"cell_type": "code", "source": "1 / 0", "metadata": {"tags": ["skip-grading"]}}
    slow = {
        "ann_hw1.ipynb": MASTER | {"cells": [*CELLS, *with_cells(MASTER, *SLOW)["cells"]]},
        "bob_hw1.ipynb": MASTER | {"cells": [skip, *CELLS]},
    }
    cut = {
        "cyd_hw1.ipynb": changed(MASTER, hw1_q1=CUT),
        "dan_hw1.ipynb": changed(MASTER, hw1_q1=CUT, hw1_q6=ENDS),  # in two sandboxes
    }
    rows = by_student(grade(tmp_path / "1", "hw1", slow, "--wall", "4"))
    rows |= by_student(grade(tmp_path / "2", "hw1", cut, "--cell-timeout", "1"))
    assert {s: (int(row["points"]), row["status"]) for s, row in rows.items()} == {
        "ann": (FULL, "timed out"),
        "bob": (FULL, "graded"),
        "cyd": (FULL, "timed out"),
        "dan": (FULL - 3, "timed out"),
    }
    assert "the whole notebook took too long" in rows["ann"]["notes"]
    assert "cut: the cell that begins with 'def number" in rows["cyd"]["notes"]


@needs_box
def test_who_waits_for_the_machine_is_graded_again_alone_and_who_sleeps_is_not(
    tmp_path, monkeypatch
):
    """A box with other work beside it gets on as one that sleeps now and then."""
    asked, real = [], batch.grade

    def noting(*given):
        asked.append((given[-2], given[4].patience))
        return real(*given)

    monkeypatch.setattr(batch, "grade", noting)
    monkeypatch.setattr(batch, "PATIENCE", 60)
    sources = {"beside": BESIDE, "asleep": ASLEEP, "endless": CUT}
    files = {f"{n}_hw1.ipynb": changed(MASTER, hw1_q1=source) for n, source in sources.items()}
    rows = by_student(grade(tmp_path, "hw1", files, "--cell-timeout", "1"))
    assert {s: (int(row["points"]), row["status"]) for s, row in rows.items()} == {
        "beside": (FULL, "graded"),
        "asleep": (FULL - 1, "timed out"),
        "endless": (FULL, "timed out"),
    }
    assert ("beside", 60) in asked[3:]
    assert ("asleep", 60) not in asked


@needs_box
def test_a_damaged_grade_is_graded_anew_and_an_interrupt_leaves_partial_tables(
    tmp_path, monkeypatch
):
    files = {"ann_hw1.ipynb": MASTER, "bob_hw1.ipynb": RELEASED}
    before = by_student(grade(tmp_path, "hw1", files))
    for path in (tmp_path / "pages" / ".grades").iterdir():
        path.write_text(path.read_text().replace('"points": 1', '"points": 7'))
    assert by_student(grade(tmp_path, "hw1", files)) == before
    (tmp_path / "grades.csv").unlink()
    monkeypatch.setattr(batch.Batch, "run", lambda *_: (1 / 0 for _ in "x"))
    with pytest.raises(ZeroDivisionError):
        grade(tmp_path, "hw1", files)
    assert {path.name for path in tmp_path.glob("*.csv")} == {
        *("grades.totals.csv", "grades.partial.csv", "grades.partial.totals.csv"),
        *("grades.questions.csv", "grades.partial.questions.csv"),
    }


def test_a_search_that_lost_by_time_is_tried_again_alone_and_only_that_is_kept(
    tmp_path, monkeypatch
):
    (tmp_path / "x").write_bytes(b"x")
    lost = Mark("capstone.q1", 0, 20, "scored", "", (Result(0, 0, 1, 0, "it took too long"),))
    grades = [Grade("ann", "x", "starved", [replace(lost, points=n)]) for n in (0, 3)]
    monkeypatch.setattr(batch, "grade", lambda *_: grades.pop(0))
    exam = Exam.draw(HOMEWORKS["hw1"], b"a secret of this test")
    limits = boxes.Limits()
    for _ in range(2):
        run = batch.Batch(
            exam, hand_ins.Template((), frozenset()), boxes.Bubblewrap(), limits, tmp_path / "pages"
        ).run({"ann": [owners.HandIn("x", tmp_path / "x", 0)]}, 2)
        assert [grade.points for grade in run] == [3]


def test_folders_of_a_killed_grader_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("nas-lab-box-999999999-x", f"nas-lab-box-{os.getpid()}-x", "other"):
        (tmp_path / name / "nas_lab").mkdir(parents=True)
    boxes.remove_left_behind()
    assert {path.name for path in tmp_path.iterdir()} == {f"nas-lab-box-{os.getpid()}-x", "other"}
