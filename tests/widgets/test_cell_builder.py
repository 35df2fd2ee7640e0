"""What the cell builder computes, without ipywidgets and without a browser."""

import json
import math
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_lab import spaces
from nas_lab.history import Evaluation
from nas_lab.widgets import CellBuilder
from nas_lab.widgets.cell_builder import PRESETS, RESIDUAL, SKELETON, CellState
from tests.widgets.reading import find, in_loop, press, until, words

SPACE = spaces.nasbench201()
CELLS = st.tuples(*[st.integers(0, 4)] * 6)


def measured(arch, seed):
    """An estimate that can be told from others: a digit of the score for each token."""
    return Evaluation(sum(arch) / 100, cost=2.0)


def test_random_cells_depend_on_seed_and_count_alone():
    def cells(state, n):
        for _ in range(n):
            state.randomize()
            yield state.arch

    first = list(cells(CellState(), 5))
    assert first == list(cells(CellState((1,) * 6), 5))
    assert first[3:] == list(cells(CellState(draws=3), 2))
    assert first != list(cells(CellState(seed=1), 5))
    assert len(set(first)) > 1


def test_the_size_is_that_of_the_paper_in_the_skeleton_of_the_paper():
    state = CellState((1,) * 6, skeleton=spaces.Skeleton())
    assert state.words == "73,306 parameters, 7.78 million multiply-adds"


@settings(deadline=None)
@given(CELLS)
def test_words_say_whether_the_cell_is_canonical(arch):
    state, canonical = CellState(arch), SPACE.canonical(arch)
    if arch == canonical:
        assert state.canonical_words == "already canonical"
        return
    difference = SPACE.cost(canonical, SKELETON).params - state.cost.params
    more = f", with {abs(difference):,} parameters {'more' if difference > 0 else 'fewer'}"
    expected = f"canonical form: {SPACE.to_string(canonical)}{more if difference else ''}"
    assert state.canonical_words == expected


def test_a_canonical_form_can_be_larger():
    once, twice = CellState((3, 0, 1, 0, 1, 1)), CellState((0, 3, 0, 3, 0, 1))
    assert SPACE.canonical(once.arch) == twice.arch  # c(x) + c(x), from one and two convolutions
    assert once.canonical_words.endswith("parameters more")
    assert twice.canonical_words == "already canonical"


def output(arch):
    """What a cell makes of one input, when every operation is some odd function."""
    nodes = [np.array([0.3, -0.7])]
    tokens = iter(arch)
    for node in range(1, 4):
        total = np.zeros(2)
        for source in range(node):
            token, x = next(tokens), nodes[source]
            mixed = np.tanh([[token, 1.3], [-0.6, node + source]] @ x)
            total = total + (0 * x, x, mixed, mixed, mixed)[token]
        nodes.append(total)
    return nodes[3]


@given(CELLS)
def test_edges_without_a_path_change_nothing_and_every_other_something(arch):
    state = CellState(arch)
    without = tuple(0 if i in state.dead_edges else token for i, token in enumerate(arch))
    np.testing.assert_array_equal(output(without), output(arch))
    assert CellState(without).dead_edges == []
    for edge in set(np.flatnonzero(arch)) - set(state.dead_edges):
        assert not np.allclose(output((*arch[:edge], 0, *arch[edge + 1 :])), output(arch))
    cut = " ".join(state.details).startswith("No path leads from input to output")
    assert cut == (not output(arch).any())


def test_presets_show_what_their_names_say():
    cells = {name: CellState(arch) for name, arch in PRESETS.items()}
    assert len(set(PRESETS.values())) == len(PRESETS)
    assert all(cell.preset == name for name, cell in cells.items())
    pair = ("one 3×3 convolution beside a skip", "one 3×3 beside a skip, written with other tokens")
    assert len({SPACE.canonical(cells[name].arch) for name in pair}) == 1
    assert cells["a dead end: node 2 leads nowhere"].dead_edges == [1, 2]
    cut = [name for name, cell in cells.items() if "No path" in "".join(cell.details)]
    assert cut == ["broken: no path to the output"]


def test_words_name_the_edges_that_change_nothing():
    state = CellState((3, 3, 3, 1, 3, 0))
    assert state.details[0].startswith("input → 2 and 1 → 2 lie on no path")
    assert "5,856 parameters fewer" in state.canonical_words
    assert " ".join(CellState((1, 3, 0, 0, 0, 3)).details).startswith("input → 1 lies on no path")
    assert " ".join(CellState((3,) * 6).details) == ""


# ---- training --------------------------------------------------------------------------------


def test_what_was_trained_is_kept_with_its_size_and_reset_keeps_it_too():
    state = CellState((2,) * 6, estimate=measured)
    state.train()
    state.choose(0, 4)
    assert state.result is None
    state.train()
    assert [entry["accuracy"] for entry in state.tried] == [0.12, 0.14]
    cost = SPACE.cost((2,) * 6, SKELETON)
    kept = {"accuracy": 0.12, "seconds": 2.0, "params": cost.params, "macs": cost.macs}
    assert state.tried[0] == {"arch": [2] * 6, "seed": 0, **kept}
    assert state.message == "After one epoch with seed 0: validation accuracy 14.0%, 2.0 s"
    state.reset()
    assert (state.arch, state.edge, state.message) == ((2,) * 6, None, "")
    assert len(state.tried) == 2


def seeds_of(state, *cells):
    """Train these cells in turn; the seeds that were asked for."""
    asked = []
    state.estimate = lambda a, s: asked.append(s) or Evaluation(0.7 + s / 100, 2.0)
    for state.arch in cells:
        state.train()
    return asked


