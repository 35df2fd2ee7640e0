"""Zero-cost proxies: how good a network will be, read off its first batch before any training.

    estimate = proxies.ZeroCost(space, skeleton, data, proxies.naswot)
    estimate(arch, seed=0).score

A proxy is a function ``score(net, batch) -> float``; more is better, by the claim of its paper.
The baselines to beat are parameters and operations, which ``space.cost`` counts.
``nas_lab.estimation.ProxyTable`` has the values of all architectures of the table.

L is the mean cross-entropy of the batch, g its gradient by the weights θ: kernels of convolutions
and matrices of dense layers. Normalisation uses the batch's mean and variance, as in the first step
of a training. The network is left as it was.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import d2l.torch as d2l
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from nas_lab import nets, runtime
from nas_lab.data import FashionMNIST, Loader
from nas_lab.estimation.training import check_fits
from nas_lab.history import Evaluation
from nas_lab.nets.modules import GlobalPool
from nas_lab.spaces.base import Arch, Skeleton, Space

LOWEST = -math.inf  # where a proxy takes the logarithm of 0


@dataclass(frozen=True, eq=False)
class Batch:
    """What a proxy sees besides the network: images [B, C, H, W] and labels [B], two or more.
    ``seed`` fixes what else a proxy draws."""

    images: Tensor
    labels: Tensor
    seed: int = 0

    @classmethod
    def draw(cls, data: d2l.DataModule, seed: int = 0) -> Batch:
        """The first batch of training images, in an order that ``seed`` fixes."""
        loader = data.train_dataloader()
        images, labels = next(iter(loader.reseeded(seed) if isinstance(loader, Loader) else loader))
        return cls(images, labels, seed)


# Lee et al. (2019), Wang et al. (2020) and Tanaka et al. (2020) ask which weights of an untrained
# network can be pruned, and give each a number, its saliency. Abdelfattah et al. (2021,
# arXiv:2101.08134) sum it over all weights and rank networks by the sum.


def grad_norm(net: nn.Module, batch: Batch) -> float:
    """Sum over layers of the gradient's norm, Σ_l ‖g_l‖₂ (Abdelfattah et al. 2021, section 3.2)."""
    return _total(gw.norm() for _, gw in _gradients(net, batch))


def snip(net: nn.Module, batch: Batch) -> float:
    """``Σ |θ ⊙ g|``: to first order, how the loss changes when single weights are set to 0.
    Source: N. Lee, T. Ajanthan, P. Torr, SNIP, ICLR 2019, arXiv:1810.02340, equations 4 and 5
    without the normalisation; Abdelfattah et al. 2021, equation 1."""
    return _total((w * gw).abs().sum() for w, gw in _gradients(net, batch))


def grasp(net: nn.Module, batch: Batch) -> float:
    """-Σ θ ⊙ Hg: to first order, half of what ‖g‖² gains when all weights shrink to 0.

    H is the Hessian of L. Its product with g is a second derivative, so H is never written down:
    Hg = ∂(gᵀc)/∂θ with the constant c = g.

    A weight before a normalisation can be scaled without effect on L, and adds its ‖g‖². The last
    dense layer has no normalisation behind it and takes away about as much, for the gradients of
    all other layers grow with it. The two nearly cancel, and what is left depends much on the
    initial weights.

    Source: C. Wang, G. Zhang, R. Grosse, GraSP, ICLR 2020, arXiv:2002.07376, equation 8, at
    temperature 1; Abdelfattah et al. 2021, equation 1."""
    theta = _weights(net)
    with _passes(net):
        g = _derivatives(_loss(net, batch), theta, create_graph=True)
        products = [(gw * gw.detach()).sum() for gw in g]
        Hg = _derivatives(torch.stack(products).sum(), theta)
    return -_total((w * h).sum() for w, h in zip(theta, Hg, strict=True))


