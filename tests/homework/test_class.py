"""What an instructor decides of a class: when, how many points, what is graded again, and for whom
the tables are. A stand-in grades here: a file holds the share of right cases by question."""

import codecs
import csv
import json
import os
from datetime import datetime

import pytest

from nas_lab.homework.__main__ import main
from nas_lab.homework.grading import batch, boxes, owners, tables
from nas_lab.homework.grading.grade import Grade, Mark
from nas_lab.homework.homeworks import HOMEWORKS
from tests.homework.classes import hand_in

POINTS = [q.points for q in HOMEWORKS["hw1"].questions]
FULL = sum(POINTS)
DUE, DAY = datetime(2026, 11, 30, 12), 24 * 3600
HINT = "39 of 40 hidden cases agree. Hint: look at the sign."
ROSTER = """id,name,email,login,due
17,Ada Lovelace,ada@example.org,al,
18,Bea Berg,bea@example.org,,
19,Cyd Charis,cyd@example.org,cc,2026-12-02
20,Dan Dare,dan@example.org,dd,
"""


def stand_in(raw, exam, template, box, limits, student, file):
    shares, marks = json.loads(raw), []
    for q in exam.homework.questions:
        share = shares.get(q.name, 1.0)
        points, status, words = (q.points, "right", "") if share == 1 else (0, "wrong", HINT)
        marks.append(Mark(q.name, points, q.points, status, words, share=share))
    return Grade(student, file, "graded", marks, written=f"=SUM\n\nof {len(shares)}")


@pytest.fixture
def graded(tmp_path, monkeypatch):
    """Grade the files, each handed in so many days after it is due; give a table's rows."""
    monkeypatch.setattr(boxes, "choose", lambda *_: boxes.Bubblewrap())
    monkeypatch.setattr(batch, "grade", stand_in)
    (tmp_path / "roster.csv").write_text(ROSTER)

    def run(files, *options, table="totals", code=0, secret="a secret of this test"):
        (tmp_path / "secret.txt").write_text(secret)
        hand_in(tmp_path, {name: shares for name, (shares, _) in files.items()})
        for name, (_, days) in files.items():
            os.utime(tmp_path / "in" / name, (DUE.timestamp() + days * DAY,) * 2)
        told = ["--secret-file", "secret.txt", "--csv", "t.csv", "--feedback", "pages"]
        monkeypatch.chdir(tmp_path)
        assert main(["grade", "hw1", "in", *told, *options]) == code
        with (tmp_path / f"t.{table}.csv").open(newline="", encoding="utf-8-sig") as file:
            return list(csv.reader(file))[1:]

    return run


ONE = {"ada_hw1.ipynb": ({}, -1), "bea_hw1.ipynb": ({"hw1.q1": 0.975, "hw1.q2": 0.5}, -1)}
LATE = ["--due", DUE.isoformat(), "--late-penalty", "10", "--roster", "roster.csv"]


def test_late_ones_lose_points_by_the_day_unless_the_roster_gives_more_time(graded, tmp_path):
    files = {"ada_hw1.ipynb": ({}, -0.1), "bea_hw1.ipynb": ({}, 1.25), "cyd_hw1.ipynb": ({}, 2.4)}
    files |= {"dan_hw1.ipynb": ({}, 11), "dan.txt": ({}, -2)}
    files["dan_hw1 (1).ipynb"] = ({"hw1.q1": 0}, -0.5)
    points = {row[0]: row[1] for row in graded(files, *LATE)}
    assert points == {"17": f"{FULL}", "18": f"{0.8 * FULL:g}", "19": f"{FULL}", "20": "0"}
    page = (tmp_path / "pages" / "18.html").read_text()
    assert "late by 30.0 h and loses 20% of the points" in page
    assert f"{0.8 * FULL:g} of {FULL} points" in page
    assert graded(files, *LATE, "--on-time")[-1][1] == f"{FULL - POINTS[0]}"
    page = (tmp_path / "pages" / "20.html").read_text()
    assert "the last on-time one of 3 files; not graded: dan.txt, dan_hw1.ipynb" in page


def test_totals_have_the_columns_that_platforms_import(graded, tmp_path):
    files = {"Ada Lovelace_4711_assignsubmission_file_/x.ipynb": ({}, 0), "18_hw1.ipynb": ({}, 0)}
    rows = graded(files, "--format", "moodle", "--roster", "roster.csv")
    assert rows == [
        ["Participant 4711", "Ada Lovelace", "17", "ada@example.org", "14", "14", ""],
        ["", "Bea Berg", "18", "bea@example.org", "14", "14", ""],
    ]
    raw = (tmp_path / "t.totals.csv").read_bytes()
    assert raw.startswith(codecs.BOM_UTF8 + b"Identifier,Full name,ID number,Email address,Grade,")
    rows = graded({}, "--format", "canvas", "--roster", "roster.csv")
    assert rows == [
        ["Points Possible", "", "", "", "", "14"],
        ["Ada Lovelace", "4711", "17", "al", "", "14"],
        ["Bea Berg", "", "18", "bea@example.org", "", "14"],
    ]
    head = codecs.BOM_UTF8 + b"Student,ID,SIS User ID,SIS Login ID,Section,hw1\r\n"
    assert (tmp_path / "t.totals.csv").read_bytes().startswith(head)