def test_each_training_of_a_cell_takes_the_next_seed():
    one, two = (1,) * 6, (2,) * 6
    state = CellState(seed=5)
    assert seeds_of(state, one, one, two, one, two) == [5, 6, 5, 7, 6]
    again = CellState(**state.as_dict())
    assert seeds_of(again, one, two, (3,) * 6) == [8, 7, 5]
    earlier = CellState(**(state.as_dict() | {"seed": 6}))
    assert seeds_of(earlier, one, two) == [8, 7]  # another seed repeats no training


def test_mean_range_and_number_of_seeds_are_said():
    state = CellState()
    seeds_of(state, RESIDUAL)
    assert state.result == "70.0% (1 seed)"
    assert "Together" not in state.message
    seeds_of(state, RESIDUAL)
    assert state.message == (
        "After one epoch with seed 1: validation accuracy 71.0%, 2.0 s. "
        "Together: 70.5% (70.0 to 71.0, 2 seeds)"
    )


def test_a_seed_that_diverges_is_told_apart():
    scores = [math.nan, 0.5, 0.6]
    state, said = CellState(estimate=lambda a, s: Evaluation(scores[s], 1.0)), []
    for _ in scores:
        state.train()
        said.append((state.result, state.message))
    (first, message), (second, _), (third, _) = said
    assert message == "After one epoch with seed 0: the training diverged, 1.0 s"
    assert state.tried[0]["accuracy"] is None
    assert first == "diverged (1 seed)"
    assert second == "50.0% (1 seed; 1 more diverged)"
    assert third == "55.0% (50.0 to 60.0, 2 seeds; 1 more diverged)"
    json.dumps(state.as_dict(), allow_nan=False)


def test_cells_are_in_the_order_of_their_means():
    scores = {1: (0.2, 0.8), 2: (0.6, 0.7), 3: (math.nan, math.nan), 4: (0.4, 0.4)}
    state = CellState(estimate=lambda a, s: Evaluation(scores[a[0]][s]))
    for state.arch in [(token,) * 6 for token in (1, 2, 3, 4)]:
        state.train()
        state.train()
    assert [arch[0] for arch in state.cells] == [2, 1, 4, 3]


def test_an_interrupt_or_an_error_is_said_and_loses_nothing():
    state = CellState(estimate=measured)
    state.train()
    kept = state.tried
    state.estimate = Mock(side_effect=KeyboardInterrupt)
    for state.arch in (RESIDUAL, (0,) * 6):
        state.train()
        assert state.tried == kept
        assert state.message.startswith("Interrupted")
    state.estimate = Mock(side_effect=FileNotFoundError("fashion_mnist.npz is missing"))
    with pytest.raises(FileNotFoundError):
        state.train()
    assert state.tried == kept
    assert state.message.endswith("fashion_mnist.npz is missing")
    assert seeds_of(state, RESIDUAL) == [1]


def test_one_epoch_on_fashion_mnist_teaches_something():
    state = CellState()
    state.train()
    assert 0.6 < state.tried[0]["accuracy"] < 1
    assert state.tried[0]["seconds"] > 0


def test_a_state_holds_all_that_decides_what_comes_next():
    skeleton = spaces.Skeleton(channels=4, cells=2, stages=1, resolution=8, in_channels=1)
    state = CellState((2,) * 6, skeleton=skeleton, seed=7, estimate=measured)
    state.randomize()
    again = CellState(**json.loads(json.dumps(state.as_dict())), estimate=measured)
    assert state.as_dict()["skeleton"] == vars(skeleton)
    assert (again.skeleton, again.seed, again.cost) == (skeleton, 7, state.cost)
    for each in (state, again):
        each.randomize()
        each.train()
    assert again.as_dict() == state.as_dict()
    again.reset()
    assert (again.arch, again.words) == ((2,) * 6, CellState((2,) * 6, skeleton=skeleton).words)


# ---- the view -------------------------------------------------------------------------------


@pytest.fixture
def w():
    return CellBuilder(estimate=lambda arch, seed: Evaluation(sum(arch) / 100, 1.5))


def test_your_own_is_what_a_cell_is_and_no_choice(w):
    menu = find(w, "cell")
    for preset, cell in (("only skips", [1] * 6), ("", [0, 1, 1, 1, 1, 1])):
        w.model.arch = tuple(cell)
        assert (menu.value, menu.label) == (preset, preset or "your own")
        menu.value = ""
        assert (menu.value, w.state["arch"]) == (preset, cell)


def test_while_it_trains_the_widget_says_so(w):
    heard = []
    w.model.estimate = lambda *a: heard.append((words(w), w._dom_classes)) or Evaluation(0.5)
    press(w, "Train one epoch")
    assert "Training with seed 0 …" in heard[0][0]
    assert "nas-lab-frozen" in heard[0][1]  # clicks would wait, and train again
    assert w._dom_classes == ()


@in_loop
async def test_what_was_clicked_while_it_trained_has_no_effect(w):
    for _ in range(20):  # the kernel hears of all but the first when it has trained
        press(w, "Train one epoch")
    find(w, "cell").value = "only skips"
    find(w, "input → 1").value = 0
    assert (len(w.state["tried"]), w.model.arch) == (1, RESIDUAL)
    assert (find(w, "cell").value, find(w, "input → 1").value) == (w.model.preset, RESIDUAL[0])
    await until(lambda: "nas-lab-frozen" not in w._dom_classes)
    find(w, "cell").value = "only skips"
    press(w, "Train one epoch")
    assert [entry["arch"] for entry in w.state["tried"]] == [list(RESIDUAL), [1] * 6]