def synflow(net: nn.Module, batch: Batch) -> float:
    """Log of Σ θ ⊙ ∂R/∂θ, where R is the sum of outputs when all parameters are positive.

    ``R = 1ᵀ f(1; |θ|)``: one image of ones goes through the network with the absolute values of its
    parameters. Normalisation is left out, for it would undo the weights' scale. Products of
    many layers overflow, so all is computed in double precision, and the logarithm is returned.
    Where no path leads through a weight the sum is 0 and the score ``LOWEST``.

    Source: H. Tanaka, D. Kunin, D. Yamins, S. Ganguli, SynFlow, NeurIPS 2020, arXiv:2006.05467,
    equations 1 and 2; Abdelfattah et al. 2021, equation 1."""
    positive = {n: p.detach().double().abs().requires_grad_() for n, p in net.named_parameters()}
    double = {**positive, **{name: buffer.double() for name, buffer in net.named_buffers()}}
    ones = torch.ones_like(batch.images[:1], dtype=torch.float64)
    with _passes(net, (_BatchNorm, nn.LayerNorm), lambda norm, read, output: read[0]):
        net.eval()
        R = functional_call(net, double, (ones,)).sum()
    theta = [p for p in positive.values() if p.ndim > 1]
    saliency = _derivatives(R, theta)
    return _log(_total((w * s).sum() for w, s in zip(theta, saliency, strict=True)))


def fisher(net: nn.Module, batch: Batch) -> float:
    """Σ over channels of ½ mean_n (Σ_hw z ⊙ ∂L/∂z)², z the maps of convolutions and dense layers.

    Sums over height and width stand inside the square: it is a channel that would be pruned.

    Source: L. Theis et al., 2018, arXiv:1801.05787, for single channels; Abdelfattah et al. 2021,
    section 3.2, for the sum."""
    maps: list[Tensor] = []
    with _passes(net, (_ConvNd, nn.Linear), lambda layer, read, z: maps.append(z)):
        slopes = _derivatives(_loss(net, batch), maps)
    products = (z * slope for z, slope in zip(maps, slopes, strict=True))
    channels = (product.reshape(*product.shape[:2], -1).sum(2) for product in products)  # [B, C]
    return _total(channel.square().mean(0).sum() / 2 for channel in channels)


# If two images look alike to a network before training, training has to pull them apart. Both
# proxies compare all pairs of images in a matrix [B, B] and read one number off its eigenvalues.

K = 1e-5  # Mellor et al.'s k, which keeps the score of jacob_cov finite


def jacob_cov(net: nn.Module, batch: Batch) -> float:
    """How little the derivatives by different images correlate: -Σ_i log(σ_i + k) + 1 / (σ_i + k).

    Row n of the Jacobian J [B, pixels] is the derivative of the sum of all logits by image n;
    σ_i are the eigenvalues of the correlation matrix of its rows. Uncorrelated rows have σ_i = 1,
    the best value. A row that is the same for all pixels, as in a network without a path from its
    input, counts as zeros, and gives an eigenvalue 0, the worst. The score is steep at 0: two
    images that are nearly the same to a network cost it thousands.

    Source: J. Mellor, J. Turner, A. Storkey, E. Crowley, Neural Architecture Search without
    Training, first version, 2020, arXiv:2006.04647v1, section 3; k = 1e-5."""
    images = batch.images.detach().clone().requires_grad_()
    with _passes(net):
        (jacobian,) = _derivatives(net(images).sum(), [images])
    sigma = torch.linalg.eigvalsh(correlation(jacobian.flatten(1))).clamp(min=0)
    return -float((torch.log(sigma + K) + 1 / (sigma + K)).sum())


def correlation(rows: Tensor) -> Tensor:
    """Correlation matrix [B, B] of rows [B, n], float64; a row of equal numbers counts as zeros."""
    rows = rows.double()
    centred = rows - rows.mean(1, keepdim=True)
    norm, rounding = centred.norm(dim=1), 1e-6 * rows.norm(dim=1)
    unit = centred / torch.where(norm > rounding, norm, torch.inf)[:, None]
    return unit @ unit.T


