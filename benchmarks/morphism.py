"""Does it pay to inherit weights?

The first table trains the same architectures from inherited weights and from scratch, each for
several numbers of epochs, and takes the shortest training that reaches an accuracy. Where the
parent's own training is counted too, a search of one child pays for it alone. The second table
lets EAS and random search run for about as many seconds (random search finishes the training that
it is in), and trains what they find from scratch, beside the network with the most parameters.

Seconds are CPU seconds of this thread, which other programs disturb less.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
from _report import report

from nas_lab import nets, spaces
from nas_lab.data import FashionMNIST
from nas_lab.estimation import TrainFromScratch
from nas_lab.nets.morphisms import to_arch
from nas_lab.strategies import EAS
from nas_lab.training import Recipe, train

DATA = FashionMNIST(resolution=12, images=5000)
SKELETON = spaces.Skeleton(resolution=12, in_channels=1)
SPACE = spaces.plain_chain(
    (2, 3, 4), heights=(3,), widths=(3,), strides=(1, 2), filters=(8, 12, 16, 24, 32)
)
IMAGES = next(iter(DATA.train_dataloader()))[0]
SEEDS, PARENT_EPOCHS = 4, 8
TARGETS = (0.76, 0.78, 0.80)
SCRATCH = [Recipe(epochs=n) for n in (2, 3, 4, 6, 8)]
INHERITED = [Recipe(epochs=n, schedule="cosine") for n in (1, 2, 4, 6)]
TRIALS = 12


def small() -> spaces.Arch:
    """The parent: two layers with stride 2, of 8 and 16 filters."""
    size = {"height": 3, "width": 3, "stride": 2}
    return to_arch(SPACE, [{**size, "filters": 8}, {**size, "filters": 16}])


def wider(chain: nets.Chain, rng: np.random.Generator) -> nets.Chain:
    """Twice the filters."""
    for layer, filters in ((1, 16), (2, 32)):
        chain = nets.widen(chain, layer, filters, rng, noise=0.1)
    return chain


def deeper(chain: nets.Chain, rng: np.random.Generator) -> nets.Chain:
    """Twice the layers."""
    for layer in (1, 3):
        chain = nets.deepen(chain, layer, IMAGES, height=3, width=3)
    return chain


GROWTHS: dict[str, Callable[[nets.Chain, np.random.Generator], nets.Chain]] = {
    "wider": wider,
    "deeper": deeper,
    "both": lambda chain, rng: deeper(wider(chain, rng), rng),
}


def trained(chain: nets.Chain, recipe: Recipe, seed: int) -> tuple[float, float]:
    """Train in place; return accuracy and CPU seconds."""
    began = time.thread_time()
    accuracy = train(chain.net, DATA, recipe, seed=seed, num_threads=1).accuracy
    return accuracy, time.thread_time() - began


def shortest(runs: list[tuple[float, float]], target: float) -> float:
    """Seconds of the first training, from the shortest on, that reaches the target; else inf."""
    return next((seconds for accuracy, seconds in runs if accuracy >= target), math.inf)


def parents() -> list[tuple[nets.Chain, float]]:
    """A trained parent of each seed, and its seconds."""
    found = []
    for seed in range(SEEDS):
        chain = nets.Chain.build(SPACE, small(), SKELETON, seed)
        _, seconds = trained(chain, Recipe(epochs=PARENT_EPOCHS), seed)
        found.append((chain, seconds))
    return found


def time_to_accuracy() -> list[dict]:
    """One row for each growth and target: seconds as mean and standard deviation over seeds."""
    families, rows = parents(), []
    for name, growth in GROWTHS.items():
        scratch, inherited = [], []
        for seed, (parent, _) in enumerate(families):
            child = growth(parent, np.random.default_rng(seed))
            new = [nets.Chain.build(SPACE, child.arch, SKELETON, seed) for _ in SCRATCH]
            old = [growth(parent, np.random.default_rng(seed)) for _ in INHERITED]
            pairs = zip(new, SCRATCH, strict=True)
            scratch.append([trained(chain, recipe, seed) for chain, recipe in pairs])
            pairs = zip(old, INHERITED, strict=True)
            inherited.append([trained(chain, recipe, seed + 100) for chain, recipe in pairs])
        for target in TARGETS:
            s = np.array([shortest(runs, target) for runs in scratch])
            i = np.array([shortest(runs, target) for runs in inherited])
            with_parent = i + [seconds for _, seconds in families]
            both = np.isfinite(s) & np.isfinite(i)
            rows.append(
                {
                    "child": name,
                    "accuracy": target,
                    "scratch, s": _spread(s),
                    "inherited, s": _spread(i),
                    "times faster": _mean(s[both] / i[both]),
                    "parent counted": _mean(s[both] / with_parent[both]),
                }
            )
    return rows


def _spread(values: np.ndarray) -> str:
    """Mean and standard deviation over the seeds that reached it, and how many did."""
    reached = values[np.isfinite(values)]
    if not len(reached):
        return f"never (0/{len(values)})"
    return f"{reached.mean():.3f} ± {reached.std():.3f} ({len(reached)}/{len(values)})"


def _mean(ratios: np.ndarray) -> float:
    return float(ratios.mean()) if len(ratios) else math.nan


def eas(seed: int, learning_rate: float) -> tuple[spaces.Arch, float, float]:
    """The best of a search, its accuracy, and the search's seconds."""
    began = time.thread_time()
    first = Recipe(epochs=PARENT_EPOCHS)
    run = EAS(SPACE, SKELETON, DATA, start=small(), seed=seed, first=first)
    run.optimiser.param_groups[0]["lr"] = learning_rate
    list(run.search(TRIALS))
    best = run.history.best
    return best.arch, best.result.score, time.thread_time() - began


