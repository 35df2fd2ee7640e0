"""A network as an ONNX file, which onnxruntime runs without torch.

Needs ``pip install nas-lab[edge]``: onnx writes the network down, onnxruntime runs it. Without
them everything else of the package works.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from nas_lab import runtime

INPUT, OUTPUT = "image", "logits"


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
