"""Effects, counterfactuals, motifs and rank correlations, against their definitions written out."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nas_lab import explain, spaces
from nas_lab.explain import kendall, precision_at, rank_correlation
from nas_lab.spaces.base import Decision, Space


def written_out(sizes):
    space = Space(
        "small", tuple(Decision(n, tuple("wxyz"[:k])) for n, k in zip("abcd", sizes, strict=True))
    )
    return space, np.array(list(space))


SPACE, ARCHS = written_out((2, 3, 4, 2))
EVEN, EVEN_ARCHS = written_out((3, 3, 3, 3))
SEEDS = st.integers(0, 10_000)


def random_scores(seed):
    return np.random.default_rng(seed).normal(size=len(ARCHS)).round(3)


FOUND = explain.anova(SPACE, ARCHS, random_scores(0))


def share_of(scores, places, arch):
    """Mean score of the architectures that share these decisions with `arch`: brute force."""
    alike = (ARCHS[:, places] == np.array(arch)[places]).all(axis=1)
    return scores[alike].mean()


def mean_gain(value):
    """Shapley values by their definition: the mean, over all orders, of what each adds."""
    gains = np.zeros(4)
    for order in itertools.permutations(range(4)):
        for place in range(4):
            before, after = list(order[:place]), list(order[: place + 1])
            gains[order[place]] += value(after) - value(before)
    return gains / math.factorial(4)


# ---- effects -------------------------------------------------------------------------------------


@given(SEEDS)
@settings(max_examples=25)
def test_effects_add_up_to_scores_and_shares_to_the_variance(seed):
    """Only one decomposition has these two properties: the sum, and no mean along any axis."""
    scores = random_scores(seed)
    found = explain.anova(SPACE, ARCHS, scores)
    assert found.mean == pytest.approx(scores.mean())
    assert [found.mean + found.shapley(arch).sum() for arch in SPACE] == pytest.approx(scores)
    for group, effect in found.effects.items():
        for axis in range(len(group)):
            assert np.allclose(effect.mean(axis=axis), 0)
        assert not group or found.shares[group] == pytest.approx((effect**2).mean() / scores.var())
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.importance().sum() == pytest.approx(1)
    assert explain.main_effects(SPACE, ARCHS, scores) == pytest.approx(found.main)
    np.testing.assert_array_equal(found.pair(0, 2), found.effects[0, 2])
    np.testing.assert_array_equal(found.pair(2, 0), found.effects[0, 2].T)


@given(SEEDS, st.integers(0, len(ARCHS) - 1))
@settings(max_examples=5, deadline=None)
def test_shapley_values_are_those_of_all_orders(seed, row):
    scores, arch = random_scores(seed), tuple(ARCHS[row])
    found = explain.anova(SPACE, ARCHS, scores)
    expected = mean_gain(lambda places: share_of(scores, places, arch))
    assert found.shapley(arch) == pytest.approx(expected)

    def explained(places):
        return np.var([share_of(scores, places, arch) for arch in SPACE]) / scores.var()

    assert found.importance() == pytest.approx(mean_gain(explained))


@given(SEEDS, st.data())
@settings(max_examples=25)
def test_the_parts_of_a_swap_add_up_to_the_change(seed, data):
    scores = random_scores(seed)
    found = explain.anova(SPACE, ARCHS, scores)
    before = data.draw(st.sampled_from(list(SPACE)))
    d = data.draw(st.integers(0, 3))
    token = data.draw(st.integers(0, len(SPACE.decisions[d].options) - 1))
    swap = found.swap(before, d, token)
    of = dict(zip(SPACE, scores, strict=True))
    assert swap.change == pytest.approx(of[swap.after] - of[before])
    assert swap.alone == pytest.approx(found.main[d, token] - found.main[d, before[d]])
    assert swap.pairs[d] == 0


def test_an_architecture_has_the_score_of_its_canonical_form():
    space = spaces.nasbench201()
    canonical = sorted({space.canonical(arch) for arch in space})
    scores = np.random.default_rng(0).random(len(canonical))
    found = explain.main_effects(space, canonical, scores)
    of = dict(zip(canonical, scores, strict=True))
    whole = np.array([of[space.canonical(arch)] for arch in space])
    chosen = np.array(list(space))[:, 4] == 2
    assert found[4, 2] == pytest.approx(whole[chosen].mean() - whole.mean())
    alike = explain.anova(space, canonical, np.full(len(canonical), 0.5))
    assert alike.importance() == pytest.approx(np.zeros(6))


def test_a_forest_stands_in_for_what_nobody_trained():
    effects = [np.linspace(0, 3, len(d.options)) for d in SPACE.decisions]
    scores = sum(effect[ARCHS[:, d]] for d, effect in enumerate(effects))
    rows = np.random.default_rng(0).permutation(len(ARCHS))[:40]
    sampled, again = (explain.main_effects(SPACE, ARCHS[rows], scores[rows]) for _ in range(2))
    exact = explain.main_effects(SPACE, ARCHS, scores)
    assert np.array_equal(sampled, again)
    assert not np.array_equal(sampled, exact)
    assert np.corrcoef(sampled[SPACE.mask], exact[SPACE.mask])[0, 1] > 0.9


class Excluding(Space):
    @property
    def size(self):
        return 3


LARGE = Space("large", tuple(Decision(str(i), (0, 1)) for i in range(40)))
ODD = Excluding("odd", SPACE.decisions[:2])
ZEROS = (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda: explain.anova(SPACE, ARCHS[:, :3], np.ones(48)), r"give archs \[N, 4\]"),
        (lambda: explain.anova(SPACE, ARCHS, np.ones(3)), r"give archs \[N, 4\]"),
        (lambda: explain.anova(SPACE, ARCHS, np.full(48, np.nan)), "scores are NaN"),
        (lambda: explain.anova(SPACE, [ZEROS, ZEROS], [1, 2]), "two scores for one network"),
        (lambda: explain.anova(SPACE, ARCHS[:9], np.ones(9)), "a forest needs at least 10"),
        (lambda: explain.anova(LARGE, np.zeros((1, 40), int), [0]), "too many to write out"),
        (lambda: explain.anova(ODD, np.zeros((1, 2), int), [0]), "excludes combinations"),
        (lambda: FOUND.pair(1, 1), "two different decisions from 0 to 3, not 1 and 1"),
        (lambda: FOUND.swap(ZEROS, 4, 0), "decisions 0 to 3"),
        (lambda: FOUND.swap(ZEROS, 0, 2), "choose from 0 to 1"),
        (lambda: explain.nearest_better(EVEN, EVEN_ARCHS[1:], [1] * 80, ZEROS), "is not known"),
        (lambda: explain.nearest_better(EVEN, ARCHS, [1], ZEROS, margin=-1), "margin must be"),
        (lambda: explain.motifs(EVEN, EVEN_ARCHS[:, :2], [1] * 81), r"give archs \[N, 4\]"),
        (lambda: explain.motifs(EVEN, EVEN_ARCHS, [1] * 81, top=0), "top is a share"),
        (lambda: rank_correlation([1, 2], [1, 2], top=10), "top is a share"),
    ],
)
def test_bad_questions_are_explained(ask, says):
    with pytest.raises(ValueError, match=says):
        ask()


# ---- counterfactuals and motifs ------------------------------------------------------------------


@given(st.integers(0, 1_000), st.sampled_from(list(EVEN)), st.sampled_from([0.0, 0.1, 0.5]))
@settings(max_examples=40)
def test_nothing_nearer_is_better(seed, arch, margin):
    scores = dict(zip(EVEN, np.random.default_rng(seed).permutation(81) / 100, strict=True))
    found = explain.nearest_better(EVEN, EVEN_ARCHS, list(scores.values()), arch, margin=margin)
    distance = {a: sum(x != y for x, y in zip(a, arch, strict=True)) for a in EVEN}
    better = [a for a in EVEN if scores[a] - scores[arch] > margin]
    if not better:
        assert found is None
        return
    expected = min(better, key=lambda a: (distance[a], -scores[a]))
    assert found.arch == expected
    assert found.gain == pytest.approx(scores[expected] - scores[arch])
    assert [expected[d] != arch[d] for d in range(4)] == [d in found.changes for d in range(4)]


def test_the_motif_that_was_planted_comes_first():
    planted = (EVEN_ARCHS[:, 1] == 2) & (EVEN_ARCHS[:, 3] == 0)
    scores = planted + np.random.default_rng(0).random(81) / 2
    found = explain.motifs(EVEN, EVEN_ARCHS, scores, top=1 / 9)
    assert len(found) == 6 * 9
    # Fisher's exact test asks the same of the table of counts.
    p = stats.fisher_exact([[9, 0], [0, 72]], "greater").pvalue
    assert found[0][:3] == ((1, 3), ("y", "w"), 1)
    assert found[0][3:] == pytest.approx((1 / 9, p))


# ---- rank correlations ---------------------------------------------------------------------------

LEVELS = st.integers(0, 4).map(float)  # few levels: many ties


PAIRS = st.lists(st.tuples(LEVELS, LEVELS), min_size=2, max_size=6)


def mean_share(a, b, k):
    """Share of the best among the first k, over every order in which ties can be broken."""
    last, shares = sorted(b)[-k], []
    for order in itertools.permutations(range(len(a))):
        first = sorted(order, key=lambda i: -a[i])[:k]
        shares.append(sum(b[i] >= last for i in first) / k)
    return np.mean(shares)


def normal_pair(rho, n, seed):
    rng = np.random.default_rng(seed)
    return rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=n).T


def test_tau_and_rho_of_ties_by_hand():
    """4 pairs agree, none disagrees; 5 are not tied in a, 5 in b. Ranks of a: 1, 2.5, 2.5, 4."""
    a, b = [1, 2, 2, 3], [1, 2, 3, 3]
    found = rank_correlation(a, b, resamples=0)
    assert found.tau == kendall(a, b) == pytest.approx(4 / math.sqrt(5 * 5))
    assert found.rho == pytest.approx(3.75 / 4.5)
    assert found.precision == precision_at(a, b)


@given(PAIRS, st.floats(0.01, 1))
@settings(max_examples=60)
def test_precision_is_the_mean_share_over_all_ways_to_break_ties(ab, top):
    a, b = zip(*ab, strict=True)
    k = max(1, round(top * len(a)))
    assert precision_at(a, b, top) == pytest.approx(mean_share(a, b, k))


def test_intervals_cover_the_truth_as_often_as_they_say():
    """Of a normal pair, tau is 2/pi arcsin(rho) and Spearman's rho 6/pi arcsin(rho/2)."""
    rho, top, n, simulations = 0.7, 0.2, 50, 60
    edge = stats.norm.isf(top)
    both = stats.multivariate_normal.cdf([-edge, -edge], cov=[[1, rho], [rho, 1]])
    truth = [2 / np.pi * np.arcsin(rho), 6 / np.pi * np.arcsin(rho / 2), both / top]
    covered = np.zeros(3, dtype=int)
    for seed in range(simulations):
        found = rank_correlation(*normal_pair(rho, n, seed), top=top, resamples=60, seed=seed)
        covered += [low <= t <= high for (low, high), t in zip(found[3:6], truth, strict=True)]
    for count in covered.tolist():
        assert stats.binomtest(count, simulations, 0.95, alternative="less").pvalue > 0.001
    assert covered[:2].max() < simulations  # nor are they too wide: 0.95 ** 60 is 0.05


