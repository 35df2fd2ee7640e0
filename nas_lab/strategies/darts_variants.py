"""Variants of DARTS: other mixtures and losses, rules that stop a search, another selection.

A supernet takes any w, so most of what papers change is a line of arithmetic on the mixture.
"""

import copy
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn
from torch.nn import functional

from nas_lab import runtime
from nas_lab.checks import whole_number
from nas_lab.data import Loader
from nas_lab.estimation.pareto import LookupTable
from nas_lab.nets.modules import initialize
from nas_lab.nets.supernets import ConvNorm
from nas_lab.spaces.base import Arch, Space
from nas_lab.strategies.darts import (
    Batch,
    Darts,
    Gradient,
    Loss,
    Moment,
    endless,
    gradient,
    incoming,
    nones,
    softmax,
)

# ---- the lecture's joint learning ------------------------------------------------------------


def conv(given: int, channels: int, kernel: int) -> nn.Module:
    """Convolution, normalisation by the batch's own statistics, ReLU; the size stays."""
    return nn.Sequential(ConvNorm(given, channels, kernel), nn.ReLU())


CANDIDATES: Mapping[str, Callable[[int], nn.Module]] = {
    "conv_1x1": lambda channels: conv(channels, channels, 1),
    "conv_3x3": lambda channels: conv(channels, channels, 3),
    "conv_5x5": lambda channels: conv(channels, channels, 5),
    "max_pool_3x3": lambda channels: nn.MaxPool2d(3, stride=1, padding=1),
    "skip": lambda channels: nn.Identity(),
}
"""What a layer can be, made for a number of channels."""


