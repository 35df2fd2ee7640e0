"""Devices: kernels, their roofline by hand, and latencies of architectures in every space."""

import re
from dataclasses import fields, replace
from itertools import pairwise

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_lab import devices
from nas_lab.devices import DEVICES, EAGER, GENERATIONS, Device, kernels, reachable, roofline
from nas_lab.spaces import Network, Skeleton, nasbench201
from tests.spaces.families import FAMILIES, SKELETON

every_family = pytest.mark.parametrize("space", FAMILIES.values(), ids=FAMILIES.keys())
SPACE, SEEDS = nasbench201(), st.integers(0, 2**32)

FIGURES = {"peak": 1000.0, "efficiency": 0.5, "vector": 100.0, "bandwidth": 10.0, "on_chip": 1000}
FIGURES |= {"on_chip_bandwidth": 40.0, "overhead": 2.0, "element": 2, "power": 3.0, "idle": 1.0}
FIGURES |= {"memory": 500, "runtime": EAGER}
TOY = Device("toy", "Toy", "toy", **FIGURES)
COMPILED = replace(TOY, runtime="a compiler")


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


def only(method, *arguments, image=(1, 4, 4), **options):
    """The kernel of a network that has one operation."""
    net = Network(image)
    getattr(net, method)(*arguments, **options)
    return kernels(net, compiled=False)[0][1]


CONV = only("conv", 0, 4, 1, image=(4, 2, 2))
DEPTHWISE = only("conv", 0, 4, 3, image=(4, 2, 2), groups=4)
POOL = only("pool", "avg_pool", 0, 3)
ADD = only("add", 0, 0, 0, 0)


def test_a_convolution_takes_its_overhead_and_the_longer_of_two():
    assert roofline(CONV, TOY) == pytest.approx((2.0, 64 / 500, 2 * 48 / 40))
    spent = devices.profile(SPACE, (0,) * 6, SKELETON, TOY).kernels[0]
    working = max(spent.arithmetic, spent.traffic)
    assert spent.seconds == spent.overhead + working
    assert spent.joules == pytest.approx(1.0 * spent.overhead + 3.0 * working)


@pytest.mark.parametrize(
    ("kernel", "change", "part", "seconds"),
    [
        (CONV, {"lanes": (8, 3)}, 1, 64 / 500 * 2 * 1.5),  # 4 inputs fill 8 lanes, 4 outputs 2 x 3
        (CONV, {"lanes": (2, 4)}, 1, 64 / 500),
        (DEPTHWISE, {"lanes": (8, 4)}, 1, 144 / 500 * 8),  # one lane of eight is fed
        (DEPTHWISE, {"slow": (("depthwise", 0.25),)}, 1, 144 / 500 / 0.25),
        (CONV, {"slow": (("depthwise", 0.25),)}, 1, 64 / 500),
        (CONV, {"width": 64}, 1, 64 / 500 * 4),  # 16 outputs leave three quarters idle
        (CONV, {"width": 16}, 1, 64 / 500),
        (POOL, {}, 1, 9 * 16 / 100),
        (POOL, {"slow": (("avg_pool", 0.5),)}, 1, 9 * 16 / 50),
        (CONV, {"on_chip": 95}, 2, 96 / 10),  # what does not fit on the chip comes from memory
        (CONV, {"on_chip": 96}, 2, 96 / 40),
        (ADD, {"on_chip": 96}, 2, 3 * 96 / 40),  # one of three launches touches 48 numbers
        (ADD, {}, 0, 6.0),
        (CONV, {"calls": (("conv", 2.5), ("norm", 3.0))}, 0, 5.0),
    ],
)
def test_overhead_arithmetic_and_traffic(kernel, change, part, seconds):
    assert roofline(kernel, replace(TOY, **change))[part] == pytest.approx(seconds)


# ---- architectures -----------------------------------------------------------------------------


@every_family
@given(seed=SEEDS, device=st.sampled_from(list(DEVICES.values())))
@settings(max_examples=12, deadline=None)
def test_the_whole_is_the_sum_of_its_kernels_and_of_its_parts(space, seed, device):
    rng = np.random.default_rng(seed)
    archs = [space.sample(rng) for _ in range(2)]
    profile, other = (devices.profile(space, arch, SKELETON, device) for arch in archs)
    assert all(k.seconds > 0 and k.joules > 0 for k in profile.kernels)
    seconds = [profile.seconds, other.seconds]
    assert devices.latencies(space, np.array(archs), SKELETON, device) == pytest.approx(seconds)
    joules = [profile.joules, other.joules]
    assert devices.energies(space, archs, SKELETON, device.name) == pytest.approx(joules)
    where = (space, archs[0], SKELETON)
    assert devices.latency(*where, device.name) == pytest.approx(profile.seconds)
    assert devices.energy(*where, device) == pytest.approx(profile.joules)
    watts = profile.joules / profile.seconds
    assert device.idle * 0.999999 <= watts <= device.power * 1.000001
    found = devices.parts(profile.kernels)
    assert sum(len(part.kernels) for part in found) == len(profile.kernels)
    assert sum(part.seconds for part in found) == pytest.approx(profile.seconds)
    assert [part.seconds for part in found] == sorted((p.seconds for p in found), reverse=True)
    assert len({part.name for part in found}) == len(found)
    assert all(0 < part.overhead <= part.seconds for part in found)


