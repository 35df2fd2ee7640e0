"""EAS: grow networks, and let children inherit what their parents learnt.

    eas = EAS(spaces.plain_chain(), skeleton, data, start=arch, seed=0)
    for trial in eas.search(20): ...

Efficient Architecture Search makes a trained network wider or deeper without changing its function,
so a child begins where its parent stopped, and a short training tells whether it got better.

Source: H. Cai, T. Chen, W. Zhang, Y. Yu, J. Wang, "Efficient Architecture Search by Network
Transformation", AAAI 2018, arXiv:1707.04873.
"""

import copy
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import nn

from nas_lab.checks import whole_number
from nas_lab.data import FashionMNIST
from nas_lab.estimation.training import check_fits
from nas_lab.history import Evaluation, History, Trial
from nas_lab.nets import morphisms
from nas_lab.nets.morphisms import Chain, deepen, depths, identities, more_filters, widen
from nas_lab.spaces.base import Arch, Skeleton
from nas_lab.spaces.chains import PlainChain, layers
from nas_lab.strategies.reinforce import Pair, PolicyGradient, chosen, entropy, initialize
from nas_lab.training import Recipe, train

Growth: TypeAlias = tuple[int, ...]
"""How a network of L layers grows: L + 1 tokens.

For each layer 1 where it gets its next larger number of filters, else 0; then 0 where no layer is
added, else 1 + (layer - 1) S + s for a new one behind ``layer`` with filters of size s out of S.
"""

FIRST = Recipe(epochs=2)
"""How the first network is trained."""
CHILD = Recipe(epochs=1, schedule="cosine")
"""How a child is trained: shortly, with a learning rate that only falls."""


class GrowthController(nn.Module):
    """Where to widen and where to deepen: an LSTM that reads a network, and two heads.
    The LSTM reads the layers in both directions. From its state at a layer, the one head says
    whether to widen it, and the other scores new layers behind it. All layers share the heads. (The
    paper's second actor is an LSTM that decides block, place and size one by one; here they are one
    softmax.) A new controller widens every layer with probability 1/2, and adds a layer with
    probability 1/2, at any place with the same probability."""

    hidden = 32  # outputs of the LSTM in each direction, and size of the embedding

    def __init__(self, space: PlainChain, *, seed: int) -> None:
        super().__init__()
        morphisms.check_chain(space)
        self.space, self.sizes = space, identities(space)
        options = [(token, o) for token, row in morphisms.choices(space).items() for o in row]
        self._numbers = {option: number for number, option in enumerate(options)}
        with torch.device("meta"):  # no memory, no random numbers yet
            self.embedding = nn.Embedding(len(options), self.hidden)
            self.encoder = nn.LSTM(self.hidden, self.hidden, batch_first=True, bidirectional=True)
            self.wider = nn.Linear(2 * self.hidden, 1)
            self.deeper = nn.Linear(2 * self.hidden, len(self.sizes))
        initialize(self, [self.embedding, self.encoder], seed)

    def forward(self, arch: Arch) -> torch.Tensor:
        """Log-probability of each token of a growth: [L + 1, 1 + L S]; -inf where there is none."""
        rows = layers(self.space, arch)
        numbers = [[self._numbers[option] for option in row.items()] for row in rows]
        states, _ = self.encoder(self.embedding(torch.tensor(numbers)).sum(dim=1)[None])
        can_widen = torch.tensor([more_filters(self.space, row) is not None for row in rows])
        new_layers = len(rows) * len(self.sizes)
        logits = torch.full((len(rows) + 1, 1 + new_layers), -torch.inf)
        logits[:-1, 0] = 0
        logits[:-1, 1] = self.wider(states[0])[:, 0].masked_fill(~can_widen, -torch.inf)
        logits[-1, 0] = math.log(new_layers)
        if len(rows) + 1 in depths(self.space):
            logits[-1, 1:] = self.deeper(states[0]).flatten()
        return logits.log_softmax(dim=1)

    @torch.no_grad()
    def sample(self, arch: Arch, rng: np.random.Generator) -> Growth:
        """Draw how a network grows."""
        log_p = self(arch)
        noise = torch.from_numpy(rng.gumbel(size=log_p.shape))  # its largest sum is such a draw
        return tuple((log_p + noise).argmax(dim=1).tolist())


def grow(
    chain: Chain, growth: Growth, images: torch.Tensor, rng: np.random.Generator, noise: float = 0.0
) -> Chain:
    """Widen the layers that a growth names, then add the layer that it names; ``chain`` stays."""
    *wider, deeper = growth
    child = replace(chain, net=copy.deepcopy(chain.net))
    for layer, (row, grows) in enumerate(zip(chain.layers, wider, strict=True), start=1):
        filters = more_filters(chain.space, row)
        if grows and filters is not None:
            child = widen(child, layer, filters, rng, noise=noise)
    if deeper:
        sizes = identities(chain.space)
        behind, size = divmod(deeper - 1, len(sizes))
        child = deepen(child, behind + 1, images, **sizes[size])
    return child


