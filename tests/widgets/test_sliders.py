"""States of the widgets with few moves, each computed in another way."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch.utils.flop_counter import FlopCounterMode

from nas_lab import devices, nets, plots, widgets
from nas_lab.estimation import OneShotRuns, ShortcutTable, TransformerGrid
from nas_lab.widgets.edge import HIGHEST
from nas_lab.widgets.swap import FIRST
from tests.strategies.tables import SPACE, invented
from tests.widgets.reading import find
from tests.widgets.walks import EPOCHS, IMAGES, SCORES, SECONDS, N, fidelities, rankings

TABLE = invented()
GRID, RUNS = fidelities(), rankings()

# ---- the budget divided -------------------------------------------------------------------------


def test_the_papers_table_for_81_epochs_and_eta_3():
    """Li et al. 2018, table 1: n_i and r_i of every bracket."""
    rungs = [
        [(r.archs, r.epochs) for r in bracket] for bracket in widgets.BudgetState(81, 3).brackets
    ]
    assert rungs == [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(34, 3), (11, 9), (3, 27), (1, 81)],
        [(15, 9), (5, 27), (1, 81)],
        [(8, 27), (2, 81)],
        [(5, 81)],
    ]


def test_words_of_a_budget_count_what_goes_on_only_once():
    state = widgets.BudgetState(4, 2, bracket=1)
    # 4 to 1, 2 to 2, 1 to 4: 4 + 2 + 2 epochs; 3 to 2, 1 to 4: 6 + 2; 3 to 4: 12.
    started = "3 brackets: 10 architectures started, 5 trained to the end, for 28 epochs"
    assert started in state.words
    assert "7.0 whole trainings" in state.words
    assert state.details == ["Bracket 2 trains 3 to epoch 2, then 1 to epoch 4: 8 epochs."]
    assert widgets.BudgetState(1).words.startswith("1 bracket: 1 architecture started")


def test_a_bracket_that_is_no_more_is_the_last_one_until_it_is_there_again():
    divider = widgets.BudgetDivider(27, 3)
    find(divider, "bracket").value = 4
    find(divider, "epochs").value = 9
    assert len(find(divider, "bracket").options) == find(divider, "bracket").value == 3
    find(divider, "epochs").value = 27
    assert find(divider, "bracket").value == 4
    assert "Bracket 4 trains 4 to epoch 27" in divider._words.value
    assert "4 to epoch 27" in divider._picture.value


# ---- devices ------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["v100", "raspberry_pi_4", "stm32f746"])
def test_no_network_has_a_smaller_objective_and_the_ends_are_those_of_the_front(device):
    state = widgets.EdgeState(device, 0.0, table=TABLE)
    seconds = devices.latencies(SPACE, TABLE.archs, TABLE.skeleton, device)
    error, known = 1 - TABLE.scores(0), state.landscape
    for state.beta in (0.0, 0.35, 0.6, 1.0, 2.7, HIGHEST):
        objective = error * np.log(seconds * 1e6) ** state.beta
        assert objective[state.place] == pytest.approx(objective.min())
        better = (error < error[state.place]) & (seconds <= seconds[state.place])
        assert not better.any()
    assert 2 <= known.reachable <= len(known.front)
    assert known.chosen(0.0) == len(known.front) - 1
    assert known.chosen(100.0) == 0
    assert known.seconds[known.front[0]] == known.seconds.min()


def test_words_of_a_device_say_what_the_profile_does():
    state = widgets.EdgeState("raspberry_pi_4", 0.6, table=TABLE)
    where = (SPACE, state.arch, TABLE.skeleton, "raspberry_pi_4")
    assert f"{1e6 * devices.latency(*where):.3g} µs" in state.words
    assert f"{1e3 * devices.energy(*where):.2g} mJ" in state.words
    assert f"{TABLE.scores(0)[state.place]:.1%}" in state.words
    assert state.words.startswith("beta = 0.6 on Raspberry Pi 4")
    front = state.landscape.front
    assert f"point {front.tolist().index(state.place) + 1} of {len(front)}" in state.details[0]
    parts = devices.parts(state.profile.kernels)
    slowest = max(part.seconds for part in parts)
    assert f"{slowest / state.profile.seconds:.0%}" in state.details[1]
    assert {"stem: conv 3×3", "classifier: dense"} <= {*map(plots.part_label, parts)}


# ---- slices -------------------------------------------------------------------------------------


@pytest.mark.parametrize("arch", [(0, 0, 0, 0), (1, 1, 2, 0), (2, 2, 2, 2)])
def test_words_of_a_slice_are_those_of_the_network_built_alone(arch):
    grid, known = TransformerGrid.load(), {"device": "laptop", **TransformerGrid.SPACE.decode(arch)}
    state = widgets.SliceState(scores=SCORES, **known)
    net = nets.build(grid.SPACE, arch, grid.skeleton)
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, 1, 12, 12))
    macs = plots.quantity(counter.get_total_flops() // 2)
    seconds = plots.duration(devices.latency(grid.SPACE, arch, grid.skeleton, "laptop"))
    params = sum(weight.numel() for weight in net.parameters())
    assert f"{params:,} parameters, {macs} multiply-adds, {seconds} on Laptop" in state.words
    place, alone = list(grid.SPACE).index(arch), grid.scores().mean(axis=0)
    ranks = [int(stats.rankdata(-s, "min")[place]) for s in (alone, SCORES)]
    said = f"inherited weights: {SCORES[place]:.1%}, rank {ranks[1]} of 81"
    assert state.details[0].endswith(f"3 seeds), rank {ranks[0]} of 81; on {said}")
    assert f"alone: {alone[place]:.1%} (" in state.details[0]
    assert "inherited" not in widgets.SliceState().details[0]


@pytest.mark.parametrize("scores", [[0.5] * 80, [1.5] * 81, [np.nan] * 81, 0.5, ["half"] * 81, len])
def test_scores_that_are_not_one_of_each_network_are_explained(scores):
    with pytest.raises(ValueError, match=r"81 accuracies in \[0, 1\].* order of the space"):
        widgets.ElasticSlices(scores=scores)


# ---- rankings -----------------------------------------------------------------------------------


def first_choices(scores, truth):
    chosen, best = (set(np.argsort(-s)[: N // 10].tolist()) for s in (scores, truth))
    return f"{len(chosen & best)} are among the true first {N // 10} of {N}"


@given(st.integers(1, EPOCHS), st.sampled_from(IMAGES))
def test_tau_and_precision_of_short_trainings_are_scipys_and_counted(epochs, images):
    state = widgets.FidelityState(epochs, images, fidelities=GRID)
    scores = GRID.scores[IMAGES.index(images), epochs - 1]
    assert first_choices(scores, GRID.truth) in state.details[0]
    regret = GRID.truth.max() - GRID.truth[scores.argmax()]
    assert f"first choice is {100 * regret:.1f} points below the best" in state.details[0]
    assert f"tau = {stats.kendalltau(scores, GRID.truth)[0]:.2f}" in state.words
    assert f"{images:,} images, {epochs} of {EPOCHS} epochs" in state.words


PLACES = [(method, checkpoint) for method, s in SECONDS.items() for checkpoint in range(len(s))]


@pytest.mark.parametrize(("method", "checkpoint"), PLACES)
def test_tau_and_precision_of_a_supernet_are_scipys_and_counted(method, checkpoint):
    state = widgets.OneShotState(method, checkpoint, rankings=RUNS)
    seeds = RUNS.methods[method].scores[:, checkpoint]
    taus = [stats.kendalltau(scores, RUNS.truth)[0] for scores in seeds]
    assert f"{method}: tau = {taus[0]:.2f} after {SECONDS[method][checkpoint]:.0f} s" in state.words
    assert f"({min(taus):.2f} to {max(taus):.2f} over 2 seeds)" in state.words
    assert first_choices(seeds[0], RUNS.truth) in state.details[0]
    x, y = widgets.OneShotRanks(method, checkpoint, rankings=RUNS)._tau._ring.get_data()
    assert (x[0], y[0]) == (SECONDS[method][checkpoint], pytest.approx(taus[0]))


def test_a_training_of_ones_own_can_be_added():
    scores = RUNS.truth + np.zeros((4, 1))
    mine = RUNS.adding("mine", [1, 2, 3, 4], scores)
    assert widgets.OneShotState("mine", rankings=mine).words == "mine: tau = 1.00 after 4 s"
    assert list(mine.methods) == ["steady", "hasty", "mine"]
    with pytest.raises(ValueError, match=r"here \[3, 40\], not \[1, 4, 40\]"):
        RUNS.adding("mine", [1, 2, 3], scores)


class Made:
    """A table as far as rankings look at it."""

    def __init__(self):
        self.about = {"images": {"train": 400}, "recipe": {"epochs": 2}}
        self.seconds = np.array([4.0, 8.0, 4.0])

    def row(self, arch):
        return arch[0]

    def scores(self, seed, epoch=-1):
        return np.array([0.1, 0.2, 0.3]) * (seed + 1) + (0.01 if epoch else 0)


def test_rows_of_short_trainings_are_aligned_and_cost_is_a_share():
    arrays = {
        "archs": np.array([(0,), (2,)]),
        "val_correct": np.array([[[1, 2], [3, 4]], [[5, -1], [6, -1]]]),
        "thread_seconds": np.array([[1.0, 3.0], [1.0, 1.0]]),
    }
    about = {"images": {"validation": 10}, "names": ["100 images", "1 epoch"], "seed": 1}
    found = widgets.Fidelities.of(Made(), ShortcutTable(arrays, about))
    assert found.images == (100, 400)
    expected = [[[0.1, 0.3], [0.2, 0.4]], [[0.2, 0.6], [0.21, 0.61]]]
    assert found.scores == pytest.approx(np.array(expected))
    assert found.cost == pytest.approx(np.array([[0.25, 0.5], [0.5, 1.0]]))
    assert found.truth == pytest.approx(np.array([0.11, 0.31]))


def test_stored_runs_of_supernets_are_aligned_with_the_table():
    arrays = {
        "archs": np.array([(2,), (0,)]),
        "correct": np.arange(2 * 3 * 2 * 2).reshape(2, 3, 2, 2),
        "seconds": np.array([[[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]] * 2),
    }
    about = {"images": {"validation": 10}, "names": ["a", "b"], "steps": [5, 9]}
    known = widgets.Rankings.of(Made(), OneShotRuns(arrays, about))
    assert known.truth == pytest.approx(np.array([0.31, 0.11]))
    assert known.methods["b"].seconds == pytest.approx(np.array([2.0, 5.0]))
    assert known.methods["b"].scores[0] == pytest.approx(np.array([[1.2, 1.3], [1.4, 1.5]]))
    assert known.methods["a"].tau.shape == (3, 2)


# ---- a swap -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def swap():
    return widgets.SwapState(TABLE)


@given(st.sampled_from(list(SPACE)[::97]), st.integers(0, 5), st.integers(0, 4))
@settings(max_examples=20, deadline=None)
def test_parts_add_up_to_the_change_in_the_table(swap, arch, edge, token):
    swap.update(arch=arch, edge=edge, token=token)
    *parts, change = swap.parts.values()
    assert sum(parts) == pytest.approx(change)
    assert change == pytest.approx(TABLE(swap.after).score - TABLE(arch).score)


def test_on_average_is_the_mean_over_all_cells(swap):
    swap.update(arch=FIRST, edge=2, token=0)
    scores = {arch: TABLE(arch).score for arch in SPACE}
    none, conv = (np.mean([s for arch, s in scores.items() if arch[2] == t]) for t in (0, FIRST[2]))
    assert swap.parts["on average"] == pytest.approx(none - conv)


def test_a_choice_that_is_there_already_changes_nothing(swap):
    swap.update(arch=(1,) * 6, edge=0, token=3)
    swap.choose(5, 2)
    swap.choose(5, 2)
    assert swap.as_dict() == {"arch": [3, 1, 1, 1, 1, 2], "edge": 5, "token": 2}
    assert "nothing changes" in swap.words


def test_improving_again_and_again_ends_at_the_top(swap):
    swap.reset()
    for _ in range(60):
        before = TABLE(swap.after).score
        swap.improve()
        if "No cell is better" in swap.message:
            break
    assert "No cell is better" in swap.message
    assert before >= np.nanmax(TABLE.scores()) - swap.noise


# ---- the temperature ----------------------------------------------------------------------------

ALPHA = np.random.default_rng(0).normal(size=(6, 5))


@pytest.mark.parametrize("tau", [0.01, 0.3, 1.0, 100.0])
def test_weights_are_a_softmax_with_the_argmax_of_alpha(tau):
    state = widgets.TemperatureState(ALPHA, tau)
    expected = torch.softmax(torch.from_numpy(ALPHA) / tau, dim=1)
    np.testing.assert_allclose(state.w, expected.numpy(), atol=1e-12)
    assert state.arch == tuple(ALPHA.argmax(axis=1).tolist())
