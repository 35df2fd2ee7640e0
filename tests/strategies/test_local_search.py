"""Local search: every step against the definition, to the end of small spaces."""

import pytest

from nas_lab.history import Evaluation, Trial
from nas_lab.spaces import conv_chain
from nas_lab.strategies import LocalSearch, search
from tests import estimates
from tests.spaces.families import SMALL


@pytest.mark.parametrize("batch", [1, 5, 100])
def test_it_goes_to_the_best_neighbour_until_there_is_none(batch):
    """White et al. 2021, algorithm 1: the path, computed from scratch beside it."""
    space = conv_chain(3)  # so large that no start was seen before
    strategy, score = LocalSearch(space, seed=4), {}
    here, pending, starts = None, set(), 0
    while starts < 5:
        asked = strategy.ask(batch)
        if not pending:
            best = max(space.neighbors(here), key=score.__getitem__) if here else None
            if best and score[best] > score[here]:
                here = best
            else:
                here, starts = asked[0], starts + 1
            pending = {here, *space.neighbors(here)} - set(score)
        assert len(set(asked)) == len(asked) == min(batch, len(pending))
        assert set(asked) <= pending
        pending -= set(asked)
        score |= {arch: estimates.by_tokens(arch, 0).score for arch in asked}
        strategy.tell([Trial(i, a, Evaluation(score[a])) for i, a in enumerate(asked)])
    assert len(score) > 4 * 37, "at least one neighbourhood for each start"


@pytest.mark.parametrize("name", ["mlp", "rnn", "mobile"])
@pytest.mark.parametrize("batch", [1, 7])
def test_a_small_space_is_seen_once_and_wholly(name, batch):
    space = SMALL[name]
    trials = list(search(LocalSearch(space), estimates.by_tokens, 10 * space.size, batch=batch))
    assert sorted(t.arch for t in trials) == sorted(space)
