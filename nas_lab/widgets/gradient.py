"""Move baseline, batch and entropy by sliders, and watch where steps of REINFORCE point."""

import math
from functools import cached_property, lru_cache, reduce
from typing import Any, NamedTuple

import numpy as np
import traitlets
from scipy.special import log_softmax

from nas_lab import explain, plots
from nas_lab.estimation import Table
from nas_lab.widgets.base import MovingPicture, Number, Play, State, View, Widget, pair, row

RATE = 0.1  # learning rate of the exact ascent
MOST = 200  # steps of it that the slider goes to
DRAWN = 500  # batches that are drawn to see where they point
HIGHEST = 11.0  # baseline: no reward is higher, an accuracy and at most log(15,625) nats
MANY = 100_000  # larger numbers are not told


class Estimates(NamedTuple):
    """The gradient [D, K] of J in the logits of one policy w [D, K], and what batches estimate.
    Exact are the mean ``reward`` and ``accuracy``, the ``entropy`` in nats, and the ``noise``: root
    of the mean squared L2 length of (estimate - gradient) for a batch of one and the baseline that
    is set; ``least`` with the mean reward as baseline. ``cosines`` are those between the gradient
    and the estimates of ``DRAWN`` batches."""

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
    """

    baseline = Number(0.0, 0.0, HIGHEST).tag(keep=True)
    batch = traitlets.Int(4, min=1, max=64).tag(keep=True)
    entropy = Number(0.0, 0.0, 1.0).tag(keep=True)
    learnt = traitlets.Int(20, min=0, max=MOST).tag(keep=True)
    draw = traitlets.Int(0, min=0).tag(keep=True)

    def __init__(self, table: Table | None = None, **settings: Any) -> None:
        self.table = table or Table.load()
        self.space = self.table.space
        super().__init__(**settings)
        self._path = lru_cache(maxsize=8)(self._ascend)
        self._estimates = lru_cache(maxsize=1)(self._estimate)

    def take_mean(self) -> None:
        """Put the baseline to the mean reward, which is what a moving average finds."""
        self.baseline = round(self.estimates.reward, 2)

    def draw_again(self) -> None:
        """Draw other batches."""
        self.draw += 1

    @cached_property
    def _scores(self) -> np.ndarray:
        """Validation accuracy of every architecture, [size]."""
        return np.array([self.table(arch).score for arch in self.space])

    @cached_property
    def _one_hot(self) -> np.ndarray:
        """Every architecture, [size, D K]."""
        options = np.eye(self.space.mask.shape[1])
        return options[explain.tokens(self.space)].reshape(self.space.size, -1)

    def _exact(self, logits: np.ndarray) -> tuple[np.ndarray, ...]:
        """w [D, K], E[score], H, and the gradients of both in the logits, [D, K]."""
        log_w = log_softmax(logits, axis=1)
        w, given = np.exp(log_w), []  # E[score] given each option of a decision
        rest = self._scores.reshape([len(decision.options) for decision in self.space.decisions])
        for place, chances in enumerate(w):
            given.append(reduce(np.matmul, w[:place:-1], rest))  # sum over all later decisions
            rest = np.tensordot(chances, rest, 1)  # and over this one, for those that follow
        climb = w * (np.stack(given) - rest)  # as grad log p(arch) = one_hot(arch) - w
        entropies = -(w * log_w).sum(axis=1, keepdims=True)
        spread = -w * (log_w + entropies)  # dH/dlogit_k = -w_k (log w_k + H)
        return w, rest, entropies.sum(), climb, spread

    def _ascend(self, entropy: float) -> np.ndarray:
        """Logits after 0, 1, ... ``MOST`` exact steps of Adam, [MOST + 1, D, K]."""
        path = [np.zeros(self.space.mask.shape)]
        first = second = np.zeros(self.space.mask.shape)
        for step in range(1, MOST + 1):
            *_, climb, spread = self._exact(path[-1])
            gradient = climb + entropy * spread
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient**2
            size = np.sqrt(second / (1 - 0.999**step)) + 1e-8
            path.append(path[-1] + RATE * first / (1 - 0.9**step) / size)
        return np.stack(path)

    @property
    def estimates(self) -> Estimates:
        """What follows from the setting; computed once for each."""
        return self._estimates(self.baseline, self.batch, self.entropy, self.learnt, self.draw)

    def _estimate(
        self, baseline: float, batch: int, weight: float, learnt: int, draw: int
    ) -> Estimates:
        w, accuracy, entropy, *gradients = self._exact(self._path(weight)[learnt])
        flat, climb, spread = (part.ravel() for part in (w, *gradients))
        p, bonus = np.exp(self._one_hot @ np.log(flat)), weight * spread
        rewards, reward = self._scores + weight * entropy, float(accuracy + weight * entropy)
        squared = len(w) - 2 * self._one_hot @ flat + flat @ flat  # of grad log p

        def noise(baseline: float) -> float:
            mean_square = p @ ((rewards - baseline) ** 2 * squared)
            return math.sqrt(max(0.0, mean_square - climb @ climb))

        rng, gradient = np.random.default_rng(draw), climb + bonus
        drawn = np.searchsorted(p.cumsum(), p.sum() * rng.random((DRAWN, batch)))
        gains = (rewards[drawn] - baseline)[:, :, None]
        steps = (gains * (self._one_hot[drawn] - flat)).mean(axis=1) + bonus
        lengths = np.linalg.norm(steps, axis=1) * np.linalg.norm(gradient)
        cosines = np.divide(steps @ gradient, lengths, out=np.zeros(DRAWN), where=lengths > 0)
        found = w, gradient.reshape(w.shape), reward, float(accuracy), float(entropy)
        return Estimates(*found, noise(baseline), noise(reward), cosines)

    @property
    def words(self) -> str:
        """How noisy a step is, and what the best baseline would make of it."""
        found = self.estimates
        length = float(np.linalg.norm(found.gradient)) * math.sqrt(self.batch)
        downhill = (found.cosines < 0).mean()
        now, least = (f"{_told(n / length, 1)} times as long" for n in (found.noise, found.least))
        return (
            f"b = {self.baseline:.2f}, batch {self.batch}: the noise of a step is {now} as the "
            f"gradient, and {downhill:.0%} of the steps point downhill. With the mean reward "
            f"{found.reward:.2f} as baseline, the noise is {least}"
        )

    @property
    def details(self) -> list[str]:
        """How many architectures a step has to train, and what the policy draws."""
        found, size = self.estimates, self.space.size
        length = float(np.linalg.norm(found.gradient))
        needed = (math.ceil((noise / length) ** 2) for noise in (found.noise, found.least))
        now, least = (_told(max(1, archs)) for archs in needed)
        draws = f"draws cells of {found.accuracy:.1%} on average"
        free = f"a free choice among {math.exp(found.entropy):,.0f} of {size:,} cells"
        nats = f"{found.entropy:.1f} of {math.log(size):.1f} nats, that of {free}"
        train = f"a step has to train {now} architectures; with that baseline {least}"
        return [
            f"for a noise no longer than the gradient, {train}",
            f"the policy after {self.learnt} exact steps {draws}; its entropy is {nats}",
        ]


def _told(number: float, digits: int = 0) -> str:
    """Where the gradient vanishes, numbers grow beyond all meaning."""
    if number > MANY:
        return f"more than {MANY:,}"
    return f"{number:,.{digits if number < 100 else 0}f}"


class GradientSliders(View):
    """Sliders for baseline, batch, entropy weight and how much is learnt; the steps' directions."""

    State = GradientState
    HINT = (
        "Bars are the directions of 500 steps from the same policy, each with another batch. Which "
        "slider turns more steps uphill, and which of them costs trainings? Then let the policy "
        "learn on: with entropy weight 0, and with 0.01. (By keyboard: Tab, arrow keys.)"
    )
    PLAY = Play(
        "A noisy step uphill",
        "Bars are the directions of 500 steps of REINFORCE. Which of baseline, batch and entropy "
        "weight turns more of them uphill, and which costs trainings?",
        "03_reinforce.ipynb#5-Noise:-baseline,-batch,-entropy-(more)",
        {"entropy": None, "batch": None, "baseline": np.linspace(0, 1, 11).round(1).tolist()},
    )

    def _build(self) -> list[Widget]:
        model = self.model
        look: dict[str, Any] = {"width": "310px", "label": "108px"}
        mean = "put the baseline to the mean reward, which a moving average finds"
        weights = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1)
        first = row(
            self.slider(
                "baseline", 0.01, "baseline b", lambda: (0, max(2.0, model.baseline)), **look
            ),
            self.choice("batch", (1, 2, 4, 8, 16, 32, 64), "batch m", **look),
            self.button("Mean reward", model.take_mean, mean),
        )
        second = row(
            self.slider("learnt", 10, "steps learnt", **look),
            self.choice("entropy", weights, "entropy weight", **look),
            self.button("Draw again", model.draw_again, "other batches, same setting"),
            self.reset_button("back to the first setting"),
        )
        figure, left, right = pair(9.2, 3.7, 1.2, 1)
        cosine = "cosine with the exact gradient"
        plots.chart(left, "Where does one step point?", cosine, f"share of {DRAWN} steps")
        plots.chart(right, "The policy w that takes the step", "", "")
        self._bars, self._w = plots.CosineBars(left), plots.PolicyMatrix(right, model.space)
        self._picture = MovingPicture(figure, self._bars, self._w, dpi=120)
        return [first, second, self._words, self._picture]

    def _draw(self) -> None:
        model = self.model
        self._bars.update(model.estimates.cosines)
        self._w.update(model.estimates.w)
        self._picture.draw(f"Directions of {DRAWN} steps, and the policy w. {model.words}.")