class MixedLayer(nn.Module):
    """Candidates side by side, by name; the output is their weighted sum."""

    def __init__(self, candidates: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.candidates = nn.ModuleDict(candidates)
        self.a = nn.Parameter(torch.zeros(len(candidates)))

    @property
    def alpha(self) -> Tensor:
        """Weights of the candidates; they add up to one."""
        return self.a.softmax(dim=0)

    def forward(self, x: Tensor) -> Tensor:
        """``sum_i alpha_i o_i(x)``."""
        outputs = [candidate(x) for candidate in self.candidates.values()]
        return sum(alpha * o for alpha, o in zip(self.alpha, outputs, strict=True))

    @property
    def choice(self) -> str:
        """Name of the argmax."""
        return list(self.candidates)[int(self.a.argmax())]


class MixedChain(nn.Module):
    """The lecture's form of a differentiable choice: a chain of mixed layers, and a classifier.

    Every layer has several candidates o_1 ... o_n and computes

        sum_i alpha_i o_i(x)     with     alpha = softmax(a)

    and ``a`` is a parameter like the weights of the candidates: one loss, one optimiser, one data
    set. All ``a`` begin at zero. In the end every layer keeps its argmax.
    """

    def __init__(self, layers: int = 4, channels: int = 8, seed: int = 0) -> None:
        super().__init__()
        generator = runtime.generator(whole_number("seed", seed, least=0))
        channels = whole_number("channels", channels)
        self.stem = conv(1, channels, 3)
        self._mixed = [
            MixedLayer({name: make(channels) for name, make in CANDIDATES.items()})
            for _ in range(whole_number("layers", layers))
        ]
        self.layers = nn.Sequential(*self._mixed)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))
        for module in self.modules():
            initialize(module, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, 1, H, W] to logits [B, 10]."""
        return self.head(self.layers(self.stem(x)))

    @property
    def alphas(self) -> np.ndarray:
        """Weights of the candidates of each layer, float32 [layers, candidates]."""
        return torch.stack([layer.alpha for layer in self._mixed]).detach().cpu().numpy()

    @property
    def choices(self) -> list[str]:
        """Names of the argmax of each layer."""
        return [layer.choice for layer in self._mixed]

    def discrete(self) -> nn.Sequential:
        """The chosen candidates alone, with copies of their weights, as they are now."""
        chosen = (layer.candidates[layer.choice] for layer in self._mixed)
        return copy.deepcopy(nn.Sequential(self.stem, *chosen, self.head))


class JointDarts(Darts):
    """No halves: alphas and weights move together on every batch of all training images.
    For comparison; the paper tried it and found it to be worse."""

    def updates(self, progress: float) -> tuple[Gradient, Gradient]:
        """Alphas are parameters like others."""
        loss = partial(self.loss, next(self.train_batches), self.moment(progress, 0))
        (value, parts), n = gradient(loss, [*self._alphas, *self._weights]), len(self._alphas)
        by_alpha, by_weight = Gradient(value, parts[:n]), Gradient(value, parts[n:])
        self.move_alphas(by_alpha, progress)
        self.move_weights(by_weight, progress)
        return by_alpha, by_weight

    def halves(self) -> tuple[Loader, Loader]:
        """All training images, twice."""
        return self.data.train_dataloader(), self.data.train_dataloader()


# ---- other mixtures --------------------------------------------------------------------------


class GumbelDarts(Darts):
    """A sample instead of a mean: w = softmax((alpha + g) / temperature), g Gumbel noise.
    Every pass draws g anew. At temperature zero a row would be one-hot, an option drawn with its
    probability softmax(alpha); so what the supernet learns with comes close to what is kept in the
    end. Source: S. Xie et al., "SNAS", ICLR 2019, arXiv:1812.09926."""

    first, last = 10.0, 0.1  # temperature at the beginning and at the end, on a straight line

    def mixture(self, moment: Moment) -> Tensor:
        """A soft sample."""
        alpha = self.parameters["alpha"]
        generator = runtime.generator(*moment.seeds)
        uniform = torch.rand(alpha.shape, generator=generator, dtype=torch.float64)
        gumbel = -torch.log(-torch.log(uniform.clamp(1e-12, 1 - 1e-12))).to(alpha)
        temperature = self.first + (self.last - self.first) * moment.progress
        return softmax((alpha + gumbel) / temperature, self.space)


class HardGumbelDarts(GumbelDarts):
    """One option of each decision, with the gradient of the soft sample.
    Forward a row is one-hot, so only the drawn options run and a step is cheaper. Backward it is
    the soft sample (the straight-through estimator), through the drawn options alone. Source: X.
    Dong, Y. Yang, "Searching for a Robust Neural Architecture in Four GPU Hours" (GDAS), CVPR 2019,
    arXiv:1910.04465."""

    def mixture(self, moment: Moment) -> Tensor:
        """A hard sample."""
        soft = super().mixture(moment)
        hard = functional.one_hot(soft.argmax(dim=1), soft.shape[1]).to(soft)
        return hard + (soft - soft.detach())  # the bracket is zero, to the last bit


class AuxiliarySkipDarts(Darts):
    """One more skip connection on every edge, which fades away.
    In a network with skips others learn more easily, so a search comes to like skips for that and
    not for what they compute. The added skip does this service, and the searched one is judged on
    its own. Two skips are one with the sum of both weights: w of 'skip_connect' plus beta. Beta
    falls from ``first`` to 0 in a straight line. Source: X. Chu et al., "DARTS-", ICLR 2021,
    arXiv:2009.01027. (In a reduction cell both are the same 1x1 convolution.)"""

    first = 1.0

    def mixture(self, moment: Moment) -> Tensor:
        """The strengths, with beta added to the skips."""
        tokens = [decision.options.index("skip_connect") for decision in self.space.decisions]
        skip = functional.one_hot(torch.tensor(tokens), self.space.mask.shape[1])
        return self.relaxation() + self.first * (1 - moment.progress) * skip


class EdgeWeightDarts(Darts):
    """Edges into a node compete too: each row of w is multiplied by its edge's weight.
    The weights are a softmax of the parameters ``beta`` [D] over the edges into a node. Source: Y.
    Xu et al., "PC-DARTS", ICLR 2020, arXiv:1907.05737, section 3.3. An architecture is derived from
    the products, as there. (The paper's other idea, to mix a part of the channels only, is none of
    w, and not here.)"""

    def __init__(self, space: Space, *args: Any, **options: Any) -> None:
        super().__init__(space, *args, **options)
        self.parameters["beta"] = torch.zeros(len(space.decisions), requires_grad=True)

    def relaxation(self) -> Tensor:
        """Softmax over the edges into each node, times softmax over the options of each edge."""
        beta = self.parameters["beta"]
        edges = torch.empty_like(beta)
        for into in incoming(self.space):
            edges[into] = beta[into].softmax(dim=0)
        return edges[:, None] * super().relaxation()


# ---- the latency in the loss -----------------------------------------------------------------

Trade = Callable[[Tensor, Tensor], Tensor]
"""From a loss and expected seconds to what is minimised; both are scalars with gradients."""

UNIT = 1e-6
"""Seconds that count as 1 in the logarithm, so that it is positive."""


def times_log_latency(loss: Tensor, latency: Tensor, beta: float) -> Tensor:
    """The lecture's ``loss * log(latency)^beta``, FBNet's eq. 2 without its factor; in seconds."""
    return loss * torch.log(latency / UNIT) ** beta


class LatencyAwareDarts(Darts):
    """DARTS whose alphas also descend the expected latency of the mixture.

    The expected latency is linear in w (FBNet, Wu et al. 2019, arXiv:1812.03443), so it
    has a gradient in the alphas, which the latency of a single network has not.

    ``table`` says what each option costs on the device; its skeleton may differ. ``trade`` makes
    one number of loss and latency, by default the lecture's product with beta = 1.
    """

    def __init__(
        self,
        space: Space,
        *args: Any,
        table: LookupTable,
        trade: Trade = partial(times_log_latency, beta=1.0),  # noqa: B008 - it has no state
        **options: Any,
    ) -> None:
        if table.space.fingerprint != space.fingerprint:
            raise ValueError(
                f"the look-up table is of {table.space.name}, the search of {space.name}: "
                "fit one to architectures of the space that is searched"
            )
        self.table, self.trade = table, trade
        if not 0 < float(trade(torch.tensor(1.0), torch.tensor(table.base))) < math.inf:
            raise ValueError(
                f"a loss of 1 at the cheapest network's {table.base:g} s has to be worth more than "
                "0: fit the table with a floor"
            )
        super().__init__(space, *args, **options)

    def loss(self, batch: Batch, moment: Moment = Moment()) -> Tensor:  # noqa: B008 - immutable
        """What is minimised, at the present parameters."""
        latency = self.table.expected(self.mixture(moment))
        return self.trade(super().loss(batch, moment), latency)


# ---- rules that stop a search before it collapses to skip connections --------------------------


def too_many_skips(darts: Darts, limit: int = 2, steps: int = 20) -> bool:
    """Stop when a normal cell would keep so many skip connections: ``if rule(darts): break``.
    Source: H. Liang et al., "DARTS+", 2019, arXiv:1909.06035, criterion 1: two. It has to be so for
    some ``steps`` in a row, for single steps jump about while alphas are close to each other. On
    ``nasbench201()`` its only cell counts."""

    def skips(step: int) -> int:
        chosen = darts.space.decode(darts.arch(step)).items()
        return sum(op == "skip_connect" for name, op in chosen if not name.startswith("reduce"))

    last = range(-1, -1 - steps, -1)
    return len(darts.log) >= steps and all(skips(step) >= limit for step in last)


class RisingCurvature:
    """Stop when the curvature of the validation loss rises, and go back to before it did.

    The curvature is measured from time to time and smoothed over k values. It has risen when the
    mean of the k before is below ``ratio`` times that of the last k. Then
    ``darts.arch(rule.keep)`` is the architecture of k measurements ago. Source: A. Zela et al.,
    ICLR 2020, arXiv:1909.09656, section 4, with k = 5 passes over the data. A rule keeps what it
    has seen, so make one for each search.

    A measurement is done ``every`` so many steps; k is ``window``.
    """

    def __init__(self, every: int = 20, window: int = 5, ratio: float = 0.75) -> None:
        self.every, self.window, self.ratio = every, window, ratio
        self.steps: list[int] = []  # numbers of those after which it was measured
        self.values: list[float] = []  # the curvatures
        self.keep = -1  # index into ``darts.log`` of the step to go back to

    def __call__(self, darts: Darts) -> bool:
        """Measure if it is time; whether the search is over."""
        number = darts.log[-1].number
        if number % self.every:
            return False
        self.steps.append(number)
        self.values.append(curvature(darts))
        if len(self.values) < 2 * self.window:
            return False
        before, now = np.mean(np.reshape(self.values[-2 * self.window :], (2, -1)), axis=1)
        if before >= self.ratio * now:
            return False
        self.keep = self.steps[-1 - self.window] - 1
        return True


def curvature(darts: Darts) -> float:
    """Largest eigenvalue of the Hessian of L_val in alpha, in nats, as the search stands.
    L_val is the loss of one batch of the half of the images that alphas learn on, always the same,
    with the strengths as w. Architectures generalise worse where it is high (A. Zela et al., ICLR
    2020, arXiv:1909.09656, section 4)."""
    _, val = darts.halves()
    images, labels = val.images[: val.batch_size], val.labels[: val.batch_size]

    def loss() -> Tensor:
        return functional.cross_entropy(darts.net(images, darts.relaxation()), labels)

    return top_eigenvalue(loss, darts.parameters["alpha"])


TOLERANCE = 1e-3
"""Relative error of an eigenvalue."""


def top_eigenvalue(loss: Loss, parameter: Tensor) -> float:
    """Largest eigenvalue of the Hessian of a loss in one parameter, by Lanczos' method.
    The Hessian is not built. Its product with a vector v is the gradient of <gradient, v>, which
    costs about two backward passes; some twenty of them will do. The parameter has at least two
    elements."""
    (slope,) = torch.autograd.grad(loss(), parameter, create_graph=True)

    def product(v: np.ndarray) -> np.ndarray:
        along = torch.from_numpy(v).to(parameter).view_as(parameter)
        (bent,) = torch.autograd.grad(slope, parameter, along, retain_graph=True)
        return bent.double().numpy().ravel()

    n = parameter.numel()
    start = np.random.default_rng(0).standard_normal(n)  # a constant one gives zero: see softmax
    hessian = LinearOperator((n, n), matvec=product, dtype=np.float64)
    (value,) = eigsh(hessian, 1, which="LA", v0=start, tol=TOLERANCE, return_eigenvectors=False)
    return float(value)


# ---- another selection -----------------------------------------------------------------------


def perturbation(darts: Darts, *, tune: int = 20, images: int = 512, seed: int = 0) -> Arch:
    """Perturbation-based selection.

    Edges are decided one after the other, in random order. On each, every option but 'none' is
    taken out in its turn, and the one without which the supernet's accuracy is lowest stays. Then
    the weights are tuned with the edge as decided. The search itself is not changed. Source: R.
    Wang et al., "Rethinking Architecture Selection in Differentiable NAS", ICLR 2021,
    arXiv:2108.04392, algorithm 1, without its step for the inputs of a DARTS cell.

    Args:
        tune: steps of the weights after each decision.
        images: measure on so many images of the half that alphas learnt on.
        seed: of the order of edges and images.
    """
    space, net, schedule = darts.space, copy.deepcopy(darts.net), darts.schedule
    w, rng = torch.from_numpy(darts.strengths()), np.random.default_rng(seed)
    train, val = darts.halves()
    batches = endless(train.reseeded(seed))
    weights = [weight for weight in net.parameters() if weight.requires_grad]
    excluded = nones(space)

    @torch.no_grad()
    def accuracy(edge: int, row: Tensor) -> float:
        changed = w.clone()
        changed[edge] = row
        right = net(val.images[:images], changed).argmax(dim=1) == val.labels[:images]
        return float(right.float().mean())

    def tuned() -> None:
        optimiser = schedule.weight_optimiser(weights)
        for step in range(tune):
            optimiser.param_groups[0]["lr"] = schedule.rate(step / tune)
            x, labels = next(batches)
            optimiser.zero_grad()
            functional.cross_entropy(net(x, w), labels).backward()
            torch.nn.utils.clip_grad_norm_(weights, schedule.clip)
            optimiser.step()

    one_hot = torch.eye(w.shape[1])
    for edge in rng.permutation(len(w)):
        options = np.flatnonzero(space.mask[edge]).tolist()
        tokens = [token for token in options if (edge, token) not in excluded]
        harm = [accuracy(edge, w[edge] * (1 - one_hot[token])) for token in tokens]
        w[edge] = one_hot[tokens[int(np.argmin(harm))]]
        tuned()
    return space.check(w.argmax(dim=1).tolist())
