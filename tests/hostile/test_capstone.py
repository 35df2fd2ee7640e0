"""No search asks more than its budget, sees the table, or earns by forging."""

import csv
import json

import pytest

from nas_lab.homework.__main__ import main
from nas_lab.homework.grading import boxes
from tests.hostile.attacks import RUNNER
from tests.hostile.notebooks import text
from tests.hostile.test_attacks import CHECKOUT

RANDOM = """
import numpy as np
def find_network(query, options, budget, limit, seed):
    archs = np.random.default_rng(seed).integers(5, size=(60, 6)).tolist()
    found = [query(arch) for arch in archs]
    return max(zip(archs, found), key=lambda f: f[1][0] if f[1][1] <= limit else -1)[0]
"""

FIND = """
import os
def tables():
    found = []
    for place, folders, files in os.walk("/"):
        if place.startswith(("/proc", "/sys")):
            folders[:] = []
        found += [os.path.join(place, n) for n in files if "fashion201" in n or "capstone" in n]
    return [path for path in found if not path.startswith("/box/")]
"""

ATTACKS = {
    "asks too much": """
import numpy as np
def find_network(query, options, budget, limit, seed):
    best = (-1, [0] * 6)
    for arch in np.random.default_rng(seed).integers(5, size=(500, 6)).tolist():
        try:
            accuracy, milliseconds = query(arch)
        except RuntimeError:
            continue
        if milliseconds <= limit:
            best = max(best, (accuracy, arch))
    return best[1]
""",
    "asks in the name of an earlier case": """
kept = []
def find_network(query, options, budget, limit, seed):
    kept.append(query)
    return [kept[0]([0, 1, 2, 3, 4, n % 5]) and 0 for n in range(6)]
""",
    "asks by itself": RUNNER
    + """
def find_network(query, options, budget, limit, seed):
    ask = query.__closure__[0].cell_contents
    nonce = ask.__closure__[0].cell_contents
    line = json.dumps({"nonce": nonce, "ask": [0] * 6}).encode() + b"\\n"
    os.write(runner.replies, line * 100)
    return [0] * 6
""",
    "forges what is found": RUNNER
    + """
result = {"score": 1.0, "low": 0.0, "high": 1.0, "asked": 0, "problem": ""}
runner.call = lambda request: {"cases": [{"value": result, **result}], "results": [result] * 40,
                               "points": 20, "told": [1.0, 0.0]}
""",
    "asks for what equals all": """
class Equal(int):
    def __eq__(self, other): return True
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __lt__
    def __hash__(self): return 0
def find_network(query, options, budget, limit, seed):
    for wish in ([Equal(9)] * 6, [True] * 6, {"row": 0}, "best", [[0]] * 6, None, 10**400):
        try:
            query(wish)
        except Exception:
            pass
    return [Equal(9)] * 6
""",
    "imports the table": f"""
import sys
def find_network(query, options, budget, limit, seed):
    sys.path[:0] = ["{CHECKOUT}"]
    for name in [n for n in sys.modules if n.startswith("nas_lab")]:
        del sys.modules[name]
    sys.meta_path[:] = sys.meta_path[:3]
    from nas_lab.estimation import Table
    return Table.load().archs[0].tolist()
""",
    "finds the table": FIND
    + """
def find_network(query, options, budget, limit, seed):
    raise ValueError(f"found {tables()}")
""",
}

needs_bubblewrap = pytest.mark.skipif(
    not boxes._working("bubblewrap", ""), reason="bubblewrap is not there or does not work"
)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("capstone")
    (folder / "in").mkdir()
    for name, source in {**ATTACKS, "honest": RANDOM}.items():
        (folder / "in" / f"{name}_capstone.ipynb").write_text(text(source))
    (folder / "secret.txt").write_text("a secret that no hand-in may ever see")
    options = ["--secret-file", str(folder / "secret.txt"), "--box", "bubblewrap", "--jobs", "2"]
    options += ["--csv", str(folder / "grades.csv"), "--feedback", str(folder / "pages")]
    assert main(["grade", "capstone", str(folder / "in"), *options]) == 0
    with (folder / "grades.csv").open(newline="", encoding="utf-8-sig") as file:
        marks = {r["student"]: r for r in csv.DictReader(file) if r["question"] == "capstone.q1"}
    kept = [json.loads(path.read_text()) for path in (folder / "pages" / ".grades").iterdir()]
    return marks, {grade["student"]: grade for grade in kept}


@needs_bubblewrap
@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "asks too much"])
def test_an_attack_earns_nothing(outcome, name):
    marks, grades = outcome
    assert int(marks[name]["points"]) <= 2  # the networks of some are within a limit by chance
    assert max(result["score"] for result in grades[name]["marks"][0]["results"]) < 0.85


@needs_bubblewrap
def test_the_budget_is_the_same_for_all(outcome):
    marks, grades = outcome
    for grade in grades.values():
        assert all(result["asked"] <= 60 for result in grade["marks"][0]["results"])
    assert marks["asks too much"]["points"] == marks["honest"]["points"]


@needs_bubblewrap
def test_the_table_is_not_in_the_box(outcome):
    marks, grades = outcome
    assert "found []" in grades["finds the table"]["marks"][0]["words"]
    assert "No module named" in marks["imports the table"]["notes"]


@needs_bubblewrap
def test_forged_asks_are_told(outcome):
    assert outcome[1]["asks by itself"]["status"] == "tampered"
    assert outcome[1]["asks in the name of an earlier case"]["status"] == "tampered"
