"""Move baseline, batch and entropy by sliders, and watch where steps of REINFORCE point."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import traitlets

from nas_lab import plots
from nas_lab.estimation import Table
from nas_lab.widgets.base import MovingPicture, State, View, Words, button, pair, row

if TYPE_CHECKING:
    import torch

RATE = 0.1
"""Learning rate of the exact ascent."""
MOST = 200
"""Steps of it that the slider goes to."""
DRAWN = 500
"""Batches that are drawn to see where they point."""
MANY = 100_000
"""Larger numbers are not told."""


@dataclass(frozen=True, eq=False)
class Estimates:
    """The gradient of J at one policy, and the estimates that batches give. All lengths are L2.

    Attributes:
        w: the policy, [D, K].
        gradient: of J, with respect to the logits, [D, K]; exact.
        reward: mean of R; exact.
        accuracy: mean validation accuracy of what the policy draws; exact.
        entropy: of the policy, in nats.
        noise: root of the mean squared length of (estimate - gradient), for a batch of one and the
            baseline that is set; exact.
        least: the same with the mean reward as baseline.
        cosines: between the gradient and the estimates of ``DRAWN`` batches.
    """

    w: np.ndarray
    gradient: np.ndarray
    reward: float
    accuracy: float
    entropy: float
    noise: float
    least: float
    cosines: np.ndarray


class GradientState(State):
    """A factorised controller on a table, and how well one step of REINFORCE points uphill.

    The policy has learnt for some steps from the exact gradient of J = E[score] + entropy H(p),
    which a table makes possible: no luck is in it. From there, batches estimate the gradient as

        1/m sum_k  (R_k - b) grad log p(arch_k)  +  entropy grad H,   R = score + entropy H

    Args:
        table: what evaluates; None takes the one that comes with the kit.
        baseline: b, in units of the reward.
        batch: m, architectures of one step.
        entropy: weight of the entropy in the reward.
        learnt: steps of exact gradient ascent (Adam, learning rate 0.1) behind the policy.
        draw: number of the draw of the batches.

    Raises:
        traitlets.TraitError: a number out of range.
    """

    baseline = traitlets.Float(0.0, min=0, max=1.5).tag(keep=True)
    batch = traitlets.Int(4, min=1, max=64).tag(keep=True)
    entropy = traitlets.Float(0.0, min=0, max=1).tag(keep=True)
    learnt = traitlets.Int(20, min=0, max=MOST).tag(keep=True)
    draw = traitlets.Int(0, min=0).tag(keep=True)

    def __init__(self, table: Table | None = None, **settings: Any) -> None:
        self.table = Table.load() if table is None else table
        self.space = self.table.space
        super().__init__(**settings)
        self._path = lru_cache(maxsize=8)(self._ascend)
        self._known: tuple[Any, Estimates] | None = None

    def take_mean(self) -> None:
        """Put the baseline to the mean reward, which is what a moving average finds."""
        self.baseline = round(self.estimates.reward, 2)

    def draw_again(self) -> None:
        """Draw other batches."""
        self.draw += 1

    # ---- the table as arrays -----------------------------------------------------------------

    @cached_property
    def _scores(self) -> np.ndarray:
        """Validation accuracy of every architecture, [size]."""
        return np.array([self.table(arch).score for arch in self.space])

    @cached_property
    def _one_hot(self) -> np.ndarray:
        """Every architecture, [size, D K]."""
        return np.stack([self.space.one_hot(arch).ravel() for arch in self.space])

    # ---- exact ascent ------------------------------------------------------------------------

    def _ascend(self, entropy: float) -> np.ndarray:
        """Logits after 0, 1, ... ``MOST`` exact steps, [MOST + 1, D, K]."""
        import torch

        from nas_lab import runtime

        shape = [len(decision.options) for decision in self.space.decisions]
        scores = torch.tensor(self._scores, dtype=torch.float32).reshape(shape)
        logits = torch.zeros(self.space.mask.shape, requires_grad=True)
        adam = torch.optim.Adam([logits], lr=RATE)
        path = [logits.detach().clone()]
        with runtime.threads(1):
            for _ in range(MOST):
                adam.zero_grad()
                (-objective(scores, logits, entropy)).backward()
                adam.step()
                path.append(logits.detach().clone())
        return torch.stack(path).numpy()

    # ---- estimates ---------------------------------------------------------------------------

    @property
    def estimates(self) -> Estimates:
        """What follows from the setting; computed once for each."""
        key = (self.baseline, self.batch, self.entropy, self.learnt, self.draw)
        if self._known is None or self._known[0] != key:
            self._known = (key, self._estimate())
        return self._known[1]

    def _estimate(self) -> Estimates:
        w, pull = _policy(self._path(self.entropy)[self.learnt])
        flat = w.ravel()
        p = np.exp(self._one_hot @ np.log(flat))
        entropy = float(-(flat * np.log(flat)).sum())
        rewards = self._scores + self.entropy * entropy
        accuracy = float(p @ self._scores)
        reward = accuracy + self.entropy * entropy
        # grad log p(arch) = one_hot(arch) - w, in logits
        climb = (p * self._scores) @ self._one_hot - accuracy * flat  # grad E[score]
        bonus = self.entropy * pull.ravel()
        gradient = climb + bonus
        squared = len(w) - 2 * self._one_hot @ flat + flat @ flat  # of grad log p

        def noise(baseline: float) -> float:
            mean_square = p @ ((rewards - baseline) ** 2 * squared)
            return math.sqrt(max(0.0, mean_square - climb @ climb))

        rng = np.random.default_rng(self.draw)
        drawn = np.searchsorted(p.cumsum(), p.sum() * rng.random((DRAWN, self.batch)))
        gains = (rewards[drawn] - self.baseline)[:, :, None]
        steps = (gains * (self._one_hot[drawn] - flat)).mean(axis=1) + bonus
        lengths = np.linalg.norm(steps, axis=1) * np.linalg.norm(gradient)
        return Estimates(
            w,
            gradient.reshape(w.shape),
            reward,
            accuracy,
            entropy,
            noise(self.baseline),
            noise(reward),
            np.divide(steps @ gradient, lengths, out=np.zeros(DRAWN), where=lengths > 0),
        )

    # ---- in words ----------------------------------------------------------------------------

    @property
    def words(self) -> str:
        """How noisy a step is, and what the best baseline would make of it."""
        found = self.estimates
        length = float(np.linalg.norm(found.gradient)) * math.sqrt(self.batch)
        downhill = (found.cosines < 0).mean()
        return (
            f"b = {self.baseline:.2f}, batch {self.batch}: the noise of a step is "
            f"{_count(found.noise / length, 1)} times as long as the gradient, and {downhill:.0%} "
            f"of the steps point downhill. With the mean reward {found.reward:.2f} as baseline, "
            f"the noise is {_count(found.least / length, 1)} times as long"
        )

    @property
    def need_words(self) -> str:
        """How many architectures a step has to train."""
        found = self.estimates
        length = float(np.linalg.norm(found.gradient))
        now, then = (math.ceil((noise / length) ** 2) for noise in (found.noise, found.least))
        return (
            "for a noise no longer than the gradient, a step has to train "
            f"{_count(max(1, now))} architectures; with that baseline {_count(max(1, then))}"
        )

    @property
    def policy_words(self) -> str:
        """What the policy draws."""
        found, size = self.estimates, self.space.size
        return (
            f"the policy after {self.learnt} exact steps draws cells of {found.accuracy:.1%} on "
            f"average; its entropy is {found.entropy:.1f} of {math.log(size):.1f} nats, that of a "
            f"free choice among {math.exp(found.entropy):,.0f} of {size:,} cells"
        )


def _count(number: float, digits: int = 0) -> str:
    """A number in words' length: where the gradient vanishes, it grows beyond all meaning."""
    if number > MANY:
        return f"more than {MANY:,}"
    return f"{number:,.{digits if number < 100 else 0}f}"


