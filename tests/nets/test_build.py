"""Built networks against torch's own counters, and against what the space wrote down."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from nas_lab.nets import build
from nas_lab.spaces import Skeleton, conv_chain, darts, mlp, mobile, nasbench201, rnn, transformer

CHAINS = [conv_chain(4, True, filters=(4, 8)), conv_chain(3, False, filters=(4, 8))]
SPACES = [nasbench201(), darts(), *CHAINS, mlp(), rnn(), mobile(), transformer()]
SKELETON = Skeleton(channels=4, cells=2, stages=2, resolution=12, in_channels=1, stem_stride=2)
every_space = pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)


def counted_macs(net, image):
    """Counted on the meta device, which has no fused LSTM to hide its products."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        net.to("meta")(image.to("meta"))
    return counter.get_total_flops() // 2


@every_space
@pytest.mark.parametrize("seed", range(8))
def test_cost_is_what_torch_counts_on_the_built_network(space, seed):
    arch = space.sample(np.random.default_rng(seed))
    net = build(space, arch, SKELETON).eval()
    params, macs = space.cost(arch, SKELETON)
    assert sum(p.numel() for p in net.parameters()) == params
    assert counted_macs(net, torch.zeros(1, *SKELETON.image)) == macs


def test_cost_of_a_cell_is_the_sum_of_its_operations():
    """Of every seventh cell; that each operation is counted right, the test above shows."""
    space, small = nasbench201(), Skeleton(2, 2, 2, 2, 8, 1)
    for arch in list(space)[::7]:
        assert space.cost(arch, small) == space.network(arch, small).cost


@every_space
def test_networks_learn(space):
    """A few steps on one batch lower its loss."""
    net = build(space, space.sample(np.random.default_rng(10)), SKELETON)
    images = torch.randn(32, *SKELETON.image, generator=torch.Generator().manual_seed(0))
    optimizer, losses = torch.optim.Adam(net.parameters(), lr=0.01), []
    for _ in range(30):
        loss = functional.cross_entropy(net(images), torch.arange(32) % 10)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.02


@every_space
def test_parameters_depend_on_the_seed_alone(space):
    arch, state = space.sample(np.random.default_rng(0)), torch.get_rng_state()
    one, same, other = (build(space, arch, SKELETON, seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state), "the global generator was used"
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    assert all(torch.isfinite(value).all() for value in one.values() if value.is_floating_point())


def test_a_recurrent_net_reads_row_by_row():
    space, skeleton = rnn(), Skeleton(resolution=6, in_channels=1)
    arch = space.encode({"cell": "gru", "hidden": 16, "layers": 1})
    net = build(space, arch, skeleton).eval()
    layer, step = net.recurrent.layers, nn.GRUCell(6, 16)
    step.load_state_dict({name[:-3]: value for name, value in layer.state_dict().items()})
    image = torch.randn(3, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        state = torch.zeros(3, 16)
        for row in range(6):
            state = step(image[:, 0, row], state)
        torch.testing.assert_close(net(image), net.classifier.linear(state))


@pytest.mark.parametrize("resolution", [1, 5, 7, 9, 12, 28])
@every_space
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


@every_space
def test_networks_pickle(space):
    net = build(space, space.sample(np.random.default_rng(0)), SKELETON).eval()
    image = torch.ones(2, *SKELETON.image)
    torch.testing.assert_close(pickle.loads(pickle.dumps(net))(image), net(image))


@pytest.mark.parametrize(("width", "heads"), [(8, 1), (16, 2), (32, 4)])
def test_a_block_is_torchs_encoder_layer(width, heads):
    """Where heads and width happen to fit. Ours keeps the three matrices of a head together."""
    space = transformer((1,), (width,), (heads,), (2,))
    net = build(space, (0,) * 4, SKELETON).double()
    block, state = net.block_1, torch.get_rng_state()
    layer = nn.TransformerEncoderLayer(
        width, heads, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True
    ).double()
    torch.set_rng_state(state)
    qkv, ours = block.attention.linear, {}
    for kind, values in (("weight", qkv.weight), ("bias", qkv.bias)):
        by_head = values.unflatten(0, (heads, 3, 8)).transpose(0, 1)
        ours[f"self_attn.in_proj_{kind}"] = by_head.flatten(0, 2)
    for name, module in {
        "self_attn.out_proj": block.attention.linear_2,
        "linear1": block.mlp.linear,
        "linear2": block.mlp.linear_2,
        "norm1": block.attention.layer_norm,
        "norm2": block.mlp.layer_norm,
    }.items():
        ours |= {f"{name}.{k}": value for k, value in module.state_dict().items()}
    layer.load_state_dict(ours)
    image = torch.randn(5, 1, 12, 12, generator=torch.Generator().manual_seed(0)).double()
    squares = functional.unfold(image, 3, stride=3).transpose(1, 2)
    patches = net.patches
    tokens = squares @ patches.conv.weight.flatten(1).T + patches.conv.bias + patches.position
    expected = net.classifier.linear(net.layer_norm(layer(tokens)).mean(dim=1))
    torch.testing.assert_close(net(image), expected)
