"""Whose a hand-in is: by its name as people and platforms write it, or by a roster."""

import json
import os
import unicodedata
import zipfile
from datetime import datetime

import pytest

from nas_lab.homework import hand_ins
from nas_lab.homework.grading import owners, tables
from tests.homework.classes import by_student, grade, needs_box
from tests.hostile.notebooks import HONEST, notebook

NAMES = {
    "ada_hw1.ipynb": "ada",
    "Copy of hw1_bea.ipynb": "bea",
    "Kopie von hw1_cyd.ipynb": "cyd",
    "Copia de hw1_dan.ipynb": "dan",
    "hw1_eve - Kopie (2).ipynb": "eve",
    "hw1_fay copy 2.ipynb": "fay",
    "hw1-Copy1_gil.ipynb": "gil",
    "hw1_ida.ipynb.txt": "ida",
    "hw123_hw1.ipynb": "hw123",
    "HW1_jon.IPYNB": "jon",
    "kim_123_hw1-4.ipynb": "kim_123",
    "lea.ipynb": "lea",
    "mia - HW1 (1).ipynb": "mia",
    "__ned/hw1.ipynb": "__ned",
    "Ola Noe_4711_assignsubmission_file_/my homework.ipynb": "Ola Noe_4711",
    "Pia Noe_4712_assignsubmission_file_hw1.ipynb": "Pia Noe_4712",
    "qvist_LATE_815_90210_hw1.ipynb": "qvist_815",
    "ria/hw1/hw1.ipynb": "ria",
    "Sue Ra\u200bmos - hw1.ipynb": "Sue Ramos",
    "t\u202eim\x1b[2J_hw1.ipynb": "tim\\x1b[2J",
    "copycat_hw1.ipynb": "copycat",
    "Vic Wu_7_assignsubmission_file_Ada L_8_assignsubmission_file_x.ipynb": "Vic Wu_7",
    "wim_77_99_Ada L_8_assignsubmission_file_x.ipynb": "wim_77",
    "hw1/tom_hw1.ipynb": "tom",
    "Uma Vy_99_assignsubmission_file_/Copy of hw1.ipynb": "Uma Vy_99",
}


def put(folder, *names, when=1_767_250_000):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook(HONEST)))
        os.utime(path, (when, when))


def test_students_are_read_out_of_names(tmp_path):
    put(tmp_path, *NAMES)
    found, notes = owners.find(tmp_path, "hw1")
    assert {str(f[0].path.relative_to(tmp_path)): s for s, f in found.items()} == NAMES
    assert notes == []


def test_what_is_no_hand_in_is_listed_or_of_a_system(tmp_path):
    put(tmp_path, "ada/hw1.ipynb", "ada/desktop.ini", "Thumbs.db", "submission_metadata.yml")
    put(tmp_path, "ada/.ipynb_checkpoints/hw1.ipynb", "__MACOSX/._hw1.ipynb", "hw1.ipynb")
    put(tmp_path, ".bob_hw1.ipynb", ".cyd/hw1.ipynb", "ada/hw2/hw2.ipynb", "hw2_ada.ipynb")
    found, notes = owners.find(tmp_path, "hw1")
    assert [(s, [f.name for f in files]) for s, files in found.items()] == [
        ("ada", ["hw1.ipynb"]),
        ("hw1", ["hw1.ipynb"]),
    ]
    assert notes == [
        "left out: .bob_hw1.ipynb, for its name begins with a dot",
        "left out: .cyd/hw1.ipynb, for its name begins with a dot",
        "left out: ada/hw2/hw2.ipynb, of another homework",
        "left out: hw2_ada.ipynb, of another homework",
        "doubtful: hw1 names no student",
    ]


def test_the_copy_with_the_highest_number_is_the_latest_of_equal_times(tmp_path):
    names = ["hw1_ada.ipynb", "hw1_ada (10).ipynb", "hw1_ada (2).ipynb", "hw1_ada copy.ipynb"]
    put(tmp_path, *names)
    put(tmp_path, "hw1_ada.txt", when=1_767_400_000)
    (files,) = owners.find(tmp_path, "hw1")[0].values()
    assert files[-1].name == names[1]
    put(tmp_path, "HW1_Ada.IPYNB", when=1_767_300_000)
    (files,) = owners.find(tmp_path, "hw1")[0].values()
    assert files[-1].name == "HW1_Ada.IPYNB"


def test_names_that_look_the_same_are_one(tmp_path):
    forms = [unicodedata.normalize(form, "Zoë B") for form in ("NFC", "NFD")]
    put(tmp_path, *(f"{n}/hw1.ipynb" for n in (*forms, "zoë b", "Zoë  B", "Zo\u200bë B", "Zoë\nB")))
    found, notes = owners.find(tmp_path, "hw1")
    assert [len(files) for files in found.values()] == [6]
    (note,) = notes
    assert "are taken for one name" in note


