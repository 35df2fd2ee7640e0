"""Drivers of homework 3: answers get tensors, gradients are taken here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nas_lab.homework.drivers import Plain, plain


def with_tensors(answer: Callable[..., Any], *inputs: Plain) -> Plain:
    """Call an answer with each list of floats as a tensor of doubles, and whole numbers as such."""
    import torch

    return plain(answer(*(torch.tensor(x).to(_kind(x)) if _is_list(x) else x for x in inputs)))


def _is_list(value: Plain) -> bool:
    return isinstance(value, list)


def _kind(value: Plain) -> Any:
    import torch

    while isinstance(value, list):
        value = value[0]
    return torch.float64 if isinstance(value, float) else torch.int64


def loss_and_gradient(
    answer: Callable[..., Any], logits: Plain, archs: Plain, rewards: Plain, baseline: float
) -> Plain:
    """The loss of a batch, and its gradient with respect to the logits.

    Raises:
        TypeError: the answer gives no tensor.
        ValueError: what it gives is no single number, or does not depend on the logits.
    """
    import torch

    given = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    loss = answer(given, torch.tensor(archs), torch.tensor(rewards).double(), baseline)
    if loss is None:
        return None
    if not isinstance(loss, torch.Tensor):
        raise TypeError(f"the loss must be a tensor, not {type(loss).__name__}")
    if loss.numel() != 1:
        raise ValueError(f"the loss must be one number; it has the shape {tuple(loss.shape)}")
    if not loss.requires_grad:
        raise ValueError("the loss does not depend on the logits: was it detached?")
    (gradient,) = torch.autograd.grad(loss.reshape(()), given)
    return {"loss": float(loss.detach()), "gradient": gradient.tolist()}
