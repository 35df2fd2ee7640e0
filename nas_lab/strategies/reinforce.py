"""REINFORCE: a controller writes architectures, and learns from how good they are."""

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nas_lab import runtime
from nas_lab.checks import number_in, whole_number
from nas_lab.history import Trial
from nas_lab.spaces.base import Arch, Space
from nas_lab.strategies.base import SeededStrategy

runtime.one_thread()

Pair = tuple[Tensor, Tensor]
INITIAL = 0.08
"""Weights begin uniformly in [-INITIAL, INITIAL] (Zoph & Le 2017, section 4.1)."""
SAMPLES = 1000
"""Architectures over which ``w`` is averaged."""


class Controller(nn.Module, ABC):
    """A distribution over the architectures of a space, which can learn.

    Every decision is a softmax over the options that are allowed after the tokens before it, so
    only architectures of the space are drawn:

        p(arch) = p(token_1) p(token_2 | token_1) ... p(token_D | token_1 ... token_(D-1))

    A subclass says the logits of one decision, in ``start`` and ``step``. There are D decisions of
    K options at most, and B architectures.
    """

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.space = space

    @abstractmethod
    def start(self, n: int) -> Any:
        """What is remembered of ``n`` architectures before their first token."""

    @abstractmethod
    def step(self, state: Any, decision: int, tokens: Tensor) -> tuple[Tensor, Any]:
        """Logits [B, K] of a decision after the tokens [B] of the one before, and the new state."""

    def forward(self, archs: Sequence[Arch]) -> Tensor:
        """Log-probability of each option, given the tokens before it: [B, D, K], or -inf."""
        tokens = torch.tensor(archs)
        state, before = self.start(len(archs)), torch.zeros(len(archs), dtype=torch.int64)
        rows = []
        for d in range(len(self.space.decisions)):
            logits, state = self.step(state, d, before)
            excluded = self._excluded([arch[:d] for arch in archs])
            rows.append(logits.masked_fill(torch.from_numpy(excluded), -torch.inf))
            before = tokens[:, d]
        return torch.stack(rows, dim=1).log_softmax(dim=2)

    def log_prob(self, archs: Sequence[Arch]) -> Tensor:
        """Log-probability of each architecture, [B]."""
        return chosen(self(archs), archs)

    @torch.inference_mode()
    def sample(self, n: int, rng: np.random.Generator) -> list[Arch]:
        """Draw architectures, token by token."""
        # The largest of logits plus Gumbel noise is a draw from their softmax.
        noise = rng.gumbel(size=(n, *self.space.mask.shape))
        state, before = self.start(n), torch.zeros(n, dtype=torch.int64)
        archs: list[Arch] = [()] * n
        for d in range(len(self.space.decisions)):
            logits, state = self.step(state, d, before)
            noisy = np.where(self._excluded(archs), -np.inf, logits.numpy() + noise[:, d])
            before = torch.from_numpy(noisy.argmax(axis=1))
            archs = [(*arch, token) for arch, token in zip(archs, before.tolist(), strict=True)]
        return archs

    @property
    def w(self) -> np.ndarray:
        """Probability of each option of each decision, float32 [D, K]; rows sum to 1.
        What came before is averaged out: over ``SAMPLES`` architectures that the controller draws,
        with the same random numbers every time. Each entry's standard error is below 0.016."""
        with torch.no_grad():
            archs = self.sample(SAMPLES, np.random.default_rng(0))
            return self(archs).exp().mean(dim=0).numpy()

    def _excluded(self, prefixes: Sequence[Arch]) -> np.ndarray:
        """Which options may not follow each prefix, bool [B, K]."""
        excluded = np.ones((len(prefixes), self.space.mask.shape[1]), dtype=bool)
        for row, prefix in zip(excluded, prefixes, strict=True):
            row[list(self.space.allowed(prefix))] = False
        return excluded


