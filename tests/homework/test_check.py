"""``check`` tells right from wrong, says what differs, and never tells the solution."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nas_lab.estimation.pareto import pareto_front
from nas_lab.homework import check
from nas_lab.homework.comparing import difference
from nas_lab.homework.drivers import plain
from nas_lab.homework.lessons import QUESTIONS

RUNGS = QUESTIONS["02.q3"].reference
LATENCY = QUESTIONS["07.q1"].reference
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(width=32) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("name", QUESTIONS)
def test_references_pass_and_a_function_that_gives_nothing_does_not(name):
    assert check(name, QUESTIONS[name].reference)
    report = check(name, lambda *arguments: None)
    assert not report
    assert report.passed == 0
    assert "not answered yet" in repr(report)
    assert "Hint" not in repr(report)


def test_right_answers_written_differently_pass():
    def count(options):
        total = 1
        for k in options:
            total *= k
        return total

    def reaches(ops):
        matrix = np.zeros((4, 4), dtype=int)
        for op, (a, b) in zip(ops, [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)], strict=True):
            matrix[a, b] = op != "none"
        return np.linalg.matrix_power(np.eye(4, dtype=int) + matrix, 3)[0, 3] > 0

    def macs(c_in, c_out, k, h, w, groups):
        return np.prod([k, k, c_in, c_out, h, w]) // groups

    assert check("01.q1", count)
    assert check("01.q2", reaches)
    assert check("01.q3", macs)


def test_right_answers_about_devices_pass():
    def latency(macs, moved, peak, bandwidth, overhead):
        both = np.maximum(np.array(macs) / peak, np.array(moved) / bandwidth)
        return float(both.sum() + overhead * len(macs))

    def pareto(accuracies, latencies):
        return sorted(pareto_front(accuracies, latencies).tolist())

    def expected(alpha, seconds, base):
        w = torch.tensor(alpha, dtype=torch.float64).softmax(dim=1)
        return base + float((w * torch.tensor(seconds, dtype=torch.float64)).sum())

    assert check("07.q1", latency)
    assert check("07.q2", pareto)
    assert check("07.q3", expected)


def test_right_answers_about_estimates_pass():
    def agreements(codes):
        c = np.array(codes)
        return (c @ c.T + (1 - c) @ (1 - c).T).tolist()

    def rungs(archs, epochs, eta):
        halvings = round(math.log(archs, eta))
        return [[archs // eta**i, eta**i] for i in range(halvings + 1)]

    assert check("02.q1", lambda a, b: float(stats.kendalltau(a, b)[0]))
    assert check("02.q2", agreements)
    assert check("02.q3", rungs)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("02.q1", lambda a, b: float(stats.spearmanr(a, b)[0])),
        ("02.q1", lambda a, b: float(stats.kendalltau(a, b)[0] > 0)),
        ("02.q2", lambda codes: (np.array(codes) @ np.array(codes).T).tolist()),
        ("02.q3", lambda archs, epochs, eta: [[2 * n, e] for n, e in RUNGS(archs, epochs, eta)]),
        ("01.q1", lambda options: sum(options)),
        ("01.q1", lambda options: float(math.prod(options))),
        ("01.q2", lambda ops: ops[3] != "none"),
        ("01.q2", lambda ops: any(op != "none" for op in ops)),
        ("01.q2", lambda ops: 1),
        (
            "01.q2",  # the long way is forgotten
            lambda ops: (
                ops[3] != "none" or "none" not in (ops[0], ops[4]) or "none" not in (ops[1], ops[5])
            ),
        ),
        ("01.q3", lambda c_in, c_out, k, h, w, groups: k * k * c_in * c_out * h * w),
        ("01.q3", lambda c_in, c_out, k, h, w, groups: 2 * k * k * c_in * c_out * h * w // groups),
        ("07.q1", lambda m, b, p, w, o: sum(o + x / p + y / w for x, y in zip(m, b, strict=True))),
        ("07.q1", lambda m, b, p, w, o: o * len(m) + max(sum(m) / p, sum(b) / w)),
        ("07.q1", lambda m, b, p, w, o: o + LATENCY(m, b, p, w, 0)),
        ("07.q2", lambda a, t: [i for i in range(len(a)) if a[i] == max(a) or t[i] == min(t)]),
        ("07.q2", lambda a, t: sorted({t.index(x) for x in t})),
        ("07.q3", lambda alpha, s, base: base + float((np.array(alpha) * np.array(s)).sum())),
        (
            "07.q3",
            lambda alpha, s, base: (
                base + sum(r[int(np.argmax(a))] for a, r in zip(alpha, s, strict=True))
            ),
        ),
    ],
)
def test_usual_mistakes_are_told_apart(name, wrong):
    report = check(name, wrong)
    assert not report
    assert "<lambda>(" in report.problem
    assert ("was expected" in report.problem) != (QUESTIONS[name].hint in report.problem)


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
    assert plain((np.float32(0.5), torch.tensor([[1, 2]]), {"a": np.array([True])})) == [
        0.5,
        [[1, 2]],
        {"a": [True]},
    ]


def test_a_return_that_is_missing_on_some_paths_only_is_told():
    report = check("01.q2", lambda ops: True if ops[3] != "none" else None)
    assert report.answered
    assert "None (is a return missing?)" in repr(report)
