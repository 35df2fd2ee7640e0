"""The capstone: a search in the box, asked and scored outside of it."""

import csv
import itertools
import json
import math

import numpy as np
import pytest
from sklearn import linear_model

from nas_lab import devices
from nas_lab.estimation import Table
from nas_lab.homework import check, notebooks
from nas_lab.homework.grading import report
from nas_lab.homework.grading.grade import Grade, Mark, seeds
from nas_lab.homework.homeworks import HOMEWORKS, QUESTIONS
from nas_lab.homework.homeworks.capstone import HiddenTask, _first_found
from nas_lab.homework.question import QueryBudget, Result, earned, trial
from tests.homework.classes import by_student, changed, grade, needs_box

QUESTION = QUESTIONS["capstone.q1"]
TABLE = Table.load()
TASK = HiddenTask.draw(np.random.default_rng(5))
RANDOM = """
def find_network(query, options, budget, limit, seed):
    archs = np.random.default_rng().integers(5, size=(budget, 6)).tolist()
    found = [query(arch) for arch in archs]
    return max(zip(archs, found), key=lambda f: f[1][0] if f[1][1] <= limit else -1)[0]
"""


def search_of(path):
    names = {}
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and "pack(" not in source.replace("check, pack", ""):
            exec(source.replace('check("capstone.q1", find_network)', ""), names)
    return names["find_network"]


MINE = search_of(notebooks.master("capstone"))


def test_the_master_earns_all_points_on_public_cases_and_what_is_given_out_none():
    assert check("capstone.q1", MINE)
    report = check("capstone.q1", search_of(notebooks.released("capstone")))
    assert not report
    assert "not answered yet" in repr(report)


def drawn(search, secret):
    """Results in all cases that the grader draws by a secret."""
    return [trial(QUESTION, search, seed) for seed in seeds(secret, QUESTION.name)]


@pytest.mark.parametrize("number", range(2))
def test_the_master_earns_all_points_by_any_secret(number):
    results = drawn(MINE, f"secret number {number}, long enough".encode())
    assert earned(20, results) == 20
    assert not [r for r in results if r.problem or r.asked > 60]


