"""Slice a transformer out of the largest one, and watch what it costs and how accurate it is."""

from typing import Any

import numpy as np
import numpy.typing as npt
import traitlets
from matplotlib.figure import Figure

from nas_lab import devices, plots
from nas_lab.devices import DEVICES
from nas_lab.estimation import TransformerGrid
from nas_lab.plots import duration, quantity
from nas_lab.spaces import Arch
from nas_lab.widgets.base import MovingPicture, View, Widget, row
from nas_lab.widgets.edge import OnDevice, device_menu
from nas_lab.widgets.rankings import one_of


class SliceState(OnDevice):
    """A network of ``spaces.transformer()``, as a slice of the largest one, and a device.

    Args:
        depth: number of blocks, 1 to 3.
        width: features of a token, 16, 32 or 48.
        heads: 1, 2 or 4, of 8 features each.
        ratio: how many times the MLP is wider than a token, 1, 2 or 4.
        device: name of a device.
        scores: accuracies of all 81 networks on the weights of a supernet, in the order of the
            space, as ``[estimate(arch, 0).score for arch in spaces.transformer()]``.
        grid: the networks trained alone; None takes those that come with the kit.
    """

    depth = traitlets.Int().tag(keep=True)
    width = traitlets.Int().tag(keep=True)
    heads = traitlets.Int().tag(keep=True)
    ratio = traitlets.Int().tag(keep=True)

    def __init__(
        self,
        depth: int = 2,
        width: int = 32,
        heads: int = 2,
        ratio: int = 2,
        device: str = "raspberry_pi_4",
        *,
        scores: npt.ArrayLike | None = None,
        grid: TransformerGrid | None = None,
    ) -> None:
        grid = grid or TransformerGrid.load()
        self.space, self.alone = grid.SPACE, grid.scores()
        self.inherited = None if scores is None else _checked(scores, len(grid))
        kept = {"depth": depth, "width": width, "heads": heads, "ratio": ratio, "device": device}
        super().__init__(grid, self.alone.mean(axis=0), **kept)

    @traitlets.validate("depth", "width", "heads", "ratio")
    def _check_option(self, proposal: traitlets.Bunch) -> int:
        options = {decision.name: decision.options for decision in self.space.decisions}
        return one_of(proposal, options[proposal["trait"].name])

    @property
    def arch(self) -> Arch:
        """The chosen network."""
        return self.space.encode({d.name: getattr(self, d.name) for d in self.space.decisions})

    @property
    def place(self) -> int:
        """Place of the chosen network in the grid."""
        return int(np.flatnonzero((self.table.archs == self.arch).all(axis=1))[0])

    @property
    def words(self) -> str:
        """The network and what it costs, in a sentence."""
        cost = self.space.cost(self.arch, self.table.skeleton)
        plural = ("s" if self.depth > 1 else "", "s" if self.heads > 1 else "")
        network = (
            f"{self.depth} block{plural[0]}, width {self.width}, {self.heads} head{plural[1]}, "
            f"MLP {self.ratio}×"
        )
        size = f"{cost.params:,} parameters, {quantity(cost.macs)} multiply-adds"
        seconds = self.landscape.seconds[self.place]
        return f"{network}: {size}, {duration(seconds)} on {DEVICES[self.device].title}"

    @property
    def details(self) -> list[str]:
        """How accurate it is, how much of the supernet it uses, what its time goes to."""
        costs = (
            self.space.cost(arch, self.table.skeleton) for arch in (self.arch, self.space.largest)
        )
        mine, all_ = (cost.params for cost in costs)
        profile = devices.profile(self.space, self.arch, self.table.skeleton, self.device)
        attention, mlp = (
            sum(k.seconds for k in profile.kernels if part in k.op.name) / profile.seconds
            for part in (".attention", ".mlp")
        )
        overhead = f"{profile.waiting / profile.seconds:.0%}"
        return [
            self._accuracy,
            f"coloured: {mine / all_:.0%} of the supernet's {all_:,} parameters",
            f"of its latency attention takes {attention:.0%} and the MLP {mlp:.0%}; "
            f"{overhead} is the overhead of {len(profile.kernels)} kernels",
        ]

    @property
    def _accuracy(self) -> str:
        alone, mean = self.alone[:, self.place], self.landscape.accuracies
        seeds = f"{alone.min():.1%} to {alone.max():.1%}, {len(alone)} seeds"
        said = f"{mean[self.place]:.1%} ({seeds}), {_rank(mean, self.place)}"
        said = f"validation accuracy trained alone: {said}"
        if self.inherited is None:
            return said
        inherited = f"{self.inherited[self.place]:.1%}, {_rank(self.inherited, self.place)}"
        return f"{said}; on inherited weights: {inherited}"


def _checked(scores: npt.ArrayLike, count: int) -> np.ndarray:
    """Accuracies [count], or a ValueError that says what to give."""
    try:
        found = np.asarray(scores, dtype=float)
    except (TypeError, ValueError):
        found = np.empty(())
    if found.shape != (count,) or not ((found >= 0) & (found <= 1)).all():
        raise ValueError(
            f"give scores as {count} accuracies in [0, 1], one for each network in the order of "
            "the space: [estimate(arch, 0).score for arch in spaces.transformer()]"
        )
    return found


def _rank(scores: np.ndarray, place: int) -> str:
    return f"rank {1 + int((scores > scores[place]).sum())} of {len(scores)}"


class ElasticSlices(View):
    """Sliders for a transformer and a menu of devices; its slices, cost, time and accuracy."""

    State = SliceState
    HINT = (
        "All 81 networks share the weights of the largest one; what this network uses is coloured. "
        "Move a slider, and look at which matrices it cuts. Then change the device: which slider "
        "makes the network quicker there? (By keyboard: Tab to a slider, then the arrow keys.)"
    )

    def _build(self) -> list[Widget]:
        texts = {"depth": "blocks", "width": "width", "heads": "heads", "ratio": "MLP ratio"}
        look: dict[str, Any] = {"width": "350px", "label": "80px"}
        depth, width, heads, ratio = (
            self.choice(decision.name, decision.options, texts[decision.name], **look)
            for decision in self.model.space.decisions
        )
        controls = row(device_menu(self), self.reset_button("back to the first network and device"))
        figure = Figure(figsize=(9.2, 3.5))
        left = figure.add_axes((0.0, 0.0, 0.61, 1.0))
        right = figure.add_axes((0.69, 0.14, 0.3, 0.71))
        model = self.model
        self._slices = plots.SliceMatrices(left, model.space, model.table.skeleton)
        self._chart = plots.SpeedChart(right, model.landscape.accuracies, model.inherited)
        self._picture = MovingPicture(figure, self._slices, self._chart)
        return [row(depth, width), row(heads, ratio), controls, self._words, self._picture]

    def _draw(self) -> None:
        model = self.model
        known = model.landscape
        self._slices.update(model.arch)
        self._chart.update(known.seconds, known.front, DEVICES[model.device].title)
        self._chart.point_at(model.place)
        self._picture.draw(f"Slices of the supernet, and accuracy against latency. {model.words}")
