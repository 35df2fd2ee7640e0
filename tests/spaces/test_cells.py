"""Cells against what their authors publish, and canonical forms against brute force."""

import itertools
from collections import defaultdict

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nas_lab.spaces import DARTS_V2, Skeleton, conv_chain, darts, nasbench201
from nas_lab.spaces.cells import EDGES_201, EDGES_DARTS, OPERATIONS_201

SPACE, DARTS = nasbench201(), darts()

# ---- NAS-Bench-201 -------------------------------------------------------------------------------


def test_published_sizes():
    """Dong & Yang 2020: 15,625 cells, 6,466 of them unique."""
    assert len(SPACE) == 15_625
    assert len({SPACE.canonical(arch) for arch in SPACE}) == 6_466


def test_text_form_is_the_papers():
    arch = SPACE.from_string(
        "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"
    )
    names = "nor_conv_3x3 none skip_connect none none avg_pool_3x3"
    assert [OPERATIONS_201[token] for token in arch] == names.split()
    tail = "~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~"
    for wrong, message in (
        (f"|nor_conv_3x3{tail}1|", "not of the form"),
        ("|nor_conv_3x3~0|+|none~0|skip_connect~1|", "not of the form"),
        (f"nor_conv_3x3{tail}2|", "not of the form"),
        (f"|conv_9x9{tail}2|", "has no option 'conv_9x9'"),
    ):
        with pytest.raises(ValueError, match=message):
            SPACE.from_string(wrong)


@pytest.mark.parametrize(
    ("arch", "params", "mega_flops"),
    [
        # Parameters and FLOPs in millions as the authors' API gives them for CIFAR-10.
        ((4, 2, 1, 2, 1, 1), 0.129306, 15.64737),
        ((3, 3, 3, 1, 3, 2), 1.073466, 153.27297),
        ((1, 1, 1, 1, 1, 1), 0.073306, 7.78305),
    ],
)
def test_published_costs(arch, params, mega_flops):
    """The authors also count the ten biases of the classifier, which are no multiply-adds."""
    cost = SPACE.cost(arch, Skeleton())
    assert cost.params == round(params * 1e6)
    assert cost.macs + 10 == round(mega_flops * 1e6)


def values_of_all_cells():
    """Each cell as a function of a vector, with one fixed map for each operation.

    Convolution blocks are odd and not linear, pooling is linear, and all keep zero.
    """
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 5, 5)) / 4
    maps = [np.zeros_like, lambda x: x, lambda x: np.tanh(a @ x), lambda x: np.tanh(b @ x)]
    maps.append(lambda x: c @ x)
    start = rng.normal(size=5)
    for arch in itertools.product(range(5), repeat=6):
        nodes = [start, 0, 0, 0]
        for token, (source, node) in zip(arch, EDGES_201, strict=True):
            nodes[node] = nodes[node] + maps[token](nodes[source])
        yield arch, tuple(np.round(nodes[3], 10) + 0.0)


def test_cells_with_one_canonical_form_compute_the_same():
    """The published classes never join two functions; only 4,660 functions are behind them."""
    functions = defaultdict(set)
    for arch, value in values_of_all_cells():
        functions[SPACE.canonical(arch)].add(value)
    assert all(len(values) == 1 for values in functions.values())
    assert len(set().union(*functions.values())) == 4_660


# ---- chains, against networkx's isomorphism ------------------------------------------------------


def test_canonical_forms_of_chains_are_the_isomorphism_classes():
    """All 1,024 chains of four layers have a form in their class, and no class has two."""
    space = conv_chain(4, True, heights=(1, 3), widths=(1,), strides=(1,), filters=(4,))
    heights = [i for i, d in enumerate(space.decisions) if d.name.startswith("height")]
    graphs = {}
    for arch in space:
        graphs[arch] = graph = networkx.DiGraph()
        for layer, read in enumerate(space.inputs(arch)):
            graph.add_node(layer, kind=arch[heights[layer]])
            graph.add_edges_from((source, layer) for source in read)

    def isomorphic(one, other):
        same_kind = networkx.isomorphism.categorical_node_match("kind", None)
        return networkx.is_isomorphic(graphs[one], graphs[other], same_kind)

    def degrees(form):
        graph = graphs[form]
        return sorted((k, graph.in_degree(n), graph.out_degree(n)) for n, k in graph.nodes("kind"))

    assert all(isomorphic(arch, space.canonical(arch)) for arch in space)
    forms = sorted({space.canonical(arch) for arch in space}, key=degrees)
    for _, alike in itertools.groupby(forms, degrees):
        assert not any(isomorphic(*pair) for pair in itertools.combinations(alike, 2))


# ---- DARTS ---------------------------------------------------------------------------------------


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
@settings(max_examples=25)
def test_every_renumbering_of_a_darts_cell_has_one_canonical_form(seed):
    arch = DARTS.sample(np.random.default_rng(seed))
    orders = list(itertools.permutations(range(4)))
    halves = arch[:14], arch[14:]
    normal, reduce = ({renumber(half, order) for order in orders} - {None} for half in halves)
    both = itertools.chain((t + arch[14:] for t in normal), (arch[:14] + t for t in reduce))
    assert {DARTS.canonical(tokens) for tokens in both} == {min(normal) + min(reduce)}


def test_darts_size_is_the_papers():
    """Liu et al. 2019, section 2.1: inputs and operations of four nodes, two cells."""
    inputs = (itertools.combinations(range(node), 2) for node in range(2, 6))
    topologies = len(list(itertools.product(*inputs)))
    assert len(DARTS) == (topologies * 7**8) ** 2


def test_darts_samples_every_input_and_operation_equally_often():
    rng = np.random.default_rng(0)
    archs = np.array([DARTS.sample(rng) for _ in range(3000)])
    edges_of_last_node = [i for i, (_, node) in enumerate(EDGES_DARTS) if node == 5]
    used = (archs[:, edges_of_last_node] > 0).sum(axis=0)
    assert stats.chisquare(used).pvalue > 1e-4
    assert stats.chisquare(np.bincount(archs.ravel())[1:]).pvalue > 1e-4


def test_a_third_input_is_refused_with_the_reason():
    arch = [
        4 if node == 3 else token
        for token, (_, node) in zip(DARTS_V2, 2 * EDGES_DARTS, strict=True)
    ]
    with pytest.raises(ValueError, match="excluded by the tokens before it"):
        DARTS.check(arch)


@pytest.mark.parametrize("pair", ["sep_conv_3x3~1", "none~0"])
def test_a_genotype_with_an_input_twice_or_none_is_told_what_it_needs(pair):
    text = DARTS.to_string(DARTS_V2).replace("sep_conv_3x3~0", pair, 1)
    with pytest.raises(ValueError, match="reads exactly two earlier states, two different ones"):
        DARTS.from_string(text)


def test_published_darts_genotype_has_its_published_size():
    """Liu et al. 2019, table 1: 3.3 million; the authors' code prints 3.349342."""
    cost = DARTS.cost(DARTS_V2, Skeleton(channels=36, cells=20))
    assert cost.params == 3_349_342
