"""Put right answers that are written differently to a homework's test, public and hidden."""

import json

import pytest

from nas_lab.homework import check
from nas_lab.homework.grading.grade import Sheet
from nas_lab.homework.homeworks import QUESTIONS


def right(variants):
    """Return a test of {question: [answer, ...]}."""

    @pytest.mark.parametrize(
        ("name", "answer"), [(name, a) for name, answers in variants.items() for a in answers]
    )
    def test(name, answer):
        assert check(name, answer)
        sheet = Sheet.draw(QUESTIONS[name], b"a secret of this test")
        got = [sheet.question.drive(answer, *json.loads(case)) for case in sheet.inputs]
        assert all(sheet.agrees(json.loads(json.dumps(got))))

    return test
