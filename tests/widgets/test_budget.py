"""The budget's sliders: what brackets spend, and a view that draws it and hands moves on."""

import re

from nas_lab.widgets import BudgetDivider, BudgetState
from tests.widgets.reading import find


def test_the_papers_table_for_81_epochs_and_eta_3():
    """Li et al. 2018, table 1: n_i and r_i of every bracket."""
    rungs = [[(r.archs, r.epochs) for r in bracket] for bracket in BudgetState(81, 3).brackets]
    assert rungs == [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(34, 3), (11, 9), (3, 27), (1, 81)],
        [(15, 9), (5, 27), (1, 81)],
        [(8, 27), (2, 81)],
        [(5, 81)],
    ]


def test_words_count_what_goes_on_only_once():
    state = BudgetState(4, 2, bracket=1)
    # 4 to 1, 2 to 2, 1 to 4: 4 + 2 + 2 epochs; 3 to 2, 1 to 4: 6 + 2; 3 to 4: 12.
    assert (
        "3 brackets: 10 architectures started, 5 trained to the end, for 28 epochs" in state.words
    )
    assert "7.0 whole trainings" in state.words
    assert state.details == ["Bracket 2 trains 3 to epoch 2, then 1 to epoch 4: 8 epochs."]


def test_a_bracket_that_is_no_more_is_the_last_one():
    state = BudgetState(27, 3, bracket=3)
    state.epochs = 1
    assert state.number == 1
    assert state.words.startswith("1 bracket: 1 architecture started")
    state.reset()
    assert state.as_dict() == {"epochs": 27, "eta": 3, "bracket": 3}


def test_sliders_and_state_follow_each_other():
    divider = BudgetDivider(27, 3)
    words, picture = divider._words.value, divider._picture.value
    find(divider, "bracket").value = 4
    assert divider.state == {"epochs": 27, "eta": 3, "bracket": 3}
    find(divider, "epochs").value = 9
    assert len(find(divider, "bracket").options) == find(divider, "bracket").value == 3
    find(divider, "epochs").value = 27
    assert find(divider, "bracket").value == 4
    assert "Bracket 4 trains 4 to epoch 27" in divider._words.value
    assert divider._words.value != words
    assert "4 to epoch 27" in re.search('alt="([^"]*)"', divider._picture.value)[1]
    divider.model.reset()
    assert (divider._words.value, divider._picture.value) == (words, picture)