ROSTER = """ID;Name;E-Mail
17;Ada Lovelace;ada@example.org
18;Bea Berg;bea.b@example.org
19;Bea Berg;other@example.org
20;Cyd Charis;cyd@example.org
"""


def test_a_roster_says_who_it_is_and_never_guesses(tmp_path):
    (tmp_path / "roster.csv").write_text("\ufeff" + ROSTER)
    roster, folder = tables.read_roster(tmp_path / "roster.csv"), tmp_path / "in"
    put(folder, "hw1_lovelace-ada.ipynb", "Bea Berg_5_assignsubmission_file_/x.ipynb")
    put(folder, "18_hw1.ipynb", "lovelaceada_77_99_hw1.ipynb", "dan_hw1.ipynb", "other_hw1.ipynb")
    found, notes = owners.find(folder, "hw1", roster)
    assert {s: len(files) for s, files in found.items()} == {"17": 2, "18": 1, "19": 1}
    marks = {"Ada Lovelace": 2, "bea berg": 1, "18": 3}
    marks, others = owners.sorted_out(marks, dict(zip(found, "abc", strict=True)), roster)
    assert marks.keys() == {"17", "18"}
    assert notes == [
        "doubtful: Bea Berg_5 is 18 or 19, and is not graded",
        "doubtful: dan is not in the roster, and is not graded",
        "missing: 20",
    ]
    assert others == ["doubtful: bea berg has points, and is not one student"]
    (tmp_path / "roster.csv").write_text("id,name\n1,Ada\n1,Bea\n")
    with pytest.raises(ValueError, match="row 3: every student needs an id"):
        tables.read_roster(tmp_path / "roster.csv")


@pytest.mark.parametrize(
    "row", ["ada", "bob,2,5", "ada,nan", "ada,inf", "ada,-1", "ada,3.5", "ada,good", "cyd,2"]
)
def test_points_by_hand_are_checked_first(row, tmp_path):
    (tmp_path / "marks.csv").write_text(f"student,points\ncyd,1\ndan,\n{row}\n")
    with pytest.raises(ValueError, match="row 4"):
        tables.read_marks(tmp_path / "marks.csv", 3)


@needs_box
def test_a_class_by_its_roster(tmp_path, capsys):
    (tmp_path / "roster.csv").write_text(ROSTER)
    (tmp_path / "marks.csv").write_text("student,points\nAda Lovelace,2.5\nzed,1\n")
    files = {"ada_hw1.ipynb": notebook(HONEST), "zed_hw1.ipynb": notebook(HONEST)}
    options = ["--roster", str(tmp_path / "roster.csv"), "--written", str(tmp_path / "marks.csv")]
    totals = by_student(grade(tmp_path, "hw1", files, *options))
    assert {s: (row["points"], row["of"]) for s, row in totals.items()} == {"17": ("3.5", "17")}
    assert [path.name for path in (tmp_path / "pages").glob("*.html")] == ["17.html"]
    said = capsys.readouterr().out
    assert said.index("zed is not in the roster") < said.index("1 graded")
    assert said.count("zed has points") == said.count("missing: 20") == 2


def test_tables_hold_no_formula_for_any_separator_and_nothing_that_steers(tmp_path):
    fields = ["=1", "a;=1", 'a;"=1"', "a, @x", "a|+1", "＝1", "\x1b[2J\u202e", "a-b", -1]
    tables.write(tmp_path / "x.csv", ["x"], [[each] for each in fields])
    assert (tmp_path / "x.csv").read_text("utf-8-sig").splitlines()[1:] == [
        *("'=1", "a;'=1", '"a;""\'=1"""', '"a, \'@x"', "a|'+1", "'＝1"),
        *("\\x1b[2J\\u202e", "a-b", "-1"),
    ]


def test_a_zip_file_is_taken_as_its_folder_with_the_times(tmp_path):
    when = 2026, 11, 30, 23, 58, 2
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        names = ["Ada Lovelace_4711_assignsubmission_file/hw1.ipynb", "../bea_hw1.ipynb"]
        for name in [*names, f"Cyd_4712_assignsubmission_file_{'作业' * 60}.ipynb"]:
            archive.writestr(zipfile.ZipInfo(name, when), "{}")
    with hand_ins.unpacked(tmp_path / "all.zip") as folder:
        found, _ = owners.find(folder, "hw1")
        assert {student: [file.when for file in files] for student, files in found.items()} == {
            name: [datetime(*when).timestamp()] for name in ("Ada Lovelace_4711", "Cyd_4712", "bea")
        }
        assert all(files[-1].is_notebook for files in found.values())
    assert not folder.exists()
    with hand_ins.unpacked(tmp_path) as folder:
        assert folder == tmp_path
