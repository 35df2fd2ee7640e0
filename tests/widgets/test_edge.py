"""The edge-device slider's state: its choice against brute force over all networks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_lab import devices, plots
from nas_lab.devices import DEVICES
from nas_lab.widgets import EdgeDevices
from nas_lab.widgets.edge import HIGHEST, EdgeState, Landscape
from tests.strategies.tables import SPACE, invented
from tests.widgets.reading import find

TABLE = invented()
SOME = ("v100", "raspberry_pi_4", "stm32f746")


@given(device=st.sampled_from(SOME), beta=st.floats(0.0, HIGHEST))
@settings(max_examples=20, deadline=None)
def test_no_network_has_a_smaller_objective(device, beta):
    state = EdgeState(device, beta, table=TABLE)
    seconds = devices.latencies(SPACE, TABLE.archs, TABLE.skeleton, device)
    error = 1 - TABLE.scores(0)
    objective = error * np.log(seconds * 1e6) ** beta
    assert objective[state.place] == pytest.approx(objective.min())
    better = (error < error[state.place]) & (seconds <= seconds[state.place])
    assert not better.any()


def test_the_ends_of_the_slider_are_the_ends_of_the_front():
    for device in SOME:
        state = EdgeState(device, 0.0, table=TABLE)
        assert TABLE.scores(0)[state.place] == TABLE.scores(0).max()
        known = state.landscape
        assert 2 <= known.reachable <= len(known.front)
        assert known.chosen(100.0) == 0
        assert known.seconds[known.front[0]] == known.seconds.min()


def test_words_say_what_the_profile_does():
    state = EdgeState("raspberry_pi_4", 0.6, table=TABLE)
    where = (SPACE, state.arch, TABLE.skeleton, "raspberry_pi_4")
    microseconds = 1e6 * devices.latency(*where)
    assert f"{microseconds:.3g} µs" in state.words
    assert f"{1e3 * devices.energy(*where):.2g} mJ" in state.words
    assert f"{TABLE.scores(0)[state.place]:.1%}" in state.words
    assert state.words.startswith("beta = 0.6 on Raspberry Pi 4")
    front = state.landscape.front
    assert f"point {front.tolist().index(state.place) + 1} of {len(front)}" in state.details[0]
    slowest = max(part.seconds for part in state.parts)
    assert f"{slowest / state.profile.seconds:.0%}" in state.details[1]


def test_landscapes_are_counted_once(monkeypatch):
    state, counted = EdgeState("v100", table=TABLE), []
    make = Landscape.of
    monkeypatch.setattr(Landscape, "of", lambda *a: counted.append(a[1].name) or make(*a))
    for device in ("v100", "edge_tpu", "v100", "edge_tpu"):
        state.device = device
        assert state.landscape.device is DEVICES[device]
    assert counted == ["v100", "edge_tpu"]


# ---- the view -------------------------------------------------------------------------------


@pytest.fixture
def widget():
    return EdgeDevices("raspberry_pi_4", 0.6, table=invented())


def test_every_device_is_in_the_menu(widget):
    assert [name for _, name in find(widget, "device").options] == list(DEVICES)


def test_parts_have_names_that_a_reader_knows(widget):
    names = {plots.part_label(part) for part in widget.model.parts}
    assert "stem: conv 3×3" in names
    assert "classifier: dense" in names


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2.1, "2.1 s"),
        (0.00132, "1.32 ms"),
        (1.32e-4, "132 µs"),
        (9.997e-4, "1 ms"),
        (5e-8, "50 ns"),
    ],
)
def test_durations_read_well(seconds, text):
    assert plots.duration(seconds) == text
