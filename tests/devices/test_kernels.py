"""What is run for a network: operations one by one, or as a compiler joins them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_lab.devices import kernels
from nas_lab.devices.kernels import reachable
from nas_lab.spaces import Network
from tests.spaces.families import FAMILIES, SKELETON

every_family = pytest.mark.parametrize("space", FAMILIES.values(), ids=FAMILIES.keys())
SEEDS = st.integers(0, 2**32)


def names(run):
    return [(kernel.op.name, kernel.fused) for kernel in run]


def residual():
    """A convolution with ReLU, whose result is read twice; then a sum with ReLU."""
    net = Network((2, 4, 4))
    x = net.relu(net.norm(net.conv(net.image, 2, 3)))
    y = net.norm(net.conv(x, 2, 1))
    net.max_pool(x, 3)  # leads nowhere
    net.relu(net.add(x, y))
    return net


def test_a_compiler_folds_what_only_one_operation_reads_and_drops_the_rest():
    assert names(kernels(residual(), compiled=True)) == [
        ("conv", ("norm", "relu")),
        ("conv_2", ("norm_2",)),
        ("add", ("relu_2",)),
    ]


def test_without_a_compiler_every_operation_runs():
    run = kernels(residual(), compiled=False)
    assert [name for name, _ in names(run)] == [
        *("conv", "norm", "relu", "conv_2", "norm_2", "max_pool", "add", "relu_2")
    ]
    assert all(kernel.fused == () for kernel in run)


def test_a_relu_stays_alone_where_its_input_is_read_twice():
    net = Network((2, 4, 4))
    x = net.norm(net.conv(net.image, 2, 3))
    net.add(net.relu(x), x)
    assert names(kernels(net, compiled=True)) == [("conv", ("norm",)), ("relu", ()), ("add", ())]


def test_a_relu_stays_alone_behind_a_pooling():
    net = Network((2, 4, 4))
    net.relu(net.avg_pool(net.image, 3))
    assert names(kernels(net, compiled=True)) == [("avg_pool", ()), ("relu", ())]


def test_numbers_that_a_kernel_reads_and_writes():
    net = Network((2, 4, 4))
    x = net.norm(net.conv(net.image, 3, 3, stride=2))
    net.global_pool(net.add(x, x, x))
    conv, norm, add, pool = kernels(net, compiled=False)
    assert (conv.macs, conv.read, conv.written, conv.weights) == (9 * 2 * 12, 32, 12, 54)
    assert (norm.macs, norm.operations, norm.read, norm.written, norm.weights) == (0, 24, 12, 12, 6)
    # three terms are two sums, each of which reads two numbers and writes one
    assert (add.launches, add.operations, add.read, add.written) == (2, 24, 48, 24)
    assert (pool.operations, pool.read, pool.written) == (12, 12, 3)
    folded, *_ = kernels(net, compiled=True)
    assert folded.weights == 54 + 3  # a bias for each channel


def test_recurrent_layers_read_their_weights_in_each_step():
    net = Network((1, 5, 4))
    net.recurrent(net.image, "rnn", 3, 2)
    (kernel,) = kernels(net, compiled=False)
    per_step = 3 * (4 + 3) + 3 * (3 + 3)
    assert kernel.macs == 5 * per_step
    assert kernel.weights == 5 * (per_step + 2 * 2 * 3)
    assert kernel.launches == 5 * 2


@every_family
@given(seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_kernels_hold_all_the_work_that_reaches_the_output(space, seed):
    arch = space.sample(np.random.default_rng(seed))
    network = space.network(arch, SKELETON)
    alone, joined = kernels(network, compiled=False), kernels(network, compiled=True)
    assert sum(kernel.macs for kernel in alone) == network.cost.macs
    reached = [network.ops[i] for i in reachable(network.ops)]
    assert sum(kernel.macs for kernel in joined) == sum(op.macs for op in reached)
    run = [name for kernel in joined for name in (kernel.op.name, *kernel.fused)]
    assert sorted(run) == sorted(o.name for o in reached if o.kind not in ("image", "flatten"))
    assert len(joined) <= len(alone)


@every_family
@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_what_reaches_the_output_is_what_networkx_finds(space, seed):
    networkx = pytest.importorskip("networkx")
    network = space.network(space.sample(np.random.default_rng(seed)), SKELETON)
    graph = networkx.DiGraph([(j, i) for i, op in enumerate(network.ops) for j in op.inputs])
    last = len(network.ops) - 1
    assert reachable(network.ops) == sorted(networkx.ancestors(graph, last) | {last})
