"""From data to a deployed model: how much of the whole workflow can be automated.

Data are read and checked (``images``), architecture and training are searched
together (``joint``, ``studies``), on many machines if need be (``cluster``), and the winner is
trained again, tested once, and handed over with a card (``handover``).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["images", "studies"],
    submod_attrs={
        "cluster": ["OnWorker", "Plan", "Recorded", "Replay", "busy", "timeline"],
        "handover": [
            *("ModelCard", "Stopwatch", "TOLERANCE", "Winner"),
            *("export", "finish", "largest_difference", "run_onnx", "spread_of_test"),
        ],
        "images": [
            *("Finding", "Images", "Splits", "check_data"),
            *("read_csv", "read_folder", "split", "without_copies"),
        ],
        "joint": ["ImageData", "JointSpace", "Settings", "TrainJointly"],
        "studies": ["OptunaSearch", "StrategySampler", "open_study", "run_study"],
    },
)
