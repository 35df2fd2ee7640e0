"""Every homework: its master earns all points, what is given out earns none, hints fit."""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from nas_lab.homework import check, notebooks, progress
from nas_lab.homework.checking import PUBLIC_SEEDS, difference
from nas_lab.homework.grading import boxes
from nas_lab.homework.grading.grade import Exam, Sheet, grade
from nas_lab.homework.hand_ins import Template
from nas_lab.homework.homeworks import HOMEWORKS, QUESTIONS

SECRETS = [f"a secret of the tests, number {n}".encode() for n in range(10)]
CLOSED = [name for name in HOMEWORKS if name != "capstone"]
"""Homeworks whose questions have right answers; the capstone has tests of its own."""
REFERENCES = {name: q for name, q in QUESTIONS.items() if q.reference}
MISTAKES = [(q.name, hint) for q in QUESTIONS.values() for hint in q.mistakes]

needs_box = pytest.mark.skipif(
    not boxes._working("bubblewrap", ""), reason="bubblewrap is not there or does not work"
)


def code(path):
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def answers(path):
    """What the answers and set-up cells of a notebook define."""
    names, setup = {}, Template.load(path).setup
    for source in code(path):
        if "check(" in source or source in setup:
            exec(source, names)
    return names


@lru_cache(None)
def drawn(name, secret):
    """The hidden cases of a question."""
    return Sheet.draw(QUESTIONS[name], secret)


def points(homework, names, secret):
    """What functions earn on hidden cases, with the drivers here and without a box."""
    earned = 0
    for question in homework.questions:
        sheet, answer = drawn(question.name, secret), names[question.answer]
        got = [question.drive(answer, *json.loads(case)) for case in sheet.inputs]
        earned += question.points * all(sheet.agrees(json.loads(json.dumps(got))))
    return earned


@pytest.mark.parametrize("name", CLOSED)
def test_masters_earn_all_points_for_every_secret(name):
    homework, names = HOMEWORKS[name], answers(notebooks.master(name))
    for secret in SECRETS:
        assert points(homework, names, secret) == homework.points
    for question in homework.questions:
        assert check(question.name, names[question.answer])
    assert f"{homework.points} of {homework.points} points" in progress(name)


@pytest.mark.parametrize("name", CLOSED)
def test_released_notebooks_earn_nothing_and_raise_nothing(name):
    homework, names = HOMEWORKS[name], answers(notebooks.released(name))
    assert points(homework, names, SECRETS[0]) == 0
    for question in homework.questions:
        report = check(question.name, names[question.answer])
        assert not report
        assert "not answered yet" in repr(report)


@needs_box
@pytest.mark.parametrize("name", CLOSED)
def test_the_box_agrees(name):
    exam = Exam.draw(HOMEWORKS[name], SECRETS[0])
    template = Template.load(notebooks.released(name))
    box, limits = boxes.Bubblewrap(), boxes.Limits(cell_seconds=120, whole_seconds=600)
    full = grade(notebooks.master(name).read_bytes(), exam, template, box, limits, "", "")
    assert (full.points, full.status, full.notes) == (full.of, "graded", [])
    assert full.written
    if name != "hw1":
        return
    none = grade(notebooks.released(name).read_bytes(), exam, template, box, limits, "", "")
    assert (none.points, none.status, none.written) == (0, "partly", "")
    assert none.notes == ["the written answer is empty"]
    assert {mark.status for mark in none.marks} == {"missing"}


@pytest.mark.parametrize("name", CLOSED)
def test_a_homework_has_the_agreed_size(name):
    homework = HOMEWORKS[name]
    text = notebooks.released(name).read_text("utf-8")
    assert 5 <= len(homework.questions) - text.count("(bonus) |") <= 7
    assert [q.name for q in homework.questions if f'check(\\"{q.name}\\"' not in text] == []
    table = [line.split("|") for line in json.loads(text)["cells"][0]["source"] if "|" in line]
    rows = [(int(row[2]), int(row[3])) for row in table if row[2].strip().isdigit()]
    assert [p for p, _ in rows] == [*(q.points for q in homework.questions), homework.written]
    assert 90 <= sum(minutes for _, minutes in rows) <= 150


@pytest.mark.parametrize("name", HOMEWORKS)
def test_committed_notebooks_are_as_their_masters(name):
    pytest.importorskip("nbgrader", reason="nbgrader is for instructors")
    assert not notebooks.drifted(name)


@pytest.mark.parametrize("name", HOMEWORKS)
def test_no_solution_is_given_out(name):
    text = notebooks.released(name).read_text("utf-8")
    assert "SOLUTION" not in text
    for question in HOMEWORKS[name].questions:
        (source,) = [s for s in code(notebooks.released(name)) if f"def {question.answer}(" in s]
        assert '"""' in source
        assert "return None  # your code" in source


@pytest.mark.parametrize("name", HOMEWORKS)
def test_a_homework_says_how_to_hand_in_from_everywhere(name):
    text = notebooks.released(name).read_text("utf-8").partition("## Hand in")[2]
    assert [f"- *{place}*: " in text for place in ("JupyterLab", "Colab", "Binder")] == [True] * 3


@pytest.mark.parametrize(
    ("name", "hint"), MISTAKES, ids=[f"{name}-{hint[:40]}" for name, hint in MISTAKES]
)
def test_a_usual_mistake_gets_its_own_hint(name, hint):
    assert check(name, QUESTIONS[name].mistakes[hint]).problem.endswith(f"Hint: {hint}")


@pytest.mark.parametrize("name", REFERENCES)
def test_mistakes_stay_wrong_for_every_secret(name):
    question = QUESTIONS[name]
    for sheet in (drawn(name, secret) for secret in SECRETS):
        for hint, wrong in question.mistakes.items():
            given = (question.drive(wrong, *json.loads(case)) for case in sheet.inputs)
            assert any(map(difference, map(question.normal, given), sheet.expected)), hint


@pytest.mark.parametrize("name", REFERENCES)
def test_no_constant_answer_is_right_often(name):
    """A function that always gives what fits the first case fits few others."""
    question = QUESTIONS[name]
    cases = [question.draw(np.random.default_rng(seed)) for seed in PUBLIC_SEEDS]
    results = [question.normal(question.drive(question.reference, *case)) for case in cases]
    for guess in results:
        assert sum(difference(guess, other) is None for other in results) < len(results)


def test_hidden_cases_depend_on_the_secret_and_on_nothing_else():
    question = QUESTIONS["hw1.q4"]
    first, second = drawn("hw1.q4", SECRETS[0]), drawn("hw1.q4", SECRETS[1])
    assert first == Sheet.draw(question, SECRETS[0])
    assert first.inputs != second.inputs
    public = [question.draw(np.random.default_rng(seed)) for seed in PUBLIC_SEEDS]
    assert list(map(json.loads, first.inputs)) != public


def test_there_is_a_homework_for_each_topic():
    assert Path(notebooks.released("hw1")).is_file()
    assert {path.stem for path in notebooks.master("hw1").parent.glob("*.ipynb")} == {*HOMEWORKS}
