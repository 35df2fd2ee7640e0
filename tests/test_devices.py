"""Devices: kernels, their roofline by hand, and latencies of architectures in every space."""

import re
from dataclasses import replace

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_lab import devices
from nas_lab.devices import DEVICES, Device, kernels, reachable, roofline
from nas_lab.spaces import Network, Skeleton, nasbench201
from tests.spaces.families import FAMILIES, SKELETON

every_family = pytest.mark.parametrize("space", FAMILIES.values(), ids=FAMILIES.keys())
every_device = pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES.keys())
SEEDS = st.integers(0, 2**32)

TOY = Device(
    name="toy",
    title="Toy",
    kind="toy",
    peak=1000.0,  # multiply-adds a second
    efficiency=0.5,
    vector=100.0,
    bandwidth=10.0,  # bytes a second
    on_chip=1000,
    on_chip_bandwidth=40.0,
    overhead=2.0,
    element=2,
    power=3.0,
    idle=1.0,
    memory=500,
    compiled=False,
)
COMPILED = replace(TOY, compiled=True)


# ---- what is run -------------------------------------------------------------------------------


def names(net, compiled):
    return [op.name for op, _ in kernels(net, compiled)]


def test_a_compiler_folds_what_only_one_operation_reads_and_drops_the_rest():
    net = Network((2, 4, 4))
    x = net.relu(net.norm(net.conv(net.image, 2, 3)))
    y = net.norm(net.conv(x, 2, 1))
    net.pool("max_pool", x, 3)  # leads nowhere
    net.relu(net.add(x, y))
    alone = ["conv", "norm", "relu", "conv_2", "norm_2", "max_pool", "add", "relu_2"]
    assert names(net, compiled=False) == alone
    assert names(net, compiled=True) == ["conv", "conv_2", "add"]


def test_a_relu_stays_alone_where_its_input_is_read_twice_and_behind_a_pooling():
    net = Network((2, 4, 4))
    x = net.norm(net.conv(net.image, 2, 3))
    net.add(net.relu(x), x)
    assert names(net, compiled=True) == ["conv", "relu", "add"]
    net = Network((2, 4, 4))
    net.relu(net.pool("avg_pool", net.image, 3))
    assert names(net, compiled=True) == ["avg_pool", "relu"]


def test_numbers_that_a_kernel_reads_and_writes():
    net = Network((2, 4, 4))
    x = net.norm(net.conv(net.image, 3, 3, stride=2))
    net.global_pool(net.add(x, x, x))
    conv, norm, add, pool = (kernel for _, kernel in kernels(net, compiled=False))
    assert (conv.macs, conv.read, conv.written, conv.weights) == (9 * 2 * 12, 32, 12, 54)
    assert (norm.macs, norm.operations, norm.read, norm.written, norm.weights) == (0, 24, 12, 12, 6)
    # three terms are two sums, each of which reads two numbers and writes one
    assert (add.launches, add.operations, add.read, add.written) == (2, 24, 48, 24)
    assert (pool.operations, pool.read, pool.written) == (12, 12, 3)
    (_, folded), *_ = kernels(net, compiled=True)
    assert folded.weights == 54 + 3  # a bias for each channel


def test_recurrent_layers_read_their_weights_in_each_step():
    net = Network((1, 5, 4))
    net.recurrent(net.image, "rnn", 3, 2)
    ((_, kernel),) = kernels(net, compiled=False)
    per_step = 3 * (4 + 3) + 3 * (3 + 3)
    assert kernel.macs == 5 * per_step
    assert kernel.weights == 5 * (per_step + 2 * 2 * 3)
    assert kernel.launches == 5 * 2


@every_family
@given(seed=SEEDS)
@settings(max_examples=12, deadline=None)
def test_kernels_hold_all_the_work_that_reaches_the_output(space, seed):
    network = space.network(space.sample(np.random.default_rng(seed)), SKELETON)
    graph = networkx.DiGraph([(j, i) for i, op in enumerate(network.ops) for j in op.inputs])
    last = len(network.ops) - 1
    reached = reachable(network.ops)
    assert reached == sorted(networkx.ancestors(graph, last) | {last})
    alone, joined = kernels(network, compiled=False), kernels(network, compiled=True)
    assert sum(kernel.macs for _, kernel in alone) == network.cost.macs
    macs = sum(network.ops[i].macs for i in reached)
    assert sum(kernel.macs for _, kernel in joined) == macs
    assert len(joined) <= len(alone)


# ---- how long it takes, by hand ----------------------------------------------------------------


def conv(channels=4, given=4, groups=1, size=2, kernel=1):
    net = Network((given, size, size))
    net.conv(net.image, channels, kernel, groups=groups)
    return kernels(net, compiled=False)[0][1]


def pooled():
    net = Network((1, 4, 4))
    net.pool("avg_pool", net.image, 3)
    return kernels(net, compiled=False)[0][1]


