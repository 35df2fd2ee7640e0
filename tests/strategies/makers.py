"""Every strategy by name, as ``make(space, seed=seed)``."""

from functools import partial

from nas_lab import strategies


class SmallController(strategies.LSTMController):
    hidden = 8


LEARNER = partial(strategies.Reinforce, batch=4)
STRATEGIES = {
    "random": strategies.RandomSearch,
    "evolution": partial(strategies.RegularizedEvolution, population=8, sample=3),
    "local search": strategies.LocalSearch,
    "nsga2": partial(strategies.NSGA2, population=4, cost="cost"),
    "halving": partial(strategies.SuccessiveHalving, archs=5),
    "hyperband": strategies.Hyperband,
    "reinforce": partial(LEARNER, controller=SmallController),
    "factorised": partial(LEARNER, controller=strategies.FactorisedController),
}
"""With populations and batches so small that they come to an end within a few trials."""
