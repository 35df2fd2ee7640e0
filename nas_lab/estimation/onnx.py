"""Export to ONNX, in float32 and quantised to int8.

Needs ``pip install nas-lab[edge]``: onnx writes the network down, onnxruntime runs it. Without
them ``available`` is False.
"""

import tempfile
import warnings
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from nas_lab import runtime
from nas_lab.data import FashionMNIST
from nas_lab.estimation.latency import Measurement, in_turns

INPUT, OUTPUT = "image", "logits"
CALIBRATION = 200  # images from which the ranges of results are taken


def available() -> bool:
    """Whether onnx and onnxruntime are installed."""
    try:
        return bool(_onnxruntime())
    except ImportError:
        return False


def _onnxruntime() -> ModuleType:
    try:
        import onnx  # noqa: F401 (torch's exporter needs it)
        import onnxruntime
    except ImportError as error:
        advice = "ONNX files need onnx and onnxruntime: pip install 'nas-lab[edge]'"
        raise ImportError(advice) from error
    return onnxruntime


def export(net: nn.Module, data: Any, path: Path | str) -> Path:
    """Write a network as ONNX, for any number of images [C, r, r] as ``data`` has them."""
    _onnxruntime()
    image = torch.zeros(1, data.channels, data.resolution, data.resolution)
    names: dict[str, Any] = {"input_names": [INPUT], "output_names": [OUTPUT]}
    names["dynamic_axes"] = {INPUT: {0: "batch"}, OUTPUT: {0: "batch"}}
    with runtime.evaluation_mode(net), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The newer exporter (dynamo) takes half a minute for what this one does in a second.
        torch.onnx.export(net, (image,), str(path), opset_version=17, dynamo=False, **names)
    return Path(path)


def session(path: Path | str) -> Any:
    """The network of a file, ready to run on one thread of the CPU."""
    onnxruntime = _onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Variant(NamedTuple):
    """One form of a network: bytes of its file, validation accuracy, latency of one image."""

    name: str
    size: int
    accuracy: float
    latency: Measurement


def compare(net: nn.Module, data: FashionMNIST) -> tuple[Variant, ...]:
    """A trained network as it is, and quantised, each timed 50 times in turns.
    Weights and results of operations become whole numbers of 8 bits (Jacob et al. 2018,
    arXiv:1712.05877): each weight tensor with a scale of its own for each channel, each result with
    the range that it has on ``CALIBRATION`` training images. Validation images measure."""
    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder, "float32.onnx"), Path(folder, "int8.onnx")
        quantise(export(net, data, plain), small, data)
        sessions = [session(path) for path in (plain, small)]
        sizes = [path.stat().st_size for path in (plain, small)]
    loader = data.val_dataloader()
    images, labels = loader.images.numpy(), loader.labels.numpy()
    times = in_turns([partial(s.run, [OUTPUT], {INPUT: images[:1]}) for s in sessions], runs=50)
    logits = (each.run([OUTPUT], {INPUT: images})[0] for each in sessions)
    accuracies = [float((scores.argmax(axis=1) == labels).mean()) for scores in logits]
    return tuple(map(Variant, ("float32", "int8"), sizes, accuracies, times))


def quantise(plain: Path, small: Path, data: FashionMNIST) -> None:
    """Read ``plain``, write it in whole numbers of 8 bits to ``small``."""
    from onnxruntime import quantization
    from onnxruntime.quantization import shape_inference

    class Images(quantization.CalibrationDataReader):
        """Hands one image after the other to the quantiser."""

        def __init__(self) -> None:
            images = data.train_dataloader().images[:CALIBRATION].numpy()
            self.inputs = ({INPUT: image} for image in images[:, None])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.inputs, None)

    prepared = small.with_suffix(".prepared.onnx")
    shape_inference.quant_pre_process(str(plain), str(prepared))
    quantization.quantize_static(str(prepared), str(small), Images(), per_channel=True)
