"""Search strategies: how to explore a space."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "baselines": ["NSGA2", "LocalSearch", "RandomSearch", "RegularizedEvolution"],
        "base": ["SeededStrategy", "Strategy", "search"],
        "darts": ["Darts"],
        "enas": ["Enas"],
        "halving": ["Continued", "Hyperband", "SuccessiveHalving"],
        "darts_variants": ["LatencyAwareDarts"],
        "eas": ["EAS"],
        "one_shot": ["Distinct", "Fair", "OneShot", "Sandwich", "Uniform"],
        "racing": ["Race", "band", "race"],
        "reinforce": ["Controller", "FactorisedController", "LSTMController", "Reinforce"],
    },
)
