"""How each widget is made, also from a state, and what a reader then does with it."""

import numpy as np

from nas_lab import spaces, widgets
from nas_lab.history import Evaluation
from nas_lab.widgets.fidelity import Fidelities
from nas_lab.widgets.one_shot import Checkpoints, Rankings
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
    return Fidelities(IMAGES, truth + noise, share, truth)


def rankings(seed=0):
    """Invented, with two seeds: longer training brings less noise, one method has more of it."""
    rng = np.random.default_rng(seed)
    archs = rng.integers(5, size=(N, 6))
    truth = rng.uniform(0.6, 0.9, N)
    methods = {}
    for more, (name, seconds) in enumerate(SECONDS.items(), start=1):
        noise = rng.normal(0, 0.2 * more, (2, len(seconds), N))
        methods[name] = Checkpoints(seconds, truth - 0.1 + noise / (1 + seconds[:, None]), truth)
    return Rankings(archs, truth, methods)


def film(steps=40, space=None, seed=0):
    """Weights that drift at random."""
    mask = (space or spaces.nasbench201()).mask
    alpha = np.cumsum(np.random.default_rng(seed).normal(size=(steps, *mask.shape)), axis=0)
    w = np.exp(alpha)
    return w / w.sum(axis=2, keepdims=True)


def move(text, value):
    """Put the control that is called so to a value."""
    return lambda w: setattr(find(w, text), "value", value)


def click(text):
    return lambda w: press(w, text)


def call(name, *values):
    return lambda w: getattr(w.model, name)(*values)


def give(name, value):
    return lambda w: setattr(w.model, name, value)


def catch_up(w):
    w.model.catch_up()


def trained(arch, seed):
    return Evaluation((0.7 + sum(arch) / 100 + seed / 1000) if arch[0] != 4 else float("nan"), 1.5)


RESET = click("Reset")
TRAIN = click("Train")
DARTS = spaces.darts()
# How each is made, and what a reader then does.
WALKS = {
    "CellBuilder": (
        lambda **state: widgets.CellBuilder(**state, estimate=trained),
        [
            move("1 → output", 4),
            TRAIN,
            TRAIN,
            move("input → 1", 4),
            TRAIN,
            click("Random cell"),
            move("cell", "a dead end: node 2 leads nowhere"),
            move("cell", "broken: no path to the output"),
            RESET,
        ],
    ),
    "PickTen": (
        lambda **state: widgets.PickTen(invented(), **({"picks": [(1,) * 6] * 5} | state)),
        [
            TRAIN,
            move("input → 1", 3),
            TRAIN,
            move("input → 2", 3),
            TRAIN,
            give("arch", GOOD),
            TRAIN,
            RESET,
        ],
    ),
    "LiveRace": (
        lambda **state: widgets.LiveRace(invented(), **({"trials": 12, "end": 40} | state)),
        [
            click("Step"),
            move("entropy weight", 0.1),
            catch_up,
            move("local search", True),
            catch_up,
            click("Next seed"),
            catch_up,
            move("REINFORCE", False),
            give("trials", 5),
            call("run"),
            call("tick", 0.0, float("inf")),
            call("pause"),
            RESET,
        ],
    ),
    "GradientSliders": (
        lambda **state: widgets.GradientSliders(invented(), **state),
        [
            move("baseline b", 0.5),
            move("batch m", 16),
            move("steps learnt", 60),
            move("entropy weight", 0.01),
            click("Mean reward"),
            click("Draw again"),
            RESET,
        ],
    ),
    "OneShotRanks": (
        lambda **state: widgets.OneShotRanks(**state, rankings=rankings()),
        [move("trained for", 0), move("method", "hasty"), move("trained for", 1), RESET],
    ),
    "BudgetDivider": (
        widgets.BudgetDivider,
        [move("bracket", 4), move("epochs", 9), move("eta", 2), move("epochs", 81), RESET],
    ),
    "FidelitySlider": (
        lambda epochs=1, images=100: widgets.FidelitySlider(
            epochs, images, fidelities=fidelities()
        ),
        [move("epochs", 3), move("images", 400), RESET],
    ),
    "SwapParts": (
        lambda **state: widgets.SwapParts(invented(), **state),
        [
            move("input → 1", 2),
            click("Nearest better cell"),
            move("2 → output", 4),
            click("Nearest better cell"),
            RESET,
        ],
    ),
    "CompoundScaling": (
        widgets.CompoundScaling,
        [
            move("α depth", 1.5),
            move("φ steps", 2.0),
            move("keep α β² γ² = 2", True),
            move("β width", 1.3),
            move("scale", "wider only"),
            move("base", "B0"),
            move("scale", "a third each"),
            RESET,
        ],
    ),
    "EdgeDevices": (
        lambda **state: widgets.EdgeDevices(**state, table=invented()),
        [move("beta", 3.0), move("device", "edge_tpu"), move("beta", 0.5), RESET],
    ),
    "AlphaPlayer": (
        lambda steps=None, **state: widgets.AlphaPlayer(
            film() if steps is None else steps, table=invented(), **state
        ),
        [
            move("step", 7),
            move("speed", 4.0),
            call("run"),
            call("append", film(1)[0]),
            RESET,
            give("speed", 1.5),
        ],
    ),
    "AlphaPlayer of DARTS": (
        lambda steps=None, **state: widgets.AlphaPlayer(
            film(3, DARTS) if steps is None else steps, space=DARTS, **state
        ),
        [move("step", 1), call("append", film(1, DARTS)[0])],
    ),
    "TemperatureSlider": (
        lambda **state: widgets.TemperatureSlider(np.log(film()[-1]), **state),
        [move("temperature tau", 0.1), give("tau", 0.3), RESET],
    ),
}
