"""How much the loss or the output hangs on each weight, summed over the network.

Lee et al. (2019), Wang et al. (2020) and Tanaka et al. (2020) ask which weights of an untrained
network can be pruned, and give each a number, its saliency. Abdelfattah et al. (2021,
arXiv:2101.08134) sum it over all weights and rank networks by the sum.

Throughout, L is the mean cross-entropy of the batch, g its gradient by the weights θ: kernels of
convolutions and matrices of dense layers. Normalisation uses the batch's mean and variance.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from nas_lab import runtime
from nas_lab.estimation.proxies.passes import (
    Batch,
    derivatives,
    forward_hook,
    log,
    mean_loss,
    normalisations,
    training_mode,
    weights,
)


def grad_norm(net: nn.Module, batch: Batch) -> float:
    """Sum over layers of the Euclidean norm of the gradient, Σ_l ‖g_l‖₂.

    Source: Abdelfattah et al. 2021, section 3.2.
    """
    with training_mode(net):
        g = derivatives(mean_loss(net, batch), weights(net))
    return _total(layer.norm() for layer in g)


def snip(net: nn.Module, batch: Batch) -> float:
    """``Σ |θ ⊙ g|``: to first order, how the loss changes when single weights are set to 0.

    Source: N. Lee, T. Ajanthan, P. Torr, SNIP, ICLR 2019, arXiv:1810.02340, equations 4 and 5
    without the normalisation; Abdelfattah et al. 2021, equation 1.
    """
    theta = weights(net)
    with training_mode(net):
        g = derivatives(mean_loss(net, batch), theta)
    return _total((w * gw).abs().sum() for w, gw in zip(theta, g, strict=True))


def grasp(net: nn.Module, batch: Batch) -> float:
    """-Σ θ ⊙ Hg: to first order, half of what ‖g‖² gains when all weights shrink to 0.

    H is the Hessian of L. Its product with g is a second derivative, so H is never written down:
    Hg = ∂(gᵀc)/∂θ with the constant c = g. The score can be negative; a network without any
    gradient has 0.

    A weight before a normalisation can be scaled without effect on L, and adds its ‖g‖². The last
    dense layer has no normalisation behind it and takes away about as much, for the gradients of
    all other layers grow with it. In a network full of normalisations the two nearly cancel, and
    what is left depends much on the initial weights.

    Source: C. Wang, G. Zhang, R. Grosse, GraSP, ICLR 2020, arXiv:2002.07376, equation 8, at
    temperature 1; Abdelfattah et al. 2021, equation 1.
    """
    theta = weights(net)
    with training_mode(net):
        g = derivatives(mean_loss(net, batch), theta, create_graph=True)
        products = [(gw * gw.detach()).sum() for gw in g]
        Hg = derivatives(torch.stack(products).sum(), theta)
    return -_total((w * h).sum() for w, h in zip(theta, Hg, strict=True))


def synflow(net: nn.Module, batch: Batch) -> float:
    """Log of Σ θ ⊙ ∂R/∂θ, where R is the sum of outputs when all parameters are positive.

    ``R = 1ᵀ f(1; |θ|)``: one image of ones goes through the network with the absolute values of its
    parameters. Neither images nor labels count. Batch normalisation is left out, for it would
    undo the weights' scale: each passes on what it reads. Products of many layers overflow, so
    all is computed in double precision, and the logarithm is returned; the ranking is the same.
    Where no path leads through a weight the sum is 0 and the score ``LOWEST``.

    Source: H. Tanaka, D. Kunin, D. Yamins, S. Ganguli, SynFlow, NeurIPS 2020, arXiv:2006.05467,
    equations 1 and 2; Abdelfattah et al. 2021, equation 1.
    """
    weights(net)
    positive = {n: p.detach().double().abs().requires_grad_() for n, p in net.named_parameters()}
    buffers = {name: buffer.double() for name, buffer in net.named_buffers()}
    ones = torch.ones_like(batch.images[:1], dtype=torch.float64)
    with runtime.evaluation_mode(net), forward_hook(normalisations(net), _what_it_read):
        R = functional_call(net, positive | buffers, (ones,)).sum()
    theta = [p for p in positive.values() if p.ndim > 1]
    saliency = derivatives(R, theta)
    return log(_total((w * s).sum() for w, s in zip(theta, saliency, strict=True)))


def fisher(net: nn.Module, batch: Batch) -> float:
    """Σ over channels of ½ mean_n (Σ_hw z ⊙ ∂L/∂z)², z the maps of convolutions and dense layers.

    Sums over height and width stand inside the square: it is a channel that would be pruned.

    Source: L. Theis et al., 2018, arXiv:1801.05787, for single channels; Abdelfattah et al. 2021,
    section 3.2, for the sum.
    """
    layers = [m for m in net.modules() if isinstance(m, nn.modules.conv._ConvNd | nn.Linear)]
    maps: list[Tensor] = []
    with training_mode(net), forward_hook(layers, lambda _, __, z: maps.append(z)):
        slopes = derivatives(mean_loss(net, batch), maps)
    products = (z * slope for z, slope in zip(maps, slopes, strict=True))
    channels = (product.reshape(*product.shape[:2], -1).sum(2) for product in products)  # [B, C]
    return _total(channel.square().mean(0).sum() / 2 for channel in channels)


def _what_it_read(norm: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return inputs[0]


def _total(terms: Iterable[Tensor]) -> float:
    """The sum of a number for each layer, added in double precision."""
    return float(sum(term.detach().double() for term in terms))
