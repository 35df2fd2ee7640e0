"""How differently an untrained network treats the images of a batch.

If two images look alike to a network before training, training has to pull them apart. Both
proxies compare all pairs of images in a matrix [B, B] and read one number off its eigenvalues.
Labels do not count. Normalisation uses the batch's mean and variance.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nas_lab.estimation.proxies.passes import (
    LOWEST,
    Batch,
    derivatives,
    forward_hook,
    training_mode,
)

K = 1e-5
"""Mellor et al.'s k, which keeps the score of ``jacob_cov`` finite."""


def jacob_cov(net: nn.Module, batch: Batch) -> float:
    """How little the derivatives by different images correlate: -Σ_i log(σ_i + k) + 1 / (σ_i + k).

    Row n of the Jacobian J [B, pixels] is the derivative of the sum of all logits by image n;
    σ_i are the eigenvalues of the correlation matrix of its rows. Uncorrelated rows have σ_i = 1,
    the best value. A row that is the same for all pixels has no correlation: it counts as zeros,
    and gives an eigenvalue 0, the worst. Where all rows are so, for one in a network without a
    path from its input, the score is the lowest there is, -B (log k + 1 / k).

    The score is steep at 0: two images that are nearly the same to a network cost it thousands.

    Source: J. Mellor, J. Turner, A. Storkey, E. Crowley, Neural Architecture Search without
    Training, first version, 2020, arXiv:2006.04647v1, section 3; k = 1e-5.
    """
    images = batch.images.detach().clone().requires_grad_()
    with training_mode(net):
        (jacobian,) = derivatives(net(images).sum(), [images])
    sigma = torch.linalg.eigvalsh(correlation(jacobian.flatten(1))).clamp(min=0)
    return -float((torch.log(sigma + K) + 1 / (sigma + K)).sum())


def correlation(rows: Tensor) -> Tensor:
    """Correlation matrix [B, B] of rows [B, n], float64; a row of equal numbers counts as zeros."""
    rows = rows.double()
    centred = rows - rows.mean(1, keepdim=True)
    norm, rounding = centred.norm(dim=1), 1e-6 * rows.norm(dim=1)
    scale = torch.where(norm > rounding, norm, torch.inf)
    unit = centred / scale[:, None]
    return unit @ unit.T


def naswot(net: nn.Module, batch: Batch) -> float:
    """``log |K_H|``, where K_H counts for each pair of images the ReLUs on which they agree.

    Image i has a code c_i of N_A bits, one for each ReLU: is it above 0? With the Hamming
    distance d_H, K_H[i, j] = N_A - d_H(c_i, c_j). Where K_H is singular the score is ``LOWEST``:
    when two images have one code, and so in a network without ReLUs.

    A ReLU that several edges of a cell read is one, and counts once.

    Source: J. Mellor, J. Turner, A. Storkey, E. Crowley, Neural Architecture Search without
    Training, ICML 2021, arXiv:2006.04647, equations 1 and 2.
    """
    size = len(batch.images)
    kernel = torch.zeros(size, size)

    def count(relu: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        kernel.add_(agreements(output.flatten(1) > 0))

    relus = [module for module in net.modules() if isinstance(module, nn.ReLU)]
    with training_mode(net), torch.no_grad(), forward_hook(relus, count):
        net(batch.images)
    return log_determinant(kernel.double())


def agreements(codes: Tensor) -> Tensor:
    """N - d_H(c_i, c_j) for all pairs of codes, bool [B, N] to float32 [B, B]; exact to 2^24."""
    signs = 2 * codes.float() - 1  # a product of signs is 1 where bits agree, else -1
    return (codes.shape[1] + signs @ signs.T) / 2


def log_determinant(kernel: Tensor) -> float:
    """Log of the determinant of a positive semidefinite matrix; ``LOWEST`` where it is singular."""
    eigenvalues = torch.linalg.eigvalsh(kernel)
    rounding = len(kernel) * torch.finfo(kernel.dtype).eps * eigenvalues[-1]
    if eigenvalues[0] <= rounding:
        return LOWEST
    return float(eigenvalues.log().sum())
