"""A history keeps what happened, whatever happens next."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_lab.history import Evaluation, History, HistoryWarning, Trial
from nas_lab.spaces import mlp, nasbench201

SPACE = nasbench201()
NUMBERS = st.floats(width=64)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.jsonl"


def trial(id, score=0.5, cost=1.0, **metrics):
    arch = SPACE.sample(np.random.default_rng(id))
    return Trial(id, arch, Evaluation(score, cost, metrics))


def filled(path, n=5):
    history = History(path, SPACE)
    for id in range(n):
        history.append(trial(id, score=id / 10, cost=10.0 - id))
    return history


def same(one, other):
    """Equal, NaN included."""
    return repr(one) == repr(other)


# ---- the file ------------------------------------------------------------------------------------


@given(score=NUMBERS, cost=NUMBERS, metric=NUMBERS)
def test_what_is_written_is_read_back_exactly(tmp_path_factory, score, cost, metric):
    path = tmp_path_factory.mktemp("history") / "run.jsonl"
    written = trial(0, score, cost, macs=metric)
    History(path, SPACE).append(written)
    assert same(History(path, SPACE).trials, [written])


def test_the_file_is_json_lines_with_the_fingerprint_on_top(tmp_path):
    path = tmp_path / "deep" / "run.jsonl"
    history = History(path, SPACE)
    for id in (3, 0, 2):
        history.append(trial(id))
    header, *lines = map(json.loads, path.read_text().splitlines())
    assert header["fingerprint"] == SPACE.fingerprint
    assert [line["id"] for line in lines] == [3, 0, 2]
    for found in (history, History(path, SPACE)):
        assert [t.id for t in found.trials] == [0, 2, 3]


def test_a_file_cut_anywhere_keeps_its_whole_lines(path):
    """The torn last line is dropped with a warning, and the history goes on."""
    complete, content = filled(path, 3).trials, path.read_bytes()
    for length in range(0, len(content), 2):
        path.write_bytes(content[:length])
        whole = max(0, content[:length].count(b"\n") - 1)
        if length == 0 or content[:length].endswith(b"\n"):
            history = History(path, SPACE)
        else:
            with pytest.warns(HistoryWarning, match="not finished"):
                history = History(path, SPACE)
        assert history.trials == complete[:whole]
        for t in complete[whole:]:
            history.append(t)
        assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        *((wrong, "line 1 is damaged") for wrong in (b"hello\n", b"[1, 2]\n", b"\xff\xfe\n")),
        (b'{"some": "json"}\n', "is no history"),
    ],
)
def test_a_file_that_is_no_history_is_refused_and_left(path, content, message):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        History(path, SPACE)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "line",
    ['{"id": 1}', "{broken", '{"id":1,"arch":[9,0,0,0,0,0],"score":1,"cost":1,"metrics":{}}'],
)
def test_damage_in_the_middle_is_refused_with_its_line(path, line):
    filled(path)
    lines = path.read_text().splitlines()
    lines[2] = line
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match="line 3"):
        History(path, SPACE)


def test_a_history_of_another_space_is_refused(path):
    filled(path)
    with pytest.raises(ValueError, match=r"nasbench201.*this space is 'mlp'.*Choose another path"):
        History(path, mlp())


def test_a_second_writer_is_noticed(path):
    first, second = filled(path, 2), History(path, SPACE)
    second.append(trial(2))
    with pytest.raises(RuntimeError, match="a file of its own"):
        first.append(trial(2))
    assert len(History(path, SPACE)) == 3


def test_an_unreadable_path_is_an_os_error_and_reading_writes_nothing(tmp_path, path):
    for wrong in (tmp_path, Path(os.devnull)):
        with pytest.raises(OSError, match=re.escape(f"{wrong} is no file")):
            History(wrong, SPACE)
    filled(path)
    before = path.stat().st_mtime_ns
    assert len(History(path, SPACE)) == 5
    assert path.stat().st_mtime_ns == before


# ---- full disks ----------------------------------------------------------------------------------


LIMITED = """
import resource, sys
from tests.test_history import *
history = History(sys.argv[1], SPACE)
resource.setrlimit(resource.RLIMIT_FSIZE, (400, resource.RLIM_INFINITY))
failures = 0
for id in range(10):
    try:
        history.append(trial(id))
    except OSError as error:
        failures += f"all {len(history)} trials are still in memory" in str(error)
kept = len(History(history.path, SPACE))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
history.flush()
again = len(History(history.path, SPACE))
resource.setrlimit(resource.RLIMIT_FSIZE, (history.path.stat().st_size + 7, resource.RLIM_INFINITY))
try:
    history.append(trial(10))
except OSError:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    history.append(trial(11))
print(0 < kept < 10, failures == 10 - kept, again, len(History(history.path, SPACE)))
"""


@pytest.mark.skipif(os.name != "posix", reason="limits on file size are POSIX")
def test_a_full_disk_loses_nothing(path):
    """A limit of the system stands for it: a write stops in the middle, and later ones fail."""
    command = [sys.executable, "-c", LIMITED, str(path)]
    root = Path(__file__).parents[1]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["True", "True", "10", "12"]


# ---- what is asked of it -------------------------------------------------------------------------


def test_an_id_is_taken_once_and_tokens_are_those_of_the_space():
    history = filled(None)
    with pytest.raises(ValueError, match="trial 2 is in this history already"):
        history.append(trial(2))
    with pytest.raises(ValueError, match="tokens"):
        history.append(Trial(9, (1, 2), Evaluation(0.1)))
    assert len(history) == 5


def test_best_and_incumbent_pass_over_failed_trials():
    history = History(None, SPACE)
    with pytest.raises(ValueError, match="no trial with a score"):
        _ = history.best
    for id, score in enumerate([math.nan, 0.3, 0.2, math.nan, 0.9, 0.9]):
        history.append(trial(id, score))
    assert history.best.id == 4
    assert same(history.incumbent(), [math.nan, 0.3, 0.3, 0.3, 0.9, 0.9])


def test_a_pareto_front_by_seconds_or_a_metric():
    """That it is what its definition says, test_pareto.py shows."""
    history = History(None, SPACE)
    for id, (score, cost) in enumerate([(3, 2), (1, 1), (2, 3), (5, 3), (5, 3), (math.nan, 0)]):
        history.append(trial(id, score, cost, macs=-cost))
    assert [t.id for t in history.pareto()] == [1, 0, 3]
    assert [t.id for t in history.pareto("macs")] == [3]
    with pytest.raises(ValueError, match="no metric 'joules'; it has: cost"):
        history.pareto("joules")


@pytest.mark.parametrize("wrong", ["high", None, True])
def test_an_evaluation_holds_numbers(wrong):
    with pytest.raises(TypeError, match="score is a number"):
        Evaluation(wrong)
    with pytest.raises(TypeError, match="macs is a number"):
        Evaluation(0.5, metrics={"macs": wrong})
    assert Evaluation(np.float32(0.5)) == Evaluation(0.5)
