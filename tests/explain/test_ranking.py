"""Rank correlations against scipy, against their definitions, and on a case with a known truth."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from nas_lab import explain
from nas_lab.explain import kendall, precision_at, rank_correlation

levels = st.integers(0, 4).map(float)  # few levels: many ties


def pairs(least=2, most=12):
    sizes = st.integers(least, most)
    return sizes.flatmap(
        lambda n: st.tuples(*[st.lists(levels, min_size=n, max_size=n) for _ in "ab"])
    )


def sign(x):
    return (x > 0) - (x < 0)


def tau_b(a, b):
    """Kendall's definition, pair by pair."""
    signs = [
        (sign(a[i] - a[j]), sign(b[i] - b[j])) for i, j in itertools.combinations(range(len(a)), 2)
    ]
    agree = sum(s * t for s, t in signs)
    return agree / math.sqrt(sum(s * s for s, _ in signs) * sum(t * t for _, t in signs))


def mean_share(a, b, k):
    """Share of the best among the first k, over every order in which ties can be broken."""
    last = sorted(b)[-k]
    shares = []
    for order in itertools.permutations(range(len(a))):
        first = sorted(order, key=lambda i: -a[i])[:k]
        shares.append(sum(b[i] >= last for i in first) / k)
    return np.mean(shares)


def normal_pair(rho, n, seed):
    rng = np.random.default_rng(seed)
    return rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=n).T


@given(pairs())
def test_tau_and_rho_follow_their_definitions(ab):
    a, b = ab
    assume(len(set(a)) > 1 and len(set(b)) > 1)
    assert kendall(a, b) == pytest.approx(tau_b(a, b))
    ranks = [stats.rankdata(a), stats.rankdata(b)]
    assert rank_correlation(a, b, resamples=0).rho == pytest.approx(np.corrcoef(ranks)[0, 1])
    assert rank_correlation(a, b, resamples=0).rho == pytest.approx(stats.spearmanr(a, b)[0])


@given(pairs(most=6), st.floats(0.01, 1))
@settings(max_examples=60, deadline=None)
def test_precision_is_the_mean_share_over_all_ways_to_break_ties(ab, top):
    a, b = ab
    k = max(1, round(top * len(a)))
    assert precision_at(a, b, top) == pytest.approx(mean_share(a, b, k))


def test_precision_of_a_case_worked_by_hand():
    truth = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
    estimate = [3, 9, 1, 8, 3, 3]  # first 9 and 8, then one of the three 3s
    assert precision_at(estimate, truth, top=2 / 6) == 1 / 2
    assert precision_at(estimate, truth, top=3 / 6) == pytest.approx((1 + 1 / 3) / 3)
    assert precision_at(estimate, truth, top=1) == 1


@given(pairs(), st.integers(0, 3))
@settings(deadline=None)
def test_only_the_ranking_matters(ab, seed):
    a, b = (np.array(scores) for scores in ab)
    one = rank_correlation(a, b, resamples=5, seed=seed)
    other = rank_correlation(np.exp(a), 2 * b - 7, resamples=5, seed=seed)
    assert str(one) == str(other)
    np.testing.assert_equal(vars(one), vars(other))  # NaN equals NaN here


def test_the_parts_are_those_of_the_single_functions():
    a, b = normal_pair(0.7, 50, seed=0)
    whole = rank_correlation(a, b, top=0.2, resamples=0)
    assert whole.tau == kendall(a, b)
    assert whole.precision == precision_at(a, b, 0.2)
    assert (whole.n, whole.k) == (50, 10)
    for interval in (whole.tau_interval, whole.rho_interval, whole.precision_interval):
        assert np.isnan(interval).all()


def test_tau_interval_is_scipys_percentile_interval():
    a, b = normal_pair(0.6, 40, seed=3)
    ours = rank_correlation(a, b, resamples=2000).tau_interval
    theirs = stats.bootstrap(
        (a, b),
        lambda x, y: stats.kendalltau(x, y)[0],
        paired=True,
        vectorized=False,
        n_resamples=2000,
        method="percentile",
        random_state=np.random.default_rng(1),
    ).confidence_interval
    # The ends of 2000 draws differ by a few hundredths of the width from one run to the next.
    assert ours == pytest.approx(tuple(theirs), abs=0.1 * (theirs.high - theirs.low))


