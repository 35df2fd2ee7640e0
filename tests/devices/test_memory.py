"""Peak memory, against a run of the network that keeps only what is still needed."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_lab.devices import DEVICES, kernels, peak_memory
from nas_lab.devices.estimates import needed_memory
from nas_lab.spaces import Network
from tests.spaces.families import FAMILIES, SKELETON

every_family = pytest.mark.parametrize("space", FAMILIES.values(), ids=FAMILIES.keys())


def needed(net, compiled=False, element=1):
    return needed_memory(net, kernels(net, compiled), element)


def test_a_shortcut_keeps_its_input_alive():
    net = Network((2, 4, 4))
    x = net.conv(net.image, 4, 1)  # 32 + 64 alive
    y = net.conv(x, 1, 1)  # 64 + 16
    z = net.conv(y, 4, 1)  # 64 + 16 + 64
    net.add(x, z)  # 64 + 64 + 64
    assert needed(net).activations == 64 * 3
    assert needed(net, element=4).activations == 64 * 3 * 4
    assert needed(net).weights == 8 + 4 + 4


def test_folded_operations_need_no_memory_of_their_own():
    net = Network((1, 4, 4))
    net.relu(net.norm(net.conv(net.image, 3, 1)))  # alone: 16 + 48, then 48 + 48
    assert needed(net).activations == 96
    assert needed(net, compiled=True).activations == 64
    assert needed(net, compiled=True).weights == 3 + 3


def test_another_view_is_no_copy():
    net = Network((1, 4, 4))
    net.linear(net.flatten(net.image), 2)
    assert needed(net).activations == 16 + 2


def test_weights_of_recurrent_layers_count_once():
    net = Network((1, 5, 4))
    net.recurrent(net.image, "gru", 3, 2)
    assert needed(net).weights == net.cost.params


def by_reference_counts(net):
    """Run the list with one tensor for each value, dropped when its last reader has run."""
    readers = [sum(op.inputs.count(i) for op in net.ops) for i in range(len(net.ops))]
    sizes = {i: math.prod(op.shape) for i, op in enumerate(net.ops)}
    alive, worst = {net.image}, 0
    for i, op in enumerate(net.ops):
        alive.add(i)
        worst = max(worst, sum(sizes[j] for j in alive))
        for j in op.inputs:
            readers[j] -= 1
        alive = {j for j in alive if readers[j] > 0}
    return worst


@every_family
@given(seed=st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_peak_is_that_of_a_run_with_reference_counts(space, seed):
    net = space.network(space.sample(np.random.default_rng(seed)), SKELETON)
    if any(op.kind == "flatten" for op in net.ops):
        return  # a view is no value of its own: see above
    assert needed(net).activations == by_reference_counts(net)
    assert needed(net).weights == net.cost.params
    assert needed(net, compiled=True).activations <= needed(net).activations


def test_bytes_follow_the_device():
    space = FAMILIES["mlp"]
    arch = space.sample(np.random.default_rng(0))
    floats = peak_memory(space, arch, SKELETON, "raspberry_pi_4")
    int8 = peak_memory(space, arch, SKELETON, "edge_tpu")
    assert (floats.weights, floats.activations) == (4 * int8.weights, 4 * int8.activations)
    assert floats.total == floats.weights + floats.activations
    assert DEVICES["edge_tpu"].element == 1
