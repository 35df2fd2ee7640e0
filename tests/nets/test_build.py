"""Built networks against torch's own counters and a direct reading of the paper."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from nas_lab.nets import build
from nas_lab.spaces import (
    Skeleton,
    conv_chain,
    darts,
    mlp,
    mobile,
    nasbench201,
    rnn,
)

SPACES = [
    nasbench201(),
    darts(),
    conv_chain(4, True, filters=(4, 8)),
    conv_chain(3, False, filters=(4, 8)),
    mlp(),
    rnn(),
    mobile(),
]
SKELETON = Skeleton(channels=4, cells=2, stages=2, resolution=12, in_channels=1, stem_stride=2)


def counted_macs(net, image):
    """Counted on the meta device, which has no fused LSTM to hide its products."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        net.to("meta")(image.to("meta"))
    return counter.get_total_flops() // 2


def params(net):
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
@pytest.mark.parametrize("seed", range(8))
def test_cost_is_what_torch_counts_on_the_built_network(space, seed):
    arch = space.sample(np.random.default_rng(seed))
    net = build(space, arch, SKELETON).eval()
    cost = space.cost(arch, SKELETON)
    assert params(net) == cost.params
    assert counted_macs(net, torch.zeros(1, *SKELETON.image)) == cost.macs


def test_cost_of_every_cell_is_the_sum_of_its_operations():
    """All 15,625; that each operation is counted right, the tests above and below show."""
    space, small = nasbench201(), Skeleton(2, 2, 2, 2, 8, 1)
    for arch in space:
        assert space.cost(arch, small) == space.network(arch, small).cost


@pytest.mark.parametrize("first", range(5))
def test_cost_of_cells_is_what_runs(first):
    """What convolutions and dense layers do, counted as they run, on a fifth of 150 cells."""
    space, rng = nasbench201(), np.random.default_rng(first)
    image = torch.zeros(1, *SKELETON.image)
    for _ in range(30):
        arch = (first, *space.sample(rng)[1:])
        net = build(space, arch, SKELETON).eval()
        layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        macs: list[int] = []

        def count(module, _, output, macs=macs):
            macs.append(module.weight.numel() * output[0, 0].numel())

        for layer in layers:
            layer.register_forward_hook(count)
        with torch.no_grad():
            net(image)
        cost = space.cost(arch, SKELETON)
        assert (params(net), sum(macs)) == (cost.params, cost.macs)


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
@pytest.mark.parametrize("seed", range(2))
def test_networks_learn(space, seed):
    """A few steps on one batch lower its loss, and every parameter that can move does."""
    arch = space.sample(np.random.default_rng(seed + 10))
    net = build(space, arch, SKELETON, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(32, *SKELETON.image, generator=generator)
    labels = torch.arange(32) % 10
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    losses = []
    for _ in range(30):
        loss = functional.cross_entropy(net(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.02


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_parameters_depend_on_the_seed_alone(space):
    arch = space.sample(np.random.default_rng(0))
    torch.manual_seed(1)
    state = torch.get_rng_state()
    one = build(space, arch, SKELETON, seed=3)
    assert torch.equal(torch.get_rng_state(), state), "the global generator was used"
    torch.manual_seed(2)
    same, other = build(space, arch, SKELETON, seed=3), build(space, arch, SKELETON, seed=4)
    equal = [torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True)]
    assert all(equal)
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs)
    assert all(torch.isfinite(p).all() for p in one.parameters())
    assert all(torch.isfinite(b).all() for b in one.buffers() if b.is_floating_point())


def test_a_cell_computes_what_the_paper_says():
    """One cell, against a direct transcription that uses the same parameters."""
    space, skeleton = nasbench201(), Skeleton(3, 1, 1, 1, 6, 1)
    text = "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|nor_conv_3x3~1|none~2|"
    net = build(space, space.from_string(text), skeleton, seed=5).eval()
    image = torch.randn(2, *skeleton.image, generator=torch.Generator().manual_seed(0))
    cell = net.stage_1.cell_1

    def conv(edge, x):
        return edge.norm(functional.conv2d(functional.relu(x), edge.conv.weight, padding="same"))

    with torch.no_grad():
        x0 = net.stem.norm(net.stem.conv(image))
        x1 = conv(cell.edge_01, x0)
        x2 = functional.avg_pool2d(x0, 3, 1, 1, count_include_pad=False) + conv(cell.edge_12, x1)
        x3 = x0 + conv(cell.edge_13, x1)
        pooled = functional.relu(net.head.norm(x3)).mean(dim=(2, 3))
        expected = net.classifier.linear(pooled)
        torch.testing.assert_close(net(image), expected)
    assert x2.shape == x0.shape


def test_a_recurrent_net_reads_row_by_row():
    space, skeleton = rnn(), Skeleton(resolution=6, in_channels=1)
    arch = space.encode({"cell": "gru", "hidden": 16, "layers": 1})
    net = build(space, arch, skeleton).eval()
    layer = net.recurrent.layers
    step = nn.GRUCell(6, 16)
    step.load_state_dict({name[:-3]: value for name, value in layer.state_dict().items()})
    image = torch.randn(3, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        state = torch.zeros(3, 16)
        for row in range(6):
            state = step(image[:, 0, row], state)
        torch.testing.assert_close(net(image), net.classifier.linear(state))


@pytest.mark.parametrize("resolution", [1, 5, 7, 9, 12, 28])
@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_odd_and_tiny_sizes_give_the_shapes_that_were_written_down(space, resolution):
    skeleton = Skeleton(channels=2, cells=3, stages=3, resolution=resolution, in_channels=1)
    arch = space.sample(np.random.default_rng(resolution))
    net = build(space, arch, skeleton).eval()
    operations, shapes = space.network(arch, skeleton).ops[1:], {}
    for op in operations:
        net.get_submodule(op.name).register_forward_hook(
            lambda module, _, y, name=op.name: shapes.update({name: tuple(y.shape[1:])})
        )
    with torch.no_grad():
        assert net(torch.zeros(2, *skeleton.image)).shape == (2, 10)
    assert shapes == {op.name: op.shape for op in operations}


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_networks_pickle(space):
    arch = space.sample(np.random.default_rng(0))
    net = build(space, arch, SKELETON).eval()
    image = torch.ones(2, *SKELETON.image)
    torch.testing.assert_close(pickle.loads(pickle.dumps(net))(image), net(image))


def test_bad_input_is_explained_before_anything_is_built():
    space = nasbench201()
    with pytest.raises(ValueError, match="has 6 tokens"):
        build(space, (0, 1), SKELETON)
    with pytest.raises(ValueError, match="seed must be at least 0"):
        build(space, (0,) * 6, SKELETON, seed=-1)
