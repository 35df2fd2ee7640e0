"""From data to a deployed model: how much of the whole workflow can be automated.

Data are read (``images``) and checked (``checks``), architecture and training are searched
together (``joint``, ``studies``), on many machines if need be (``cluster``), and the winner is
trained again, tested once, and handed over with a card (``pipeline``, ``cards``).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["deployment", "images", "studies"],
    submod_attrs={
        "cards": ["ModelCard"],
        "checks": ["Finding", "check_data"],
        "cluster": ["OnWorker", "Plan", "Recorded", "Replay", "busy", "timeline"],
        "deployment": ["export", "largest_difference", "run_onnx"],
        "images": ["Images", "Splits", "read_csv", "read_folder", "split", "without_copies"],
        "joint": ["AUGMENTATIONS", "JointSpace", "Settings"],
        "loading": ["ImageData"],
        "pipeline": ["Stopwatch", "Winner", "finish", "spread_of_test"],
        "studies": ["OptunaSearch", "StrategySampler", "open_study", "run_study"],
        "training": ["TrainJointly"],
    },
)