def chosen(log_p: Tensor, archs: Sequence[Arch]) -> Tensor:
    """Sum of the log-probabilities [B, D, K] of the tokens of each architecture, [B]."""
    return log_p.gather(2, torch.tensor(archs)[:, :, None]).sum(dim=(1, 2))


def entropy(log_p: Tensor) -> Tensor:
    """Entropy of the decisions of each architecture, given the tokens before them, in nats: [B].
    Its mean over architectures that the controller draws is the entropy of the controller."""
    finite = log_p.clamp(min=torch.finfo(log_p.dtype).min)  # an excluded option adds 0, not nan
    return -(log_p.exp() * finite).sum(dim=(1, 2))


class FactorisedController(Controller):
    """Every decision for itself: the logits are a matrix [D, K], and that is all.
    It begins with equal probabilities. ``w`` is its softmax, so this is the alpha of DARTS, learnt
    from samples. (Where a space excludes combinations, tokens still depend on those before them.)
    The seed is without influence."""

    def __init__(self, space: Space, *, seed: int = 0) -> None:
        super().__init__(space)
        self.logits = nn.Parameter(torch.zeros(space.mask.shape))

    def start(self, n: int) -> None:
        """Nothing is remembered."""

    def step(self, state: None, decision: int, tokens: Tensor) -> tuple[Tensor, None]:
        """The same logits for all."""
        return self.logits[decision].expand(len(tokens), -1), None

    @property
    def w(self) -> np.ndarray:
        """Softmax of the logits over the options that exist, float32 [D, K]."""
        logits = self.logits.detach().masked_fill(torch.from_numpy(~self.space.mask), -torch.inf)
        return logits.softmax(dim=1).numpy()


class LSTMController(Controller):
    """The controller of Zoph & Le (2017, section 3.1): an LSTM that reads what it wrote.
    Each token is embedded and read; the LSTM's output goes to the softmax of the next decision,
    which has a head of its own. Heads begin at zero, so all options begin with equal probability.
    """

    hidden = 64  # outputs of the LSTM, and size of the embedding

    def __init__(self, space: Space, *, seed: int = 0) -> None:
        super().__init__(space)
        decisions, options = space.mask.shape
        with torch.device("meta"):  # no memory, no random numbers yet
            self.embedding = nn.Embedding(decisions * options, self.hidden)
            self.cell = nn.LSTMCell(self.hidden, self.hidden)
            self.heads = nn.ModuleList(nn.Linear(self.hidden, options) for _ in range(decisions))
        initialize(self, [self.embedding, self.cell], seed)

    def start(self, n: int) -> Pair:
        """Hidden state and cell state, zeros [B, hidden]."""
        zeros = torch.zeros(n, self.cell.hidden_size)
        return zeros, zeros

    def step(self, state: Pair, decision: int, tokens: Tensor) -> tuple[Tensor, Pair]:
        """Embed, remember, and ask the decision's head."""
        row = decision * self.space.mask.shape[1] + tokens  # a token means something by its place
        state = self.cell(self.embedding(row), state)
        return self.heads[decision](state[0]), state


def initialize(net: nn.Module, drawn: Sequence[nn.Module], seed: int) -> None:
    """Draw the weights of some parts uniformly; the others, the heads, begin at zero."""
    net.to_empty(device="cpu")
    for parameter in net.parameters():
        nn.init.zeros_(parameter)
    generator = runtime.generator(whole_number("seed", seed, least=0))
    for parameter in itertools.chain(*(part.parameters() for part in drawn)):
        nn.init.uniform_(parameter, -INITIAL, INITIAL, generator=generator)


