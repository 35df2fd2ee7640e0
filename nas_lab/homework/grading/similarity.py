"""Find pairs of hand-ins that share more than what was given out."""

from __future__ import annotations

import keyword
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

WINDOW = 12
"""How many tokens in a row count as one shared piece."""
COMMON = 0.2
"""Pieces that more than this share of all hand-ins have are what everybody writes."""


@dataclass(frozen=True)
class Pair:
    """Two hand-ins.

    Attributes:
        first: a student.
        second: another.
        share: of the pieces of the shorter one that the longer one has, in [0, 1].
        pieces: how many they share.
    """

    first: str
    second: str
    share: float
    pieces: int


def similar(
    code: Mapping[str, Sequence[str]], given: Sequence[str], least: float = 0.5
) -> list[Pair]:
    """Pairs that share at least ``least`` of the shorter one's own pieces, the closest first.

    Names are not looked at, nor comments and spaces, so renaming hides nothing.

    Args:
        code: sources of cells, by student.
        given: sources of the cells that were given out.
        least: in [0, 1].
    """
    template = _pieces(given)
    own = {student: _pieces(sources) - template for student, sources in code.items()}
    holders: dict[int, list[str]] = defaultdict(list)
    for student in sorted(own):
        for piece in own[student]:
            holders[piece].append(student)
    most = max(2, COMMON * len(own))
    rare = {piece: students for piece, students in holders.items() if len(students) <= most}
    sizes = {student: len(own[student] & rare.keys()) for student in own}
    shared: dict[tuple[str, str], int] = defaultdict(int)
    for students in rare.values():
        for pair in combinations(students, 2):
            shared[pair] += 1
    pairs = [
        Pair(a, b, number / min(sizes[a], sizes[b]), number) for (a, b), number in shared.items()
    ]
    close = [pair for pair in pairs if pair.share >= least and pair.pieces >= WINDOW]
    return sorted(close, key=lambda pair: (-pair.share, -pair.pieces, pair.first, pair.second))


TOKEN = re.compile(r"#[^\n]*|[A-Za-z_]\w*|\d[\w.]*|\"[^\"\n]*\"|'[^'\n]*'|[^\s\w]")


def _pieces(sources: Sequence[str]) -> set[int]:
    found = set()
    for source in sources:
        tokens = [_token(text) for text in TOKEN.findall(source) if not text.startswith("#")]
        for start in range(len(tokens) - WINDOW + 1):
            found.add(hash(tuple(tokens[start : start + WINDOW])))
    return found


def _token(text: str) -> str:
    if text[0] in "\"'":
        return "text"
    return text if keyword.iskeyword(text) or not (text[0].isalpha() or text[0] == "_") else "name"
