"""A device with round numbers, for cases that can be worked by hand."""

from dataclasses import replace

from nas_lab.devices import Device

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
