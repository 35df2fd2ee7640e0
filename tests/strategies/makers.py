"""Every strategy by name, as ``make(space, seed=seed)``."""

from functools import partial

from nas_lab.strategies import (
    NSGA2,
    FactorisedController,
    Hyperband,
    LocalSearch,
    LSTMController,
    RandomSearch,
    RegularizedEvolution,
    Reinforce,
    SuccessiveHalving,
)


class SmallController(LSTMController):
    hidden = 8


STRATEGIES = {
    "random": RandomSearch,
    "evolution": partial(RegularizedEvolution, population=8, sample=3),
    "local search": LocalSearch,
    "nsga2": partial(NSGA2, population=4, cost="cost"),
    "halving": partial(SuccessiveHalving, archs=5),
    "hyperband": Hyperband,
    "reinforce": partial(Reinforce, batch=4, controller=SmallController),
    "factorised": partial(Reinforce, batch=4, controller=FactorisedController),
}
"""With populations and batches so small that they come to an end within a few trials."""
