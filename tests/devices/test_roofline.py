"""Times of single operations, worked by hand on a device with round numbers."""

from dataclasses import replace

import pytest

from nas_lab.devices import kernels, timed
from nas_lab.spaces import Network
from tests.devices.toy import TOY


def conv(channels=4, given=4, groups=1, size=2, kernel=1):
    net = Network((given, size, size))
    net.conv(net.image, channels, kernel, groups=groups)
    return kernels(net, compiled=False)[0]


def test_a_convolution_takes_its_overhead_and_the_longer_of_two():
    spent = timed(conv(), TOY)  # 64 multiply-adds, 16 read, 16 written, 16 weights
    assert spent.waiting == 2.0
    assert spent.computing == pytest.approx(64 / (1000 * 0.5))
    assert spent.moving == pytest.approx(2 * 48 / 40)
    assert spent.seconds == pytest.approx(2.0 + 2.4)
    assert spent.joules == pytest.approx(1.0 * 2.0 + 3.0 * 2.4)
    assert spent.bound == "memory"


@pytest.mark.parametrize(
    ("change", "bound"),
    [({"peak": 10.0}, "arithmetic"), ({"overhead": 9.0}, "overhead"), ({}, "memory")],
)
def test_the_bound_names_the_longest_part(change, bound):
    assert timed(conv(), replace(TOY, **change)).bound == bound


def test_what_does_not_fit_on_the_chip_comes_from_memory():
    assert timed(conv(), replace(TOY, on_chip=95)).moving == pytest.approx(96 / 10)
    assert timed(conv(), replace(TOY, on_chip=96)).moving == pytest.approx(96 / 40)


def test_channels_fill_whole_lanes():
    slow = replace(TOY, lanes=(8, 3))  # 4 inputs take 8 lanes; 4 outputs take two turns of 3
    assert timed(conv(), slow).computing == pytest.approx(64 / 500 * 2 * 1.5)
    fitting = replace(TOY, lanes=(2, 4))
    assert timed(conv(), fitting).computing == pytest.approx(64 / 500)


def test_a_depthwise_convolution_feeds_one_lane_of_many():
    depthwise = conv(groups=4, kernel=3)
    assert depthwise.kind == "depthwise"
    assert depthwise.macs == 9 * 4 * 4
    array = replace(TOY, lanes=(8, 4))
    assert timed(depthwise, array).computing == pytest.approx(144 / 500 * 8)
    listed = replace(TOY, slow=(("depthwise", 0.25),))
    assert timed(depthwise, listed).computing == pytest.approx(144 / 500 / 0.25)
    assert timed(conv(), listed).computing == pytest.approx(64 / 500)


def test_few_outputs_leave_a_wide_device_idle():
    assert timed(conv(), replace(TOY, width=64)).computing == pytest.approx(64 / 500 * 4)
    assert timed(conv(), replace(TOY, width=16)).computing == pytest.approx(64 / 500)


def test_simple_operations_run_at_their_own_rate():
    net = Network((1, 4, 4))
    net.avg_pool(net.image, 3)
    (pool,) = kernels(net, compiled=False)
    assert timed(pool, TOY).computing == pytest.approx(9 * 16 / 100)
    assert timed(pool, replace(TOY, slow=(("avg_pool", 0.5),))).computing == pytest.approx(2.88)


def test_each_launch_has_its_overhead():
    net = Network((1, 4, 4))
    net.add(*(net.image,) * 4)
    (add,) = kernels(net, compiled=False)
    assert timed(add, TOY).waiting == 6.0
    # a single launch touches 48 numbers: what fits does not depend on how many there are
    assert timed(add, replace(TOY, on_chip=96)).moving == pytest.approx(3 * 96 / 40)


def test_some_kinds_have_more_overhead_than_others():
    assert timed(conv(), replace(TOY, calls=(("conv", 2.5), ("norm", 3.0)))).waiting == 5.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"peak": 0.0}, "peak must be positive"),
        ({"bandwidth": -1.0}, "bandwidth must be positive"),
        ({"overhead": 0.0}, "overhead must be positive"),
        ({"power": float("nan")}, "power must be positive"),
        ({"on_chip": float("inf")}, "on_chip must be positive and finite"),
        ({"efficiency": 1.5}, "efficiency must be a share"),
        ({"slow": (("avg_pool", 0.0),)}, "avg_pool must be a share"),
        ({"calls": (("norm", -1.0),)}, "norm must take some overheads"),
        ({"lanes": (0, 1)}, "lanes must be at least 1"),
        ({"idle": 4.0}, "idle must be between 0 and power"),
    ],
)
def test_bad_figures_are_explained(change, message):
    with pytest.raises(ValueError, match=message):
        replace(TOY, **change)
