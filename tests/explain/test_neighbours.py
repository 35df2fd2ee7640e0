"""Counterfactuals and motifs, against a search written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nas_lab import explain
from nas_lab.spaces.base import Decision, Space

SPACE = Space("small", tuple(Decision(n, tuple("xyz")) for n in "abcd"))
ARCHS = np.array(list(SPACE))


def scores_of(seed):
    return np.random.default_rng(seed).permutation(len(ARCHS)) / 100


@given(st.integers(0, 1_000), st.sampled_from(list(SPACE)), st.sampled_from([0.0, 0.1, 0.5]))
@settings(max_examples=40, deadline=None)
def test_nothing_nearer_is_better(seed, arch, margin):
    scores = dict(zip(SPACE, scores_of(seed), strict=True))
    found = explain.nearest_better(SPACE, ARCHS, list(scores.values()), arch, margin=margin)
    distance = {a: sum(x != y for x, y in zip(a, arch, strict=True)) for a in SPACE}
    better = [a for a in SPACE if scores[a] - scores[arch] > margin]
    if not better:
        assert found is None
        return
    expected = min(better, key=lambda a: (distance[a], -scores[a]))
    assert found.arch == expected
    assert found.gain == pytest.approx(scores[expected] - scores[arch])
    assert [expected[d] != arch[d] for d in range(4)] == [d in found.changes for d in range(4)]


def test_an_unknown_start_and_a_negative_margin_are_explained():
    with pytest.raises(ValueError, match="is not known"):
        explain.nearest_better(SPACE, ARCHS[1:], np.ones(80), (0, 0, 0, 0))
    with pytest.raises(ValueError, match="margin must be"):
        explain.nearest_better(SPACE, ARCHS, np.ones(81), (0, 0, 0, 0), margin=-1)


def test_the_motif_that_was_planted_comes_first():
    rng = np.random.default_rng(0)
    planted = (ARCHS[:, 1] == 2) & (ARCHS[:, 3] == 0)
    found = explain.motifs(SPACE, ARCHS, planted + rng.random(81) / 2, top=1 / 9)
    assert len(found) == 6 * 9
    assert found[0].places == (1, 3)
    assert found[0].options == ("z", "x")
    assert found[0].top == 1
    assert found[0].all == pytest.approx(1 / 9)
    # Fisher's exact test asks the same of the table of counts.
    table = [[9, 0], [0, 72]]
    assert found[0].p == pytest.approx(stats.fisher_exact(table, "greater").pvalue)


def test_motifs_need_arrays_that_fit():
    with pytest.raises(ValueError, match=r"give archs \[N, 4\]"):
        explain.motifs(SPACE, ARCHS[:, :2], np.ones(81))
    with pytest.raises(ValueError, match="top is a share"):
        explain.motifs(SPACE, ARCHS, np.ones(81), top=0)
