"""How good is a network, cheaply? Performance estimation, the third question of the lecture.

An estimate is any picklable callable `estimate(arch, seed) -> Evaluation`. Names load when they
are first used, so that light ones come without torch.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submodules=[
        "archives",
        "base",
        "building",
        "commands",
        "early",
        "extrapolation",
        "fidelity",
        "int8",
        "onnx_file",
        "latency",
        "lookup",
        "objectives",
        "on_device",
        "predictors",
        "proxies",
        "table",
        "training",
        "weight_sharing",
    ],
    submod_attrs={
        "base": ["Estimator", "Evaluation"],
        "early": ["EarlyStopped"],
        "extrapolation": ["CurveRegression", "PowerLaw"],
        "fidelity": ["fewer_channels", "fewer_epochs", "fewer_images", "lower_resolution"],
        "lookup": ["LookupTable"],
        "on_device": ["OnDevice"],
        "predictors": ["ForestPredictor", "NeuralPredictor", "RidgePredictor"],
        "table": ["Table"],
        "training": ["TrainFromScratch"],
        "weight_sharing": ["SharedWeights"],
    },
)
