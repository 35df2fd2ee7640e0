"""EAS: the controller against enumeration and autograd, the search against what it promises."""

import itertools
import math
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nas_lab import nets, runtime, training
from nas_lab.data import FashionMNIST
from nas_lab.spaces import Skeleton, conv_chain, mlp, nasbench201, plain_chain, rnn
from nas_lab.spaces.chains import layers
from nas_lab.strategies import EAS
from nas_lab.strategies import eas as module
from nas_lab.strategies.eas import GrowthController, grow
from nas_lab.strategies.reinforce import chosen, entropy
from nas_lab.training import Curve, Recipe

SKELETON = Skeleton(resolution=6, in_channels=1)
PLAIN = plain_chain((1, 2, 3), heights=(1, 3), widths=(3,), strides=(1, 2), filters=(4, 2, 6))
SPACES = {
    "plain_chain": PLAIN,
    "conv_chain": conv_chain(2, False, filters=(2, 4, 6)),
    "mlp": mlp(layers=(1, 2, 3), hidden=(4, 8)),
}
START = {"plain_chain": (0, 1, 0, 1, 1, *(0,) * 8), "conv_chain": (0,) * 8, "mlp": (0,) * 4}
every_space = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES.keys())
every_name = pytest.mark.parametrize("name", SPACES)


@pytest.fixture(scope="module")
def data():
    return FashionMNIST(resolution=6, batch_size=50, images=150)


class SmallController(GrowthController):
    hidden = 6


def policy(controller, arch):
    """Probabilities that each layer is widened, [L], and of a new layer behind each, [L, S]."""
    p = controller(arch).exp().detach().numpy()
    return p[:-1, 1], p[-1, 1:].reshape(len(p) - 1, len(controller.sizes))


def opinionated(space, seed=0):
    """A controller far from equal probabilities."""
    controller = SmallController(space, seed=seed)
    generator = runtime.generator(seed, 1)
    with torch.no_grad():
        for weight in controller.parameters():
            weight += torch.randn(weight.shape, generator=generator)
    return controller


def growths(space, arch):
    """All growths of an architecture, listed from the space's decisions alone."""
    names = {d.name: d.options for d in space.decisions}
    rows = layers(space, arch)
    kind = "hidden" if "hidden_1" in names else "filters"
    sizes = len(names.get("height_1", (0,))) * len(names.get("width_1", (0,)))
    each = [(0, 1) if row[kind] < max(names[f"{kind}_1"]) else (0,) for row in rows]
    deeper = len(rows) < max(names.get("layers", (0,)))
    new = range(1 + len(rows) * sizes) if deeper else (0,)
    return list(itertools.product(*each, new))


def log_prob(controller, arch, growth):
    return chosen(controller(arch)[None], [growth])[0]


def probabilities(controller, arch):
    with torch.no_grad():
        return np.array(
            [log_prob(controller, arch, g).double().exp() for g in growths(controller.space, arch)]
        )


# ---- the controller --------------------------------------------------------------------------


