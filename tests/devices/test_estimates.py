"""Latency, energy and profile of architectures, in every space and on every device."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_lab import devices
from nas_lab.devices import DEVICES, Device
from nas_lab.devices.cells_201 import bills, code
from nas_lab.devices.kernels import network_bill
from nas_lab.spaces import Skeleton, nasbench201
from tests.devices.toy import COMPILED, TOY
from tests.spaces.families import FAMILIES, SKELETON

every_family = pytest.mark.parametrize("space", FAMILIES.values(), ids=FAMILIES.keys())
every_device = pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES.keys())


@every_family
@given(seed=st.integers(0, 2**32), device=st.sampled_from(list(DEVICES.values())))
@settings(max_examples=12, deadline=None)
def test_the_whole_is_the_sum_of_its_kernels(space, seed, device):
    arch = space.sample(np.random.default_rng(seed))
    profile = devices.profile(space, arch, SKELETON, device)
    assert all(k.seconds > 0 and k.joules > 0 for k in profile.kernels)
    seconds = devices.latency(space, arch, SKELETON, device.name)
    assert seconds == pytest.approx(sum(k.seconds for k in profile.kernels))
    assert seconds == pytest.approx(profile.seconds)
    assert devices.energy(space, arch, SKELETON, device) == pytest.approx(profile.joules)
    assert device.idle * 0.999999 <= profile.watts <= device.power * 1.000001
    slowest = profile.slowest(3)
    assert len(slowest) == min(3, len(profile.kernels))
    assert slowest[0].seconds == max(k.seconds for k in profile.kernels)


@every_family
@given(seed=st.integers(0, 2**32))
@settings(max_examples=6, deadline=None)
def test_many_are_what_each_is(space, seed):
    rng = np.random.default_rng(seed)
    archs = [space.sample(rng) for _ in range(3)]
    for together, alone in (
        (devices.latencies, devices.latency),
        (devices.energies, devices.energy),
    ):
        found = together(space, np.array(archs), SKELETON, "jetson_nano")
        assert found.tolist() == [alone(space, a, SKELETON, "jetson_nano") for a in archs]
    assert devices.latencies(space, [], SKELETON, "v100").shape == (0,)


@every_family
@given(seed=st.integers(0, 2**32))
@settings(max_examples=6, deadline=None)
def test_a_better_device_is_not_slower(space, seed):
    arch = space.sample(np.random.default_rng(seed))

    def seconds(**change):
        return devices.latency(space, arch, SKELETON, replace(TOY, **change))

    for change in (
        {"peak": 2000.0},
        {"vector": 200.0},
        {"bandwidth": 20.0},
        {"on_chip_bandwidth": 80.0},
        {"overhead": 1.0},
        {"element": 1},
        {"compiled": True},
    ):
        assert seconds(**change) <= seconds()
    assert seconds(lanes=(3, 5)) >= seconds()


@pytest.mark.parametrize("device", [TOY, COMPILED], ids=["alone", "compiled"])
@pytest.mark.parametrize(
    "skeleton",
    [
        SKELETON,
        Skeleton(channels=5, cells=3, stages=3, stem_stride=2, resolution=11, in_channels=1),
        Skeleton(channels=3, cells=1, stages=1, resolution=6),
    ],
    ids=["small", "odd", "one cell"],
)
def test_cells_counted_at_once_cost_what_their_networks_do(device, skeleton):
    space = nasbench201()
    rng, together = np.random.default_rng(7), bills(skeleton, device)
    device = replace(device, on_chip=300, width=100, slow=(("avg_pool", 0.3),))
    together = bills(skeleton, device)
    for number in rng.choice(15_625, size=150, replace=False).tolist():
        arch = tuple(int(digit) for digit in np.base_repr(number, 5).zfill(6))
        assert code(arch) == number
        walked = network_bill(space.network(arch, skeleton), device)
        assert together[number] is None or together[number] == pytest.approx(walked)


def test_few_cells_have_to_be_walked():
    space = nasbench201()
    assert all(bill is not None for bill in bills(SKELETON, COMPILED))
    walked = [arch for arch, bill in zip(space, bills(SKELETON, TOY), strict=True) if bill is None]
    assert 0 < len(walked) < 300
    identity = (0, 0, 0, 1, 0, 0)  # hands its input on, and its zeros with it
    assert [arch for arch in walked if space.canonical(arch) == arch] == [identity]
    arch = walked[0]
    bill = network_bill(space.network(arch, SKELETON), TOY)
    assert devices.latency(space, arch, SKELETON, TOY) == bill.seconds


def test_what_leads_nowhere_costs_nothing_once_compiled():
    """Edge 0-1 has a convolution whose node nothing reads."""
    space = nasbench201()
    in_vain, without = ((3, 0, 0, 2, 0, 0), (0, 0, 0, 2, 0, 0))
    compiled = [devices.latency(space, a, SKELETON, COMPILED) for a in (in_vain, without)]
    assert compiled[0] == pytest.approx(compiled[1])
    alone = [devices.latency(space, a, SKELETON, TOY) for a in (in_vain, without)]
    assert alone[0] > alone[1]


def test_devices_differ_by_a_hundred_and_turn_the_order_of_networks_round():
    space, skeleton = nasbench201(), Skeleton()
    archs = [space.sample(np.random.default_rng(i)) for i in range(40)]
    times = {d: devices.latencies(space, archs, skeleton, d) for d in DEVICES}
    medians = [np.median(seconds) for seconds in times.values()]
    assert max(medians) / min(medians) > 100
    gpu, board = times["v100"], times["raspberry_pi_4"]
    faster = gpu[:, None] < gpu
    slower = board[:, None] > board
    assert (faster & slower).any()


@pytest.mark.parametrize("call", [devices.latency, devices.energy, devices.profile])
def test_bad_arguments_are_explained(call):
    space = nasbench201()
    with pytest.raises(ValueError, match="no device is called 'toaster'; choose from v100"):
        call(space, (0,) * 6, SKELETON, "toaster")
    with pytest.raises(TypeError, match="device is a Device or the name of one"):
        call(space, (0,) * 6, SKELETON, 3)
    with pytest.raises(ValueError, match="tokens"):
        call(space, (0,) * 5, SKELETON, "v100")


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
    assert len({hash(device) for device in DEVICES.values()}) == len(DEVICES)
    assert isinstance(devices.find("v100"), Device)
    assert str(DEVICES["v100"]) == "Tesla V100"


def test_a_microcontroller_is_too_small_for_what_a_phone_holds():
    space, skeleton = nasbench201(), Skeleton(channels=64)
    arch = (3, 3, 3, 3, 3, 3)
    assert devices.profile(space, arch, skeleton, "snapdragon_855_cpu").fits
    assert not devices.profile(space, arch, skeleton, "stm32f746").fits