@every_family
@given(seed=SEEDS)
@settings(max_examples=6, deadline=None)
def test_a_better_device_is_not_slower(space, seed):
    arch = space.sample(np.random.default_rng(seed))

    def seconds(**change):
        return devices.latency(space, arch, SKELETON, replace(TOY, **change)) * (1 - 1e-12)

    slowest = devices.latency(space, arch, SKELETON, TOY)
    better = {"peak": 2000.0, "vector": 200.0, "bandwidth": 20.0, "on_chip_bandwidth": 80.0}
    for name, value in {**better, "overhead": 1.0, "element": 1}.items():
        assert seconds(**{name: value}) <= slowest
    # A folded bias can be what no longer fits on the chip, so here all fits.
    assert seconds(runtime="a compiler", on_chip=1e9) <= seconds(on_chip=1e9) * (1 + 1e-9)
    assert seconds(lanes=(3, 5)) >= slowest * (1 - 1e-9)


def test_what_leads_nowhere_costs_nothing_once_compiled():
    """Edge 0-1 has a convolution whose node nothing reads."""
    archs = [(3, 0, 0, 2, 0, 0), (0, 0, 0, 2, 0, 0)]
    in_vain, without = devices.latencies(SPACE, archs, SKELETON, COMPILED)
    assert in_vain == pytest.approx(without)
    in_vain, without = devices.latencies(SPACE, archs, SKELETON, TOY)
    assert in_vain > without


def test_memory_bound_says_what_the_slowest_does():
    profile = devices.profile(SPACE, (3, 0, 0, 0, 1, 0), Skeleton(), "raspberry_pi_4")
    bound = {part.name: part.memory_bound for part in devices.parts(profile.kernels)}
    assert not bound["edge_01.conv"]
    assert bound["residual.relu"]


def test_devices_differ_by_a_hundred_and_turn_the_order_of_networks_round():
    archs = [SPACE.sample(np.random.default_rng(i)) for i in range(40)]
    times = {d: devices.latencies(SPACE, archs, Skeleton(), d) for d in DEVICES}
    medians = [np.median(seconds) for seconds in times.values()]
    assert max(medians) / min(medians) > 100
    gpu, board = times["v100"], times["raspberry_pi_4"]
    assert ((gpu[:, None] < gpu) & (board[:, None] > board)).any()


@pytest.mark.parametrize("call", [devices.latency, devices.energy, devices.profile])
def test_bad_arguments_are_explained(call):
    for unknown in ("toaster", 3):
        with pytest.raises(ValueError, match=f"no device is called {unknown!r}; choose from v100"):
            call(SPACE, (0,) * 6, SKELETON, unknown)
    with pytest.raises(ValueError, match="tokens"):
        call(SPACE, (0,) * 5, SKELETON, "v100")


# ---- the catalogue -----------------------------------------------------------------------------


@pytest.mark.parametrize("device", [*DEVICES.values(), *GENERATIONS[::2]], ids=lambda d: d.name)
def test_every_figure_has_a_source(device):
    """A name, a year and a link; or how it is derived or what an estimate leans on."""
    sources, words = dict(device.sources), {"name", "title", "kind", "runtime", "sources"}
    given = {f.name for f in fields(device) if getattr(device, f.name) != f.default}
    assert given - words == set(sources)
    for figure, text in sources.items():
        published = re.search(r"20[0-2]\d", text) and re.search(r"https?://|arXiv:|doi:", text)
        said = text.startswith(("derived: ", "estimate: ", "measured: "))
        plain = figure in ("element", "memory", "lanes")
        assert published or said or plain, f"{device.name}.{figure}: {text}"


def test_the_catalogue_spans_the_kinds_of_the_lecture():
    kinds = {device.kind for device in DEVICES.values()}
    assert {"server CPU", "server GPU", "phone CPU", "phone GPU", "phone DSP"} <= kinds
    assert "microcontroller" in kinds
    assert all(name == device.name for name, device in DEVICES.items())
    assert str(DEVICES["v100"]) == "Tesla V100"


def test_overheads_hide_what_generations_of_a_chip_gain():
    for figure in ("peak", "bandwidth"):
        assert all(getattr(a, figure) < getattr(b, figure) for a, b in pairwise(GENERATIONS))
    gains = []
    for channels in (16, 64):  # the second computes 16 times as much, and launches as often
        arch, frame = (3, 4, 2, 1, 0, 3), Skeleton(channels=channels)
        first, *_, last = (devices.latency(SPACE, arch, frame, d) for d in GENERATIONS)
        gains.append(first / last)
    assert 1 < gains[0] < gains[1] < GENERATIONS[2].peak / GENERATIONS[0].peak


@pytest.mark.parametrize("device", [*DEVICES.values(), *GENERATIONS[::2]], ids=lambda d: d.name)
def test_figures_of_the_catalogue_can_be(device):
    numbers = [value for value in vars(device).values() if isinstance(value, int | float)]
    assert all(
        0 < value < np.inf for value in [*numbers, *device.lanes, *dict(device.calls).values()]
    )
    assert all(0 < share <= 1 for share in [device.efficiency, *dict(device.slow).values()])
    assert device.idle <= device.power


def test_a_device_is_quicker_compiled_and_keeps_the_rest():
    v100 = DEVICES["v100"]
    graph = v100.under("CUDA graph")
    assert graph.compiled
    assert not v100.compiled
    seconds = [devices.latency(SPACE, (3,) * 6, SKELETON, device) for device in (graph, v100)]
    assert seconds[0] < seconds[1]
    assert graph.under(EAGER) == v100
    with pytest.raises(ValueError, match="v100 is known with eager PyTorch and CUDA graph, not 3"):
        v100.under(3)
