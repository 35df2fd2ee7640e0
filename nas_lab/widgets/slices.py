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
from nas_lab.spaces import Arch, transformer
from nas_lab.widgets.base import MovingPicture, Play, View, Widget, row
from nas_lab.widgets.edge import OnDevice, device_menu
from nas_lab.widgets.rankings import one_of

PARTS = {"attention": "attention", "MLP": "mlp"}  # of a block: names, and what its kernels bear


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
    """

    depth = traitlets.Int(2).tag(keep=True)
    width = traitlets.Int(32).tag(keep=True)
    heads = traitlets.Int(2).tag(keep=True)
    ratio = traitlets.Int(2).tag(keep=True)

    def __init__(self, *, scores: npt.ArrayLike | None = None, **kept: Any) -> None:
        grid = TransformerGrid.load()
        self.space, self.alone = grid.SPACE, grid.scores()
        self.inherited = None if scores is None else _checked(scores, len(grid))
        super().__init__(grid, self.alone.mean(axis=0), **kept)

    @traitlets.validate("depth", "width", "heads", "ratio")
    def _check_option(self, proposal: traitlets.Bunch) -> int:
        options = {decision.name: decision.options for decision in self.space.decisions}
        return one_of(proposal, options[proposal["trait"].name])

    @property
    def options(self) -> dict[str, int]:
        """What is chosen in each decision."""
        return {decision.name: getattr(self, decision.name) for decision in self.space.decisions}

    @property
    def arch(self) -> Arch:
        """The chosen network."""
        return self.space.encode(self.options)

    @property
    def place(self) -> int:
        """Place of the chosen network in the grid."""
        return int(np.flatnonzero((self.table.archs == self.arch).all(axis=1))[0])

    @property
    def words(self) -> str:
        """The network and what it costs, in a sentence."""
        network = ", ".join(f"{name} {option}" for name, option in self.options.items())
        params, macs = self.space.cost(self.arch, self.table.skeleton)
        size = f"{params:,} parameters, {quantity(macs)} multiply-adds"
        seconds = duration(self.landscape.seconds[self.place])
        return f"{network}: {size}, {seconds} on {DEVICES[self.device].title}"

    @property
    def details(self) -> list[str]:
        """How accurate it is, how much of the supernet it uses, what its time goes to."""
        archs = (self.arch, self.space.largest)
        mine, whole = (self.space.cost(arch, self.table.skeleton).params for arch in archs)
        run = devices.profile(self.space, self.arch, self.table.skeleton, self.device)
        shares = []
        for name, part in PARTS.items():
            spent = sum(kernel.seconds for kernel in run.kernels if part in kernel.op.name)
            shares.append(f"{name} {spent / run.seconds:.0%}")
        return [
            self._accuracy,
            f"coloured: {mine / whole:.0%} of the supernet's {whole:,} parameters",
            f"of its latency: {', '.join(shares)}; {run.overhead / run.seconds:.0%} is overhead",
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
    found = np.array(scores)
    if (
        found.shape != (count,)
        or found.dtype.kind not in "fiu"
        or not np.all(abs(found - 0.5) <= 0.5)
    ):
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
    PLAY = Play(
        "Slice a transformer",
        "All 81 networks share the weights of the largest one; what a network uses is coloured. "
        "Which slider makes it quicker on a phone, and which on a microcontroller?",
        "10_transformers.ipynb#2-One-matrix-for-all-widths",
        {
            "device": ["raspberry_pi_4", "v100", "snapdragon_855_cpu", "edge_tpu", "stm32f746"],
            tuple(each.name for each in transformer().decisions): [
                tuple(transformer().decode(arch).values()) for arch in transformer()
            ],
        },
    )
    HINT = (
        "All 81 networks share the weights of the largest one; what this network uses is coloured. "
        "Move a slider, and look at which matrices it cuts. Then change the device: which slider "
        "makes the network quicker there? (By keyboard: Tab to a slider, then the arrow keys.)"
    )

    def _build(self) -> list[Widget]:
        depth, width, heads, ratio = (
            self.choice(decision.name, decision.options, decision.name, label="80px")
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
        title = DEVICES[model.device].title
        self._chart.update(known.seconds, known.front, model.place, title)
        self._picture.draw(f"Slices of the supernet, and accuracy against latency. {model.words}")