@every_space
@given(seed=st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_probabilities_of_what_can_grow_sum_to_one(space, seed):
    arch = space.sample(np.random.default_rng(seed))
    assert probabilities(opinionated(space), arch).sum() == pytest.approx(1, abs=1e-5)


def test_samples_follow_the_probabilities():
    controller, arch = opinionated(PLAIN), (1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0)
    possible = growths(PLAIN, arch)
    rng = np.random.default_rng(5)
    drawn = [possible.index(controller.sample(arch, rng)) for _ in range(4000)]
    expected = 4000 * probabilities(controller, arch)
    rare = expected < 5
    counts = np.bincount(drawn, minlength=len(possible))
    pooled = [np.append(x[~rare], x[rare].sum()) for x in (counts, expected)]
    pooled[1] *= pooled[0].sum() / pooled[1].sum()
    assert (~rare).sum() > 5
    assert stats.chisquare(*pooled).pvalue > 1e-3


def test_the_entropy_is_that_of_the_enumeration():
    controller, arch = opinionated(PLAIN), (1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0)
    with torch.no_grad():
        ours = entropy(controller(arch)[None]).item()
    assert ours == pytest.approx(stats.entropy(probabilities(controller, arch)), rel=1e-4)


@every_space
def test_a_new_controller_leaves_all_open(space):
    arch = space.sample(np.random.default_rng(1))
    widen, deepen = policy(GrowthController(space, seed=2), arch)
    assert set(widen.tolist()) <= {0.0, 0.5}
    assert deepen.sum() == pytest.approx(0.5) or deepen.sum() == 0
    np.testing.assert_allclose(deepen, deepen[0, 0], rtol=1e-5)


def test_the_lstm_reads_in_both_directions():
    """Another last layer changes what is decided on the first, and the other way round."""
    controller = opinionated(PLAIN)
    arch = (1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0)
    before, _ = policy(controller, arch)
    last, first = (*arch[:7], 1, *arch[8:]), (*arch[:3], 1, *arch[4:])
    assert policy(controller, last)[0][0] != before[0]
    assert policy(controller, first)[0][1] != before[1]


def test_the_estimate_is_unbiased(data):
    """Its expectation over all growths is the gradient of J by autograd, baseline or not."""
    eas, arch = make(data), (1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0)
    eas.controller = controller = opinionated(PLAIN)
    eas.entropy = 0.3
    weights = list(controller.parameters())
    possible = growths(PLAIN, arch)
    gains = (0.1 * np.random.default_rng(0).random(len(possible))).tolist()

    def flat(loss):
        gradients = torch.autograd.grad(loss, weights, allow_unused=True)
        pairs = zip(gradients, weights, strict=True)
        return torch.cat([(torch.zeros_like(w) if g is None else g).flatten() for g, w in pairs])

    log_p = torch.stack([log_prob(controller, arch, g) for g in possible])
    j = (log_p.exp() * (torch.tensor(gains) - 0.3 * log_p)).sum()
    exact = flat(j)
    p = log_p.detach().exp()
    for baseline in (0.0, 0.7):
        eas.baseline = baseline
        losses = [eas.loss([arch], [g], [r])[0] for g, r in zip(possible, gains, strict=True)]
        mean = sum(-p_g * flat(loss) for p_g, loss in zip(p, losses, strict=True))
        assert exact.abs().max() > 1e-3
        torch.testing.assert_close(mean, exact, atol=2e-5, rtol=1e-3)


def test_seeds_tell_controllers_apart():
    one, same, other = (GrowthController(PLAIN, seed=s) for s in (1, 1, 2))
    assert torch.equal(one.encoder.weight_hh_l0, same.encoder.weight_hh_l0)
    assert not torch.equal(one.encoder.weight_hh_l0, other.encoder.weight_hh_l0)


def test_only_chains_grow():
    for space in (nasbench201(), rnn()):
        with pytest.raises(TypeError, match="along a chain"):
            GrowthController(space, seed=0)
    with pytest.raises(ValueError, match="without skips"):
        GrowthController(conv_chain(3, True), seed=0)


# ---- growing ---------------------------------------------------------------------------------


@every_space
@given(data=st.data(), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_every_growth_gives_the_layers_it_names_and_the_same_function(space, data, seed):
    arch = space.sample(np.random.default_rng(seed))
    chain = nets.Chain.build(space, arch, SKELETON, seed)
    chain.net.eval()
    growth = data.draw(st.sampled_from(growths(space, chain.arch)))
    images = torch.randn(8, *SKELETON.image, generator=runtime.generator(seed))
    child = grow(chain, growth, images, np.random.default_rng(seed))
    kind = "hidden" if space.name == "mlp" else "filters"
    options = sorted(next(d.options for d in space.decisions if d.name == f"{kind}_1"))
    expected = [
        {**row, kind: options[options.index(row[kind]) + grows]}
        for row, grows in zip(chain.layers, growth[:-1], strict=True)
    ]
    if growth[-1]:
        decisions = {d.name: d.options for d in space.decisions}
        sizes = [{}]
        if kind == "filters":
            sizes = [
                {"height": h, "width": w, "stride": 1}
                for h in decisions["height_1"]
                for w in decisions["width_1"]
            ]
        behind, size = divmod(growth[-1] - 1, len(sizes))
        expected.insert(behind + 1, {**sizes[size], kind: expected[behind][kind]})
    assert child.layers == expected
    assert child.net is not chain.net
    with torch.no_grad():
        torch.testing.assert_close(child.net(images), chain.net(images), rtol=1e-5, atol=1e-5)


def test_what_cannot_grow_is_explained():
    space = SPACES["mlp"]
    chain = nets.Chain.build(space, (2, 1, 1, 1), SKELETON)
    images, rng = torch.zeros(4, *SKELETON.image), np.random.default_rng(0)
    with pytest.raises(ValueError, match="no networks of 4 layers"):
        grow(chain, (0, 0, 0, 1), images, rng)


# ---- the search ------------------------------------------------------------------------------


def make(data, name="plain_chain", *, seed=0, **settings):
    """A search; settings are attributes."""
    options = {"start": START[name], "seed": seed, "first": Recipe(epochs=1)}
    eas = EAS(SPACES[name], SKELETON, data, **options)
    for attribute, value in ({"batch": 2} | settings).items():
        setattr(eas, attribute, value)
    return eas


def timeless(trials):
    """Trials without what no seed can fix."""
    return [replace(t, result=replace(t.result, cost=0.0)) for t in trials]


def faking(monkeypatch, accuracy):
    """Trainings that take no time: their accuracy is that of `accuracy(net)`."""

    def train(net, data, recipe, *, seed):
        score = accuracy(net)
        status = "diverged" if math.isnan(score) else "finished"
        n = recipe.epochs
        return Curve((1.0,) * n, (1.0,) * n, (score,) * n, (1.0,) * n, status)

    monkeypatch.setattr(module, "train", train)


@every_name
def test_children_grow_from_their_parents(data, name):
    space = SPACES[name]
    trials = list(make(data, name).search(7))
    assert [t.id for t in trials] == list(range(7))
    assert trials[0].arch == space.canonical(START[name])
    assert trials[0].result.metrics["parent"] == -1
    for trial in trials[1:]:
        parent = trials[int(trial.result.metrics["parent"])]
        assert parent.id < trial.id
        ours, theirs = (len(layers(space, t.arch)) for t in (trial, parent))
        assert ours - theirs in (0, 1)
        sizes = [space.cost(t.arch, SKELETON).params for t in (trial, parent)]
        assert sizes[0] >= sizes[1]
        assert trial.result.metrics["params"] == sizes[0]
        assert trial.result.metrics["epochs"] == parent.result.metrics["epochs"] + 1
        assert trial.result.cost > 0
        assert 0 <= trial.result.score <= 1


def test_the_best_become_parents_and_keep_their_networks(data):
    eas = make(data, most_parents=3)
    trials = []
    for trial in eas.search(9):
        trials.append(trial)
        best = sorted(trials, key=lambda t: -t.result.score)[:3]
        assert [p.trial for p in eas.parents] == best
    for parent in eas.parents:
        measured = training.evaluate(parent.chain.net, data.val_dataloader())
        assert measured == pytest.approx(parent.trial.result.score)
        assert parent.chain.arch == parent.trial.arch


@every_name
def test_a_seed_repeats_itself_and_another_does_not(data, name):
    state = torch.get_rng_state()
    one = timeless(make(data, name, seed=3).search(6))
    assert torch.equal(torch.get_rng_state(), state), "the global generator was used"
    torch.manual_seed(99)
    assert timeless(make(data, name, seed=3).search(6)) == one
    assert timeless(make(data, name, seed=4).search(6)) != one


def test_stopping_and_going_on_changes_nothing(data):
    complete = timeless(make(data).search(7))
    eas = make(data)
    for trial in eas.search(7):
        if trial.id == 2:
            break
    assert len(eas.history) == 3
    assert timeless(eas.search(5)) == complete[:5]
    assert timeless(eas.search(7)) == complete


@pytest.fixture
def interruptible():
    """Python answers Ctrl-C with KeyboardInterrupt, also where this process was told not to."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("when", [0, 1, 4])
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_in_a_training_loses_that_training_alone(data, monkeypatch, when):
    complete = timeless(make(data).search(7))
    eas, interrupted = make(data), []

    def train(net, data, recipe, *, seed):
        stop = len(eas.history) == when and not interrupted

        def on_epoch(event):
            if stop:
                interrupted.append(True)
                signal.raise_signal(signal.SIGINT)

        return training.train(net, data, recipe, seed=seed, on_epoch=on_epoch)

    monkeypatch.setattr(module, "train", train)
    with pytest.raises(KeyboardInterrupt, match="search again to go on"):
        list(eas.search(7))
    assert len(eas.history) == when
    assert timeless(eas.search(7)) == complete


def test_failed_trainings_are_counted_but_no_parents_and_teach_nothing(data, monkeypatch):
    faking(
        monkeypatch, lambda net: 0.5 if "layer_2" not in dict(net.named_children()) else math.nan
    )
    eas = make(data, seed=1, batch=1)
    trials = list(eas.search(12))
    failed = [t for t in trials if math.isnan(t.result.score)]
    assert failed
    assert all(t.result.metrics["diverged"] == 1 for t in failed)
    assert not {t.result.metrics["parent"] for t in trials} & {t.id for t in failed}
    assert all(torch.isfinite(w).all() for w in eas.controller.parameters())
    assert math.isfinite(eas.baseline)


def test_a_first_network_that_fails_ends_the_search(data, monkeypatch):
    faking(monkeypatch, lambda net: math.nan)
    run = make(data).search(3)
    assert math.isnan(next(run).result.score)
    with pytest.raises(RuntimeError, match="first training diverged"):
        next(run)


def test_the_reward_is_what_a_child_gained_over_its_parent(data, monkeypatch):
    accuracies = iter([0.5, 0.6, 0.8, 0.7])
    faking(monkeypatch, lambda net: next(accuracies))
    eas = make(data, batch=1, most_parents=1, entropy=0.0, baseline_decay=0.75)
    baselines = [eas.baseline for _ in eas.search(4)]
    assert math.isnan(baselines[0])
    assert baselines[1] == pytest.approx(0.1)
    assert baselines[2] == pytest.approx(0.75 * 0.1 + 0.25 * 0.2)
    assert baselines[3] == pytest.approx(0.75 * 0.125 - 0.25 * 0.1), "its parent is the best, 0.8"


def test_equal_scores_leave_the_controller_undecided(data, monkeypatch):
    faking(monkeypatch, lambda net: 0.5)
    eas = make(data, batch=4, entropy=0.0)
    list(eas.search(41))
    widen, _ = policy(eas.controller, PLAIN.canonical(START["plain_chain"]))
    np.testing.assert_allclose(widen, 0.5, atol=1e-6)


def test_the_controller_learns_what_pays(data, monkeypatch):
    """Widening is paid for; new layers cost. Children start from one parent, the first."""
    first = nets.build(PLAIN, START["plain_chain"], SKELETON)
    filters = first.layer_1.conv.out_channels

    def accuracy(net):
        widened = net.layer_1.conv.out_channels > filters
        deepened = "layer_2" in dict(net.named_children())
        return 0.5 + 0.1 * widened - 0.1 * deepened

    faking(monkeypatch, accuracy)
    eas = make(data, batch=5)
    eas.optimiser.param_groups[0]["lr"] = 0.02
    run = eas.search(201)
    next(run)
    begin = eas.parents
    for _ in run:
        eas.parents = begin
    widen, deepen = policy(eas.controller, begin[0].chain.arch)
    assert widen[0] > 0.9
    assert deepen.sum() < 0.1


def test_bad_arguments_are_explained(data):
    for arguments, message in (({"start": (0, 1)}, "tokens"), ({"seed": -1}, "seed must be")):
        with pytest.raises(ValueError, match=message):
            EAS(PLAIN, SKELETON, data, **{"start": START["plain_chain"], **arguments})
    with pytest.raises(ValueError, match="resolution"):
        EAS(PLAIN, Skeleton(resolution=8, in_channels=1), data, start=START["plain_chain"])
    with pytest.raises(ValueError, match="trials must be at least 0"):
        make(data).search(-1)
