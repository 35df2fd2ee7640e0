"""``check`` says what differs, where an answer fails, and never tells the solution."""

import math
import threading
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas_lab.homework import check, checking, progress
from nas_lab.homework.checking import QUESTIONS, difference
from nas_lab.homework.drivers import plain

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(width=32) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("name", [name for name in QUESTIONS if name[0].isdigit()])
def test_a_function_that_gives_nothing_is_no_answer(name):
    report = check(name, lambda *arguments: None)
    assert not report
    assert report.passed == 0
    assert "not answered yet" in repr(report)
    assert "Hint" not in repr(report)


def test_the_expected_value_is_not_told():
    report = check("01.q3", lambda *sizes: -1)
    arguments = QUESTIONS["01.q3"].draw(np.random.default_rng(0))
    assert str(QUESTIONS["01.q3"].reference(*arguments)) not in repr(report)


def test_an_exception_is_shown_with_its_line():
    def broken(options):
        return options["first"]

    report = check("01.q1", broken)
    assert "raised TypeError in line" in report.problem
    assert report._repr_html_().count("<br>") == 1


def test_markup_in_an_answer_is_shown_as_text():
    assert "<script>" not in check("01.q1", lambda options: "<script>")._repr_html_()


def test_mistakes_in_the_call_are_explained():
    with pytest.raises(ValueError, match=r"no question '01.q9'; there are: 01.q1"):
        check("01.q9", sum)
    with pytest.raises(TypeError, match="without parentheses"):
        check("01.q1", 120)


@given(PLAIN)
def test_a_value_agrees_with_itself(value):
    assert difference(value, value) is None


@pytest.mark.parametrize(
    ("got", "expected", "words"),
    [
        (True, 1, "a bool"),
        (3.0, 3, "a number (float)"),
        ([1, 2], [1, 2, 3], "length 2; length 3 was expected"),
        ([1, [2, 4]], [1, [2, 3]], "entry 1 of entry 1 of the result"),
        ({"a": 1}, {"b": 1}, "keys ['a']; ['b']"),
        (1.0, 1.1, "should have another value"),
        (math.nan, 1.0, "another value"),
        (object(), 3, "of type object"),
    ],
)
def test_differences_in_words(got, expected, words):
    assert words in difference(got, expected)


def test_close_floats_agree():
    assert difference(0.1 + 0.2, 0.3) is None
    assert difference(math.nan, math.nan) is None


def test_arrays_count_as_lists_and_their_numbers_as_numbers():
    given = (np.float32(0.5), torch.tensor([[1, 2]]), {"a": np.array([True])})
    assert plain(given) == [0.5, [[1, 2]], {"a": [True]}]
    with pytest.raises(TypeError, match="the keys of a dict must be texts, not 1"):
        plain({1: 2})


def test_a_return_that_is_missing_on_some_paths_only_is_told():
    report = check("01.q2", lambda ops: True if ops[3] != "none" else None)
    assert report.answered
    assert "None (is a return missing?)" in repr(report)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (Fraction, "holds a Fraction: return float(...) or int(...) of it"),
        (Decimal, "holds a Decimal: return float(...) or int(...) of it"),
        (np.longdouble, "holds a longdouble: return float(...) or int(...) of it"),
        (lambda value: (v for v in [value]), "holds a generator: return list(...) of it"),
        (lambda value: {value}, "holds a set: return list(...) of it"),
    ],
)
def test_a_right_value_of_a_kind_that_is_no_plain_data_is_explained(form, words):
    report = check("hw1.q1", lambda n, k: form(k ** (n * (n - 1) // 2)))
    assert f"raised TypeError: the result {words}" in report.problem
    assert check("04.q1", lambda *given: tuple(map(tuple, QUESTIONS["04.q1"].reference(*given))))


def test_a_number_of_many_digits_is_a_wrong_answer():
    assert not check("hw1.q1", lambda n, k: k ** (n**k))
    report = check("hw1.q1", lambda n, k: 10**5000)
    assert "a number with too many digits to be shown: the result should have" in report.problem


class Nameless(list):
    """Raises whenever it is shown."""

    def __repr__(self):
        raise OSError

    __str__ = __repr__
    __name__ = property(__repr__)

    def __call__(self, options):
        raise RuntimeError(self)


def test_an_answer_that_raises_when_it_is_shown_is_explained():
    with pytest.raises(TypeError, match="not something that cannot be shown"):
        check("01.q1", type("Uncallable", (), {"__repr__": Nameless.__repr__})())
    words = "your function([1, 2]) raised RuntimeError in line"
    assert words.split("(")[0] in check("01.q1", Nameless()).problem
    assert "cannot be shown" in check("01.q1", Nameless()).problem
    assert check("01.q1", lambda options: Nameless([1])).answered


def test_the_line_is_the_students_own():
    def inner(options):
        return np.zeros(2)[options]

    line = inner.__code__.co_firstlineno + 1
    assert f"in line {line}:" in check("01.q1", lambda options: inner("x")).problem
    assert "raised TypeError: the loss must be a tensor" in repr(check("hw3.q4", lambda *_: 1.0))
    assert "raised TypeError: the keys of a dict" in repr(check("04.q1", lambda *_: {1: 2}))


def endless(*_):
    while True:
        try:
            math.sqrt(2)
        except Exception:
            continue


def test_an_endless_loop_is_stopped(monkeypatch):
    monkeypatch.setattr(checking, "SECONDS", 0.1)
    report = check("01.q1", lambda options: len(options) if len(options) < 9 else endless())
    assert "was stopped in line" in report.problem
    assert "it took more than 0.1 s; does a loop run for ever?" in report.problem
    assert "was stopped" in repr(check("capstone.q1", endless))


def test_another_thread_can_check_and_is_stopped(monkeypatch):
    monkeypatch.setattr(checking, "SECONDS", 0.1)
    reports = []

    def work():
        reports.extend(check("01.q1", answer) for answer in (math.prod, endless))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert reports[0]
    assert "was stopped in line" in reports[1].problem


def test_the_shortest_wrong_case_is_shown():
    report = check("01.q1", lambda options: math.prod(options) + 1)
    assert "<lambda>([2, 7]) returned 15: the result should have another value" in report.problem


def test_what_is_not_answered_is_not_wrong():
    check("hw1.q2", lambda text: None)
    assert "q2" in progress("hw1").partition("not answered yet")[2]
    check("hw1.q2", lambda text: 1)
    assert "q2 ✗" in progress("hw1")


def test_none_is_no_missing_return_where_it_was_expected():
    report = check("03.q3", lambda scores, best: [0.0 for _ in scores])
    assert "is a number (float); None was expected" in difference(0.0, None)
    assert "missing" not in repr(report)