def test_any_time_and_any_number_of_files_is_taken(graded, tmp_path):
    files = [owners.HandIn(f"{n}.ipynb", tmp_path, 1e15 + n) for n in range(2_000)]
    rules = batch.Rules({"ada": DUE.astimezone()}, penalty=10, on_time=True)
    assert rules.counting("ada", files) == files[-1]
    assert rules.late("ada", files[-1].when)[0] == 1
    graded({f"ada/{n}.ipynb": ({}, n) for n in range(9)})
    words = "not graded: 3.ipynb, 4.ipynb, 5.ipynb, 6.ipynb, 7.ipynb and 3 more</li>"
    assert words in (tmp_path / "pages" / "ada.html").read_text()


def test_one_student_or_one_question_is_graded_again_and_all_else_kept(graded, monkeypatch):
    def marks(*options, **secret):
        rows = graded(ONE, *options, table="questions", **secret)
        return [int(row[2]) for row in rows[:3]]  # right answers to questions 1, 2 and 3

    assert marks() == [1, 1, 2]
    asked = []

    def again(raw, *rest):
        asked.append(rest[-2])
        return stand_in(b'{"hw1.q3": 0}', *rest)

    monkeypatch.setattr(batch, "grade", again)
    assert marks() == [1, 1, 2]
    other = {"secret": "another secret, which draws other cases"}
    assert marks("--student", "bea", "--question", "hw1.q1", **other) == [2, 1, 2]
    assert marks("--question", "hw1.q3", **other) == [2, 1, 0]
    assert sorted(asked) == ["ada", "bea", "bea"]
    assert marks("--student", "bea", **other) == marks(**other) == [2, 2, 0]
    assert len(asked) == 4
    assert marks() == [2, 2, 0]  # the first secret's cases are others
    assert len(asked) == 6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--student", "eve"], "--student eve is not among ada, bea"),
        (["--question", "hw2.q1"], "--question hw2.q1 is not among hw1.q1"),
        (["--anonymous", "--format", "moodle"], "a platform needs names"),
        (["--on-time"], "need --due"),
        (["--answers", "roster.csv"], "may hold points"),
        (["--written", "bad.csv"], "needs the columns student and points"),
        (["--roster", "bad.csv"], "row 2: due is a time such as 2026-11-30T23:59"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options, words, graded, tmp_path, capsys):
    (tmp_path / "bad.csv").write_text("id,due\n1,30.11.2026\n")
    (tmp_path / "t.totals.csv").touch()
    graded(ONE, *options, code=2)
    assert words in capsys.readouterr().err
    assert not (tmp_path / "pages").exists()


def test_each_question_says_how_many_are_right_and_the_most_common_mistake(graded, capsys):
    rows = graded(ONE, table="questions")
    assert rows[0] == ["hw1.q1", "2", "1", "0.50", "1", "look at the sign.", "1"]
    assert rows[2] == ["hw1.q3", "2", "2", "2.00", "2", "", "0"]
    said = capsys.readouterr().out
    assert "hw1.q1: 1 of 2 right; most often (1): look at the sign." in said


def test_what_an_answer_raises_passes_for_no_hint(tmp_path):
    mark = Mark(
        "hw1.q1", 0, 1, "raised", "0 of 40 hidden cases agree; KeyError: 'Hint: look at Ada's'"
    )
    results = tables.Results(HOMEWORKS["hw1"], [Grade("eve", "", "partly", [mark])], {})
    said = results.write_questions(tmp_path / "questions.csv")
    assert said == ["hw1.q1: 0 of 1 right; most often (1): raised an error"]


def test_a_share_of_the_cases_earns_a_share_of_the_points_if_the_instructor_says_so(graded):
    whole, part = (float(graded(ONE, *option)[1][1]) for option in ([], ["--partial"]))
    assert whole == FULL - POINTS[0] - POINTS[1]
    assert part == pytest.approx(FULL - 0.025 * POINTS[0] - 0.5 * POINTS[1], abs=0.011)


def test_answers_are_read_without_names_and_their_points_come_back(graded, tmp_path):
    graded(ONE, "--anonymous", "--answers", "answers.csv", "--late-penalty", "10", *LATE[:2])
    names = (tmp_path / "t.names.csv").read_text("utf-8-sig")
    shown = [*tmp_path.glob("pages/*.html"), tmp_path / "answers.csv", *tmp_path.glob("t*.csv")]
    told = [path.name + path.read_text("utf-8-sig") for path in shown if "names" not in path.name]
    assert len(told) == 6
    assert not [words for words in told if "ada" in words or "bea" in words]
    codes = dict(line.split(",") for line in names.split()[1:])
    answers = (tmp_path / "answers.csv").read_text("utf-8-sig")
    assert f'{codes["bea"]},,"\'=SUM\n\nof 2"' in answers
    (tmp_path / "answers.csv").write_text(answers.replace(f"{codes['ada']},", f"{codes['ada']},2"))
    totals = graded(ONE, "--written", "answers.csv")
    assert {row[0]: row[1:3] for row in totals}["ada"] == [str(FULL + 2), str(FULL + 3)]