@torch.no_grad()
def naswot(net: nn.Module, batch: Batch) -> float:
    """``log |K_H|``, where K_H counts for each pair of images the ReLUs on which they agree.

    Image i has a code c_i of N_A bits, one for each ReLU: is it above 0? With the Hamming
    distance d_H, K_H[i, j] = N_A - d_H(c_i, c_j). Where K_H is singular the score is ``LOWEST``:
    when two images have one code, and so in a network without ReLUs.

    Source: J. Mellor, J. Turner, A. Storkey, E. Crowley, Neural Architecture Search without
    Training, ICML 2021, arXiv:2006.04647, equations 1 and 2."""
    kernel = torch.zeros(len(batch.images), len(batch.images))

    def count(relu: nn.Module, read: tuple[Tensor, ...], output: Tensor) -> None:
        signs = 2 * (output.flatten(1) > 0).float() - 1  # a product is 1 where bits agree, else -1
        kernel.add_((signs.shape[1] + signs @ signs.T) / 2)

    with _passes(net, nn.ReLU, count):
        net(batch.images)
    return log_determinant(kernel.double())


def log_determinant(kernel: Tensor) -> float:
    """Log of the determinant of a positive semidefinite matrix; ``LOWEST`` where it is singular."""
    eigenvalues = torch.linalg.eigvalsh(kernel)
    rounding = len(kernel) * torch.finfo(kernel.dtype).eps * eigenvalues[-1]
    return LOWEST if eigenvalues[0] <= rounding else float(eigenvalues.log().sum())


ALPHA = 0.01  # Lin et al.'s α, the size of the step in the input


@torch.no_grad()
def zen(net: nn.Module, batch: Batch) -> float:
    """log E ‖f(x) - f(x + αε)‖ + Σ_i log σ_i: what the features change, normalisation undone.

    f is the network up to its global pooling (or, without one, its last dense layer). Its weights
    θ, the images x and the steps ε are drawn from N(0, 1) with the batch's seed; of real images
    only shape and number count. Batch normalisation i divides by the standard deviation of the
    batch and so hides how much the layer before it amplifies. log σ_i puts that back: σ_i² is the
    mean over its channels of the variance that it divides by, with its small constant.

    The sum over i is made for layers that stand one behind the other, and the paper leaves
    residual links out. Here all links stay, for they are what is searched.

    Source: M. Lin et al., Zen-NAS, ICCV 2021, arXiv:2102.01063, algorithm 1."""
    modules = list(net.modules())
    ends = [kind for kind in (GlobalPool, nn.Linear) if any(isinstance(m, kind) for m in modules)]
    randn = partial(torch.randn, generator=runtime.generator(batch.seed))
    weights = {name: p for name, p in net.named_parameters() if p.ndim > 1}
    theta = {name: torch.empty_like(p).copy_(randn(p.shape)) for name, p in weights.items()}
    x, epsilon = (randn(batch.images.shape, dtype=batch.images.dtype) for _ in range(2))
    features: list[Tensor] = []
    log_sigma: list[float] = []

    def divided_by(norm: _BatchNorm, read: tuple[Tensor, ...], output: Tensor) -> None:
        over = [axis for axis in range(output.ndim) if axis != 1]
        variance = (read[0] - read[0].mean(over, keepdim=True)).square().mean()
        log_sigma.append(math.log(float(variance) + norm.eps) / 2)

    with _passes(net, ends[0], lambda end, read, output: features.append(read[0])):
        with _passes(net, _BatchNorm, divided_by):
            functional_call(net, theta, (x,))
        before = features[-1]
        functional_call(net, theta, (x + ALPHA * epsilon,))
    change = before - features[-1]
    return _log(float(change.flatten(1).norm(dim=1).mean())) + sum(log_sigma)


