"""One way to train a network on images, built on `d2l.torch.Classifier` and `d2l.torch.Trainer`.

    curve = train(net, FashionMNIST(), Recipe(epochs=4), seed=0)
    curve.accuracy                               # of the validation images, in [0, 1]

Sources: one-cycle learning rates, L. N. Smith and N. Topin, 2018, arXiv:1708.07120; Nesterov's
momentum as in I. Sutskever et al., ICML 2013; label smoothing, C. Szegedy et al., 2016,
arXiv:1512.00567.
"""

import math
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import d2l.torch as d2l
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import LRScheduler
from tqdm.auto import tqdm

from nas_lab import runtime
from nas_lab.checks import number_in, whole_number
from nas_lab.data import Loader
from nas_lab.history import Evaluation
from nas_lab.spaces.base import Arch

SCHEDULES = ("one_cycle", "cosine", "constant")

Batches = Iterable[tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: by stochastic gradient descent with Nesterov's momentum.

    Args:
        epochs: passes over the training images, at least 1.
        learning_rate: the highest of the schedule.
        momentum: in [0, 1); 0 is plain gradient descent.
        weight_decay: as in `torch.optim`.
        label_smoothing: share of the target that is spread over all classes, in [0, 1).
        schedule: "one_cycle" rises to `learning_rate` during `warmup`, a share of the steps in
            (0, 1), and falls to almost 0 by the last one; "cosine" only falls; "constant" stays."""

    epochs: int = 4
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    schedule: Literal["one_cycle", "cosine", "constant"] = "one_cycle"
    warmup: float = 0.3

    def __post_init__(self) -> None:
        object.__setattr__(self, "epochs", whole_number("epochs", self.epochs))
        for name, below in {"momentum": 1, "label_smoothing": 1, "weight_decay": math.inf}.items():
            number_in(name, getattr(self, name), below=below)
        for name, below in {"learning_rate": math.inf, "warmup": 1}.items():
            if not 0 < getattr(self, name) < below:
                raise ValueError(f"{name} must be in (0, {below:g}), not {getattr(self, name)!r}")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule must be one of {SCHEDULES}, not {self.schedule!r}")

    def optimiser(self, net: nn.Module) -> torch.optim.Optimizer:
        """Return the optimiser of a network's parameters."""
        return torch.optim.SGD(
            net.parameters(),
            lr=self.learning_rate,
            momentum=self.momentum,
            nesterov=self.momentum > 0,
            weight_decay=self.weight_decay,
            fused=True,  # one kernel for all parameters: 0.3 ms a step where a loop took 0.8
        )

    def scheduler(self, optimiser: torch.optim.Optimizer, steps: int) -> LRScheduler:
        """Return what sets the learning rate at each of `steps` steps."""
        if self.schedule == "constant":
            return lr_scheduler.ConstantLR(optimiser, factor=1.0)
        if self.schedule == "cosine":
            return lr_scheduler.CosineAnnealingLR(optimiser, steps)
        return lr_scheduler.OneCycleLR(
            optimiser,
            self.learning_rate,
            total_steps=max(steps, 2),  # a cycle needs a rise and a fall
            pct_start=self.warmup,
            cycle_momentum=False,
        )


@dataclass(frozen=True)
class AdamRecipe(Recipe):
    """A recipe with AdamW (Loshchilov and Hutter 2019), which transformers need."""

    learning_rate: float = 0.01
    weight_decay: float = 0.05

    def optimiser(self, net: nn.Module) -> torch.optim.Optimizer:
        """Return the optimiser of a network's parameters; ``momentum`` is that of the gradient."""
        return torch.optim.AdamW(
            net.parameters(),
            lr=self.learning_rate,
            betas=(self.momentum, 0.999),
            weight_decay=self.weight_decay,
            fused=True,
        )


@dataclass(frozen=True)
class Curve:
    """What a training recorded; every tuple has an entry for each finished epoch.
    Losses are mean cross-entropies in nats, of the training batches with smoothed labels.
    Accuracies are in [0, 1], and seconds the wall time since training began, validation included. A
    training is "finished", "interrupted" (the network keeps what it learnt) or "diverged" (the loss
    was not finite; the epoch in which that happened is left out)."""

    train_loss: tuple[float, ...] = ()
    val_loss: tuple[float, ...] = ()
    val_accuracy: tuple[float, ...] = ()
    seconds: tuple[float, ...] = ()
    status: Literal["finished", "interrupted", "diverged"] = "finished"

    def __len__(self) -> int:
        return len(self.val_accuracy)

    @property
    def accuracy(self) -> float:
        """Validation accuracy after the last finished epoch; nan when there is none."""
        return self.val_accuracy[-1] if self.val_accuracy else math.nan

    def evaluation(self, arch: Arch, metrics: Mapping[str, float]) -> Evaluation:
        """The training as an estimate: its accuracy, or nan where it diverged; its seconds.
        Half a training is no result: an interrupt is passed on."""
        if self.status == "interrupted":
            raise KeyboardInterrupt(f"training of {arch} was interrupted")
        score = self.accuracy if self.status == "finished" else math.nan
        return Evaluation(score, self.seconds[-1] if len(self) else 0.0, metrics)


class EpochEvent(NamedTuple):
    """What `on_epoch` is told: `epoch` (from 1) of `epochs` is over, and `curve` up to it."""

    epoch: int
    epochs: int
    curve: Curve


OnEpoch = Callable[[EpochEvent], None]


class Classifier(d2l.Classifier):
    """A network as a d2l model: loss, validation and optimiser follow a recipe."""

    def __init__(self, net: nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.net, self.recipe = net, recipe

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the recipe's optimiser."""
        return self.recipe.optimiser(self.net)

    def training_step(self, batch: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the mean loss of a batch of images and labels."""
        images, labels = batch
        smoothing = self.recipe.label_smoothing
        return F.cross_entropy(self.net(images), labels, label_smoothing=smoothing)


class Trainer(d2l.Trainer):
    """`d2l.Trainer` with a schedule, a device, a progress bar, events and an orderly interrupt."""

    def __init__(
        self, max_epochs: int, device: torch.device, seed: int, on_epoch: OnEpoch | None
    ) -> None:
        super().__init__(max_epochs)
        self.gpus = [] if device.type == "cpu" else [device]
        self.seed, self.on_epoch, self.curve = seed, on_epoch, Curve()

    def fit(self, model: Classifier, data: d2l.DataModule, progress: bool = False) -> Curve:
        """Train `model` and return its curve; an interrupt ends it early and is noted there."""
        self.prepare_data(data)
        if self.num_train_batches == 0:
            raise ValueError("there is no batch of training images")
        self.train_dataloader: Batches
        if isinstance(self.train_dataloader, Loader):
            self.train_dataloader = self.train_dataloader.reseeded(self.seed)
        self.prepare_model(model)
        self.optim = model.configure_optimizers()
        steps = self.max_epochs * self.num_train_batches
        self.scheduler = model.recipe.scheduler(self.optim, steps)
        self.began = time.perf_counter()
        with tqdm(total=steps, disable=not progress, unit="step") as self.bar:
            try:
                for _ in range(self.max_epochs):
                    if not self.fit_epoch():
                        break
            except KeyboardInterrupt:
                self.curve = replace(self.curve, status="interrupted")
        model.eval()
        return self.curve

    def fit_epoch(self) -> bool:
        """Train for an epoch, validate, record; return False when the loss is not finite."""
        self.model.train()
        total, images = 0.0, 0
        for batch in map(self.prepare_batch, self.train_dataloader):
            self.optim.zero_grad()
            loss = self.model.training_step(batch)
            loss.backward()
            self.optim.step()
            self.scheduler.step()
            self.bar.update()
            total = total + loss.detach() * len(batch[-1])
            images += len(batch[-1])
        train_loss = float(total) / images
        val_accuracy, val_loss = _measure(self.model.net, self.val_dataloader)
        if not math.isfinite(train_loss + val_loss):
            self.curve = replace(self.curve, status="diverged")
            return False
        self.curve = Curve(
            (*self.curve.train_loss, train_loss),
            (*self.curve.val_loss, val_loss),
            (*self.curve.val_accuracy, val_accuracy),
            (*self.curve.seconds, time.perf_counter() - self.began),
        )
        self.bar.set_postfix(val_acc=f"{val_accuracy:.3f}", refresh=False)
        if self.on_epoch is not None:
            self.on_epoch(EpochEvent(len(self.curve), self.max_epochs, self.curve))
        return True


def train(
    net: nn.Module,
    data: d2l.DataModule,
    recipe: Recipe = Recipe(),
    *,
    seed: int = 0,
    on_epoch: OnEpoch | None = None,
    progress: bool = False,
    device: torch.device | str | None = None,
    num_threads: int | None = None,
) -> Curve:
    """Train `net` in place, leave it in evaluation mode, and return its curve.

    On a CPU the same seed gives the same result, and torch's global generators are left as they
    were. Ctrl-C (the notebook's stop button) ends the training but not the program: the network
    keeps what it learnt and the curve says "interrupted".

    Args:
        net: images [B, C, H, W] -> logits [B, classes]; its memory is laid out anew.
        data: batches of images and labels, usually a `nas_lab.data.FashionMNIST`.
        seed: fixes the order of the images and what dropout drops; not the initial weights.
        on_epoch: called with an `EpochEvent` after every epoch; what it raises ends the training.
        device, num_threads: None lets `nas_lab.runtime` choose them by the network's size."""
    seed = whole_number("seed", seed, least=0)
    macs = runtime.count_macs(net, next(iter(data.val_dataloader()))[0][:1])
    device = runtime.device(macs) if device is None else torch.device(device)
    net.to(device).to(memory_format=runtime.memory_format(net))
    trainer = Trainer(recipe.epochs, device, seed, on_epoch)
    with ExitStack() as stack:
        stack.enter_context(runtime.threads(num_threads or runtime.num_threads(macs)))
        if _draws_globally(net):
            stack.enter_context(runtime.seeded_global_generator(seed))
        return trainer.fit(Classifier(net, recipe), data, progress)


def evaluate(net: nn.Module, loader: Batches) -> float:
    """Return the share of images that `net` classifies rightly in evaluation mode, in [0, 1]."""
    return _measure(net, loader)[0]


@torch.no_grad()
def _measure(net: nn.Module, loader: Batches) -> tuple[float, float]:
    """Return accuracy and mean cross-entropy of a network over a loader."""
    right: torch.Tensor | float = 0.0
    loss: torch.Tensor | float = 0.0
    images, device = 0, runtime.device_of(net)
    with runtime.evaluation_mode(net):
        for x, y in loader:
            logits, y = net(x.to(device)), y.to(device)
            right = right + (logits.argmax(1) == y).sum()
            loss = loss + F.cross_entropy(logits, y, reduction="sum")
            images += len(y)
    if images == 0:
        raise ValueError("there is no image to measure accuracy on")
    return float(right) / images, float(loss) / images


def _draws_globally(net: nn.Module) -> bool:
    """Tell whether a module draws from torch's global generator: these kinds take no other."""
    return any(
        re.search("Dropout|DropPath|StochasticDepth", type(module).__name__)
        or (isinstance(module, nn.RNNBase) and module.dropout > 0)
        for module in net.modules()
    )