def objective(scores: torch.Tensor, logits: torch.Tensor, entropy: float) -> torch.Tensor:
    """J = E[score] + entropy H(p) of a factorised policy, exactly.

    Args:
        scores: of every architecture, an axis for each decision.
        logits: [D, K].
        entropy: weight of H.
    """
    log_w = logits.log_softmax(dim=1)
    w = log_w.exp()
    for weights in w.flip(0):
        scores = scores @ weights  # the last decision is averaged out
    return scores - entropy * (w * log_w).sum()


def _policy(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """w[D, K], and the gradient of its entropy with respect to the logits [D, K]."""
    logits = logits.astype(float)
    log_w = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    w = np.exp(log_w)
    entropy = -(w * log_w).sum(axis=1, keepdims=True)
    return w, -w * (log_w + entropy)  # dH/dlogit_k = -w_k (log w_k + H)


class GradientSliders(View):
    """Sliders for baseline, batch, entropy weight and how much is learnt; the steps' directions."""

    State = GradientState
    HINT = (
        "Bars are the directions of 500 steps from the same policy, each with another batch. Which "
        "slider turns more steps uphill, and which of them costs trainings? Then let the policy "
        "learn on: with entropy weight 0, and with 0.01. (By keyboard: Tab, arrow keys.)"
    )

    def build(self) -> list[ipywidgets.Widget]:
        """Sliders and buttons above words and charts."""
        model = self.model
        look: dict[str, Any] = {"width": "310px", "label": "108px"}
        mean = "put the baseline to the mean reward, which a moving average finds"
        weights = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1)
        first = row(
            self.slider("baseline", 0.0, 1.5, 0.01, "baseline b", **look),
            self.choice("batch", (1, 2, 4, 8, 16, 32, 64), "batch m", **look),
            button("Mean reward", model.take_mean, mean),
        )
        second = row(
            self.slider("learnt", 0, MOST, 10, "steps learnt", **look),
            self.choice("entropy", weights, "entropy weight", **look),
            button("Draw again", model.draw_again, "other batches, same setting"),
            self.reset_button("back to the first setting"),
        )
        figure, left, right = pair(9.2, 3.7, 1.2, 1)
        cosine = "cosine with the exact gradient"
        plots.chart(left, "Where does one step point?", cosine, f"share of {DRAWN} steps")
        plots.chart(right, "The policy w that takes the step", "", "")
        self._bars, self._w = plots.CosineBars(left), plots.PolicyMatrix(right, model.space)
        self._picture, self._words = MovingPicture(figure, self._bars, self._w, dpi=120), Words()
        self.shows(self._draw)
        return [first, second, self._words, self._picture]

    def _draw(self) -> None:
        model = self.model
        self._bars.update(model.estimates.cosines)
        self._w.update(model.estimates.w)
        self._words.say(model.words, model.need_words, model.policy_words, strong=True)
        self._picture.draw(f"Directions of {DRAWN} steps, and the policy w. {model.words}.")
