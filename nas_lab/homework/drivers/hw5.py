"""Drivers of homework 5: operations and losses that answers are given as functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nas_lab.homework.drivers import Plain, plain


def mixture(answer: Callable[..., Any], x: Plain, alphas: Plain, factors: Plain) -> Plain:
    """The mixed output of operations x -> tanh(factor * x), and its gradient in alpha."""
    import torch

    given, a = torch.tensor(x).double(), torch.tensor(alphas).double().requires_grad_()
    operations = [lambda x, f=factor: torch.tanh(f * x) for factor in factors]
    mixed = answer(given, a, operations)
    if not isinstance(mixed, torch.Tensor) or not mixed.requires_grad:
        return plain(mixed)
    (gradient,) = torch.autograd.grad(mixed.sum(), a)
    return [mixed.detach().tolist(), gradient.tolist()]


def losses(curvature: Plain, coupling: Plain, target: Plain) -> Callable[[Any, Any], Any]:
    """A loss of w [n] and alpha [m] as tensors: a valley in w that alpha tilts and bends."""
    import torch

    h, b, c = (torch.tensor(part).double() for part in (curvature, coupling, target))

    def loss(w: Any, alpha: Any) -> Any:
        bend = 1 + torch.tanh(alpha).sum() ** 2
        valley = (h * torch.cosh(0.5 * (w - c))).sum()
        return bend * valley + w @ b @ alpha + 0.1 * (alpha**2).sum()

    return loss


def bilevel(
    answer: Callable[..., Any], w: Plain, alpha: Plain, rate: float, train: Plain, valid: Plain
) -> Plain:
    """The answer's gradient in alpha, for a training and a validation loss."""
    import torch

    tensors = [torch.tensor(v).double().requires_grad_() for v in (w, alpha)]
    found = answer(*tensors, losses(*train), losses(*valid), rate)
    return plain(found.detach() if isinstance(found, torch.Tensor) else found)


def hessian(
    answer: Callable[..., Any], w: Plain, alpha: Plain, v: Plain, epsilon: float, train: Plain
) -> Plain:
    """The answer's product of the mixed Hessian with v, out of gradients in alpha."""
    import numpy as np
    import torch

    loss = losses(*train)

    def alpha_gradient(w: Any) -> Any:
        """The gradient of the training loss in alpha at other weights, an array."""
        a = torch.tensor(alpha).double().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(torch.as_tensor(w).double(), a), a)
        return gradient.numpy()

    return plain(answer(alpha_gradient, np.array(w), np.array(v), epsilon))