class Parent(NamedTuple):
    """A trial, and the network that it trained."""

    trial: Trial
    chain: Chain


class EAS(PolicyGradient):
    """Efficient Architecture Search (Cai et al. 2018): search and estimation in one.

    The network ``start`` is trained from scratch. Then, again and again: one of the best networks
    so far becomes a parent, the controller says how it grows, and the child is trained for a short
    time. The controller learns by REINFORCE. The reward is what the child gained over its parent,
    and the baseline a moving average of rewards. (The paper bends the accuracy by tan(pi/2 acc),
    and lets all children of a stage grow from one network; the parent's score, which does not
    depend on the growth, does here what that does there.)

    A child's score is that of its own architecture after all the training that it and its
    ancestors had, which is in ``metrics["epochs"]``; its cost is its own. To compare architectures,
    train them from scratch. A dozen children make a few gradient steps, too few to tell the
    controller from one that grows networks at random (``benchmarks/morphism.py``).

    ``space`` is ``spaces.plain_chain()``, with depths to choose from. In ``history``, the metric
    ``parent`` is the id of a trial, -1 for the first; ``parents`` are the ``most_parents`` best,
    the best first.
    """

    noise, most_parents, batch, entropy = 0.1, 2, 4, 0.001

    def __init__(
        self,
        space: PlainChain,
        skeleton: Skeleton,
        data: FashionMNIST,
        *,
        start: Arch,
        seed: int = 0,
        first: Recipe = FIRST,
    ) -> None:
        check_fits(data, skeleton)
        self.seed = whole_number("seed", seed, least=0)
        self.controller = GrowthController(space, seed=self.seed)
        self.space, self.skeleton, self.data = space, skeleton, data
        self.start, self.first = space.canonical(start), first
        self.history = History(None, space)
        self.optimiser = torch.optim.Adam(self.controller.parameters(), lr=0.01)
        self.parents: list[Parent] = []
        self._images = next(iter(data.train_dataloader()))[0]

    def search(self, trials: int) -> Iterator[Trial]:
        """Yield so many trials in all, with ids 0, 1, 2, ...
        Leave the loop to stop early, or interrupt it. Called again, this yields the trials that
        there are, and goes on; only a training that was interrupted is done anew."""
        trials = whole_number("trials", trials, least=0)
        return (self.history[id] if id in self.history else self._try(id) for id in range(trials))

    def _try(self, id: int) -> Trial:
        """One more trial. Nothing has changed when this is interrupted."""
        rng, began = np.random.default_rng([self.seed, id]), time.perf_counter()
        growth: Growth = ()
        if id == 0:
            parent = None
            chain = Chain.build(self.space, self.start, self.skeleton, self.seed)
        elif self.parents:
            parent = self.parents[int(rng.integers(len(self.parents)))]
            growth = self.controller.sample(parent.chain.arch, rng)
            chain = grow(parent.chain, growth, self._images, rng, self.noise)
        else:
            raise RuntimeError("the first training diverged: give `first` a lower learning rate")
        recipe = CHILD if parent else self.first
        curve = train(chain.net, self.data, recipe, seed=int(rng.integers(2**31)))
        if curve.status == "interrupted":
            raise KeyboardInterrupt("this training was interrupted; search again to go on")
        cost = self.space.cost(chain.arch, self.skeleton)
        metrics = {
            "epochs": len(curve) + (parent.trial.result.metrics["epochs"] if parent else 0.0),
            "parent": parent.trial.id if parent else -1,
            "params": cost.params,
            "macs": cost.macs,
            "diverged": float(curve.status == "diverged"),
            "val_loss": curve.val_loss[-1] if len(curve) else math.nan,
        }
        score = curve.evaluation(chain.arch, {}).score
        trial = Trial(id, chain.arch, Evaluation(score, time.perf_counter() - began, metrics))
        if parent:
            self.learn([(parent.chain.arch, growth, score - parent.trial.result.score)])
        if not math.isnan(score):
            ranked = [*self.parents, Parent(trial, chain)]
            ranked.sort(key=lambda p: -p.trial.result.score)
            self.parents = ranked[: self.most_parents]
        self.history.append(trial)
        return trial

    def loss(
        self, archs: Sequence[Arch], growths: Sequence[Growth], gains: Sequence[float]
    ) -> Pair:
        """As ``Reinforce.loss``, of parents, how they grew, and what their children gained."""
        log_ps = [self.controller(arch)[None] for arch in archs]
        entropies = torch.cat([entropy(log_p) for log_p in log_ps])
        log_p = torch.cat([chosen(p, [g]) for p, g in zip(log_ps, growths, strict=True)])
        return self.policy_loss(log_p, entropies, gains)
