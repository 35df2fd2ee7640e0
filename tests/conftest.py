"""One thread for each test process, the longest first, and at the end what was not tested."""

import os
from collections import Counter

from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
# How long an example takes is a matter of what else the machine does.
settings.register_profile("any load", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any load")

MISSING = {
    "bubblewrap": "attacks on the grader and its box: sudo apt-get install bubblewrap",
    "chromium": "widgets and notebooks in a browser: sudo apt-get install chromium",
    "nas-lab[edge]": "ONNX files: pip install 'nas-lab[edge]'",
    "the site is not built": "pages of the site: make site",
    "ffmpeg": "films as MP4: sudo apt-get install ffmpeg",
    "nbgrader": "nbgrader's own reading of homework: pip install 'nas-lab[instructor]'",
}
"""What the reason of a skip names, and what it leaves untested, with the command that brings it."""


ELSEWHERE = "tests/browser/test_notebooks.py runs it"
"""The reason of a skip that leaves nothing untested."""


LONGEST = ["tests/browser/", "tests/notebooks/", "tests/robust/", "tests/hostile/"]
"""Where single tests are long. Begun last, one of them would run while other processes idle."""


def pytest_collection_modifyitems(items):
    """Put the longest tests first, and leave the order as it is otherwise."""
    rank = {folder: number for number, folder in enumerate(LONGEST)}
    items.sort(
        key=lambda item: min((n for f, n in rank.items() if item.nodeid.startswith(f)), default=9)
    )


def not_tested(reasons):
    """A line for each kind of skipped tests, those that most tests wait for first."""
    lines = Counter(
        next((line for word, line in MISSING.items() if word in reason), reason)
        for reason in reasons
        if reason != ELSEWHERE
    )
    return [f"not tested, {count} times: {line}" for line, count in lines.most_common()]


def pytest_terminal_summary(terminalreporter):
    """Say what was skipped in place of a list of paths."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in skipped]
    for line in not_tested(reasons):
        terminalreporter.write_line(line, yellow=True)
