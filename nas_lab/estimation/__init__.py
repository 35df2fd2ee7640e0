"""How good is a network, cheaply? Performance estimation, the third question of the lecture.

An estimate is any picklable callable `estimate(arch, seed) -> Evaluation`. Names load when they
are first used, so that light ones come without torch.
"""

import lazy_loader as _lazy

from nas_lab.history import Estimator, Evaluation

_attributes = {
    "curves": ["CurveRegression", "EarlyStopped", "PowerLaw"],
    "latency": [],
    "onnx": [],
    "pareto": ["LookupTable", "OnDevice"],
    "predictors": ["ForestPredictor", "NeuralPredictor", "RidgePredictor"],
    "proxies": [],
    "scaling_grid": ["ScalingGrid"],
    "tables": [
        "DartsRuns",
        "OneShotRuns",
        "ProxyTable",
        "ShortcutTable",
        "Table",
        "TransformerGrid",
        "TransformerRuns",
    ],
    "training": [
        *("TrainFromScratch", "lower_resolution"),
        *("fewer_channels", "fewer_epochs", "fewer_images"),
    ],
    "weight_sharing": ["SharedWeights"],
}

__getattr__, __dir__, __all__ = _lazy.attach(__name__, _attributes, _attributes)
__all__ += ["Estimator", "Evaluation"]