def with_ridge(query, options, budget, limit, seed):
    """Half of the budget at random, then what ridge regression likes best, by fives."""
    pool = np.array([*itertools.product(*map(range, options))])
    x, ridge = np.eye(5)[pool].reshape(len(pool), -1), linear_model.Ridge()
    first = np.random.default_rng(seed).permutation(len(pool))[: budget // 2].tolist()
    seen = {row: query(pool[row].tolist()) for row in first}
    while len(seen) < budget:
        accuracy, milliseconds = np.array([*seen.values()]).T
        hope = ridge.fit(x[[*seen]], -np.log(1 - accuracy.clip(0.7))).predict(x)
        slow = ridge.fit(x[[*seen]], np.log(milliseconds)).predict(x) > math.log(limit)
        new = [row for row in np.lexsort((-hope, slow)).tolist() if row not in seen]
        seen |= {row: query(pool[row].tolist()) for row in new[: min(5, budget - len(seen))]}
    within = {row: accuracy for row, (accuracy, time) in seen.items() if time <= limit}
    return pool[max(within, key=within.get)].tolist()


def test_another_good_search_earns_all_points_too():
    assert earned(20, drawn(with_ridge, b"any secret that is long enough")) == 20


def test_a_shuffled_case_is_the_table():
    """Every network of the table is there once more, under another spelling."""
    spelled = np.random.default_rng(0).integers(5, size=(200, 6)).tolist()
    for arch in spelled:
        accuracy, milliseconds = TASK.evaluate(arch)
        tokens = [0] * 6
        for place, edge in enumerate(TASK.edges):
            tokens[edge] = TASK.operations[place][arch[place]]
        canonical = TABLE.space.canonical(tuple(tokens))
        assert accuracy == TABLE(tuple(tokens)).score
        seconds = devices.latency(TABLE.space, canonical, TABLE.skeleton, TASK.device)
        assert math.isclose(milliseconds, 1e3 * seconds, abs_tol=1e-5)
    assert len({tuple(TASK.evaluate(arch)) for arch in spelled}) > 100


def test_the_limit_lets_the_given_share_through():
    for seed in range(3):
        task = HiddenTask.draw(np.random.default_rng(seed))
        within = np.mean([task.milliseconds[TABLE.row(a)] <= task.limit for a in TABLE.space])
        assert abs(within - task.share) < 0.05


def test_random_search_is_scored_as_simulation_says():
    rng = np.random.default_rng(1)
    row = np.array([TABLE.row(arch) for arch in TABLE.space])
    drawn = row[rng.integers(len(row), size=(4_000, TASK.budget))]
    seen = np.where(TASK.milliseconds[drawn] <= TASK.limit, TABLE.scores()[drawn], -1)
    best = drawn[np.arange(len(drawn)), seen.argmax(axis=1)]
    test = TABLE.test_scores()[best]
    error = test.std() / math.sqrt(len(test))
    assert abs(TASK.result([0] * 6, 0).low - test.mean()) < 4 * error


def test_the_chance_to_be_found_first_by_hand():
    """Two draws among two of 0.5: the better is missed once in four times."""
    assert _first_found(np.array([0.5, 0.5]), 2) == pytest.approx([0.75, 0.25])
    assert _first_found(np.array([0.5, 0.25]), 1) == pytest.approx([2 / 3, 1 / 3])


def test_the_best_has_gone_all_the_way():
    within = np.flatnonzero(TASK.milliseconds <= TASK.limit)
    best, slowest = within[TABLE.test_scores()[within].argmax()], TASK.milliseconds.argmax()
    for row, score, problem in [(best, 1, ""), (slowest, -1, "the limit is")]:
        arch = TABLE.archs[row].tolist()
        pairs = zip(TASK.operations, TASK.edges, strict=True)
        result = TASK.result([names.index(arch[edge]) for names, edge in pairs], 0)
        assert result.normalized_score == score
        assert problem in result.problem


NO_ARCHITECTURES = [None, 5, "0" * 6, {}, [], [[0] * 6], [True] * 6, [0.0] * 6, [0] * 5, [-1] * 6]


@pytest.mark.parametrize("value", [*NO_ARCHITECTURES, [0, 0, 0, 0, 0, 5], [10**400] * 6])
def test_what_is_no_architecture_is_refused_and_counted(value):
    query_budget = QueryBudget(TASK)
    assert "a list of 6 tokens" in query_budget.reply(value)["refused"]
    assert query_budget.asked == 1
    assert TASK.result(value, 1).normalized_score == -1


def test_the_budget_is_kept():
    query_budget = QueryBudget(TASK)
    for _ in range(TASK.budget):
        query_budget.ask([0] * 6)
    with pytest.raises(RuntimeError, match="budget of 60 queries is spent"):
        query_budget.ask([0] * 6)


def test_points_by_hand():
    def result(score, problem=""):
        return Result(score, 0.80, 0.90, 60, problem)

    found = [earned(20, [result(score)] * 4) for score in (0.84, 0.82, 0.80, 0.75)]
    assert found == [20, 12, 5, 5]  # the second: 5 and half of 15, rounded to even
    assert earned(20, [result(0.0, "too slow")] * 4) == 0


def test_places_are_shared_by_equals_and_names_break_no_picture(tmp_path):
    def graded(student, score, problem=""):
        mark = Mark("capstone.q1", 5, 20, "scored", "", (Result(score, 0.8, 0.9, 60, problem),))
        return Grade(student, "", "graded", (mark,))

    names = {"$\\frac{": 0.85, "=x": 0.85, "\u202eb\n\u0e01" * 30: 0.82}
    grades = [graded(name, score) for name, score in names.items()]
    grades.append(graded("none", 0, "nothing"))
    assert [place.number for place in report.ranked(grades)] == [1, 1, 3]
    table, picture = report.write_leaderboard(tmp_path / "grades.csv", grades)
    assert picture.read_bytes()[1:4] == b"PNG"
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["student"] for row in rows[:2]] == ["$\\frac{", "'=x"]
    assert rows[0]["normalized score"] == "0.5"


@needs_box
def test_grading_gives_a_leaderboard_and_equal_hand_ins_equal_grades(tmp_path):
    paths = notebooks.master("capstone"), notebooks.released("capstone")
    master, released = (json.loads(path.read_text()) for path in paths)
    by_chance = changed(master, capstone_q1=RANDOM)  # draws without a seed
    files = {"ann": master, "bob": by_chance, "rob": by_chance, "cyd": released}
    rows = grade(tmp_path, "capstone", {f"{n}_capstone.ipynb": files[n] for n in files})
    found = by_student(rows, "capstone.q1")
    assert (found["ann"]["points"], found["ann"]["status"]) == ("20", "right")
    assert 0 < int(found["bob"]["points"]) < 20
    assert found["rob"] == found["bob"] | {"student": "rob"}
    assert (found["cyd"]["points"], found["cyd"]["status"]) == ("0", "missing")
    lines = (tmp_path / "grades.leaderboard.csv").read_text().splitlines()
    places = [line.split(",")[:2] for line in lines[1:]]
    assert places == [["1", "ann"], ["2", "bob"], ["2", "rob"]]
    assert (tmp_path / "grades.leaderboard.png").is_file()
    assert HOMEWORKS["capstone"].points == 20
