"""A network that leaves its language: written as ONNX, run without torch, compared.

Needs ``pip install 'nas-lab[edge]'``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from nas_lab import runtime
from nas_lab.estimation import int8

TOLERANCE = 1e-4
"""Largest difference of two logits that is rounding: float32 holds about seven digits."""


def export(net: nn.Module, data: Any, path: Path | str) -> Path:
    """Write a network as ONNX, for any number of images.

    Args:
        net: from images [B, C, r, r] to logits; it is only read.
        data: says ``channels`` and ``resolution``.
        path: the file to write.

    Raises:
        ImportError: onnx or onnxruntime is not installed.
    """
    path = Path(path)
    int8.export(net, data, path)
    return path


def run_onnx(path: Path | str, images: np.ndarray) -> np.ndarray:
    """Logits [B, classes] of images [B, C, r, r], float32, by onnxruntime on one thread.

    Raises:
        ImportError: onnx or onnxruntime is not installed.
    """
    _, onnxruntime = int8._libraries()
    session = int8._session(onnxruntime, Path(path))
    return session.run([int8.OUTPUT], {int8.INPUT: images})[0]


@torch.no_grad()
def largest_difference(net: nn.Module, path: Path | str, images: torch.Tensor) -> float:
    """How far the file's logits are from the network's, at most, on images [B, C, r, r]."""
    with runtime.evaluation_mode(net):
        expected = net(images).numpy()
    return float(np.abs(run_onnx(path, images.numpy()) - expected).max())