def added():
    net = Network((1, 4, 4))
    net.add(*(net.image,) * 4)
    return kernels(net, compiled=False)[0][1]


def test_a_convolution_takes_its_overhead_and_the_longer_of_two():
    assert roofline(conv(), TOY) == pytest.approx((2.0, 64 / 500, 2 * 48 / 40))
    spent = devices.profile(nasbench201(), (0,) * 6, SKELETON, TOY).kernels[0]
    assert spent.seconds == spent.waiting + max(spent.computing, spent.moving)
    assert spent.joules == pytest.approx(
        1.0 * spent.waiting + 3.0 * (spent.seconds - spent.waiting)
    )


@pytest.mark.parametrize(
    ("kernel", "change", "computing"),
    [
        (conv(), {"lanes": (8, 3)}, 64 / 500 * 2 * 1.5),  # 4 inputs fill 8 lanes, 4 outputs 2 x 3
        (conv(), {"lanes": (2, 4)}, 64 / 500),
        (conv(groups=4, kernel=3), {"lanes": (8, 4)}, 144 / 500 * 8),  # one lane of eight is fed
        (conv(groups=4, kernel=3), {"slow": (("depthwise", 0.25),)}, 144 / 500 / 0.25),
        (conv(), {"slow": (("depthwise", 0.25),)}, 64 / 500),
        (conv(), {"width": 64}, 64 / 500 * 4),  # 16 outputs leave three quarters idle
        (conv(), {"width": 16}, 64 / 500),
        (pooled(), {}, 9 * 16 / 100),
        (pooled(), {"slow": (("avg_pool", 0.5),)}, 9 * 16 / 50),
    ],
)
def test_arithmetic(kernel, change, computing):
    assert roofline(kernel, replace(TOY, **change))[1] == pytest.approx(computing)


@pytest.mark.parametrize(
    ("kernel", "on_chip", "moving"),
    [
        (conv(), 95, 96 / 10),
        (conv(), 96, 96 / 40),
        (added(), 96, 3 * 96 / 40),  # a single launch touches 48 numbers, however many there are
    ],
)
def test_what_does_not_fit_on_the_chip_comes_from_memory(kernel, on_chip, moving):
    assert roofline(kernel, replace(TOY, on_chip=on_chip))[2] == pytest.approx(moving)


def test_each_launch_has_its_overhead_and_some_kinds_more():
    assert roofline(added(), TOY)[0] == 6.0
    assert roofline(conv(), replace(TOY, calls=(("conv", 2.5), ("norm", 3.0))))[0] == 5.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"peak": 0.0}, "peak must be positive"),
        ({"bandwidth": -1.0}, "bandwidth must be positive"),
        ({"overhead": 0.0}, "overhead must be positive"),
        ({"power": float("nan")}, "power must be positive"),
        ({"on_chip": float("inf")}, "on_chip must be positive and finite"),
        ({"efficiency": 1.5}, "efficiency must be a share"),
        ({"slow": (("avg_pool", 0.0),)}, "avg_pool must be positive"),
        ({"calls": (("norm", -1.0),)}, "norm must be positive"),
        ({"lanes": (0, 1)}, "lanes must be positive"),
        ({"idle": 4.0}, "idle must be between 0 and power"),
    ],
)
def test_bad_figures_are_explained(change, message):
    with pytest.raises(ValueError, match=message):
        replace(TOY, **change)


# ---- architectures -----------------------------------------------------------------------------


@every_family
@given(seed=SEEDS, device=st.sampled_from(list(DEVICES.values())))
@settings(max_examples=12, deadline=None)
def test_the_whole_is_the_sum_of_its_kernels_and_of_its_parts(space, seed, device):
    arch = space.sample(np.random.default_rng(seed))
    profile = devices.profile(space, arch, SKELETON, device)
    assert all(k.seconds > 0 and k.joules > 0 for k in profile.kernels)
    assert devices.latency(space, arch, SKELETON, device.name) == pytest.approx(profile.seconds)
    assert devices.energy(space, arch, SKELETON, device) == pytest.approx(profile.joules)
    watts = profile.joules / profile.seconds
    assert device.idle * 0.999999 <= watts <= device.power * 1.000001
    found = devices.parts(profile.kernels)
    assert sum(len(part.kernels) for part in found) == len(profile.kernels)
    assert sum(part.seconds for part in found) == pytest.approx(profile.seconds)
    assert [part.seconds for part in found] == sorted((p.seconds for p in found), reverse=True)
    assert len({part.name for part in found}) == len(found)
    assert all(0 < part.waiting <= part.seconds for part in found)


