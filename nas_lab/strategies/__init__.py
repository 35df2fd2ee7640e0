"""Search strategies: how to explore a space."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["SeededStrategy", "Strategy", "search"],
        "controllers": ["Controller", "FactorisedController", "LSTMController"],
        "darts": ["Darts"],
        "darts_runs": ["DartsRuns"],
        "enas": ["Enas"],
        "evolution": ["RegularizedEvolution"],
        "halving": ["Continued", "Hyperband", "SuccessiveHalving"],
        "latency_aware": ["LatencyAwareDarts"],
        "local_search": ["LocalSearch"],
        "morphism": ["EAS", "GrowthController"],
        "nsga2": ["NSGA2"],
        "one_shot": ["OneShot"],
        "one_shot_runs": ["OneShotRuns"],
        "paths": ["Distinct", "Fair", "Uniform"],
        "racing": ["Race", "band", "race"],
        "random_search": ["RandomSearch"],
        "reinforce": ["Reinforce"],
    },
)