Proxy = Callable[[nn.Module, Batch], float]

PROXIES: dict[str, Proxy] = {
    proxy.__name__: proxy
    for proxy in (grad_norm, snip, grasp, synflow, fisher, jacob_cov, naswot, zen)
}
"""By the names that the literature uses."""


@dataclass(frozen=True)
class ZeroCost:
    """Estimate an architecture without training: `estimate(arch, seed) -> Evaluation`.
    The score is the proxy's, on no common scale: only the ranking counts. The cost is the seconds
    for network, batch and proxy, on the CPU. The seed fixes initial weights, batch and what else
    the proxy draws. `proxy` is one of `PROXIES`, or any `proxy(net, batch) -> float`."""

    space: Space
    skeleton: Skeleton
    data: FashionMNIST
    proxy: Proxy

    def __post_init__(self) -> None:
        if not callable(self.proxy):
            raise TypeError(
                f"proxy is a function of a network and a batch, not {self.proxy!r}: "
                f"proxies.PROXIES has {', '.join(PROXIES)}"
            )
        check_fits(self.data, self.skeleton)

    def __call__(self, arch: Arch, seed: int = 0) -> Evaluation:
        """Build `arch`, and score it on the first batch."""
        began = time.perf_counter()
        with runtime.threads(runtime.num_threads(self.space.cost(arch, self.skeleton).macs)):
            net, batch = prepare(self.space, arch, self.skeleton, self.data, seed)
            score = self.proxy(net, batch)
        return Evaluation(score, time.perf_counter() - began)


def prepare(
    space: Space, arch: Arch, skeleton: Skeleton, data: FashionMNIST, seed: int = 0
) -> tuple[nn.Module, Batch]:
    """What a proxy is given: an untrained network and its first batch."""
    net = nets.build(space, arch, skeleton, seed=seed)
    return net.to(memory_format=runtime.memory_format(net)), Batch.draw(data, seed)


@contextmanager
def _passes(
    net: nn.Module, kinds: type | tuple[type, ...] = (), hook: Callable = lambda *_: None
) -> Iterator[None]:
    """Run the block with ``net`` in training mode, its normalisations recording nothing.
    ``hook(module, inputs, output)`` is called after the pass of each module of some kinds."""
    modes = [(module, module.training) for module in net.modules()]
    norms = [m for m, _ in modes if isinstance(m, _BatchNorm) and m.track_running_stats]
    handles = [m.register_forward_hook(hook) for m, _ in modes if isinstance(m, kinds)]
    net.train()
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for norm in norms:
            norm.track_running_stats = True
        for module, mode in modes:
            module.training = mode


def _weights(net: nn.Module) -> list[nn.Parameter]:
    """θ, a tensor for each layer."""
    return [p for p in net.parameters() if p.requires_grad and p.ndim > 1]


def _loss(net: nn.Module, batch: Batch) -> Tensor:
    """L, in nats."""
    return functional.cross_entropy(net(batch.images), batch.labels)


def _gradients(net: nn.Module, batch: Batch) -> Iterator[tuple[Tensor, Tensor]]:
    """θ and g, layer by layer."""
    theta = _weights(net)
    with _passes(net):
        g = _derivatives(_loss(net, batch), theta)
    return zip(theta, g, strict=True)


def _derivatives(of: Tensor, by: Sequence[Tensor], **options: Any) -> tuple[Tensor, ...]:
    """``torch.autograd.grad``, and zeros where ``of`` does not depend on an entry of ``by``."""
    if not of.requires_grad:
        return tuple(map(torch.zeros_like, by))
    return torch.autograd.grad(of, by, materialize_grads=True, **options)


def _log(x: float) -> float:
    """Natural logarithm; ``LOWEST`` for 0."""
    return math.log(x) if x else LOWEST


def _total(terms: Iterable[Tensor]) -> float:
    """The sum of a number for each layer, added in double precision."""
    return float(sum(term.detach().double() for term in terms))
