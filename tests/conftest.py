"""One thread for each test process, the longest first, and at the end what was not tested."""

import gc
import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
# How long an example takes is a matter of what else the machine does; what is slow has fewer.
PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("any load", max_examples=50, **PATIENT)
settings.load_profile("any load")

MISSING = {
    "bubblewrap": "attacks on the grader and its box: sudo apt-get install bubblewrap",
    "pyseccomp": "system calls that are closed to hand-ins: pip install 'nas-lab[instructor]'",
    "chromium": "widgets and notebooks in a browser: sudo apt-get install chromium",
    "nas-lab[edge]": "ONNX files: pip install 'nas-lab[edge]'",
    "the site is not built": "pages of the site: make site",
    "nbgrader": "nbgrader's own reading of homework: pip install 'nas-lab[instructor]'",
}
"""What the reason of a skip names, and what it leaves untested, with the command that brings it."""


ELSEWHERE = "tests/browser/test_notebooks.py runs it"
"""The reason of a skip that leaves nothing untested."""


LONGEST = [
    "tests/browser/",
    "tests/hostile/test_attacks",
    *(f"[{n:02}_" for n in (9, 3, 4, 5, 7, 10, 2, 8, 6)),  # the notebooks
    *("tests/hostile/test_capstone", "tests/robust/", "tests/notebooks/", "tests/widgets/test_all"),
]
"""What takes long, with the longest first: tests whose ids begin so, or have this in them."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """One process more than cores: many tests wait, for a page or until a hand-in's time is up."""
    return os.cpu_count() + 1


def pytest_collection_modifyitems(items):
    """Begin with what takes long: begun last, it would run alone.

    Each process gets a piece of the list, and one that is through takes from the end of another's.
    All that needs a page heads the first piece: a server and a browser take longer to start than
    most tests. What else takes long is dealt to the heads of the other pieces. Tests of one widget
    stay together: a process walks each widget that it meets once.
    """

    def place(item):
        return next((n for n, word in enumerate(LONGEST) if word in item.nodeid), len(LONGEST))

    pieces = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
    heads, short = [[] for _ in range(pieces)], []

    def widget(item):
        alone = item.path.stem != "test_all" or not hasattr(item, "callspec")
        return "" if alone else str(item.callspec.params.get("name"))

    for item in sorted(items, key=lambda item: (place(item), widget(item))):
        n = place(item)
        chosen = 0 if n == 0 or pieces == 1 else 1 + n % (pieces - 1)
        (heads[chosen] if n < len(LONGEST) else short).append(item)
    dealt = []
    for number, head in enumerate(heads, 1):
        dealt += head
        fill = max(0, len(items) * number // pieces - len(dealt))
        dealt += short[:fill]
        del short[:fill]
    items[:] = dealt + short


@pytest.fixture
def tensors():
    """Count the tensors alive that are newer than the test: a process holds many others."""
    import torch

    def count():
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    gc.collect()
    gc.freeze()
    yield count
    gc.unfreeze()


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
