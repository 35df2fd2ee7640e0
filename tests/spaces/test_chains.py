"""Chains, dense, recurrent and mobile networks against cases worked by hand."""

import numpy as np
import pytest

from nas_lab.spaces import Skeleton, conv_chain, mlp, mobile, plain_chain, rnn

SKELETON = Skeleton(channels=8, resolution=16, in_channels=1)


def chain(**choices):
    space = conv_chain(3, True)
    defaults = {d.name: d.options[0] for d in space.decisions}
    return space, space.encode({**defaults, **choices})


def test_a_layer_without_anchors_reads_the_image_and_unread_layers_go_to_the_output():
    space, arch = chain(anchor_1_3=1)
    assert space.inputs(arch) == [frozenset(), frozenset(), frozenset({0})]
    assert space.unread(arch) == [1, 2]
    net = space.network(arch, SKELETON)
    assert [op.shape for op in net.ops if op.kind == "concat"] == [(48, 16, 16)]


def test_inputs_of_unequal_size_are_padded_to_the_largest():
    space, arch = chain(stride_1=3, stride_2=2, anchor_1_3=1, anchor_2_3=1)
    net = space.network(arch, SKELETON)
    assert [op.shape for op in net.ops if op.kind == "pad"] == [(24, 8, 8)]
    assert [op.shape for op in net.ops if op.kind == "concat"] == [(48, 8, 8)]


@pytest.mark.parametrize("seed", range(10))
def test_plain_chains_are_chains_without_skips_of_any_length(seed):
    space = plain_chain((1, 2, 4))
    arch = space.sample(np.random.default_rng(seed))
    layers = space.decode(arch)["layers"]
    fixed, tokens = conv_chain(layers, skips=False), arch[1 : 1 + 4 * layers]
    assert space.network(arch, SKELETON).ops == fixed.network(tokens, SKELETON).ops
    ours, theirs = space.graph(arch), fixed.graph(tokens)
    assert ours.edges == theirs.edges
    assert dict(ours.nodes(data=True)) == dict(theirs.nodes(data=True))


def gates(count):
    """Parameters and multiply-adds of two recurrent layers of 32 units over 16 rows."""
    weights = count * 32 * (16 + 32) + count * 32 * (32 + 32)
    return weights + 2 * 2 * count * 32 + 32 * 10 + 10, 16 * weights + 32 * 10


PLAIN = plain_chain((2,), heights=(3,), widths=(1,), strides=(2,), filters=(5,))
DENSE = {"layers": 2, "hidden_1": 64, "hidden_2": 32, "hidden_3": 256, "hidden_4": 256}
DENSE_MACS = 256 * 64 + 64 * 32 + 32 * 10


@pytest.mark.parametrize(
    ("space", "arch", "params", "macs"),
    [
        (
            PLAIN,
            (0,) * 9,
            (3 * 5 + 10) + (3 * 5 * 5 + 10) + (5 * 10 + 10),
            3 * 5 * 8 * 8 + 3 * 5 * 5 * 4 * 4 + 5 * 10,
        ),
        (mlp(), mlp().encode(DENSE), DENSE_MACS + 64 + 32 + 10, DENSE_MACS),
        *((rnn(), (cell, 1, 1), *gates(count)) for cell, count in enumerate((1, 3, 4))),
    ],
)
def test_costs_by_hand(space, arch, params, macs):
    assert space.cost(arch, SKELETON) == (params, macs)


def test_layers_that_do_not_exist_do_not_tell_networks_apart():
    dense = mlp(layers=(1, 2), hidden=(4, 8, 16))
    assert len({dense.canonical(arch) for arch in dense}) == 3 + 9
    plain = plain_chain((1, 2), heights=(3,), widths=(1, 3), strides=(1,), filters=(4, 8))
    assert len({plain.canonical(arch) for arch in plain}) == 4 + 4**2


def test_mobile_stages_differ_in_what_they_choose():
    space = mobile(2)
    choice = {"depth_1": 1, "kernel_1": 3, "width_1": 1.0, "expansion_1": 4}
    choice |= {"depth_2": 2, "kernel_2": 5, "width_2": 1.5, "expansion_2": 2}
    arch = space.encode({"block_1": "resnet", "block_2": "mobilenet", **choice})
    convs = {op.name: op for op in space.network(arch, SKELETON).ops if op.kind == "conv"}
    narrow, wide = convs["stage_1.block_1.conv_2"], convs["stage_2.block_1.conv_2"]
    assert (narrow.shape, narrow.settings["groups"]) == ((2, 16, 16), 1)
    assert (wide.shape, wide.settings["groups"]) == ((16, 8, 8), 16)
    assert convs["stage_2.block_2.conv_3"].shape == (24, 8, 8)
