"""How sharply the validation loss bends in the architecture's parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor
from torch.nn import functional

from nas_lab import runtime
from nas_lab.strategies.darts.gradients import Loss

if TYPE_CHECKING:
    from nas_lab.strategies.darts.search import Darts


def curvature(darts: Darts) -> float:
    """Largest eigenvalue of the Hessian of L_val in alpha, in nats, as the search stands.

    L_val is the loss of one batch of the half of the images that alphas learn on, always the
    same, with the strengths as w. Source: A. Zela et al., "Understanding and Robustifying
    Differentiable Architecture Search", ICLR 2020, arXiv:1909.09656, section 4: architectures
    generalise worse where it is high.
    """
    _, val = darts.halves()
    images, labels = val.images[: val.batch_size], val.labels[: val.batch_size]

    def loss() -> Tensor:
        w = darts.relaxation.strengths(darts.parameters, darts.space)
        return functional.cross_entropy(darts.net(images, w), labels)

    with runtime.threads(1):
        return top_eigenvalue(loss, darts.parameters["alpha"])


def top_eigenvalue(loss: Loss, parameter: Tensor, tolerance: float = 1e-3) -> float:
    """Largest eigenvalue of the Hessian of a loss in one parameter, by Lanczos' method.

    The Hessian is not built. Its product with a vector v is the gradient of <gradient, v>, which
    costs about two backward passes; some twenty of them will do.

    Args:
        loss: what to differentiate twice.
        parameter: of at least two elements.
        tolerance: relative error of the eigenvalue.
    """
    (slope,) = torch.autograd.grad(loss(), parameter, create_graph=True)

    def product(v: np.ndarray) -> np.ndarray:
        along = torch.from_numpy(v).to(parameter).view_as(parameter)
        (bent,) = torch.autograd.grad(slope, parameter, along, retain_graph=True)
        return bent.double().numpy().ravel()

    n = parameter.numel()
    start = np.random.default_rng(0).standard_normal(n)  # a constant one gives zero: see softmax
    hessian = LinearOperator((n, n), matvec=product, dtype=np.float64)
    (value,) = eigsh(hessian, 1, which="LA", v0=start, tol=tolerance, return_eigenvectors=False)
    return float(value)