@pytest.mark.parametrize("n", [2, 3, 10])
def test_copies_in_the_draws_do_not_spoil_perfect_agreement(n):
    """A plain tau over n draws with copies would be about 1 - 1/n."""
    found = rank_correlation(np.arange(n), np.arange(n) ** 2, resamples=200)
    assert (found.tau, found.rho, found.precision) == pytest.approx((1, 1, 1))
    assert np.array(found[3:6]) == pytest.approx(np.ones((3, 2)))


def test_it_reads_as_a_sentence():
    intervals = ((0.6, 0.66), (0.75, 0.85), (0.4, 0.6))
    found = explain.RankCorrelation(0.631, 0.8, 0.5, *intervals, n=100, k=10)
    said = "tau = 0.63 [0.60, 0.66], rho = 0.80 [0.75, 0.85], "
    assert str(found) == said + "precision at 10 of 100 = 0.50 [0.40, 0.60]"
    known = rank_correlation(range(50), range(50), top=0.2, resamples=0)
    assert str(known) == "tau = 1.00, rho = 1.00, precision at 10 of 50 = 1.00"


def test_equal_and_infinite_scores():
    found = rank_correlation(np.ones(20), np.arange(20), top=0.25, resamples=10)
    assert np.isnan([found.tau, found.rho, *found.tau_interval]).all()
    assert found.precision == 0.25  # what a blind choice finds
    scores = [-math.inf, 0, math.inf]
    assert kendall(scores, [1, 2, 3]) == precision_at(scores, [1, 2, 3]) == 1
    assert rank_correlation(scores, [3, 2, 1], resamples=0).rho == pytest.approx(-1)


@pytest.mark.parametrize("measure", [rank_correlation, kendall, precision_at])
def test_bad_scores_are_explained(measure):
    with pytest.raises(ValueError, match=r"2 of 4 architectures have no score.*keep = "):
        measure([1, 2, math.nan, 4], [1, math.nan, 3, 4])
    for a, b in (([1, 2], [1, 2, 3]), ([[1, 2]], [[1, 2]]), ([1], [1]), ([], [])):
        with pytest.raises(ValueError, match=r"two arrays \[N\] of scores"):
            measure(a, b)
