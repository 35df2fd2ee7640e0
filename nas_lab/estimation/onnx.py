"""A network as an ONNX file, in float32 and in whole numbers of 8 bits.

Needs ``pip install nas-lab[edge]``: onnx writes the network down, onnxruntime runs it. Without
them ``available`` is False.
"""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from nas_lab import runtime
from nas_lab.data import FashionMNIST
from nas_lab.estimation.latency import Measurement, in_turns

INPUT, OUTPUT = "image", "logits"
CALIBRATION = 200
"""Images from which the ranges of results are taken."""


def available() -> bool:
    """Whether onnx and onnxruntime are installed."""
    try:
        _onnxruntime()
    except ImportError:
        return False
    return True


def export(net: nn.Module, data: Any, path: Path | str) -> Path:
    """Write a network as ONNX, for any number of images.

    Args:
        net: from images [B, C, r, r] to logits; it is only read.
        data: says ``channels`` C and ``resolution`` r.
        path: the file to write.

    Raises:
        ImportError: onnx or onnxruntime is not installed.
    """
    _onnxruntime()
    image = torch.zeros(1, data.channels, data.resolution, data.resolution)
    batch = {0: "batch"}
    with runtime.evaluation_mode(net), warnings.catch_warnings():
        # The newer exporter takes half a minute for what the older one does in a second.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            (image,),
            str(path),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: batch, OUTPUT: batch},
            opset_version=17,
            dynamo=False,
        )
    return Path(path)


def session(path: Path | str) -> Any:
    """The network of a file, ready to run on one thread of the CPU.

    Raises:
        ImportError: onnx or onnxruntime is not installed.
    """
    onnxruntime = _onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _onnxruntime() -> ModuleType:
    try:
        import onnx  # noqa: F401 (torch's exporter needs it)
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            "ONNX files need onnx and onnxruntime: pip install 'nas-lab[edge]'"
        ) from error
    return onnxruntime


@dataclass(frozen=True)
class Variant:
    """One form of a network, run by onnxruntime.

    Attributes:
        name: ``"float32"`` or ``"int8"``.
        size: bytes of its file.
        accuracy: on validation images, in [0, 1].
        latency: of one image, on one thread.
    """

    name: str
    size: int
    accuracy: float
    latency: Measurement


def compare(net: nn.Module, data: FashionMNIST) -> tuple[Variant, Variant]:
    """The network as it is, and quantised, each timed 50 times in turns.

    Weights and results of operations become whole numbers of 8 bits (Jacob et al. 2018,
    arXiv:1712.05877): each weight tensor with a scale of its own for each channel, each result
    with the range that it has on ``CALIBRATION`` training images.

    Args:
        net: a trained network from images ``[B, C, H, W]`` to logits; it is only read.
        data: where images are from. Training images calibrate, validation images measure.

    Raises:
        ImportError: onnx or onnxruntime is not installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder, "float32.onnx"), Path(folder, "int8.onnx")
        export(net, data, plain)
        quantise(plain, small, data)
        sessions = [session(path) for path in (plain, small)]
        sizes = [path.stat().st_size for path in (plain, small)]
    image = {INPUT: data.val_dataloader().images[:1].numpy()}
    times = in_turns([partial(each.run, [OUTPUT], image) for each in sessions], runs=50)
    accuracies = [accuracy(each, data) for each in sessions]
    one, other = map(Variant, ("float32", "int8"), sizes, accuracies, times)
    return one, other


def quantise(plain: Path, small: Path, data: FashionMNIST) -> None:
    """Read ``plain``, write it in whole numbers of 8 bits to ``small``."""
    from onnxruntime import quantization
    from onnxruntime.quantization import shape_inference

    class Images(quantization.CalibrationDataReader):
        """Hands one image after the other to the quantiser."""

        def __init__(self) -> None:
            images = data.train_dataloader().images[:CALIBRATION].numpy()
            self.left = iter(images[:, None])

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self.left, None)
            return None if image is None else {INPUT: image}

    prepared = small.with_suffix(".prepared.onnx")
    shape_inference.quant_pre_process(str(plain), str(prepared))
    quantization.quantize_static(str(prepared), str(small), Images(), per_channel=True)


def accuracy(session: Any, data: FashionMNIST) -> float:
    """Share of validation images that a session gets right, in [0, 1]."""
    loader = data.val_dataloader()
    (logits,) = session.run([OUTPUT], {INPUT: loader.images.numpy()})
    return float((logits.argmax(axis=1) == loader.labels.numpy()).mean())
