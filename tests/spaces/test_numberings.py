"""Canonical forms of DARTS cells and chains against networkx's isomorphism."""

import itertools
from collections import defaultdict

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_lab.spaces import DARTS_V1, DARTS_V2, Skeleton, conv_chain, darts
from nas_lab.spaces.cells import EDGES_DARTS

SPACE = darts()
CHAIN = conv_chain(4, True, heights=(1, 3), widths=(1,), strides=(1,), filters=(4,))
CHAIN_HEIGHTS = [d for d in CHAIN.decisions if d.name.startswith("height")]


def darts_graphs(arch):
    """The two cells as labelled graphs in which only the inputs are told apart."""
    for tokens in (arch[:14], arch[14:]):
        graph = networkx.DiGraph()
        graph.add_nodes_from((state, {"kind": min(state, 2)}) for state in range(6))
        for token, (source, node) in zip(tokens, EDGES_DARTS, strict=True):
            if token:
                graph.add_edge(source, node, op=token)
        yield graph


def chain_graph(arch):
    graph = networkx.DiGraph()
    for layer, read in enumerate(CHAIN.inputs(arch)):
        graph.add_node(layer, kind=arch[CHAIN.decisions.index(CHAIN_HEIGHTS[layer])])
        graph.add_edges_from((source, layer) for source in read)
    return graph


def isomorphic(one, other):
    return networkx.is_isomorphic(
        one,
        other,
        node_match=lambda a, b: a["kind"] == b["kind"],
        edge_match=lambda a, b: a.get("op") == b.get("op"),
    )


def renumber(tokens, order):
    """One DARTS cell with its four nodes in another order, or None where inputs come too late."""
    place = {0: 0, 1: 1, **{old + 2: new + 2 for new, old in enumerate(order)}}
    renumbered = dict.fromkeys(EDGES_DARTS, 0)
    for token, (source, node) in zip(tokens, EDGES_DARTS, strict=True):
        if token and place[source] >= place[node]:
            return None
        if token:
            renumbered[place[source], place[node]] = token
    return tuple(renumbered.values())


@given(seed=st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_every_renumbering_of_a_darts_cell_has_one_canonical_form(seed):
    arch = SPACE.sample(np.random.default_rng(seed))
    canonical = SPACE.canonical(arch)
    for one, other in zip(darts_graphs(arch), darts_graphs(canonical), strict=True):
        assert isomorphic(one, other)
    numberings = {renumber(arch[:14], order) for order in itertools.permutations(range(4))}
    numberings.discard(None)
    assert {SPACE.canonical(tokens + arch[14:]) for tokens in numberings} == {canonical}
    assert canonical[:14] == min(numberings)


@given(seeds=st.tuples(st.integers(0, 2**32), st.integers(0, 2**32)))
@settings(max_examples=100, deadline=None)
def test_chains_share_a_canonical_form_exactly_when_they_are_isomorphic(seeds):
    one, other = (CHAIN.sample(np.random.default_rng(seed)) for seed in seeds)
    assert isomorphic(chain_graph(one), chain_graph(CHAIN.canonical(one)))
    same = CHAIN.canonical(one) == CHAIN.canonical(other)
    assert same == isomorphic(chain_graph(one), chain_graph(other))


def test_chain_classes_are_the_isomorphism_classes():
    """All 1,024 chains of four layers, against a brute-force partition."""
    classes = defaultdict(list)
    for arch in CHAIN:
        graph = chain_graph(arch)
        degrees = ((k, graph.in_degree(n), graph.out_degree(n)) for n, k in graph.nodes("kind"))
        alike = classes[tuple(sorted(degrees))]
        if not any(isomorphic(graph, found) for found in alike):
            alike.append(graph)
    assert len({CHAIN.canonical(arch) for arch in CHAIN}) == sum(map(len, classes.values()))


def test_darts_size_is_the_papers():
    """Liu et al. 2019, section 2.1: inputs and operations of four nodes, two cells."""
    inputs = (itertools.combinations(range(node), 2) for node in range(2, 6))
    topologies = len(list(itertools.product(*inputs)))
    assert len(SPACE) == (topologies * 7**8) ** 2


def test_darts_enumeration_gives_valid_architectures_in_order():
    first = list(itertools.islice(SPACE, 500))
    assert first == sorted(set(first))
    for arch in first[::50]:
        assert all(len(pairs) == 8 for pairs in SPACE.genotype(arch).values())


def test_darts_samples_every_input_and_operation_equally_often():
    from scipy import stats

    rng = np.random.default_rng(0)
    archs = np.array([SPACE.sample(rng) for _ in range(3000)])
    edges_of_last_node = [i for i, (_, node) in enumerate(EDGES_DARTS) if node == 5]
    used = (archs[:, edges_of_last_node] > 0).sum(axis=0)
    assert stats.chisquare(used).pvalue > 1e-4
    assert stats.chisquare(np.bincount(archs.ravel())[1:]).pvalue > 1e-4


def test_a_third_input_is_refused_with_the_reason():
    arch = list(DARTS_V2)
    node_three = [i for i, (_, node) in enumerate(EDGES_DARTS) if node == 3]
    for i in node_three:
        arch[i] = 4
    with pytest.raises(ValueError, match="excluded by the tokens before it"):
        SPACE.check(arch)


@pytest.mark.parametrize("arch", [DARTS_V1, DARTS_V2])
def test_genotype_reads_back(arch):
    assert SPACE.from_genotype(**SPACE.genotype(arch)) == arch


def test_published_darts_genotype_has_its_published_size():
    """Liu et al. 2019, table 1: 3.3 million; the authors' code prints 3.349342."""
    cost = SPACE.cost(DARTS_V2, Skeleton(channels=36, cells=20))
    assert cost.params == 3_349_342
