"""A scripted walk through every widget: its state and its words after each move, as recorded.

Words are kept as a hash; ``python -m tests.golden.test_widgets FOLDER`` writes them out in full,
and records them anew without a folder.
"""

import hashlib
import json
import sys
from pathlib import Path

import pytest

from tests.widgets.reading import words
from tests.widgets.walks import WALKS

GOLDEN = Path(__file__).with_name("widgets.json")


def walk(name):
    """[state, words] at the beginning and after each move."""
    make, moves = WALKS[name]
    w = make()
    told = [[w.state, words(w)]]
    for go in moves:
        go(w)
        told.append([w.state, words(w)])
    return told


def hashed(told):
    return [[state, hashlib.sha256(said.encode()).hexdigest()[:16]] for state, said in told]


@pytest.mark.parametrize("name", WALKS)
def test_state_and_words_are_those_recorded(name):
    told = walk(name)
    recorded = json.loads(GOLDEN.read_text("utf-8"))[name]
    for (state, said), now, then in zip(told, hashed(told), recorded, strict=True):
        assert state == then[0]
        assert now == then, said


def main():
    told = {name: walk(name) for name in WALKS}
    if sys.argv[1:]:
        Path(sys.argv[1], "words.json").write_text(json.dumps(told, ensure_ascii=False, indent=0))
    else:
        rows = (f"{json.dumps(n)}: {json.dumps(hashed(t))}" for n, t in told.items())
        GOLDEN.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
