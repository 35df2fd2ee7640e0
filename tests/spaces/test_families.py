"""What holds for every space, whatever its architectures mean."""

import pickle
import subprocess
import sys

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nas_lab import spaces
from tests.spaces.families import FAMILIES, SKELETON, SMALL

every_family = pytest.mark.parametrize("space", FAMILIES.values(), ids=FAMILIES.keys())
every_small = pytest.mark.parametrize("space", SMALL.values(), ids=SMALL.keys())


@every_family
@given(seed=st.integers(0, 2**32))
@settings(max_examples=25)
def test_forms_of_an_architecture_lead_back_to_it(space, seed):
    arch, again = (space.sample(np.random.default_rng(seed)) for _ in range(2))
    assert arch == again
    assert arch in space
    assert all(type(token) is int for token in arch)
    assert space.check(np.array(arch)) == space.check(list(arch)) == arch
    assert space.encode(space.decode(arch)) == arch
    assert space.from_string(space.to_string(arch)) == arch
    w = space.one_hot(arch)
    assert w.shape == (len(space.decisions), max(len(d.options) for d in space.decisions))
    assert tuple(w.argmax(axis=1).tolist()) == arch
    assert (w.sum(axis=1) == 1).all()
    assert not w[~space.mask].any()
    assert space.mask.sum() == sum(len(d.options) for d in space.decisions)
    representative = space.canonical(arch)
    assert space.canonical(representative) == representative
    assert representative in space
    assert representative <= arch
    graph = space.graph(arch)
    assert networkx.is_directed_acyclic_graph(graph)
    assert graph.name == space.to_string(arch)
    assert all("label" in attributes for _, attributes in graph.nodes(data=True))


@every_family
@given(seed=st.integers(0, 2**32))
@settings(max_examples=15)
def test_neighbors_are_mutual_and_mutation_draws_one_of_them(space, seed):
    arch = space.sample(np.random.default_rng(seed))
    neighbors = space.neighbors(arch)
    assert len(set(neighbors)) == len(neighbors)
    child, same = (space.mutate(arch, np.random.default_rng(seed)) for _ in range(2))
    assert child == same
    assert child in neighbors
    assert arch in space.neighbors(child)
    assert all(neighbor in space and neighbor != arch for neighbor in neighbors)


@every_small
def test_enumeration_agrees_with_the_size(space):
    archs = list(space)
    assert len(archs) == len(space) == space.size
    assert archs == sorted(set(archs))
    assert all(arch in space for arch in archs[:: max(1, len(archs) // 200)])


@pytest.mark.parametrize("name", ["conv_chain", "mlp", "rnn", "mobile", "transformer"])
def test_samples_are_uniform(name):
    space, rng = SMALL[name], np.random.default_rng(1)
    index = {arch: i for i, arch in enumerate(space)}
    draws = [index[space.sample(rng)] for _ in range(20 * len(index))]
    assert stats.chisquare(np.bincount(draws, minlength=len(index))).pvalue > 1e-4


def test_fingerprint_tells_spaces_apart_and_survives_the_process():
    """Spaces are compared by value, also after a pickle."""
    prints = {name: space.fingerprint for name, space in FAMILIES.items()}
    assert len(set(prints.values())) == len(prints)
    for space in FAMILIES.values():
        copy = pickle.loads(pickle.dumps(space))
        assert (copy, copy.fingerprint) == (space, space.fingerprint)
    assert spaces.mlp(hidden=(16, 32)).fingerprint != spaces.mlp(hidden=(32, 16)).fingerprint
    assert spaces.conv_chain(2, True).fingerprint != spaces.conv_chain(2, False).fingerprint
    code = "from nas_lab import spaces; print(spaces.darts().fingerprint)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == prints["darts"]


def test_a_space_too_large_for_len_says_what_to_use():
    space = spaces.conv_chain(12, True)
    assert space.size == 192**12 * 2 ** (12 * 11 // 2)
    with pytest.raises(OverflowError, match=r"space\.size"):
        len(space)


@every_family
def test_bad_architectures_are_explained(space):
    arch = space.sample(np.random.default_rng(0))
    with pytest.raises(ValueError, match=f"has {len(arch)} tokens, this one has {len(arch) - 1}"):
        space.check(arch[:-1])
    for token in (99, -1):
        with pytest.raises(ValueError, match="choose from 0 to"):
            space.check((token, *arch[1:]))
    for wrong in (None, 3, "abc", (0.5, *arch[1:]), (True, *arch[1:])):
        with pytest.raises(TypeError, match="tuple of whole numbers"):
            space.check(wrong)
        assert wrong not in space
    methods = (space.decode, space.to_string, space.one_hot, space.canonical, space.graph)
    for method in (*methods, lambda arch: space.cost(arch, SKELETON)):
        with pytest.raises(ValueError, match="tokens"):
            method(arch[:-1])
    for method in (space.sample, lambda rng: space.mutate(arch, rng)):
        with pytest.raises(TypeError, match="default_rng"):
            method(0)


@every_family
def test_bad_texts_and_mappings_are_explained(space):
    arch = space.sample(np.random.default_rng(0))
    text, mapping = space.to_string(arch), space.decode(arch)
    for wrong in ("", "nonsense", text[:-1] + "?", text + text):
        with pytest.raises(ValueError, match=r"form|choose from|asks for"):
            space.from_string(wrong)
    with pytest.raises(TypeError, match="string"):
        space.from_string(7)
    name, *others = mapping
    for bad, message in (
        ({other: mapping[other] for other in others}, "missing"),
        ({**mapping, "flavour": 1}, "unknown"),
        ({**mapping, name: "no_such_operation"}, f"{name} has no option"),
    ):
        with pytest.raises(ValueError, match=message):
            space.encode(bad)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: spaces.conv_chain(0, True), "layers"),
        (lambda: spaces.conv_chain(2, True, heights=(2,)), "odd"),
        (lambda: spaces.conv_chain(2, True, filters=()), "filters is empty"),
        (lambda: spaces.conv_chain(2, True, strides=(0,)), "strides"),
        (lambda: spaces.plain_chain(()), "layers is empty"),
        (lambda: spaces.plain_chain(filters=(0, 8)), "filters must be at least 1"),
        (lambda: spaces.mlp(hidden=(0,)), "hidden"),
        (lambda: spaces.mobile(0), "stages"),
        (lambda: spaces.transformer(heads=()), "heads is empty"),
        (lambda: spaces.transformer(widths=(0, 8)), "width must be at least 1"),
        (lambda: spaces.transformer_blocks(heads=()), "heads is empty"),
        (lambda: spaces.transformer_blocks(hidden=(-1, 8)), "hidden must be at least 0"),
        (lambda: spaces.transformer_blocks(width=0), "width must be at least 1"),
        (lambda: spaces.Skeleton(channels=0), "channels must be at least 1"),
        (lambda: spaces.Skeleton(channels=1.5), "channels must be a whole number"),
    ],
)
def test_bad_arguments_are_explained(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()
