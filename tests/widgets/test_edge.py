"""The edge-device slider's view draws its state and hands moves to it."""

import re

import pytest

from nas_lab import plots
from nas_lab.devices import DEVICES
from nas_lab.widgets import EdgeDevices
from tests.strategies.tables import invented


@pytest.fixture
def widget():
    return EdgeDevices("raspberry_pi_4", 0.6, table=invented())


def test_slider_and_menu_move_words_and_pictures(widget):
    before = widget._words.value, widget._picture.value
    widget._beta.value = 6.0
    moved = widget._words.value, widget._picture.value, widget._cell.value
    assert moved[0] != before[0]
    assert moved[1] != before[1]
    widget._device.value = "v100"
    assert widget.state == {"device": "v100", "beta": 6.0}
    assert "Tesla V100" in widget._words.value
    assert widget.model.words in re.search('alt="([^"]*)"', widget._picture.value)[1]
    assert widget._picture.value != moved[1]


def test_reset_gives_the_first_picture_again(widget):
    before = widget._picture.value
    widget._device.value, widget._beta.value = "edge_tpu", 3.0
    widget.model.reset()
    assert (widget._device.value, widget._beta.value) == ("raspberry_pi_4", 0.6)
    assert widget._picture.value == before


def test_a_slider_lays_nothing_out_anew(widget, monkeypatch):
    drawn = []
    monkeypatch.setattr(widget._picture._canvas, "draw", lambda: drawn.append(1))
    widget._beta.value = 5.0
    assert not drawn


def test_every_device_is_in_the_menu(widget):
    assert [name for _, name in widget._device.options] == list(DEVICES)


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
