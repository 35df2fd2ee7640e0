"""NAS-Bench-201 against what its authors publish, and against functions computed by brute force."""

import itertools
from collections import defaultdict

import numpy as np
import pytest

from nas_lab.spaces import Skeleton, nasbench201
from nas_lab.spaces.cells import EDGES_201, OPERATIONS_201

SPACE = nasbench201()


def test_published_sizes():
    """Dong & Yang 2020: 15,625 cells, 6,466 of them unique."""
    assert len(SPACE) == 15_625
    assert len({SPACE.canonical(arch) for arch in SPACE}) == 6_466


@pytest.mark.parametrize(
    ("text", "params", "mega_flops"),
    [
        # Parameters and FLOPs in millions as the authors' API gives them for CIFAR-10.
        (
            "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|"
            "+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
            0.129306,
            15.64737,
        ),
        (
            "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|"
            "+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|",
            1.073466,
            153.27297,
        ),
        (
            "|skip_connect~0|+|skip_connect~0|skip_connect~1|"
            "+|skip_connect~0|skip_connect~1|skip_connect~2|",
            0.073306,
            7.78305,
        ),
    ],
)
def test_published_costs(text, params, mega_flops):
    """The authors also count the ten biases of the classifier, which are no multiply-adds."""
    cost = SPACE.cost(SPACE.from_string(text), Skeleton())
    assert cost.params == round(params * 1e6)
    assert cost.macs + 10 == round(mega_flops * 1e6)


def test_text_form_is_the_papers():
    arch = SPACE.from_string(
        "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"
    )
    assert [OPERATIONS_201[token] for token in arch] == [
        "nor_conv_3x3",
        "none",
        "skip_connect",
        "none",
        "none",
        "avg_pool_3x3",
    ]
    for wrong in (
        "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~1|",
        "|nor_conv_3x3~0|+|none~0|skip_connect~1|",
        "nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|",
    ):
        with pytest.raises(ValueError, match="not of the form"):
            SPACE.from_string(wrong)
    with pytest.raises(ValueError, match="has no option 'conv_9x9'"):
        SPACE.from_string("|conv_9x9~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|")


def values_of_all_cells(seed):
    """Each cell as a function of a vector, with one fixed map for each operation.

    Convolution blocks are odd and not linear, pooling is linear, and all keep zero.
    """
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(3, 5, 5)) / 4
    maps = [np.zeros_like, lambda x: x, lambda x: np.tanh(a @ x), lambda x: np.tanh(b @ x)]
    maps.append(lambda x: c @ x)
    start = rng.normal(size=5)
    for arch in itertools.product(range(5), repeat=6):
        nodes = [start, 0, 0, 0]
        for token, (source, node) in zip(arch, EDGES_201, strict=True):
            nodes[node] = nodes[node] + maps[token](nodes[source])
        yield arch, tuple(np.round(nodes[3], 10) + 0.0)


@pytest.mark.parametrize("seed", range(2))
def test_cells_with_one_canonical_form_compute_the_same(seed):
    """The published classes never join two functions; only 4,660 functions are behind them."""
    functions = defaultdict(set)
    for arch, value in values_of_all_cells(seed):
        functions[SPACE.canonical(arch)].add(value)
    assert all(len(values) == 1 for values in functions.values())
    assert len(set().union(*functions.values())) == 4_660


def test_dead_edges_leave_the_canonical_form():
    dead = SPACE.from_string(
        "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
    )
    alive = SPACE.from_string("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_3x3~2|")
    assert SPACE.canonical(dead)[0] == SPACE.canonical(alive)[0] == 0
    assert (
        SPACE.cost(SPACE.canonical(dead), Skeleton()).params < SPACE.cost(dead, Skeleton()).params
    )
