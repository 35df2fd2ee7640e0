"""Effects add up, are those of a definition written out, and give back what was put in."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.inspection import partial_dependence
from sklearn.tree import DecisionTreeRegressor

from nas_lab import explain, spaces
from nas_lab.explain import complete, one_hot_rows, tokens
from nas_lab.spaces.base import Decision, Space

SPACE = Space(
    "small", tuple(Decision(n, tuple(range(k))) for n, k in zip("abcd", (2, 3, 4, 2), strict=True))
)
ARCHS = np.array(list(SPACE))
SEEDS = st.integers(0, 10_000)


def random_scores(seed):
    return np.random.default_rng(seed).normal(size=len(ARCHS)).round(3)


def share_of(scores, places, arch):
    """Mean score of the architectures that share these decisions with `arch`: brute force."""
    alike = (ARCHS[:, places] == np.array(arch)[places]).all(axis=1)
    return scores[alike].mean()


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_effects_add_up_to_scores_and_shares_to_the_variance(seed):
    scores = random_scores(seed)
    found = explain.anova(SPACE, ARCHS, scores)
    for arch, score in zip(SPACE, scores, strict=True):
        assert found.score(arch) == pytest.approx(score)
    variance = sum((effect**2).mean() for group, effect in found.effects.items() if group)
    assert variance == pytest.approx(scores.var())
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.importance().sum() == pytest.approx(1)
    for group, effect in found.effects.items():
        for axis in range(len(group)):
            assert effect.mean(axis=axis) == pytest.approx(np.zeros(effect.mean(axis=axis).shape))


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_main_effects_are_conditional_means(seed):
    scores = random_scores(seed)
    found = explain.main_effects(SPACE, ARCHS, scores)
    for d, decision in enumerate(SPACE.decisions):
        for k in range(found.shape[1]):
            if k < len(decision.options):
                expected = scores[ARCHS[:, d] == k].mean() - scores.mean()
                assert found[d, k] == pytest.approx(expected)
            else:
                assert found[d, k] == 0


@given(SEEDS, st.integers(0, len(ARCHS) - 1))
@settings(max_examples=15, deadline=None)
def test_shapley_values_are_those_of_all_orders(seed, row):
    """By their definition: the mean, over all orders of the decisions, of what each adds."""
    scores, arch = random_scores(seed), tuple(ARCHS[row])
    expected = np.zeros(len(arch))
    for order in itertools.permutations(range(len(arch))):
        for place in range(len(order)):
            before = share_of(scores, list(order[:place]), arch)
            after = share_of(scores, list(order[: place + 1]), arch)
            expected[order[place]] += after - before
    expected /= math.factorial(len(arch))
    found = explain.anova(SPACE, ARCHS, scores)
    assert found.shapley(arch) == pytest.approx(expected)
    assert found.shapley(arch).sum() + found.mean == pytest.approx(scores[row])


def test_importance_is_the_shapley_value_of_explained_variance():
    """Over all orders: by how much the variance of the conditional mean grows."""
    scores = random_scores(5)

    def explained(places):
        means = [share_of(scores, list(places), arch) for arch in SPACE]
        return np.var(means) / scores.var()

    expected = np.zeros(4)
    for order in itertools.permutations(range(4)):
        for place in range(4):
            expected[order[place]] += explained(order[: place + 1]) - explained(order[:place])
    found = explain.anova(SPACE, ARCHS, scores).importance()
    assert found == pytest.approx(expected / math.factorial(4))


@given(SEEDS, st.data())
@settings(max_examples=25, deadline=None)
def test_the_parts_of_a_swap_add_up_to_the_change(seed, data):
    scores = random_scores(seed)
    found = explain.anova(SPACE, ARCHS, scores)
    before = data.draw(st.sampled_from(list(SPACE)))
    d = data.draw(st.integers(0, 3))
    token = data.draw(st.integers(0, len(SPACE.decisions[d].options) - 1))
    swap = found.swap(before, d, token)
    rows = {arch: row for row, arch in enumerate(SPACE)}
    assert swap.change == pytest.approx(scores[rows[swap.after]] - scores[rows[before]])
    assert swap.alone == pytest.approx(found.main[d, token] - found.main[d, before[d]])
    assert swap.pairs[d] == 0


def test_known_effects_are_given_back():
    rng = np.random.default_rng(0)
    effects = [rng.normal(size=len(decision.options)) for decision in SPACE.decisions]
    effects = [effect - effect.mean() for effect in effects]
    together = rng.normal(size=(2, 4))
    together -= together.mean(axis=0) + together.mean(axis=1, keepdims=True) - together.mean()
    scores = 0.7 + sum(effect[ARCHS[:, d]] for d, effect in enumerate(effects))
    scores = scores + together[ARCHS[:, 0], ARCHS[:, 2]]
    found = explain.anova(SPACE, ARCHS, scores)
    assert found.mean == pytest.approx(0.7)
    for d, effect in enumerate(effects):
        assert found.effects[(d,)] == pytest.approx(effect)
    assert found.pair(0, 2) == pytest.approx(together)
    assert found.pair(2, 0) == pytest.approx(together.T)
    assert found.pair(1, 3) == pytest.approx(np.zeros((3, 2)))
    assert found.shares[(0, 2)] == pytest.approx((together**2).mean() / scores.var())


def test_the_same_as_scikit_learns_partial_dependence():
    """A tree that knows every score by heart, its response averaged over all architectures."""
    scores = random_scores(3)
    tree = DecisionTreeRegressor(random_state=0).fit(ARCHS.astype(float), scores)
    found = explain.anova(SPACE, ARCHS, scores)
    for d in range(4):
        response = partial_dependence(tree, ARCHS.astype(float), [d], method="brute")
        assert found.effects[(d,)] == pytest.approx(response["average"][0] - scores.mean())


def test_an_architecture_has_the_score_of_its_canonical_form():
    space = spaces.nasbench201()
    canonical = sorted({space.canonical(arch) for arch in space})
    scores = np.random.default_rng(0).random(len(canonical))
    found = explain.main_effects(space, canonical, scores)
    of = dict(zip(canonical, scores, strict=True))
    whole = np.array([of[space.canonical(arch)] for arch in space])
    chosen = np.array(list(space))[:, 4] == 2
    assert found[4, 2] == pytest.approx(whole[chosen].mean() - whole.mean())


def test_a_forest_stands_in_for_what_nobody_trained():
    effects = [np.linspace(0, 3, len(d.options)) for d in SPACE.decisions]
    scores = sum(effect[ARCHS[:, d]] for d, effect in enumerate(effects))
    rows = np.random.default_rng(0).permutation(len(ARCHS))[:40]
    sampled = explain.main_effects(SPACE, ARCHS[rows], scores[rows])
    exact = explain.main_effects(SPACE, ARCHS, scores)
    assert not np.array_equal(sampled, exact)
    assert np.corrcoef(sampled[SPACE.mask], exact[SPACE.mask])[0, 1] > 0.9
    again = explain.main_effects(SPACE, ARCHS[rows], scores[rows])
    assert np.array_equal(sampled, again)
    with pytest.raises(ValueError, match="a forest needs at least 10"):
        explain.main_effects(SPACE, ARCHS[:9], scores[:9])


def test_equal_scores_have_no_effects():
    found = explain.anova(SPACE, ARCHS, np.full(len(ARCHS), 0.5))
    assert found.importance() == pytest.approx(np.zeros(4))
    assert found.main == pytest.approx(np.zeros((4, 4)))


def test_numbers_of_architectures_are_in_the_order_of_the_space():
    assert np.array_equal(tokens(SPACE), ARCHS)
    rows = one_hot_rows(SPACE)
    for arch, row in zip(SPACE, rows, strict=True):
        assert np.array_equal(SPACE.one_hot(arch)[SPACE.mask], row)
    known = complete(SPACE, ARCHS[:5], np.arange(5.0))
    assert known[tuple(ARCHS[3])] == 3
    assert np.isnan(known).sum() == len(ARCHS) - 5


@pytest.mark.parametrize(
    ("archs", "scores", "says"),
    [
        (ARCHS[:, :3], np.ones(len(ARCHS)), "has 4 tokens"),
        (ARCHS, np.ones(3), r"give archs \[N, 4\]"),
        (ARCHS, np.full(len(ARCHS), np.nan), "scores are NaN"),
        (np.array([ARCHS[0], ARCHS[0]]), [0.1, 0.2], "two scores for one network"),
    ],
)
def test_bad_arrays_are_explained(archs, scores, says):
    with pytest.raises(ValueError, match=says):
        explain.anova(SPACE, archs, scores)


def test_spaces_that_cannot_be_varied_one_by_one_are_refused():
    large = Space("large", tuple(Decision(str(i), (0, 1)) for i in range(40)))
    with pytest.raises(ValueError, match="too many to write out"):
        explain.anova(large, np.zeros((1, 40), int), [0.0])

    class Excluding(Space):
        @property
        def size(self):
            return 3

    with pytest.raises(ValueError, match="excludes combinations"):
        explain.anova(Excluding("odd", SPACE.decisions[:2]), np.zeros((1, 2), int), [0.0])


def test_bad_questions_are_explained():
    found = explain.anova(SPACE, ARCHS, random_scores(0))
    with pytest.raises(ValueError, match="two different decisions from 0 to 3, not 1 and 1"):
        found.pair(1, 1)
    with pytest.raises(ValueError, match="decisions 0 to 3"):
        found.swap((0, 0, 0, 0), 4, 0)
    with pytest.raises(ValueError, match="choose from 0 to 1"):
        found.swap((0, 0, 0, 0), 0, 2)