def test_intervals_cover_the_truth_as_often_as_they_say():
    """Of a normal pair, tau is 2/pi arcsin(rho) and Spearman's rho 6/pi arcsin(rho/2)."""
    rho, top, n, simulations = 0.7, 0.2, 60, 100
    edge = stats.norm.isf(top)
    both = stats.multivariate_normal.cdf([-edge, -edge], cov=[[1, rho], [rho, 1]])
    truth = [2 / np.pi * np.arcsin(rho), 6 / np.pi * np.arcsin(rho / 2), both / top]
    covered = np.zeros(3, dtype=int)
    for seed in range(simulations):
        found = rank_correlation(*normal_pair(rho, n, seed), top=top, resamples=80, seed=seed)
        intervals = (found.tau_interval, found.rho_interval, found.precision_interval)
        covered += [low <= t <= high for (low, high), t in zip(intervals, truth, strict=True)]
    for count in covered.tolist():
        assert stats.binomtest(count, simulations, 0.95, alternative="less").pvalue > 0.001
    assert covered[:2].max() < simulations  # nor are they too wide: 0.95 ** 100 is 0.006


@pytest.mark.parametrize("n", [2, 3, 10])
def test_copies_in_the_draws_do_not_spoil_perfect_agreement(n):
    """A plain tau over n draws with copies would be about 1 - 1/n."""
    found = rank_correlation(np.arange(n), np.arange(n) ** 2, resamples=200)
    assert (found.tau, found.rho, found.precision) == pytest.approx((1, 1, 1))
    assert found.tau_interval == pytest.approx((1, 1))
    assert found.rho_interval == pytest.approx((1, 1))
    assert found.precision_interval == (1, 1)


def test_the_seed_decides_and_no_global_generator_is_touched():
    a, b = normal_pair(0.5, 30, seed=0)
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    one, two, other = (rank_correlation(a, b, resamples=20, seed=seed) for seed in (0, 0, 1))
    assert one == two != other
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_it_reads_as_a_sentence():
    found = explain.RankCorrelation(
        0.631, 0.8, 0.5, (0.6, 0.66), (0.75, 0.85), (0.4, 0.6), n=100, k=10
    )
    assert str(found) == (
        "tau = 0.63 [0.60, 0.66], rho = 0.80 [0.75, 0.85], "
        "precision at the top 10 of 100 = 0.50 [0.40, 0.60]"
    )
    assert "tau = 1.00, rho" in str(rank_correlation([1, 2], [1, 2], resamples=0))


def test_equal_scores_rank_nothing():
    found = rank_correlation(np.ones(20), np.arange(20), top=0.25, resamples=10)
    assert math.isnan(found.tau)
    assert math.isnan(found.rho)
    assert np.isnan(found.tau_interval).all()
    assert found.precision == 0.25  # what a blind choice finds


def test_draws_that_hold_one_architecture_only_are_left_out():
    intervals = [
        rank_correlation([1, 2], [2, 3], resamples=1, seed=seed).tau_interval for seed in range(20)
    ]
    assert {str(interval) for interval in intervals} == {"(nan, nan)", "(1.0, 1.0)"}


def test_infinite_scores_are_ranked():
    assert kendall([-math.inf, 0, math.inf], [1, 2, 3]) == 1
    assert rank_correlation([-math.inf, 0, math.inf], [3, 2, 1], resamples=0).rho == pytest.approx(
        -1
    )
    assert precision_at([-math.inf, 0, math.inf], [1, 2, 3]) == 1


@pytest.mark.parametrize("measure", [rank_correlation, kendall, precision_at])
def test_bad_scores_are_explained(measure):
    with pytest.raises(ValueError, match=r"2 of 4 architectures have no score.*keep = "):
        measure([1, 2, math.nan, 4], [1, math.nan, 3, 4])
    for a, b in (([1, 2], [1, 2, 3]), ([[1, 2]], [[1, 2]]), ([1], [1]), ([], [])):
        with pytest.raises(ValueError, match=r"two arrays \[N\] of scores"):
            measure(a, b)


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"top": 0}, ValueError, "top is a share"),
        ({"top": 10}, ValueError, "top is a share"),
        ({"resamples": -1}, ValueError, "resamples must be at least 0"),
        ({"resamples": 1.5}, TypeError, "resamples must be a whole number"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
    ],
)
def test_bad_arguments_are_explained(wrong, error, words):
    with pytest.raises(error, match=words):
        rank_correlation([1, 2, 3], [1, 2, 3], **wrong)