@every_family
@given(seed=SEEDS)
@settings(max_examples=6, deadline=None)
def test_many_are_what_each_is(space, seed):
    rng = np.random.default_rng(seed)
    archs = [space.sample(rng) for _ in range(3)]
    profiles = [devices.profile(space, a, SKELETON, "jetson_nano") for a in archs]
    seconds = devices.latencies(space, np.array(archs), SKELETON, "jetson_nano")
    assert seconds == pytest.approx([p.seconds for p in profiles])
    joules = devices.energies(space, archs, SKELETON, "jetson_nano")
    assert joules == pytest.approx([p.joules for p in profiles])
    assert devices.latencies(space, [], SKELETON, "v100").shape == (0,)


@every_family
@given(seed=SEEDS)
@settings(max_examples=6, deadline=None)
def test_a_better_device_is_not_slower(space, seed):
    arch = space.sample(np.random.default_rng(seed))

    def seconds(**change):
        return devices.latency(space, arch, SKELETON, replace(TOY, **change)) * (1 - 1e-12)

    slowest = devices.latency(space, arch, SKELETON, TOY)
    for change in (
        *({"peak": 2000.0}, {"vector": 200.0}, {"bandwidth": 20.0}, {"on_chip_bandwidth": 80.0}),
        *({"overhead": 1.0}, {"element": 1}),
    ):
        assert seconds(**change) <= slowest
    # A folded bias can be what no longer fits on the chip, so here all fits.
    assert seconds(compiled=True, on_chip=1e9) <= seconds(on_chip=1e9) * (1 + 1e-9)
    assert seconds(lanes=(3, 5)) >= slowest * (1 - 1e-9)


def test_what_leads_nowhere_costs_nothing_once_compiled():
    """Edge 0-1 has a convolution whose node nothing reads."""
    space, archs = nasbench201(), [(3, 0, 0, 2, 0, 0), (0, 0, 0, 2, 0, 0)]
    in_vain, without = devices.latencies(space, archs, SKELETON, COMPILED)
    assert in_vain == pytest.approx(without)
    in_vain, without = devices.latencies(space, archs, SKELETON, TOY)
    assert in_vain > without


def test_equal_places_of_cells_are_one_part():
    skeleton = Skeleton(channels=4, cells=3, stages=2, resolution=8, in_channels=1)
    profile = devices.profile(nasbench201(), (3, 0, 0, 0, 2, 0), skeleton, "raspberry_pi_4")
    count = {part.name: len(part.kernels) for part in devices.parts(profile.kernels)}
    assert count["edge_01.conv"] == count["edge_13.conv"] == 6
    assert count["stem.conv"] == count["classifier.linear"] == 1


def test_memory_bound_says_what_the_slowest_does():
    profile = devices.profile(nasbench201(), (3, 0, 0, 0, 1, 0), Skeleton(), "raspberry_pi_4")
    bound = {part.name: part.memory_bound for part in devices.parts(profile.kernels)}
    assert not bound["edge_01.conv"]
    assert bound["residual.relu"]


def test_devices_differ_by_a_hundred_and_turn_the_order_of_networks_round():
    space, skeleton = nasbench201(), Skeleton()
    archs = [space.sample(np.random.default_rng(i)) for i in range(40)]
    times = {d: devices.latencies(space, archs, skeleton, d) for d in DEVICES}
    medians = [np.median(seconds) for seconds in times.values()]
    assert max(medians) / min(medians) > 100
    gpu, board = times["v100"], times["raspberry_pi_4"]
    assert ((gpu[:, None] < gpu) & (board[:, None] > board)).any()


@pytest.mark.parametrize("call", [devices.latency, devices.energy, devices.profile])
def test_bad_arguments_are_explained(call):
    space = nasbench201()
    with pytest.raises(ValueError, match="no device is called 'toaster'; choose from v100"):
        call(space, (0,) * 6, SKELETON, "toaster")
    with pytest.raises(TypeError, match="device is a Device or the name of one"):
        call(space, (0,) * 6, SKELETON, 3)
    with pytest.raises(ValueError, match="tokens"):
        call(space, (0,) * 5, SKELETON, "v100")


# ---- the catalogue -----------------------------------------------------------------------------


@every_device
def test_every_figure_has_a_source(device):
    """A name, a year and a link; or how it is derived or what an estimate leans on."""
    sources = dict(device.sources)
    assert set(device.figures) == set(sources)
    for figure, text in sources.items():
        published = re.search(r"20[0-2]\d", text) and re.search(r"https?://|arXiv:|doi:", text)
        said = text.startswith(("derived: ", "estimate: ", "measured: "))
        plain = figure in ("element", "memory", "lanes")
        assert published or said or plain, f"{device.name}.{figure}: {text}"


def test_the_catalogue_spans_the_kinds_of_the_lecture():
    kinds = {device.kind for device in DEVICES.values()}
    assert {"server CPU", "server GPU", "phone CPU", "phone GPU", "phone DSP"} <= kinds
    assert "microcontroller" in kinds
    assert len(DEVICES) >= 8
    assert all(name == device.name for name, device in DEVICES.items())
    assert str(DEVICES["v100"]) == "Tesla V100"
