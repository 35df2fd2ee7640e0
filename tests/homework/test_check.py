"""``check`` says what differs, where an answer fails, and never tells the solution."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas_lab.homework import check
from nas_lab.homework.checking import QUESTIONS
from nas_lab.homework.comparing import difference
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
