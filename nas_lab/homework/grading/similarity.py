"""Which hand-ins share more than the template, whatever names they use."""

from __future__ import annotations

import keyword
import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, combinations, islice

WINDOW = 12  # tokens in a row that count as one piece
MOST_TOKENS = 100_000  # of a hand-in; what stands below is not compared
COMMON = 0.2  # pieces in more than this share of all versions are what everybody writes
LEAST = 0.5
NEAR = 0.9  # of the pieces of two hand-ins: then they are copies, however common the pieces are
TOKEN = re.compile(
    r"#[^\n]*|(?P<name>[^\W\d]\w*)|(?P<text>\"[^\"\n]*\"|'[^'\n]*'|[\"'])"
    r"|(?P<sign>\d[\w.]*|[^\s\w])"
)


def similar(
    code: Mapping[str, Sequence[str]], given: Sequence[str]
) -> list[tuple[int, str, float]]:
    """Groups of students, each of whom shares at least ``LEAST`` of the shorter one's own pieces
    with another. Names are not looked at, nor comments and spaces, so renaming hides nothing.
    ``code`` are the sources of cells by student, ``given`` those that were given out. A row has
    the group's number, the student, and the largest share with another one."""
    import networkx as nx

    template, versions = _pieces(given), defaultdict(list)
    for student in sorted(code):
        versions[frozenset(_pieces(code[student]) - template)].append(student)
    # Equal hand-ins are one version: else what many copy would pass for what everybody writes.
    holders, most = Counter(chain.from_iterable(versions)), max(2, COMMON * len(versions))
    rare = {own: {piece for piece in own if holders[piece] <= most} for own in versions}
    graph = nx.Graph()
    for own, (first, *others) in versions.items():
        if len(own) >= WINDOW:
            graph.add_edges_from(((first, other) for other in others), share=1.0)
    for a, b in combinations(versions, 2):
        shared, whole = len(rare[a] & rare[b]), min(len(rare[a]), len(rare[b]))
        if len(a & b) >= NEAR * len(a | b):
            shared, whole = len(a & b), len(a | b)
        if shared >= max(WINDOW, LEAST * whole):
            graph.add_edge(versions[a][0], versions[b][0], share=shared / whole)
    shares = {s: max(link["share"] for link in graph[s].values()) for s in graph}
    groups = sorted(nx.connected_components(graph), key=lambda g: -max(shares[s] for s in g))
    numbered = enumerate(groups, start=1)
    return [(number, s, shares[s]) for number, group in numbered for s in sorted(group)]


def is_cut(sources: Sequence[str]) -> bool:
    """Whether these cells hold more than is compared."""
    tokens = chain.from_iterable(map(_tokens, sources))
    return next(islice(tokens, MOST_TOKENS, None), None) is not None


def _tokens(source: str) -> Iterator[str]:
    """The tokens of a cell, in which all names are one, and all texts; without comments.
    Python's own tokenizer stops at the first mistake or magic."""
    for found in TOKEN.finditer(source):
        if found.lastgroup == "sign" or keyword.iskeyword(found[0]):
            yield found[0]
        elif found.lastgroup:
            yield found.lastgroup


def _pieces(sources: Sequence[str]) -> set[int]:
    """A hash of every ``WINDOW`` tokens in a row."""
    pieces, left = set(), iter(range(MOST_TOKENS))
    for source in sources:
        window: deque[str] = deque(maxlen=WINDOW)
        for token, _ in zip(_tokens(source), left, strict=False):
            window.append(token)
            if len(window) == WINDOW:
                pieces.add(hash(tuple(window)))
    return pieces
