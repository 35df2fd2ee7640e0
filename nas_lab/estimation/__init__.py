"""How good is a network, cheaply? Performance estimation, the third question of the lecture.

An estimate is any picklable callable `estimate(arch, seed) -> Evaluation`. Names load when they
are first used, so that light ones come without torch.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submodules=[
        "curves",
        "onnx",
        "archives",
        "base",
        "latency",
        "pareto",
        "predictors",
        "proxies",
        "scaling_grid",
        "tables",
        "training",
        "weight_sharing",
    ],
    submod_attrs={
        "curves": ["CurveRegression", "EarlyStopped", "PowerLaw"],
        "pareto": ["LookupTable", "OnDevice"],
        "base": ["Estimator", "Evaluation"],
        "predictors": ["ForestPredictor", "NeuralPredictor", "RidgePredictor"],
        "scaling_grid": ["ScalingGrid"],
        "tables": ["DartsRuns", "OneShotRuns", "ProxyTable", "ShortcutTable", "Table"],
        "training": [
            "TrainFromScratch",
            "fewer_channels",
            "fewer_epochs",
            "fewer_images",
            "lower_resolution",
        ],
        "weight_sharing": ["SharedWeights"],
    },
)
