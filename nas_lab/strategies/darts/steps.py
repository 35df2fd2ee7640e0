"""What a step reads, and what it writes down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, repeat

import numpy as np
from torch import Tensor

from nas_lab.data import Loader

Batch = tuple[Tensor, Tensor]
"""Images [B, C, H, W] and labels [B]."""


def endless(loader: Loader) -> Iterator[Batch]:
    """Batches of pass after pass."""
    return chain.from_iterable(repeat(loader))


@dataclass(frozen=True, eq=False)
class Step:
    """One step of the search.

    Attributes:
        number: of the step, from 1, over all trainings.
        progress: share of this training's budget that is used, in [0, 1].
        seconds: CPU time of all steps so far.
        train_loss: of the batch that the weights learn on, before they move, in nats.
        val_loss: of the batch that the architecture learns on, before it moves; in second order
            with the weights of the virtual step.
        alpha: parameters of the options after the step, float32 [D, K].
        w: the strengths after the step, float32 [D, K]: softmax(alpha) in DARTS itself.
        alpha_norm: Euclidean norm of the gradient in the architecture's parameters.
        weight_norm: the same for the weights, before it is clipped.
        entropy: of a row of w in nats, mean over the rows; it falls as the choice gets clear.
    """

    number: int
    progress: float
    seconds: float
    train_loss: float
    val_loss: float
    alpha: np.ndarray
    w: np.ndarray
    alpha_norm: float
    weight_norm: float
    entropy: float