def random_search(seed: int, seconds: float) -> tuple[spaces.Arch, float, float]:
    """The best that as many seconds find when every network is trained from scratch."""
    estimate = TrainFromScratch(SPACE, SKELETON, DATA, Recipe(epochs=PARENT_EPOCHS))
    rng, began = np.random.default_rng(seed), time.thread_time()
    found = []
    while time.thread_time() - began < seconds or not found:
        arch = SPACE.sample(rng)
        found.append((estimate(arch, seed).score, arch))
    score, arch = max(found)
    return arch, score, time.thread_time() - began


def largest() -> spaces.Arch:
    """The most layers and filters, with the parent's stride in every other layer."""
    size = {"height": 3, "width": 3, "filters": 32}
    return to_arch(SPACE, [{**size, "stride": stride} for stride in (2, 1, 2, 1)])


def searches() -> list[dict]:
    """Accuracy of what each search found, as it says and when trained from scratch."""
    estimate = TrainFromScratch(SPACE, SKELETON, DATA, Recipe(epochs=PARENT_EPOCHS))
    learning = [eas(seed, 0.01) for seed in range(SEEDS)]
    results = {
        "EAS": learning,
        "EAS, controller at random": [eas(seed, 0.0) for seed in range(SEEDS)],
        "random search": [random_search(s, learning[s][2]) for s in range(SEEDS)],
        "no search: most parameters": [(largest(), math.nan, 0.0)] * SEEDS,
    }
    rows = []
    for name, runs in results.items():
        archs, scores, seconds = zip(*runs, strict=True)
        again = [estimate(arch, 1000 + seed).score for seed, arch in enumerate(archs)]
        rows.append(
            {
                "search": name,
                "s": float(np.mean(seconds)),
                "parameters": float(np.mean([SPACE.cost(a, SKELETON).params for a in archs])),
                "accuracy it found": _spread(np.array(scores)),
                "from scratch": _spread(np.array(again)),
            }
        )
    return rows


if __name__ == "__main__":
    began = time.thread_time()
    report("time to an accuracy", time_to_accuracy())
    report("searches of equal seconds", searches())
    print(f"\n{time.thread_time() - began:.0f} CPU seconds in all")
