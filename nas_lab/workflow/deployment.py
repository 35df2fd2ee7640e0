"""A network that leaves its language: written as ONNX, run without torch, compared.

Needs ``pip install 'nas-lab[edge]'``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from nas_lab import runtime
from nas_lab.estimation.onnx import INPUT, OUTPUT, export, session

__all__ = ["TOLERANCE", "export", "largest_difference", "run_onnx"]

TOLERANCE = 1e-4
"""Largest difference of two logits that is rounding: float32 holds about seven digits."""


def run_onnx(path: Path | str, images: np.ndarray) -> np.ndarray:
    """Logits [B, classes] of images [B, C, r, r], float32, by onnxruntime on one thread.

    Raises:
        ImportError: onnx or onnxruntime is not installed.
    """
    return session(path).run([OUTPUT], {INPUT: images})[0]


@torch.no_grad()
def largest_difference(net: nn.Module, path: Path | str, images: torch.Tensor) -> float:
    """How far the file's logits are from the network's, at most, on images [B, C, r, r]."""
    with runtime.evaluation_mode(net):
        expected = net(images).numpy()
    return float(np.abs(run_onnx(path, images.numpy()) - expected).max())