class PolicyGradient:
    """Ascent of J = E[R], the mean reward of what a policy draws (Williams 1992).

    Zoph & Le (2017, section 3.2) estimate its gradient from a batch of m samples as

        1/m sum_k  grad log p(sample_k) (R_k - b)

    where the baseline b is a moving average of rewards. It does not depend on the batch, so it
    leaves the mean of the estimate alone, and makes it less noisy. The reward R is the score plus
    ``entropy`` times the entropy of the sample's decisions, so J is E[score] + ``entropy`` H(p): a
    policy that is sure of itself too early is paid less.

    ``baseline_decay`` says how much of b stays at each step. A step is done as soon as ``batch``
    samples have been told.
    """

    optimiser: torch.optim.Optimizer
    baseline = math.nan
    baseline_decay = 0.9
    entropy: float
    batch: int
    loss: Callable[..., Pair]
    _told: Sequence[tuple] = ()  # since the last step

    def policy_loss(self, log_p: Tensor, entropies: Tensor, scores: Sequence[float]) -> Pair:
        """What gradient descent descends, and the rewards [B].
        Of B samples: log-probabilities, entropies of their decisions in nats, and finite scores.
        Before there is a baseline, the rewards' own mean takes its place. It holds each sample's
        own reward, so for that one step the rewards' part of the gradient has 1 - 1/B of its size.
        """
        rewards = torch.tensor(scores) + self.entropy * entropies.detach()
        baseline = rewards.mean() if math.isnan(self.baseline) else self.baseline
        # J depends on the weights through what is drawn, and through the entropy in R.
        gain = (rewards - baseline) * log_p + self.entropy * entropies
        return -gain.mean(), rewards

    def learn(self, samples: Iterable[tuple]) -> None:
        """Collect samples, their scores last, and do a step once they make a batch.
        Failures, whose score is not finite, are counted but teach nothing."""
        self._told = [*self._told, *samples]
        if len(self._told) < self.batch:
            return
        told = [sample for sample in self._told if math.isfinite(sample[-1])]
        self._told = []
        if told:
            loss, rewards = self.loss(*zip(*told, strict=True))
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            mean = rewards.mean().item()
            before = mean if math.isnan(self.baseline) else self.baseline
            self.baseline = before + (1 - self.baseline_decay) * (mean - before)


class Reinforce(SeededStrategy, PolicyGradient):
    """Policy gradient on a controller (Williams 1992; Zoph & Le 2017, arXiv:1611.01578).
    ``controller(space, seed=seed)`` makes the policy; Adam learns, as in the paper; for ``entropy``
    and ``batch`` see ``PolicyGradient``. Failed trials, with a score that is not finite, are
    counted but not learnt from. A trial that is never told is not missed."""

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        controller: Callable[..., Controller] = LSTMController,
        learning_rate: float = 0.01,
        entropy: float = 0.01,
        batch: int = 4,
    ) -> None:
        super().__init__(space, seed=seed)
        self.entropy = number_in("entropy", entropy)
        self.batch = whole_number("batch", batch)
        if isinstance(controller, torch.nn.Module) or not callable(controller):
            raise TypeError(
                "controller is called as controller(space, seed=seed): give a class such as "
                f"FactorisedController, not {controller!r}"
            )
        self.controller = controller(space, seed=self.seed)
        rate = number_in("learning_rate", learning_rate)
        self.optimiser = torch.optim.Adam(self.controller.parameters(), lr=rate, fused=True)

    @property
    def w(self) -> np.ndarray:
        """The policy: probability of each option of each decision, float32 [D, K]."""
        return self.controller.w

    def ask(self, n: int) -> list[Arch]:
        """Draw ``n`` architectures from the controller."""
        return self.controller.sample(whole_number("n", n), self.next_rng())

    def tell(self, trials: Sequence[Trial]) -> None:
        """Collect trials, and do a gradient step with all of them once they make a batch."""
        self.learn([(self.space.check(trial.arch), trial.result.score) for trial in trials])

    def loss(self, archs: Sequence[Arch], scores: Sequence[float]) -> Pair:
        """``policy_loss`` of B architectures that the controller drew, and their finite scores."""
        log_p = self.controller(archs)
        return self.policy_loss(chosen(log_p, archs), entropy(log_p), scores)
