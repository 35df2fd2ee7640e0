"""The scaling widget's state: what it says is counted, the lock keeps, nonsense is explained."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_lab.estimation.scaling_grid import BASE
from nas_lab.nets import EfficientNet
from nas_lab.scaling import B0, EFFICIENTNETS, compound
from nas_lab.widgets import CompoundScaling
from nas_lab.widgets.scaling import METHODS, MOST, PHIS, ScalingState
from tests.widgets.reading import find

NAMES = ("alpha", "beta", "gamma")


def within(name):
    return st.floats(0 if name == "phi" else 1, MOST[name])


SETTINGS = st.fixed_dictionaries(
    {"base": st.sampled_from(["small", "B0"]), **{name: within(name) for name in MOST}}
)
MOVES = st.lists(
    st.sampled_from(list(MOST)).flatmap(lambda name: st.tuples(st.just(name), within(name))),
    max_size=5,
)


def by_hand(state):
    return state.alpha * state.beta**2 * state.gamma**2


def test_the_first_picture_is_that_of_the_paper():
    state = ScalingState("B0")
    assert state.method == "the paper's"
    assert "= 1.92, residual −0.08" in state.words
    assert state.details[1].startswith(
        "φ = 1.0, 2^φ = 2.00: 2.57 times the multiply-adds (993 million)"
    )
    assert "images 224 → 258 pixels" in state.details[0]
    assert [row.stage for row in state.rows] == list(EFFICIENTNETS["b2"].stages)


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 1.5), st.sampled_from(["small", "B0"]))
def test_costs_are_those_of_networks_that_are_built(phi, base):
    """Parameters are counted in torch's own networks."""
    state = ScalingState(base, phi=phi)
    stages, sizes, divisor = {
        "small": (BASE.stages, {"in_channels": 1, "classes": 10}, 1),
        "B0": (B0, {}, 8),
    }[base]
    scaled, _ = compound(stages, 224, phi, *state.coefficients, divisor=divisor)
    before, after = (on_meta(net, sizes) for net in (stages, scaled))
    assert state.times[1] == pytest.approx(after / before)


def on_meta(stages, sizes):
    with torch.device("meta"):
        return sum(p.numel() for p in EfficientNet(stages, **sizes).parameters())


@settings(max_examples=20, deadline=None)
@given(SETTINGS)
def test_marks_are_on_the_lines(setting):
    place = int(np.argmin(abs(PHIS - setting["phi"])))
    state = ScalingState(**(setting | {"phi": float(PHIS[place])}))
    assert state.curve.shape == (len(PHIS), 3)
    assert state.curve[place] == pytest.approx(state.times)
    assert state.curve[0] == pytest.approx([1, 1, 1])


@given(SETTINGS, MOVES)
def test_a_lock_keeps_the_constraint_and_what_is_under_the_hand(setting, moves):
    state = ScalingState(**setting, locked=True)
    assert by_hand(state) == pytest.approx(2)
    for name, value in moves:
        state.move(name, value)
        assert getattr(state, name) == pytest.approx(value)
        assert by_hand(state) == pytest.approx(2)
        assert all(1 <= getattr(state, n) <= MOST[n] + 1e-9 for n in NAMES)


@given(SETTINGS, MOVES)
def test_without_a_lock_nothing_else_moves(setting, moves):
    state = ScalingState(**setting)
    for name, value in moves:
        expected = state.as_dict() | {name: value}
        state.move(name, value)
        assert state.as_dict() == expected
    assert state.message == ""


def test_the_lock_says_what_gave_way():
    state = ScalingState(locked=True, alpha=1, beta=1, gamma=2**0.5)
    state.move("alpha", 2)
    assert state.message == "(to keep it: γ = 1)"
    state.move("phi", 2)
    assert state.message == ""
    state.move("locked", False)
    state.move("alpha", 1)
    state.move("locked", True)
    assert state.message == "(to keep it: α = 1.08, β = 1.167, γ = 1.167)"


@pytest.mark.parametrize("way", METHODS)
def test_ways_are_on_the_constraint_but_for_the_papers(way):
    state = ScalingState(locked=True)
    state.move("method", way)
    assert state.method == way
    assert state.locked == (way != "the paper's")
    assert (state.message == "") == state.locked
    assert by_hand(state) == pytest.approx(2 if state.locked else 1.2 * 1.1**2 * 1.15**2)


# ---- the view -------------------------------------------------------------------------------


@pytest.fixture
def w():
    return CompoundScaling()


def test_sliders_stand_on_steps_and_the_state_between_them(w):
    """A browser moves a slider to its next step, and what it says then is no move of a reader."""
    find(w, "keep α β² γ² = 2").value = True
    state = w.state
    assert state["gamma"] == pytest.approx(1.1604, abs=1e-4)
    assert find(w, "γ resolution").value == 1.16
    find(w, "γ resolution").value = 1.1600000000000001
    assert w.state == state
    find(w, "γ resolution").value = 1.1700000000000002
    assert w.state["gamma"] == pytest.approx(1.17)
    assert find(w, "γ resolution").value == 1.1700000000000002  # a hand may be on it
    find(w, "scale").value = "wider only"
    assert find(w, "β width").value == 2**0.5
    find(w, "β width").value = 1.41
    assert w.state["beta"] == 1.41


def test_your_own_is_what_coefficients_are_and_no_choice(w):
    way = find(w, "scale")
    way.value = "your own"
    assert way.value == "the paper's"
    way.value = "wider only"
    assert w.state["beta"] == 2**0.5
    find(w, "α depth").value = 1.3
    assert way.value == "your own"
    way.value = "your own"
    assert w.state["alpha"] == 1.3


@pytest.mark.parametrize("base", ["small", "B0"])
@pytest.mark.parametrize("at_most", [("alpha",), ("beta",), ("gamma",), ("alpha", "beta", "gamma")])
def test_the_largest_networks_have_room(base, at_most):
    """All boxes are inside of their axes and below the other network."""
    most = {"alpha": 2.0, "beta": 2**0.5, "gamma": 2**0.5}
    least = dict.fromkeys(most, 1.0)
    w = CompoundScaling(base, **(least | {name: most[name] for name in at_most}), phi=3)
    figure, (before, _, _), (after, _, name) = w._picture.figure, *(d.moving for d in w._drawn[:2])
    renderer = w._picture._canvas.get_renderer()
    boxes = [corner for path in after.get_paths() for corner in path.vertices]
    lowest = min(corner[1] for path in before.get_paths() for corner in path.vertices)
    assert max(y for _, y in boxes) < lowest
    assert max(x for x, _ in boxes) < after.axes.get_xlim()[1]
    assert max(x for x, _ in boxes) > 2.9  # and fill it, or its height
    lines = figure.axes[1].dataLim
    assert figure.axes[1].viewLim.fully_contains(lines.x1, lines.y1)
    assert name.get_window_extent(renderer).y1 < after.axes.transData.transform((0, lowest))[1]
