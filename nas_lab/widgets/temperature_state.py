"""What the temperature slider knows: scores, and the weights that a temperature makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets
from scipy.special import softmax
from scipy.stats import entropy

from nas_lab.spaces import Arch, Space, nasbench201
from nas_lab.widgets.base import State

TEMPERATURES = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class TemperatureState(State):
    """Parameters alpha, and w = softmax(alpha / tau), row by row.

    Args:
        alpha: parameters of the options, [D, K].
        tau: the temperature, above 0.
        space: whose decisions the rows are; None is ``spaces.nasbench201()``.

    Raises:
        ValueError: alpha has another shape than the space's, or is not finite.
        traitlets.TraitError: a temperature that is not positive.
    """

    tau = traitlets.Float(1.0).tag(keep=True)

    def __init__(self, alpha: Any, tau: float = 1.0, *, space: Space | None = None) -> None:
        self.space = nasbench201() if space is None else space
        self.alpha = np.array(alpha, dtype=float)
        if self.alpha.shape != self.space.mask.shape or not np.isfinite(self.alpha).all():
            raise ValueError(f"alpha must be {self.space.mask.shape} finite numbers")
        super().__init__(tau=float(tau))
        self._first = {"tau": self.tau}

    @traitlets.validate("tau")
    def _check_tau(self, proposal: traitlets.Bunch) -> float:
        if not 0 < proposal["value"] < np.inf:
            raise traitlets.TraitError(f"tau must be a number above 0, not {proposal['value']}")
        return proposal["value"]

    @property
    def w(self) -> np.ndarray:
        """Weights [D, K]; options that do not exist have none."""
        scores = np.where(self.space.mask, self.alpha / self.tau, -np.inf)
        return softmax(scores, axis=1)

    @property
    def arch(self) -> Arch:
        """The largest of each row: the same at every temperature."""
        return tuple(np.where(self.space.mask, self.alpha, -np.inf).argmax(axis=1).tolist())

    @property
    def words(self) -> str:
        """How far the mixture is from a choice."""
        w = self.w
        most = np.log(self.space.mask.sum(axis=1)).mean()
        return (
            f"tau = {self.tau:g}: the largest weight of a row is {w.max(axis=1).mean():.2f} on "
            f"average, the entropy {entropy(w, axis=1).mean():.2f} of {most:.2f} nats"
        )
