"""How each widget is made, also from a state, and what a reader then does with it."""

import numpy as np

from nas_lab import widgets
from nas_lab.estimation import Table
from nas_lab.history import Evaluation, Trial
from nas_lab.widgets.rankings import Checkpoints, Fidelities, Rankings
from tests.strategies.tables import invented
from tests.widgets.reading import find, press

GOOD = (3, 3, 3, 1, 0, 3)
N = 40
IMAGES, EPOCHS = (100, 200, 400), 3
SECONDS = {"steady": np.array([1.0, 5.0, 20.0]), "hasty": np.array([2.0, 10.0])}


def fidelities(seed=0):
    """Invented: what is cheaper is noisier."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0.6, 0.9, N)
    share = np.outer(np.array(IMAGES) / IMAGES[-1], np.arange(1, EPOCHS + 1) / EPOCHS)
    noise = rng.normal(0, 0.02, (len(IMAGES), EPOCHS, N)) / share[:, :, None]
    return Fidelities(truth + noise, truth, IMAGES, share)


def rankings(seed=0):
    """Invented, with two seeds: longer training brings less noise, one method has more of it."""
    rng = np.random.default_rng(seed)
    archs = rng.integers(5, size=(N, 6))
    truth = rng.uniform(0.6, 0.9, N)
    methods = {}
    for more, (name, seconds) in enumerate(SECONDS.items(), start=1):
        noise = rng.normal(0, 0.2 * more, (2, len(seconds), N))
        methods[name] = Checkpoints(truth - 0.1 + noise / (1 + seconds[:, None]), truth, seconds)
    return Rankings(archs, truth, methods)


def film(steps=40, seed=0):
    """Weights that drift at random."""
    alpha = np.cumsum(np.random.default_rng(seed).normal(size=(steps, 6, 5)), axis=0)
    w = np.exp(alpha)
    return w / w.sum(axis=2, keepdims=True)


def by_hand(strategy, trials, seen=lambda: None):
    """The scores of a strategy; ``seen`` is called before the last trial is told."""
    scores = []
    for i in range(trials):
        (arch,) = strategy.ask(1)
        result = invented()(arch)
        scores.append(result.score)
        if i == trials - 1:
            seen()
        strategy.tell([Trial(i, arch, result)])
    return scores


def broken(**arrays):
    """The table with other numbers."""
    return Table({**invented()._arrays, **arrays}, invented().about)


def trained(arch, seed):
    return Evaluation((0.7 + sum(arch) / 100 + seed / 1000) if arch[0] != 4 else float("nan"), 1.5)


def catch_up(w):
    w.model.catch_up()


def do(w, move):
    """Press a button, put a control to a value, set traits of the state, or call a function."""
    if isinstance(move, str):
        press(w, move)
    elif isinstance(move, tuple):
        find(w, move[0]).value = move[1]
    elif isinstance(move, dict):
        w.model.update(**move)
    else:
        move(w)


STEPS = film(1)[0]


def player(steps=None, **state):
    return widgets.AlphaPlayer(film() if steps is None else steps, table=invented(), **state)


SCORES = np.random.default_rng(1).uniform(0.6, 0.8, 81)

# How each is made, and what a reader then does.
WALKS = {
    "CellBuilder": (
        lambda **state: widgets.CellBuilder(**state, estimate=trained),
        [
            *(("1 → output", 4), "Train", "Train", ("input → 1", 4), "Train", "Random cell"),
            ("cell", "a dead end: node 2 leads nowhere"),
            ("cell", "broken: no path to the output"),
            "Reset",
        ],
    ),
    "PickTen": (
        lambda **state: widgets.PickTen(invented(), **({"picks": [(0,) * 6] * 5} | state)),
        [
            *("Train", ("input → 1", 3), "Train", ("input → 2", 3), "Train"),
            *({"arch": GOOD}, "Train", "Reset"),
        ],
    ),
    "LiveRace": (
        lambda **state: widgets.LiveRace(invented(), **({"trials": 12, "end": 40} | state)),
        [
            *("Step", ("entropy weight", 0.1), catch_up, ("local search", True), catch_up),
            *("Next seed", catch_up, ("REINFORCE", False), {"trials": 5}),
            lambda w: w.model.run(),
            lambda w: w.model.tick(0.0, float("inf")),
            lambda w: w.model.pause(),
            "Reset",
        ],
    ),
    "GradientSliders": (
        lambda **state: widgets.GradientSliders(invented(), **state),
        [
            *(("baseline b", 0.5), ("batch m", 16), ("steps learnt", 60), ("entropy weight", 0.01)),
            *("Mean reward", "Draw again", "Reset"),
        ],
    ),
    "OneShotRanks": (
        lambda **state: widgets.OneShotRanks(**state, rankings=rankings()),
        [("trained for", 0), ("method", "hasty"), ("trained for", 1), "Reset"],
    ),
    "BudgetDivider": (
        widgets.BudgetDivider,
        [("bracket", 4), ("epochs", 9), ("eta", 2), ("epochs", 81), "Reset"],
    ),
    "FidelitySlider": (
        lambda **state: widgets.FidelitySlider(**{"images": 100, **state}, fidelities=fidelities()),
        [("epochs", 3), ("images", 400), "Reset"],
    ),
    "SwapParts": (
        lambda **state: widgets.SwapParts(invented(), **state),
        [("input → 1", 2), "Nearest better", ("2 → output", 4), "Nearest better", "Reset"],
    ),
    "CompoundScaling": (
        widgets.CompoundScaling,
        [
            *(("α depth", 1.5), ("φ steps", 2.0), ("keep α β² γ² = 2", True), ("β width", 1.3)),
            *(("scale", "wider only"), ("base", "B0"), ("scale", "a third each"), "Reset"),
        ],
    ),
    "EdgeDevices": (
        lambda **state: widgets.EdgeDevices(**state, table=invented()),
        [("beta", 3.0), ("device", "edge_tpu"), ("beta", 0.5), "Reset"],
    ),
    "ElasticSlices": (
        lambda **state: widgets.ElasticSlices(**({"scores": SCORES} | state)),
        [
            *(("depth", 3), ("width", 48), ("heads", 1), ("ratio", 4), ("device", "v100")),
            *({"depth": 1, "width": 16}, "Reset"),
        ],
    ),
    "AlphaPlayer": (
        player,
        [
            ("step", 7),
            ("speed", 4.0),
            lambda w: w.model.run(),
            lambda w: w.model.append(STEPS),
            "Reset",
            {"speed": 1.5},
        ],
    ),
    "TemperatureSlider": (
        lambda **state: widgets.TemperatureSlider(np.log(film()[-1]), **state),
        [("temperature tau", 0.1), {"tau": 0.3}, "Reset"],
    ),
}
